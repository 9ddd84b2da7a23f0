"""The warehouse of a pipeline folder with everything around it: wire, console, refreshers, schedules. Starts and stops in order."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from nearshift.cli.gate import WarehouseGate, Watch
from nearshift.cli.running import WAREHOUSE_FILE, FolderLock, Running, forget_running, note_running, state_folder
from nearshift.clock import Clock, SystemClock
from nearshift.console import source as console_source
from nearshift.console.app import create_app
from nearshift.console.server import ConsoleServer
from nearshift.dataapi.http import DataApiApp
from nearshift.dataapi.service import DataApi
from nearshift.errors import NearshiftError
from nearshift.events import Subscription
from nearshift.pipeline.folder import Pipeline
from nearshift.pipeline.local import MEMORY, read_schedules
from nearshift.pipeline.session import SessionConnection
from nearshift.streams.kinesis import Access, stream_metrics
from nearshift.warehouse import DATABASE, Schedule, Warehouse
from nearshift.wire.server import WireServer

log = logging.getLogger("nearshift.cli")

_RETRY_SECONDS = 1.0
PASSWORD_VARIABLE = "NEARSHIFT_PASSWORD"


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen; port 0 takes any free one."""

    host: str
    port: int
    console_port: int


class PipelineServer:
    """Serves one pipeline folder. `start` once, `stop` once; or use it as a context manager."""

    def __init__(
        self, pipeline: Pipeline, listening: Listening, *, clock: Clock | None = None, metric_period: timedelta = timedelta(minutes=1)
    ) -> None:
        """Open nothing yet. `metric_period` is the distance of the console's points of CloudWatch: Amazon keeps one per minute."""
        self._pipeline = pipeline
        self._listening = listening
        self._metric_period = metric_period
        self._clock = clock or SystemClock()
        self._lock: FolderLock | None = None
        self._warehouse: Warehouse | None = None
        self._wire: WireServer | None = None
        self._console: ConsoleServer | None = None
        self._data_api: DataApi | None = None
        self._schedules: _ScheduleKeeper | None = None

    @property
    def warehouse(self) -> Warehouse:
        """The open warehouse."""
        assert self._warehouse is not None, "the server is started"
        return self._warehouse

    @property
    def running(self) -> Running:
        """Where it listens, with the real ports."""
        assert self._wire is not None, "the server is started"
        assert self._console is not None, "the server is started"
        warehouse = self.warehouse
        return Running(os.getpid(), self._listening.host, self._wire.port, self._console.port, warehouse.admin, DATABASE)

    def start(self) -> None:
        """Open the warehouse and serve it; what was started before a failure is stopped again.

        Raises Conflict (55006) when another process serves the folder, ConfigurationError for a port or path that is not usable.
        """
        folder, listening = self._pipeline.path, self._listening
        password = os.environ.get(PASSWORD_VARIABLE)
        try:
            self._lock = FolderLock(folder)
            local = self._pipeline.manifest.targets.local
            self._warehouse = Warehouse.open(
                state_folder(folder) / WAREHOUSE_FILE, clock=self._clock, accepts_gaps=local.accepts_gaps, strict=local.is_strict,
                files=local.files_below(folder),
            )  # fmt: skip
            if self._pipeline.manifest.source is not None:
                self._warehouse.set_source(self._pipeline.manifest.source.table, self._pipeline.manifest.source.stream)
            gate, watch = WarehouseGate(self._warehouse, password, self._clock), Watch(self._warehouse, self._clock)
            self._wire = WireServer(gate, listening.host, listening.port, watch=watch)
            self._wire.start()
            source = _ConsoleSource(self, self._pipeline, self._clock, self._metric_period)
            app = create_app(source, self._pipeline.dashboards, password=password)
            self._data_api = DataApi(_ApiGate(self._warehouse, password), self._clock)
            self._console = ConsoleServer(
                app, listening.host, listening.console_port, has_password=password is not None, data_api=DataApiApp(self._data_api)
            )
            self._console.start()
            self._schedules = _ScheduleKeeper(self._warehouse, self._pipeline.name)
            self._schedules.start()
            self._warehouse.start()
            note_running(folder, self.running)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop serving, then what works by itself, then close the warehouse. A second call does nothing."""
        forget = self._lock is not None
        for part in (self._console, self._wire, self._schedules):
            if part is not None:
                part.stop()
        if self._data_api is not None:
            self._data_api.close()
        if self._warehouse is not None:
            self._warehouse.close()
        if forget:
            forget_running(self._pipeline.path)
        if self._lock is not None:
            self._lock.release()
        self._console = self._wire = self._schedules = self._data_api = self._warehouse = self._lock = None

    def __enter__(self) -> PipelineServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _ApiGate:
    """Opens sessions for the Data API. Implements `dataapi.gate.Gate`."""

    def __init__(self, warehouse: Warehouse, password: str | None) -> None:
        self._warehouse = warehouse
        self.secret = password

    @property
    def administrator(self) -> str:
        return self._warehouse.admin

    def open_session(self, user: str, database: str) -> Any:
        return self._warehouse.session(user, database, options={"application_name": "redshift-data-api"})


class _ConsoleSource:
    """The warehouse as the console sees it. Implements `console.source.ConsoleSource`."""

    def __init__(self, server: PipelineServer, pipeline: Pipeline, clock: Clock, period: timedelta) -> None:
        self._server = server
        self._period = period
        self._source = pipeline.manifest.source
        self._clock = clock

    def open_session(self, *, is_read_only: bool) -> Any:  # the console may also set no listener for notices: a wider type
        return self._server.warehouse.session(is_read_only=is_read_only)

    def subscribe(self) -> Subscription:
        return self._server.warehouse.events.subscribe()

    def stream_metrics(self, minutes: int) -> Sequence[console_source.StreamMetric]:
        if self._source is None:
            return ()
        end = self._clock.now()
        start = end - timedelta(minutes=minutes)
        found = stream_metrics(self._source.stream, Access(), start=start, end=end, period=self._period)
        seconds = int(self._period.total_seconds())
        return [
            console_source.StreamMetric(found.stream, metric.value, seconds, tuple((point.at, point.value) for point in series.points))
            for metric, series in found.series.items()
        ]

    def endpoints(self) -> Mapping[str, str]:
        running = self._server.running
        return {"PostgreSQL": running.dsn, "Console": running.console_url, "Redshift Data API": running.console_url}


class _ScheduleKeeper:
    """Keeps the warehouse's schedules at what was applied, also while it is applied anew from another process."""

    def __init__(self, warehouse: Warehouse, pipeline: str) -> None:
        self._warehouse = warehouse
        self._pipeline = pipeline
        self._subscription = warehouse.events.subscribe()
        self._thread = threading.Thread(target=self._run, name="pipeline-schedules", daemon=True)

    def start(self) -> None:
        """Set the schedules, and follow changes from now on."""
        self._renew()
        self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._subscription.close()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        is_due = False
        while not self._subscription.is_closed:
            event = self._subscription.next(_RETRY_SECONDS if is_due else 60.0)
            is_due = is_due or (event is not None and MEMORY in event.relations)
            if not is_due or self._subscription.is_closed:
                continue
            try:
                self._renew()
                is_due = False
            except NearshiftError as error:  # the next round tries again: what was applied must come to run
                log.warning("the schedules of %s could not be renewed: %s", self._pipeline, error.message)

    def _renew(self) -> None:
        connection = SessionConnection(self._warehouse.session(is_read_only=True))
        try:
            wanted = read_schedules(connection, self._pipeline)
        finally:
            connection.close()
        self._warehouse.set_schedules(tuple(Schedule(one.name, one.local, one.statement) for one in wanted))
