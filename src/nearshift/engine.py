"""The only module that imports duckdb: one open file, its connections, and what its errors mean.

The engine knows no Redshift. A Connection has at most one transaction and one open result. Writers take turns in the Lane, since DuckDB
fails the second writer of a row at once where Redshift lets it wait. DuckDB's private `_bind` (describe without running) and `_submit`
(stream a result) are used here only; `HAS_PRIVATE_CALLS` turns to the public substitutes, which the tests exercise too.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from nearshift import limits
from nearshift.engine_errors import translate
from nearshift.errors import Cancelled, Conflict, NearshiftError

log = logging.getLogger("nearshift.engine")

HAS_PRIVATE_CALLS = hasattr(duckdb.DuckDBPyConnection, "_bind") and hasattr(duckdb.DuckDBPyConnection, "_submit")

_FORCE_INTERVAL_SECONDS = 30.0
_open_files: set[Path] = set()
_open_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_open_lock = threading.Lock()
_CONFIG = {
    "integer_division": "true",
    "default_null_order": "nulls_last_on_asc_first_on_desc",
    "preserve_identifier_case": "true",
    "python_enable_replacements": "false",
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_persistent_secrets": "false",
    "max_vacuum_tasks": "0",
    "checkpoint_threshold": f"{limits.WAL_BYTES_MAX * 4 // limits.MIB}MiB",
}


@dataclass(frozen=True, slots=True)
class Described:
    """What DuckDB says of a statement without running it: result names and types, and parameter types by name, as DuckDB spells them."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    parameters: dict[str, str]


class Lane:
    """The write lane: one transaction that writes at a time, in the order in which they came. A Connection holds it at most once.

    First come, first served matters: with a plain lock a busy schedule takes the lane again before others have woken, and they starve.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._is_taken = False

    def try_take(self, seconds: float, gives_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait at most `seconds` for the lane, or until `gives_up` says so (asked often); return whether it was taken."""
        place = object()
        deadline = time.monotonic() + seconds
        with self._changed:
            self._queue.append(place)
            try:
                while self._is_taken or self._queue[0] is not place:
                    left = deadline - time.monotonic()
                    if left <= 0 or gives_up():
                        return False
                    self._changed.wait(min(left, 0.02))
                self._is_taken = True
                return True
            finally:
                self._queue.remove(place)
                self._changed.notify_all()

    def leave(self) -> None:
        """Give the lane to whoever waited longest."""
        with self._changed:
            self._is_taken = False
            self._changed.notify_all()


