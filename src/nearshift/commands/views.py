"""CREATE VIEW and the statements about materialized views."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nearshift import storage
from nearshift.catalog import catalog
from nearshift.catalog.entities import ColumnEntry, RelationEntry, ViewState
from nearshift.commands.tables import columns_of, storage_attributes, storage_schema
from nearshift.errors import DuplicateObject, InvalidSql, NotSupported, UndefinedObject
from nearshift.faults import crash_point
from nearshift.results import Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.lower import analyse, lower
from nearshift.sql.names import fold
from nearshift.sql.relations import Lowered, RelationKind
from nearshift.sql.shape import Shape
from nearshift.values import with_variables
from nearshift.views.delta import Delta, Full, decide_maintenance
from nearshift.views.refresh import refresh_alone

if TYPE_CHECKING:
    from nearshift.session import Session

_MATERIALIZED = frozenset({RelationKind.STREAMING_VIEW, RelationKind.DERIVED_VIEW})


def _frozen(session: Session, lowered: Lowered) -> dict[str, Any]:
    """Return what a view's definition means, besides its text: kept with the view."""
    return {
        "search_path": list(session.names.search_path()), "settings": dict(session.settings.meaningful()),
        "query_columns": [column.name for column in lowered.columns], "calls": sorted(lowered.calls),
    }  # fmt: skip


def create_view(session: Session, statement: st.CreateView) -> Result:
    """Run CREATE [OR REPLACE] VIEW."""
    schema, own = session.names.resolve(statement.name)
    place = session.names.creation_schema(schema)
    before = session.snapshot.relations.get((place, own))
    if before is not None and not (statement.is_replace and before.kind is RelationKind.VIEW):
        raise DuplicateObject(f'relation "{own}" already exists', span=statement.name.span)
    with session.shifted(statement.query.span.start):
        lowered = _view_query(session, statement)
    columns = list(columns_of(lowered.columns))
    rules = session.settings.rules
    for i, name in enumerate(statement.column_names[: len(columns)]):
        columns[i] = dataclasses.replace(columns[i], name=fold(name.text, name.is_quoted, rules))
    if len(statement.column_names) > len(columns) and not statement.is_late_binding:
        raise InvalidSql("CREATE VIEW specifies more column names than columns", span=statement.name.span)
    connection = session.tx.connection
    bases = tuple(sorted(key for key in lowered.reads if key in session.snapshot.relations))
    if before is not None and not statement.is_late_binding and not before.attributes.get("late_binding"):
        _check_same_columns(before, columns, statement)
    if before is not None:
        catalog.drop_relation(connection, before.oid)
    oid = before.oid if before is not None else catalog.next_oid(connection)
    attributes = {**_frozen(session, lowered), "late_binding": statement.is_late_binding}
    if statement.column_names:
        given = [fold(name.text, name.is_quoted, rules) for name in statement.column_names]
        attributes["renamed"] = [*given, *(c.name for c in columns[len(given) :])]
    if statement.is_late_binding:
        attributes["query_columns"] = []
    entry = RelationEntry(
        oid, place, own, RelationKind.VIEW, before.owner if before is not None else session.user, tuple(columns), None,
        statement.query.text, rules, attributes=attributes, bases=bases,
    )  # fmt: skip
    catalog.add_relation(connection, entry, session.house.clock.now().replace(tzinfo=None))
    session.tx.touch_catalog()
    return Result("CREATE VIEW")


def _check_same_columns(before: RelationEntry, columns: Sequence[ColumnEntry], statement: st.CreateView) -> None:
    """A regular view is replaced by one with the same columns ("CREATE VIEW", OR REPLACE). Raises InvalidSql (42P16)."""
    span, hint = statement.name.span, "Drop the view and create it again."
    if len(before.columns) != len(columns):
        raise InvalidSql("cannot change number of columns in view", sqlstate="42P16", span=span, hint=hint)
    for old, new in zip(before.columns, columns, strict=True):
        if old.name != new.name:
            raise InvalidSql(f'cannot change name of view column "{old.name}"', sqlstate="42P16", span=span, hint=hint)
        if old.type.kind is not new.type.kind:
            raise InvalidSql(f'cannot change data type of view column "{old.name}"', sqlstate="42P16", span=span, hint=hint)


