"""Which kind of query or DML a text is; the binder reads what is inside.

Only the words outside brackets count: after WITH the first verb decides, and in a SELECT an INTO before FROM makes it a CREATE TABLE AS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nearshift import limits
from nearshift.errors import NotSupported
from nearshift.sql.lexer import Token, TokenKind, tokens
from nearshift.sql.parse_reader import Reader, syntax_error, too_deep
from nearshift.sql.statements import Delete, Insert, Merge, Query, SelectInto, Update

QUERY_WORDS: Final = frozenset({"SELECT", "WITH", "VALUES", "(", "INSERT", "UPDATE", "DELETE", "MERGE"})
_VERBS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES"})
# After one of these no INTO of the outer SELECT can follow.
_AFTER_LIST: Final = frozenset({"FROM", "WHERE", "GROUP", "ORDER", "UNION", "INTERSECT", "EXCEPT", "MINUS", "LIMIT", "HAVING"})


def classify_query(text: str) -> Query | SelectInto | Insert | Update | Delete | Merge:
    """Return the statement that `text`, which begins with one of QUERY_WORDS, is.

    Raises InvalidSql for brackets that do not match or are nested too deeply, and for WITH without a verb after it; NotSupported for
    WITH before MERGE, which Redshift does not have ("MERGE").
    """
    outer = _outside_brackets(text)
    first = next(outer)
    verb = first
    if first.key == "WITH":
        verb = next((token for token in outer if token.key in _VERBS or token.key == "(" or token.kind is TokenKind.END), first)
        verb = _verb_after_with(text, verb, outer)
    match verb.key:
        case "INSERT":
            return Insert(text)
        case "UPDATE":
            return Update(text)
        case "DELETE":
            return Delete(text)
        case "MERGE":
            if first is not verb:
                raise NotSupported("WITH before MERGE is not supported", span=first.span, hint="Use a temporary table as the source.")
            return Merge(text)
        case "SELECT":
            return _select(text, outer)
    return Query(text)


def _verb_after_with(text: str, verb: Token, outer: Iterator[Token]) -> Token:
    """Return the verb of the statement after the WITH list: brackets of the list are not a parenthesised query."""
    before = verb
    while verb.key not in _VERBS:
        if verb.kind is TokenKind.END:
            raise syntax_error(verb)
        if verb.key == "(" and before.key == ")":
            return verb
        before = verb
        verb = next(outer, Token(TokenKind.END, "", len(text), len(text), ""))
    return verb


def _outside_brackets(text: str) -> Iterator[Token]:
    """Yield the tokens outside brackets and the outermost brackets themselves, END last."""
    depth = 0
    for token in tokens(text):
        if token.key in (")", "]", "}"):
            depth -= 1
            if depth < 0:
                raise syntax_error(token)
        if depth == 0:
            yield token
        if token.key in ("(", "[", "{"):
            depth += 1
            if depth > limits.STATEMENT_DEPTH_MAX:
                raise too_deep(token.span)
        if token.kind is TokenKind.END and depth > 0:
            raise syntax_error(token)


def _select(text: str, outer: Iterator[Token]) -> Query | SelectInto:
    into: Token | None = None
    for token in outer:
        if token.key == "INTO":
            into = token
            break
        if token.key in _AFTER_LIST:
            break
    for _ in outer:
        pass  # the rest is read for its brackets and quotes only
    return Query(text) if into is None else _select_into(text, into)


def _select_into(text: str, into: Token) -> SelectInto:
    reader = Reader(text, (token for token in tokens(text) if token.start > into.start))
    is_temporary = reader.take("TEMP", "TEMPORARY") is not None
    reader.take("TABLE")
    target = reader.qualified()
    end = reader.previous.end
    query = text[: into.start] + " " * (end - into.start) + text[end:]
    return SelectInto(text, target, is_temporary or target.last.text.startswith("#"), query)
