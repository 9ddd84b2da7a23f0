"""DROP of tables, views, materialized views and schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearshift import storage
from nearshift.catalog import catalog
from nearshift.catalog.entities import RelationEntry
from nearshift.errors import Conflict, InvalidSql, UndefinedObject
from nearshift.results import Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.relations import RelationKind

if TYPE_CHECKING:
    from nearshift.session import Session

_KEYWORDS = {
    RelationKind.TABLE: st.ObjectKind.TABLE, RelationKind.TEMP_TABLE: st.ObjectKind.TABLE, RelationKind.VIEW: st.ObjectKind.VIEW,
    RelationKind.STREAMING_VIEW: st.ObjectKind.MATERIALIZED_VIEW, RelationKind.DERIVED_VIEW: st.ObjectKind.MATERIALIZED_VIEW,
}  # fmt: skip


def drop(session: Session, statement: st.Drop) -> Result:
    """Run DROP TABLE, VIEW, MATERIALIZED VIEW or SCHEMA. Other kinds are principals: see `access`."""
    if statement.kind is st.ObjectKind.SCHEMA:
        for name in statement.names:
            _drop_schema(session, name, if_exists=statement.if_exists, is_cascade=statement.is_cascade)
        return Result("DROP SCHEMA")
    for name in statement.names:
        _drop_one(session, statement, name)
    return Result(f"DROP {statement.kind.value}")


def _drop_one(session: Session, statement: st.Drop, name: st.QualifiedName) -> None:
    schema, own = session.names.resolve(name)
    entry = session.names.find(schema, own)
    if entry is None:
        if not statement.if_exists:
            kind = statement.kind.value.lower()
            label = "table" if statement.kind is st.ObjectKind.TABLE else kind
            raise UndefinedObject(f'{label} "{name}" does not exist', span=name.span)
        label = statement.kind.value.capitalize()
        session.notice(Severity.INFO, f'{label} "{name}" does not exist and will be skipped')
        return
    actual = _KEYWORDS[entry.kind]
    if actual is not statement.kind:
        raise InvalidSql(
            f'"{name}" is not a {statement.kind.value.lower()}',
            sqlstate="42809",
            span=name.span,
            hint=f"Use DROP {actual.value} to remove it.",
        )
    drop_relation(session, entry, is_cascade=statement.is_cascade, name=name)


def drop_relation(session: Session, entry: RelationEntry, *, is_cascade: bool, name: st.QualifiedName) -> None:
    """Drop a relation and, with CASCADE, the views above it. Raises Conflict (2BP01) when views stand on it."""
    connection = session.tx.connection
    if entry.kind is RelationKind.TEMP_TABLE:
        assert entry.storage is not None, "a table has storage"
        connection.execute(storage.drop_table(entry.storage))
        session.temporary.pop(entry.name, None)
        return
    for view in session.snapshot.dependents(entry.schema, entry.name):
        if not is_cascade and not view.attributes.get("late_binding"):
            raise depended(entry, view, name)
        if is_cascade and view.key in session.snapshot.relations:
            drop_relation(session, view, is_cascade=True, name=name)
    if entry.storage is not None:
        connection.execute(storage.drop_table(entry.storage))
    catalog.drop_relation(connection, entry.oid)
    session.tx.touch_catalog()
    if entry.kind is RelationKind.STREAMING_VIEW:
        oid = entry.oid
        session.tx.on_end(lambda is_committed: session.house.feeds.drop(oid) if is_committed else None)


def depended(entry: RelationEntry, view: RelationEntry, name: st.QualifiedName) -> Conflict:
    """Return the error for an object that a view stands on."""
    kind = _KEYWORDS[entry.kind].value.lower()
    return Conflict(
        f"cannot drop {kind} {entry.name} because other objects depend on it",
        sqlstate="2BP01",
        span=name.span,
        detail=f"{_KEYWORDS[view.kind].value.lower()} {view.name} depends on {kind} {entry.name}.",
        hint="Use DROP ... CASCADE to drop the dependent objects too.",
    )


def _drop_schema(session: Session, name: st.QualifiedName, *, if_exists: bool, is_cascade: bool) -> None:
    folded = name.folded(session.settings.rules)[-1]
    schema = session.snapshot.schemas.get(folded)
    if schema is None:
        if if_exists:
            session.notice(Severity.INFO, f'Schema "{folded}" does not exist and will be skipped')
            return
        raise UndefinedObject(f'schema "{folded}" does not exist', sqlstate="3F000", span=name.span)
    inside = [r for r in session.snapshot.relations.values() if r.schema == folded]
    readers = [r for r in session.snapshot.relations.values() if any(base[0] == folded for base in r.bases)]
    procedures = [p for found in session.snapshot.procedures.values() for p in found if p.schema == folded]
    functions = [f.function for found in session.snapshot.functions.values() for f in found if f.function.schema == folded]
    if (inside or readers or procedures or functions) and not is_cascade:
        first = next(iter([*(r.name for r in [*inside, *readers]), *(f.name for f in functions)]), None)
        raise Conflict(
            f"cannot drop schema {folded} because other objects depend on it",
            sqlstate="2BP01",
            span=name.span,
            detail=f"{first} depends on schema {folded}." if first else f"procedure {procedures[0].name} is in it.",
            hint="Use DROP SCHEMA ... CASCADE to drop them too.",
        )
    for relation in [*inside, *readers]:
        if relation.key in session.snapshot.relations:
            drop_relation(session, relation, is_cascade=True, name=name)
    for procedure in procedures:
        catalog.drop_procedure(session.tx.connection, procedure)
    called = {function.oid for function in functions}
    for view in [v for v in session.snapshot.relations.values() if called & set(v.attributes.get("calls", ()))]:
        if view.key in session.snapshot.relations and not view.attributes.get("late_binding"):
            drop_relation(session, view, is_cascade=True, name=name)
    for function in functions:
        catalog.drop_function(session.tx.connection, function.oid)
    if schema.source is None:
        session.tx.connection.execute(storage.drop_schema(str(schema.options.get("storage", folded))))
    catalog.drop_schema(session.tx.connection, folded)
    session.tx.touch_catalog()
