"""Results as JSON: columns with their Redshift types, values as a chart or as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from nearshift import limits
from nearshift.results import Result
from nearshift.types import NUMBERS, SUPER, Kind, SqlType

Cell = str | float | int | bool | None
_EXACT_MAX = 2**53
_TIMES = frozenset({Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.DATE})


@dataclass(frozen=True, slots=True)
class Grid:
    """A result, column by column. `is_cut` tells that there were more rows than the console fetches."""

    names: tuple[str, ...]
    types: tuple[SqlType, ...]
    columns: tuple[tuple[Any, ...], ...]
    is_cut: bool

    @property
    def row_count(self) -> int:
        """The number of rows fetched."""
        return len(self.columns[0]) if self.columns else 0

    def plain(self) -> dict[str, object]:
        """Return the grid for charts: numbers as numbers, times as milliseconds since 1970, all else as text."""
        return self._shown([_for_chart(kind) for kind in self.types])

    def text(self) -> dict[str, object]:
        """Return the grid for readers: every value as Redshift writes it, NULL as null."""
        return self._shown([to_text] * len(self.types))

    def _shown(self, convert: Sequence[Callable[[Any], Cell]]) -> dict[str, object]:
        heads = [
            {"name": name, "type": str(kind), "is_number": kind.kind in NUMBERS, "is_time": kind.kind in _TIMES, "is_super": kind == SUPER}
            for name, kind in zip(self.names, self.types, strict=True)
        ]
        values = [[change(value) for value in column] for change, column in zip(convert, self.columns, strict=True)]
        return {"columns": heads, "values": values, "row_count": self.row_count, "is_cut": self.is_cut}

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as Python values."""
        return list(zip(*self.columns, strict=True)) if self.columns else []


def read_grid(result: Result, rows_max: int = limits.CONSOLE_ROWS_MAX) -> Grid:
    """Read at most `rows_max` rows of a result and close it."""
    columns = result.columns or ()
    values: list[list[Any]] = [[] for _ in columns]
    count, is_cut = 0, False
    for batch in result.batches:
        room = rows_max - count
        if batch.num_rows > room:
            batch, is_cut = batch.slice(0, room), True
        for index, array in enumerate(batch.columns):
            values[index].extend(array.to_pylist())
        count += batch.num_rows
        if is_cut:
            break
    close = getattr(result.batches, "close", None)
    if close is not None:
        close()
    names, types = tuple(column.name for column in columns), tuple(column.type for column in columns)
    return Grid(names, types, tuple(tuple(column) for column in values), is_cut)


def to_text(value: Any) -> str | None:
    """Return a value as a Redshift client shows it: `2026-01-01 10:00:00`, `t`, bytes in hexadecimal; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _moment_text(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | time | int):
        return str(value)
    if isinstance(value, timedelta):
        return f"{value.days} days {timedelta(seconds=value.seconds, microseconds=value.microseconds)}"
    return str(value)


def _moment_text(value: datetime) -> str:
    text = value.strftime("%Y-%m-%d %H:%M:%S")
    if value.microsecond:
        text += f".{value.microsecond:06d}".rstrip("0")
    return text if value.tzinfo is None else f"{text}{value.strftime('%z')[:3]}"


def _for_chart(kind: SqlType) -> Callable[[Any], Cell]:
    if kind.kind in _TIMES:
        return to_milliseconds
    if kind.kind in NUMBERS:
        return _to_number
    return to_text


def to_milliseconds(value: Any) -> Cell:
    """Return milliseconds since 1970 (UTC) for a timestamp or date, None for None."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return int(value.timestamp() * 1000)


def _to_number(value: Any) -> Cell:
    if value is None:
        return None
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, int) and abs(value) > _EXACT_MAX:
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value  # type: ignore[no-any-return]


def to_csv(grid: Grid) -> str:
    """Return the grid as RFC 4180 text with a head line; NULL is an empty field, an empty string is `""`."""
    lines = [",".join(_field(name) for name in grid.names)]
    shown = [[to_text(value) for value in column] for column in grid.columns]
    lines.extend(",".join(_field(value) for value in row) for row in zip(*shown, strict=True))
    return "\r\n".join(lines) + "\r\n"


def _field(value: str | None) -> str:
    if value is None:
        return ""
    if value == "" or any(mark in value for mark in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


