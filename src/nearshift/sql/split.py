"""A script into statements, by a scan that knows only quotes, dollar tags and comments.

A procedure body is a quoted or dollar-quoted string, so it stays whole without being understood here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nearshift import limits
from nearshift.errors import InvalidSql, Span
from nearshift.sql.lexer import Comments, skip_comment, skip_dollar, skip_quote


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement without its semicolon; `start` is the character of the script at which `text` begins."""

    text: str
    start: int


_MARK: Final = re.compile(r";|'|\"|\$|--|/\*")
_BLANK: Final = re.compile(r"[\s;]*+")


def split_script(text: str) -> list[Piece]:
    """Return the statements of a script in order; those of blanks and comments alone are left out.

    A piece keeps the comments before and inside it and loses the blanks around it, so `text[p.start : p.start + len(p.text)] == p.text`.
    Raises InvalidSql: 42601 with a span for a quote, dollar quote or comment without an end, 54001 for a statement above 16 MB ("Quotas
    and limits in Amazon Redshift").
    """
    pieces: list[Piece] = []
    start = position = _skip_blank(text, 0)
    has_token, name_dollar = False, -1
    while True:
        mark = _MARK.search(text, position)
        end = mark.start() if mark else len(text)
        has_token = has_token or not (position == end or text[position:end].isspace())
        _check_length(start, end)
        if mark is None or mark[0] == ";":
            if has_token:
                pieces.append(_piece(text, start, end))
            if mark is None:
                return pieces
            start = position = _skip_blank(text, end)
            has_token = False
        elif mark[0] == "$":
            if _is_in_name(text, end, name_dollar):
                name_dollar, position = end, end + 1
            else:
                position = max(skip_dollar(text, end), end + 1)
            has_token = True
        else:
            position, is_comment = _skip_mark(text, end, mark[0])
            has_token = has_token or not is_comment


def _skip_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _skip_mark(text: str, at: int, kind: str) -> tuple[int, bool]:
    """Return where the quoted or commented part that begins at `at` ends, and whether it is a comment."""
    if kind == "--":
        end = text.find("\n", at)
        return (len(text) if end < 0 else end), True
    if kind == "/*":
        return skip_comment(text, at, Comments.NESTED), True
    return skip_quote(text, at), False


def _is_in_name(text: str, at: int, name_dollar: int) -> bool:
    """Tell whether the dollar at `at` continues a name (`a$b`) instead of beginning a quote; `name_dollar` is the last that did."""
    before = at - 1
    while before >= 0 and "0" <= text[before] <= "9":
        before -= 1
    if before < 0:
        return False
    character = text[before]
    return before == name_dollar or character == "_" or character >= "\x80" or (character.isascii() and character.isalpha())


def _check_length(start: int, end: int) -> None:
    if end - start > limits.STATEMENT_BYTES_MAX:
        raise _too_large(start)


def _piece(text: str, start: int, end: int) -> Piece:
    body = text[start:end].rstrip()
    if len(body) * 4 > limits.STATEMENT_BYTES_MAX and len(body.encode("utf-8", "surrogatepass")) > limits.STATEMENT_BYTES_MAX:
        raise _too_large(start)
    return Piece(body, start)


def _too_large(start: int) -> InvalidSql:
    return InvalidSql(
        f"statement is too large: the maximum is {limits.STATEMENT_BYTES_MAX // limits.MIB} MB",
        sqlstate="54001",
        span=Span(start, start + 1),
        hint="Load large data with COPY, or send several statements.",
    )
