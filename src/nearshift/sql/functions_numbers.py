"""Numeric functions. Source page: "Math functions"."""

from __future__ import annotations

from collections.abc import Callable

from nearshift.sql.bind_arithmetic import arithmetic
from nearshift.sql.bind_casts import coerce
from nearshift.sql.bind_values import Value
from nearshift.sql.functions_formats import number_width
from nearshift.sql.functions_table import Call, Function, Refusal, same_as
from nearshift.types import DATE, DOUBLE, INTEGERS, NUMBERS, SUPER, Kind, decimal


def _signed(name: str) -> Callable[[Call], Value]:
    """Return the lowering of a function that also takes SUPER (NULL unless it is a number) and keeps exact types exact."""

    def lower(call: Call) -> Value:
        value = call.values[0]
        if value.type.kind is Kind.SUPER:
            return Value(f"nearshift_sql.number_json({name}(nearshift_sql.super_decimal({value.sql})))", SUPER)
        number = _as_number(call, value)
        if name in {"ceil", "floor"}:
            return _whole(name, number)
        return Value(f"CAST({name}({number.sql}) AS {number.type.duckdb})", number.type)

    return lower


def _as_number(call: Call, value: Value) -> Value:
    if value.type.kind in NUMBERS:
        return value
    return coerce(call.binder, value, DOUBLE, call.node)


def _whole(name: str, number: Value) -> Value:
    if number.type.kind in INTEGERS:
        return number
    if number.type.kind is Kind.DECIMAL:
        kind = decimal(number.type.precision or 18, 0)
        return Value(f"CAST({name}({number.sql}) AS {kind.duckdb})", kind)
    return Value(f"{name}({number.sql})", number.type)


def _sign(call: Call) -> Value:
    value = call.values[0]
    if value.type.kind is Kind.SUPER:
        return Value(f"nearshift_sql.number_json(sign(nearshift_sql.super_decimal({value.sql})))", SUPER)
    number = _as_number(call, value)
    kind = number.type if number.type.kind is not Kind.DECIMAL else decimal(1, 0)
    return Value(f"CAST(sign({number.sql}) AS {kind.duckdb})", kind)


def _rounded(call: Call) -> Value:
    """Lower ROUND and TRUNC; TRUNC of a timestamp is its date ("TRUNC function")."""
    name, value = call.name, call.values[0]
    if name == "trunc" and value.type.kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.DATE}:
        return Value(f"CAST({value.sql} AS DATE)", DATE)
    if value.type.kind is Kind.SUPER:
        return Value(f"nearshift_sql.number_json({name}(nearshift_sql.super_decimal({value.sql})))", SUPER)
    number = _as_number(call, value)
    if len(call.values) == 1:
        return _whole(name, number)
    places = call.values[1]
    if places.type.kind not in INTEGERS:
        raise call.error(f"the second argument of {name.upper()} must be an integer")
    if number.type.kind in INTEGERS and places.integer is not None and places.integer >= 0:
        return number
    if number.type.kind in {Kind.REAL, Kind.DOUBLE}:
        return Value(f"nearshift_sql.{name}_float({number.sql}, CAST({places.sql} AS INTEGER))", DOUBLE)
    if number.type.kind is Kind.DECIMAL and places.integer is not None:
        return _at_scale(name, number, places.integer)
    sql = f"nearshift_sql.{name}_exact({number.sql}, CAST({places.sql} AS INTEGER))"
    return Value(f"CAST({sql} AS {number.type.duckdb})", number.type)


def _at_scale(name: str, number: Value, places: int) -> Value:
    """Round or cut a DECIMAL; the result has as many digits after the point as were asked for ("ROUND function": 28.05 shows as 28.1)."""
    scale = number.type.scale or 0
    if places >= scale:
        return number
    whole = (number.type.precision or 18) - scale
    kind = decimal(min(max(whole + 1, 1) + max(places, 0), 38), max(places, 0))
    if whole + places < 0:
        return Value(f"CAST({number.sql} * 0 AS {kind.duckdb})", kind)
    return Value(f"CAST({name}(CAST({number.sql} AS DECIMAL({min(whole + 1 + scale, 38)},{scale})), {places}) AS {kind.duckdb})", kind)


