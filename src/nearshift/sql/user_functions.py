"""SQL functions of users: a call is replaced by the function's expression ("Creating a scalar SQL UDF").

The arguments are bound where the call stands, the expression where nothing can be seen but them, so no name can be caught by either side.
An argument's text stands once per `$n`; one that is long, or random, is given to a lambda in its place, so that it is computed once and
calls of calls do not multiply.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from sqlglot import exp

from nearshift import limits
from nearshift.errors import InvalidSql, NearshiftError, NotSupported, UndefinedObject
from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce
from nearshift.sql.bind_values import Value
from nearshift.sql.dialect import parse, span_of
from nearshift.sql.functions_aggregate import AGGREGATES, WINDOWS
from nearshift.sql.names import quote
from nearshift.sql.overloads import best
from nearshift.sql.partiql import path_value
from nearshift.sql.relations import UserFunction, Volatility
from nearshift.sql.scope import Scope
from nearshift.types import STRINGS, SqlType

# An argument longer than this is computed once by a lambda, if the body names it more than once.
_REPEATED_CHARACTERS_MAX: Final = 400
_RANDOM: Final = "random()"
_DEPTH_KEY: Final = "nearshift_call_depth"


def dotted_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind `schema.function(…)`; any other path with dots is a column or navigation."""
    call = node.args.get("expression")
    if not isinstance(call, exp.Anonymous):
        return path_value(binder, node, scope)
    parts = _identifiers(node.this)
    schema = binder.fold(parts[-1]) if parts else ""
    name = binder.fold(call.this) if isinstance(call.this, exp.Identifier) else str(call.this).lower()
    if not parts or len(parts) > 2:
        raise binder.unsupported(node, "a function is named by its schema and its name")
    if len(parts) == 2 and binder.fold(parts[0]) != binder.context.database:
        raise binder.unsupported(node, f'cross-database references are not supported: "{parts[0].name}"')
    found = user_call(binder, call, schema, name, scope)
    if found is None:
        raise UndefinedObject(f"function {schema}.{name} does not exist", sqlstate="42883", span=span_of(call) or span_of(node.this))
    return replace(found, label=name, span=None)


def _identifiers(node: exp.Expr) -> list[exp.Identifier]:
    """Return the names of a path, none when it is no path of names."""
    if isinstance(node, exp.Identifier):
        return [node]
    if isinstance(node, exp.Column):
        return [part for part in node.parts if isinstance(part, exp.Identifier)]
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = _identifiers(node.this)
        return [*before, node.expression] if before else []
    return []


def user_call(binder: Binder, node: exp.Expr, schema: str | None, name: str, scope: Scope) -> Value | None:
    """Bind a call of a user's function; None when there is none of that name.

    Raises UndefinedObject (42883) when none takes these types, InvalidSql (42725) when several do, (54001) for calls nested too deeply.
    """
    known = binder.context.functions
    candidates = known.functions(schema, name) if known is not None else ()
    if not candidates:
        return None
    if any(isinstance(one, (exp.Distinct, exp.Star, exp.Kwarg)) for one in node.expressions):
        raise binder.unsupported(node, f"DISTINCT, * and named arguments are not possible in {name.upper()}")
    mark = binder.facts.mutable.copy()
    values = [binder.value(one, scope) for one in node.expressions]
    function = _chosen(binder, node, name, candidates, values)
    binder.facts.calls.add(function.oid)
    given = [coerce(binder, value, plain(kind), node) for value, kind in zip(values, function.argument_types, strict=True)]
    result = _inlined(binder, node, function, given)
    binder.facts.mutable |= mark
    if function.volatility is not Volatility.IMMUTABLE:
        binder.facts.mutable.add(name)
    return result


def _chosen(binder: Binder, node: exp.Expr, name: str, candidates: tuple[UserFunction, ...], values: list[Value]) -> UserFunction:
    kinds = [value.type.kind for value in values]
    found = best(((tuple(kind.kind for kind in one.argument_types), one) for one in candidates), kinds)
    if len(found) == 1:
        return found[0]
    shown = ", ".join(kind.value for kind in kinds)
    if found:
        raise binder.invalid(node, f"function {name}({shown}) is not unique", sqlstate="42725", hint="Cast the arguments.")
    hint = "No function matches the given name and argument types. You may need to add explicit type casts."
    raise UndefinedObject(f"function {name}({shown}) does not exist", sqlstate="42883", span=span_of(node), hint=hint)


