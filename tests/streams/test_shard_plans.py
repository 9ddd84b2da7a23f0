"""Which shards may be read: the pure rule, and the order it keeps under any resharding."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nearshift import limits
from nearshift.clock import ManualClock
from nearshift.streams.memory import MemoryStream
from nearshift.streams.record import Shard, ShardId
from nearshift.streams.shards import IdleShards, Readiness, plan_shards


def shard(number: int, *parents: int) -> Shard:
    return Shard(name(number), tuple(name(parent) for parent in parents))


def name(number: int) -> ShardId:
    return ShardId(f"shardId-{number:012}")


def readiness(listed: list[Shard], *drained: int) -> dict[int, Readiness]:
    plans = plan_shards(listed, {name(number) for number in drained})
    return {int(plan.shard.id[8:]): plan.readiness for plan in plans}


def test_shards_without_parents_are_readable_and_drained_ones_are_not_read_again() -> None:
    assert readiness([shard(1), shard(0)], 1) == {0: Readiness.READABLE, 1: Readiness.DRAINED}


def test_a_child_waits_for_its_parent_and_a_merged_child_for_both() -> None:
    listed = [shard(0), shard(1), shard(2, 0), shard(3, 0, 1)]
    assert readiness(listed, 0) == {
        0: Readiness.DRAINED,
        1: Readiness.READABLE,
        2: Readiness.READABLE,
        3: Readiness.PARENT_LISTED,
    }
    (plan,) = (plan for plan in plan_shards(listed, {name(0)}) if plan.shard.id == name(3))
    assert plan.waits_for == (name(1),)
    assert not plan.is_readable


def test_a_parent_that_is_listed_no_longer_holds_nobody_up() -> None:
    assert readiness([shard(7, 3, 4)]) == {7: Readiness.READABLE}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=12))
def test_every_shard_becomes_readable_after_its_parents_whatever_was_split_and_merged(steps: list[tuple[bool, int]]) -> None:
    stream = MemoryStream("s", shards=2, clock=ManualClock())
    for is_split, pick in steps:
        opened = sum(not listed.is_closed for listed in stream.list_shards())
        if is_split:
            found = [listed.id for listed in stream.list_shards() if not listed.is_closed]
            stream.split(found[pick % len(found)])
        elif opened > 1:
            stream.reshard(opened - 1)
    listed = stream.list_shards()
    drained: list[ShardId] = []
    while len(drained) < len(listed):
        ready = [plan.shard for plan in plan_shards(listed, drained) if plan.is_readable]
        assert ready
        for each in ready:
            assert set(each.parents) <= set(drained)
        drained.append(ready[-1].id)


def test_a_few_idle_shards_are_always_due_and_a_thousand_only_now_and_then() -> None:
    few, many = IdleShards(), IdleShards()
    for shards, count in ((few, 4), (many, 1000)):
        for number in range(count):
            shards.looked(name(number), 0.0, is_quiet=True)
            shards.looked(name(number), 100.0, is_quiet=True)
    assert (few.not_due(100.2), few.pause) == (set(), 0.1)
    assert len(many.not_due(100.1)) == 1000
    assert many.pause == 1.0
    assert many.not_due(100.0 + 1000 / limits.IDLE_LOOKS_PER_SECOND_MAX) == set()


def test_a_shard_is_not_idle_while_records_come_or_came_a_moment_ago() -> None:
    shards = IdleShards()
    for number in range(1000):
        shards.looked(name(number), 0.0, is_quiet=True)
    assert shards.not_due(limits.SHARD_IDLE_SECONDS - 1.0) == set()
    shards.looked(name(7), 40.0, is_quiet=False)
    assert name(7) not in shards.not_due(40.0)
    shards.looked(name(7), 41.0, is_quiet=True)
    assert name(7) not in shards.not_due(41.5)
