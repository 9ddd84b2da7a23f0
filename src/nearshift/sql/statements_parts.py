"""The pieces that several statements are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nearshift.errors import Span
from nearshift.sql.names import QualifiedName
from nearshift.types import SqlType


@dataclass(frozen=True, slots=True)
class Fragment:
    """A query or expression inside a statement, verbatim; `span.start` is where `text` begins in the statement's text."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Option:
    """The value of a named option: strings without quotes, words and numbers as written, None for an option that stands alone."""

    value: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Signature:
    """A routine as DROP, ALTER, GRANT and SHOW name it; `argument_types` is None when no parentheses were written."""

    name: QualifiedName
    argument_types: tuple[SqlType, ...] | None


class ObjectKind(Enum):
    """Kinds of object that statements name; the value is Redshift's keyword."""

    TABLE = "TABLE"
    VIEW = "VIEW"
    MATERIALIZED_VIEW = "MATERIALIZED VIEW"
    SCHEMA = "SCHEMA"
    DATABASE = "DATABASE"
    PROCEDURE = "PROCEDURE"
    FUNCTION = "FUNCTION"
    LANGUAGE = "LANGUAGE"
    COLUMN = "COLUMN"
    CONSTRAINT = "CONSTRAINT"
    USER = "USER"
    GROUP = "GROUP"
    ROLE = "ROLE"
