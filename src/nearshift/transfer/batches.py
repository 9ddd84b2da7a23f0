"""What readers of files hand to the loader: batches of values, one column per column of the table, and the rows that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nearshift.types import Kind, SqlType


@dataclass(frozen=True, slots=True)
class LoadColumn:
    """A column of the table that is loaded, in the order of the file's fields."""

    name: str
    type: SqlType
    is_nullable: bool = True


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a row stands in its file: the line (of a JSON document: its last) from 1, and its text."""

    line: int
    raw: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One row that was not loaded, as STL_LOAD_ERRORS tells it; `column` is None when the row as a whole is wrong."""

    line: int
    column: LoadColumn | None
    position: int
    raw_line: str
    raw_value: str
    code: int
    reason: str
    values: tuple[str | None, ...] = ()


@dataclass(slots=True)
class Batch:
    """Some rows of one file.

    `columns` are Arrow arrays of one length, of text unless the file's format has types. `lines` counts what was read for them, bad rows
    included. `trace` tells where the rows of some indexes stand; it may read the batch's bytes again and is asked only about bad rows.
    """

    columns: Sequence[Any]
    row_count: int
    lines: int
    trace: Callable[[Sequence[int]], Sequence[Trace]]
    failures: list[Failure] = field(default_factory=list)


# Redshift's short names of types, which its load errors show.
_SHORT = {
    Kind.BOOLEAN: "bool", Kind.SMALLINT: "int2", Kind.INTEGER: "int4", Kind.BIGINT: "int8", Kind.DECIMAL: "numeric", Kind.REAL: "float4",
    Kind.DOUBLE: "float8", Kind.CHAR: "char", Kind.VARCHAR: "varchar", Kind.DATE: "date", Kind.TIME: "time", Kind.TIMETZ: "timetz",
    Kind.TIMESTAMP: "timestamp", Kind.TIMESTAMPTZ: "timestamptz", Kind.INTERVAL: "interval", Kind.SUPER: "super", Kind.VARBYTE: "varbyte",
}  # fmt: skip


def short_type(kind: SqlType) -> str:
    """Return the name of a type as load errors show it."""
    return _SHORT.get(kind.kind, kind.kind.value)


def short_length(kind: SqlType) -> str:
    """Return the length of a type as load errors show it; 0 where a type has none."""
    if kind.kind is Kind.DECIMAL:
        return f"{kind.precision or 18},{kind.scale or 0}"
    return str(kind.length or 0)
