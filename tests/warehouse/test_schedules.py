"""When scheduled statements are due, and what the scheduler does with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nearshift.errors import ConfigurationError
from nearshift.schedule import Every, OnRefresh, next_run, parse_schedule
from nearshift.streams.memory import Fault, MemoryStream
from nearshift.warehouse import Schedule, Warehouse

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(10 seconds)", 10), ("RATE( 2 hours )", 7200), ("rate(1 day)", 86_400)],
)
def test_rates(text: str, seconds: int) -> None:
    pattern = parse_schedule(text)
    assert pattern == Every(seconds)
    assert next_run(pattern, None, NOON) == NOON
    assert next_run(pattern, NOON, NOON) == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("cron(0 10 * * ? *)", datetime(2026, 3, 5, 10, 0, tzinfo=UTC)),
        ("cron(15 12 * * ? *)", datetime(2026, 3, 4, 12, 15, tzinfo=UTC)),
        ("cron(0 18 ? * MON-FRI *)", datetime(2026, 3, 4, 18, 0, tzinfo=UTC)),
        ("cron(0 8 1 * ? *)", datetime(2026, 4, 1, 8, 0, tzinfo=UTC)),
        ("cron(0/15 * * * ? *)", datetime(2026, 3, 4, 12, 15, tzinfo=UTC)),
        ("cron(0 9 ? * 1 *)", datetime(2026, 3, 8, 9, 0, tzinfo=UTC)),
        ("cron(0 9 ? * 7 *)", datetime(2026, 3, 7, 9, 0, tzinfo=UTC)),
        ("cron(0 9 ? * 2-6 *)", datetime(2026, 3, 5, 9, 0, tzinfo=UTC)),
        ("cron(0 0 1 1 ? 2028)", datetime(2028, 1, 1, 0, 0, tzinfo=UTC)),
        ("cron(0 0 1 1 ? 2020)", None),
    ],
)
def test_cron_expressions_mean_what_eventbridge_says(text: str, due: datetime | None) -> None:
    assert next_run(parse_schedule(text), NOON, NOON) == due


def test_on_refresh() -> None:
    assert parse_schedule("on refresh of my_view") == OnRefresh("public", "my_view")
    assert parse_schedule('ON REFRESH OF sales."v"') == OnRefresh("sales", "v")
    assert next_run(OnRefresh("public", "v"), None, NOON) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "every minute",
        "rate(0 minutes)", "rate(-1 minute)", "rate(1 week)", "cron(* * * * *)", "cron(0 10 * * * *)", "cron(0 10 ? * ? *)",
        "cron(99 10 * * ? *)", "cron(0 10 * * ? x)", "on refresh of", "on refresh of a.b.c",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused_with_right_ones(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not valid") as caught:
        parse_schedule(text)
    assert "rate(5 minutes)" in (caught.value.hint or "")


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


def test_what_happens_by_itself() -> None:
    stream = MemoryStream("s", shards=2)
    with Warehouse.open(sources=lambda _schema, _name: stream.source(), threads=1) as warehouse:
        rows(warehouse, "CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default; CREATE TABLE log (word varchar(20))")
        rows(warehouse, "CREATE MATERIALIZED VIEW v AUTO REFRESH YES AS SELECT json_parse(kinesis_data) AS p FROM kds.s")
        rows(warehouse, "CREATE MATERIALIZED VIEW w AS SELECT p.n::int AS n FROM v")
        rows(warehouse, "CREATE TABLE base (n int); CREATE MATERIALIZED VIEW m AUTO REFRESH YES AS SELECT n FROM base")
        warehouse.set_schedules(
            (
                Schedule("follow", "on refresh of v", "REFRESH MATERIALIZED VIEW w"),
                Schedule("often", "rate(1 second)", "INSERT INTO log VALUES ('often')"),
                Schedule("wrong", "rate(1 hour)", "INSERT INTO nothing VALUES (1)"),
            )
        )
        warehouse.start()
        for i in range(50):
            stream.put(b'{"n": %d}' % i, str(i))
        rows(warehouse, "INSERT INTO base VALUES (1)")
        eventually(lambda: rows(warehouse, "SELECT count(*) FROM v") == [(50,)])
        eventually(lambda: rows(warehouse, "SELECT count(*) FROM w") == [(50,)])
        eventually(lambda: rows(warehouse, "SELECT count(*) FROM m") == [(1,)])
        eventually(lambda: rows(warehouse, "SELECT count(*) >= 1 FROM log") == [(True,)])
        runs = "SELECT status, error_message FROM sys_nearshift_schedule_run WHERE name = 'wrong'"
        eventually(lambda: rows(warehouse, runs) == [("failed", 'relation "nothing" does not exist')])
        stream.put(b"no json", "k")
        eventually(lambda: rows(warehouse, "SELECT reason FROM sys_nearshift_quarantine") == [("JSON parsing error",)])
        eventually(lambda: rows(warehouse, "SELECT count(*) > 0 FROM sys_query_history WHERE status = 'failed'") == [(True,)])
        assert rows(warehouse, "SELECT DISTINCT trim(refresh_type) FROM sys_mv_refresh_history WHERE mv_name = 'v'") == [("Auto",)]
        rows(warehouse, "ALTER MATERIALIZED VIEW v AUTO REFRESH NO")
        warehouse.set_schedules(())
        assert rows(warehouse, "SELECT count(*) FROM sys_nearshift_schedule") == [(0,)]
        with pytest.raises(ConfigurationError):
            warehouse.set_schedules((Schedule("bad", "sometimes", "SELECT 1"),))


def test_a_failing_stream_is_noted_and_tried_again() -> None:
    stream = MemoryStream("s")
    with Warehouse.open(sources=lambda _schema, _name: stream.source(), threads=1) as warehouse:
        rows(warehouse, "CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default")
        rows(warehouse, "CREATE MATERIALIZED VIEW v AUTO REFRESH YES AS SELECT json_parse(kinesis_data) AS p FROM kds.s")
        stream.put(b"{}", "k")
        stream.inject(Fault.FAIL, times=3)
        warehouse.start()
        eventually(lambda: rows(warehouse, "SELECT count(*) FROM v") == [(1,)])
        failures = "SELECT status, reason FROM sys_nearshift_refresh WHERE status LIKE 'Refresh failed%'"
        (status, reason), *_more = rows(warehouse, failures)
        assert status == "Refresh failed due to an internal error"
        assert "could not be read" in reason
