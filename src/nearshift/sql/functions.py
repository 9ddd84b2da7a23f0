"""The table of all functions, and the rule that binds a call by it."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import Final

from sqlglot import exp

from nearshift.errors import NotSupported, UndefinedObject
from nearshift.sql import (
    functions_admin,
    functions_catalog,
    functions_dates,
    functions_hash,
    functions_numbers,
    functions_regexp,
    functions_super,
    functions_system,
    functions_text,
)
from nearshift.sql.bind import Binder
from nearshift.sql.bind_aggregates import aggregate_rule
from nearshift.sql.bind_casts import coerce
from nearshift.sql.bind_values import Value
from nearshift.sql.dialect import span_of
from nearshift.sql.functions_aggregate import AGGREGATES, WINDOWS, find_aggregate
from nearshift.sql.functions_dates import date_part_of
from nearshift.sql.functions_table import Call, Function, Refusal, bind_call
from nearshift.sql.labels import function_label
from nearshift.sql.names import quote
from nearshift.sql.scope import Scope
from nearshift.sql.user_functions import user_call
from nearshift.types import INTEGER, VARCHAR

MODULES = (
    functions_text, functions_regexp, functions_hash, functions_numbers, functions_dates, functions_super, functions_system,
    functions_admin, functions_catalog,
)  # fmt: skip
FUNCTIONS: dict[str, Function] = {row.name: row for module in MODULES for row in module.FUNCTIONS}
REFUSALS: dict[str, Refusal] = {row.name: row for module in MODULES for row in module.REFUSALS}

# Functions that share a beginning and the reason why they are refused.
FAMILIES: Final[dict[str, str]] = {
    "st_": "needs spatial types, which are not kept by nearshift", "h3_": "needs spatial types, which are not kept by nearshift",
    "hll_": "needs HyperLogLog sketches, which are not kept by nearshift",
}  # fmt: skip


def known_names() -> frozenset[str]:
    """Return the names of all functions that a query may call."""
    return frozenset(FUNCTIONS) | frozenset(AGGREGATES) | frozenset(WINDOWS)


def call_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind `name(…)`; raises UndefinedObject (42883) for a name without a row, NotSupported for one that is refused."""
    if isinstance(node.this, exp.Identifier):
        name = binder.fold(node.this)
    else:
        name = str(node.this).lower()
    if find_aggregate(name) is not None or name in {"approximate", "grouping", "grouping_id"}:
        return _grouping(binder, node, name, scope) if name.startswith("grouping") else aggregate_rule(binder, node, scope)
    if name == "array" and len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Query):
        return _array_of_rows(binder, node, scope)
    value = _bind_named(binder, node, name, scope)
    return replace(value, label=function_label(name), span=None)


def _bind_named(binder: Binder, node: exp.Expr, name: str, scope: Scope) -> Value:
    nodes = list(node.expressions)
    if any(isinstance(one, (exp.Distinct, exp.Star, exp.Kwarg)) for one in nodes):
        raise binder.unsupported(node, f"DISTINCT, * and named arguments are not possible in {name.upper()}")
    function = FUNCTIONS.get(name)
    if function is None:
        found = user_call(binder, node, None, name, scope)
        if found is None:
            raise _unknown(name, node)
        return found
    part = date_part_of(binder, nodes.pop(0)) if function.has_part and nodes else ""
    return bind_call(function, Call(binder, node, scope, name, [binder.value(one, scope) for one in nodes], part))


def _array_of_rows(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind `ARRAY(SELECT …)`, which the leader node answers over catalogs; an array is text in braces here."""
    binder.facts.seen.add("subquery")
    query = binder.query(node.expressions[0], scope)
    if len(query.columns) != 1:
        raise binder.invalid(node, "subquery must return only one column")
    name = quote(query.columns[0].sql_name)
    text = f"'{{' || coalesce(string_agg({name}, ','), '') || '}}'"
    return Value(" ".join(("(SELECT", text, "FROM (", query.sql, ') AS "$a")')), VARCHAR, "array")


def _grouping(binder: Binder, node: exp.Expr, name: str, scope: Scope) -> Value:
    mark = len(scope.loose)
    values = [binder.value(one, scope) for one in node.expressions]
    del scope.loose[mark:]
    if not values or not all(one.sql in scope.group_keys.values() for one in values):
        raise binder.invalid(node, f"arguments to {name.upper()} must be grouping expressions", sqlstate="42803")
    return Value(f"CAST(grouping({', '.join(one.sql for one in values)}) AS INTEGER)", INTEGER, name)


def _unknown(name: str, node: exp.Expr) -> UndefinedObject | NotSupported:
    span = span_of(node)
    refusal = REFUSALS.get(name)
    if refusal is not None:
        return NotSupported(f'function "{name}" {refusal.reason}', span=span, hint=refusal.hint)
    family = next((reason for prefix, reason in FAMILIES.items() if name.startswith(prefix)), None)
    if family is not None:
        return NotSupported(f'function "{name}" {family}', span=span)
    if name.startswith(("st_", "geometry", "h3_")) or name in {"addbbox", "dropbbox", "supportsbbox"}:
        return NotSupported(f'function "{name}" needs spatial types, which are not kept by nearshift', span=span)
    near = difflib.get_close_matches(name, known_names(), n=1, cutoff=0.6)
    hint = f'Did you mean "{near[0]}"?' if near else "See the list of functions in docs/compatibility.md."
    return UndefinedObject(f'function "{name}" does not exist', sqlstate="42883", span=span, hint=hint)


def _named(name: str, arguments: list[exp.Expr], node: exp.Expr) -> exp.Expr:
    call = exp.Anonymous(this=name, expressions=arguments)
    call.parent = node.parent
    if node._meta:
        call.meta.update(node._meta)
    return call


def substring_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind SUBSTRING in both forms."""
    arguments = [one for one in (node.this, node.args.get("start"), node.args.get("length")) if one is not None]
    if len(arguments) == 2 and node.args.get("start") is None:
        arguments.insert(1, exp.Literal.number(1))
    return call_rule(binder, _named("substring", arguments, node), scope)


def trim_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind TRIM([BOTH | LEADING | TRAILING] [characters FROM] string)."""
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(node.args.get("position") or "", "btrim")
    arguments = [node.this] + ([node.expression] if node.args.get("expression") is not None else [])
    value = call_rule(binder, _named(name, arguments, node), scope)
    return replace(value, label="btrim" if name == "btrim" else name)


def extract_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind EXTRACT(part FROM value)."""
    part = date_part_of(binder, node.this)
    call = Call(binder, node, scope, "date_part", [binder.value(node.expression, scope)], part)
    value = bind_call(FUNCTIONS["extract"], call)
    return replace(value, label="date_part", span=None)


def zone_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind `value AT TIME ZONE zone` ("AT TIME ZONE function")."""
    value = binder.value(node.this, scope)
    zone = coerce(binder, binder.value(node.args["zone"], scope), VARCHAR, node)
    call = Call(binder, node, scope, "timezone", [zone, value])
    return replace(bind_call(FUNCTIONS["timezone"], call), label="timezone", span=None)
