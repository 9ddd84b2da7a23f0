"""`strict`: a record on which the view's SELECT fails makes the refresh fail and moves nothing, as on Redshift."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearshift.clock import ManualClock
from nearshift.errors import NearshiftError
from nearshift.streams.memory import MemoryStream
from nearshift.views import refresh
from nearshift.warehouse import Warehouse

SQL = """
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW v AS SELECT from_varbyte(kinesis_data, 'utf-8')::int AS n FROM kds.events;
"""
HISTORY = "SELECT refresh_type, trim(status), row_count FROM sys_nearshift_refresh ORDER BY start_time, end_time"
FAILED = ("Manual", "Refresh failed due to an internal error", 0)


class House:
    """A file that can be opened strictly or not, and a stream that outlives it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.clock = ManualClock()
        self.stream = MemoryStream("events", clock=self.clock)
        self.open(strict=True)
        self.run(SQL)

    def open(self, *, strict: bool) -> None:
        self.warehouse = Warehouse.open(self.file, clock=self.clock, sources=lambda _schema, _name: self.stream.source(), strict=strict)
        self.session = self.warehouse.session()

    def run(self, text: str) -> list[tuple[Any, ...]]:
        self.clock.advance(1)
        rows: list[tuple[Any, ...]] = []
        for result in self.session.execute_script(text):
            rows = result.rows()
        return rows

    def facts(self) -> list[list[tuple[Any, ...]]]:
        """Return all that a refresh moves, save the history."""
        tables = ("v", "sys_nearshift_checkpoint", "sys_nearshift_ledger", "sys_nearshift_quarantine", "sys_stream_scan_states")
        return [self.run(f"SELECT * FROM {table} ORDER BY 1") for table in tables]

    def close(self) -> None:
        self.session.close()
        self.warehouse.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path / "w.duckdb")
    found.stream.put(b"1")
    found.run("REFRESH MATERIALIZED VIEW v")
    found.stream.put(b"2")
    found.stream.put(b"two")
    yield found
    found.close()


def test_a_refresh_fails_and_nothing_moves(house: House) -> None:
    before = house.facts()
    for _ in range(2):
        with pytest.raises(NearshiftError, match="two") as caught:
            house.run("REFRESH MATERIALIZED VIEW v")
        assert caught.value.sqlstate.startswith("22")
    assert house.facts() == before
    assert house.run(HISTORY)[1:] == [FAILED, FAILED]
    (reason,) = house.run("SELECT DISTINCT reason FROM sys_nearshift_refresh WHERE reason IS NOT NULL")
    assert "two" in reason[0]


def test_a_refresh_in_a_block_fails_the_block_and_is_noted_when_it_ends(house: House) -> None:
    house.run("CREATE TABLE t (n int)")
    before = house.facts()
    house.run("BEGIN")
    house.run("INSERT INTO t VALUES (1)")
    with pytest.raises(NearshiftError, match="two"):
        house.run("REFRESH MATERIALIZED VIEW v")
    house.run("ROLLBACK")
    assert house.run("SELECT count(*) FROM t") == [(0,)]
    assert house.facts() == before
    assert house.run(HISTORY)[1:] == [FAILED]


def test_a_refresh_in_a_procedure_fails_the_procedure(house: House) -> None:
    house.run("CREATE PROCEDURE p() AS $$ BEGIN REFRESH MATERIALIZED VIEW v; END; $$ LANGUAGE plpgsql")
    before = house.facts()
    with pytest.raises(NearshiftError, match="two"):
        house.run("CALL p()")
    assert house.facts() == before
    assert house.run(HISTORY)[1:] == [FAILED]


def test_auto_refresh_notes_the_failure_and_moves_nothing(house: House) -> None:
    before = house.facts()
    events = house.warehouse.events.subscribe()
    house.run("ALTER MATERIALIZED VIEW v AUTO REFRESH YES")
    house.warehouse.start()
    for _ in range(20):
        event = events.next(10.0)
        assert event is not None
        if "public.v" in event.relations:
            break
    assert ("Auto", "Refresh failed due to an internal error", 0) in house.run(HISTORY)
    assert house.facts() == before


def test_a_record_that_is_too_large_is_still_skipped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "RECORD_BYTES_MAX", 2)
    house.run("REFRESH MATERIALIZED VIEW v")
    assert house.run("SELECT n FROM v ORDER BY n") == [(1,), (2,)]
    assert house.run("SELECT read_rows, stored_rows, skipped_rows, is_balanced FROM sys_nearshift_ledger") == [(3, 2, 1, True)]


def test_without_it_the_same_file_goes_on(house: House) -> None:
    with pytest.raises(NearshiftError, match="two"):
        house.run("REFRESH MATERIALIZED VIEW v")
    house.close()
    house.open(strict=False)
    house.run("REFRESH MATERIALIZED VIEW v")
    assert house.run("SELECT n FROM v ORDER BY n") == [(1,), (2,)]
    assert house.run("SELECT read_rows, stored_rows, quarantined_rows, is_balanced FROM sys_nearshift_ledger") == [(3, 2, 1, True)]
