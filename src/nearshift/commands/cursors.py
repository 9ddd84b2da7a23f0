"""SQL cursors (DECLARE, FETCH, CLOSE) and SQL prepared statements (PREPARE, EXECUTE, DEALLOCATE).

A cursor belongs to its transaction, goes forward only, and its rows are computed at the first FETCH ("DECLARE").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from nearshift.errors import DuplicateObject, InvalidSql, UndefinedObject
from nearshift.results import Result
from nearshift.sql import statements as st
from nearshift.sql.names import fold
from nearshift.sql.relations import Column, Lowered

if TYPE_CHECKING:
    from nearshift.session import Session


@dataclass(slots=True)
class Cursor:
    """An open cursor: its translation, the values that its parameters had, and its rows once the first FETCH has come."""

    lowered: Lowered
    values: list[object]
    rows: pa.Table | None = None
    at: int = 0
    names: tuple[str, ...] = field(default=())


def open_cursor(session: Session, name: str, query: str) -> None:
    """Open a cursor over a query. Raises InvalidSql (42P03) when one of that name is open."""
    if name in session.cursors:
        raise DuplicateObject(f'cursor "{name}" already exists', sqlstate="42P03")
    lowered = session.lower(query)
    session.cursors[name] = Cursor(lowered, session.values_for(lowered))


def fetch_rows(session: Session, name: str, count: int | None) -> pa.Table:
    """Take the next rows of a cursor; None means all. Raises UndefinedObject (34000) for an unknown cursor."""
    cursor = session.cursors.get(name)
    if cursor is None:
        raise UndefinedObject(f'cursor "{name}" does not exist', sqlstate="34000")
    if cursor.rows is None:
        batches = list(session.tx.connection.stream(cursor.lowered.sql, cursor.values))
        empty = pa.table({f"c{i}": pa.array([], pa.string()) for i in range(len(cursor.lowered.columns))})
        cursor.rows = pa.Table.from_batches(batches) if batches else empty
    taken = cursor.rows.slice(cursor.at, count) if count is not None else cursor.rows.slice(cursor.at)
    cursor.at += len(taken)
    return taken


def use_cursor(session: Session, statement: st.DeclareCursor | st.Fetch | st.CloseCursor) -> Result:
    """Run one of the cursor statements."""
    rules = session.settings.rules
    match statement:
        case st.DeclareCursor(name=name, query=query):
            if not session.is_in_block:
                raise InvalidSql("DECLARE CURSOR may only be used in transaction blocks", sqlstate="25P01", span=name.span)
            if session.cursors:
                raise InvalidSql("only one cursor can be open at a time", sqlstate="42P03", span=name.span, hint="CLOSE the other one.")
            with session.shifted(query.span.start):
                open_cursor(session, fold(name.text, name.is_quoted, rules), query.text)
            return Result("DECLARE CURSOR")
        case st.Fetch(cursor=name, count=count):
            folded = fold(name.text, name.is_quoted, rules)
            taken = fetch_rows(session, folded, count)
            return Result("FETCH", session.cursors[folded].lowered.columns, iter(_batches(taken)), row_count=len(taken))
        case st.CloseCursor(cursor=name):
            folded = fold(name.text, name.is_quoted, rules)
            if session.cursors.pop(folded, None) is None:
                raise UndefinedObject(f'cursor "{folded}" does not exist', sqlstate="34000", span=name.span)
            return Result("CLOSE CURSOR")


def _batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    yield from table.to_batches()


def describe_fetch(session: Session, statement: st.Fetch) -> tuple[Column, ...] | None:
    """Return the columns of a cursor's rows."""
    cursor = session.cursors.get(fold(statement.cursor.text, statement.cursor.is_quoted, session.settings.rules))
    return cursor.lowered.columns if cursor else None


def use_prepared(session: Session, statement: st.Prepare | st.Execute | st.Deallocate) -> Result:
    """Run PREPARE, EXECUTE or DEALLOCATE."""
    rules = session.settings.rules
    match statement:
        case st.Prepare(name=name, parameter_types=types, statement=inner):
            folded = fold(name.text, name.is_quoted, rules)
            if folded in session.prepared:
                raise DuplicateObject(f'prepared statement "{folded}" already exists', sqlstate="42P05", span=name.span)
            with session.shifted(inner.span.start):
                session.prepared[folded] = session.prepare(inner.text, types)
            return Result("PREPARE")
        case st.Execute(name=name, arguments=arguments):
            found = session.prepared.get(fold(name.text, name.is_quoted, rules))
            if found is None:
                raise UndefinedObject(f'prepared statement "{name.text}" does not exist', sqlstate="26000", span=name.span)
            values = [session.evaluate(argument.text) for argument in arguments]
            return session.run(found, values)
        case st.Deallocate(name=None):
            session.prepared.clear()
            return Result("DEALLOCATE")
        case st.Deallocate(name=st.Name() as name):
            if session.prepared.pop(fold(name.text, name.is_quoted, rules), None) is None:
                raise UndefinedObject(f'prepared statement "{name.text}" does not exist', sqlstate="26000", span=name.span)
            return Result("DEALLOCATE")
        case _:
            raise AssertionError(statement)


def describe_execute(session: Session, statement: st.Execute) -> tuple[Column, ...] | None:
    """Return the columns of a prepared statement's rows."""
    found = session.prepared.get(fold(statement.name.text, statement.name.is_quoted, session.settings.rules))
    return found.columns if found else None
