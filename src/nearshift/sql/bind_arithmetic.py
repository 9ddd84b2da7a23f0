"""Arithmetic on numbers, dates and SUPER, and `||`.

Source pages: "Computations with numeric values", "Operators and functions" (SUPER), "|| (Concatenation) operator".
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from nearshift.errors import InvalidSql
from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce, explicit_cast, super_of, text_of
from nearshift.sql.bind_values import Value
from nearshift.sql.numeric import arithmetic_type, as_decimal
from nearshift.sql.scope import Scope
from nearshift.types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGER,
    INTEGERS,
    INTERVAL,
    NUMBERS,
    STRINGS,
    SUPER,
    TIMESTAMP,
    VARBYTE,
    VARCHAR,
    Kind,
    SqlType,
)

INSTANTS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})

_BITWISE: dict[type[exp.Expr], str] = {
    exp.BitwiseAnd: "&",
    exp.BitwiseOr: "|",
    exp.BitwiseLeftShift: "<<",
    exp.BitwiseRightShift: ">>",
}
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


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
        return _super_arithmetic(binder, operator, left, right)
    if operator == "+" and left.type.kind is Kind.VARBYTE and right.type.kind is Kind.VARBYTE:
        return Value(f"({left.sql} || {right.sql})", VARBYTE)  # "VARBYTE operators"
    left, right = _typed_by_neighbour(binder, left, right, node)
    dated = _date_arithmetic(binder, operator, left, right, node)
    if dated is not None:
        return dated
    if left.type.kind not in NUMBERS or right.type.kind not in NUMBERS:
        raise no_operator(binder, operator, left, right, node)
    result = arithmetic_type(operator, left.type, right.type)
    if result == DOUBLE:
        left, right = coerce(binder, left, DOUBLE, node), coerce(binder, right, DOUBLE, node)
        if operator in "/%":
            return Value(f"nearshift_sql.divide_float({left.sql}, {right.sql})" if operator == "/" else _modulo(left, right), DOUBLE)
        return Value(f"({left.sql} {operator} {right.sql})", DOUBLE)
    if result.kind in INTEGERS:
        left, right = _same_integer(left, result), _same_integer(right, result)
        if operator == "/":
            # `error` in a macro counts as volatile and stands in the way of DuckDB's optimizer, so it is left out where it cannot happen.
            if right.integer:
                return Value(f"({left.sql} // {right.sql})", result)
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
        # Beyond 38 digits together DuckDB would turn to floating point.
        scale = max(one.scale or 0, two.scale or 0)
        first, second = f"CAST({first} AS DECIMAL(38,{scale}))", f"CAST({second} AS DECIMAL(38,{scale}))"
        return Value(f"CAST(nearshift_sql.modulo({first}, {second}) AS {result.duckdb})", result)
    if operator == "*" and (one.scale or 0) + (two.scale or 0) > 38:
        first, second = f"CAST({first} AS DOUBLE)", f"CAST({second} AS DOUBLE)"
    elif operator == "*" and max(one.precision or 0, two.precision or 0) <= 18 < (one.precision or 0) + (two.precision or 0):
        # DuckDB keeps the product of two 64-bit decimals in 64 bits and raises when it does not fit.
        first = f"CAST({first} AS DECIMAL(19,{one.scale or 0}))"
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
    if not set(kinds) & (INSTANTS | {Kind.INTERVAL, Kind.TIME, Kind.TIMETZ}):
        return None
    if operator == "+" and kinds[1] in INSTANTS and kinds[0] not in INSTANTS:
        left, right, kinds = right, left, (kinds[1], kinds[0])
    if kinds[0] is Kind.DATE and kinds[1] in INTEGERS and operator in "+-":
        return Value(f"({left.sql} {operator} CAST({right.sql} AS INTEGER))", DATE)
    if kinds == (Kind.DATE, Kind.DATE) and operator == "-":
        return Value(f"CAST(({left.sql} - {right.sql}) AS BIGINT)", BIGINT)
    if kinds[0] in INSTANTS and kinds[1] is Kind.INTERVAL and operator in "+-":
        result = TIMESTAMP if kinds[0] is Kind.DATE else left.type
        return Value(f"({left.sql} {operator} {right.sql})", result)
    if kinds[0] in {Kind.TIME, Kind.TIMETZ} and kinds[1] is Kind.INTERVAL and operator in "+-":
        return Value(f"({left.sql} {operator} {right.sql})", left.type)
    if kinds[0] in INSTANTS and kinds[1] in INSTANTS and operator == "-":
        return Value(f"({coerce(binder, left, TIMESTAMP, node).sql} - {coerce(binder, right, TIMESTAMP, node).sql})", INTERVAL)
    if operator == "+" and Kind.DATE in kinds and set(kinds) & {Kind.TIME, Kind.TIMETZ}:
        # "+ (Concatenation) operator"; a TIMETZ is kept in UTC, so the day that its own offset would make is not known.
        if Kind.TIMETZ in kinds:
            raise binder.unsupported(node, "a date plus a time with time zone is not supported", hint="Add a TIME, or use TIMESTAMPTZ.")
        return Value(f"({left.sql} + {right.sql})", TIMESTAMP)
    if kinds == (Kind.TIME, Kind.TIME) and operator == "-":
        return Value(f"to_microseconds(date_diff('microsecond', {right.sql}, {left.sql}))", INTERVAL)
    if kinds == (Kind.INTERVAL, Kind.INTERVAL) and operator in "+-":
        return Value(f"({left.sql} {operator} {right.sql})", INTERVAL)
    if kinds[1] is Kind.INTERVAL and kinds[0] in NUMBERS and operator == "*":
        left, right, kinds = right, left, (kinds[1], kinds[0])
    if kinds[0] is Kind.INTERVAL and kinds[1] in NUMBERS and operator in "*/":
        factor = right.sql if kinds[1] in INTEGERS and operator == "*" else f"CAST({right.sql} AS DOUBLE)"
        divided = f"nearshift_sql.divide_interval({left.sql}, {factor})"
        return Value(divided if operator == "/" else f"({left.sql} * {factor})", INTERVAL)
    raise no_operator(binder, operator, left, right, node)


def no_operator(binder: Binder, operator: str, left: Value, right: Value, node: exp.Expr) -> InvalidSql:
    """Return `operator does not exist: a + b` (42883)."""
    message = f"operator does not exist: {left.type.kind.value} {operator} {right.type.kind.value}"
    return binder.invalid(node, message, sqlstate="42883", hint="You may need to add explicit type casts.")


def _super_arithmetic(binder: Binder, operator: str, left: Value, right: Value) -> Value:
    names = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo"}
    first, second = as_super(binder, left), as_super(binder, right)
    return Value(f"nearshift_sql.super_{names[operator]}({first}, {second})", SUPER)


def as_super(binder: Binder, value: Value) -> str:
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
        number = -value.integer
        return Value(f"({number})" if value.type == INTEGER else f"CAST({number} AS BIGINT)", value.type, integer=number)
    return Value(f"(-{value.sql})", value.type)


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


def power_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind `^`, which raises to a power ("Mathematical operator symbols")."""
    left, right = (coerce(binder, binder.value(one, scope), DOUBLE, node) for one in (node.this, node.expression))
    return Value(f"nearshift_sql.power({left.sql}, {right.sql})", DOUBLE)


