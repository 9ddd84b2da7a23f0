"""A nearshift that speaks as Redshift, on the wire and by the Data API, with a stream in memory; and connections to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.applications import Starlette

from nearshift.cli.client import WireConnection
from nearshift.clock import SystemClock
from nearshift.console.server import ConsoleServer
from nearshift.dataapi.http import DataApiApp
from nearshift.dataapi.service import DataApi
from nearshift.deploy.connections import DataApiConnection, DriverConnection, StatementFailed, driver
from nearshift.deploy.redshift import RedshiftTarget
from nearshift.errors import NearshiftError
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.target import Answer, Target
from nearshift.streams.memory import MemoryStream
from nearshift.warehouse import Warehouse
from nearshift.wire import Credential, WireServer


class SessionRemote:
    """A session of this process as a connection to Redshift. Implements `deploy.connections.RemoteConnection`."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._connection = SessionConnection(warehouse.session())

    def run(self, text: str) -> Answer:
        return self._connection.run(text)

    def run_each(self, texts: Sequence[str]) -> None:
        for index, text in enumerate(texts):
            self._run_one(text, index)
        self.run("RESET ALL")

    def run_together(self, texts: Sequence[str]) -> None:
        self.run("BEGIN")
        try:
            for index, text in enumerate(texts):
                self._run_one(text, index)
        except StatementFailed:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")
        self.run("RESET ALL")

    def close(self) -> None:
        self._connection.close()

    def _run_one(self, text: str, index: int) -> None:
        try:
            self.run(text)
        except NearshiftError as error:
            raise StatementFailed(error, index) from error


class _Gate:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.secret = None

    @property
    def administrator(self) -> str:
        return self._warehouse.admin

    def password_of(self, user: str) -> Credential | None:
        return None

    def open_session(self, user: str, database: str, options: Mapping[str, str] | None = None) -> Any:
        return self._warehouse.session(user, database, options=options)


class _NoConsole:
    def close(self) -> None:
        """There is nothing to close."""


class Redshift:
    """The stand-in, empty at first."""

    def __init__(self) -> None:
        self.stream = MemoryStream("events")
        self.warehouse = Warehouse.open(None, threads=1, sources=lambda _schema, _name: self.stream.source())
        gate = _Gate(self.warehouse)
        self.wire = WireServer(gate, port=0)
        self.wire.start()
        self.api = DataApi(gate, SystemClock())
        app = Starlette()
        app.state.console = _NoConsole()
        self.console = ConsoleServer(app, port=0, data_api=DataApiApp(self.api))
        self.console.start()
        self._open: list[Any] = []

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        session = self.warehouse.session()
        try:
            return session.execute(query).rows()
        finally:
            session.close()

    def target(self, kind: str, caller: Any = None) -> Target:
        if kind == "in process":
            own = SessionConnection(self.warehouse.session())
            self._open.append(own)
            return WarehouseTarget(own)
        if kind == "wire":
            client = WireConnection("127.0.0.1", self.wire.port, "dev", "dev")
            self._open.append(client)
            return WarehouseTarget(client)
        if kind == "driver":
            found = DriverConnection(self.connect)
            self._open.append(found)
            return RedshiftTarget(found)
        return RedshiftTarget(DataApiConnection(caller, {"Database": "dev", "WorkgroupName": "abc"}, SystemClock()))

    def connect(self) -> Any:
        return driver().connect(host="127.0.0.1", port=self.wire.port, database="dev", user="dev", password="", ssl=False)

    def empty(self) -> None:
        """Be as at first: connections closed, everything dropped, another stream of the same name."""
        for one in self._open:
            one.close()
        self._open.clear()
        for schema in ("public", "nearshift_pipeline", "kds"):
            self.rows(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        self.rows("CREATE SCHEMA public")
        self.stream = MemoryStream("events")

    def close(self) -> None:
        self.console.stop()
        self.wire.stop()
        self.api.close()
        self.warehouse.close()
