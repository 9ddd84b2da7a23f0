"""The SQL of tiles, built from declared names; what a viewer chose arrives as parameters only.

Names come from the checked dashboard, never from a request, and are quoted; expressions (`sql:`) are the pipeline author's own. The SQL is
plain Redshift: one SELECT, GROUP BY ordinals, no function beyond DATE_TRUNC and the aggregates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from nearshift import limits
from nearshift.console.choices import Choices, Layout
from nearshift.console.definition import (
    Aggregate,
    BarTile,
    Chart,
    Dashboard,
    Dimension,
    DonutTile,
    Grain,
    KpiTile,
    Measure,
    PivotTile,
    TableTile,
)  # fmt: skip
from nearshift.console.places import parse_span
from nearshift.types import STRINGS, VARCHAR, Kind, SqlType

# Where the SQL of a tile wants the filters' condition.
FILTERS_MARK = "{filters}"
_DEFAULT_TREND = timedelta(hours=1)
_OPTIONS_MAX = 500
_TREND_GRAINS = (
    (timedelta(minutes=5), Grain.SECOND), (timedelta(hours=3), Grain.MINUTE), (timedelta(days=4), Grain.HOUR),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with the values of its parameters; equal queries give equal answers at one moment."""

    text: str
    values: tuple[str | datetime, ...] = ()
    types: tuple[SqlType, ...] = ()


@dataclass(slots=True)
class _Parameters:
    values: list[str | datetime] = field(default_factory=list)
    types: list[SqlType] = field(default_factory=list)

    def add(self, value: str | datetime, kind: SqlType) -> str:
        self.values.append(value)
        self.types.append(kind)
        return f"${len(self.values)}"

    def query(self, text: str) -> Query:
        return Query(text, tuple(self.values), tuple(self.types))


