"""SQL cursors (DECLARE, FETCH, CLOSE) and SQL prepared statements (PREPARE, EXECUTE, DEALLOCATE).

A cursor belongs to its transaction, goes forward only, and its rows are computed at the first FETCH ("DECLARE").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from nearshift.commands.results import arrow_table
from nearshift.errors import DuplicateObject, InvalidSql, Span, UndefinedObject
from nearshift.results import Result, without_notes
from nearshift.sql import statements as st
from nearshift.sql.names import fold
from nearshift.sql.relations import Column

if TYPE_CHECKING:
    from nearshift.session import Session


@dataclass(slots=True)
class Cursor:
    """An open cursor: its columns, how to get its rows at the first FETCH, the rows once they are there, and the place reached."""

    columns: tuple[Column, ...]
    fill: Callable[[], pa.Table]
    rows: pa.Table | None = None
    at: int = 0

    def take(self, count: int | None) -> pa.Table:
        """Return the next rows; None means all that are left."""
        if self.rows is None:
            self.rows = self.fill()
        taken = self.rows.slice(self.at, count) if count is not None else self.rows.slice(self.at)
        self.at += len(taken)
        return taken


def query_cursor(session: Session, query: str) -> Cursor:
    """Return a cursor over a query, with the values that its parameters have now."""
    lowered = session.lower(query)
    values = session.values_for(lowered)

    def fill() -> pa.Table:
        batches = list(without_notes(session.tx.connection.stream(lowered.sql, values), lowered.columns))
        return pa.Table.from_batches(batches) if batches else arrow_table(lowered.columns, [])

    return Cursor(lowered.columns, fill)


def rows_cursor(columns: tuple[Column, ...], rows: Iterator[tuple[object, ...]]) -> Cursor:
    """Return a cursor over rows that a procedure left open."""
    return Cursor(columns, lambda: arrow_table(columns, list(rows)))


def _found(session: Session, name: str, span: Span) -> Cursor:
    cursor = session.cursors.get(name)
    if cursor is None:
        raise UndefinedObject(f'cursor "{name}" does not exist', sqlstate="34000", span=span)
    return cursor


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
                session.cursors[fold(name.text, name.is_quoted, rules)] = query_cursor(session, query.text)
            return Result("DECLARE CURSOR")
        case st.Fetch(cursor=name, count=count):
            folded = fold(name.text, name.is_quoted, rules)
            cursor = _found(session, folded, name.span)
            taken = cursor.take(count)
            return Result("FETCH", cursor.columns, iter(taken.to_batches()), row_count=len(taken))
        case st.CloseCursor(cursor=name):
            folded = fold(name.text, name.is_quoted, rules)
            if session.cursors.pop(folded, None) is None:
                raise UndefinedObject(f'cursor "{folded}" does not exist', sqlstate="34000", span=name.span)
            return Result("CLOSE CURSOR")


def describe_fetch(session: Session, statement: st.Fetch) -> tuple[Column, ...] | None:
    """Return the columns of a cursor's rows."""
    cursor = session.cursors.get(fold(statement.cursor.text, statement.cursor.is_quoted, session.settings.rules))
    return cursor.columns if cursor else None


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
            if len(arguments) != len(found.parameter_types):
                raise InvalidSql(
                    f'wrong number of parameters for prepared statement "{name.text}"', span=name.span,
                    detail=f"Expected {len(found.parameter_types)} parameters but got {len(arguments)}.",
                )  # fmt: skip
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
