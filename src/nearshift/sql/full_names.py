"""What PostgreSQL's tools write out in full, put back into the short form that the parser reads.

psql and the drivers qualify everything, so that no object of a user can stand before the catalog's own: `pg_catalog.f(x)`,
`x::pg_catalog.text`, `a OPERATOR(pg_catalog.~) b`, `COLLATE pg_catalog.default`. Here nothing can stand before it, so the long form means
the short one. Tokens keep their places, and errors point into the text as it was written.
"""

from __future__ import annotations

from typing import Any, Final

from sqlglot.tokenizer_core import Token, TokenType

_CATALOG: Final = "PG_CATALOG"
# The collations that mean no collation: strings are compared by their bytes, as in Redshift.
_PLAIN_COLLATIONS: Final = frozenset({"DEFAULT", "C"})
# The domains of information_schema and what they are made of ("information_schema", PostgreSQL 8.0).
_DOMAINS: Final = {
    "SQL_IDENTIFIER": TokenType.VARCHAR, "CHARACTER_DATA": TokenType.VARCHAR, "CARDINAL_NUMBER": TokenType.INT,
    "TIME_STAMP": TokenType.TIMESTAMP,
}  # fmt: skip


def shortened(tokens: list[Any]) -> list[Any]:
    """Return the tokens without the qualification by pg_catalog of functions, types, operators and collations; tables keep theirs.

    Domains of information_schema become the types they are made of.
    """
    if not any(_word(token) in {_CATALOG, "COLLATE", "INFORMATION_SCHEMA"} for token in tokens):
        return tokens
    kept: list[Any] = []
    position = 0
    while position < len(tokens):
        words = [_word(token) for token in tokens[position : position + 7]]
        if words[:4] == ["OPERATOR", "(", _CATALOG, "."] and ")" in words[5:]:
            end = 5 + words[5:].index(")")
            kept.extend(tokens[position + 4 : position + end])
            position += end + 1
        elif words[0] == "COLLATE" and kept and _collation_length(words):
            position += _collation_length(words)
        elif words[:2] == [_CATALOG, "."] and (words[3:4] == ["("] or _is_type_place(kept, words)):
            position += 2
        elif words[:2] == ["INFORMATION_SCHEMA", "."] and words[2:3] and words[2] in _DOMAINS and _is_type_place(kept, words):
            token = tokens[position + 2]
            kind = _DOMAINS[words[2]]
            kept.append(Token(kind, kind.name, line=token.line, col=token.col, start=token.start, end=token.end))
            position += 3
        else:
            kept.append(tokens[position])
            position += 1
    return kept


def _word(token: Any) -> str:
    """Return a token's text in capitals, with quotes around what is a string."""
    return f"'{token.text}'" if token.token_type == TokenType.STRING else str(token.text).upper()


def _collation_length(words: list[str]) -> int:
    if words[1:3] == [_CATALOG, "."] and words[3:4] and words[3] in _PLAIN_COLLATIONS:
        return 4
    return 2 if words[1:2] and words[1] in _PLAIN_COLLATIONS else 0


def _is_type_place(before: list[Any], words: list[str]) -> bool:
    if not before:
        return False
    # CAST(x AS pg_catalog.oid): nothing else may stand between AS and a parenthesis.
    return before[-1].token_type == TokenType.DCOLON or (before[-1].token_type == TokenType.ALIAS and words[3:4] == [")"])
