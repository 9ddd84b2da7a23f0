"""The table of aggregates and window functions. Source pages: "Aggregate functions", "Window functions"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from nearshift.errors import InvalidSql
from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce, settled
from nearshift.sql.bind_logic import as_boolean
from nearshift.sql.bind_order import ordered
from nearshift.sql.bind_values import Value
from nearshift.sql.numeric import sum_type
from nearshift.types import BIGINT, BOOLEAN, DOUBLE, INTEGERS, NUMBERS, STRINGS, SUPER, VARCHAR, Kind, decimal


@dataclass(slots=True)
class Aggregation:
    """One aggregate or window call as it is put together; `over` is the text of OVER with a blank before it, or nothing."""

    binder: Binder
    node: exp.Expr
    name: str
    values: list[Value]
    distinct: str = ""
    over: str = ""
    within: list[tuple[Value, exp.Expr]] = field(default_factory=list)
    nulls: str = ""
    has_order: bool = False
    has_frame: bool = False

    def call(self, name: str, argument: str) -> str:
        """Return one call of a DuckDB aggregate with DISTINCT and OVER where they belong."""
        return f"{name}({self.distinct}{argument}{self.nulls}){self.over}"

    def error(self, message: str, *, sqlstate: str = "42883", hint: str | None = None) -> InvalidSql:
        """Return an error placed at the call."""
        return self.binder.invalid(self.node, message, sqlstate=sqlstate, hint=hint)


Lowering = Callable[[Aggregation], Value]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A row: the number of arguments, the lowering, the page, and whether it exists as a window function only."""

    name: str
    minimum: int
    maximum: int
    lowering: Lowering
    page: str
    needs_over: bool = False
    is_ranking: bool = False


def _numeric(one: Aggregation) -> Value:
    value = one.values[0]
    if value.type.kind is Kind.SUPER:
        return value
    if value.type.kind is Kind.UNKNOWN or value.type.kind in STRINGS:
        return coerce(one.binder, value, DOUBLE, one.node)
    if value.type.kind not in NUMBERS:
        raise one.error(f"function {one.name}({value.type.kind.value}) does not exist", hint="Cast the argument to a number.")
    return value


def _sum(one: Aggregation) -> Value:
    value = _numeric(one)
    if value.type.kind is Kind.SUPER:
        total = one.call("sum", f"nearshift_sql.super_decimal({value.sql})")
        return Value(f"nearshift_sql.number_json({total})", SUPER)
    result = sum_type(value.type)
    return Value(f"CAST({one.call('sum', value.sql)} AS {result.duckdb})", result)


def _avg(one: Aggregation) -> Value:
    value = _numeric(one)
    if value.type.kind is Kind.SUPER:
        return Value(f"nearshift_sql.number_json({one.call('avg', f'nearshift_sql.super_decimal({value.sql})')})", SUPER)
    if value.type.kind in INTEGERS:
        total, count = one.call("sum", value.sql), one.call("count", value.sql)
        return Value(f"CAST({total} // nullif({count}, 0) AS BIGINT)", BIGINT)
    if value.type.kind is Kind.DECIMAL:
        # DuckDB's own is a float's and keeps sixteen digits.
        result = decimal(38, value.type.scale or 0)
        total, count = f"CAST({one.call('sum', value.sql)} AS {result.duckdb})", one.call("count", value.sql)
        return Value(f"CAST(nearshift_sql.average({total}, {count}, {result.scale}) AS {result.duckdb})", result)
    return Value(one.call("avg", value.sql), DOUBLE)


def _count(one: Aggregation) -> Value:
    value = one.values[0]
    if value.sql == "*":
        return Value(f"count(*){one.over}", BIGINT)
    sql = value.sql
    if value.type.kind is Kind.SUPER:
        sql = f"nearshift_sql.super_canonical({sql})" if one.distinct else f"nullif({sql}, 'null')"
    return Value(one.call("count", sql), BIGINT)


def _extreme(one: Aggregation) -> Value:
    value = settled(one.binder, one.values[0])
    if value.type.kind is Kind.SUPER:
        word = "arg_min" if one.name == "min" else "arg_max"
        return Value(f"{word}({value.sql}, nearshift_sql.super_key({value.sql})){one.over}", SUPER)
    if value.type.kind is Kind.BOOLEAN:
        raise one.error(f"function {one.name}(boolean) does not exist", hint="Use BOOL_AND or BOOL_OR.")
    return Value(one.call(one.name, value.sql), value.type)


def _any_value(one: Aggregation) -> Value:
    value = settled(one.binder, one.values[0])
    return Value(one.call("any_value", value.sql), value.type)


