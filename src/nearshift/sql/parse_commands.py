"""The small commands: DROP, TRUNCATE, COMMENT, cursors, PREPARE, EXPLAIN, LOCK and those that are only noted."""

from __future__ import annotations

from typing import Final

from nearshift.errors import NotSupported
from nearshift.sql.lexer import TokenKind
from nearshift.sql.parse_programs import drop_routine
from nearshift.sql.parse_reader import Reader
from nearshift.sql.parse_tables import is_cascade
from nearshift.sql.statements import (
    Cancel,
    CloseCursor,
    Comment,
    Deallocate,
    DeclareCursor,
    Drop,
    DropRoutine,
    Execute,
    Explain,
    Fetch,
    Fragment,
    Lock,
    ObjectKind,
    Prepare,
    QualifiedName,
    Recorded,
    Truncate,
)
from nearshift.types import SqlType

_DROPPED: Final = ("TABLE", "VIEW", "SCHEMA", "USER", "GROUP", "ROLE")


def drop(reader: Reader) -> Drop | DropRoutine:
    """Read what follows DROP; DROP ROLE takes FORCE for CASCADE."""
    if reader.take_words("MATERIALIZED", "VIEW"):
        kind = ObjectKind.MATERIALIZED_VIEW
    elif word := reader.take("PROCEDURE", "FUNCTION"):
        return drop_routine(reader, ObjectKind(word.key))
    else:
        kind = ObjectKind(reader.expect(*_DROPPED).key)
    if_exists = reader.take_words("IF", "EXISTS")
    names = reader.comma_list(reader.qualified)
    if kind is ObjectKind.SCHEMA and reader.at_words("DROP", "EXTERNAL", "DATABASE"):
        raise NotSupported("DROP EXTERNAL DATABASE is not supported", span=reader.token.span)
    cascades = reader.take("FORCE") is not None if kind is ObjectKind.ROLE and reader.at("FORCE") else is_cascade(reader)
    reader.finish()
    return Drop(kind, names, if_exists, cascades)


def truncate(reader: Reader) -> Truncate:
    """Read what follows TRUNCATE ("TRUNCATE"); one table per statement."""
    reader.take("TABLE")
    name = reader.qualified()
    reader.finish()
    return Truncate(name)


_COMMENTED: Final = ("TABLE", "VIEW", "SCHEMA", "DATABASE", "COLUMN", "CONSTRAINT")


def comment(reader: Reader) -> Comment:
    """Read what follows COMMENT ("COMMENT")."""
    reader.expect("ON")
    kind = ObjectKind(reader.expect(*_COMMENTED).key)
    constraint = None
    if kind is ObjectKind.CONSTRAINT:
        constraint = reader.name()
        reader.expect("ON")
    name = reader.qualified(4 if kind is ObjectKind.COLUMN else 3)
    if kind is ObjectKind.COLUMN and len(name.parts) < 2:
        reader.fail(hint="Write the column as table.column.")
    reader.expect("IS")
    text = None if reader.take("NULL") else reader.string()
    reader.finish()
    return Comment(kind, name, text, constraint)


def declare(reader: Reader) -> DeclareCursor:
    """Read what follows DECLARE ("DECLARE"); cursors are read-only and move forward only."""
    name = reader.name()
    if reader.at("BINARY", "INSENSITIVE", "SCROLL", "NO"):
        raise NotSupported(f"{reader.token.key} cursors are not supported", span=reader.token.span)
    reader.expect("CURSOR")
    if reader.take_words("WITHOUT", "HOLD"):
        pass
    elif reader.at("WITH"):
        raise NotSupported("WITH HOLD cursors are not supported", span=reader.token.span)
    reader.expect("FOR")
    query = reader.rest()
    return DeclareCursor(name, query)


def fetch(reader: Reader) -> Fetch:
    """Read what follows FETCH ("FETCH"): NEXT, ALL, FORWARD [n|ALL] or n, then FROM cursor."""
    if reader.at("PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE", "BACKWARD") and reader.peek().kind is not TokenKind.END:
        hint = "Cursors move forward only: use NEXT, FORWARD or ALL."
        raise NotSupported(f"FETCH {reader.token.key} is not supported", span=reader.token.span, hint=hint)
    count: int | None = 1
    is_counted = True
    if reader.take("NEXT"):
        pass
    elif reader.take("ALL"):
        count = None
    elif reader.take("FORWARD"):
        if reader.take("ALL"):
            count = None
        elif not reader.at("FROM", "IN"):
            count = reader.integer()
    elif reader.token.kind is TokenKind.NUMBER:
        count = reader.integer()
    else:
        is_counted = False
    if is_counted:
        reader.expect("FROM", "IN")
    else:
        reader.take("FROM", "IN")
    cursor = reader.name()
    reader.finish()
    return Fetch(cursor, count)


