"""Prepared statements and portals of one connection, and the rows that a suspended portal still has.

The session has one open result at a time. When a client suspends a portal (a driver's fetch size) and sends another statement, the rest of
the portal is parked: kept in memory, and above a bound in a temporary file that has no name. A portal whose rest is larger still fails at
its next Execute, and says so.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

import pyarrow as pa

from nearshift import limits
from nearshift.errors import NearshiftError
from nearshift.results import Prepared, Result
from nearshift.wire.encode_arrow import RowEncoder


@dataclass(frozen=True, slots=True)
class Statement:
    """A prepared statement; `prepared` is None for a text without a statement. `oids` says how values come and are described."""

    prepared: Prepared | None
    oids: tuple[int, ...] = ()


class Rows:
    """The batches of one result, in pieces of as many rows as a client asks for."""

    def __init__(self, result: Result) -> None:
        self._result: Result | None = result
        self._source: Iterator[pa.RecordBatch] = result.batches
        self._left: pa.RecordBatch | None = None
        self._failure: NearshiftError | None = None
        self._file: IO[bytes] | None = None

    def take(self, rows_max: int) -> Iterator[pa.RecordBatch]:
        """Yield batches with up to `rows_max` rows together, all rows for 0. Raises what the result raises."""
        wanted = rows_max
        while True:
            batch = self._next()
            if batch is None:
                return
            if rows_max and batch.num_rows > wanted:
                self._left = batch.slice(wanted)
                batch = batch.slice(0, wanted)
            if batch.num_rows:
                yield batch
            wanted -= batch.num_rows
            if rows_max and wanted <= 0:
                return

    def park(self) -> None:
        """Read the rest of the result now, so that the session is free for another statement. Errors are kept for the next `take`."""
        if self._result is None:
            return
        kept: deque[pa.RecordBatch] = deque()
        size = 0
        try:
            while size <= limits.PORTAL_MEMORY_BYTES_MAX:
                batch = next(self._source, None)
                if batch is None:
                    break
                size += batch.nbytes
                kept.append(batch)
            else:
                self._spill(kept)
        except NearshiftError as failure:
            self._failure = failure
        _close(self._result)
        self._result = None
        if self._file is None:
            self._source = _drain(kept)
        else:
            self._file.seek(0)
            self._source = _read(self._file)

    def close(self) -> None:
        """Give up what was not read."""
        if self._result is not None:
            _close(self._result)
            self._result = None
        if self._file is not None:
            self._file.close()
            self._file = None
        self._source, self._left = iter(()), None

    def _next(self) -> pa.RecordBatch | None:
        if self._left is not None:
            batch, self._left = self._left, None
            return batch
        batch = next(self._source, None)
        if batch is None:
            self.close()
            if self._failure is not None:
                raise self._failure
        return batch

    def _spill(self, kept: deque[pa.RecordBatch]) -> None:
        """Move the batches read so far and all others to a temporary file."""
        self._file = tempfile.TemporaryFile(prefix="nearshift-portal-")  # noqa: SIM115 - closed with the portal
        schema = kept[0].schema
        with pa.ipc.new_stream(self._file, schema) as writer:
            for batch in _drain(kept):
                writer.write_batch(batch)
            for batch in self._source:
                if self._file.tell() > limits.PORTAL_FILE_BYTES_MAX:
                    raise NearshiftError(
                        "the unread rows of a suspended portal are too many to be kept",
                        sqlstate="53400",
                        hint="Read the rows to the end before the next statement, or use a second connection.",
                    )
                writer.write_batch(batch)


def _drain(kept: deque[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while kept:
        yield kept.popleft()


def _read(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    with pa.ipc.open_stream(file) as reader:
        yield from reader


def _close(result: Result) -> None:
    close = getattr(result.batches, "close", None)
    if close is not None:
        with suppress(NearshiftError):
            close()


@dataclass(slots=True)
class Portal:
    """A statement bound to values; `rows` appear with the first Execute and stay, exhausted, after the last."""

    statement: Statement
    values: tuple[object, ...]
    formats: tuple[int, ...]
    rows: Rows | None = None
    encoder: RowEncoder | None = None
    command: str = ""
    is_run: bool = False

    def close(self) -> None:
        """Give up its rows."""
        if self.rows is not None:
            self.rows.close()


@dataclass(slots=True)
class Shelf:
    """The named and unnamed statements and portals of one connection."""

    statements: dict[str, Statement] = field(default_factory=dict)
    portals: dict[str, Portal] = field(default_factory=dict)

    def put_statement(self, name: str, statement: Statement) -> None:
        """Keep a statement; raises NearshiftError (42P05) for a name that is taken, (54000) for one too many."""
        if name and len(self.statements) >= limits.WIRE_STATEMENTS_MAX:
            raise NearshiftError(
                f"a connection can have {limits.WIRE_STATEMENTS_MAX} prepared statements", sqlstate="54000", hint="Close some."
            )
        self.check_statement_name(name)
        self.statements[name] = statement

    def check_statement_name(self, name: str) -> None:
        """Raise NearshiftError (42P05) if a named statement is there already."""
        if name and name in self.statements:
            raise NearshiftError(f'prepared statement "{name}" already exists', sqlstate="42P05")

    def statement(self, name: str) -> Statement:
        """Return a statement; raises NearshiftError (26000) for an unknown name."""
        found = self.statements.get(name)
        if found is None:
            message = f'prepared statement "{name}" does not exist' if name else "unnamed prepared statement does not exist"
            raise NearshiftError(message, sqlstate="26000")
        return found

    def put_portal(self, name: str, portal: Portal) -> None:
        """Keep a portal, in place of the unnamed one; raises NearshiftError (42P03) for a name that is taken, (54000) for one too many."""
        if name and name in self.portals:
            raise NearshiftError(f'cursor "{name}" already exists', sqlstate="42P03")
        if len(self.portals) >= limits.WIRE_PORTALS_MAX:
            raise NearshiftError(f"a connection can have {limits.WIRE_PORTALS_MAX} portals", sqlstate="54000", hint="Close some.")
        self.close_portal(name)
        self.portals[name] = portal

    def portal(self, name: str) -> Portal:
        """Return a portal; raises NearshiftError (34000) for an unknown name."""
        found = self.portals.get(name)
        if found is None:
            raise NearshiftError(f'portal "{name}" does not exist', sqlstate="34000")
        return found

    def close_portal(self, name: str) -> None:
        """Forget a portal if it is there."""
        portal = self.portals.pop(name, None)
        if portal is not None:
            portal.close()

    def park(self, but: Portal | None = None) -> None:
        """Read the open results of all portals but one to their ends, to free the session."""
        for portal in self.portals.values():
            if portal is not but and portal.rows is not None:
                portal.rows.park()

    def close_portals(self) -> None:
        """Forget all portals."""
        portals: Sequence[Portal] = tuple(self.portals.values())
        self.portals.clear()
        for portal in portals:
            portal.close()
