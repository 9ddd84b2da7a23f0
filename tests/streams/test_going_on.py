"""What to do with a stored checkpoint, case by case: start, go on, wait, report a gap, notice another stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nearshift.streams.checkpoint import Action, Checkpoint, Decision, GapReason, decide_continuity, decide_opening, may_be_forgotten
from nearshift.streams.reader import Description
from nearshift.streams.record import END, OLDEST, Batch, Overlap, Position, SequenceNumber, ShardId, after, empty_records

SHARD = ShardId("shardId-000000000000")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(hours=24)
THERE = Description("stream@1", DAY)
RECENTLY = NOW - timedelta(hours=23)
LONG_AGO = NOW - timedelta(hours=25)
STORED = after("100")


def checkpoint(position: Position = STORED, caught_up_at: datetime | None = None, identity: str = "stream@1") -> Checkpoint:
    return Checkpoint(SHARD, position, identity, caught_up_at)


@pytest.mark.parametrize(
    ("stored", "listed", "decision"),
    [
        (None, [SHARD], Decision(Action.START, OLDEST)),
        (checkpoint(), [SHARD], Decision(Action.RESUME, STORED)),
        (checkpoint(OLDEST), [SHARD], Decision(Action.RESUME, OLDEST)),
        (checkpoint(OLDEST, RECENTLY), [SHARD], Decision(Action.RESUME, OLDEST)),
        (checkpoint(OLDEST, LONG_AGO), [SHARD], Decision(Action.GAP, OLDEST, GapReason.UNSEEN)),
        (checkpoint(END), [SHARD], Decision(Action.FINISHED, END)),
        (checkpoint(END), [], Decision(Action.FINISHED, END)),
        (checkpoint(), [], Decision(Action.GAP, END, GapReason.SHARD_EXPIRED)),
        (checkpoint(caught_up_at=LONG_AGO), [], Decision(Action.GAP, END, GapReason.SHARD_EXPIRED)),
        (checkpoint(caught_up_at=RECENTLY), [], Decision(Action.FINISHED, END)),
        (checkpoint(identity="stream@0"), [SHARD], Decision(Action.RECREATED, OLDEST)),
        (checkpoint(END, identity="stream@0"), [SHARD], Decision(Action.RECREATED, OLDEST)),
        (checkpoint(identity="stream@0"), [], Decision(Action.FORGET, OLDEST)),
        (checkpoint(END, identity="stream@0"), [], Decision(Action.FORGET, OLDEST)),
    ],
)
def test_a_shard_is_opened(stored: Checkpoint | None, listed: list[ShardId], decision: Decision) -> None:
    assert decide_opening(stored, SHARD, listed=listed, description=THERE, now=NOW) == decision


PARENT = ShardId("shardId-000000000009")


@pytest.mark.parametrize(
    ("parent", "action"),
    [
        (Checkpoint(PARENT, END, "stream@1", RECENTLY), Action.START),
        (Checkpoint(PARENT, END, "stream@1", LONG_AGO), Action.GAP),
        (Checkpoint(PARENT, END, "stream@0", LONG_AGO), Action.START),
        (Checkpoint(PARENT, STORED, "stream@1", LONG_AGO), Action.START),
        (Checkpoint(PARENT, END, "stream@1"), Action.START),
    ],
)
def test_a_shard_that_nobody_saw_is_vouched_for_by_its_parents(parent: Checkpoint, action: Action) -> None:
    found = decide_opening(None, SHARD, listed=[SHARD], description=THERE, now=NOW, parents=[parent])
    assert (found.action, found.position) == (action, OLDEST)


def batch(found: str | None, *, behind: int = 0, overlap: bool = True, following: Position = STORED) -> Batch:
    seen = Overlap(SequenceNumber("100"), None if found is None else SequenceNumber(found)) if overlap else None
    return Batch(empty_records(), following, behind, NOW, overlap=seen)


@pytest.mark.parametrize(
    ("caught_up_at", "answer", "action", "reason"),
    [
        (None, batch("100"), Action.RESUME, None),
        (LONG_AGO, batch("100"), Action.RESUME, None),
        (None, batch("105"), Action.GAP, GapReason.TRIMMED),
        (LONG_AGO, batch("105"), Action.GAP, GapReason.TRIMMED),
        (RECENTLY, batch("105"), Action.RESUME, None),
        (None, batch(None, behind=5), Action.WAIT, None),
        (None, batch(None), Action.GAP, GapReason.EMPTIED),
        (LONG_AGO, batch(None), Action.GAP, GapReason.EMPTIED),
        (RECENTLY, batch(None), Action.RESUME, None),
        (None, batch(None, following=END), Action.GAP, GapReason.EMPTIED),
        (LONG_AGO, batch(None, overlap=False), Action.RESUME, None),
    ],
)
def test_a_batch_proves_or_disproves_that_nothing_is_missing(
    caught_up_at: datetime | None, answer: Batch, action: Action, reason: GapReason | None
) -> None:
    decision = decide_continuity(checkpoint(caught_up_at=caught_up_at), answer, DAY)
    assert (decision.action, decision.reason) == (action, reason)
    assert decision.position == answer.next


def test_the_edge_of_retention_counts_as_forgotten() -> None:
    edge = checkpoint(caught_up_at=NOW - DAY)
    assert decide_continuity(edge, batch("105"), DAY).action is Action.GAP
    assert decide_continuity(edge, batch("105"), DAY + timedelta(seconds=1)).action is Action.RESUME


@pytest.mark.parametrize(
    ("stored", "is_over"),
    [
        (checkpoint(END, NOW - timedelta(hours=49)), True),
        (checkpoint(END, NOW - timedelta(hours=47)), False),
        (checkpoint(END), False),
        (checkpoint(STORED, NOW - timedelta(hours=49)), False),
        (checkpoint(END, NOW - timedelta(hours=49), identity="stream@0"), False),
    ],
)
def test_the_checkpoint_of_an_ended_shard_goes_when_no_list_can_show_the_shard_again(stored: Checkpoint, is_over: bool) -> None:
    assert may_be_forgotten(stored, THERE, NOW) is is_over