def quote(name: str) -> str:
    """Return an identifier, with dots between its parts, in quotes."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def describe_query(board: Dashboard) -> str:
    """Return the SELECT whose result columns have the types of the dimensions, in their order."""
    columns = ", ".join(f"{_expression(item, name)} AS {quote(name)}" for name, item in board.dimensions.items())
    return _select(columns, board)


class TileQueries:
    """Builds the queries of one dashboard for one set of choices at one moment.

    `types` are the types of the dimensions; `now` (aware) is where spans of time end.
    """

    def __init__(self, board: Dashboard, choices: Choices, types: Mapping[str, SqlType], now: datetime) -> None:
        self._board = board
        self._choices = choices
        self._types = types
        self._now = now

    def options(self, dimension: str) -> Query:
        """Return the query for the values that a choice filter offers; other filters do not narrow it."""
        expression = self._text(dimension)
        return Query(_select(f"DISTINCT {expression} AS value", self._board, f"ORDER BY 1 LIMIT {_OPTIONS_MAX}"))

    def free(self, text: str) -> Query:
        """Return an author's SQL with the filters' condition in place of its mark."""
        parameters = _Parameters()
        if FILTERS_MARK in text:
            text = text.replace(FILTERS_MARK, self._condition(parameters, None))
        return parameters.query(text.strip().rstrip(";"))

    def number(self, tile: KpiTile, periods_back: int) -> Query:
        """Return the query for a KPI's value, `periods_back` windows before the present one."""
        parameters = _Parameters()
        where = self._condition(parameters, None)
        if tile.time is not None and tile.window is not None:
            window = parse_span(tile.window)
            end = self._now - window * periods_back
            where = f"{where} AND {self._between(parameters, tile.time, end - window, end if periods_back else None)}"
        assert tile.measure is not None, "checked when the file was read"
        return parameters.query(_select(f"{self._measure(tile.measure)} AS value", self._board, f"WHERE {where}"))

    def trend(self, tile: KpiTile) -> Query | None:
        """Return the query for a KPI's small line, or None when it has no time."""
        if tile.trend_sql is not None:
            return self.free(tile.trend_sql)
        if tile.time is None or tile.measure is None:
            return None
        text = tile.trend or tile.window
        span = parse_span(text) if text is not None else _DEFAULT_TREND
        grain = next((grain for most, grain in _TREND_GRAINS if span <= most), Grain.DAY)
        parameters = _Parameters()
        where = self._condition(parameters, None)
        start, end = _whole(self._now - span, grain), _whole(self._now, grain)  # no unit that has only begun, since it looks like a fall
        where = f"{where} AND {self._between(parameters, tile.time, start, end)}"
        moment = f"date_trunc('{grain.value}', {self._column(tile.time)})"
        columns = f"{moment} AS at, {self._measure(tile.measure)} AS value"
        return parameters.query(_select(columns, self._board, f"WHERE {where} GROUP BY 1 ORDER BY 1 LIMIT {limits.CONSOLE_ROWS_MAX}"))

    def chart(self, tile: Chart) -> Query:
        """Return the query for a chart; its own dimension's filter is left out, so that the chart dims instead of shrinking."""
        parameters = _Parameters()
        where = self._condition(parameters, {tile.x, tile.by} - {None})
        if tile.window is not None:
            start = _whole(self._now - parse_span(tile.window), tile.grain or self._board.dimensions[tile.x].grain)
            where = f"{where} AND {self._between(parameters, tile.x, start, None)}"
        x = self._grouped(tile.x, tile.grain)
        y = self._measure(tile.y)
        is_time = self._is_time(tile.x)
        is_ranked = isinstance(tile, BarTile | DonutTile) and not is_time and tile.by is None
        order = "2 DESC NULLS LAST" if is_ranked else "1"
        limit = tile.limit if is_ranked else limits.CONSOLE_ROWS_MAX
        columns, groups = f"{x} AS x, {y} AS y", "1"
        if tile.by is not None:
            columns, groups, order = f"{columns}, {self._text(tile.by)} AS series", "1, 3", "1, 3"
        return parameters.query(_select(columns, self._board, f"WHERE {where} GROUP BY {groups} ORDER BY {order} LIMIT {limit}"))

    def table(self, tile: TableTile) -> Query:
        """Return the query for a table of the relation's columns."""
        parameters = _Parameters()
        columns = ", ".join(quote(column) for column in tile.columns)
        text = _select(columns, self._board, f"WHERE {self._condition(parameters, None)}")
        if tile.order_by:
            text += f" ORDER BY {quote(tile.order_by.lstrip('-'))}{' DESC' if tile.order_by.startswith('-') else ''}"
        return parameters.query(f"{text} LIMIT {min(tile.limit, limits.CONSOLE_ROWS_MAX)}")

    def pivot(self, tile: PivotTile) -> dict[str, Query]:
        """Return the queries for a pivot's cells and totals.

        Totals are asked for, not added up in the browser, since averages, extremes and distinct counts do not add up.
        """
        layout = self._choices.pivots[tile.id]
        wanted: dict[str, list[str]] = {"total": []}
        if layout.rows:
            wanted["rows"] = layout.rows
        if layout.columns:
            wanted["columns"] = layout.columns
        if layout.rows and layout.columns:
            wanted["cells"] = [*layout.rows, *layout.columns]
        return {part: self._pivot_part(layout, dimensions) for part, dimensions in wanted.items()}

    def _pivot_part(self, layout: Layout, dimensions: Sequence[str]) -> Query:
        parameters = _Parameters()
        where = self._condition(parameters, None)
        groups = [f"{self._grouped(name, None)} AS d{index}" for index, name in enumerate(dimensions, 1)]
        groups.append(f"{self._measure(layout.measure, layout.aggregate)} AS value")
        text = _select(", ".join(groups), self._board, f"WHERE {where}")
        if dimensions:
            ordinals = ", ".join(str(index) for index in range(1, len(groups)))
            text += f" GROUP BY {ordinals} ORDER BY {ordinals}"
        return parameters.query(f"{text} LIMIT {limits.CONSOLE_ROWS_MAX}")

    def _condition(self, parameters: _Parameters, without: set[str | None] | None) -> str:
        conditions: list[str] = []
        for control in self._board.filters:
            values = self._choices.filters.get(control.dimension)
            if not values or (without and control.dimension in without):
                continue
            if control.kind == "time":
                if values[0] is not None and values[0] != "all":
                    conditions.append(self._between(parameters, control.dimension, self._now - parse_span(values[0]), None))
                continue
            conditions.append(self._among(parameters, control.dimension, values))
        return " AND ".join(conditions) or "1 = 1"

    def _among(self, parameters: _Parameters, dimension: str, values: Sequence[str | None]) -> str:
        expression = self._text(dimension)
        marks = ", ".join(parameters.add(value, VARCHAR) for value in values if value is not None)
        parts = [f"{expression} IN ({marks})"] if marks else []
        if None in values:
            parts.append(f"{expression} IS NULL")
        return f"({' OR '.join(parts)})"

    def _between(self, parameters: _Parameters, dimension: str, start: datetime, end: datetime | None) -> str:
        kind = self._types[dimension]
        column = self._column(dimension)
        text = f"{column} >= {parameters.add(_moment(start, kind), _moment_type(kind))}"
        return text if end is None else f"{text} AND {column} < {parameters.add(_moment(end, kind), _moment_type(kind))}"

    def _is_time(self, dimension: str) -> bool:
        return self._types[dimension].kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.DATE}

    def _column(self, dimension: str) -> str:
        return _bare(self._board.dimensions[dimension], dimension)

    def _grouped(self, dimension: str, grain: Grain | None) -> str:
        item = self._board.dimensions[dimension]
        if grain is not None:
            return f"date_trunc('{grain.value}', {_bare(item, dimension)})"
        return _expression(item, dimension)

    def _text(self, dimension: str) -> str:
        expression = _expression(self._board.dimensions[dimension], dimension)
        return expression if self._types[dimension].kind in STRINGS else f"CAST({expression} AS varchar(65535))"

    def _measure(self, name: str, aggregate: Aggregate | None = None) -> str:
        return measure_expression(self._board.measures[name], name, aggregate)