def _to_number(call: Call) -> Value:
    text, form = call.values
    if form.literal is None:
        raise call.binder.unsupported(call.node, "the format of TO_NUMBER must be a literal")
    kind = number_width(form.literal)
    return Value(f"CAST(nearshift_sql.number_of({text.sql}, TRUE) AS {kind.duckdb})", kind)


def _mod(call: Call) -> Value:
    return arithmetic(call.binder, "%", call.values[0], call.values[1], call.node)


FUNCTIONS = (
    Function("abs", "*", same_as(0), _signed("abs"), "r_ABS.html"),
    Function("ceil", "*", same_as(0), _signed("ceil"), "r_CEILING_FLOOR.html"),
    Function("ceiling", "*", same_as(0), _signed("ceil"), "r_CEILING_FLOOR.html"),
    Function("floor", "*", same_as(0), _signed("floor"), "r_FLOOR.html"),
    Function("sign", "*", same_as(0), _sign, "r_SIGN.html"),
    Function("round", "*?n", same_as(0), _rounded, "r_ROUND.html"),
    Function("trunc", "*?n", same_as(0), _rounded, "r_TRUNC.html"),
    Function("mod", "nn", same_as(0), _mod, "r_MOD.html"),
    Function("power", "ff", DOUBLE, "nearshift_sql.power({0}, {1})", "r_POWER.html"),
    Function("pow", "ff", DOUBLE, "nearshift_sql.power({0}, {1})", "r_POWER.html"),
    Function("dpow", "ff", DOUBLE, "nearshift_sql.power({0}, {1})", "r_POWER.html"),
    Function("sqrt", "f", DOUBLE, "nearshift_sql.root({0})", "r_SQRT.html"),
    Function("dsqrt", "f", DOUBLE, "nearshift_sql.root({0})", "r_SQRT.html"),
    Function("cbrt", "f", DOUBLE, "cbrt({0})", "r_CBRT.html"),
    Function("exp", "f", DOUBLE, "nearshift_sql.finite(exp({0}))", "r_EXP.html"),
    Function("dexp", "f", DOUBLE, "nearshift_sql.finite(exp({0}))", "r_DEXP.html"),
    Function("ln", "f", DOUBLE, "ln(nearshift_sql.positive({0}))", "r_LN.html"),
    Function("dlog1", "f", DOUBLE, "ln(nearshift_sql.positive({0}))", "r_DLOG1.html"),
    Function("log", "f", DOUBLE, "log10(nearshift_sql.positive({0}))", "r_LOG.html"),
    Function("dlog10", "f", DOUBLE, "log10(nearshift_sql.positive({0}))", "r_DLOG10.html"),
    Function("pi", "", DOUBLE, "pi()", "r_PI.html"),
    Function("random", "", DOUBLE, "random()", "r_RANDOM.html", is_mutable=True),
    Function("degrees", "f", DOUBLE, "degrees({0})", "r_DEGREES.html"),
    Function("radians", "f", DOUBLE, "radians({0})", "r_RADIANS.html"),
    *(
        Function(name, "f", DOUBLE, f"{name}({{0}})", f"r_{name.upper()}.html")
        for name in ("sin", "cos", "tan", "atan", "cot")
    ),
    Function("asin", "f", DOUBLE, "asin(nearshift_sql.unit({0}))", "r_ASIN.html"),
    Function("acos", "f", DOUBLE, "acos(nearshift_sql.unit({0}))", "r_ACOS.html"),
    Function("atan2", "ff", DOUBLE, "atan2({0}, {1})", "r_ATAN2.html"),
    Function("to_number", "sr", decimal(38, 10), _to_number, "r_TO_NUMBER.html"),
)
REFUSALS: tuple[Refusal, ...] = ()