def _view_query(session: Session, statement: st.CreateView) -> Lowered:
    """Return the translation of a view's query; a late-binding one may name what does not exist yet ("CREATE VIEW")."""
    try:
        return with_variables(lower(statement.query.text, session.context()))
    except UndefinedObject:
        if not statement.is_late_binding:
            raise
        return Lowered("", ())


def create_materialized_view(session: Session, statement: st.CreateMaterializedView) -> Result:
    """Run CREATE MATERIALIZED VIEW: a streaming one begins empty, any other is filled at once."""
    schema, own = session.names.resolve(statement.name)
    place = session.names.creation_schema(schema)
    if (place, own) in session.snapshot.relations:
        raise DuplicateObject(f'relation "{own}" already exists', span=statement.name.span)
    context = session.context(allows_streams=True)
    with session.shifted(statement.query.span.start):
        shape = analyse(statement.query.text, context)
        lowered = with_variables(lower(statement.query.text, context))
    external = [key for key in lowered.reads if _is_external(session, key[0])]
    _check_shape(session, shape, lowered, is_streaming=bool(external))
    kind = RelationKind.STREAMING_VIEW if external else RelationKind.DERIVED_VIEW
    bases = tuple(sorted(lowered.reads))
    if statement.is_auto_refresh and kind is RelationKind.DERIVED_VIEW:
        _check_auto_refresh(session, bases, shape)
    columns = columns_of(lowered.columns)
    _check_names(columns, statement)
    attributes = {**_frozen(session, lowered), **storage_attributes(statement.storage, [c.name for c in columns])}
    if shape.mutable:
        attributes["mutable"] = list(shape.mutable)
    target = storage.view_name(storage_schema(session.snapshot, place), own)
    entry = RelationEntry(
        catalog.next_oid(session.tx.connection), place, own, kind, session.user, columns, target, statement.query.text,
        session.settings.rules, statement.is_auto_refresh, attributes, bases=bases,
    )  # fmt: skip
    connection = session.tx.connection
    connection.execute(storage.create_view_table(target, columns))
    catalog.add_relation(connection, entry, session.house.clock.now().replace(tzinfo=None))
    session.tx.touch_catalog()
    if kind is RelationKind.STREAMING_VIEW:
        _check_stream(session, entry, statement)
        catalog.set_view_state(connection, entry.oid, ViewState())
        return Result("CREATE MATERIALIZED VIEW")
    decision = decide_maintenance(shape, session.snapshot)
    reason = decision.reason if isinstance(decision, Full) else None
    catalog.set_view_state(connection, entry.oid, ViewState(is_incremental=isinstance(decision, Delta), reason=reason))
    session.house.refresher.refresh(session.tx, entry)
    return Result("CREATE MATERIALIZED VIEW")


def _is_external(session: Session, schema: str) -> bool:
    found = session.snapshot.schemas.get(schema)
    return found is not None and found.source is not None


def _check_shape(session: Session, shape: Shape, lowered: Lowered, *, is_streaming: bool) -> None:
    refused = "ORDER BY" if shape.has_order_by else "LIMIT, OFFSET or TOP" if shape.has_limit else None
    if refused is not None:
        raise NotSupported(f"materialized views cannot have {refused}", hint="Sort and limit where the view is read.")
    for key in lowered.reads:
        entry = session.snapshot.relations.get(key)
        if key not in session.snapshot.relations and not _is_external(session, key[0]):
            raise NotSupported("materialized views cannot read system or temporary tables", detail=f'It reads "{key[0]}"."{key[1]}".')
        if entry is not None and entry.kind is RelationKind.VIEW:
            raise NotSupported(f'materialized views cannot read view "{entry.name}"', hint="Repeat the view's query here.")
    if is_streaming:
        reasons = (*shape.reasons, *(("it unnests an array",) if shape.has_unnest else ()))
        if reasons:
            raise NotSupported(
                f"a streaming materialized view must be maintained incrementally, and {reasons[0]}",
                detail="A stream cannot be read again from its beginning, so every refresh must be possible from new records alone.",
                hint="Keep the records in the streaming view, and join, unnest or aggregate in a view over it.",
            )


