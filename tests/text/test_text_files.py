"""Every text test, in process and by a real client over the wire, in the simple and the extended protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.adapt import Loader

from nearshift.errors import NearshiftError, Span
from nearshift.testing.text_drivers import Answer, Client, Driver, InProcess
from nearshift.testing.text_records import LETTERS
from nearshift.testing.text_tests import run_file
from nearshift.types import SqlType
from nearshift.warehouse import Warehouse
from nearshift.wire import Credential, WireServer

HERE = Path(__file__).parent
FILES = sorted(HERE.rglob("*.test"))
OID_LETTERS = {SqlType(kind).oid: letter for kind, letter in LETTERS.items()}


class AsText(Loader):
    """Gives values as the server wrote them."""

    def load(self, data: Any) -> str:
        return bytes(data).decode()


class PsycopgClient:
    def __init__(self, port: int, *, is_extended: bool) -> None:
        self._is_extended = is_extended
        self._notices: list[str] = []
        self._connection = psycopg.connect(host="127.0.0.1", port=port, user="dev", dbname="dev", autocommit=True, connect_timeout=20)
        self._connection.add_notice_handler(lambda d: self._notices.append(f"{d.severity_nonlocalized or d.severity}: {d.message_primary}"))
        for oid in OID_LETTERS:
            self._connection.adapters.register_loader(oid, AsText)

    def run(self, text: str) -> Answer:
        self._notices.clear()
        answer = Answer()
        try:
            cursor = self._connection.execute(text.encode(), prepare=True if self._is_extended else None)
            while True:
                if cursor.description is not None:
                    answer.types = "".join(OID_LETTERS[column.type_code] for column in cursor.description)
                    answer.rows = cursor.fetchall()
                if not cursor.nextset():
                    break
        except psycopg.Error as error:
            d = error.diag
            at = int(d.statement_position) - 1 if d.statement_position else None
            raise NearshiftError(
                d.message_primary or str(error), sqlstate=d.sqlstate, span=None if at is None else Span(at, at + 1),
                detail=d.message_detail, hint=d.message_hint, context=d.context,
            ) from error  # fmt: skip
        answer.notices = list(self._notices)
        return answer

    def close(self) -> None:
        self._connection.close()


class _Gate:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def password_of(self, user: str) -> Credential | None:
        return None

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> Any:
        return self._warehouse.session(user, database, options=options)


class OverTheWire:
    def __init__(self, name: str) -> None:
        self.name = name
        self._server: WireServer | None = None

    def attach(self, warehouse: Warehouse) -> None:
        self._server = WireServer(_Gate(warehouse), port=0)
        self._server.start()

    def client(self) -> Client:
        assert self._server is not None
        return PsycopgClient(self._server.port, is_extended=self.name == "extended")

    def detach(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None


DRIVERS: dict[str, Callable[[], Driver]] = {
    "in-process": InProcess, "simple": lambda: OverTheWire("simple"), "extended": lambda: OverTheWire("extended"),
}  # fmt: skip


# A file with crashes says nothing more over the wire: the process that dies is the same one.
RUNS = [(path, driver) for path in FILES for driver in DRIVERS if driver == "in-process" or "\ncrash at " not in path.read_text()]


@pytest.mark.parametrize(("path", "driver"), RUNS, ids=[f"{path.relative_to(HERE).with_suffix('')}-{driver}" for path, driver in RUNS])
def test_the_file_says_what_happens(path: Path, driver: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    is_rewriting = bool(request.config.getoption("--rewrite", default=False))
    if is_rewriting and driver != "in-process":
        pytest.skip("what comes out in process is written; other drivers must then agree with it")
    run_file(path, tmp_path / "warehouse.duckdb", DRIVERS[driver](), is_rewriting=is_rewriting)


def test_there_are_files() -> None:
    assert len(FILES) > 10
