"""What a running warehouse writes down by itself, and its system views show: calls, statements, schedules and the pace of streams."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from nearshift.streams.memory import MemoryStream
from nearshift.warehouse import Schedule, Warehouse


def eventually(look: Callable[[], bool]) -> None:
    """Return when `look` says so, within 20 seconds."""
    pause = threading.Event()
    for _try in range(2000):
        if look():
            return
        pause.wait(0.01)
    pytest.fail("it did not happen")


def rows(warehouse: Warehouse, text: str) -> list[tuple[Any, ...]]:
    session = warehouse.session()
    try:
        found: list[tuple[Any, ...]] = []
        for result in session.execute_script(text):
            found = result.rows()
        return found
    finally:
        session.close()


def test_views_show_what_was_written_down() -> None:
    stream = MemoryStream("s", shards=1)
    with Warehouse.open(sources=lambda _schema, _name: stream.source(), threads=1) as warehouse:
        rows(warehouse, "CREATE PROCEDURE greet() AS $$ BEGIN NULL; END $$ LANGUAGE plpgsql")
        rows(warehouse, "CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default")
        rows(warehouse, "CREATE MATERIALIZED VIEW v AS SELECT kinesis_data FROM kds.s")
        stream.put(b"x", "k")
        warehouse.set_schedules((Schedule("often", "rate(1 second)", "REFRESH MATERIALIZED VIEW v"),))
        warehouse.start()
        rows(warehouse, "CALL greet()")
        calls = "SELECT trim(query_text), trim(status) FROM sys_procedure_call"
        eventually(lambda: rows(warehouse, calls) == [("CALL greet()", "success")])
        schedules = "SELECT name, expression, statement FROM sys_nearshift_schedule"
        assert rows(warehouse, schedules) == [("often", "rate(1 second)", "REFRESH MATERIALIZED VIEW v")]
        runs = "SELECT DISTINCT name, status FROM sys_nearshift_schedule_run"
        eventually(lambda: rows(warehouse, runs) == [("often", "success")])
        taken_in = "SELECT stream_name, sum(records), sum(bytes) FROM sys_nearshift_metric GROUP BY stream_name"
        eventually(lambda: rows(warehouse, taken_in) == [("s", 1, 1)])