def close(reader: Reader) -> CloseCursor:
    """Read what follows CLOSE."""
    cursor = reader.name()
    reader.finish()
    return CloseCursor(cursor)


def prepare(reader: Reader) -> Prepare:
    """Read what follows PREPARE ("PREPARE")."""
    name = reader.name()
    types: tuple[SqlType, ...] = ()
    if reader.at("("):
        types = reader.parenthesised(reader.type_name)
    reader.expect("AS")
    return Prepare(name, types, reader.rest())


def execute(reader: Reader) -> Execute:
    """Read what follows EXECUTE ("EXECUTE")."""
    name = reader.name()
    arguments: tuple[Fragment, ...] = ()
    if reader.at("("):
        arguments = reader.parenthesised(lambda: reader.fragment_until((",", ")")))
    reader.finish()
    return Execute(name, arguments)


def deallocate(reader: Reader) -> Deallocate:
    """Read what follows DEALLOCATE ("DEALLOCATE")."""
    if reader.peek().kind is not TokenKind.END:
        reader.take("PREPARE")
    name = None if reader.take("ALL") else reader.name()
    reader.finish()
    return Deallocate(name)


def explain(reader: Reader) -> Explain:
    """Read what follows EXPLAIN ("EXPLAIN"); EXPLAIN ANALYZE does not exist in Redshift."""
    is_verbose = reader.take("VERBOSE") is not None
    if reader.at("ANALYZE", "ANALYSE"):
        raise NotSupported("EXPLAIN ANALYZE is not supported", span=reader.token.span, hint="Use EXPLAIN, and SYS_QUERY_HISTORY for times.")
    return Explain(reader.rest(), is_verbose)


def lock(reader: Reader) -> Lock:
    """Read what follows LOCK ("LOCK"): always ACCESS EXCLUSIVE."""
    reader.take("TABLE")
    tables = reader.comma_list(reader.qualified)
    if reader.take("IN"):
        reader.expect_words("ACCESS", "EXCLUSIVE", "MODE")
    reader.finish()
    return Lock(tables)


def vacuum(reader: Reader) -> Recorded:
    """Read what follows VACUUM ("VACUUM"): nothing here needs it, it is noted."""
    if not reader.take_words("SORT", "ONLY") and not reader.take_words("DELETE", "ONLY"):
        reader.take("FULL", "REINDEX", "RECLUSTER")
    table = None if reader.token.kind is TokenKind.END or reader.at("BOOST") else reader.qualified()
    if reader.take("TO"):
        reader.integer()
        reader.expect("PERCENT")
    reader.take("BOOST")
    reader.finish()
    return Recorded("VACUUM", reader.text, table)


def analyze(reader: Reader) -> Recorded:
    """Read what follows ANALYZE ("ANALYZE", "ANALYZE COMPRESSION"): DuckDB keeps its own statistics."""
    if reader.at("COMPRESSION") and reader.peek().kind is TokenKind.WORD:
        raise NotSupported("ANALYZE COMPRESSION is not supported", span=reader.token.span, detail="Encodings have no effect here.")
    reader.take("VERBOSE")
    table: QualifiedName | None = None
    if reader.token.kind is not TokenKind.END and not reader.at("PREDICATE", "ALL"):
        table = reader.qualified()
        if reader.at("("):
            reader.parenthesised(reader.name)
    if reader.take("PREDICATE", "ALL"):
        reader.expect("COLUMNS")
    reader.finish()
    return Recorded("ANALYZE", reader.text, table)


def cancel(reader: Reader) -> Cancel:
    """Read what follows CANCEL ("CANCEL"): a process number and an optional message."""
    process = reader.integer()
    message = reader.string() if reader.at_string() else None
    reader.finish()
    return Cancel(process, message)


def discard(reader: Reader) -> Recorded:
    """Read what follows DISCARD; drivers send it when a pooled connection is handed on."""
    word = reader.expect("ALL", "PLANS", "TEMP", "TEMPORARY")
    reader.finish()
    return Recorded(f"DISCARD {word.key}", reader.text)