def plain(kind: SqlType) -> SqlType:
    """Return a declared type as a function takes it: a string's length is not looked at."""
    return SqlType(kind.kind) if kind.kind in STRINGS else kind


def _inlined(binder: Binder, node: exp.Expr, function: UserFunction, given: list[Value]) -> Value:
    depth = node.root().meta.get(_DEPTH_KEY, 0) + 1
    if depth > limits.FUNCTION_CALL_DEPTH_MAX:
        message = f"calls of functions are nested too deeply: the maximum is {limits.FUNCTION_CALL_DEPTH_MAX} levels"
        raise binder.invalid(node, message, sqlstate="54001", hint="A function must not call itself.")
    body = body_of(function.body).copy()
    body.meta[_DEPTH_KEY] = depth
    node.meta[f"{_DEPTH_KEY}_body"] = body  # the binder remembers values by the identity of nodes, so the tree must live on
    places: dict[int, list[exp.Expr]] = {}
    for place in body.find_all(exp.Parameter):
        places.setdefault(number_of(place, function), []).append(place)
    kept: list[tuple[str, str]] = []
    for number, value in enumerate(given, 1):
        used = places.get(number, [])
        if len(used) > 1 and (len(value.sql) > _REPEATED_CHARACTERS_MAX or _RANDOM in value.sql):
            label = quote(binder.fresh("argument"))
            kept.append((label, value.sql))
            value = Value(label, value.type)
        for parameter in used:
            binder.memo[id(parameter)] = replace(value, label="?column?", span=span_of(node))
    try:
        value = binder.value(body.expressions[0].unalias(), Scope(clause="function", no_aggregates="an SQL function"))
        result = coerce(binder, value, plain(function.returns), node)
    except NearshiftError as error:
        error.span = span_of(node)
        error.context = error.context or f'SQL function "{function.name}" during inlining'
        raise
    sql = result.sql
    for label, argument in reversed(kept):
        sql = f"list_extract(list_transform([{argument}], lambda {label}: {sql}), 1)"
    if len(sql) > limits.FUNCTION_TEXT_CHARACTERS_MAX:
        raise binder.invalid(node, "calls of functions grow too long", sqlstate="54001", hint="Compute a part in a subquery.")
    return Value(sql, plain(function.returns), function.name)


def number_of(place: exp.Expr, function: UserFunction) -> int:
    """Return n of `$n` in a body. Raises UndefinedObject (42P02) when the function has no such argument."""
    number = int(place.this.this) if isinstance(place.this, exp.Literal) and place.this.this.isdigit() else 0
    if not 1 <= number <= len(function.argument_types):
        raise UndefinedObject(f"there is no parameter ${number}", sqlstate="42P02", span=span_of(place))
    return number


# What an SQL function's SELECT may not have ("CREATE FUNCTION", "SQL UDF").
_CLAUSES: Final = {
    "from_": "FROM", "into": "INTO", "where": "WHERE", "group": "GROUP BY", "having": "HAVING", "order": "ORDER BY", "limit": "LIMIT",
    "offset": "OFFSET", "distinct": "DISTINCT", "qualify": "QUALIFY", "with_": "WITH", "windows": "WINDOW", "joins": "JOIN",
}  # fmt: skip


@lru_cache(maxsize=500)
def body_of(text: str) -> exp.Expr:
    """Return a function's body as a tree, not to be changed. Raises InvalidSql, and NotSupported for what a function may not have."""
    tree = parse(text)
    if not isinstance(tree, exp.Select):
        raise NotSupported("an SQL function is one SELECT of one expression", span=span_of(tree), hint="Write SELECT expression.")
    for key, clause in _CLAUSES.items():
        if tree.args.get(key):
            raise NotSupported(f"the SELECT of an SQL function cannot have {clause}", hint="Use a view, or a procedure.")
    if len(tree.expressions) != 1:
        raise InvalidSql("an SQL function returns one expression", sqlstate="42P13", hint="SELECT a single expression.")
    for node in tree.walk():
        if node is not tree and isinstance(node, (exp.Query, exp.Exists)):
            raise NotSupported("the SELECT of an SQL function cannot have a subquery", hint="Use a view, or a procedure.")
        name = str(node.this).lower() if isinstance(node, exp.Anonymous) else ""
        if isinstance(node, exp.Window) or name in AGGREGATES or name in WINDOWS:
            raise NotSupported("the SELECT of an SQL function cannot have aggregates or window functions", span=span_of(node))
    return tree
