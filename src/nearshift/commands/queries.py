"""SELECT, DML and EXPLAIN, and what Describe tells of any statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearshift.catalog.entities import RESERVED_SCHEMAS
from nearshift.commands import cursors, emptying, parameters, procedures
from nearshift.commands.results import rows_result
from nearshift.errors import InvalidSql, NotSupported
from nearshift.results import Result
from nearshift.sql import statements as st
from nearshift.sql.merge_texts import SimplifiedMerge, simplified_merge
from nearshift.sql.parse import parse_statement
from nearshift.sql.relations import Column, Lowered, ParameterSource
from nearshift.types import VARCHAR, SqlType

if TYPE_CHECKING:
    from nearshift.session import Session


def select(session: Session, text: str) -> Result:
    """Run a query; its rows stream."""
    lowered = session.lower(text)
    return Result("SELECT", lowered.columns, session.rows_of(lowered))


def change(session: Session, statement: st.Insert | st.Update | st.Delete | st.Merge) -> Result:
    """Run INSERT, UPDATE, DELETE or MERGE."""
    simplified = simplified_merge(statement.text) if isinstance(statement, st.Merge) else None
    count = _apply(session, statement.text) if simplified is None else _merge_simply(session, simplified)
    return Result(type(statement).__name__.upper(), row_count=count)


def _merge_simply(session: Session, merge: SimplifiedMerge) -> int:
    """Replace the rows of the target that match by those of the source, and add the others.

    Raises InvalidSql (42601) when the two have not the same number of columns, NotSupported for equal rows in the source: which of them
    Redshift keeps is not documented.
    """
    target = session.names.relation(merge.target)
    source = session.lower(f"SELECT * FROM {merge.source}")  # noqa: S608 - text of the statement, bound like any other
    if len(source.columns) != len(target.columns):
        message = "MERGE … REMOVE DUPLICATES needs a source with as many columns as its target"
        raise InvalidSql(message, hint="Use WHEN MATCHED and WHEN NOT MATCHED.")
    counts = f"SELECT (SELECT count(*) FROM {merge.source}), (SELECT count(*) FROM (SELECT DISTINCT * FROM {merge.source}) one)"  # noqa: S608
    counted = session.lower(counts)
    total, distinct = session.tx.connection.rows(counted.sql, session.values_for(counted))[0]
    if total != distinct:
        raise NotSupported("MERGE … REMOVE DUPLICATES needs a source without equal rows", hint="Use a table made by SELECT DISTINCT.")
    _apply(session, merge.delete)
    return _apply(session, merge.insert)


def _apply(session: Session, text: str) -> int:
    lowered = session.lower(text)
    for schema, _name in lowered.writes:
        if schema in RESERVED_SCHEMAS:
            raise NotSupported("system relations cannot be changed", sqlstate="42501")
    count = session.tx.connection.execute(lowered.sql, session.values_for(lowered))
    for schema, name in lowered.writes:
        if schema != "pg_temp":
            session.tx.touch(schema, name)
            emptying.rewritten(session, session.snapshot.relations[schema, name])
    return count


def explain(session: Session, statement: st.Explain) -> Result:
    """Show the plan of a query or DML statement, as DuckDB will run it, one line per row."""
    inner = parse_statement(statement.statement.text)
    if not isinstance(inner, st.Query | st.Insert | st.Update | st.Delete | st.Merge):
        raise NotSupported("EXPLAIN shows queries and DML only", span=statement.statement.span)
    lowered = session.lower(inner.text)
    found = session.tx.connection.rows(f"EXPLAIN {lowered.sql}", session.values_for(lowered))
    lines = [line for _kind, text in found for line in str(text).splitlines()]
    return rows_result("EXPLAIN", ("QUERY PLAN",), [(line,) for line in lines])


def recorded(_session: Session, statement: st.Recorded) -> Result:
    """Accept a statement that changes nothing a query can see."""
    return Result(statement.kind)


def describe(
    session: Session, statement: st.Statement, parameter_types: tuple[SqlType | None, ...]
) -> tuple[tuple[SqlType, ...], tuple[Column, ...] | None]:
    """Return a statement's parameter types and result columns (None when it returns no rows) without running it."""
    match statement:
        case st.Merge(text=text) if (simplified := simplified_merge(text)) is not None:
            return client_types(session.lower(simplified.delete), parameter_types), None
        case st.Query(text=text) | st.Insert(text=text) | st.Update(text=text) | st.Delete(text=text) | st.Merge(text=text):
            lowered = session.lower(text)
            return client_types(lowered, parameter_types), (lowered.columns if isinstance(statement, st.Query) else None)
        case st.CreateTableAs(query=query):
            return client_types(session.lower(query.text), parameter_types), None
        case st.Explain():
            return (), (Column("QUERY PLAN", VARCHAR),)
        case st.Call():
            return procedures.describe_call(session, statement, parameter_types)
        case st.Show() | st.ShowObjects() | st.ShowDefinition():
            return (), parameters.describe_show(session, statement)
        case st.Fetch():
            return (), cursors.describe_fetch(session, statement)
        case st.Execute():
            return (), cursors.describe_execute(session, statement)
        case _:
            return (), None


def client_types(lowered: Lowered, declared: tuple[SqlType | None, ...]) -> tuple[SqlType, ...]:
    """Return the types of the client's `$1`…`$n`; unused numbers are VARCHAR."""
    found = {int(p.name): p.type for p in lowered.parameters if p.source is ParameterSource.CLIENT}
    count = max([len(declared), *found])
    given = [declared[i] if i < len(declared) else None for i in range(count)]
    return tuple(given[i] or found.get(i + 1, VARCHAR) for i in range(count))
