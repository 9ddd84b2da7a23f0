"""Operators: literals, arithmetic, comparison, logic, patterns, CASE.

Source pages: "Computations with numeric values", "Comparison conditions", "Pattern-matching conditions", "CASE conditional expression",
"Operators and functions" (SUPER).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce, explicit_cast, settled, super_of, text_of
from nearshift.sql.bind_values import Value
from nearshift.sql.names import quote_literal
from nearshift.sql.numeric import arithmetic_type, as_decimal, common_type
from nearshift.sql.scope import Scope
from nearshift.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTEGERS,
    INTERVAL,
    NUMBERS,
    STRINGS,
    SUPER,
    TIMESTAMP,
    UNKNOWN,
    VARCHAR,
    Kind,
    SqlType,
    decimal,
)

_INSTANTS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
_COMPARISONS: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


def literal_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind a number or a string."""
    if node.is_string:
        return Value(quote_literal(node.this), UNKNOWN, literal=node.this)
    text = node.this
    if text.isdigit():
        number = int(text)
        if number < 2**31:
            return Value(str(number), INTEGER, integer=number)
        if number < 2**63:
            return Value(f"CAST({number} AS BIGINT)", BIGINT, integer=number)
        if len(text) > 38:
            raise binder.invalid(node, "number has more than 38 digits", sqlstate="22003")
        return Value(f"CAST({number} AS DECIMAL({len(str(number))},0))", decimal(len(str(number)), 0))
    if "e" in text.lower():
        return Value(f"CAST({text} AS DOUBLE)", DOUBLE)
    whole, _, fraction = text.partition(".")
    precision = max(len(whole.lstrip("0")) + len(fraction), 1)
    if precision > 38:
        raise binder.invalid(node, "number has more than 38 digits", sqlstate="22003")
    return Value(f"CAST('{text}' AS DECIMAL({precision},{len(fraction)}))", decimal(precision, len(fraction)))


def null_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind NULL."""
    return Value("NULL", UNKNOWN, is_null=True)


def boolean_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind TRUE and FALSE."""
    return Value("TRUE" if node.this else "FALSE", BOOLEAN, "bool")


def paren_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind a parenthesised expression; every rule parenthesises its own text, so nothing is added."""
    return binder.value(node.this, scope)


def parameter_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind the client's `$n`."""
    number = node.this
    if not isinstance(number, exp.Literal) or not number.this.isdigit() or int(number.this) < 1:
        raise binder.invalid(node, "a parameter is written $1, $2, …")
    return binder.client_parameter(int(number.this))


def adjacent_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind string literals that stand side by side: one literal."""
    if not all(isinstance(one, exp.Literal) and one.is_string for one in node.expressions):
        raise binder.unsupported(node, "this concatenation is not supported")
    text = "".join(one.this for one in node.expressions)
    return Value(quote_literal(text), UNKNOWN, literal=text)


def arithmetic_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind + - * / %, walking chains of one precedence without recursion."""
    spine: list[exp.Expr] = []
    head: exp.Expr = node
    while type(head) in _ARITHMETIC and id(head) not in binder.memo:
        spine.append(head)
        head = head.this
    value = binder.value(head, scope)
    for one in reversed(spine):
        value = arithmetic(binder, _ARITHMETIC[type(one)], value, binder.value(one.expression, scope), one)
    return value


def arithmetic(binder: Binder, operator: str, left: Value, right: Value, node: exp.Expr) -> Value:
    """Return `left operator right` with Redshift's type."""
    if Kind.SUPER in {left.type.kind, right.type.kind}:
        return _super_arithmetic(binder, operator, left, right, node)
    left, right = _typed_by_neighbour(binder, left, right, node)
    dated = _date_arithmetic(binder, operator, left, right, node)
    if dated is not None:
        return dated
    if left.type.kind not in NUMBERS or right.type.kind not in NUMBERS:
        raise _no_operator(binder, operator, left, right, node)
    result = arithmetic_type(operator, left.type, right.type)
    if result == DOUBLE:
        left, right = coerce(binder, left, DOUBLE, node), coerce(binder, right, DOUBLE, node)
        if operator in "/%":
            return Value(f"nearshift_sql.divide_float({left.sql}, {right.sql})" if operator == "/" else _modulo(left, right), DOUBLE)
        return Value(f"({left.sql} {operator} {right.sql})", DOUBLE)
    if result.kind in INTEGERS:
        left, right = _same_integer(left, result), _same_integer(right, result)
        if operator == "/":
            return Value(f"nearshift_sql.divide_integer({left.sql}, {right.sql})", result)
        if operator == "%":
            return Value(_modulo(left, right), result)
        return Value(f"({left.sql} {operator} {right.sql})", result)
    return _decimal_arithmetic(operator, left, right, result)


