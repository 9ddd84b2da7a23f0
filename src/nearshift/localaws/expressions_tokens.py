"""The tokens of DynamoDB's expressions, and its words for a syntax error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

EXPRESSION_BYTES_MAX = 4096


class ExpressionError(Exception):
    """The expression is wrong; the message stands after `Invalid UpdateExpression: ` or its like."""


class TokenKind(Enum):
    """What a token is."""

    NAME = "name"  # a bare identifier or keyword
    NAME_PLACEHOLDER = "#name"
    VALUE_PLACEHOLDER = ":name"
    NUMBER = "number"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it stands in the expression."""

    kind: TokenKind
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<hash>#[A-Za-z0-9_]+)|(?P<colon>:[A-Za-z0-9_]+)|(?P<number>[0-9]+)"
    r"|(?P<sign><>|<=|>=|[=<>(),.\[\]+\-])|(?P<space>[ \t\r\n\f]+)"
)
_KINDS = {
    "name": TokenKind.NAME,
    "hash": TokenKind.NAME_PLACEHOLDER,
    "colon": TokenKind.VALUE_PLACEHOLDER,
    "number": TokenKind.NUMBER,
    "sign": TokenKind.SIGN,
}


def tokenise(text: str) -> list[Token]:
    """Return the tokens of an expression, closed by one END token. Raises ExpressionError."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > EXPRESSION_BYTES_MAX:
        raise ExpressionError(f"Expression size has exceeded the maximum allowed size; expression size: {size}")
    if not text.strip():
        raise ExpressionError("The expression can not be empty;")
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            before = tokens[-1].start if tokens else position
            near = text[before : _next_end(text, position + 1)]
            raise ExpressionError(f'Syntax error; token: "{text[position]}", near: "{near}"')
        if match.lastgroup != "space":
            assert match.lastgroup is not None
            tokens.append(Token(_KINDS[match.lastgroup], match.group(), position, match.end()))
        position = match.end()
    tokens.append(Token(TokenKind.END, "<EOF>", len(text), len(text)))
    return tokens


def _next_end(text: str, position: int) -> int:
    """Return where the token after `position` ends, blanks before it skipped."""
    while position < len(text) and text[position].isspace():
        position += 1
    match = _TOKEN.match(text, position)
    return match.end() if match else position


def syntax_error(text: str, tokens: list[Token], index: int) -> ExpressionError:
    """Return the error for an unexpected token: the service shows it with its neighbours."""
    token = tokens[index]
    start = tokens[index - 1].start if index else token.start
    following = tokens[min(index + 1, len(tokens) - 1)]
    near = text[start : following.end].rstrip()
    return ExpressionError(f'Syntax error; token: "{token.text}", near: "{near}"')
