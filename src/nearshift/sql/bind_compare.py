"""Comparisons. Source pages: "Comparison conditions", "IN condition", "BETWEEN range condition", "Operators and functions" (SUPER)."""

from __future__ import annotations

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_arithmetic import INSTANTS, as_super, no_operator
from nearshift.sql.bind_casts import coerce, explicit_cast, settled, super_of, text_of
from nearshift.sql.bind_values import Value
from nearshift.sql.numeric import common_type
from nearshift.sql.scope import Scope
from nearshift.types import BOOLEAN, INTEGERS, NUMBERS, STRINGS, VARCHAR, Kind, SqlType, decimal

_COMPARISONS: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}


def comparison_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind = <> < <= > >=, also with ANY, ALL and a row on either side."""
    operator = _COMPARISONS[type(node)]
    if isinstance(node.expression, exp.Any) and operator == "=" and isinstance(node.expression.this, exp.Paren):
        return _any_element(binder, node, node.expression.this.this, scope)
    if isinstance(node.expression, (exp.Any, exp.All)):
        return _quantified(binder, node, operator, scope)
    if isinstance(node.this, exp.Tuple) and isinstance(node.expression, exp.Tuple):
        return _row_comparison(binder, node, operator, scope)
    return compare(binder, operator, binder.value(node.this, scope), binder.value(node.expression, scope), node)


def _any_element(binder: Binder, node: exp.Expr, array: exp.Expr, scope: Scope) -> Value:
    """Bind `x = ANY (ARRAY[…])` and `x = ANY (array)`, as drivers ask the catalog; arrays exist there only, as text in braces."""
    if isinstance(array, exp.Array) and array.expressions:
        listed = exp.In(this=node.this, expressions=array.expressions)
        listed.parent = node.parent
        return in_rule(binder, listed, scope)
    value, found = settled(binder, binder.value(node.this, scope)), settled(binder, binder.value(array, scope))
    if found.type.kind not in STRINGS:
        raise binder.unsupported(node, "ANY takes a subquery or an array of the catalog", hint="Use IN with a list.")
    return Value(f"list_contains(string_split(trim({found.sql}, '{{}}'), ','), {text_of(value)})", BOOLEAN)


def compare(binder: Binder, operator: str, left: Value, right: Value, node: exp.Expr) -> Value:
    """Return a comparison with both sides of one type ("Comparison conditions"; for SUPER "Operators and functions")."""
    if Kind.SUPER in {left.type.kind, right.type.kind}:
        return _super_comparison(binder, operator, left, right)
    left, right = comparable(binder, left, right, node)
    return Value(f"({left.sql} {operator} {right.sql})", BOOLEAN)


def comparable(binder: Binder, left: Value, right: Value, node: exp.Expr) -> tuple[Value, Value]:
    """Return both values with a common type; raises InvalidSql (42883) when there is none."""
    one, two = left.type.kind, right.type.kind
    if one is Kind.UNKNOWN or two is Kind.UNKNOWN:
        target = two if one is Kind.UNKNOWN else one
        kind = right.type if one is Kind.UNKNOWN else left.type
        kind = VARCHAR if target is Kind.UNKNOWN else kind
        if kind.kind is Kind.DECIMAL or kind.kind in INTEGERS:
            left, right = (_literal_number(binder, one_side, kind, node) for one_side in (left, right))
            return left, right
        return coerce(binder, left, kind, node), coerce(binder, right, kind, node)
    if one in STRINGS and two is Kind.DECIMAL:
        return explicit_cast(binder, left, right.type, node), right
    if two in STRINGS and one is Kind.DECIMAL:
        return left, explicit_cast(binder, right, left.type, node)
    if one in STRINGS and (two in NUMBERS or two is Kind.BOOLEAN):
        return left, Value(text_of(right), VARCHAR)
    if two in STRINGS and (one in NUMBERS or one is Kind.BOOLEAN):
        return Value(text_of(left), VARCHAR), right
    if one in STRINGS and two in INSTANTS:
        return explicit_cast(binder, left, right.type, node), right
    if two in STRINGS and one in INSTANTS:
        return left, explicit_cast(binder, right, left.type, node)
    if one in NUMBERS and two in NUMBERS:
        return left, right
    if {one, two} <= INTEGERS | {Kind.OID}:
        return left, right
    target_type = common_type([left.type, right.type])
    if target_type is None:
        raise no_operator(binder, "=", left, right, node)
    return coerce(binder, left, target_type, node), coerce(binder, right, target_type, node)


def _literal_number(binder: Binder, value: Value, kind: SqlType, node: exp.Expr) -> Value:
    """Keep all digits of a literal compared with a number."""
    if value.literal is None:
        return coerce(binder, value, kind, node)
    text = value.literal.strip()
    if kind.kind in INTEGERS or not text.replace(".", "", 1).lstrip("+-").isdigit():
        return explicit_cast(binder, value, kind, node)
    whole, _, fraction = text.lstrip("+-").partition(".")
    wide = decimal(min(max(len(whole) + len(fraction), 1), 38), min(len(fraction), 37))
    return explicit_cast(binder, value, wide, node)


def _super_comparison(binder: Binder, operator: str, left: Value, right: Value) -> Value:
    literal = left if left.literal is not None else right if right.literal is not None else None
    if literal is not None and operator in {"=", "<>"}:
        other = right if literal is left else left
        return Value(f"(nullif({other.sql}, 'null') {operator} {super_of(literal)})", BOOLEAN)
    first, second = as_super(binder, left), as_super(binder, right)
    if operator == "=":
        return Value(f"(nearshift_sql.super_canonical({first}) = nearshift_sql.super_canonical({second}))", BOOLEAN)
    if operator == "<>":
        return Value(f"(nearshift_sql.super_canonical({first}) <> nearshift_sql.super_canonical({second}))", BOOLEAN)
    same = f"nearshift_sql.super_rank({first}) = nearshift_sql.super_rank({second})"
    keys = f"nearshift_sql.super_key({first}) {operator} nearshift_sql.super_key({second})"
    return Value(f"CASE WHEN {same} THEN {keys} END", BOOLEAN)


def _row_comparison(binder: Binder, node: exp.Expr, operator: str, scope: Scope) -> Value:
    left, right = node.this.expressions, node.expression.expressions
    if len(left) != len(right) or operator not in {"=", "<>"}:
        raise binder.unsupported(node, "rows can be compared with = and <> only, and must be of one length")
    pairs = [compare(binder, "=", binder.value(a, scope), binder.value(b, scope), node).sql for a, b in zip(left, right, strict=True)]
    joined = f"({' AND '.join(pairs)})"
    return Value(joined if operator == "=" else f"(NOT {joined})", BOOLEAN)


def _quantified(binder: Binder, node: exp.Expr, operator: str, scope: Scope) -> Value:
    word = "ANY" if isinstance(node.expression, exp.Any) else "ALL"
    value = settled(binder, binder.value(node.this, scope))
    inner = node.expression.this
    inner = inner.this if isinstance(inner, exp.Subquery) else inner
    query = binder.query(inner, scope)
    if len(query.columns) != 1:
        raise binder.invalid(node, "subquery must return only one column")
    if common_type([value.type, query.columns[0].type]) is None or Kind.SUPER in {value.type.kind, query.columns[0].type.kind}:
        raise binder.unsupported(node, "this comparison with a subquery is not supported", hint="Cast both sides to one type.")
    return Value(f"({value.sql} {operator} {word} ({query.sql}))", BOOLEAN)


def between_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind BETWEEN."""
    if node.args.get("symmetric"):
        raise binder.unsupported(node, "BETWEEN SYMMETRIC is not supported")
    value = binder.value(node.this, scope)
    low = compare(binder, ">=", value, binder.value(node.args["low"], scope), node)
    high = compare(binder, "<=", value, binder.value(node.args["high"], scope), node)
    return Value(f"({low.sql} AND {high.sql})", BOOLEAN)


