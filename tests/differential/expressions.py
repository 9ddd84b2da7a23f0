"""Expressions over the table `mix` for both sides; `differences` says what is left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]
_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
_PATTERNS = ("%", "a%", "%b%", "_b_", "%c", "x\\_y%", "%\\%z", "", "hello%3rd", "A_c")
_EXPRESSIONS = ("^a", "b", "[0-9]+", "^[a-z]*$", "l{2}", "o w", "[^a-z]", "^$", "(ab|xy)", "a.c", "[[:digit:]]", "w+")
_TEXTS = ("''", "'a'", "'abc'", "'b'", "'hello world'", "'%'", "'12'", "'€x'", "',' ", "'NO'", "'it''s'")
_DAYS = ("date '1970-01-01'", "date '2000-02-29'", "date '2020-12-31'", "'2021-01-03'::date")
_MOMENTS = ("timestamp '2000-02-29 12:30:45.5'", "timestamp '1969-12-31 23:59:59'", "'2020-01-05'::timestamp")
_UNITS = ("day", "hour", "minute", "second", "week", "month", "year")


def pick(draw: Draw, *choices: Any) -> Any:
    """Return one of the choices."""
    return draw(st.sampled_from(choices))


def _three_way(draw: Draw, depth: int, kind: Callable[[Draw, int], str]) -> str:
    """Return a conditional of one type."""
    one, two = kind(draw, depth - 1), kind(draw, depth - 1)
    match pick(draw, "case", "simple", "coalesce", "nullif", "greatest", "subquery"):
        case "case":
            return f"CASE WHEN {condition(draw, depth - 1)} THEN {one} ELSE {two} END"
        case "simple":
            return f"CASE {integer(draw, depth - 1)} WHEN 1 THEN {one} WHEN {small(draw)} THEN {two} END"
        case "coalesce":
            return f"coalesce({one}, {two})"
        case "nullif":
            return f"nullif({one}, {two})"
        case "subquery":
            return f"coalesce((SELECT {one} FROM one WHERE k = b AND v IS NULL), {two})"
        case _:
            return f"{pick(draw, 'greatest', 'least')}({one}, {two})"


def small(draw: Draw) -> int:
    """Return a small number, which may be negative."""
    return int(draw(st.integers(-5, 12)))


def integer(draw: Draw, depth: int) -> str:
    """Return an integer expression; big ones overflow on both sides."""
    if depth <= 0:
        return str(pick(draw, "s", "a", "b", "l", "b", "id", f"({small(draw)})", "2147483647", "(-2)"))
    match pick(draw, "arithmetic", "function", "length", "part", "cast", "three", "days"):
        case "arithmetic":
            return f"({integer(draw, depth - 1)} {pick(draw, '+', '-', '*', '/', '%')} {integer(draw, depth - 1)})"
        case "function":
            return f"{pick(draw, 'abs', '-', '+')}({integer(draw, depth - 1)})"
        case "length":
            one, two = text(draw, depth - 1), text(draw, 0)
            called = f"{pick(draw, 'length', 'octet_length', 'ascii')}({one})"
            return str(pick(draw, called, f"strpos({one}, {two})", f"position({two} IN {one})"))
        case "part":
            part = pick(draw, "year", "quarter", "month", "week", "day", "dow", "doy", "hour", "minute", "century")
            return f"CAST(extract({part} FROM {moment(draw, depth - 1)}) AS int)"
        case "cast":
            return f"CAST({decimal(draw, depth - 1)} AS {pick(draw, 'int', 'bigint', 'smallint')})"
        case "days":
            return f"CAST({day(draw, depth - 1)} - {day(draw, 0)} AS int)"
        case _:
            return _three_way(draw, depth, integer)


def decimal(draw: Draw, depth: int) -> str:
    """Return an exact number with a fraction."""
    if depth <= 0:
        return str(pick(draw, "p", "q", "1.5", "0.05", "(-2.25)", "100.0", "p"))
    match pick(draw, "sum", "sum", "product", "round", "whole", "three", "abs", "mod"):
        case "sum":
            return f"({decimal(draw, depth - 1)} {pick(draw, '+', '-')} {decimal(draw, 0)})"
        case "product":
            return f"({decimal(draw, 0)} * {pick(draw, decimal(draw, 0), 'b', 's')})"
        case "round":
            return f"{pick(draw, 'round', 'trunc')}({decimal(draw, depth - 1)}, {pick(draw, 0, 1, 2, 3, -1, -2)})"
        case "whole":
            return f"{pick(draw, 'ceil', 'floor', 'round', 'trunc')}({decimal(draw, depth - 1)})"
        case "abs":
            return f"{pick(draw, 'abs', '-', 'sign')}({decimal(draw, depth - 1)})"
        case "mod":
            return f"mod({decimal(draw, 0)}, {pick(draw, '2.0', '0.3', '(-1.5)', 'p', 'b')})"
        case _:
            return _three_way(draw, depth, decimal)


def floating(draw: Draw, depth: int) -> str:
    """Return a double expression."""
    if depth <= 0:
        return str(pick(draw, "f", "1.5::float8", "0::float8", "f", "b::float8"))
    one = floating(draw, depth - 1)
    match pick(draw, "arithmetic", "root", "function", "power", "three"):
        case "arithmetic":
            return f"({one} {pick(draw, '+', '-', '*', '/')} {floating(draw, 0)})"
        case "root":
            return f"sqrt(abs({one}))"
        case "power":
            return f"power({pick(draw, '2::float8', 'abs(b)::float8', '1.5::float8')}, {pick(draw, '2', '0.5', '3', '-1')}::float8)"
        case "function":
            name = pick(draw, "abs", "ceil", "floor", "sign", "sin", "cos", "tan", "atan", "cbrt", "degrees", "radians", "round", "trunc")
            return f"{name}({one})"
        case _:
            return _three_way(draw, depth, floating)


def text(draw: Draw, depth: int) -> str:
    """Return a string expression that ends in no blank where that matters."""
    if depth <= 0:
        return str(pick(draw, "t", "u", "t", "u", *_TEXTS))
    one = text(draw, depth - 1)
    match pick(draw, "fold", "part", "pad", "trim", "replace", "join", "split", "cast", "three", "hash"):
        case "fold":
            return f"{pick(draw, 'upper', 'lower', 'initcap', 'reverse')}({pick(draw, 't', one)})"
        case "part":
            start, length = small(draw), draw(st.integers(0, 9))
            end = f"{pick(draw, 'left', 'right')}({one}, {length})"
            return f"rtrim({pick(draw, f'substring({one}, {start}, {length})', f'substring({one}, {start})', end)})"
        case "pad":
            return f"{pick(draw, 'lpad', 'rpad')}({one}, {draw(st.integers(-1, 12))}, {pick(draw, repr('xy'), repr('-'), repr(''))})"
        case "trim":
            return f"{pick(draw, 'ltrim', 'rtrim', 'btrim')}({one}, {pick(draw, repr('a'), repr('abc'), repr('%'), repr(''))})"
        case "replace":
            two, three = text(draw, 0), text(draw, 0)
            return f"{pick(draw, 'replace', 'translate')}({one}, {two}, {three})"
        case "join":
            return str(pick(draw, f"({one} || {text(draw, 0)})", f"repeat({one}, {draw(st.integers(-1, 3))})"))
        case "split":
            return f"rtrim(split_part({one}, {pick(draw, repr(','), repr(' '), repr('b'), repr('-'))}, {draw(st.integers(1, 4))}))"
        case "cast":
            return f"CAST({pick(draw, integer(draw, depth - 1), 'p', 'q', 'd', 'f', 'ts')} AS varchar)"
        case "hash":
            return f"md5({one})"
        case _:
            return _three_way(draw, depth, text)


def day(draw: Draw, depth: int) -> str:
    """Return a date expression."""
    if depth <= 0:
        return str(pick(draw, "d", "d", *_DAYS))
    match pick(draw, "plus", "cast", "three"):
        case "plus":
            return f"({day(draw, depth - 1)} {pick(draw, '+', '-')} {small(draw)})"
        case "cast":
            return f"CAST({moment(draw, depth - 1)} AS date)"
        case _:
            return _three_way(draw, depth, day)


def moment(draw: Draw, depth: int) -> str:
    """Return a timestamp expression."""
    if depth <= 0:
        return str(pick(draw, "ts", "ts", *_MOMENTS))
    match pick(draw, "plus", "plus", "trunc", "cast", "three"):
        case "plus":
            return f"({moment(draw, depth - 1)} {pick(draw, '+', '-')} interval '{draw(st.integers(0, 40))} {pick(draw, *_UNITS)}')"
        case "trunc":
            parts = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "century", "decade", "millennium")
            return f"date_trunc('{pick(draw, *parts)}', {moment(draw, depth - 1)})"
        case "cast":
            return f"CAST({day(draw, depth - 1)} AS timestamp)"
        case _:
            return _three_way(draw, depth, moment)


def condition(draw: Draw, depth: int) -> str:
    """Return a condition, true, false or unknown."""
    if depth <= 0:
        return str(pick(draw, "g", "(b > 1)", "(t = 'a')", "(p < q)", "(d IS NULL)", "TRUE", "(a = b)", "(NOT g)"))
    kind = pick(draw, integer, decimal, text, day, moment, floating)
    one = kind(draw, depth - 1)
    match pick(draw, "compare", "compare", "and", "not", "null", "between", "in", "like", "match", "is", "mixed"):
        case "compare":
            return f"({one} {pick(draw, *_COMPARISONS)} {kind(draw, depth - 1)})"
        case "mixed":
            return f"({integer(draw, depth - 1)} {pick(draw, *_COMPARISONS)} {decimal(draw, depth - 1)})"
        case "and":
            return f"({condition(draw, depth - 1)} {pick(draw, 'AND', 'OR')} {condition(draw, depth - 1)})"
        case "not":
            return f"(NOT {condition(draw, depth - 1)})"
        case "null":
            return f"({one} IS {pick(draw, '', 'NOT ')}NULL)"
        case "between":
            return f"({one} {pick(draw, '', 'NOT ')}BETWEEN {kind(draw, 0)} AND {kind(draw, 0)})"
        case "in":
            return f"({one} {pick(draw, '', 'NOT ')}IN ({kind(draw, 0)}, {kind(draw, 0)}{pick(draw, '', ', NULL')}))"
        case "like":
            pattern = pick(draw, *_PATTERNS)
            return f"({text(draw, depth - 1)} {pick(draw, '', 'NOT ')}{pick(draw, 'LIKE', 'ILIKE')} '{pattern}')"
        case "match":
            return f"({text(draw, depth - 1)} {pick(draw, '~', '!~', '~*')} '{pick(draw, *_EXPRESSIONS)}')"
        case _:
            return f"({condition(draw, depth - 1)} IS {pick(draw, '', 'NOT ')}{pick(draw, 'TRUE', 'FALSE', 'UNKNOWN')})"


KINDS: dict[str, Callable[[Draw, int], str]] = {
    "integer": integer, "decimal": decimal, "floating": floating, "text": text, "day": day, "moment": moment, "condition": condition,
}  # fmt: skip


def expressions(kind: str, depth: int = 3) -> st.SearchStrategy[str]:
    """Return a strategy for expressions of a kind."""

    @st.composite
    def one(draw: Draw) -> str:
        return KINDS[kind](draw, draw(st.integers(1, depth)))

    return one()
