"""What each statement about objects asks of its user, checked before its command runs; queries and DML are checked by `Session.lower`.

One place for all of them, so that no way to a command goes round it: clients, procedures and schedules all come through `dispatch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearshift.commands import allowing, functions, procedures
from nearshift.commands.principals import user_named
from nearshift.errors import NearshiftError, PermissionDenied, Span, UndefinedObject
from nearshift.sql import statements as st
from nearshift.sql.lower import lower

if TYPE_CHECKING:
    from nearshift.catalog.entities import RelationEntry
    from nearshift.session import Session


def check(session: Session, statement: st.Statement) -> None:
    """Raise PermissionDenied (42501) when the session's user may not run a statement, UndefinedObject for an owner who does not exist."""
    _check_owner(session, statement)
    if session.rights.is_superuser:
        return
    try:
        _check(session, statement)
    except PermissionDenied as error:
        if error.span is None:
            error.span = _place(statement)
        raise


def _place(statement: st.Statement) -> Span | None:
    names = getattr(statement, "names", None)
    name = names[0] if names else getattr(statement, "name", None)
    return name.span if isinstance(name, st.QualifiedName | st.Name) else None


def _check_owner(session: Session, statement: st.Statement) -> None:
    owner = statement.owner if isinstance(statement, st.CreateSchema) else None
    action = getattr(statement, "action", None)
    if isinstance(action, st.OwnerTo) and not isinstance(statement, st.RoleChange):
        owner = action.owner
    if owner is None:
        return
    found = user_named(session, owner)
    if found.name != session.user and not session.rights.is_superuser:
        raise PermissionDenied("must be superuser to give objects to another owner", span=owner.span)


def _check(session: Session, statement: st.Statement) -> None:
    match statement:
        case st.CreateTable() | st.CreateTableAs() | st.SelectInto():
            _check_new_table(session, statement)
        case st.CreateView() | st.CreateMaterializedView():
            _check_new_view(session, statement)
        case st.AlterTable() | st.AlterMaterializedView() | st.Comment() | st.RefreshMaterializedView():
            _check_change(session, statement)
        case st.Drop():
            _check_drop(session, statement)
        case st.Truncate(name=name):
            allowing.may_truncate(session, _known(session, name))
        case st.Lock(tables=tables):
            for name in tables:
                allowing.may_use(session, _known(session, name), "UPDATE", "DELETE", "TRUNCATE")
        case st.Copy(table=name):
            allowing.may_use(session, _known(session, name), "INSERT")
        case st.CreateSchema() | st.CreateExternalSchema():
            allowing.may_make_schemas(session)
        case st.AlterSchema(name=name) | st.AlterExternalSchema(name=name):
            folded = st.QualifiedName((name,)).folded(session.settings.rules)[-1]
            allowing.must_own_schema(session, folded, privilege="ALTER")
        case st.CreateProcedure() | st.CreateFunction():
            _check_new_routine(session, statement)
        case st.AlterProcedure() | st.DropRoutine():
            _check_routines(session, statement)
        case st.Recorded(kind=kind, table=st.QualifiedName() as name) if kind in {"VACUUM", "ANALYZE"}:
            allowing.must_own(session, _known(session, name), kind)
        case _:
            pass


def _known(session: Session, name: st.QualifiedName) -> RelationEntry:
    allowing.may_reach(session, session.names.resolve(name)[0])
    return session.names.relation(name)


def _found(session: Session, name: st.QualifiedName) -> RelationEntry | None:
    schema, own = session.names.resolve(name)
    allowing.may_reach(session, schema)
    return session.names.find(schema, own)


def _check_new_table(session: Session, statement: st.CreateTable | st.CreateTableAs | st.SelectInto) -> None:
    name = statement.target if isinstance(statement, st.SelectInto) else statement.name
    schema, own = session.names.resolve(name)
    if statement.is_temporary or own.startswith("#"):
        allowing.may_make_temporary(session)
    else:
        allowing.may_create_in(session, session.names.creation_schema(schema), "CREATE TABLE")
    if isinstance(statement, st.CreateTable):
        for like in statement.likes:
            allowing.may_use(session, _known(session, like.table), "SELECT")
        referenced = [column.references for column in statement.columns] + [one.references for one in statement.constraints]
        for reference in referenced:
            target = _found(session, reference.table) if reference is not None else None
            if target is not None:
                allowing.may_use(session, target, "REFERENCES")


