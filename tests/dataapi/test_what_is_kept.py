"""What the Data API keeps and for how long, on a clock that tests move."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.dataapi.conftest import ApiGate

from nearshift import limits
from nearshift.clock import ManualClock
from nearshift.dataapi.failures import ApiFailure
from nearshift.dataapi.service import DataApi
from nearshift.warehouse import Warehouse

DEV = {"WorkgroupName": "abc", "Database": "dev"}


class Timed:
    """A Data API without HTTP."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.warehouse = Warehouse.open(None, threads=1)
        self.api = DataApi(ApiGate(self.warehouse), self.clock)

    def ask(self, operation: str, **members: Any) -> dict[str, Any]:
        return self.api.answer(operation, json.dumps(members).encode())

    def run(self, sql: str, **more: Any) -> dict[str, Any]:
        place = {} if "SessionId" in more else DEV
        return self.ask("ExecuteStatement", Sql=sql, WaitTimeSeconds=10, **place, **more)

    def refusal(self, operation: str, **members: Any) -> str:
        with pytest.raises(ApiFailure) as caught:
            self.ask(operation, **members)
        return caught.value.kind


@pytest.fixture
def timed() -> Iterator[Timed]:
    found = Timed()
    yield found
    found.api.close()
    found.warehouse.close()


def test_statements_and_results_go_after_a_day(timed: Timed) -> None:
    large = timed.run("SELECT repeat('x', 60000)")["Id"]
    timed.clock.advance(timedelta(hours=23).total_seconds())
    assert timed.ask("GetStatementResult", Id=large)["TotalNumRows"] == 1
    timed.clock.advance(timedelta(hours=2).total_seconds())
    assert timed.refusal("GetStatementResult", Id=large) == "ResourceNotFoundException"
    assert timed.ask("ListStatements")["Statements"] == []


def test_a_token_is_free_again_after_eight_hours(timed: Timed) -> None:
    first = timed.run("SELECT 1", ClientToken="t")["Id"]
    assert timed.run("SELECT 1", ClientToken="t")["Id"] == first
    timed.clock.advance(8 * 3600 + 1)
    assert timed.run("SELECT 2", ClientToken="t")["Id"] != first


def test_an_idle_session_ends_and_rolls_back(timed: Timed) -> None:
    timed.run("CREATE TABLE t (n int)")
    kept = timed.run("BEGIN", SessionKeepAliveSeconds=30)["SessionId"]
    timed.run("INSERT INTO t VALUES (1)", SessionId=kept)
    timed.clock.advance(29)
    assert timed.run("SELECT n FROM t", SessionId=kept)["Status"] == "FINISHED"
    timed.clock.advance(31)
    assert timed.refusal("ExecuteStatement", Sql="SELECT 1", SessionId=kept) == "ResourceNotFoundException"
    identifier = timed.run("SELECT count(*) FROM t")["Id"]
    assert bytes(timed.ask("GetStatementResult", Id=identifier)["Records"]) == b'[[{"longValue":0}]]'


def test_there_are_limits(timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DATA_API_SESSIONS_MAX", 1)
    timed.run("SELECT 1", SessionKeepAliveSeconds=30)
    asked = {"Sql": "SELECT 1", "SessionKeepAliveSeconds": 30, **DEV}
    assert timed.refusal("ExecuteStatement", **asked) == "ActiveSessionsExceededException"
    monkeypatch.setattr(limits, "DATA_API_RESULT_BYTES_MAX", 100)
    found = timed.ask("DescribeStatement", Id=timed.run("SELECT repeat('x', 200)")["Id"])
    assert (found["Status"], "larger than 500 MB" in found["Error"]) == ("FAILED", True)
    monkeypatch.setattr(limits, "DATA_API_ACTIVE_MAX", 0)
    assert timed.refusal("ExecuteStatement", Sql="SELECT 1", **DEV) == "ActiveStatementsExceededException"


def test_the_oldest_are_forgotten_when_there_are_too_many(timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DATA_API_STATEMENTS_KEPT_MAX", 3)
    for number in range(5):
        timed.run(f"SELECT {number}")
    assert [one["QueryString"] for one in timed.ask("ListStatements")["Statements"]] == ["SELECT 4", "SELECT 3", "SELECT 2"]
