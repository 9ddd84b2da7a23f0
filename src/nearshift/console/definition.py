"""What a dashboard file may say: the types that its YAML is decoded into. Reading and checking is in `reading`."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from msgspec import Struct, field


class Aggregate(Enum):
    """How a measure is folded."""

    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"


class Grain(Enum):
    """The unit that a time dimension is cut to, as DATE_TRUNC spells it."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


Format = Literal["number", "money", "percent", "bytes", "seconds", "milliseconds"]


class Dimension(Struct, frozen=True, forbid_unknown_fields=True):
    """Something to group and filter by: a column of the relation, or an expression over its columns."""

    column: str | None = None
    sql: str | None = None
    title: str | None = None
    grain: Grain | None = None


class Measure(Struct, frozen=True, forbid_unknown_fields=True):
    """A number per group: an aggregate of a column, or an aggregate expression (`sql`), which then has no choice of aggregation."""

    column: str | None = None
    aggregate: Aggregate = Aggregate.SUM
    sql: str | None = None
    title: str | None = None
    format: Format = "number"
    currency: str = "USD"


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """A control above the tiles: `choice` offers the values of a dimension, `time` a span that ends now."""

    dimension: str
    kind: Literal["choice", "time"] = "choice"
    default: str | None = None
    title: str | None = None


class _Tile(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """What every tile has: a place in a grid of twelve columns, in rows of about 40 pixels."""

    title: str
    id: str = ""
    width: int | None = None
    height: int | None = None
    sql: str | None = None


class KpiTile(_Tile, frozen=True, tag="kpi"):
    """One number. With `time` it has a trend line; with `window` it covers that span only and is compared with the span before.

    By `sql`: one row with the columns `value` and optionally `previous` and `note`; `trend_sql` gives (time, value) rows.
    """

    measure: str | None = None
    time: str | None = None
    window: str | None = None
    trend: str | None = None
    trend_sql: str | None = None
    note: str | None = None
    format: Format | None = None
    better: Literal["up", "down", "neutral"] = "up"
    warn_above: float | None = None
    warn_below: float | None = None


class ChartTile(_Tile, frozen=True, tag_field="type"):
    """What line, area, bar and donut share. `x` and `by` are dimensions and `y` a measure, or columns of the result of `sql`."""

    x: str = ""
    y: str = ""
    by: str | None = None
    grain: Grain | None = None
    window: str | None = None
    limit: int = 12
    format: Format | None = None
    mark: float | None = None
    is_stacked: bool = field(default=False, name="stacked")


class LineTile(ChartTile, frozen=True, tag="line"):
    """Lines over time or categories."""


class AreaTile(ChartTile, frozen=True, tag="area"):
    """Filled lines."""


class BarTile(ChartTile, frozen=True, tag="bar"):
    """Horizontal bars of the largest groups, or upright bars over time."""


class DonutTile(ChartTile, frozen=True, tag="donut"):
    """Shares of a whole."""


class TableTile(_Tile, frozen=True, tag="table"):
    """Rows as they are: columns of the relation in an order (`-column` is descending), or the result of `sql`."""

    columns: list[str] = field(default_factory=list)
    order_by: str | None = None
    limit: int = 20
    formats: dict[str, Format] = field(default_factory=dict)


class PivotTile(_Tile, frozen=True, tag="pivot"):
    """A table that its reader rearranges: any declared dimensions on rows and columns, any declared measure in the cells."""

    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    measure: str = ""
    is_heated: bool = field(default=True, name="heat")


Tile = KpiTile | LineTile | AreaTile | BarTile | DonutTile | TableTile | PivotTile
Chart = LineTile | AreaTile | BarTile | DonutTile


class Dashboard(Struct, frozen=True):
    """A checked dashboard: every name that a tile or filter uses is declared, every identifier is plain, every id is unique."""

    name: str
    title: str
    relation: str | None
    dimensions: dict[str, Dimension]
    measures: dict[str, Measure]
    filters: list[Filter]
    tiles: list[Tile]
    audit: str | None
    order: int
    description: str | None
