"""The same facts whatever happens: one change log, many schedules of delivery, refresh and load, and always the same hash.

The hash equals that of rows worked out in Python from the log. The published manner of loading, in the same harness, has another hash for
almost every schedule: the last test says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from tests.generate.exhibit_bench import SECOND, Exhibit, exhibit_benches

from nearshift.clock import ManualClock
from nearshift.errors import NearshiftError
from nearshift.pipeline.bench import Benches

SCHEDULES = 5
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Change:
    """Something that happened to an item, `second` after the beginning."""

    second: int
    customer: str
    transaction: str
    new: dict[str, Any] | None


def log_of(source: random.Random, count: int = 36) -> list[Change]:
    """Write a log: few items, so that each sees inserts, changes with and without each attribute, removals, and life after them."""
    live: set[tuple[str, str]] = set()
    changes: list[Change] = []
    for second in range(1, count + 1):
        key = (source.choice(("C1", "C2")), source.choice(("T1", "T2")))
        if key in live and source.random() < 0.2:
            live.discard(key)
            changes.append(Change(second, *key, None))
            continue
        live.add(key)
        amount = Decimal(source.randint(1, 3000)) / 4
        values = {"amount": amount, "provider": source.choice(("PV-9", "PV-10")), "percent": source.randint(1, 9)}
        changes.append(Change(second, *key, {name: value for name, value in values.items() if source.random() < 0.6}))
    return changes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Benches, ManualClock]]:
    with exhibit_benches(tmp_path_factory.mktemp("same") / "exhibit") as benches:
        yield benches


def play(exhibit: Exhibit, changes: list[Change], source: random.Random) -> None:
    """Deliver the log in a schedule of its own: shuffled, some changes twice, batches, refreshes and loads by chance, failures, repeats."""
    delivered = changes + source.choices(changes, k=len(changes) // 3)
    if source.random() < 0.8:
        source.shuffle(delivered)
    clock = 100.0
    while delivered:
        for _ in range(min(len(delivered), source.randint(1, 12))):
            one = delivered.pop()
            clock += source.random()
            event = "REMOVE" if one.new is None else "MODIFY"
            names = {"pk": f"CUSTOMER#{one.customer}", "sk": f"TRANSACTION#{one.transaction}", "event_id": f"e{one.second}"}
            exhibit.put(clock, event, created=one.second, **names, **(one.new or {}))
        if source.random() < 0.7:
            exhibit.refresh(clock := clock + 1)
        if source.random() < 0.15:
            fail_once(exhibit, source.choice(("image_fact", "value_fact", "history_dim")))
        for _ in range(source.choice((0, 1, 1, 2))):
            exhibit.call(clock := clock + 1)
    exhibit.load(clock + 10)


def fail_once(exhibit: Exhibit, name: str) -> None:
    """Let a load run into an error in the middle of its work."""
    exhibit.bench.run(f"ALTER TABLE {name} RENAME COLUMN loaded_at TO hidden")
    with contextlib.suppress(NearshiftError):  # where nothing is new, nothing fails
        exhibit.bench.run(f"CALL sp_load_{name}()")
    exhibit.bench.run(f"ALTER TABLE {name} RENAME COLUMN hidden TO loaded_at")


QUERIES = {
    "image_fact": "SELECT customer_id, transaction_id, amount, provider, percent_paid FROM image_fact",
    "value_fact": "SELECT customer_id, transaction_id, amount, provider, percent_paid FROM value_fact",
    "history_dim": "SELECT customer_id, transaction_id, amount, provider, percent_paid, "
    f"date_part(epoch, valid_from)::bigint - {SECOND}, date_part(epoch, valid_to)::bigint - {SECOND}, is_current FROM history_dim",
    "published_fact": "SELECT customer_id, replace(transaction_id, 'TRANSACTION#', ''), amount, provider, percent_paid FROM published_fact",
}


def hash_of(rows: list[Row]) -> str:
    """Return a hash that the order of rows does not change; a number's is that of its value."""
    plain = [[str(value.normalize()) if isinstance(value, Decimal) else str(value) for value in row] for row in rows]
    return hashlib.sha256(repr(sorted(plain)).encode()).hexdigest()[:16]


def found(exhibit: Exhibit, table: str) -> str:
    return hash_of(list(exhibit.bench.run(QUERIES[table]).rows))


def values_of(new: dict[str, Any]) -> Row:
    percent = new.get("percent")
    return new.get("amount"), new.get("provider"), None if percent is None else Decimal(percent)


def expected(changes: list[Change]) -> dict[str, str]:
    """Return the hashes of what is right, worked out from the log alone."""
    images: dict[tuple[str, str], dict[str, Any]] = {}
    values: dict[tuple[str, str], dict[str, Any]] = {}
    history: list[Row] = []
    current: dict[tuple[str, str], tuple[Row, int]] = {}
    for one in changes:
        key = (one.customer, one.transaction)
        image = None if one.new is None else values_of(one.new)
        if key in current and current[key][0] != image:
            was, since = current.pop(key)
            history.append((*key, *was, since, one.second, False))
        if one.new is None:
            images.pop(key, None)
            values.pop(key, None)
            continue
        images[key] = one.new
        values[key] = values.get(key, {}) | one.new
        current.setdefault(key, (values_of(one.new), one.second))
    history += [(*key, *was, since, None, True) for key, (was, since) in current.items()]
    return {
        "image_fact": hash_of([(*key, *values_of(new)) for key, new in images.items()]),
        "value_fact": hash_of([(*key, *values_of(new)) for key, new in values.items()]),
        "history_dim": hash_of(history),
    }


def test_every_schedule_gives_the_same_facts_and_the_published_load_does_not(made: tuple[Benches, ManualClock]) -> None:
    benches, clock = made
    changes = log_of(random.Random(6))
    right = expected(changes)
    published: set[str] = set()
    for seed in range(SCHEDULES):
        bench = benches.open()
        try:
            exhibit = Exhibit(bench, clock)
            play(exhibit, changes, random.Random(seed))
            assert {table: found(exhibit, table) for table in right} == right, f"schedule {seed}"
            published.add(found(exhibit, "published_fact"))
        finally:
            bench.close()
    assert len(published) > SCHEDULES // 2, "the published load used to depend on the schedule"
    assert not published & {right["image_fact"], right["value_fact"]}


@pytest.mark.parametrize("seed", range(2))
def test_other_logs_too(made: tuple[Benches, ManualClock], seed: int) -> None:
    benches, clock = made
    changes = log_of(random.Random(100 + seed))
    bench = benches.open()
    try:
        exhibit = Exhibit(bench, clock)
        play(exhibit, changes, random.Random(seed))
        right = expected(changes)
        assert {table: found(exhibit, table) for table in right} == right
    finally:
        bench.close()
