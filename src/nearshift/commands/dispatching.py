"""Which command runs which statement: the one match over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearshift.commands import (
    access,
    altering,
    cancelling,
    copying,
    cursors,
    dropping,
    emptying,
    functions,
    guarding,
    parameters,
    procedures,
    queries,
    schemas,
    tables,
    unloading,
    views,
)
from nearshift.results import Result
from nearshift.sql import statements as st

if TYPE_CHECKING:
    from nearshift.session import Session


# What makes or drops objects that privileges are on.
_DEFINING = (
    st.CreateTable, st.CreateTableAs, st.SelectInto, st.CreateView, st.CreateMaterializedView, st.CreateSchema, st.CreateExternalSchema,
    st.CreateProcedure, st.CreateFunction, st.Drop, st.DropRoutine,
)  # fmt: skip


def dispatch(session: Session, statement: st.Statement) -> Result:
    """Run a statement inside the session's open transaction, if its user may. Raises NearshiftError."""
    guarding.check(session, statement)
    before = session.snapshot
    result = _run(session, statement)
    if isinstance(statement, _DEFINING):
        access.settle(session, before)
    return result


def _run(session: Session, statement: st.Statement) -> Result:  # noqa: C901 - a table of statements
    match statement:
        case st.Query():
            return queries.select(session, statement.text)
        case st.Insert() | st.Update() | st.Delete() | st.Merge():
            return queries.change(session, statement)
        case st.SelectInto() | st.CreateTableAs():
            return tables.create_table_as(session, statement)
        case st.Explain():
            return queries.explain(session, statement)
        case st.CreateTable():
            return tables.create_table(session, statement)
        case st.AlterTable():
            return altering.alter_table(session, statement)
        case st.Truncate():
            return emptying.truncate(session, statement)
        case st.Drop(kind=kind) if kind not in {st.ObjectKind.USER, st.ObjectKind.GROUP, st.ObjectKind.ROLE}:
            return dropping.drop(session, statement)
        case st.Comment():
            return altering.comment(session, statement)
        case st.Lock():
            return emptying.lock(session, statement)
        case st.CreateSchema() | st.CreateExternalSchema() | st.AlterSchema() | st.AlterExternalSchema():
            return schemas.change_schema(session, statement)
        case st.CreateView():
            return views.create_view(session, statement)
        case st.CreateMaterializedView():
            return views.create_materialized_view(session, statement)
        case st.RefreshMaterializedView():
            return views.refresh(session, statement)
        case st.AlterMaterializedView():
            return views.alter_materialized_view(session, statement)
        case st.CreateProcedure():
            return procedures.create_procedure(session, statement)
        case st.CreateFunction():
            return functions.create_function(session, statement)
        case st.DropRoutine(kind=st.ObjectKind.FUNCTION):
            return functions.drop_functions(session, statement)
        case st.DropRoutine() | st.AlterProcedure():
            return procedures.change_routine(session, statement)
        case st.Call():
            return procedures.call(session, statement)
        case st.SetParameter() | st.Reset() | st.SetSessionUser() | st.SetTransaction():
            return parameters.change(session, statement)
        case st.Show() | st.ShowObjects() | st.ShowDefinition():
            return parameters.show(session, statement)
        case st.DeclareCursor() | st.Fetch() | st.CloseCursor():
            return cursors.use_cursor(session, statement)
        case st.Prepare() | st.Execute() | st.Deallocate():
            return cursors.use_prepared(session, statement)
        case st.Copy():
            return copying.copy(session, statement)
        case st.Unload():
            return unloading.unload(session, statement)
        case st.Cancel():
            return cancelling.cancel(session, statement)
        case st.Recorded():
            return queries.recorded(session, statement)
        case _:
            return access.change_access(session, statement)