class Connection:
    """One conversation with DuckDB. Used by one thread at a time, except `interrupt`."""

    def __init__(self, engine: Engine, raw: duckdb.DuckDBPyConnection) -> None:
        self._engine = engine
        self._raw = raw
        self._reader: pa.RecordBatchReader | None = None
        self._is_interrupted = False
        self._time_zone = "UTC"
        self.is_in_transaction = False
        self.has_lane = False

    def begin(self, *, takes_lane: bool = False) -> None:
        """Start a transaction; its snapshot is taken by its first statement. With the lane it may write without conflicts."""
        assert not self.is_in_transaction, "a transaction is open"
        if takes_lane:
            self.take_lane()
        self._engine.enter_transaction()
        try:
            self._guard(self._raw.begin)
        except NearshiftError:
            self._engine.leave_transaction()
            self.leave_lane()
            raise
        self.is_in_transaction = True

    def take_lane(self) -> None:
        """Take the write lane for the rest of this transaction, waiting if need be; harmless when it is held.

        Raises Conflict (55P03) when it is not free in time, Cancelled when the wait is interrupted.
        """
        if not self.take_lane_unless(lambda: False):
            if self._is_interrupted:
                raise Cancelled("canceling statement due to user request")
            raise Conflict(
                "could not obtain the write lane: another transaction that wrote is still open",
                sqlstate="55P03",
                hint="Commit or roll back the other transaction, then try again.",
            )

    def take_lane_unless(self, gives_up: Callable[[], bool]) -> bool:
        """Take the write lane for the next transaction unless `gives_up` says to stop waiting; return whether it is held now."""
        if not self.has_lane:
            self.has_lane = self._engine.lane.try_take(limits.LANE_WAIT_SECONDS_MAX, lambda: self._is_interrupted or gives_up())
        return self.has_lane

    def commit(self) -> None:
        """Commit, and give the lane back whatever happens. When it raises, nothing of the transaction was kept."""
        self._end(self._raw.commit)

    def rollback(self) -> None:
        """Roll back, and give the lane back; harmless without a transaction."""
        if self.is_in_transaction:
            with contextlib.suppress(NearshiftError):
                self._end(self._raw.rollback)

    def _end(self, act: Any) -> None:
        self.close_result()
        try:
            self._guard(act)
        except NearshiftError:
            with contextlib.suppress(duckdb.Error):
                self._raw.rollback()
            raise
        finally:
            self.is_in_transaction = False
            self._engine.leave_transaction()
            self.leave_lane()

    def leave_lane(self) -> None:
        """Give the lane back; harmless when it is not held."""
        if self.has_lane:
            self.has_lane = False
            self._engine.lane.leave()

    def set_time_zone(self, name: str) -> None:
        """Let casts between times with and without a zone go by this IANA zone from now on; UTC until then."""
        if name != self._time_zone:
            self.execute("SET SESSION TimeZone = $1", [name])
            self._time_zone = name

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement to its end and return the rows it affected (0 for statements that affect none)."""
        self.close_result()
        result = self._guard(self._raw.execute, sql, list(values) or None)
        found = self._guard(result.fetchall) if result.description else []
        is_count = len(found) == 1 and len(found[0]) == 1 and result.description[0][0] == "Count"
        return int(found[0][0]) if is_count else 0

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return its rows as Python values; for small results."""
        self.close_result()
        result = self._guard(self._raw.execute, sql, list(values) or None)
        return self._guard(result.fetchall)  # type: ignore[no-any-return]

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[pa.RecordBatch]:
        """Run a query and return its Arrow batches; the first is ready at once, memory stays flat. One stream is open at a time."""
        self.close_result()
        if HAS_PRIVATE_CALLS:
            result = self._guard(self._raw._submit, sql, list(values) or None, "stream", limits.RESULT_BATCH_ROWS)
            reader = self._guard(result.arrow_reader)
        else:
            relation = self._guard(self._raw.sql, sql, params=list(values) or None)
            reader = self._guard(relation.to_arrow_reader, limits.RESULT_BATCH_ROWS)
        self._reader = reader
        return self._batches(reader)

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        try:
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                except (duckdb.Error, pa.ArrowException, OSError) as error:
                    raise translate(error) from error
                if batch.num_rows:
                    yield batch
        finally:
            reader.close()
            if self._reader is reader:
                self._reader = None

    def close_result(self) -> None:
        """Give up the open result, if any."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def describe(self, sql: str, values: Sequence[object] | None = None) -> Described:
        """Tell a statement's result and parameters without running it."""
        self.close_result()
        if HAS_PRIVATE_CALLS:
            bound = self._guard(self._raw._bind, sql, values=values)
            return Described(tuple(bound[0]), tuple(str(t) for t in bound[1]), {name: str(t) for name, t in bound[2]})
        relation = self._guard(self._raw.sql, sql, params=list(values or ()))
        return Described(tuple(relation.columns), tuple(str(t) for t in relation.types), {})

    @contextlib.contextmanager
    def registered(self, name: str, table: pa.Table | pa.RecordBatch) -> Iterator[None]:
        """Make an Arrow table readable under `name` on this connection for a while.

        An error inside is raised as it is: forgetting the table fails too in a transaction that an error has aborted.
        """
        self.close_result()
        self._guard(self._raw.register, name, pa.table(table) if isinstance(table, pa.RecordBatch) else table)
        try:
            yield
        finally:
            self.close_result()
            with contextlib.suppress(duckdb.Error):
                self._raw.unregister(name)

    def interrupt(self) -> None:
        """Stop what runs on this connection, also a wait for the lane; from any thread. Its transaction can then only be rolled back."""
        self._is_interrupted = True
        self._raw.interrupt()

    def forget_interrupt(self) -> None:
        """Let the next statement run: an interrupt that came after the last one had ended stops nothing."""
        self._is_interrupted = False

    def close(self) -> None:
        """Roll back what is open and close. Closing twice is harmless."""
        self.rollback()
        self.close_result()
        with contextlib.suppress(duckdb.Error):
            self._raw.close()

    @staticmethod
    def _guard(act: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return act(*arguments, **named)
        except (duckdb.Error, RuntimeError, OSError) as error:
            raise translate(error) from error


class Engine:
    """One DuckDB file (or memory), opened by this process alone."""

    def __init__(self, path: Path | None, raw: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self.lane = Lane()
        self._raw = raw
        self._open = 0
        self._changed = threading.Condition()
        self._is_held = False
        self._next_force = 0.0

    @classmethod
    def open(cls, path: Path | None, *, memory_limit_mib: int | None = None, threads: int | None = None) -> Engine:
        """Open or create the file; None means in memory.

        Raises Conflict (55006) when another process has it, StreamError-free NearshiftError when the file is no database or the path
        cannot be written.
        """
        config: dict[str, str | bool | int | float | list[str]] = dict(_CONFIG)
        if memory_limit_mib is not None:
            config["memory_limit"] = f"{memory_limit_mib}MiB"
        if threads is not None:
            config["threads"] = str(threads)
        file = None if path is None else path.resolve()
        with _open_lock:
            # DuckDB would give this process the same database again, with which two lanes and two catalogs would quarrel.
            if file is not None and file in _open_files:
                raise Conflict(
                    f'the warehouse file "{path}" is in use by this process', sqlstate="55006", hint="Use the warehouse that is open."
                )
            try:
                raw = duckdb.connect(":memory:" if path is None else str(path), config=config)
            except (duckdb.Error, OSError) as error:
                raise translate(error, path=path) from error
            if file is not None:
                _open_files.add(file)
        engine = cls(path, raw)
        _open_engines.add(engine)
        connection = engine.connect()
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        connection.close()
        return engine

    def define(
        self, name: str, arguments: Sequence[str], result: str, function: Callable[..., pa.Array], *, has_effects: bool = False
    ) -> None:
        """Make a function over Arrow arrays callable in SQL, in all connections, until the file is closed; types are DuckDB's names.

        One that `has_effects` is called once per row and never while a statement is planned.
        """
        self._raw.create_function(
            name, function, [duckdb.type(one) for one in arguments], duckdb.type(result), type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL, side_effects=has_effects,
        )  # fmt: skip

    def connect(self) -> Connection:
        """Return a new connection with temporary tables and a transaction of its own."""
        return Connection(self, self._raw.cursor())

    def enter_transaction(self) -> None:
        """Count a transaction in, waiting while new ones are held back for a file flush."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_held, timeout=limits.LANE_WAIT_SECONDS_MAX)
            self._open += 1

    def leave_transaction(self) -> None:
        """Count a transaction out."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    @property
    def wal_bytes(self) -> int:
        """The size of the write-ahead log on disk."""
        if self.path is None:
            return 0
        wal = self.path.with_name(self.path.name + ".wal")
        return wal.stat().st_size if wal.exists() else 0

    def flush_if_due(self) -> bool:
        """Fold the write-ahead log into the file when it is large; return whether it was.

        Above WAL_BYTES_QUIET only a quiet moment is used (no transaction open). Above WAL_BYTES_MAX new transactions are held back until
        the open ones have ended (bounded), since under constant reading DuckDB finds no moment of its own and the log grows without end.
        """
        size = self.wal_bytes
        if size < limits.WAL_BYTES_QUIET:
            return False
        must = size >= limits.WAL_BYTES_MAX and time.monotonic() >= self._next_force
        with self._changed:
            if self._open and not must:
                return False
            self._is_held = True
            is_quiet = self._changed.wait_for(lambda: self._open == 0, timeout=5.0 if must else 0.0)
        try:
            if not is_quiet:
                # Somebody reads for long: holding all others back again at once would help nobody.
                self._next_force = time.monotonic() + _FORCE_INTERVAL_SECONDS
                return False
            cursor = self._raw.cursor()
            cursor.execute("CHECKPOINT")
            cursor.close()
        except duckdb.Error as error:
            log.warning("the write-ahead log of %d bytes was not folded: %s", size, error)
            return False
        else:
            return True
        finally:
            with self._changed:
                self._is_held = False
                self._changed.notify_all()

    def close(self) -> None:
        """Close the file; connections still open fail from now on. Closing twice is harmless."""
        with _open_lock, contextlib.suppress(duckdb.Error):
            self._raw.close()
            if self.path is not None:
                _open_files.discard(self.path.resolve())


def _close_all() -> None:
    """Close what a program left open when it ends, before DuckDB's own objects are taken down in any order."""
    for engine in list(_open_engines):
        engine.close()


atexit.register(_close_all)