def bitwise_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind & | << >> on integers."""
    left, right = _typed_by_neighbour(binder, binder.value(node.this, scope), binder.value(node.expression, scope), node)
    operator = _BITWISE[type(node)]
    if left.type.kind is Kind.VARBYTE and right.type.kind is Kind.VARBYTE and operator in "&|":
        return Value(f"nearshift_sql.bits_{'and' if operator == '&' else 'or'}({left.sql}, {right.sql})", VARBYTE)
    if left.type.kind not in INTEGERS or right.type.kind not in INTEGERS:
        raise no_operator(binder, operator, left, right, node)
    result = arithmetic_type("+", left.type, right.type) if operator in "&|" else left.type
    first = f"CAST({left.sql} AS {result.duckdb})"
    second = f"CAST({right.sql} AS {result.duckdb})"
    return Value(f"({first} {operator} {second})", result)


def bitwise_not_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind ~ on integers and VARBYTE."""
    value = binder.value(node.this, scope)
    if value.type.kind is Kind.VARBYTE:
        return Value(f"CAST(~CAST({value.sql} AS BIT) AS BLOB)", VARBYTE)
    if value.type.kind not in INTEGERS:
        raise binder.invalid(node, f"operator does not exist: ~ {value.type.kind.value}", sqlstate="42883")
    return Value(f"(~CAST({value.sql} AS {value.type.duckdb}))", value.type)