def _check_auto_refresh(session: Session, bases: tuple[tuple[str, str], ...], shape: Shape) -> None:
    for key in bases:
        entry = session.snapshot.relations.get(key)
        if entry is not None and entry.kind in _MATERIALIZED:
            raise NotSupported(
                "auto refresh is not allowed for a materialized view on another materialized view",
                hint="Leave AUTO REFRESH out and refresh it by a schedule, or `on refresh of` the view below.",
            )
    if shape.mutable:
        raise NotSupported(f"auto refresh is not allowed for a query with mutable functions: {', '.join(shape.mutable)}")


def _check_names(columns: tuple[Any, ...], statement: st.CreateMaterializedView) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            raise DuplicateObject(
                f'column "{column.name}" specified more than once',
                sqlstate="42701",
                span=statement.name.span,
                hint="Give each column of the view a name of its own with AS.",
            )
        seen.add(column.name.lower())


def _check_stream(session: Session, entry: RelationEntry, _statement: st.CreateMaterializedView) -> None:
    """Ask the stream who it is, so that a wrong name or role is told now and not at the first refresh."""
    schema = session.snapshot.schemas[entry.bases[0][0]]
    feed = session.house.feeds.of(entry, schema)
    oid = entry.oid
    session.tx.on_end(lambda is_committed: None if is_committed else session.house.feeds.drop(oid))
    feed.source.describe()


def refresh(session: Session, statement: st.RefreshMaterializedView) -> Result:
    """Run REFRESH MATERIALIZED VIEW, in the caller's transaction if there is one."""
    entry = session.names.relation(statement.name)
    if entry.kind not in _MATERIALIZED:
        raise InvalidSql(f'"{entry.name}" is not a materialized view', sqlstate="42809", span=statement.name.span)
    is_own = not session.tx.is_open
    if is_own and entry.kind is RelationKind.STREAMING_VIEW:
        session.notice(Severity.INFO, refresh_alone(session.house.refresher, session.tx, entry).message)
        return Result("REFRESH MATERIALIZED VIEW")
    session.begin_here()
    if statement.is_cascade:
        session.house.refresher.refresh_upstream(session.tx, entry)
    outcome = session.house.refresher.refresh(session.tx, entry)
    if is_own:
        session.tx.commit()
        session.settings.transaction_ended(is_committed=True)
        crash_point("delta.committed")
    session.notice(Severity.INFO, outcome.message)
    return Result("REFRESH MATERIALIZED VIEW")


def alter_materialized_view(session: Session, statement: st.AlterMaterializedView) -> Result:
    """Run ALTER MATERIALIZED VIEW."""
    entry = session.names.relation(statement.name)
    if entry.kind not in _MATERIALIZED:
        raise InvalidSql(f'"{entry.name}" is not a materialized view', sqlstate="42809", span=statement.name.span)
    connection = session.tx.connection
    match statement.action:
        case st.SetAutoRefresh(is_on=is_on):
            if is_on and entry.kind is RelationKind.DERIVED_VIEW:
                assert entry.definition is not None, "a view has a definition"
                _check_auto_refresh(session, entry.bases, analyse(entry.definition, session.context()))
            catalog.set_auto_refresh(connection, entry.oid, is_on=is_on)
        case st.AlterStorage(storage=parts):
            catalog.set_attributes(
                connection, entry.oid, {**entry.attributes, **storage_attributes(parts, [c.name for c in entry.columns])}
            )
        case st.OwnerTo(owner=owner):
            catalog.set_owner(connection, entry.oid, fold(owner.text, owner.is_quoted, session.settings.rules))
    session.tx.touch_catalog()
    return Result("ALTER MATERIALIZED VIEW")
