"""Named parameters, `:name`, as numbered ones.

"Running SQL statements with parameters", Amazon Redshift management guide: they stand for values only, a NULL and an empty string cannot
be passed, and each given one must be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nearshift.dataapi.asked import Parameter
from nearshift.dataapi.failures import invalid
from nearshift.errors import InvalidSql
from nearshift.sql.lexer import TokenKind, tokens


@dataclass(frozen=True, slots=True)
class Numbered:
    """A statement whose parameters are `$1`, `$2`, …; `names` says which value each one takes."""

    text: str
    names: tuple[str, ...]


def number_parameters(text: str, given: frozenset[str]) -> Numbered:
    """Return the statement with `$n` for each `:name`.

    A colon inside a string, a comment or `::` is none. Raises ApiFailure for a name that was not given, when any was given; a text that
    cannot be read stays as it is, so that running it tells what is wrong with it.
    """
    if not given:
        return Numbered(text, ())
    names: list[str] = []
    pieces: list[str] = []
    done = 0
    colon: int | None = None
    try:
        for token in tokens(text):
            if token.kind is TokenKind.PARAMETER:
                raise invalid("A statement with named parameters cannot have numbered ones too.")
            if colon is not None and token.start == colon + 1 and token.kind is TokenKind.WORD:
                if token.text not in given:
                    raise invalid(f"Parameter {token.text} is used in the statement and has no value.")
                if token.text not in names:
                    names.append(token.text)
                pieces += [text[done:colon], f"${names.index(token.text) + 1}"]
                done = token.end
            colon = token.start if token.key == ":" else None
    except InvalidSql:
        return Numbered(text, ())
    return Numbered("".join([*pieces, text[done:]]), tuple(names))


def check_parameters(parameters: Sequence[Parameter], statements: Sequence[Numbered]) -> None:
    """Raise ApiFailure for a name given twice or never used, and for an empty value."""
    seen: set[str] = set()
    used = {name for statement in statements for name in statement.names}
    for parameter in parameters:
        if parameter.name in seen:
            raise invalid(f"Parameter {parameter.name} is given twice.")
        if parameter.name not in used:
            raise invalid(f"Parameter {parameter.name} is not used in the statement.")
        if parameter.value == "":
            raise invalid(f"Parameter {parameter.name} is empty: an empty string cannot be passed as a parameter.")
        seen.add(parameter.name)
