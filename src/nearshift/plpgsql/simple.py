"""Expressions that need no SQL: a literal, a variable, or one integer operation on two of them.

Loops count and compare far more often than they query, and each trip to the session costs a translation and a statement. Only what cannot
differ from SQL's answer is done here; everything else, overflow included, is left to the session.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from nearshift.errors import InvalidSql
from nearshift.plpgsql.runner import Value
from nearshift.sql.lexer import Token, TokenKind, string_value, tokens
from nearshift.types import BIGINT, BOOLEAN, INTEGER, INTEGERS, SMALLINT, UNKNOWN, Kind

# A name's parts as written, each with whether it was quoted.
NameParts = tuple[tuple[str, bool], ...]

_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne, "!=": operator.ne,
}  # fmt: skip
_CALCULATE: Final[dict[str, Callable[[int, int], int]]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_BITS: Final = {Kind.SMALLINT: 15, Kind.INTEGER: 31, Kind.BIGINT: 63}
_BY_BITS: Final = {15: SMALLINT, 31: INTEGER, 63: BIGINT}


@dataclass(frozen=True, slots=True)
class Binary:
    """left sign right, where both sides are literals or names."""

    left: Value | NameParts
    sign: str
    right: Value | NameParts


def compute_integers(left: Value, sign: str, right: Value) -> Value | None:
    """Return what SQL says of two integers, in the wider of their types; None when it is for the session to say."""
    if left.type.kind not in INTEGERS or right.type.kind not in INTEGERS:
        return None
    a, b = left.value, right.value
    bits = max(_BITS[left.type.kind], _BITS[right.type.kind])
    is_comparison = sign in _COMPARE
    if a is None or b is None:
        return Value(BOOLEAN if is_comparison else _BY_BITS[bits], None)
    if not isinstance(a, int) or not isinstance(b, int):
        return None
    if is_comparison:
        return Value(BOOLEAN, _COMPARE[sign](a, b))
    number = _CALCULATE[sign](a, b)
    return Value(_BY_BITS[bits], number) if -(1 << bits) <= number < 1 << bits else None


@lru_cache(maxsize=4096)
def read_simple(text: str) -> Value | NameParts | Binary | None:
    """Return a lone literal's value, a lone name's parts, or an operation on two of those; None for anything that needs SQL."""
    try:
        found = [token for token, _ in zip(tokens(text), range(12), strict=False)]
    except InvalidSql:
        return None
    if found[-1].kind is not TokenKind.END:
        return None
    found.pop()
    signs = [index for index, token in enumerate(found) if token.key in _COMPARE or token.key in _CALCULATE]
    if not signs:
        return _operand(found)
    left, right = _operand(found[: signs[0]]), _operand(found[signs[0] + 1 :])
    if len(signs) > 1 or left is None or right is None:
        return None
    return Binary(left, found[signs[0]].key, right)


def _operand(found: list[Token]) -> Value | NameParts | None:
    if not found:
        return None
    first = found[0]
    if len(found) == 1:
        match first.kind:
            case TokenKind.NUMBER if first.text.isdigit() and len(first.text) < 19:
                number = int(first.text)
                return Value(INTEGER if number < 1 << 31 else BIGINT, number)
            case TokenKind.STRING if first.text.startswith("'"):
                return Value(UNKNOWN, string_value(first))
            case TokenKind.WORD if first.key in ("TRUE", "FALSE"):
                return Value(BOOLEAN, first.key == "TRUE")
            case TokenKind.WORD if first.key == "NULL":
                return Value(UNKNOWN, None)
            case TokenKind.PARAMETER:
                return ((first.text, False),)
    return _path(found)


def _path(found: list[Token]) -> NameParts | None:
    parts: list[tuple[str, bool]] = []
    for index, token in enumerate(found):
        if index % 2:
            if token.key != ".":
                return None
        elif token.kind is TokenKind.WORD:
            parts.append((token.text, False))
        elif token.kind is TokenKind.QUOTED:
            parts.append((token.text[1:-1].replace('""', '"'), True))
        else:
            return None
    return tuple(parts) if len(found) % 2 else None
