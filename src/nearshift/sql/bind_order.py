"""ORDER BY, LIMIT and OFFSET, and queries that carry them outside their parentheses. Source page: "ORDER BY clause"."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce, settled
from nearshift.sql.bind_parts import Parts
from nearshift.sql.bind_values import Value
from nearshift.sql.scope import Scope
from nearshift.types import BIGINT, INTEGERS, Kind, SqlType


def canonical(value: Value) -> Value:
    """Return a SUPER value in the one spelling that equal values share; other values as they are."""
    if value.type.kind is not Kind.SUPER or value.sql.startswith("nearshift_sql.super_canonical("):
        return value
    return Value(f"nearshift_sql.super_canonical({value.sql})", value.type, value.label)


def bind_order(binder: Binder, node: exp.Expr, scope: Scope, parts: Parts) -> None:
    """Bind ORDER BY into `parts`."""
    order = node.args.get("order")
    if order is None:
        return
    binder.facts.seen.add("order by")
    keys = []
    for one in order.expressions:
        binder.check(one, binder.arguments[exp.Ordered])
        if isinstance(one.this, (exp.Boolean, exp.Null)):
            continue  # orders nothing, and DuckDB refuses it
        sql, kind = _order_key(binder, one.this, scope, parts)
        keys.append(ordered(sql, kind, one))
    parts.order = ", ".join(keys)


def ordered(sql: str, kind: SqlType, node: exp.Expr) -> str:
    """Return a sort key with its direction; NULL is the largest value unless the text says otherwise ("ORDER BY clause")."""
    direction = "DESC" if node.args.get("desc") else "ASC"
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    if kind.kind is Kind.SUPER:
        sql = f"nearshift_sql.super_key({sql})"
    return f"{sql} {direction} NULLS {nulls}"


def _order_key(binder: Binder, node: exp.Expr, scope: Scope, parts: Parts) -> tuple[str, SqlType]:
    place = _output_place(binder, node, parts)
    if place is None:
        if isinstance(node, exp.Literal) and node.is_string:
            raise binder.invalid(node, "a string literal cannot stand in ORDER BY", hint="Name a column, or give its number.")
        value = settled(binder, binder.value(node, scope))
        if value.integer is not None:  # DuckDB would take a number for a place in the list
            value = replace(value, sql=f"CAST({value.sql} AS BIGINT)")
        places = [number for number, one in enumerate(parts.items) if one.sql in {value.sql, canonical(value).sql}]
        if not parts.distinct:
            return value.sql, value.type
        if not places:
            message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list"
            raise binder.invalid(node, message, sqlstate="42P10")
        place = places[0]
    item = parts.items[place]
    return (item.sql if item.type.kind is Kind.SUPER else str(place + 1)), item.type


def _output_place(binder: Binder, node: exp.Expr, parts: Parts) -> int | None:
    """Return the index of the select list's item that an ordinal or an output label means."""
    if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
        number = int(node.this)
        if not 1 <= number <= len(parts.items):
            raise binder.invalid(node, f"ORDER BY position {number} is not in select list", sqlstate="42P10")
        return number - 1
    if isinstance(node, exp.Column) and len(node.parts) == 1 and isinstance(node.this, exp.Identifier):
        name = binder.fold(node.this)
        if name in parts.labels:
            return parts.labels.index(name)
    return None


def bind_limit(binder: Binder, node: exp.Expr, parts: Parts) -> None:
    """Bind LIMIT and OFFSET into `parts`."""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if isinstance(limit, exp.Fetch):
        raise binder.unsupported(limit, "FETCH FIRST is not supported", hint="Use LIMIT.")
    if limit is not None:
        for name, argument in limit.args.items():
            if argument and name not in {"this", "expression", "offset"}:
                raise binder.unsupported(limit, "this form of LIMIT is not supported")
        parts.limit = _row_count(binder, limit.expression, "LIMIT")
        binder.facts.seen.add("limit")
    if offset is not None:
        parts.offset = _row_count(binder, offset.expression, "OFFSET")
        binder.facts.seen.add("limit")


def _row_count(binder: Binder, node: exp.Expr, word: str) -> str:
    inner = node.this if isinstance(node, exp.Paren) else node
    if word == "LIMIT" and isinstance(inner, (exp.Column, exp.Var)) and inner.name.lower() == "all":
        return ""
    value = binder.value(inner, Scope())
    if value.parameter is not None:
        value = coerce(binder, value, BIGINT, node)
    if value.type.kind not in INTEGERS or (value.integer is not None and not 0 <= value.integer < 2**31):
        raise binder.invalid(node, f"{word} must be an integer from 0 to 2147483647", sqlstate="2201W")
    return value.sql
