"""Freshness: which load covers which change, and what counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from nearshift.cli.demo import describe
from nearshift.cli.demo_watch import FreshnessWatch, Progress
from nearshift.clock import ManualClock
from nearshift.events import Committed, Events
from nearshift.pipeline.session import SessionConnection
from nearshift.results import Notice, Result

START = datetime(2026, 1, 1, tzinfo=UTC)


class WatermarkSession:
    """Answers with the watermark that stands, and rings when it was read."""

    def __init__(self) -> None:
        self.on_notice: Callable[[Notice], None] = lambda _notice: None
        self.watermark = START

    def execute_script(self, _text: str) -> Iterator[Result]:
        import pyarrow as pa

        from nearshift.sql.relations import Column
        from nearshift.types import TIMESTAMP

        batch = pa.RecordBatch.from_arrays([pa.array([self.watermark.replace(tzinfo=None)], pa.timestamp("us"))], names=["w"])
        yield Result("SELECT", (Column("w", TIMESTAMP),), iter([batch]))

    def close(self) -> None: ...


def micros(seconds: float) -> int:
    return int((START.timestamp() + seconds) * 1_000_000)


def at(seconds: float) -> datetime:
    return (START + timedelta(seconds=seconds)).replace(tzinfo=None)


def test_a_change_is_as_fresh_as_the_first_load_that_covers_its_refresh() -> None:
    events, session, clock = Events(), WatermarkSession(), ManualClock(START)
    watch = FreshnessWatch(events, SessionConnection(session), clock)
    watch.start()
    for second, watermark in ((2.0, 1.0), (2.0, 1.0), (5.0, 4.0)):
        session.watermark = START + timedelta(seconds=watermark)
        clock.set(START + timedelta(seconds=second))
        before = len(watch.of([(micros(0), at(watermark))]))
        events.publish(Committed(frozenset({"public.etl_audit"}), clock.now()))
        while not before and not len(watch.of([(micros(0), at(watermark))])):
            pass  # the thread hears of it at once; the test's time-out is the bound
    changes = [
        (micros(0.5), at(1.0)),  # covered by the first load, seen at 2.0
        (micros(0.5), at(1.5)),  # came after it: covered by the second, seen at 5.0
        (micros(3.0), at(9.0)),  # not covered yet
    ]
    assert list(watch.of(changes)) == pytest.approx([1500.0, 4500.0])
    watch.stop()


def test_other_commits_are_not_looked_at() -> None:
    events, session = Events(), WatermarkSession()
    watch = FreshnessWatch(events, SessionConnection(session), ManualClock(START))
    watch.start()
    events.publish(Committed(frozenset({"public.demo_stream_vw"}), START))
    watch.stop()
    assert list(watch.of([(micros(0), at(0))])) == []


def test_the_line_shows_a_dash_for_what_is_not_known() -> None:
    assert describe(5, Progress(4, 3, None, 120.4, None)) == "written 5  ingested 4  lag -  facts 3  freshness 120 ms"