def _typed_by_neighbour(binder: Binder, left: Value, right: Value, node: exp.Expr) -> tuple[Value, Value]:
    """Give literals, NULLs and open parameters the type of the other operand; two unknown ones are numbers."""
    if left.type.kind is Kind.UNKNOWN and right.type.kind is Kind.UNKNOWN:
        return coerce(binder, left, INTEGER, node), coerce(binder, right, INTEGER, node)
    if left.type.kind is Kind.UNKNOWN:
        return coerce(binder, left, _neighbour_type(right.type), node), right
    if right.type.kind is Kind.UNKNOWN:
        return left, coerce(binder, right, _neighbour_type(left.type), node)
    if left.type.kind in STRINGS and right.type.kind in NUMBERS:
        return explicit_cast(binder, left, DOUBLE, node), right
    if right.type.kind in STRINGS and left.type.kind in NUMBERS:
        return left, explicit_cast(binder, right, DOUBLE, node)
    return left, right


def _neighbour_type(kind: SqlType) -> SqlType:
    return INTERVAL if kind.kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ} else INTEGER if kind.kind is Kind.DATE else kind


def _same_integer(value: Value, target: SqlType) -> Value:
    if value.type == target and value.integer is None:
        return value
    if value.integer is not None and target == INTEGER:
        return value
    return replace(value, sql=f"CAST({value.sql} AS {target.duckdb})", type=target, integer=None)


def _modulo(left: Value, right: Value) -> str:
    return f"nearshift_sql.modulo({left.sql}, {right.sql})"


def _decimal_arithmetic(operator: str, left: Value, right: Value, result: SqlType) -> Value:
    one, two = as_decimal(left.type), as_decimal(right.type)
    first = left.sql if left.type == one else f"CAST({left.sql} AS {one.duckdb})"
    second = right.sql if right.type == two else f"CAST({right.sql} AS {two.duckdb})"
    if operator == "/":
        return Value(_decimal_division(first, one, second, two, result), result)
    if operator == "%":
        return Value(f"CAST(nearshift_sql.modulo({first}, {second}) AS {result.duckdb})", result)
    if operator == "*" and (one.scale or 0) + (two.scale or 0) > 38:
        first, second = f"CAST({first} AS DOUBLE)", f"CAST({second} AS DOUBLE)"
    return Value(f"CAST(({first} {operator} {second}) AS {result.duckdb})", result)


def _decimal_division(first: str, one: SqlType, second: str, two: SqlType, result: SqlType) -> str:
    """Divide as whole numbers scaled by powers of ten where 38 digits hold them; DuckDB's own division is a float's."""
    scale = result.scale or 0
    shift = scale - (one.scale or 0) + (two.scale or 0)
    if shift < 0 or (one.precision or 0) + shift > 38 or scale > 37:
        return f"CAST(nearshift_sql.divide_float(CAST({first} AS DOUBLE), CAST({second} AS DOUBLE)) AS {result.duckdb})"
    whole_one = f"CAST(CAST({first} AS DECIMAL(38,{one.scale or 0})) * {_power(one.scale or 0)} AS HUGEINT)"
    whole_one = f"{_digits(first, one)} * {_power(shift)}"
    whole_two = _digits(second, two)
    return f"nearshift_sql.scaled({whole_one}, {whole_two}, {scale})::{result.duckdb}"


def _power(exponent: int) -> str:
    return f"CAST({10**exponent} AS HUGEINT)"


def _digits(sql: str, kind: SqlType) -> str:
    """Return a DECIMAL without its point, as a HUGEINT."""
    if not kind.scale:
        return f"CAST({sql} AS HUGEINT)"
    return f"CAST(replace(CAST({sql} AS VARCHAR), '.', '') AS HUGEINT)"


