"""Conditions, AND, OR, NOT, IS, CASE, and the common type of branches.

Source pages: "Logical conditions", "CASE conditional expression".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_arithmetic import as_super
from nearshift.sql.bind_casts import coerce, settled
from nearshift.sql.bind_compare import compare
from nearshift.sql.bind_values import Value
from nearshift.sql.numeric import common_type
from nearshift.sql.scope import Scope
from nearshift.types import BOOLEAN, INTEGERS, STRINGS, SUPER, UNKNOWN, VARCHAR, Kind, SqlType


def condition(binder: Binder, node: exp.Expr, scope: Scope, clause: str) -> str:
    """Bind a condition of WHERE, ON, HAVING or QUALIFY; raises InvalidSql (42804) unless it is boolean."""
    return as_boolean(binder, binder.value(node, scope), node, clause).sql


def as_boolean(binder: Binder, value: Value, node: exp.Expr, clause: str) -> Value:
    """Return a value used as a condition; SUPER counts when it is a boolean, and is NULL otherwise."""
    if value.type.kind is Kind.SUPER:
        return Value(f"nearshift_sql.super_truth({value.sql})", BOOLEAN, value.label)
    if value.type.kind is Kind.UNKNOWN or value.type.kind in INTEGERS:
        return coerce(binder, value, BOOLEAN, node)
    if value.type.kind is not Kind.BOOLEAN:
        message = f"argument of {clause} must be type boolean, not type {value.type.kind.value}"
        raise binder.invalid(node, message, sqlstate="42804")
    return value


def logic_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind AND and OR, walking long chains without recursion."""
    kind = type(node)
    word = "AND" if kind is exp.And else "OR"
    parts: list[exp.Expr] = []
    head: exp.Expr = node
    while type(head) is kind:
        parts.append(head.expression)
        head = head.this
    parts.append(head)
    bound = [as_boolean(binder, binder.value(part, scope), part, word).sql for part in reversed(parts)]
    return Value(f"({f' {word} '.join(bound)})", BOOLEAN)


def not_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind NOT."""
    return Value(f"(NOT {as_boolean(binder, binder.value(node.this, scope), node, 'NOT').sql})", BOOLEAN)


def is_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind IS NULL, IS TRUE, IS FALSE and IS UNKNOWN."""
    value = binder.value(node.this, scope)
    wanted = node.expression
    if isinstance(wanted, exp.Null):
        word = "IS NOT NULL" if node.args.get("negate") else "IS NULL"
        subject = f"nullif({value.sql}, 'null')" if value.type.kind is Kind.SUPER else settled(binder, value).sql
        return Value(f"({subject} {word})", BOOLEAN)
    if node.args.get("negate"):
        raise binder.unsupported(node, "this negation is not supported", hint="Write NOT (x IS …).")
    truth = as_boolean(binder, value, node, "IS").sql
    if isinstance(wanted, exp.Boolean):
        return Value(f"({truth} IS {'TRUE' if wanted.this else 'FALSE'})", BOOLEAN)
    if isinstance(wanted, exp.Column) and wanted.name.lower() == "unknown":
        return Value(f"({truth} IS NULL)", BOOLEAN)
    raise binder.unsupported(node, "IS takes NULL, TRUE, FALSE or UNKNOWN")


def case_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind CASE in both forms."""
    subject = binder.value(node.this, scope) if node.this is not None else None
    tests: list[str] = []
    results: list[Value] = []
    for branch in node.args["ifs"]:
        if subject is None:
            tests.append(condition(binder, branch.this, scope, "CASE/WHEN"))
        else:
            tests.append(compare(binder, "=", subject, binder.value(branch.this, scope), branch.this).sql)
        results.append(binder.value(branch.args["true"], scope))
    default = node.args.get("default")
    results.append(binder.value(default, scope) if default is not None else Value("NULL", UNKNOWN, is_null=True))
    unified = unify(binder, results, node, "CASE")
    branches = " ".join(f"WHEN {test} THEN {one.sql}" for test, one in zip(tests, unified, strict=False))
    return Value(f"CASE {branches} ELSE {unified[-1].sql} END", unified[0].type, "case")


def unify(binder: Binder, values: Sequence[Value], node: exp.Expr, word: str) -> list[Value]:
    """Return all values with their common type; raises InvalidSql (42804) when they have none."""
    kinds = [VARCHAR if one.literal is not None and one.parameter is None else one.type for one in values]
    known = [one.type for one in values if one.type.kind is not Kind.UNKNOWN]
    target = common_type(known) if known else UNKNOWN
    if target is None:
        strings = [one for one in known if one.kind in STRINGS]
        if strings:
            target = next(one for one in known if one.kind not in STRINGS)
        else:
            names = f"{known[0].kind.value} and {next(one.kind.value for one in known if one.kind is not known[0].kind)}"
            raise binder.invalid(node, f"{word} types {names} cannot be matched", sqlstate="42804")
    if target.kind is Kind.UNKNOWN:
        if not any(one.literal is not None or one.parameter is not None for one in values):
            return [settled(binder, one) for one in values]
        target = VARCHAR
    if target.kind in STRINGS:
        return _unified_strings(binder, values, node, target)
    del kinds
    if target.kind is Kind.SUPER:
        return [Value(as_super(binder, one), SUPER, one.label) for one in values]
    return [_unified(binder, one, target, node) for one in values]


def _unified(binder: Binder, value: Value, target: SqlType, node: exp.Expr) -> Value:
    if value.integer is not None and value.type != target:
        return Value(f"CAST({value.sql} AS {target.duckdb})", target, value.label)
    return coerce(binder, value, target, node)


def _unified_strings(binder: Binder, values: Sequence[Value], node: exp.Expr, target: SqlType) -> list[Value]:
    texts = [coerce(binder, one, VARCHAR, node) for one in values]
    lengths = [one.type.length for one, source in zip(texts, values, strict=True) if not source.is_null]
    if all(length is not None for length in lengths) and lengths:
        target = SqlType(Kind.VARCHAR, length=max(length or 0 for length in lengths))
    else:
        target = VARCHAR
    return [replace(one, type=target, literal=None) for one in texts]
