"""Redshift's rules for the types of numbers: arithmetic, aggregates, and what a set of branches has in common.

Source pages: "Computations with numeric values" (r_numeric_computations201), "SUM function", "AVG function".
"""

from __future__ import annotations

from collections.abc import Sequence

from nearshift.types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGER,
    INTEGERS,
    NUMBERS,
    REAL,
    SMALLINT,
    STRINGS,
    SUPER,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    VARCHAR,
    Kind,
    SqlType,
    decimal,
)

PRECISION_MAX = 38
# A division keeps at least this many digits after the point, and a result above 38 digits gives them up last.
_SCALE_FLOOR = 4
_INTEGER_DIGITS = {Kind.SMALLINT: 5, Kind.INTEGER: 10, Kind.BIGINT: 19}
_INTEGER_RANK = {Kind.SMALLINT: 0, Kind.INTEGER: 1, Kind.BIGINT: 2}
_INTEGER_OF_RANK = (SMALLINT, INTEGER, BIGINT)
_FLOATS = frozenset({Kind.REAL, Kind.DOUBLE})
_INSTANTS = {Kind.DATE: 0, Kind.TIMESTAMP: 1, Kind.TIMESTAMPTZ: 2}
_INSTANT_OF_RANK = (DATE, TIMESTAMP, TIMESTAMPTZ)


def as_decimal(kind: SqlType) -> SqlType:
    """Return the DECIMAL that an exact number counts as: integers are DEC(5,0), DEC(10,0), DEC(19,0)."""
    if kind.kind in _INTEGER_DIGITS:
        return decimal(_INTEGER_DIGITS[kind.kind], 0)
    return decimal(kind.precision or 18, kind.scale or 0)


def arithmetic_type(operator: str, left: SqlType, right: SqlType) -> SqlType:
    """Return the type of `left operator right` for two numbers, `operator` one of + - * / %."""
    if left.kind in _FLOATS or right.kind in _FLOATS:
        return DOUBLE
    if left.kind in INTEGERS and right.kind in INTEGERS:
        return _INTEGER_OF_RANK[max(_INTEGER_RANK[left.kind], _INTEGER_RANK[right.kind])]
    one, two = as_decimal(left), as_decimal(right)
    p1, s1, p2, s2 = one.precision or 0, one.scale or 0, two.precision or 0, two.scale or 0
    if operator == "*":
        scale, precision = s1 + s2, p1 + p2 + 1
    elif operator == "/":
        scale = max(_SCALE_FLOOR, s1 + p2 - s2 + 1)
        precision = p1 - s1 + s2 + scale
    else:
        scale = max(s1, s2)
        precision = max(p1 - s1, p2 - s2) + 1 + scale
    return capped(precision, scale)


def capped(precision: int, scale: int) -> SqlType:
    """Return DECIMAL(precision, scale), with the digits above 38 taken from the scale as far as Redshift does."""
    if precision > PRECISION_MAX:
        scale = max(PRECISION_MAX + scale - precision, min(scale, _SCALE_FLOOR))
        precision = PRECISION_MAX
    return decimal(precision, min(scale, PRECISION_MAX - 1))


def sum_type(kind: SqlType) -> SqlType:
    """Return the type of SUM: BIGINT of small integers, DECIMAL(38,0) of BIGINT, DECIMAL(38,s) of decimals, FLOAT8 of floats."""
    if kind.kind in {Kind.SMALLINT, Kind.INTEGER}:
        return BIGINT
    if kind.kind is Kind.BIGINT:
        return decimal(PRECISION_MAX, 0)
    if kind.kind is Kind.DECIMAL:
        return decimal(PRECISION_MAX, kind.scale or 0)
    return DOUBLE


def common_type(types: Sequence[SqlType]) -> SqlType | None:
    """Return what CASE, COALESCE, UNION and IN make of these types, or None when they have nothing in common."""
    known = [one for one in types if one.kind is not Kind.UNKNOWN]
    if not known:
        return UNKNOWN
    result = known[0]
    for one in known[1:]:
        joined = _common_of_two(result, one)
        if joined is None:
            return None
        result = joined
    return result


def _common_of_two(left: SqlType, right: SqlType) -> SqlType | None:
    if left == right:
        return left
    kinds = {left.kind, right.kind}
    if Kind.SUPER in kinds:
        return SUPER
    if kinds <= NUMBERS:
        return _common_number(left, right)
    if kinds <= STRINGS:
        if left.length is None or right.length is None:
            return VARCHAR
        kind = Kind.CHAR if kinds == {Kind.CHAR} else Kind.VARCHAR
        return SqlType(kind, length=max(left.length, right.length))
    if kinds <= set(_INSTANTS):
        return _INSTANT_OF_RANK[max(_INSTANTS[left.kind], _INSTANTS[right.kind])]
    if left.kind is right.kind:
        return SqlType(left.kind) if left.length != right.length else left
    if kinds == {Kind.OID, Kind.INTEGER} or kinds == {Kind.OID, Kind.BIGINT}:
        return BIGINT
    return None


def _common_number(left: SqlType, right: SqlType) -> SqlType:
    kinds = {left.kind, right.kind}
    if kinds & _FLOATS:
        return REAL if kinds == {Kind.REAL} else DOUBLE
    if kinds <= INTEGERS:
        return _INTEGER_OF_RANK[max(_INTEGER_RANK[left.kind], _INTEGER_RANK[right.kind])]
    one, two = as_decimal(left), as_decimal(right)
    scale = max(one.scale or 0, two.scale or 0)
    whole = max((one.precision or 0) - (one.scale or 0), (two.precision or 0) - (two.scale or 0))
    # "precision min(..., 19)" holds for 64-bit decimals only; inputs of 128 bits keep 38.
    limit = PRECISION_MAX if max(one.precision or 0, two.precision or 0) > 19 else 19
    return decimal(max(min(whole + scale, limit), scale, 1), scale)
