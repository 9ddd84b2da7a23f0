"""Calls of aggregates and window functions with what stands around them: DISTINCT, OVER, WITHIN GROUP, IGNORE NULLS.

Source pages: "Aggregate functions", "Window functions", "Window function syntax summary".
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import settled
from nearshift.sql.bind_order import ordered
from nearshift.sql.bind_values import Value
from nearshift.sql.functions_aggregate import AGGREGATES, Aggregate, Aggregation, approximate_count, find_aggregate
from nearshift.sql.scope import Scope
from nearshift.types import BIGINT, Kind


@dataclass(slots=True)
class _Shell:
    """What stands around the call: OVER, WITHIN GROUP, IGNORE NULLS."""

    call: exp.Expr
    window: exp.Window | None = None
    within: exp.Expr | None = None
    nulls: str = ""


def _unwrap(binder: Binder, node: exp.Expr) -> _Shell:
    shell = _Shell(node)
    while True:
        inner = shell.call
        if isinstance(inner, exp.Window):
            shell.window = inner
        elif isinstance(inner, exp.WithinGroup):
            shell.within = inner.expression
        elif isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls)):
            shell.nulls = " IGNORE NULLS" if isinstance(inner, exp.IgnoreNulls) else ""
        elif isinstance(inner, exp.Filter):
            raise binder.unsupported(inner, "FILTER is not supported", hint="Use CASE inside the aggregate.")
        else:
            return shell
        shell.call = inner.this


def aggregate_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind an aggregate or window function with everything that stands around it."""
    shell = _unwrap(binder, node)
    call = shell.call
    name = call.this.lower() if isinstance(call, exp.Anonymous) and isinstance(call.this, str) else ""
    if name == "approximate" and isinstance(call, exp.Anonymous):
        return _approximate(binder, call, shell, scope)
    row = find_aggregate(name)
    if row is None:
        message = f'"{name or "this expression"}" is not a window or aggregate function'
        raise binder.invalid(call, message, sqlstate="42809")
    return _bind_aggregate(binder, call, shell, row, scope)


def _approximate(binder: Binder, call: exp.Expr, shell: _Shell, scope: Scope) -> Value:
    inner = _unwrap(binder, call.expressions[0])
    name = inner.call.this.lower() if isinstance(inner.call, exp.Anonymous) and isinstance(inner.call.this, str) else ""
    if name == "percentile_disc":
        inner.window = inner.window or shell.window
        return _bind_aggregate(binder, inner.call, inner, AGGREGATES["percentile_disc"], scope)
    if name != "count" or not inner.call.expressions or not isinstance(inner.call.expressions[0], exp.Distinct):
        raise binder.invalid(call, "APPROXIMATE stands before COUNT(DISTINCT …) or PERCENTILE_DISC only")
    row = Aggregate("count", 1, 1, approximate_count, "r_COUNT.html")
    return _bind_aggregate(binder, inner.call, inner, row, scope)


def _bind_aggregate(binder: Binder, call: exp.Expr, shell: _Shell, row: Aggregate, scope: Scope) -> Value:
    if shell.window is None:
        _check_place(binder, call, row, scope)
    mark = len(scope.loose)
    nodes = list(call.expressions)
    one = Aggregation(binder, call, row.name, [], nulls=shell.nulls)
    if nodes and isinstance(nodes[0], exp.Distinct):
        one.distinct = "DISTINCT "
        nodes = list(nodes[0].expressions)
    if nodes and isinstance(nodes[0], (exp.IgnoreNulls, exp.RespectNulls)):
        one.nulls = " IGNORE NULLS" if isinstance(nodes[0], exp.IgnoreNulls) else ""
        nodes[0] = nodes[0].this
    before = scope.no_aggregates
    if shell.window is None:
        scope.no_aggregates = "an aggregate function's argument"
    if any(isinstance(inner, exp.Star) for inner in nodes) and (row.name != "count" or len(nodes) > 1 or one.distinct):
        raise binder.invalid(call, f"* is not possible in {row.name.upper()}", sqlstate="42883")
    one.values = [Value("*", BIGINT) if isinstance(inner, exp.Star) else binder.value(inner, scope) for inner in nodes]
    if shell.within is not None:
        one.within = [(settled(binder, binder.value(key.this, scope)), key) for key in shell.within.expressions]
    scope.no_aggregates = before
    if not row.minimum <= len(one.values) <= row.maximum:
        kinds = ", ".join(value.type.kind.value for value in one.values)
        raise one.error(f"function {row.name}({kinds}) does not exist")
    if shell.window is not None:
        if one.distinct:
            raise binder.unsupported(call, "DISTINCT in a window function is not supported")
        one.over = _over(binder, shell.window, one, row, scope)
        scope.has_windows = True
        binder.facts.seen.add("window")
    else:
        del scope.loose[mark:]
        scope.has_aggregates = True
    value = row.lowering(one)
    return Value(value.sql, value.type, row.name)


