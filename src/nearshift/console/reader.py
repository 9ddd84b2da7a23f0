"""Read-only sessions for query passes: a few, kept open, each used by one thread at a time, each statement with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nearshift import limits
from nearshift.console.cells import Grid, read_grid
from nearshift.console.queries import Query
from nearshift.console.source import ConsoleSource, Session
from nearshift.errors import Cancelled, InternalError, NearshiftError
from nearshift.sql.relations import Column


@contextmanager
def statement_timeout(session: Session, limit_ms: int) -> Iterator[None]:
    """Cancel what the session runs after `limit_ms`; the error then names the time limit as Redshift does (57014)."""
    has_fired = threading.Event()

    def fire() -> None:
        has_fired.set()
        session.interrupt()

    timer = threading.Timer(limit_ms / 1000, fire)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Cancelled as error:
        if has_fired.is_set():
            hint = f"The console stops a statement after {limit_ms / 1000:g} s. Ask for less, or use another client."
            raise Cancelled("canceling statement due to statement timeout", hint=hint) from error
        raise
    finally:
        timer.cancel()


class Reader:
    """Runs the console's own SELECTs. Safe to share between threads."""

    def __init__(self, source: ConsoleSource, statement_ms_max: int = limits.CONSOLE_STATEMENT_MS_MAX) -> None:
        self._source = source
        self._statement_ms_max = statement_ms_max
        self._lock = threading.Lock()
        self._idle: list[Session] = []
        self._busy: list[Session] = []
        self._is_closed = False

    def grid(self, query: Query) -> Grid:
        """Run one query and return its rows; raises NearshiftError."""
        with self._session() as session, statement_timeout(session, self._statement_ms_max):
            prepared = session.prepare(query.text, query.types)
            return read_grid(session.run(prepared, query.values))

    def describe(self, text: str) -> tuple[Column, ...]:
        """Return the result columns of a query without running it."""
        with self._session() as session:
            columns = session.prepare(text, ()).columns
        if columns is None:
            raise InternalError("the statement returns no rows")
        return columns

    def close(self) -> None:
        """Close all sessions; those in use are interrupted, and closed when they come back. Closing twice is harmless."""
        with self._lock:
            self._is_closed = True
            sessions, self._idle = self._idle, []
            busy = list(self._busy)
        for session in busy:
            session.interrupt()
        for session in sessions:
            session.close()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._lock:
            if self._is_closed:
                raise Cancelled("the console is shutting down", sqlstate="57P01")
            session = self._idle.pop() if self._idle else None
        if session is None:
            session = self._source.open_session(is_read_only=True)
        with self._lock:
            self._busy.append(session)
        try:
            yield session
        except NearshiftError:
            self._give_back(session)  # an error of the statement: the session itself is well
            raise
        except BaseException:
            with self._lock:
                self._busy.remove(session)
            session.close()
            raise
        self._give_back(session)

    def _give_back(self, session: Session) -> None:
        with self._lock:
            self._busy.remove(session)
            if not self._is_closed and len(self._idle) < limits.CONSOLE_PASS_THREADS:
                self._idle.append(session)
                return
        session.close()
