"""The command line's own client against the real server, over a gate with scripted answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import pyarrow as pa
import pytest

from nearshift.access.passwords import Credential
from nearshift.cli.client import WireConnection
from nearshift.errors import InvalidSql, NearshiftError, PermissionDenied, Span, TargetError
from nearshift.results import Notice, Prepared, Result, Severity, TransactionStatus
from nearshift.sql.relations import Column
from nearshift.types import BOOLEAN, INTEGER, VARCHAR, SqlType, decimal
from nearshift.wire.server import WireServer


class ScriptedSession:
    """Answers `rows`, `notice`, `error` and anything else with a tag."""

    def __init__(self) -> None:
        self.status = TransactionStatus.IDLE
        self.on_notice: Callable[[Notice], None] = lambda _notice: None
        self.on_terminated: Callable[[], None] = lambda: None

    def parameter_status(self) -> dict[str, str]:
        return {"server_version": "8.0.2", "client_encoding": "UTF8"}

    def execute_script(self, text: str) -> Iterator[Result]:
        if "error" in text:
            raise InvalidSql("column does not exist", sqlstate="42703", span=Span(7, 12), detail="D.", hint="H.")
        if "notice" in text:
            self.on_notice(Notice(Severity.INFO, "Materialized view v was updated."))
        if "rows" not in text:
            yield Result("CREATE TABLE")
            return
        columns = (Column("n", INTEGER), Column("d", decimal(38, 2)), Column("t", VARCHAR), Column("b", BOOLEAN))
        amounts = pa.array([Decimal("1.50"), None], pa.decimal128(38, 2))
        arrays = [pa.array([1, None], pa.int32()), amounts, pa.array(["é\n", None]), pa.array([True, None])]
        yield Result("SELECT", columns, iter([pa.RecordBatch.from_arrays(arrays, names=["n", "d", "t", "b"])]), 2)

    def prepare(self, text: str, parameter_types: Sequence[SqlType | None]) -> Prepared:
        raise NotImplementedError

    def run(self, prepared: Prepared, values: Sequence[object]) -> Result:
        raise NotImplementedError

    def run_in_batch(self, prepared: Prepared, values: Sequence[object]) -> Result:
        raise NotImplementedError

    def sync(self, *, is_commit: bool) -> None: ...

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


class ScriptedGate:
    def __init__(self, password: str | None = None) -> None:
        self.credential = Credential.of_password("dev", password) if password else None

    def password_of(self, user: str) -> Credential | None:
        return self.credential

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> ScriptedSession:
        return ScriptedSession()


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer(ScriptedGate(), port=0) as running:
        yield running


def test_rows_come_as_python_values(server: WireServer) -> None:
    connection = WireConnection("127.0.0.1", server.port, "dev", "dev")
    answer = connection.run("rows")
    assert answer.columns == ("n", "d", "t", "b")
    assert answer.rows == [(1, Decimal("1.50"), "é\n", True), (None, None, None, None)]
    assert answer.tag == "SELECT 2"
    assert connection.run("other").tag == "CREATE TABLE"
    connection.close()
    connection.close()


def test_errors_keep_their_parts_and_the_connection_goes_on(server: WireServer) -> None:
    connection = WireConnection("127.0.0.1", server.port, "dev", "dev")
    with pytest.raises(NearshiftError) as caught:
        connection.run("error")
    error = caught.value
    assert (error.message, error.sqlstate, error.detail, error.hint) == ("column does not exist", "42703", "D.", "H.")
    assert error.span is not None
    assert error.span.start == 7
    assert connection.run("notice").notices[0].message == "Materialized view v was updated."
    connection.close()


def test_a_password_is_asked_for_and_proved() -> None:
    with WireServer(ScriptedGate("secret"), port=0) as server:
        WireConnection("127.0.0.1", server.port, "dev", "dev", "secret").close()
        with pytest.raises(NearshiftError, match="password authentication failed"):
            WireConnection("127.0.0.1", server.port, "dev", "dev", "wrong")
        with pytest.raises(PermissionDenied, match="asks for the password"):
            WireConnection("127.0.0.1", server.port, "dev", "dev")


def test_nobody_there_is_a_clear_error(server: WireServer) -> None:
    port = server.port
    server.stop()
    with pytest.raises(TargetError, match="could not connect"):
        WireConnection("127.0.0.1", port, "dev", "dev")


def test_a_server_that_stops_is_a_clear_error(server: WireServer) -> None:
    connection = WireConnection("127.0.0.1", server.port, "dev", "dev")
    server.stop()
    with pytest.raises(NearshiftError):
        connection.run("rows")
    connection.close()