def _check_new_view(session: Session, statement: st.CreateView | st.CreateMaterializedView) -> None:
    schema, own = session.names.resolve(statement.name)
    place = session.names.creation_schema(schema)
    allowing.may_create_in(session, place, "CREATE VIEW")
    before = session.snapshot.relations.get((place, own))
    if before is not None:
        allowing.must_own(session, before)
    is_late = isinstance(statement, st.CreateView) and statement.is_late_binding
    try:
        with session.shifted(statement.query.span.start):
            lowered = lower(statement.query.text, session.context(allows_streams=isinstance(statement, st.CreateMaterializedView)))
    except UndefinedObject:
        if is_late:
            return
        raise
    session.guard.check(session.user, lowered)


def _check_change(
    session: Session, statement: st.AlterTable | st.AlterMaterializedView | st.Comment | st.RefreshMaterializedView
) -> None:
    match statement:
        case st.AlterTable(name=name, action=action):
            entry = _known(session, name)
            if isinstance(action, st.OwnerTo):
                allowing.must_own(session, entry)
            else:
                allowing.must_own(session, entry, "ALTER TABLE", privilege="ALTER")
            if isinstance(action, st.AppendFrom):
                allowing.must_own(session, _known(session, action.source), "ALTER TABLE", privilege="ALTER")
        case st.Comment(kind=kind, name=name):
            if kind is st.ObjectKind.COLUMN:
                allowing.must_own(session, _known(session, st.QualifiedName(name.parts[:-1])))
            elif kind in {st.ObjectKind.SCHEMA, st.ObjectKind.DATABASE}:
                allowing.must_own_schema(session, name.folded(session.settings.rules)[-1], privilege="ALTER")
            else:
                allowing.must_own(session, _known(session, name))
        case st.AlterMaterializedView(name=name):
            allowing.must_own(session, _known(session, name), privilege="ALTER")
        case st.RefreshMaterializedView(name=name):
            allowing.must_own(session, _known(session, name))


def _check_drop(session: Session, statement: st.Drop) -> None:
    for name in statement.names:
        if statement.kind is st.ObjectKind.SCHEMA:
            folded = name.folded(session.settings.rules)[-1]
            allowing.must_own_schema(session, folded, "DROP SCHEMA", privilege="DROP")
        elif statement.kind in {st.ObjectKind.TABLE, st.ObjectKind.VIEW, st.ObjectKind.MATERIALIZED_VIEW}:
            entry = _found(session, name)
            if entry is not None and not _owns_schema_of(session, entry):
                permission = "DROP TABLE" if statement.kind is st.ObjectKind.TABLE else "DROP VIEW"
                allowing.must_own(session, entry, permission, privilege="DROP")


def _owns_schema_of(session: Session, entry: RelationEntry) -> bool:
    schema = session.snapshot.schemas.get(entry.schema)
    return schema is not None and session.rights.owns(schema.owner)


def _check_new_routine(session: Session, statement: st.CreateProcedure | st.CreateFunction) -> None:
    is_procedure = isinstance(statement, st.CreateProcedure)
    permission = f"CREATE OR REPLACE {'PROCEDURE' if is_procedure else 'FUNCTION'}"
    schema, _own = session.names.resolve(statement.name)
    allowing.may_create_in(session, session.names.creation_schema(schema), permission)
    allowing.may_speak(session, "plpgsql" if is_procedure else "sql", permission)
    if statement.is_replace:
        types = tuple(one.type for one in statement.arguments)
        _check_routine(session, "procedure" if is_procedure else "function", st.Signature(statement.name, types), permission)


def _check_routine(session: Session, kind: str, routine: st.Signature, permission: str) -> None:
    """Require ownership of a routine, if there is one."""
    try:
        if kind == "procedure":
            procedure = procedures.named(session, routine, is_optional=True)
            owner = procedure.owner if procedure is not None else None
        else:
            function = functions.named(session, routine, is_optional=True)
            owner = function.owner if function is not None else None
    except NearshiftError:
        return  # there is none such, or which one is not clear: the command says so
    if owner is not None:
        allowing.must_own_routine(session, kind, routine.name.last.text, owner, permission)


def _check_routines(session: Session, statement: st.AlterProcedure | st.DropRoutine) -> None:
    if isinstance(statement, st.AlterProcedure):
        _check_routine(session, "procedure", statement.routine, "")
        return
    kind = statement.kind.value.lower()
    for routine in statement.routines:
        _check_routine(session, kind, routine, f"DROP {statement.kind.value}")