def measure_expression(item: Measure, name: str, aggregate: Aggregate | None = None) -> str:
    """Return the aggregate expression of a measure; `aggregate` overrides the declared one unless the measure is an expression."""
    if item.sql is not None:
        return f"({item.sql})"
    chosen = aggregate or item.aggregate
    if item.column is None and chosen is Aggregate.COUNT:
        return "count(*)"
    column = quote(item.column or name)
    if chosen is Aggregate.COUNT_DISTINCT:
        return f"count(DISTINCT {column})"
    if chosen is Aggregate.AVG:  # Redshift cuts the average of integers to a whole number
        return f"avg(CAST({column} AS double precision))"
    return f"{chosen.value}({column})"


def _select(columns: str, board: Dashboard, rest: str = "") -> str:
    assert board.relation is not None, "checked when the file was read"
    return " ".join(("SELECT", columns, "FROM", quote(board.relation), rest)).rstrip()


def _bare(item: Dimension, name: str) -> str:
    return f"({item.sql})" if item.sql is not None else quote(item.column or name)


def _expression(item: Dimension, name: str) -> str:
    return f"date_trunc('{item.grain.value}', {_bare(item, name)})" if item.grain is not None else _bare(item, name)


def _moment_type(kind: SqlType) -> SqlType:
    return SqlType(Kind.TIMESTAMPTZ) if kind.kind is Kind.TIMESTAMPTZ else SqlType(Kind.TIMESTAMP)


def _moment(instant: datetime, kind: SqlType) -> datetime:
    return instant if kind.kind is Kind.TIMESTAMPTZ else instant.astimezone(UTC).replace(tzinfo=None)


def _whole(instant: datetime, grain: Grain | None) -> datetime:
    """Return the start of the unit (at most a day) that `instant` is in, so that the first group is not cut."""
    if grain is None:
        return instant
    cut: dict[str, int] = {"microsecond": 0}
    for unit, name in ((Grain.SECOND, "second"), (Grain.MINUTE, "minute"), (Grain.HOUR, "hour")):
        if unit is grain:
            break
        cut[name] = 0
    return instant.astimezone(UTC).replace(**cut)  # type: ignore[arg-type]
