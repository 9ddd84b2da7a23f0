"""CREATE TABLE, with columns or from a query."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nearshift import storage
from nearshift.catalog import catalog
from nearshift.catalog.entities import ColumnEntry, RelationEntry, Snapshot
from nearshift.commands.constraints import declared, written
from nearshift.errors import DuplicateObject, InvalidSql, NotSupported, UndefinedObject
from nearshift.results import Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.lower import lower
from nearshift.sql.names import fold, quote
from nearshift.sql.relations import Column, RelationKind
from nearshift.types import INTEGERS, VARCHAR, Kind, SqlType

if TYPE_CHECKING:
    from nearshift.session import Session



def create_table(session: Session, statement: st.CreateTable) -> Result:
    """Run CREATE TABLE. Keys, encodings and constraints are kept and reported; only NOT NULL is enforced, as on Redshift."""
    rules = session.settings.rules
    columns = [column_entry(session, definition) for definition in statement.columns]
    for like in sorted(statement.likes, key=lambda one: one.position, reverse=True):
        parent = session.names.relation(like.table)
        copied = [c if like.includes_defaults else dataclasses.replace(c, default_text=None) for c in parent.columns]
        columns[like.position : like.position] = [dataclasses.replace(c, identity=None, comment=None) for c in copied]
    check_columns(columns, statement.name)
    attributes = storage_attributes(statement.storage, [c.name for c in columns])
    for like in statement.likes:
        attributes |= _inherited(session, like, attributes)
    for definition in statement.columns:
        name = fold(definition.name.text, definition.name.is_quoted, rules)
        if definition.is_dist_key:
            attributes |= {"diststyle": "KEY", "distkey": name}
        if definition.is_sort_key:
            attributes["sortkey"] = [*attributes.get("sortkey", []), name]
    attributes |= written(declared(session, statement, session.names.resolve(statement.name)[1], columns))
    _make(session, statement.name, columns, attributes, is_temporary=statement.is_temporary, if_not_exists=statement.if_not_exists)
    return Result("CREATE TABLE")


def _inherited(session: Session, like: st.LikeTable, own: dict[str, Any]) -> dict[str, Any]:
    """Return how a parent is stored: LIKE takes that over, and it cannot be given beside it ("CREATE TABLE", LIKE)."""
    if own:
        message = "CREATE TABLE … LIKE takes distribution, sort keys and backup from its parent"
        raise InvalidSql(message, sqlstate="0A000", span=like.table.span, hint="Leave the clauses out.")
    parent = session.names.relation(like.table).attributes
    return {name: parent[name] for name in ("diststyle", "distkey", "sortkey", "sortkey_kind", "backup", "encode") if name in parent}


def create_table_as(session: Session, statement: st.CreateTableAs | st.SelectInto) -> Result:
    """Run CREATE TABLE … AS, or SELECT … INTO; the columns take the query's names and types."""
    renamed: tuple[st.Name, ...] = ()
    if isinstance(statement, st.SelectInto):
        name, query, parts, start = statement.target, statement.query, st.Storage(), 0
    else:
        name, query, parts, start = statement.name, statement.query.text, statement.storage, statement.query.span.start
        renamed = statement.column_names
    with session.shifted(start):
        lowered = session.lower(query)
    rules = session.settings.rules
    names = [fold(n.text, n.is_quoted, rules) for n in renamed]
    if len(names) > len(lowered.columns):
        raise InvalidSql("CREATE TABLE AS specifies too many column names", span=name.span)
    columns = [
        ColumnEntry(names[i] if i < len(names) else column.name, _storable(column.type)) for i, column in enumerate(lowered.columns)
    ]
    check_columns(columns, name)
    attributes = storage_attributes(parts, [c.name for c in columns])
    entry = _make(session, name, columns, attributes, is_temporary=statement.is_temporary, if_not_exists=False)
    assert entry is not None, "without IF NOT EXISTS a table is made or an error raised"
    assert entry.storage is not None, "a table has storage"
    count = session.tx.connection.execute(storage.insert_query(entry.storage, lowered.sql), session.values_for(lowered))
    return Result("SELECT", row_count=count)


def _storable(kind: SqlType) -> SqlType:
    if kind.kind is Kind.UNKNOWN:
        return VARCHAR
    return kind


def _make(
    session: Session,
    name: st.QualifiedName,
    columns: Sequence[ColumnEntry],
    attributes: dict[str, Any],
    *,
    is_temporary: bool,
    if_not_exists: bool,
) -> RelationEntry | None:
    """Create a table's storage and its entry; None when it exists and that is fine."""
    schema, own = session.names.resolve(name)
    is_temporary = is_temporary or own.startswith("#")
    place = "pg_temp" if is_temporary else session.names.creation_schema(schema)
    taken = own in session.temporary if is_temporary else (place, own) in session.snapshot.relations
    if taken:
        if not if_not_exists:
            raise DuplicateObject(f'relation "{own}" already exists', span=name.span)
        session.notice(Severity.INFO, f'relation "{own}" already exists, skipping')
        return None
    connection = session.tx.connection
    oid = catalog.next_oid(connection)
    table = own if is_temporary else None
    target = storage.temporary_name(own) if is_temporary else storage.table_name(storage_schema(session.snapshot, place), own)
    defaults = _defaults(session, oid, columns)
    connection.execute(storage.create_table(target, columns, defaults, is_temporary=is_temporary))
    kind = RelationKind.TEMP_TABLE if is_temporary else RelationKind.TABLE
    entry = RelationEntry(oid, place, own, kind, session.user, tuple(columns), target, attributes=attributes)
    if is_temporary:
        session.temporary[own] = dataclasses.replace(entry, attributes={**attributes, "table": table})
    else:
        catalog.add_relation(connection, entry, session.house.clock.now().replace(tzinfo=None))
        session.tx.touch_catalog()
    return entry


