"""What binding makes of an expression: DuckDB text, a Redshift type, a label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nearshift.errors import Span
from nearshift.types import SqlType

NO_LABEL = "?column?"


class Keeper(Protocol):
    """Where a value taken out of SUPER stands inside its source, so that what is made of it can be computed there, once."""

    @property
    def inner(self) -> str:
        """The value's text inside the source."""
        ...

    def keep(self, text: str, fresh: Callable[[str], str]) -> str:
        """Compute `text`, written with `inner`, as a column of the source, and return the text that names it; the same text twice is one
        column. `text` must not raise: it is computed for every row.
        """
        ...


@dataclass(frozen=True, slots=True)
class Value:
    """A bound expression.

    `sql` is DuckDB text whose DuckDB type is `type.duckdb`, safe to stand as an operand. A string literal and NULL have type UNKNOWN until
    a neighbour gives them one: `literal` is the literal's text, `is_null` tells NULL, and `parameter` is the index of a client parameter
    that nobody has typed yet. `integer` is the value of an integer literal. A SUPER value may be JSON's `null`, which counts as NULL.
    """

    sql: str
    type: SqlType
    label: str = NO_LABEL
    span: Span | None = None
    literal: str | None = None
    is_null: bool = False
    parameter: int | None = None
    integer: int | None = None
    keeper: Keeper | None = None


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of a query: the label that users see, the name that it has in DuckDB's text, its type."""

    label: str
    sql_name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class BoundQuery:
    """A bound query: DuckDB text without parentheses, and its columns."""

    sql: str
    columns: tuple[OutputColumn, ...]
