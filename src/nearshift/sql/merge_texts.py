"""MERGE … REMOVE DUPLICATES as the two statements that it stands for ("MERGE", simplified mode)."""

from __future__ import annotations

from dataclasses import dataclass

from nearshift.sql.lexer import tokens
from nearshift.sql.names import QualifiedName
from nearshift.sql.parse_reader import Reader


@dataclass(frozen=True, slots=True)
class SimplifiedMerge:
    """`delete` takes the matched rows out of `target`, `insert` puts all of the source's in; `source` is the source as written."""

    target: QualifiedName
    source: str
    delete: str
    insert: str


def simplified_merge(text: str) -> SimplifiedMerge | None:
    """Return the parts of MERGE INTO target USING source ON condition REMOVE DUPLICATES; None for a MERGE with WHEN."""
    reader = Reader(text, tokens(text))
    if not reader.take_words("MERGE", "INTO"):
        return None
    name = Reader(text[reader.token.start :], tokens(text[reader.token.start :])).qualified()
    target = reader.fragment_until(("USING",))
    reader.expect("USING")
    source = reader.fragment_until(("ON",))
    reader.expect("ON")
    condition = reader.fragment_until(("REMOVE", "WHEN"))
    if not reader.take_words("REMOVE", "DUPLICATES"):
        return None
    reader.finish()
    # All parts are of the statement's own text, and both statements are bound like any other.
    delete = f"DELETE FROM {target.text} USING {source.text} WHERE {condition.text}"  # noqa: S608
    insert = f"INSERT INTO {_written(name)} SELECT * FROM {source.text}"  # noqa: S608
    return SimplifiedMerge(name, source.text, delete, insert)


def _written(name: QualifiedName) -> str:
    return ".".join('"' + part.text.replace('"', '""') + '"' if part.is_quoted else part.text for part in name.parts)
