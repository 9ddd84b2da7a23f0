"""Submitted statements carried out by a few threads, in the order of their coming."""

from __future__ import annotations

import logging
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pyarrow as pa

from nearshift import limits
from nearshift.clock import Clock
from nearshift.dataapi.gate import ApiSession, Gate
from nearshift.dataapi.results import encode_pages
from nearshift.dataapi.sessions import KeptSessions
from nearshift.dataapi.statements import Part, Register, Submitted
from nearshift.errors import Cancelled, InternalError, NearshiftError
from nearshift.results import Result, TransactionStatus
from nearshift.wire.codec import parameter_oid, read_parameter

log = logging.getLogger("nearshift.dataapi")


class Runner:
    """Runs what is submitted. `close` interrupts what runs and drops what waits."""

    def __init__(self, gate: Gate, register: Register, sessions: KeptSessions, clock: Clock) -> None:
        self._gate = gate
        self._register = register
        self._sessions = sessions
        self._clock = clock
        self._pool = ThreadPoolExecutor(limits.DATA_API_WORKERS, thread_name_prefix="data-api")

    def submit(self, statement: Submitted) -> None:
        """Run it when a thread is free."""
        self._pool.submit(self._run, statement)

    def cancel(self, statement: Submitted) -> bool:
        """Stop a statement and return whether it was stopped before it was done."""
        changed = self._register.changed
        statement.is_cancelled = True
        for _attempt in range(100):
            with changed:
                if statement.status in {"SUBMITTED", "PICKED"} and statement.live is None:
                    self._register.set(statement, "ABORTED", "Query cancelled by user")
                if statement.is_done:
                    break
                live = statement.live
            if live is not None:
                live.interrupt()  # again and again: one that comes before the statement has begun is forgotten by it
            with changed:
                changed.wait_for(lambda: statement.is_done, 0.05)
        return statement.status == "ABORTED"

    def close(self) -> None:
        """Stop. What runs is interrupted, what waits is aborted."""
        for statement in self._register.all():
            if not statement.is_done:
                self.cancel(statement)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, statement: Submitted) -> None:
        try:
            self._run_in_session(statement)
        except NearshiftError as error:
            self._register.set(statement, "FAILED", error_text(error))
        except Exception:
            log.exception("a statement of the Data API failed")
            self._register.set(statement, "FAILED", error_text(InternalError("the statement could not be run")))

    def _run_in_session(self, statement: Submitted) -> None:
        self._register.set(statement, "PICKED")
        kept = statement.kept
        session = kept.session if kept is not None else self._gate.open_session(statement.user, statement.database)
        outcome: tuple[str, str | None] = ("FINISHED", None)
        try:
            with self._register.changed:
                if statement.is_done:
                    return
                statement.live, statement.pid = session, session.number
            self._register.set(statement, "STARTED")
            outcome = self._run_parts(statement, session)
        except Cancelled as error:
            outcome = ("ABORTED" if statement.is_cancelled else "FAILED", error_text(error))
        except NearshiftError as error:
            outcome = ("FAILED", error_text(error))
        finally:
            with self._register.changed:
                statement.live = None
            # Before the statement is seen to be done: whoever waits for that may use the session at once.
            if kept is None:
                session.close()
            else:
                self._sessions.release(kept)
        self._register.set(statement, *outcome)

    def _run_parts(self, statement: Submitted, session: ApiSession) -> tuple[str, str | None]:
        """Return the status and error of the whole. In a transaction the first failure ends it, else the rest goes on."""
        is_block = statement.is_transaction and session.status is TransactionStatus.IDLE
        if is_block:
            _drain(session, "BEGIN")
        first: NearshiftError | None = None
        for number, part in enumerate(statement.parts, start=1):
            try:
                if statement.is_cancelled:
                    raise Cancelled("canceling statement due to user request")
                self._run_part(statement, part, f"{statement.id}:{number}", session)
            except NearshiftError as error:
                part.status = "ABORTED" if isinstance(error, Cancelled) and statement.is_cancelled else "FAILED"
                part.error = error_text(error)
                if statement.is_transaction or isinstance(error, Cancelled) or not statement.is_batch:
                    for rest in statement.parts[number:]:
                        rest.status = "ABORTED"
                    if is_block:
                        _drain(session, "ROLLBACK")
                    raise
                first = first or error
        if is_block:
            _drain(session, "COMMIT")
        return ("FAILED", error_text(first)) if first is not None else ("FINISHED", None)

    def _run_part(self, statement: Submitted, part: Part, name: str, session: ApiSession) -> None:
        part.status, part.started = "STARTED", self._clock.monotonic()
        try:
            prepared = session.prepare(part.numbered.text, ())
            values = {parameter.name: parameter.value for parameter in statement.parameters}
            given = [
                read_parameter(parameter_oid(0, kind), 0, values[parameter].encode(), number)
                for number, (parameter, kind) in enumerate(zip(part.numbered.names, prepared.parameter_types, strict=True), start=1)
            ]
            result = session.run(prepared, given)
            if result.columns is not None:
                with closing(_batches(result)) as batches:
                    pages = encode_pages(result.columns, batches, statement.asked.result_format)
                    part.result = self._register.shelf.store(name, result.columns, pages)
                part.rows = part.result.rows
            else:
                for _batch in result.batches:
                    pass
                part.rows = result.row_count if result.row_count is not None else 0
            part.status = "FINISHED"
        finally:
            part.ended = self._clock.monotonic()
            part.updated_at = self._clock.now()
            part.query_id = session.last_query_id


def _batches(result: Result) -> Generator[pa.RecordBatch, None, None]:
    yield from result.batches


def _drain(session: ApiSession, text: str) -> None:
    for result in session.execute_script(text):
        for _batch in result.batches:
            pass


def error_text(error: NearshiftError) -> str:
    """Return the error as the Data API shows those of the database."""
    lines = [f"ERROR: {error.message}"]
    if error.span is not None:
        lines.append(f"Position: {error.span.start + 1}")
    lines += [f"{label}: {text}" for label, text in (("Detail", error.detail), ("Hint", error.hint), ("Where", error.context)) if text]
    lines.append(f"SQLState: {error.sqlstate}")
    return "\n  ".join(lines)
