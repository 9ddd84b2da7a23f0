"""Text into tokens, for everything that we parse ourselves, and the scanning rules that the splitter shares.

A backslash escapes in every string, with or without a leading E, as in the PostgreSQL 8.0 that Redshift comes from. Comments nest in SQL
and do not in procedure bodies ("Structure of PL/pgSQL"). All scanning is linear: the repeats are possessive, nothing is read twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from nearshift.errors import InvalidSql, Span


class TokenKind(Enum):
    """What a token is; keywords are words."""

    WORD = "word"
    QUOTED = "quoted name"
    STRING = "string"
    DOLLAR = "dollar-quoted string"
    NUMBER = "number"
    PARAMETER = "parameter"
    OPERATOR = "operator"
    END = "end of input"


class Comments(Enum):
    """How `/* … */` is read."""

    NESTED = "nested"
    FLAT = "flat"


class Token(NamedTuple):
    """One token; `key` is the upper-case word or the operator itself, and empty for the rest, so that keywords compare by it."""

    kind: TokenKind
    text: str
    start: int
    end: int
    key: str

    @property
    def span(self) -> Span:
        """The characters of the token."""
        return Span(self.start, self.end)


STRING: Final = re.compile(r"'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'", re.DOTALL)
QUOTED: Final = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
DOLLAR_TAG: Final = re.compile(r"\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*+)?\$")
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s++|--[^\n]*+)
  | (?P<comment>/\*)
  | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*+|\#[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*+)
  | (?P<quote>['"])
  | (?P<number>\d++(?:\.(?!\.)\d*+)?(?:[eE][+-]?\d++)?|\.\d++(?:[eE][+-]?\d++)?)
  | (?P<parameter>\$\d++)
  | (?P<dollar>\$)
  | (?P<operator>:=|\.\.|<<|>>|::|<>|!=|<=|>=|\|\||[-+*/%^<>=~!@#&|?()\[\],;.:{}`\\])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD_BEFORE_STRING: Final = frozenset({"E", "N", "B", "X"})


def skip_comment(text: str, start: int, comments: Comments) -> int:
    """Return where the `/*` comment that begins at `start` ends. Raises InvalidSql when it never does."""
    if comments is Comments.FLAT:
        end = text.find("*/", start + 2)
        if end >= 0:
            return end + 2
    else:
        depth = 0
        for edge in _COMMENT_EDGE.finditer(text, start):
            depth += 1 if edge[0] == "/*" else -1
            if depth == 0:
                return edge.end()
    raise InvalidSql("unterminated /* comment", span=Span(start, start + 2), hint="Close the comment with */.")


def skip_quote(text: str, start: int) -> int:
    """Return where the string or quoted name that begins at `start` ends. Raises InvalidSql when it never does."""
    is_string = text[start] == "'"
    found = (STRING if is_string else QUOTED).match(text, start)
    if found is not None:
        return found.end()
    what = "string" if is_string else "identifier"
    mark = "single" if is_string else "double"
    raise InvalidSql(f"unterminated quoted {what}", span=Span(start, start + 1), hint=f"Close it with a {mark} quote.")


def skip_dollar(text: str, start: int) -> int:
    """Return where the dollar-quoted string that begins at `start` ends, or `start` when no dollar quote begins there.

    Raises InvalidSql when the closing tag is missing.
    """
    tag = DOLLAR_TAG.match(text, start)
    if tag is None:
        return start
    end = text.find(tag[0], tag.end())
    if end < 0:
        message = "unterminated dollar-quoted string"
        raise InvalidSql(message, span=Span(start, tag.end()), hint=f"Close it with {tag[0][:60]}.")
    return end + len(tag[0])


def tokens(text: str, comments: Comments = Comments.NESTED) -> Iterator[Token]:
    """Yield the tokens of `text` one by one, an END token last; white space and comments are left out.

    Raises InvalidSql (42601) for a quote or comment that does not end and for a character that begins nothing.
    """
    position, size = 0, len(text)
    while position < size:
        found = _TOKEN.match(text, position)
        assert found is not None, "the last branch takes any character"
        group, end = found.lastgroup, found.end()
        if group == "space":
            position = end
            continue
        if group == "comment":
            position = skip_comment(text, position, comments)
            continue
        if group == "word":
            word = found[0]
            if text.startswith("'", end) and word.upper() in _WORD_BEFORE_STRING:
                end = skip_quote(text, end)
                yield Token(TokenKind.STRING, text[position:end], position, end, "")
            else:
                yield Token(TokenKind.WORD, word, position, end, word.upper())
        else:
            token = _other_token(text, position, end, group)
            end = token.end
            yield token
        position = end
    yield Token(TokenKind.END, "", size, size, "")


def _other_token(text: str, position: int, end: int, group: str | None) -> Token:
    if group == "operator":
        return Token(TokenKind.OPERATOR, text[position:end], position, end, text[position:end])
    if group == "quote":
        kind = TokenKind.STRING if text[position] == "'" else TokenKind.QUOTED
        end = skip_quote(text, position)
    elif group == "dollar":
        kind, end = TokenKind.DOLLAR, skip_dollar(text, position)
    else:
        kind = TokenKind.NUMBER if group == "number" else TokenKind.PARAMETER
    if group == "other" or end == position:
        raise InvalidSql(f'syntax error at or near "{text[position]}"', span=Span(position, position + 1))
    return Token(kind, text[position:end], position, end, "")


_ESCAPE: Final = re.compile(r"''|\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _unescape(found: re.Match[str]) -> str:
    if found[0] == "''":
        return "'"
    if found[1] or found[3]:
        return chr(int(found[1] or found[3], 16))
    return chr(int(found[2], 8) & 0xFF) if found[2] else _ESCAPED.get(found[4], found[4])


def string_value(token: Token) -> str:
    """Return what a STRING or DOLLAR token stands for, escapes resolved."""
    if token.kind is TokenKind.DOLLAR:
        tag_size = token.text.index("$", 1) + 1
        return token.text[tag_size:-tag_size]
    inner = token.text[token.text.index("'") + 1 : -1]
    return _ESCAPE.sub(_unescape, inner) if "\\" in inner or "''" in inner else inner