def _boolean(one: Aggregation) -> Value:
    return Value(one.call(one.name, as_boolean(one.binder, one.values[0], one.node, one.name.upper()).sql), BOOLEAN)


def _bits(one: Aggregation) -> Value:
    value = one.values[0]
    if value.type.kind not in INTEGERS:
        raise one.error(f"function {one.name}({value.type.kind.value}) does not exist")
    return Value(one.call(one.name, value.sql), value.type)


def _spread(name: str) -> Lowering:
    def lower(one: Aggregation) -> Value:
        value = coerce(one.binder, _numeric(one), DOUBLE, one.node)
        return Value(one.call(name, value.sql), DOUBLE)

    return lower


def _listagg(one: Aggregation) -> Value:
    value = coerce(one.binder, one.values[0], VARCHAR, one.node)
    if len(one.values) > 1 and one.values[1].literal is None:
        raise one.binder.unsupported(one.node, "the delimiter of LISTAGG must be a string literal")
    delimiter = one.values[1].sql if len(one.values) > 1 else "''"
    keys = _within_order(one)
    order = f" ORDER BY {keys}" if keys else ""
    text = f"nullif({value.sql}, '')"
    if one.distinct and one.within and one.within[0][0].sql == value.sql:
        order = f" ORDER BY {ordered(text, value.type, one.within[0][1])}"
    elif one.distinct and one.within:
        raise one.binder.unsupported(one.node, "LISTAGG(DISTINCT x) can be ordered by x only")
    return Value(f"nearshift_sql.listagg_fits(string_agg({one.distinct}{text}, {delimiter}{order}){one.over})", VARCHAR)


def _within_order(one: Aggregation) -> str:
    keys = [(value, node) for value, node in one.within if not isinstance(node.this, (exp.Literal, exp.Null, exp.Boolean))]
    return ", ".join(ordered(value.sql, value.type, node) for value, node in keys)


def _median(one: Aggregation) -> Value:
    value = one.values[0]
    if value.type.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}:
        return Value(f"CAST({one.call('median', value.sql)} AS {value.type.duckdb})", value.type)
    return _continuous(one, _numeric(one), "0.5")


def _continuous(one: Aggregation, value: Value, fraction: str) -> Value:
    if value.type.kind is Kind.DECIMAL:
        return Value(f"CAST(quantile_cont({value.sql}, {fraction}){one.over} AS {value.type.duckdb})", value.type)
    return Value(f"quantile_cont(CAST({value.sql} AS DOUBLE), {fraction}){one.over}", DOUBLE)


def _percentile(one: Aggregation) -> Value:
    if len(one.within) != 1:
        raise one.error(f"{one.name.upper()} needs WITHIN GROUP (ORDER BY expression)", sqlstate="42601")
    value, node = one.within[0]
    share = one.values[0]
    if share.type.kind not in NUMBERS or share.sql.startswith("(-"):
        raise one.error(f"the argument of {one.name.upper()} must be a number from 0 to 1", sqlstate="22023")
    fraction = f"CAST({share.sql} AS DOUBLE)"
    if node.args.get("desc"):
        fraction = f"(1 - {fraction})"
    if one.name == "percentile_disc":
        value = settled(one.binder, value)
        return Value(f"quantile_disc({value.sql}, {fraction}){one.over}", value.type)
    return _continuous(one, value, fraction)


def _ratio(one: Aggregation) -> Value:
    if one.has_order or one.has_frame:
        raise one.error("RATIO_TO_REPORT takes neither ORDER BY nor a frame", sqlstate="42601")
    value = coerce(one.binder, _numeric(one), DOUBLE, one.node).sql
    return Value(f"({value} / nullif(sum({value}){one.over}, 0))", DOUBLE)


def _ranking(one: Aggregation) -> Value:
    kind = DOUBLE if one.name in {"percent_rank", "cume_dist"} else BIGINT
    return Value(f"{one.name}(){one.over}", kind)


def _ntile(one: Aggregation) -> Value:
    return Value(f"ntile({coerce(one.binder, one.values[0], BIGINT, one.node).sql}){one.over}", BIGINT)


def _shifted(one: Aggregation) -> Value:
    value = settled(one.binder, one.values[0])
    arguments = [value.sql]
    if len(one.values) > 1:
        arguments.append(coerce(one.binder, one.values[1], BIGINT, one.node).sql)
    if len(one.values) > 2:
        arguments.append(coerce(one.binder, one.values[2], value.type, one.node).sql)
    return Value(f"{one.name}({', '.join(arguments)}{one.nulls}){one.over}", value.type)