def _date_arithmetic(binder: Binder, operator: str, left: Value, right: Value, node: exp.Expr) -> Value | None:
    kinds = (left.type.kind, right.type.kind)
    if not set(kinds) & (_INSTANTS | {Kind.INTERVAL, Kind.TIME, Kind.TIMETZ}):
        return None
    if operator == "+" and kinds[1] in _INSTANTS and kinds[0] not in _INSTANTS:
        left, right, kinds = right, left, (kinds[1], kinds[0])
    if kinds[0] is Kind.DATE and kinds[1] in INTEGERS and operator in "+-":
        return Value(f"({left.sql} {operator} CAST({right.sql} AS INTEGER))", DATE)
    if kinds == (Kind.DATE, Kind.DATE) and operator == "-":
        return Value(f"CAST(({left.sql} - {right.sql}) AS BIGINT)", BIGINT)
    if kinds[0] in _INSTANTS and kinds[1] is Kind.INTERVAL and operator in "+-":
        result = TIMESTAMP if kinds[0] is Kind.DATE else left.type
        return Value(f"({left.sql} {operator} {right.sql})", result)
    if kinds[0] in {Kind.TIME, Kind.TIMETZ} and kinds[1] is Kind.INTERVAL and operator in "+-":
        return Value(f"({left.sql} {operator} {right.sql})", left.type)
    if kinds[0] in _INSTANTS and kinds[1] in _INSTANTS and operator == "-":
        return Value(f"({coerce(binder, left, TIMESTAMP, node).sql} - {coerce(binder, right, TIMESTAMP, node).sql})", INTERVAL)
    if kinds == (Kind.INTERVAL, Kind.INTERVAL) and operator in "+-":
        return Value(f"({left.sql} {operator} {right.sql})", INTERVAL)
    if kinds[0] is Kind.INTERVAL and kinds[1] in INTEGERS and operator == "*":
        return Value(f"({left.sql} * {right.sql})", INTERVAL)
    if kinds[1] is Kind.INTERVAL and kinds[0] in INTEGERS and operator == "*":
        return Value(f"({right.sql} * {left.sql})", INTERVAL)
    raise _no_operator(binder, operator, left, right, node)


def _no_operator(binder: Binder, operator: str, left: Value, right: Value, node: exp.Expr) -> Exception:
    message = f"operator does not exist: {left.type.kind.value} {operator} {right.type.kind.value}"
    return binder.invalid(node, message, sqlstate="42883", hint="You may need to add explicit type casts.")


def _super_arithmetic(binder: Binder, operator: str, left: Value, right: Value, node: exp.Expr) -> Value:
    names = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo"}
    first, second = as_super(binder, left, node), as_super(binder, right, node)
    return Value(f"nearshift_sql.super_{names[operator]}({first}, {second})", SUPER)


def as_super(binder: Binder, value: Value, node: exp.Expr) -> str:
    """Return an operand beside a SUPER operand as SUPER."""
    if value.type.kind is Kind.SUPER:
        return value.sql
    if value.parameter is not None:
        value = binder.type_parameter(value, VARCHAR)
    if value.is_null:
        return "CAST(NULL AS JSON)"
    if value.literal is not None or value.type.kind in STRINGS | NUMBERS | {Kind.BOOLEAN}:
        return super_of(value)
    return f"to_json({text_of(value)})"


def negation_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind unary minus; a negative number stays a literal."""
    value = binder.value(node.this, scope)
    if value.type.kind is Kind.SUPER:
        return Value(f"nearshift_sql.super_subtract(CAST('0' AS JSON), {value.sql})", SUPER)
    value = coerce(binder, value, DOUBLE, node) if value.type.kind is Kind.UNKNOWN else value
    if value.type.kind not in NUMBERS | {Kind.INTERVAL}:
        raise binder.invalid(node, f"operator does not exist: - {value.type.kind.value}", sqlstate="42883")
    if value.integer is not None:
        return Value(f"(-{value.integer})" if value.type == INTEGER else f"CAST(-{value.integer} AS BIGINT)", value.type, integer=-value.integer)
    return Value(f"(-{value.sql})", value.type)


def comparison_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind = <> < <= > >=, also with ANY, ALL and a row on either side."""
    operator = _COMPARISONS[type(node)]
    if isinstance(node.expression, (exp.Any, exp.All)):
        return _quantified(binder, node, operator, scope)
    if isinstance(node.this, exp.Tuple) and isinstance(node.expression, exp.Tuple):
        return _row_comparison(binder, node, operator, scope)
    return compare(binder, operator, binder.value(node.this, scope), binder.value(node.expression, scope), node)


