"""What a statement gives back, and what a client hears beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nearshift.sql.relations import Column
from nearshift.types import Kind, SqlType


def without_notes(batches: Iterator[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    """Take the blank off the end of SUPER values that have it, a note of ours about fractions (`sql.macros_documents`)."""
    places = [index for index, column in enumerate(columns) if column.type.kind is Kind.SUPER]
    return _trimmed(batches, places) if places else batches


def _trimmed(batches: Iterator[pa.RecordBatch], places: Sequence[int]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        arrays = list(batch.columns)
        for index in places:
            if pc.any(pc.ends_with(arrays[index], " ")).as_py():
                arrays[index] = pc.ascii_rtrim(arrays[index], " ")
        yield pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


class Severity(Enum):
    """Severity of a notice, as the wire spells it."""

    LOG = "LOG"
    INFO = "INFO"
    NOTICE = "NOTICE"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to the client beside the result: RAISE, REFRESH, DROP IF EXISTS."""

    severity: Severity
    message: str
    sqlstate: str = "00000"
    hint: str | None = None


class TransactionStatus(Enum):
    """Where a session stands; the value is ReadyForQuery's byte."""

    IDLE = "I"
    OPEN = "T"
    FAILED = "E"


@dataclass(slots=True)
class Result:
    """The outcome of one statement.

    `columns` is None for a statement without a result set. `batches` yields Arrow batches whose columns stand in the order of `columns`;
    it may raise NearshiftError while it is read, and must be read to its end or closed before the session's next statement. `row_count` is
    the number of rows affected or, once `batches` is drained, returned. `command` is the tag's word: SELECT, INSERT, CREATE TABLE, …
    """

    command: str
    columns: tuple[Column, ...] | None = None
    batches: Iterator[pa.RecordBatch] = field(default_factory=lambda: iter(()))
    row_count: int | None = None

    def rows(self) -> list[tuple[Any, ...]]:
        """Read all batches and return the rows as Python values; for small results."""
        found: list[tuple[Any, ...]] = []
        for batch in self.batches:
            found.extend(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        self.row_count = len(found) if self.columns is not None else self.row_count
        return found

    def tag(self) -> str:
        """Return the CommandComplete tag ("Message formats", PostgreSQL): `SELECT 3`, `INSERT 0 3`, `UPDATE 3`, `CREATE TABLE`."""
        if self.row_count is None:
            return self.command
        if self.command == "INSERT":
            return f"INSERT 0 {self.row_count}"
        return f"{self.command} {self.row_count}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A parsed and described statement: what Describe tells before anything runs.

    `columns` is None when the statement returns no rows.
    """

    text: str
    parameter_types: tuple[SqlType, ...]
    columns: tuple[Column, ...] | None
    statement: Any = None
