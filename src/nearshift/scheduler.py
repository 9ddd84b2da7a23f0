"""What happens by itself: auto refresh of views, scheduled statements, and the upkeep of the file.

One thread per auto-refreshed view and per schedule, since each waits for a stream or for the write lane; one for upkeep. A thread is the
outermost loop of its work: it notes what failed, logs it, waits and goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from nearshift import limits
from nearshift.catalog.catalog import Rows
from nearshift.catalog.entities import RelationEntry
from nearshift.errors import Cancelled, InternalError, NearshiftError
from nearshift.faults import crash_point
from nearshift.house import House
from nearshift.schedule import Every, OnRefresh, Pattern, next_run, parse_schedule
from nearshift.session import Session
from nearshift.sql.relations import RelationKind
from nearshift.transaction import Transaction
from nearshift.views.refresh import failed_outcome, note_refresh, refresh_in_background

log = logging.getLogger("nearshift.scheduler")

_UPKEEP_SECONDS = 1.0
_HISTORY_ROWS_MAX = 200_000
# Histories only grow at their end, so the oldest rows are those with the lowest row ids.
_CUTS = (
    "DELETE FROM nearshift.queries WHERE rowid <= (SELECT max(rowid) FROM nearshift.queries) - $1",
    "DELETE FROM nearshift.refreshes WHERE rowid <= (SELECT max(rowid) FROM nearshift.refreshes) - $1",
    "DELETE FROM nearshift.scans WHERE rowid <= (SELECT max(rowid) FROM nearshift.scans) - $1",
    "DELETE FROM nearshift.connections WHERE rowid <= (SELECT max(rowid) FROM nearshift.connections) - $1",
    "DELETE FROM nearshift.procedure_messages WHERE rowid <= (SELECT max(rowid) FROM nearshift.procedure_messages) - $1",
    "DELETE FROM nearshift.schedule_runs WHERE rowid <= (SELECT max(rowid) FROM nearshift.schedule_runs) - $1",
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A statement that runs by itself: `expression` as `schedule.parse_schedule` reads it."""

    name: str
    expression: str
    statement: str


class Worker:
    """A thread that calls `step` until stopped; `step` returns how long to wait for the next."""

    def __init__(self, name: str, step: Callable[[threading.Event], float], on_stop: Callable[[], None] = lambda: None) -> None:
        self._step = step
        self._on_stop = on_stop
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Say that it should end; returns at once."""
        self._stop.set()
        self._on_stop()

    def join(self, seconds: float) -> bool:
        """Wait for its end; return whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                wait = self._step(self._stop)
            except NearshiftError as error:
                log.warning("%s: %s", self._thread.name, error.message)
                wait = 1.0
            except Exception:
                log.exception("%s failed", self._thread.name)
                wait = 1.0
            if wait > 0:
                self._stop.wait(wait)