def _check_place(binder: Binder, call: exp.Expr, row: Aggregate, scope: Scope) -> None:
    if row.needs_over:
        raise binder.invalid(call, f"window function {row.name} requires an OVER clause", sqlstate="42809")
    if scope.no_aggregates:
        message = f"aggregates not allowed in {scope.no_aggregates}"
        hint = "Use HAVING, or a subquery." if scope.no_aggregates == "WHERE" else None
        raise binder.invalid(call, message, sqlstate="42803", hint=hint)
    if scope.clause == "FROM":
        raise binder.invalid(call, "aggregates not allowed in JOIN conditions", sqlstate="42803")


def _over(binder: Binder, window: exp.Window, one: Aggregation, row: Aggregate, scope: Scope) -> str:
    for name, argument in window.args.items():
        if argument and name not in {"this", "partition_by", "order", "spec", "over"}:
            raise binder.unsupported(window, "a named window is not supported", hint="Write the window after OVER.")
    parts: list[str] = []
    keys = [_partition_key(binder, key, scope) for key in window.args.get("partition_by") or []]
    if keys:
        parts.append("PARTITION BY " + ", ".join(keys))
    order = window.args.get("order")
    if order is not None:
        one.has_order = True
        parts.append("ORDER BY " + ", ".join(_order_key(binder, key, scope) for key in order.expressions))
    spec = window.args.get("spec")
    if spec is not None:
        one.has_frame = True
        if row.is_ranking:
            raise binder.invalid(window, f"{row.name.upper()} takes no frame", sqlstate="42P20")
        parts.append(_frame(binder, spec))
    elif order is not None and row.name in AGGREGATES and row.name not in {"listagg", "median", "percentile_cont", "percentile_disc"}:
        hint = "For example ROWS UNBOUNDED PRECEDING."
        message = "aggregate window functions with an ORDER BY clause require a frame clause"
        raise binder.invalid(window, message, sqlstate="42P20", hint=hint)
    return f" OVER ({' '.join(parts)})"


def _partition_key(binder: Binder, key: exp.Expr, scope: Scope) -> str:
    value = settled(binder, binder.value(key, scope))
    return f"nearshift_sql.super_canonical({value.sql})" if value.type.kind is Kind.SUPER else value.sql


def _order_key(binder: Binder, key: exp.Expr, scope: Scope) -> str:
    value = settled(binder, binder.value(key.this, scope))
    return ordered(value.sql, value.type, key)


def _frame(binder: Binder, spec: exp.Expr) -> str:
    if (spec.args.get("kind") or "").upper() != "ROWS" or spec.args.get("exclude"):
        raise binder.unsupported(spec.parent or spec, "a frame is written with ROWS only")
    start = _bound(binder, spec.args.get("start"), spec.args.get("start_side"))
    end = _bound(binder, spec.args.get("end"), spec.args.get("end_side")) if spec.args.get("end") else "CURRENT ROW"
    return f"ROWS BETWEEN {start} AND {end}"


def _bound(binder: Binder, bound: object, side: str | None) -> str:
    if isinstance(bound, str):
        word = bound.upper()
        if word in {"UNBOUNDED", "CURRENT ROW"}:
            return f"{word} {side.upper()}" if side and word == "UNBOUNDED" else "CURRENT ROW"
    if isinstance(bound, exp.Literal) and not bound.is_string and bound.this.isdigit() and side:
        return f"{bound.this} {side.upper()}"
    raise binder.unsupported(bound if isinstance(bound, exp.Expr) else None, "this bound of a frame is not supported")
