"""Portals: limits of rows, suspension, and what becomes of the rest when another statement comes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from nearshift import limits, types
from nearshift.errors import NearshiftError
from nearshift.results import Result
from nearshift.sql.relations import Column
from nearshift.wire.messages import Bind, Close, Execute, Parse, Query, Sync
from nearshift.wire.portals import Rows

Replies = list[tuple[str, bytes]]
COLUMNS = (Column("n", types.BIGINT),)


def kinds(replies: Replies) -> str:
    return "".join(kind for kind, _ in replies)


def numbers(replies: Replies) -> list[int]:
    return [int(body[6:]) for kind, body in replies if kind == "D"]


def tags(replies: Replies) -> list[bytes]:
    return [body[:-1] for kind, body in replies if kind == "C"]


def open_portal(talk: Any, name: str, rows: int) -> Replies:
    found: Replies = talk.say(Parse("", f"select i from range({rows}) t(i)"), Bind(name, ""))
    return found


def test_a_portal_goes_on_where_it_was_suspended(talk: Any) -> None:
    replies = talk.say(
        Parse("", "select i from range(5) t(i)"), Bind("p", ""), Execute("p", 2), Execute("p", 2), Execute("p", 2), Execute("p"), Sync()
    )
    assert kinds(replies) == "12DDsDDsDCCZ"
    assert numbers(replies) == [0, 1, 2, 3, 4]
    assert tags(replies) == [b"SELECT 1", b"SELECT 0"]


def test_a_limit_reached_with_the_last_row_suspends_as_in_postgresql(talk: Any) -> None:
    replies = talk.say(Parse("", "select i from range(2) t(i)"), Bind("", ""), Execute("", 2), Execute("", 2), Sync())
    assert kinds(replies) == "12DDsCZ"


def test_another_statement_may_come_between(talk: Any, gate: Any) -> None:
    talk.say(Query("begin"))
    rows = 3 * limits.RESULT_BATCH_ROWS
    first = talk.say(Parse("", f"select i from range({rows}) t(i)"), Bind("p", ""), Execute("p", 3), Sync())
    assert numbers(first) == [0, 1, 2]
    assert gate.open_results == 1
    assert numbers(talk.say(Query("select 7"))) == [7]
    assert gate.open_results == 0
    second = talk.say(Parse("", "select i from range(3) t(i)"), Bind("q", ""), Execute("q", 1), Execute("p", 2), Execute("q"), Sync())
    assert numbers(second) == [0, 3, 4, 1, 2]
    assert numbers(talk.say(Execute("p"), Sync())) == list(range(5, rows))


def test_portals_end_with_the_batch_outside_a_transaction(talk: Any, gate: Any) -> None:
    talk.say(Parse("", "select i from range(100000) t(i)"), Bind("p", ""), Execute("p", 1), Sync())
    assert gate.open_results == 0
    replies = talk.say(Execute("p"), Sync())
    assert kinds(replies) == "EZ"
    assert b"C34000\0" in replies[0][1]


def test_portals_end_with_an_error_and_when_they_are_closed(talk: Any, gate: Any) -> None:
    talk.say(Query("begin"))
    talk.say(Parse("", "select i from range(100000) t(i)"), Bind("p", ""), Execute("p", 1), Close("P", "p"), Sync())
    assert gate.open_results == 0
    talk.say(Parse("", "select i from range(100000) t(i)"), Bind("p", ""), Execute("p", 1), Execute("ghost"), Sync())
    assert gate.open_results == 0
    assert kinds(talk.say(Execute("p"), Sync())) == "EZ"


def test_a_connection_that_ends_gives_back_its_results(talk: Any, gate: Any) -> None:
    talk.say(Query("begin"))
    talk.say(Parse("", "select i from range(100000) t(i)"), Bind("p", ""), Execute("p", 1), Sync())
    talk.conversation.close()
    talk.conversation.close()
    assert gate.open_results == 0
    assert gate.closed == gate.opened


def test_statements_and_portals_are_bounded(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WIRE_STATEMENTS_MAX", 2)
    monkeypatch.setattr(limits, "WIRE_PORTALS_MAX", 2)
    assert kinds(talk.say(*(Parse(name, "select 1") for name in "abc"), Sync())) == "11EZ"
    assert kinds(talk.say(Bind("x", "a"), Bind("y", "a"), Bind("z", "a"), Sync())) == "22EZ"


def batches(count: int, rows: int, failure: NearshiftError | None = None) -> Iterator[pa.RecordBatch]:
    for index in range(count):
        yield pa.RecordBatch.from_arrays([pa.array(range(index * rows, (index + 1) * rows), pa.int64())], ["n"])
    if failure is not None:
        raise failure


def read(rows: Rows, rows_max: int = 0) -> list[int]:
    return [value for batch in rows.take(rows_max) for value in batch.column(0).to_pylist()]


@pytest.mark.parametrize("memory", [10**9, 0, 2000])
@pytest.mark.parametrize("taken", [0, 1, 100, 101, 250])
def test_parked_rows_come_out_in_order_from_memory_and_from_a_file(monkeypatch: pytest.MonkeyPatch, memory: int, taken: int) -> None:
    monkeypatch.setattr(limits, "PORTAL_MEMORY_BYTES_MAX", memory)
    rows = Rows(Result("SELECT", COLUMNS, batches(7, 100)))
    found = read(rows, taken) if taken else []
    rows.park()
    rows.park()
    found += read(rows, 50) + read(rows)
    assert found == list(range(700))
    assert read(rows) == []
    rows.close()


def test_a_rest_too_large_to_be_kept_fails_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PORTAL_MEMORY_BYTES_MAX", 1000)
    monkeypatch.setattr(limits, "PORTAL_FILE_BYTES_MAX", 3000)
    rows = Rows(Result("SELECT", COLUMNS, batches(20, 100)))
    rows.park()
    with pytest.raises(NearshiftError, match="too many to be kept") as caught:
        read(rows)
    assert caught.value.sqlstate == "53400"
    rows.close()


@pytest.mark.parametrize("memory", [10**9, 0])
def test_an_error_met_while_parking_comes_after_the_rows_before_it(monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    monkeypatch.setattr(limits, "PORTAL_MEMORY_BYTES_MAX", memory)
    rows = Rows(Result("SELECT", COLUMNS, batches(2, 10, NearshiftError("broken half way", sqlstate="22012"))))
    rows.park()
    assert read(rows, 15) == list(range(15))
    with pytest.raises(NearshiftError, match="broken half way"):
        read(rows)


def test_the_tag_of_a_limited_execute_counts_its_own_rows(talk: Any) -> None:
    replies = talk.say(Parse("", "select i from range(10) t(i)"), Bind("", "", (), (), (1,)), Execute("", 4), Execute("", 0), Sync())
    assert tags(replies) == [b"SELECT 6"]
    assert [struct.unpack("!q", body[6:])[0] for kind, body in replies if kind == "D"] == list(range(10))