class Scheduler:
    """Starts, renews and stops the workers of one warehouse."""

    def __init__(self, house: House, open_session: Callable[[], Session], random: Random | None = None) -> None:
        self._house = house
        self._open_session = open_session
        self._random = random or Random()
        self._lock = threading.Lock()
        self._views: dict[int, Worker] = {}
        self._schedules: dict[str, tuple[Schedule, Worker]] = {}
        self._upkeep: list[Worker] = []
        self._is_running = False
        self._wanted: tuple[Schedule, ...] = ()

    def start(self) -> None:
        """Begin to work; harmless when running."""
        with self._lock:
            if self._is_running:
                return
            self._is_running = True
            self._upkeep = [Worker("upkeep", self._keep_up), Worker("watch", self._watch)]
            for worker in self._upkeep:
                worker.start()
        self.set_schedules(self._wanted)

    def set_schedules(self, schedules: tuple[Schedule, ...]) -> None:
        """Run exactly these from now on. Raises ConfigurationError for an expression that cannot be read; nothing changes then."""
        patterns = {schedule.name: parse_schedule(schedule.expression) for schedule in schedules}
        self._note_schedules(schedules)
        with self._lock:
            self._wanted = schedules
            if not self._is_running:
                return
            wanted = {schedule.name: schedule for schedule in schedules}
            for name in [n for n, (s, _w) in self._schedules.items() if wanted.get(n) != s]:
                self._schedules.pop(name)[1].ask_to_stop()
            for name, schedule in wanted.items():
                if name not in self._schedules:
                    worker = self._schedule_worker(schedule, patterns[name])
                    self._schedules[name] = (schedule, worker)
                    worker.start()

    def stop(self) -> None:
        """End all workers; waits for what they are doing, within bounds."""
        with self._lock:
            self._is_running = False
            workers = [*self._views.values(), *(w for _s, w in self._schedules.values()), *self._upkeep]
            self._views.clear()
            self._schedules.clear()
        for worker in workers:
            worker.ask_to_stop()
        for worker in workers:
            if not worker.join(10.0):
                log.warning("a worker did not end in time")

    # --- auto refresh

    def _keep_up(self, _stop: threading.Event) -> float:
        """Bring the workers of views in line with the catalog, write notes of queries down, cut histories."""
        snapshot = self._house.current.snapshot
        wanted = {
            view.oid: view
            for view in snapshot.relations.values()
            if view.is_auto_refresh and view.kind in {RelationKind.STREAMING_VIEW, RelationKind.DERIVED_VIEW}
        }
        with self._lock:
            if not self._is_running:
                return 0.0
            for oid in [oid for oid in self._views if oid not in wanted]:
                self._views.pop(oid).ask_to_stop()
            for oid, view in wanted.items():
                if oid not in self._views:
                    self._views[oid] = self._view_worker(view)
                    self._views[oid].start()
        self.write_notes()
        return _UPKEEP_SECONDS

    def _watch(self, _stop: threading.Event) -> float:
        """End blocks that were left idle, then fold the log. Never waits for the lane: who holds it may be who must be ended."""
        is_in_need = self._house.engine.wal_bytes >= limits.WAL_BYTES_MAX
        for session in self._house.sessions():
            if session.end_if_idle(is_snapshot_unwanted=is_in_need):
                log.warning("session %d was idle in a transaction for too long: rolled back", session.number)
        self._house.engine.flush_if_due()
        return _UPKEEP_SECONDS

    def _view_worker(self, view: RelationEntry) -> Worker:
        if view.kind is RelationKind.DERIVED_VIEW:
            return self._follower(view)
        tx = Transaction(self._house.engine.connect(), self._house.current, self._house.events, self._house.clock)
        failures = 0

        def step(stop: threading.Event) -> float:
            nonlocal failures
            snapshot = self._house.current.snapshot
            entry = snapshot.relations.get(view.key)
            if entry is None or entry.oid != view.oid:
                return 1.0
            try:
                outcome = refresh_in_background(self._house.refresher, tx, entry)
            except Cancelled:
                return 0.0 if stop.is_set() else 1.0
            except NearshiftError as error:
                failures += 1
                if failures in {1, 10} or failures % 100 == 0:
                    self._note_failure(tx, entry, error)
                top = min(limits.STREAM_BACKOFF_MS_MAX, limits.STREAM_BACKOFF_MS_MIN * 2 ** min(failures, 10))
                return self._random.uniform(limits.STREAM_BACKOFF_MS_MIN, top) / 1000
            failures = 0
            if outcome is not None and not outcome.is_complete:
                return 0.0
            return self._house.feed_of(snapshot, entry).pause

        def stop() -> None:
            tx.connection.interrupt()

        return Worker(f"auto refresh of {view.label}", step, stop)

    def _follower(self, view: RelationEntry) -> Worker:
        """Refresh a derived view when its base changes."""
        subscription = self._house.events.subscribe()
        labels = {f"{schema}.{name}" for schema, name in view.bases}
        session = self._open_session()
        is_first = True

        def step(_stop: threading.Event) -> float:
            nonlocal is_first
            event = subscription.next(1.0)
            if is_first or (event is not None and event.relations & labels):
                is_first = False
                for result in session.execute_script(f'REFRESH MATERIALIZED VIEW "{view.schema}"."{view.name}"'):
                    result.rows()
            return 0.0

        return Worker(f"auto refresh of {view.label}", step, subscription.close)

    def _note_failure(self, tx: Transaction, view: RelationEntry, error: NearshiftError) -> None:
        now = self._house.clock.now()
        log.warning("auto refresh of %s failed: %s", view.label, error.message)
        try:
            tx.begin(takes_lane=True)
            note_refresh(tx.connection, view, failed_outcome(error), "Auto", now, now, tx.number)
            tx.touch(view.schema, view.name)
            tx.commit()
        except NearshiftError:
            tx.rollback()
            raise

    # --- schedules

    def _schedule_worker(self, schedule: Schedule, pattern: Pattern) -> Worker:
        session = self._open_session()
        if isinstance(pattern, OnRefresh):
            subscription = self._house.events.subscribe()
            is_first = True

            def follow(_stop: threading.Event) -> float:
                nonlocal is_first
                event = subscription.next(1.0)
                if is_first or (event is not None and pattern.label in event.relations):
                    is_first = False
                    self._run(session, schedule)
                return 0.0

            return Worker(f"schedule {schedule.name}", follow, lambda: _stop_schedule(session, subscription.close))
        last_start: datetime | None = None

        def step(stop: threading.Event) -> float:
            nonlocal last_start
            now = self._house.clock.now()
            due = next_run(pattern, last_start, now)
            if due is None:
                return 3600.0
            if isinstance(pattern, Every) and last_start is None:
                due = now
            if due > now:
                self._house.clock.wait(stop, min((due - now).total_seconds(), 3600.0))
                return 0.0
            last_start = now
            self._run(session, schedule)
            return 0.0

        if not isinstance(pattern, Every):
            last_start = self._house.clock.now()
        return Worker(f"schedule {schedule.name}", step, lambda: _stop_schedule(session, lambda: None))

    def _run(self, session: Session, schedule: Schedule) -> None:
        """Run a schedule's statement and note how it ended."""
        started = self._house.clock.now()
        error: NearshiftError | None = None
        try:
            for result in session.execute_script(schedule.statement):
                result.rows()
        except NearshiftError as caught:
            error = caught
            log.warning("schedule %s failed: %s", schedule.name, caught.message)
        except Exception as caught:
            log.exception("schedule %s failed", schedule.name)
            error = InternalError(str(caught))
        crash_point("schedule.ran")
        ended = self._house.clock.now()
        due = next_run(parse_schedule(schedule.expression), started, ended)

        def note(connection: Rows) -> None:
            status = "success" if error is None else "failed"
            connection.execute(
                "INSERT INTO nearshift.schedule_runs VALUES ($1, $2, $3, $4, $5)",
                [schedule.name, _naive(started), _naive(ended), status, error.message if error else None],
            )
            if due is not None:
                connection.execute("UPDATE nearshift.schedules SET next_run = $2 WHERE name = $1", [schedule.name, _naive(due)])

        self._within(note)

    def _note_schedules(self, schedules: tuple[Schedule, ...]) -> None:
        def act(connection: Rows) -> None:
            connection.execute("DELETE FROM nearshift.schedules")
            now = self._house.clock.now()
            for schedule in schedules:
                due = next_run(parse_schedule(schedule.expression), None, now)
                connection.execute(
                    "INSERT INTO nearshift.schedules VALUES ($1, $2, $3, $4)",
                    [schedule.name, schedule.expression, schedule.statement, _naive(due) if due else None],
                )

        self._within(act)

    def write_notes(self) -> None:
        """Write the notes of ended statements down, and cut histories to their bound."""
        if not self._house.notes and not self._house.connection_notes and not self._house.procedure_notes:
            return

        def act(connection: Rows) -> None:
            for statement in _CUTS:
                connection.execute(statement, [_HISTORY_ROWS_MAX])
            self._write_connections(connection)
            self._write_procedure_notes(connection)
            while self._house.notes:
                note = self._house.notes.popleft()
                connection.execute(
                    "INSERT INTO nearshift.queries VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    [
                        note.query_id, note.user, note.session, note.database, note.text, _naive(note.started_at), _naive(note.ended_at),
                        note.row_count, note.error,
                    ],
                )  # fmt: skip

        self._within(act, is_patient=False)

    def _write_connections(self, connection: Rows) -> None:
        while self._house.connection_notes:
            note = self._house.connection_notes.popleft()
            connection.execute(
                "INSERT INTO nearshift.connections VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                [
                    note.event, _naive(note.recorded_at), note.remote_host, note.remote_port, note.session, note.database, note.user,
                    note.method, note.duration, note.is_encrypted, note.application,
                ],
            )  # fmt: skip

    def _write_procedure_notes(self, connection: Rows) -> None:
        while self._house.procedure_notes:
            note = self._house.procedure_notes.popleft()
            connection.execute(
                "INSERT INTO nearshift.procedure_messages VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                [
                    note.query_id, note.user, note.session, note.transaction, _naive(note.recorded_at), note.level, note.message, note.line,
                ],
            )  # fmt: skip

    def _within(self, act: Callable[[Rows], object], *, is_patient: bool = True) -> None:
        """Act in a transaction of its own; without patience only if the lane is free now."""
        connection = self._house.engine.connect()
        try:
            if not is_patient and not connection.take_lane_unless(lambda: True):
                return
            connection.begin(takes_lane=True)
            act(connection)
            connection.commit()
        finally:
            connection.close()


def _stop_schedule(session: Session, more: Callable[[], None]) -> None:
    more()
    session.interrupt()


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


