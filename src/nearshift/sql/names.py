"""Names: how they fold, how they are quoted for DuckDB, and which words cannot be names without quotes.

Source pages: "Names and identifiers", "Reserved words" and "enable_case_sensitive_identifier" of the Amazon Redshift Database Developer
Guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nearshift.errors import InvalidSql, Span
from nearshift.sql.relations import NameRules

NAME_BYTES_MAX: Final = 127

# Only ASCII letters fold: so it is in the PostgreSQL 8.0 that Redshift comes from, and `lower` may change the number of characters.
_ASCII_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}

RESERVED: Final = frozenset(
    """
    aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between binary blanksasnull both
    bytedict bzip2 case cast check collate column connect constraint create credentials cross current_date current_time current_timestamp
    current_user current_user_id default deferrable deflate defrag delta delta32k desc disable distinct do else emptyasnull enable encode
    encrypt encryption end except explicit false for foreign freeze from full globaldict256 globaldict64k grant group gzip having identity
    ignore ilike in initially inner intersect interval into is isnull join language leading left like limit localtime localtimestamp lun
    luns lzo lzop minus mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer
    overlaps parallel partition percent permissions pivot placing primary raw readratio recover references rejectlog resort respect restore
    right select session_user similar snapshot some sysdate system table tag tdes text255 text32k then timestamp to top trailing true
    truncatecolumns union unique unnest unpivot user using verbose wallet when where with without
    """.split()  # noqa: SIM905 - a list of words is read as words
)


@dataclass(frozen=True, slots=True)
class Name:
    """One identifier as it was written: `text` without its quotes and not yet folded, `span` with them."""

    text: str
    is_quoted: bool
    span: Span


@dataclass(frozen=True, slots=True)
class QualifiedName:
    """`name`, `schema.name` or `database.schema.name`; at least one part."""

    parts: tuple[Name, ...]

    @property
    def span(self) -> Span:
        """From the first character of the first part to the last of the last."""
        return Span(self.parts[0].span.start, self.parts[-1].span.end)

    @property
    def last(self) -> Name:
        """The object's own name, without schema and database."""
        return self.parts[-1]

    def folded(self, rules: NameRules) -> tuple[str, ...]:
        """Return the parts as the catalog spells them under `rules`."""
        return tuple(fold(part.text, part.is_quoted, rules) for part in self.parts)

    def __str__(self) -> str:
        return ".".join(part.text for part in self.parts)


def fold(text: str, is_quoted: bool, rules: NameRules) -> str:  # noqa: FBT001 - a name without this fact has no meaning
    """Return the name as the catalog spells it: lower case unless quoted under case-sensitive rules, cut to 127 bytes of UTF-8.

    "Names and identifiers": quoted names fold too, unless enable_case_sensitive_identifier is true.
    """
    if not (is_quoted and rules.case_sensitive_identifier):
        text = text.lower() if text.isascii() else text.translate(_ASCII_LOWER)
    if len(text) * 4 <= NAME_BYTES_MAX:
        return text
    encoded = text.encode("utf-8", "surrogatepass")
    return text if len(encoded) <= NAME_BYTES_MAX else encoded[:NAME_BYTES_MAX].decode("utf-8", "ignore")


def quote(name: str) -> str:
    """Return the name as DuckDB reads it back unchanged, always in quotes."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(value: str) -> str:
    """Return a DuckDB string literal; a backslash means itself there."""
    return "'" + value.replace("'", "''") + "'"


def is_reserved(word: str) -> bool:
    """Tell whether the word needs double quotes to be a name ("Reserved words")."""
    return word.lower() in RESERVED


_PART: Final = re.compile(r'\s*(?:"((?:[^"]|"")++)"|([A-Za-z_#\x80-\U0010ffff][\w$\x80-\U0010ffff]*+))\s*(\.|\Z)')


def split_qualified(text: str) -> QualifiedName:
    """Return the parts of a written name such as `public."My Table"`; spans count from the beginning of `text`.

    Raises InvalidSql (42602) when the text is not one to three names joined by dots.
    """
    parts: list[Name] = []
    position, separator = 0, "."
    while separator == ".":
        found = _PART.match(text, position)
        if found is None or len(parts) == 3:
            raise InvalidSql(f'name "{text}" is not valid', sqlstate="42602")
        quoted, plain, separator = found.groups()
        group = 1 if quoted is not None else 2
        edge = 1 if quoted is not None else 0
        span = Span(found.start(group) - edge, found.end(group) + edge)
        parts.append(Name(quoted.replace('""', '"') if quoted is not None else plain, quoted is not None, span))
        position = found.end()
    return QualifiedName(tuple(parts))