def compare(binder: Binder, operator: str, left: Value, right: Value, node: exp.Expr) -> Value:
    """Return a comparison with both sides of one type ("Comparison conditions"; for SUPER "Operators and functions")."""
    if Kind.SUPER in {left.type.kind, right.type.kind}:
        return _super_comparison(binder, operator, left, right, node)
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
    if one in STRINGS and two in _INSTANTS:
        return explicit_cast(binder, left, right.type, node), right
    if two in STRINGS and one in _INSTANTS:
        return left, explicit_cast(binder, right, left.type, node)
    if one in NUMBERS and two in NUMBERS:
        return left, right
    if {one, two} <= INTEGERS | {Kind.OID}:
        return left, right
    target_type = common_type([left.type, right.type])
    if target_type is None:
        raise _no_operator(binder, "=", left, right, node)
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


def _super_comparison(binder: Binder, operator: str, left: Value, right: Value, node: exp.Expr) -> Value:
    literal = left if left.literal is not None else right if right.literal is not None else None
    if literal is not None and operator in {"=", "<>"}:
        other = right if literal is left else left
        return Value(f"(nullif({other.sql}, 'null') {operator} {super_of(literal)})", BOOLEAN)
    first, second = as_super(binder, left, node), as_super(binder, right, node)
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
        if value.type.kind is Kind.SUPER:
            return Value(f"(nullif({value.sql}, 'null') IS NULL)", BOOLEAN)
        return Value(f"({settled(binder, value).sql} IS NULL)", BOOLEAN)
    truth = as_boolean(binder, value, node, "IS").sql
    if isinstance(wanted, exp.Boolean):
        return Value(f"({truth} IS {'TRUE' if wanted.this else 'FALSE'})", BOOLEAN)
    if isinstance(wanted, exp.Column) and wanted.name.lower() == "unknown":
        return Value(f"({truth} IS NULL)", BOOLEAN)
    raise binder.unsupported(node, "IS takes NULL, TRUE, FALSE or UNKNOWN")


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
            left.append(f"nearshift_sql.super_canonical({as_super(binder, value, node)})")
            right.append(f"nearshift_sql.super_canonical({as_super(binder, other, node)})")
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
        return [Value(as_super(binder, one, node), SUPER, one.label) for one in values]
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


def concat_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind `||` on strings, NULL if any side is, walking chains without recursion."""
    parts: list[exp.Expr] = []
    head: exp.Expr = node
    while isinstance(head, exp.DPipe):
        parts.append(head.expression)
        head = head.this
    parts.append(head)
    values = [binder.value(part, scope) for part in reversed(parts)]
    if any(one.type.kind is Kind.VARBYTE for one in values):
        if not all(one.type.kind is Kind.VARBYTE for one in values):
            raise binder.invalid(node, "operator does not exist: binary varying || other type", sqlstate="42883")
        return Value(f"({' || '.join(one.sql for one in values)})", SqlType(Kind.VARBYTE))
    texts = [coerce(binder, one, VARCHAR, node) for one in values]
    lengths = [one.type.length if one.type.kind in STRINGS else None for one in texts]
    known = [length for length in lengths if length is not None]
    result = SqlType(Kind.VARCHAR, length=min(sum(known), 65_535)) if len(known) == len(lengths) else VARCHAR
    return Value(f"({' || '.join(one.sql for one in texts)})", result)


def interval_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind an INTERVAL literal."""
    amount = node.this
    unit = node.args.get("unit")
    if not isinstance(amount, exp.Literal):
        raise binder.unsupported(node, "an interval needs a literal")
    text = amount.this
    if unit is not None:
        if isinstance(unit, exp.IntervalSpan):
            raise binder.unsupported(node, "this interval literal is not supported", hint="Write INTERVAL '1 day 2 hours'.")
        text = f"{text} {unit.name.lower()}"
    return Value(f"CAST({quote_literal(text)} AS INTERVAL)", INTERVAL, "interval")
