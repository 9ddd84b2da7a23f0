"""The SQLite file: one writer connection, one transaction per tick of the server's loop.

Theory of operation. Every request of one tick of the loop runs in a savepoint of the same SQLite transaction; the server commits once at
the end of the tick and only then sends the answers (group commit). So an item and its change record are in one transaction if they are
written in one `transaction()`, and nothing answered can be lost by kill -9. A request that fails is rolled back to its savepoint; if the
COMMIT itself fails (disk full) all of the tick is rolled back and every held answer becomes an error. What a service caches in memory
must survive neither: services add a function to `on_rollback` that reads the caches again; it runs only if rows had been written.

Page size 32768 must be set before WAL: with 4096 the rows of Kinesis, about 1.3 KB each, cost three times the file and the CPU time.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nearshift.localaws.errors import StartError

FILE_NAME = "local-aws.sqlite"
LOCK_NAME = "local-aws.lock"
FORMAT_VERSION = 1

_PRAGMAS = (
    "PRAGMA page_size=32768",
    "PRAGMA journal_mode=WAL",
    "PRAGMA wal_autocheckpoint=1000",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA mmap_size=1073741824",
)


class Store:
    """The open file. `connection` may be used for reads at any time and for writes inside `transaction()`; only one thread may use it."""

    def __init__(self, directory: Path, *, is_power_safe: bool = False) -> None:
        """Open or make the file in `directory`. Raises StartError if the directory is unusable or another process has it.

        With `is_power_safe` each commit waits for the disk; without, a commit survives the death of the process but not of the machine.
        """
        self.directory = directory
        self.on_rollback: list[Callable[[], None]] = []
        self._is_lost = False
        self._lock = _lock_directory(directory)
        try:
            self.connection = _open_file(directory / FILE_NAME, is_power_safe=is_power_safe)
        except BaseException:
            os.close(self._lock)
            raise

    def define(self, *statements: str) -> None:
        """Run a service's CREATE TABLE IF NOT EXISTS statements, in one transaction of their own."""
        self.connection.execute("BEGIN")
        try:
            for statement in statements:
                self.connection.execute(statement)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    @property
    def is_in_transaction(self) -> bool:
        """Say whether there are changes that no commit has covered yet."""
        return self._is_lost or self.connection.in_transaction

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run the block in a savepoint; all of it stays or, if the block raises, none of it. Nestable.

        The block is durable only after the next `commit()`, which is the server's to call.
        """
        connection = self.connection
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        connection.execute("SAVEPOINT request")
        changes_before = connection.total_changes
        try:
            yield connection
        except BaseException:
            has_written = connection.total_changes != changes_before
            if connection.in_transaction:
                connection.execute("ROLLBACK TO request")
                connection.execute("RELEASE request")
            else:
                # SQLite itself has rolled back (a full disk, an I/O error): the requests before this one are undone as well.
                self._is_lost = has_written = True
            if has_written:
                self._tell_rollback()
            raise
        connection.execute("RELEASE request")

    def commit(self) -> None:
        """Make everything since the last commit durable. On failure everything since then is undone and sqlite3.Error is raised."""
        if self._is_lost:
            self._is_lost = False
            self.rollback()
            message = "the transaction was undone by SQLite"
            raise sqlite3.OperationalError(message)
        if not self.connection.in_transaction:
            return
        try:
            self.connection.execute("COMMIT")
        except sqlite3.Error:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Undo everything since the last commit."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self._tell_rollback()

    def _tell_rollback(self) -> None:
        for reload_cache in self.on_rollback:
            reload_cache()

    def close(self) -> None:
        """Commit, close the file and let go of the directory. May be called twice."""
        if self._lock < 0:
            return
        try:
            self.commit()
        finally:
            self.connection.close()
            os.close(self._lock)
            self._lock = -1


def _open_file(path: Path, *, is_power_safe: bool) -> sqlite3.Connection:
    """Open the file as the one writer; raises StartError."""
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, isolation_level=None, cached_statements=512, check_same_thread=False)
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, FORMAT_VERSION):
            message = f'cannot open the store "{path}": its format is {found}, this version reads {FORMAT_VERSION}'
            raise StartError(message)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute("PRAGMA synchronous=FULL" if is_power_safe else "PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA user_version=1")
    except (sqlite3.Error, StartError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, StartError):
            raise
        message = f'cannot open the store "{path}": {error}'
        raise StartError(message) from error
    return connection


def _lock_directory(directory: Path) -> int:
    """Make the directory if it is missing and take its lock file; the lock ends with the process, whatever kills it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f'cannot use the directory "{directory}": {error.strerror}'
        raise StartError(message) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        message = f'the directory "{directory}" is in use by another process'
        raise StartError(message) from error
    return descriptor
