"""One client's conversation: settings, search path, transaction, prepared statements.

The session reads a script statement by statement, opens and ends transactions around each, and hands the statement to the command that
knows it (`commands/`). It is used by one thread at a time, except `interrupt`.

Transactions. A statement outside a block is its own transaction: one that writes takes the write lane *before* its snapshot, so it never
fails on a conflict. Several statements in one script are one implicit block, as PostgreSQL does it, and so are those that a client of the
extended protocol sends before one Sync (`run_in_batch`, `sync`). BEGIN opens an explicit block, in which the lane is taken by the first
write; after an error in it every statement is refused until ROLLBACK (25P02). `session_transactions` begins and ends them, and
`blocks` knows which of these is open. `stop_sign` is how a session is stopped from outside.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from nearshift.access.guard import Guard
from nearshift.access.rights import Rights
from nearshift.catalog.entities import RelationEntry, Snapshot
from nearshift.catalog.lookup import Lookup
from nearshift.commands import queries
from nearshift.commands.cursors import Cursor
from nearshift.commands.dispatching import dispatch
from nearshift.commands.needs import Need, need_of
from nearshift.errors import Cancelled, InvalidSql, NearshiftError, PermissionDenied
from nearshift.house import House
from nearshift.names import Names
from nearshift.results import Notice, Prepared, Result, Severity, TransactionStatus, without_notes
from nearshift.session_transactions import SessionTransactions
from nearshift.settings import Settings
from nearshift.sql import statements as st
from nearshift.sql.lower import lower
from nearshift.sql.parse import parse_statement
from nearshift.sql.relations import BindContext, Lowered
from nearshift.sql.split import split_script
from nearshift.stop_sign import StopSign
from nearshift.transaction import Transaction
from nearshift.types import SqlType
from nearshift.values import parameter_values

_session_numbers = itertools.count(1)


@dataclass(slots=True)
class Running:
    """What is known of the statement being run."""

    text: str = ""
    started_at: datetime | None = None
    query_id: int = 0
    values: Sequence[object] = ()
    parameter_types: tuple[SqlType | None, ...] = ()
    variables: dict[str, tuple[SqlType, object]] = field(default_factory=dict)


class Session:
    """See the module. Made by `Warehouse.session`."""

    def __init__(
        self, house: House, user: str, database: str, *, is_read_only: bool = False, initial: dict[str, str] | None = None
    ) -> None:
        self.house = house
        self.user = user
        self.database = database
        self.is_read_only = is_read_only
        self.number = next(_session_numbers)
        self.settings = Settings(initial)
        self.tx = Transaction(house.engine.connect(), house.current, house.events, house.clock)
        self.on_notice: Callable[[Notice], None] = lambda _notice: None
        self.on_terminated: Callable[[], None] = lambda: None
        self.temporary: dict[str, RelationEntry] = {}
        self.names = Names(user, database, self.settings, self.tx, self.temporary)
        self.session_user = self.login_user = user
        self.guard = Guard(lambda: self.snapshot, lambda snapshot, view: house.translate_view(snapshot, view, {}))
        self.names.usable = lambda schemas: self.rights.usable(schemas)
        self.prepared: dict[str, Prepared] = {}
        self.cursors: dict[str, Cursor] = {}
        self.running = Running()
        self.last_query_id = 0
        self.last_copy: dict[str, int] = {}
        self.call_depth = 0
        self._last_active = house.clock.monotonic()
        self._transactions = SessionTransactions(self.tx, self.settings, self.temporary, self.cursors, self.notice)
        self._block = self._transactions.block
        self._stop = StopSign(self.tx.connection.interrupt, self.tx.connection.forget_interrupt)
        self._lock = threading.RLock()

    # --- what clients call

    @property
    def status(self) -> TransactionStatus:
        """Where the session stands, for ReadyForQuery."""
        return self._block.status

    def parameter_status(self) -> dict[str, str]:
        """The parameters that a server tells its client unasked ("ParameterStatus", PostgreSQL)."""
        reported = (
            "server_version", "client_encoding", "TimeZone", "DateStyle", "IntervalStyle", "integer_datetimes",
            "standard_conforming_strings", "is_superuser", "server_encoding", "application_name", "padb_revision",
        )  # fmt: skip
        is_superuser = "on" if self.guard.rights(self.session_user).is_superuser else "off"
        found = {name: self.settings.get(name) for name in reported}
        return {**found, "is_superuser": is_superuser, "session_authorization": self.session_user}

    def execute_script(self, text: str) -> Iterator[Result]:
        """Run the statements of a script one by one; drain each result before the next is asked for.

        Spans of errors count from the script's first character.
        """
        pieces = split_script(text)
        try:
            for piece in pieces:
                if len(pieces) > 1 or self._block.is_implicit:
                    self._block.open_implicit()
                try:
                    yield self._execute(piece.text, parse_statement(piece.text), Running(piece.text))
                except NearshiftError as error:
                    if error.span is not None:
                        error.span = error.span.shifted(piece.start)
                    raise
            self.sync(is_commit=True)
        except BaseException:
            self.sync(is_commit=False)
            raise

    def execute(self, text: str, values: Sequence[object] = ()) -> Result:
        """Run one statement with values for `$1`, `$2`, …; for callers in the process."""
        return self.run(self.prepare(text, ()), values)

    def prepare(self, text: str, parameter_types: Sequence[SqlType | None]) -> Prepared:
        """Parse and describe one statement without running it. Raises InvalidSql when there are several."""
        pieces = split_script(text)
        if len(pieces) > 1:
            raise InvalidSql("cannot insert multiple commands into a prepared statement")
        if not pieces:
            return Prepared(text, (), None)
        piece = pieces[0]
        statement = parse_statement(piece.text)
        if self._block.is_failed and not isinstance(statement, st.Rollback | st.Commit):
            raise self._block.refusal()
        with self.shifted(piece.start), self._transactions.described():
            self.running = Running(piece.text, parameter_types=tuple(parameter_types))
            types, columns = queries.describe(self, statement, tuple(parameter_types))
        return Prepared(piece.text, types, columns, statement)

    def run(self, prepared: Prepared, values: Sequence[object]) -> Result:
        """Run what `prepare` returned; `values` are Python objects for its parameters, in order."""
        if prepared.statement is None:
            return Result("")
        start = Running(prepared.text, values=tuple(values), parameter_types=prepared.parameter_types)
        return self._execute(prepared.text, prepared.statement, start)

    def run_in_batch(self, prepared: Prepared, values: Sequence[object]) -> Result:
        """Run what `prepare` returned as part of a batch that `sync` ends: the batch is one transaction ("Extended Query", PostgreSQL).

        What needs transactions of its own (CALL, REFRESH, COPY, TRUNCATE) has them when it comes first.
        """
        statement = prepared.statement
        if statement is not None and not isinstance(statement, st.Begin | st.Commit | st.Rollback):
            self._block.open_batch(is_own=need_of(statement) is Need.OWN)
        return self.run(prepared, values)

    def sync(self, *, is_commit: bool) -> None:
        """End a script or batch: commit what it did, or undo it after an error. An explicit block goes on. Raises what a commit raises."""
        if self._block.is_implicit:
            with self._lock:
                was_idle = self._block.was_idle
                refusal = self._block.refusal()
                self._transactions.end_block(is_commit=is_commit)
            if was_idle and is_commit:
                raise refusal

    def interrupt(self, message: str | None = None) -> None:
        """Stop what runs; from any thread. The statement fails with 57014, and `message` tells its user more."""
        self._stop.show(message)

    def terminate(self) -> None:
        """End the session from any thread: what is open is rolled back, and every further statement fails with 57P01.

        `on_terminated` is called on the same thread, so that whoever serves the client can hang up.
        """
        self._stop.end()
        self.on_terminated()
        if self._lock.acquire(blocking=False):
            try:
                self.roll_back_here()
            finally:
                self._lock.release()

    def end_if_idle(self, *, is_snapshot_unwanted: bool) -> bool:
        """Roll back a block that was left idle for too long; from any thread. Return whether it was.

        The session goes on: every statement is refused until ROLLBACK.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            idle = self.house.clock.monotonic() - self._last_active
            return self._transactions.end_idle(idle, is_snapshot_unwanted=is_snapshot_unwanted)
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the session: what is open is rolled back. Closing twice is harmless."""
        with self._lock:
            self.tx.rollback()
            self.tx.connection.close()
            self.house.forget(self)

    # --- what commands call

    @property
    def snapshot(self) -> Snapshot:
        """What exists, as the session's transaction sees it."""
        return self.tx.snapshot

    @property
    def rights(self) -> Rights:
        """What the current user may do, as the session's transaction sees it."""
        return self.guard.rights(self.user)

    def become(self, user: str) -> None:
        """Let another user be the session's and the current one (SET SESSION AUTHORIZATION): only for who logged in as a superuser."""
        if user != self.login_user and not self.guard.rights(self.login_user).is_superuser:
            raise PermissionDenied(f'permission denied to set session authorization "{user}"', hint="Connect as a superuser.")
        self.user = self.session_user = self.names.user = user

    @contextlib.contextmanager
    def acting_as(self, user: str) -> Iterator[None]:
        """Let another user be the current one meanwhile; the session's user stays (SECURITY DEFINER)."""
        before = self.user
        self.user = self.names.user = user
        try:
            yield
        finally:
            self.user = self.names.user = before

    @property
    def is_in_block(self) -> bool:
        """Whether the caller has a transaction block open, implicit or explicit."""
        return self._block.is_shared

    def notice(self, severity: Severity, message: str) -> None:
        """Tell the client something beside the result."""
        self.on_notice(Notice(severity, message))

    def context(self, *, overrides: dict[tuple[str, str], str] | None = None, allows_streams: bool = False) -> BindContext:
        """Return what the meaning of a statement depends on, now."""
        lookup = self.house.lookup(
            self.snapshot, self.names.search_path(), temporary=self.temporary, overrides=overrides, allows_streams=allows_streams
        )
        return BindContext(
            lookup,
            self.settings.rules,
            {name: kind for name, (kind, _value) in self.running.variables.items()},
            self.running.parameter_types,
            self.settings.meaningful(),
            self.database,
            lookup,
        )

    def lower(self, text: str) -> Lowered:
        """Return the translation of a query or DML statement, from the cache when its meaning did not change.

        Every way to rows comes through here, at each run: raises PermissionDenied (42501) when the user may not run it.
        """
        self.guard.check_user(self.user)
        context = self.context()
        assert isinstance(context.relations, Lookup), "a session looks names up in a snapshot"
        key = (
            text, context.rules, tuple(context.settings.values()), self.names.search_path(), context.parameter_types,
            tuple(context.variables.items()),
        )  # fmt: skip
        lowered = self.house.translations.get(key, context.relations, lambda: lower(text, context))
        self.guard.check(self.user, lowered)
        return lowered

    def values_for(self, lowered: Lowered) -> list[object]:
        """Return the values of a translation's parameters."""
        return parameter_values(self, lowered)

    def rows_of(self, lowered: Lowered) -> Iterator[pa.RecordBatch]:
        """Run a translated query and stream its rows."""
        return without_notes(self.tx.connection.stream(lowered.sql, self.values_for(lowered)), lowered.columns)

    def evaluate(self, expression: str) -> object:
        """Return the value of an expression, in the open transaction."""
        lowered = self.lower(f"SELECT {expression}")
        found = self.tx.connection.rows(lowered.sql, self.values_for(lowered))
        return found[0][0]

    def cast(self, value: object, kind: SqlType, target: SqlType) -> object:
        """Return a value of one type as an assignment to another leaves it."""
        before = self.running.values, self.running.parameter_types
        self.running.values, self.running.parameter_types = (value,), (kind,)
        try:
            return self.evaluate(f"CAST($1 AS {target})")
        finally:
            self.running.values, self.running.parameter_types = before

    def commit_here(self) -> None:
        """End the transaction in the middle of a statement (TRUNCATE, COMMIT in a procedure) and begin the next."""
        self._transactions.commit_here()

    def check_cancelled(self) -> None:
        """Raise Cancelled when the running statement was cancelled."""
        self._stop.check()

    def begin_here(self) -> None:
        """Open a transaction with the lane, unless one is open."""
        self._transactions.begin_here()

    def roll_back_here(self) -> None:
        """Roll the open transaction back and forget cursors."""
        self._transactions.roll_back()

    # --- transactions around statements

    def _execute(self, text: str, statement: st.Statement, running: Running) -> Result:
        with self._lock:
            self._stop.take_down()
            self._last_active = self.house.clock.monotonic()
            running.started_at = self.house.clock.now()
            running.query_id = self.house.next_query_id()
            self.running = running
            match statement:
                case st.Begin():
                    return self._transactions.begin_block(statement)
                case st.Commit():
                    return self._transactions.commit_block()
                case st.Rollback():
                    return self._transactions.roll_back_block()
                case _:
                    return self._in_transaction(text, statement)

    def _in_transaction(self, text: str, statement: st.Statement) -> Result:
        if self._block.is_failed:
            raise self._block.refusal()
        need = need_of(statement)
        if need in {Need.LANE, Need.OWN} and self._may_only_read():
            self._block.fail()
            where = "session" if self.is_read_only else "transaction"
            raise NearshiftError(f"cannot execute this statement in a read-only {where}", sqlstate="25006")
        is_own = not self._block.is_open and need in {Need.SNAPSHOT, Need.LANE}
        self._stop.start_timer(int(self.settings.get("statement_timeout")))
        try:
            if need in {Need.SNAPSHOT, Need.LANE} and not self.tx.is_open:
                self._transactions.begin(takes_lane=need is Need.LANE)
            elif need is Need.LANE or (need is Need.OWN and self.is_in_block and self.tx.is_open):
                self.tx.write()
            elif need is Need.OWN and self.is_in_block:
                self._transactions.begin(takes_lane=True)
            result = self.dispatch(statement)
        except BaseException as error:
            self._failed(text, error, is_own=is_own)
            raise
        if result.columns is not None:
            result.batches = self._followed(text, result, result.batches, is_own=is_own)
        else:
            if is_own:
                self._finish(text)
            self._done(text, result.row_count or 0)
        return result

    def _may_only_read(self) -> bool:
        names = ("transaction_read_only", "default_transaction_read_only")
        return self.is_read_only or any(self.settings.is_on(name) for name in names)

    def _finish(self, text: str) -> None:
        try:
            self._transactions.commit()
        except NearshiftError as error:
            self._stop.stop_timer()
            self.house.note_query(self, text, error)
            raise

    def _followed(
        self, text: str, result: Result, batches: Iterator[pa.RecordBatch], *, is_own: bool
    ) -> Iterator[pa.RecordBatch]:
        """Pass a result's batches on, and end its transaction after the last one."""
        count = 0
        is_complete = False
        try:
            while (batch := self._next_batch(batches)) is not None:
                count += batch.num_rows
                yield batch
            is_complete = True
        except NearshiftError as error:
            self._failed(text, error, is_own=is_own)
            raise
        finally:
            if is_complete:
                result.row_count = count if result.row_count is None else result.row_count
                if is_own:
                    self._finish(text)
                self._done(text, count)
            elif is_own and self.tx.is_open:
                self.roll_back_here()
                self._stop.stop_timer()

    def _next_batch(self, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        """Return the next batch, or None; the lock keeps `end_if_idle` away meanwhile."""
        with self._lock:
            if self._block.was_idle:
                raise self._block.refusal()
            self._last_active = self.house.clock.monotonic()
            return next(batches, None)

    def _failed(self, text: str, error: BaseException, *, is_own: bool) -> None:
        self._stop.stop_timer()
        self._last_active = self.house.clock.monotonic()
        if isinstance(error, Cancelled):
            self._stop.explain(error)
        if is_own or not self._block.is_explicit:
            if self.tx.is_open:
                self.roll_back_here()
        else:
            self._block.fail()
        if isinstance(error, NearshiftError):
            self.house.note_query(self, text, error)

    def _done(self, text: str, row_count: int) -> None:
        self._stop.stop_timer()
        self._last_active = self.house.clock.monotonic()
        self.last_query_id = self.running.query_id
        self.house.note_query(self, text, None, row_count)

    @contextlib.contextmanager
    def shifted(self, start: int) -> Iterator[None]:
        """Count the spans of errors raised inside from `start` characters earlier."""
        try:
            yield
        except NearshiftError as error:
            if error.span is not None:
                error.span = error.span.shifted(start)
            raise

    def dispatch(self, statement: st.Statement) -> Result:
        """Hand a statement to its command, inside the open transaction."""
        return dispatch(self, statement)
