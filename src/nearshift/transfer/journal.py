"""What COPY and UNLOAD leave behind for the system views: rows of the catalog, written beside the load's own transaction.

They stay when the load is rolled back. They are only appended, which never conflicts with other writers, so they need no write lane; the
load may be holding it. Old ones are forgotten inside a load's transaction, which has the lane.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa

from nearshift import limits
from nearshift.catalog.catalog import Rows
from nearshift.transfer.batches import Failure, LoadColumn, short_length, short_type
from nearshift.transfer.loading import Loaded


class Journalling(Rows, Protocol):
    """A connection of its own for these rows."""

    def registered(self, name: str, table: pa.Table | pa.RecordBatch) -> Any:
        """Make an Arrow table readable for a while."""
        ...

    def begin(self) -> None:
        """Open a transaction."""
        ...

    def commit(self) -> None:
        """Commit it."""
        ...

    def close(self) -> None:
        """Roll back what is open, and close."""
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who runs the statement, and since when."""

    query_id: int
    user_id: int
    session_id: int
    transaction_id: int
    database: str
    started_at: datetime

    @property
    def started(self) -> datetime:
        """The start, as the catalog stores times."""
        return naive(self.started_at)


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """What is loaded from where."""

    table_id: int
    table_name: str
    source: str
    file_format: str
    columns: Sequence[LoadColumn]


@dataclass(frozen=True, slots=True)
class UnloadedFile:
    """A file that UNLOAD wrote."""

    url: str
    started_at: datetime
    ended_at: datetime
    rows: int
    size: int


def naive(moment: datetime) -> datetime:
    """Return a moment in UTC without its zone, as the catalog stores it."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def forget_old(connection: Rows, now: datetime) -> None:
    """Delete what is older than LOAD_HISTORY_DAYS; in a transaction that has the write lane."""
    before = naive(now) - timedelta(days=limits.LOAD_HISTORY_DAYS)
    for statement in _OLD:
        connection.execute(statement, [before])


_OLD = (
    "DELETE FROM nearshift.loads WHERE started_at < $1",
    "DELETE FROM nearshift.load_files WHERE started_at < $1",
    "DELETE FROM nearshift.load_errors WHERE started_at < $1",
    "DELETE FROM nearshift.unloads WHERE started_at < $1",
    "DELETE FROM nearshift.unload_files WHERE started_at < $1",
)


def note_load(connection: Journalling, actor: Actor, target: LoadTarget, loaded: Loaded, now: datetime, *, is_done: bool) -> None:
    """Write what a COPY did, whether it was `is_done` or failed; closes the connection."""
    try:
        connection.begin()
        ended = naive(now)
        connection.execute(
            "INSERT INTO nearshift.loads VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            [
                actor.query_id, actor.user_id, actor.session_id, actor.transaction_id, actor.database, target.table_id, target.table_name,
                "completed" if is_done else "aborted", actor.started, ended, target.source, target.file_format,
                loaded.row_count if is_done else 0, loaded.error_count, len(loaded.files), sum(one.found.size for one in loaded.files),
            ],
        )  # fmt: skip
        for file in loaded.files:
            connection.execute(
                "INSERT INTO nearshift.load_files VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                [
                    actor.query_id, actor.user_id, file.found.url, file.bytes_read, file.lines, naive(file.started_at),
                    naive(file.ended_at) if file.ended_at else None, file.found.etag,
                    naive(file.found.modified_at) if file.found.modified_at else None, actor.started, is_done,
                ],
            )  # fmt: skip
        if loaded.failures:
            rows = [_error_row(actor, target, url, failure) for url, failure in loaded.failures]
            columns = [pa.array(values) for values in zip(*rows, strict=True)]
            with connection.registered(_ERRORS, pa.table(columns, names=[f"c{number}" for number in range(len(columns))])):
                connection.execute(_NOTE_ERRORS)
        connection.commit()
    finally:
        connection.close()


# One statement for all, since there may be a hundred thousand.
_ERRORS = "nearshift$errors"
_NOTE_ERRORS = f'INSERT INTO nearshift.load_errors SELECT * FROM "{_ERRORS}"'  # noqa: S608 - a constant


def _error_row(actor: Actor, target: LoadTarget, url: str, failure: Failure) -> list[object]:
    column = failure.column
    fields = [
        {
            "name": one.name,
            "type": short_type(one.type),
            "length": short_length(one.type),
            "value": value if value is None else value[:1024],
        }
        for one, value in zip(target.columns, failure.values, strict=False)
    ]
    return [
        actor.query_id, actor.user_id, actor.session_id, actor.transaction_id, actor.database, target.table_id, actor.started, url,
        failure.line, column.name if column else None, short_type(column.type) if column else None,
        short_length(column.type) if column else None, failure.position, failure.raw_line[:1024], failure.raw_value[:1024], failure.code,
        failure.reason, json.dumps(fields, ensure_ascii=False),
    ]  # fmt: skip


def note_unload(
    connection: Journalling, actor: Actor, shape: tuple[str, str, str], files: Sequence[UnloadedFile], now: datetime, error: str | None
) -> None:
    """Write what an UNLOAD did; `shape` is format, compression and destination. Closes the connection."""
    file_format, compression, location = shape
    try:
        connection.begin()
        connection.execute(
            "INSERT INTO nearshift.unloads VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            [
                actor.query_id, actor.user_id, actor.session_id, actor.transaction_id, actor.database,
                "aborted" if error else "completed", actor.started, naive(now), file_format, compression, location,
                sum(one.rows for one in files), len(files), sum(one.size for one in files), error,
            ],
        )  # fmt: skip
        for file in files:
            connection.execute(
                "INSERT INTO nearshift.unload_files VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                [
                    actor.query_id, actor.user_id, actor.session_id, actor.transaction_id, file.url, naive(file.started_at),
                    naive(file.ended_at), file.rows, file.size, file_format,
                ],
            )  # fmt: skip
        connection.commit()
    finally:
        connection.close()
