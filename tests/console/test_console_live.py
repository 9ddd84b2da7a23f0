"""Pushing: one pass per commit and feed, only what changed, nothing when nobody looks. Driven by hand, without waiting."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from nearshift import limits
from nearshift.clock import ManualClock
from nearshift.console.answers import Moment
from nearshift.console.live import LiveHub, Viewer
from nearshift.errors import Conflict
from nearshift.events import Committed, Events


class Board:
    """A feed's content that shows what it is told to, and counts its passes."""

    def __init__(self, **parts: str) -> None:
        self.shown = parts
        self.passes = 0
        self.version = 0
        self.fails = False

    def stamp(self) -> object:
        return self.version

    def parts(self, moment: Moment) -> Mapping[str, bytes]:
        self.passes += 1
        if self.fails:
            raise ZeroDivisionError
        return {name: json.dumps(value).encode() for name, value in self.shown.items()}


class Bench:
    """A hub whose loop is a call of `step`."""

    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.events = Events()
        self.started: list[Callable[[], None]] = []
        self.hub = LiveHub(self.events.subscribe, self.clock, self.started.append)

    def join(self, key: str, board: Board) -> Viewer:
        """Join and wait until there is something to see."""
        rung = threading.Event()
        viewer = self.hub.join(key, board, rung.set)
        assert rung.wait(5)
        return viewer

    def commit(self, seconds_ago: float = 0.0) -> int:
        self.events.publish(Committed(frozenset({"public.t"}), self.clock.now() - timedelta(seconds=seconds_ago)))
        return self.hub.step(0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def changed(viewer: Viewer) -> dict[str, object]:
    push = viewer.take()
    assert push is not None, "something was pushed"
    return {name: json.loads(value) for name, value in push.parts.items()}


def test_a_viewer_gets_all_parts_first_and_then_only_those_that_changed(bench: Bench) -> None:
    board = Board(one="1", two="2")
    viewer = bench.join("b", board)
    assert changed(viewer) == {"one": "1", "two": "2"}
    board.shown = {"one": "1", "two": "3"}
    assert bench.commit() == 1
    assert changed(viewer) == {"two": "3"}


def test_a_commit_that_changes_nothing_shown_still_tells_the_time(bench: Bench) -> None:
    viewer = bench.join("b", Board(one="1"))
    viewer.take()
    bench.clock.advance(1)
    bench.commit(seconds_ago=0.4)
    push = viewer.take()
    assert push is not None
    assert push.parts == {}
    assert push.delay_ms == pytest.approx(400)
    assert json.loads(push.encode()) == {"at": "2026-01-01T00:00:01.000Z", "delay_ms": push.delay_ms, "parts": {}}


def test_viewers_of_one_feed_share_a_pass_and_other_choices_have_their_own(bench: Bench) -> None:
    board, other = Board(one="1"), Board(one="x")
    viewers = [bench.join("b", board) for _ in range(3)]
    bench.join("b other", other)
    passes = board.passes
    assert bench.commit() == 2
    assert (board.passes - passes, other.passes) == (1, 2)
    assert all(viewer.take() is not None for viewer in viewers)


def test_commits_during_a_pass_are_folded_into_one(bench: Bench) -> None:
    board = Board(one="1")
    bench.join("b", board)
    for number in range(50):
        bench.events.publish(Committed(frozenset({f"public.t{number}"}), bench.clock.now()))
    assert bench.hub.step(0) == 1
    assert bench.hub.step(0) == 0
    assert board.passes == 2


def test_a_late_viewer_gets_what_is_known_at_once(bench: Bench) -> None:
    board = Board(one="1")
    bench.join("b", board)
    late = bench.hub.join("b", board, lambda: None)
    assert changed(late) == {"one": "1"}
    assert board.passes == 1


def test_a_slow_viewer_skips_and_never_queues(bench: Bench) -> None:
    board = Board(one="0")
    viewer = bench.join("b", board)
    for number in range(1, 100):
        board.shown = {"one": str(number)}
        bench.commit()
    assert changed(viewer) == {"one": "99"}
    assert viewer.take() is None


def test_nothing_runs_when_nobody_looks(bench: Bench) -> None:
    board = Board(one="1")
    viewer = bench.join("b", board)
    bench.hub.leave(viewer)
    bench.hub.leave(viewer)
    assert not bench.hub.is_listening
    assert bench.commit() == 0
    assert board.passes == 1
    bench.join("b", board)
    assert len(bench.started) == 2, "each time the first viewer comes, the loop is started"


def test_without_commits_a_pass_runs_now_and_then_since_spans_end_now(bench: Bench) -> None:
    board = Board(one="1")
    viewer = bench.join("b", board)
    viewer.take()
    bench.clock.advance(limits.CONSOLE_IDLE_PASS_MS / 1000 - 0.1)
    assert bench.hub.step(0) == 0
    bench.clock.advance(0.1)
    assert bench.hub.step(0) == 1
    push = viewer.take()
    assert push is not None
    assert push.delay_ms is None


def test_a_changed_file_is_shown_without_a_commit(bench: Bench) -> None:
    board, other = Board(one="1"), Board(one="1")
    viewer = bench.join("b", board)
    bench.join("c", other)
    viewer.take()
    board.version, board.shown = 1, {"one": "2"}
    assert bench.hub.step(0) == 1
    assert changed(viewer) == {"one": "2"}
    assert other.passes == 1


def test_a_part_that_went_away_is_told(bench: Bench) -> None:
    board = Board(error="broken")
    viewer = bench.join("b", board)
    viewer.take()
    board.shown = {"spec": "ok"}
    bench.commit()
    assert changed(viewer) == {"error": None, "spec": "ok"}


def test_a_fault_of_ours_is_shown_logged_and_stops_no_other_feed(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    broken, good = Board(one="1"), Board(one="1")
    viewer, other = bench.join("b", broken), bench.join("c", good)
    viewer.take(), other.take()
    broken.fails = True
    good.shown = {"one": "2"}
    bench.commit()
    error = changed(viewer)["error"]
    assert isinstance(error, dict)
    assert error["sqlstate"] == "XX000"
    assert changed(other) == {"one": "2"}
    assert "ZeroDivisionError" in caplog.text


def test_there_is_a_bound_on_viewers(bench: Bench) -> None:
    board = Board(one="1")
    for _ in range(limits.CONSOLE_VIEWERS_MAX):
        bench.hub.join("b", board, lambda: None)
    with pytest.raises(Conflict) as caught:
        bench.hub.join("b", board, lambda: None)
    assert caught.value.sqlstate == "53300"


def test_closing_tells_all_viewers_and_lets_nobody_in(bench: Bench) -> None:
    rung: list[str] = []
    bench.join("b", Board(one="1"))
    viewer = bench.hub.join("b", Board(one="1"), lambda: rung.append("bell"))
    rung.clear()
    bench.hub.close()
    bench.hub.close()
    assert viewer.is_closed
    assert rung
    assert not bench.hub.is_listening
    with pytest.raises(Conflict):
        bench.hub.join("b", Board(one="1"), lambda: None)


def test_passes_of_one_moment_share_answers_and_the_next_moment_asks_again() -> None:
    from tests.console.fake_warehouse import FakeWarehouse

    from nearshift.console.answers import Answers
    from nearshift.console.queries import Query
    from nearshift.console.reader import Reader

    warehouse = FakeWarehouse(10)
    answers = Answers(Reader(warehouse))
    query = Query("SELECT count(*) FROM customer_transaction_fact")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert [answers.grid(Moment(1, now), query).rows() for _ in range(3)] == [[(10,)]] * 3
    assert warehouse.asked.count(query.text) == 1
    answers.grid(Moment(2, now), query)
    assert warehouse.asked.count(query.text) == 2
    warehouse.close()