def in_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind IN with a list or a subquery."""
    inner = node.args.get("query")
    if inner is not None:
        return _in_subquery(binder, node, inner, scope)
    value = binder.value(node.this, scope)
    others = [binder.value(one, scope) for one in node.expressions]
    if not others:
        raise binder.unsupported(node, "IN needs a list or a subquery")
    pairs = [comparable(binder, value, other, node) for other in others if Kind.SUPER not in {value.type.kind, other.type.kind}]
    if len(pairs) == len(others) and len({pair[0].sql for pair in pairs}) == 1:
        items = ", ".join(pair[1].sql for pair in pairs)
        return Value(f"({pairs[0][0].sql} IN ({items}))", BOOLEAN)
    tests = [compare(binder, "=", value, other, node).sql for other in others]
    return Value(f"({' OR '.join(tests)})", BOOLEAN)


def _in_subquery(binder: Binder, node: exp.Expr, inner: exp.Expr, scope: Scope) -> Value:
    binder.facts.seen.add("subquery")
    targets = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
    values = [settled(binder, binder.value(one, scope)) for one in targets]
    query = binder.query(inner.this if isinstance(inner, exp.Subquery) else inner, scope)
    if len(query.columns) != len(values):
        raise binder.invalid(node, f"subquery has {len(query.columns)} columns, {len(values)} expected")
    tag = binder.tag("q")
    left, right = [], []
    for value, column in zip(values, query.columns, strict=True):
        other = Value(f'"{tag}".{_quoted(column.sql_name)}', column.type)
        if Kind.SUPER in {value.type.kind, column.type.kind}:
            left.append(f"nearshift_sql.super_canonical({as_super(binder, value)})")
            right.append(f"nearshift_sql.super_canonical({as_super(binder, other)})")
        else:
            one, two = comparable(binder, value, other, node)
            left.append(one.sql)
            right.append(two.sql)
    if right == [f'"{tag}".{_quoted(column.sql_name)}' for column in query.columns]:
        inside = query.sql
    else:
        inside = " ".join(("SELECT", ", ".join(right), "FROM", f'({query.sql}) AS "{tag}"'))
    subject = left[0] if len(left) == 1 else f"({', '.join(left)})"
    return Value(f"({subject} IN ({inside}))", BOOLEAN)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
