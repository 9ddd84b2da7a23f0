"""What a folder's statements define: one value per object, with what it is called, what it reads and a fingerprint of what it says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from nearshift.errors import NearshiftError, Span
from nearshift.sql.lexer import TokenKind, tokens
from nearshift.sql.names import QualifiedName, fold, is_reserved
from nearshift.sql.relations import NameRules

DEFAULT_SCHEMA: Final = "public"


class Kind(Enum):
    """Kinds of definition; the value of those that are objects is the keyword of DROP."""

    SCHEMA = "SCHEMA"
    EXTERNAL_SCHEMA = "EXTERNAL SCHEMA"
    TABLE = "TABLE"
    VIEW = "VIEW"
    STREAMING_VIEW = "STREAMING VIEW"
    MATERIALIZED_VIEW = "MATERIALIZED VIEW"
    PROCEDURE = "PROCEDURE"
    FUNCTION = "FUNCTION"
    STATEMENT = "STATEMENT"
    SCHEDULE = "SCHEDULE"

    @property
    def is_relation(self) -> bool:
        """Whether it shares its names with tables."""
        return self in {Kind.TABLE, Kind.VIEW, Kind.STREAMING_VIEW, Kind.MATERIALIZED_VIEW}

    @property
    def drop_keyword(self) -> str:
        """What DROP calls it."""
        return {Kind.STREAMING_VIEW: "MATERIALIZED VIEW", Kind.EXTERNAL_SCHEMA: "SCHEMA"}.get(self, self.value)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement stands: the file, its whole text, and the character at which the statement begins."""

    file: str
    text: str
    start: int

    @property
    def line(self) -> int:
        """The line of the file, from 1."""
        return self.text.count("\n", 0, self.start) + 1


@dataclass(frozen=True, slots=True)
class Definition:
    """One thing that the folder wants to exist, or one statement that it wants to have run.

    `name` can stand in SQL under case-sensitive names (`public.demo_stream_vw`, `public.sp_load(integer)`). `settings` are the SET
    statements of the file that are in force. `reads` are the names of the definitions whose replacement carries this one along.
    """

    kind: Kind
    name: str
    text: str
    fingerprint: str
    place: Place
    settings: tuple[str, ...] = ()
    reads: frozenset[str] = frozenset()
    is_or_replace: bool = False

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two definitions the same object."""
        return identity_of(self.kind, self.name)


def identity_of(kind: Kind, name: str) -> tuple[str, str]:
    """Return the key under which an object is found again: relations and schemas each share one space of names."""
    if kind.is_relation:
        return "RELATION", name
    if kind in {Kind.SCHEMA, Kind.EXTERNAL_SCHEMA}:
        return "SCHEMA", name
    return kind.value, name


class FileError(NearshiftError):
    """A statement of a folder's file was refused; `span` is in the file's text."""

    def __init__(self, cause: NearshiftError, place: Place) -> None:
        span = (cause.span or Span(_first_token(place), _first_token(place))).shifted(place.start if cause.span else 0)
        super().__init__(
            cause.message, sqlstate=cause.sqlstate, span=span, detail=cause.detail, hint=cause.hint, context=cause.context
        )
        self.file = place.file
        self.text = place.text


def _first_token(place: Place) -> int:
    return place.start + next(iter(tokens(place.text[place.start :]))).start


def fingerprint_of(text: str, settings: Iterable[str] = ()) -> str:
    """Return a hash that white space, comments and the case of words outside quotes do not change."""
    digest = hashlib.sha256()
    for part in (*settings, text):
        for token in tokens(part):
            digest.update((token.text.lower() if token.kind is TokenKind.WORD else token.text).encode("utf-8", "surrogatepass"))
            digest.update(b"\x00")
        digest.update(b"\x01")
    return digest.hexdigest()


_PLAIN: Final = re.compile(r"^[a-z_][a-z0-9_$]*$")


def written(parts: Iterable[str]) -> str:
    """Return a folded name as SQL can read it back under case-sensitive names: quoted only where it must be."""
    return ".".join(part if _PLAIN.match(part) and not is_reserved(part) else '"' + part.replace('"', '""') + '"' for part in parts)


def relation_name(name: QualifiedName, rules: NameRules) -> str:
    """Return a relation's or routine's name with its schema; one without a schema is in `public`. A database in front is dropped."""
    parts = name.folded(rules)[-2:]
    return written(parts if len(parts) == 2 else (DEFAULT_SCHEMA, *parts))


def mentioned(text: str, rules: NameRules) -> frozenset[str]:
    """Return all that could name a relation or schema in the text: each identifier, with `public` in front, each pair around a dot."""
    found: set[str] = set()
    before: str | None = None
    is_dotted = False
    for token in tokens(text):
        if token.kind in {TokenKind.WORD, TokenKind.QUOTED}:
            is_quoted = token.kind is TokenKind.QUOTED
            part = fold(token.text[1:-1].replace('""', '"') if is_quoted else token.text, is_quoted, rules)
            if is_dotted and before is not None:
                found.add(written((before, part)))
                found.add(written((before,)))
            else:
                found.add(written((DEFAULT_SCHEMA, part)))
            before, is_dotted = part, False
        else:
            is_dotted = token.key == "."
            before = before if is_dotted else None
    return frozenset(found)