def _framed(one: Aggregation) -> Value:
    if one.has_order and not one.has_frame:
        hint = "For example ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING."
        raise one.error("aggregate window functions with an ORDER BY clause require a frame clause", sqlstate="42P20", hint=hint)
    value = settled(one.binder, one.values[0])
    more = f", {coerce(one.binder, one.values[1], BIGINT, one.node).sql}" if len(one.values) > 1 else ""
    return Value(f"{one.name}({value.sql}{more}{one.nulls}){one.over}", value.type)


def approximate_count(one: Aggregation) -> Value:
    """Lower APPROXIMATE COUNT(DISTINCT x) and HLL(x)."""
    value = settled(one.binder, one.values[0])
    return Value(f"approx_count_distinct({value.sql}){one.over}", BIGINT)


AGGREGATES: dict[str, Aggregate] = {
    row.name: row
    for row in (
        Aggregate("count", 1, 1, _count, "r_COUNT.html"),
        Aggregate("sum", 1, 1, _sum, "r_SUM.html"),
        Aggregate("avg", 1, 1, _avg, "r_AVG.html"),
        Aggregate("min", 1, 1, _extreme, "r_MIN.html"),
        Aggregate("max", 1, 1, _extreme, "r_MAX.html"),
        Aggregate("any_value", 1, 1, _any_value, "r_ANY_VALUE.html"),
        Aggregate("bool_and", 1, 1, _boolean, "r_BOOL_AND.html"),
        Aggregate("bool_or", 1, 1, _boolean, "r_BOOL_OR.html"),
        Aggregate("bit_and", 1, 1, _bits, "r_BIT_AND.html"),
        Aggregate("bit_or", 1, 1, _bits, "r_BIT_OR.html"),
        Aggregate("stddev", 1, 1, _spread("stddev_samp"), "r_STDDEV_functions.html"),
        Aggregate("stddev_samp", 1, 1, _spread("stddev_samp"), "r_STDDEV_functions.html"),
        Aggregate("stddev_pop", 1, 1, _spread("stddev_pop"), "r_STDDEV_functions.html"),
        Aggregate("variance", 1, 1, _spread("var_samp"), "r_VARIANCE_functions.html"),
        Aggregate("var_samp", 1, 1, _spread("var_samp"), "r_VARIANCE_functions.html"),
        Aggregate("var_pop", 1, 1, _spread("var_pop"), "r_VARIANCE_functions.html"),
        Aggregate("listagg", 1, 2, _listagg, "r_LISTAGG.html"),
        Aggregate("median", 1, 1, _median, "r_MEDIAN.html"),
        Aggregate("percentile_cont", 1, 1, _percentile, "r_PERCENTILE_CONT.html"),
        Aggregate("percentile_disc", 1, 1, _percentile, "r_APPROXIMATE_PERCENTILE_DISC.html"),
        Aggregate("hll", 1, 1, approximate_count, "r_HLL_function.html"),
    )
}

WINDOWS: dict[str, Aggregate] = {
    row.name: row
    for row in (
        Aggregate("row_number", 0, 0, _ranking, "r_WF_ROW_NUMBER.html", needs_over=True, is_ranking=True),
        Aggregate("rank", 0, 0, _ranking, "r_WF_RANK.html", needs_over=True, is_ranking=True),
        Aggregate("dense_rank", 0, 0, _ranking, "r_WF_DENSE_RANK.html", needs_over=True, is_ranking=True),
        Aggregate("percent_rank", 0, 0, _ranking, "r_WF_PERCENT_RANK.html", needs_over=True, is_ranking=True),
        Aggregate("cume_dist", 0, 0, _ranking, "r_WF_CUME_DIST.html", needs_over=True, is_ranking=True),
        Aggregate("ntile", 1, 1, _ntile, "r_WF_NTILE.html", needs_over=True, is_ranking=True),
        Aggregate("lag", 1, 3, _shifted, "r_WF_LAG.html", needs_over=True, is_ranking=True),
        Aggregate("lead", 1, 3, _shifted, "r_WF_LEAD.html", needs_over=True, is_ranking=True),
        Aggregate("first_value", 1, 1, _framed, "r_WF_first_value.html", needs_over=True),
        Aggregate("last_value", 1, 1, _framed, "r_WF_first_value.html", needs_over=True),
        Aggregate("nth_value", 2, 2, _framed, "r_WF_NTH.html", needs_over=True),
        Aggregate("ratio_to_report", 1, 1, _ratio, "r_WF_RATIO_TO_REPORT.html", needs_over=True),
    )
}


def find_aggregate(name: str) -> Aggregate | None:
    """Return the row of an aggregate or window function."""
    return AGGREGATES.get(name) or WINDOWS.get(name)