def storage_schema(snapshot: Snapshot, schema: str) -> str:
    """Return the name under which the engine keeps a schema: the one that it was created with, since the engine cannot rename it."""
    entry = snapshot.schemas.get(schema)
    return str(entry.options.get("storage", schema)) if entry is not None else schema


def _defaults(session: Session, oid: int, columns: Iterable[ColumnEntry]) -> dict[str, str]:
    """Return DuckDB's DEFAULT expressions by column, making the sequences of identity columns."""
    found = {}
    for column in columns:
        if column.identity is not None:
            sequence = f"nearshift.{quote(f'identity_{oid}_{column.name}')}"
            session.tx.connection.execute(storage.create_sequence(sequence, column.identity[0], column.identity[1]))
            found[column.name] = f"nextval('{sequence}')"
        elif column.default_text is not None:
            found[column.name] = default_expression(session, column.default_text)
    return found


# What the values that only a session knows are in a DEFAULT, which DuckDB evaluates by itself. Times are UTC.
_DEFAULTS = {
    "statement_timestamp": "date_trunc('second', get_current_timestamp() AT TIME ZONE 'UTC')",
    "transaction_timestamp": "get_current_timestamp() AT TIME ZONE 'UTC'",
    "transaction_timestamptz": "get_current_timestamp()",
    "current_date": "CAST(get_current_timestamp() AT TIME ZONE 'UTC' AS DATE)",
}
_DEFAULT_LABEL = "nearshift_default"


def default_expression(session: Session, text: str) -> str:
    """Return a DEFAULT expression in DuckDB's SQL. Raises NotSupported for one that reads a relation or a value of one session."""
    lowered = lower(f"SELECT {text} AS {_DEFAULT_LABEL}", session.context())
    head, tail = "SELECT ", f' AS "{_DEFAULT_LABEL}"'
    if lowered.reads or not (lowered.sql.startswith(head) and lowered.sql.endswith(tail)):
        raise NotSupported("a DEFAULT must be an expression without relations", detail=f"It is: {text}")
    expression = lowered.sql[len(head) : -len(tail)]
    for i, parameter in reversed(list(enumerate(lowered.parameters, start=1))):
        if parameter.name not in _DEFAULTS:
            raise NotSupported("this function cannot be used in a DEFAULT", detail=f"It is: {text}")
        expression = expression.replace(f"${i}", _DEFAULTS[parameter.name])
    return expression


def column_entry(session: Session, definition: st.ColumnDefinition) -> ColumnEntry:
    """Return a column as the catalog keeps it. Raises InvalidSql (42611) for an IDENTITY that is no integer."""
    identity = None
    if definition.identity is not None:
        if definition.type.kind not in INTEGERS:
            raise InvalidSql("an IDENTITY column must be INT or BIGINT", sqlstate="42611", span=definition.name.span)
        identity = (definition.identity.seed, definition.identity.step, definition.identity.is_by_default)
    return ColumnEntry(
        fold(definition.name.text, definition.name.is_quoted, session.settings.rules),
        definition.type,
        not (definition.is_not_null or definition.is_primary_key or identity is not None),
        definition.default.text if definition.default else None,
        identity,
        definition.encoding.lower() if definition.encoding else None,
    )


def check_columns(columns: Sequence[ColumnEntry], name: st.QualifiedName) -> None:
    """Raise InvalidSql for no columns or more than 1,600, DuplicateObject (42701) for a name that comes twice."""
    if not columns:
        raise InvalidSql("a table needs at least one column", span=name.span)
    if len(columns) > 1600:
        raise InvalidSql("tables can have at most 1600 columns", sqlstate="54011", span=name.span)
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            raise DuplicateObject(
                f'column "{column.name}" specified more than once',
                sqlstate="42701",
                span=name.span,
                hint="Names that differ only by case are one name here.",
            )
        seen.add(column.name.lower())


def storage_attributes(parts: st.Storage, columns: Sequence[str]) -> dict[str, Any]:
    """Return what is kept of the storage clauses; ordinals become names. Raises UndefinedObject (42703) for an unknown column."""
    found: dict[str, Any] = {}

    def named(key: st.Name | int) -> str:
        text = columns[key - 1] if isinstance(key, int) and 0 < key <= len(columns) else None if isinstance(key, int) else key.text.lower()
        match = next((c for c in columns if text is not None and c.lower() == text.lower()), None)
        if match is None:
            span = None if isinstance(key, int) else key.span
            raise UndefinedObject(f'column "{key if isinstance(key, int) else key.text}" does not exist', sqlstate="42703", span=span)
        return match

    if parts.is_backed_up is not None:
        found["backup"] = parts.is_backed_up
    if parts.dist_style is not None:
        found["diststyle"] = parts.dist_style.value
    if parts.dist_key is not None:
        found |= {"diststyle": "KEY", "distkey": named(parts.dist_key)}
    if parts.sort_key is not None:
        found["sortkey_kind"] = parts.sort_key.kind.value
        found["sortkey"] = [named(key) for key in parts.sort_key.columns]
    if parts.is_encode_auto:
        found["encode"] = "auto"
    return found


def columns_of(columns: Iterable[Column]) -> tuple[ColumnEntry, ...]:
    """Return a query's columns as a view or table keeps them."""
    return tuple(ColumnEntry(c.name, _storable(c.type)) for c in columns)
