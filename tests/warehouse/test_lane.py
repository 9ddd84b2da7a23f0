"""Writers take turns, readers never wait; blocks left idle are ended; waits and statements can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nearshift import limits
from nearshift.errors import Cancelled, Conflict, NearshiftError
from nearshift.results import TransactionStatus
from nearshift.session import Session
from nearshift.warehouse import Warehouse


def in_thread(act: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start `act` in a thread; what it returns or raises comes into the list."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(act())
        except NearshiftError as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


def waits_for_the_lane(warehouse: Warehouse) -> None:
    """Return once somebody stands in the queue of the lane."""
    lane = warehouse._house.engine.lane
    pause = threading.Event()
    for _look in range(2000):
        if lane._queue:
            return
        pause.wait(0.005)
    pytest.fail("nobody waits for the lane")


@pytest.fixture
def two(place: Any) -> tuple[Session, Session]:
    place.rows("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 0)")
    return place.warehouse.session(), place.warehouse.session()


def test_the_second_writer_waits_and_then_sees_what_the_first_did(place: Any, two: tuple[Session, Session]) -> None:
    first, second = two
    place.rows("BEGIN; UPDATE t SET b = b + 1", first)
    thread, found = in_thread(lambda: place.rows("UPDATE t SET b = b + 10", second))
    waits_for_the_lane(place.warehouse)
    assert place.rows("SELECT b FROM t") == [(0,)], "readers do not wait"
    place.rows("COMMIT", first)
    thread.join(20)
    assert found == [[]]
    assert place.rows("SELECT b FROM t") == [(11,)]


def test_a_block_that_read_before_another_wrote_fails_to_write_the_same_rows(place: Any, two: tuple[Session, Session]) -> None:
    first, second = two
    place.rows("BEGIN; SELECT b FROM t", first)
    place.rows("UPDATE t SET b = 5", second)
    with pytest.raises(Conflict, match="serializable isolation violation") as caught:
        place.rows("UPDATE t SET b = 6", first)
    assert caught.value.sqlstate == "40001"
    assert first.status is TransactionStatus.FAILED
    place.rows("ROLLBACK", first)
    assert place.rows("SELECT b FROM t", first) == [(5,)]


def test_a_wait_for_the_lane_can_be_cancelled(place: Any, two: tuple[Session, Session]) -> None:
    first, second = two
    place.rows("BEGIN; INSERT INTO t VALUES (2, 2)", first)
    thread, found = in_thread(lambda: place.rows("INSERT INTO t VALUES (3, 3)", second))
    waits_for_the_lane(place.warehouse)
    second.interrupt()
    thread.join(20)
    assert isinstance(found[0], Cancelled)
    place.rows("COMMIT", first)
    assert place.rows("SELECT count(*) FROM t", second) == [(2,)], "the session goes on"


def test_a_wait_for_the_lane_ends_with_the_statement_timeout(place: Any, two: tuple[Session, Session]) -> None:
    first, second = two
    place.rows("BEGIN; INSERT INTO t VALUES (2, 2)", first)
    place.rows("SET statement_timeout TO 50", second)
    with pytest.raises(Cancelled, match="statement timeout") as caught:
        place.rows("INSERT INTO t VALUES (3, 3)", second)
    assert caught.value.sqlstate == "57014"


def test_a_statement_ends_with_its_timeout_and_the_next_runs(place: Any) -> None:
    session = place.warehouse.session()
    place.rows("CREATE TABLE wide AS SELECT 1 AS a", session)
    for _doubling in range(12):
        place.rows("INSERT INTO wide SELECT a FROM wide", session)
    place.rows("SET statement_timeout TO '100ms'", session)
    with pytest.raises(Cancelled, match="statement timeout"):
        place.rows("SELECT sum(x.a * y.a * z.a) FROM wide x, wide y, wide z", session)
    assert place.rows("SELECT count(*) FROM wide", session) == [(4096,)]


def test_a_loop_of_a_procedure_can_be_stopped(place: Any) -> None:
    session = place.warehouse.session()
    place.rows("CREATE PROCEDURE endless() AS $$ BEGIN LOOP NULL; END LOOP; END; $$ LANGUAGE plpgsql", session)
    place.rows("SET statement_timeout TO 100", session)
    with pytest.raises(Cancelled):
        place.rows("CALL endless()", session)
    assert place.rows("SELECT 1", session) == [(1,)]


def test_a_block_left_idle_with_the_lane_is_ended(place: Any, two: tuple[Session, Session]) -> None:
    first, second = two
    place.rows("BEGIN; INSERT INTO t VALUES (2, 2)", first)
    place.clock.advance(limits.IDLE_IN_TRANSACTION_SECONDS_MAX - 1)
    place.warehouse.scheduler._watch(threading.Event())
    assert place.rows("SELECT count(*) FROM t", first) == [(2,)]
    place.clock.advance(limits.IDLE_IN_TRANSACTION_SECONDS_MAX + 1)
    place.warehouse.scheduler._watch(threading.Event())
    place.rows("INSERT INTO t VALUES (3, 3)", second)
    assert first.status is TransactionStatus.FAILED
    with pytest.raises(Conflict, match="idle for too long") as caught:
        place.rows("INSERT INTO t VALUES (4, 4)", first)
    assert caught.value.sqlstate == "25P03"
    place.rows("ROLLBACK", first)
    assert place.rows("SELECT a FROM t ORDER BY a", first) == [(1,), (3,)]


def test_a_block_that_only_read_may_stay_unless_it_is_told_otherwise(place: Any, two: tuple[Session, Session]) -> None:
    first, second = two
    place.rows("BEGIN; SELECT count(*) FROM t", first)
    place.rows("SET idle_in_transaction_session_timeout TO '5s'; BEGIN; SELECT count(*) FROM t", second)
    place.clock.advance(3600)
    place.warehouse.scheduler._watch(threading.Event())
    assert first.status is TransactionStatus.OPEN
    assert second.status is TransactionStatus.FAILED


def test_a_result_that_is_still_read_ends_with_its_idle_block(place: Any, two: tuple[Session, Session]) -> None:
    session = two[0]
    place.rows("BEGIN; INSERT INTO t SELECT 1, 1 FROM t", session)
    result = next(session.execute_script("SELECT a FROM t"))
    place.clock.advance(limits.IDLE_IN_TRANSACTION_SECONDS_MAX + 1)
    place.warehouse.scheduler._watch(threading.Event())
    with pytest.raises(Conflict, match="idle for too long"):
        list(result.batches)


def test_a_read_only_session_writes_nothing(place: Any) -> None:
    place.rows("CREATE TABLE t (a int)")
    session = place.warehouse.session(is_read_only=True)
    assert place.rows("SELECT count(*) FROM t", session) == [(0,)]
    for text in ("INSERT INTO t VALUES (1)", "DROP TABLE t", "CREATE TABLE u (a int)", "TRUNCATE t", "CREATE TEMP TABLE x (a int)"):
        with pytest.raises(NearshiftError, match="read-only") as caught:
            place.rows(text, session)
        assert caught.value.sqlstate == "25006"


def test_read_only_blocks_write_nothing(place: Any) -> None:
    place.rows("CREATE TABLE t (a int)")
    session = place.warehouse.session()
    place.rows("BEGIN READ ONLY", session)
    with pytest.raises(NearshiftError, match="read-only"):
        place.rows("INSERT INTO t VALUES (1)", session)
    place.rows("ROLLBACK; INSERT INTO t VALUES (1)", session)
    assert place.rows("SELECT count(*) FROM t", session) == [(1,)]


def test_a_long_log_is_folded_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAL_BYTES_QUIET", 1000)
    with Warehouse.open(tmp_path / "w.duckdb", threads=1) as warehouse:
        session = warehouse.session()
        session.execute("CREATE TABLE t AS SELECT 1 AS a")
        engine = warehouse._house.engine
        assert engine.wal_bytes > 1000
        session.execute("BEGIN")
        session.execute("SELECT a FROM t").rows()
        assert not engine.flush_if_due(), "a transaction is open"
        session.execute("COMMIT")
        assert engine.flush_if_due()
        assert engine.wal_bytes == 0
        assert not engine.flush_if_due()


def test_a_log_that_is_too_long_holds_new_transactions_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAL_BYTES_QUIET", 10)
    monkeypatch.setattr(limits, "WAL_BYTES_MAX", 20)
    with Warehouse.open(tmp_path / "w.duckdb", threads=1) as warehouse:
        session = warehouse.session()
        session.execute("CREATE TABLE t AS SELECT 1 AS a")
        session.execute("BEGIN")
        session.execute("SELECT a FROM t").rows()
        thread, found = in_thread(warehouse._house.engine.flush_if_due)
        session.execute("COMMIT")
        thread.join(20)
        assert found == [True]
        assert session.execute("SELECT a FROM t").rows() == [(1,)]


def test_a_refresh_gives_way_to_one_that_has_the_lane(place: Any, two: tuple[Session, Session]) -> None:
    first, second = two
    stream = place.stream("s", shards=2)
    place.rows("CREATE EXTERNAL SCHEMA k FROM KINESIS IAM_ROLE default; CREATE MATERIALIZED VIEW v AS SELECT kinesis_data FROM k.s")
    for number in range(10):
        stream.put(b"x", str(number))
    place.rows("BEGIN; INSERT INTO t VALUES (2, 2)", first)
    thread, found = in_thread(lambda: place.rows("REFRESH MATERIALIZED VIEW v", second))
    waits_for_the_lane(place.warehouse)
    place.rows("REFRESH MATERIALIZED VIEW v", first)
    assert place.rows("SELECT count(*) FROM v", first) == [(10,)]
    stream.put(b"later", "k")
    place.rows("COMMIT", first)
    thread.join(20)
    assert found == [[]]
    assert place.rows("SELECT count(*) FROM v") == [(11,)]


def test_a_refresh_that_gave_way_to_one_that_is_undone_stores_all_itself(place: Any, two: tuple[Session, Session]) -> None:
    first, second = two
    stream = place.stream("s")
    place.rows("CREATE EXTERNAL SCHEMA k FROM KINESIS IAM_ROLE default; CREATE MATERIALIZED VIEW v AS SELECT kinesis_data FROM k.s")
    stream.put(b"x", "k")
    place.rows("BEGIN; INSERT INTO t VALUES (2, 2)", first)
    thread, _found = in_thread(lambda: place.rows("REFRESH MATERIALIZED VIEW v", second))
    waits_for_the_lane(place.warehouse)
    place.rows("REFRESH MATERIALIZED VIEW v", first)
    place.rows("ROLLBACK", first)
    thread.join(20)
    assert place.rows("SELECT count(*) FROM v") == [(1,)]
    assert place.rows("SELECT sum(read_rows) FROM sys_nearshift_ledger") == [(1,)]


def test_many_at_once(place: Any) -> None:
    stream = place.stream("s", shards=3)
    place.rows("CREATE TABLE t (a int); CREATE EXTERNAL SCHEMA k FROM KINESIS IAM_ROLE default")
    place.rows("CREATE MATERIALIZED VIEW v AUTO REFRESH YES AS SELECT sequence_number, kinesis_data FROM k.s")
    place.rows("CREATE MATERIALIZED VIEW w AS SELECT sequence_number FROM v")
    texts = [
        "REFRESH MATERIALIZED VIEW v", "REFRESH MATERIALIZED VIEW w CASCADE",
        "BEGIN; INSERT INTO t VALUES (1); REFRESH MATERIALIZED VIEW v; COMMIT",
        "BEGIN; REFRESH MATERIALIZED VIEW w; INSERT INTO t VALUES (1); ROLLBACK", "INSERT INTO t VALUES (1)", "SELECT count(*) FROM w",
        "BEGIN; INSERT INTO t VALUES (1); REFRESH MATERIALIZED VIEW w CASCADE; COMMIT",
    ]  # fmt: skip
    place.warehouse.start()

    def repeat(text: str) -> str:
        for number in range(8):
            stream.put(b"x", str(number))
            place.rows(text)
        return text

    running = [in_thread(partial(repeat, text)) for text in texts]
    for thread, _found in running:
        thread.join(60)
    assert [found for _thread, found in running] == [[text] for text in texts]
    place.rows("REFRESH MATERIALIZED VIEW v")
    place.rows("REFRESH MATERIALIZED VIEW w")
    count = 8 * len(texts)
    assert place.rows("SELECT count(*), count(DISTINCT sequence_number) FROM w") == [(count, count)]
    assert place.rows("SELECT count(*) FROM t") == [(24,)]
    assert place.rows("SELECT sum(read_rows), bool_and(is_balanced) FROM sys_nearshift_ledger") == [(count, True)]
