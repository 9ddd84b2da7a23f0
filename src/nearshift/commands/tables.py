"""Tables: CREATE, CREATE AS, ALTER, DROP, TRUNCATE, COMMENT, LOCK; and DROP of schemas and views, which shares its rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nearshift import storage
from nearshift.catalog import catalog
from nearshift.catalog.entities import ColumnEntry, RelationEntry
from nearshift.errors import Conflict, DuplicateObject, InvalidSql, NotSupported, UndefinedObject
from nearshift.results import Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.lower import lower
from nearshift.sql.names import fold, quote
from nearshift.sql.relations import Column, RelationKind
from nearshift.types import INTEGERS, VARCHAR, Kind, SqlType, varchar

if TYPE_CHECKING:
    from nearshift.session import Session

_VIEWS = frozenset({RelationKind.STREAMING_VIEW, RelationKind.DERIVED_VIEW})
_KEYWORDS = {
    RelationKind.TABLE: st.ObjectKind.TABLE, RelationKind.TEMP_TABLE: st.ObjectKind.TABLE, RelationKind.VIEW: st.ObjectKind.VIEW,
    RelationKind.STREAMING_VIEW: st.ObjectKind.MATERIALIZED_VIEW, RelationKind.DERIVED_VIEW: st.ObjectKind.MATERIALIZED_VIEW,
}  # fmt: skip


def create_table(session: Session, statement: st.CreateTable) -> Result:
    """Run CREATE TABLE. Keys, encodings and constraints are kept and reported; only NOT NULL is enforced, as on Redshift."""
    rules = session.settings.rules
    columns = [_column(session, definition) for definition in statement.columns]
    for like in sorted(statement.likes, key=lambda one: one.position, reverse=True):
        parent = session.relation(like.table)
        copied = [c if like.includes_defaults else dataclasses.replace(c, default_text=None) for c in parent.columns]
        columns[like.position : like.position] = [dataclasses.replace(c, identity=None, comment=None) for c in copied]
    _check_columns(columns, statement.name)
    attributes = storage_attributes(statement.storage, [c.name for c in columns])
    for definition in statement.columns:
        name = fold(definition.name.text, definition.name.is_quoted, rules)
        if definition.is_dist_key:
            attributes |= {"diststyle": "KEY", "distkey": name}
        if definition.is_sort_key:
            attributes["sortkey"] = [*attributes.get("sortkey", []), name]
        if definition.is_primary_key:
            attributes["primary_key"] = [name]
    for constraint in statement.constraints:
        names = [fold(c.text, c.is_quoted, rules) for c in constraint.columns]
        _require(names, columns, constraint.columns)
        key = constraint.kind.value.lower().replace(" ", "_")
        attributes[key] = names
    _make(session, statement.name, columns, attributes, is_temporary=statement.is_temporary, if_not_exists=statement.if_not_exists)
    return Result("CREATE TABLE")


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
    _check_columns(columns, name)
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
    schema, own = session.resolve(name)
    is_temporary = is_temporary or own.startswith("#")
    place = "pg_temp" if is_temporary else session.creation_schema(schema)
    taken = own in session.temporary if is_temporary else (place, own) in session.snapshot.relations
    if taken:
        if not if_not_exists:
            raise DuplicateObject(f'relation "{own}" already exists', span=name.span)
        session.notice(Severity.INFO, f'relation "{own}" already exists, skipping')
        return None
    connection = session.tx.connection
    oid = catalog.next_oid(connection)
    table = own if is_temporary else None
    target = f"temp.main.{quote(own)}" if is_temporary else storage.table_name(place, own)
    defaults = _defaults(session, oid, columns)
    connection.execute(storage.create_table(target, columns, defaults, is_temporary=is_temporary))
    kind = RelationKind.TEMP_TABLE if is_temporary else RelationKind.TABLE
    entry = RelationEntry(oid, place, own, kind, session.user, tuple(columns), target, attributes=attributes)
    if is_temporary:
        session.temporary[own] = dataclasses.replace(entry, attributes={**attributes, "table": table})
        session.temporary_version += 1
    else:
        catalog.add_relation(connection, entry, session.house.clock.now().replace(tzinfo=None))
        session.tx.touch_catalog()
    return entry


def _defaults(session: Session, oid: int, columns: Iterable[ColumnEntry]) -> dict[str, str]:
    """Return DuckDB's DEFAULT expressions by column, making the sequences of identity columns."""
    found = {}
    for column in columns:
        if column.identity is not None:
            sequence = f"nearshift.{quote(f'identity_{oid}_{column.name}')}"
            session.tx.connection.execute(storage.create_sequence(sequence, column.identity[0], column.identity[1]))
            found[column.name] = f"nextval('{sequence}')"
        elif column.default_text is not None:
            found[column.name] = _default(session, column.default_text)
    return found


# What the values that only a session knows are in a DEFAULT, which DuckDB evaluates by itself. Times are UTC.
_DEFAULTS = {
    "statement_timestamp": "date_trunc('second', get_current_timestamp() AT TIME ZONE 'UTC')",
    "transaction_timestamp": "get_current_timestamp() AT TIME ZONE 'UTC'",
    "transaction_timestamptz": "get_current_timestamp()",
    "current_date": "CAST(get_current_timestamp() AT TIME ZONE 'UTC' AS DATE)",
}
_DEFAULT_LABEL = "nearshift_default"


def _default(session: Session, text: str) -> str:
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


def _column(session: Session, definition: st.ColumnDefinition) -> ColumnEntry:
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


def _check_columns(columns: Sequence[ColumnEntry], name: st.QualifiedName) -> None:
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


def _require(names: Sequence[str], columns: Sequence[ColumnEntry], written: Sequence[st.Name]) -> None:
    known = {column.name for column in columns}
    for name, place in zip(names, written, strict=True):
        if name not in known:
            raise UndefinedObject(f'column "{name}" named in key does not exist', sqlstate="42703", span=place.span)


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


def alter_table(session: Session, statement: st.AlterTable) -> Result:
    """Run ALTER TABLE."""
    entry = session.relation(statement.name)
    connection, action = session.tx.connection, statement.action
    rules = session.settings.rules
    if isinstance(action, st.AppendFrom):
        return _append(session, entry, statement.name, action)
    if isinstance(action, st.OwnerTo):
        catalog.set_owner(connection, entry.oid, fold(action.owner.text, action.owner.is_quoted, rules))
        session.tx.touch_catalog()
        return Result("ALTER TABLE")
    if entry.kind not in {RelationKind.TABLE, RelationKind.TEMP_TABLE}:
        raise InvalidSql(f'"{entry.name}" is not a table', sqlstate="42809", span=statement.name.span)
    assert entry.storage is not None, "a table has storage"
    changed = entry
    match action:
        case st.AddColumn(column=definition):
            column = _column(session, definition)
            _check_columns([*entry.columns, column], statement.name)
            default = _default(session, column.default_text) if column.default_text else None
            if not column.is_nullable and default is None:
                raise InvalidSql("ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default", span=definition.name.span)
            connection.execute(storage.add_column(entry.storage, column, default))
            changed = dataclasses.replace(entry, columns=(*entry.columns, column))
        case st.DropColumn(column=name, is_cascade=is_cascade):
            gone = _known_column(session, entry, name)
            _break_readers(session, entry, "a base column was dropped", is_cascade=is_cascade, name=statement.name)
            connection.execute(storage.drop_column(entry.storage, gone))
            changed = dataclasses.replace(entry, columns=tuple(c for c in entry.columns if c.name != gone))
        case st.RenameColumn(column=name, name=new):
            old, fresh = _known_column(session, entry, name), fold(new.text, new.is_quoted, rules)
            _break_readers(session, entry, "a base column was renamed", is_cascade=True, name=statement.name)
            connection.execute(storage.rename_column(entry.storage, old, fresh))
            changed = dataclasses.replace(
                entry, columns=tuple(dataclasses.replace(c, name=fresh) if c.name == old else c for c in entry.columns)
            )
        case st.AlterColumnType(column=name, type=kind):
            changed = _retype(session, entry, _known_column(session, entry, name), kind, name)
        case st.RenameTo(name=new):
            return _rename(session, entry, fold(new.text, new.is_quoted, rules), statement.name)
        case st.AlterStorage(storage=parts):
            attributes = {**entry.attributes, **storage_attributes(parts, [c.name for c in entry.columns])}
            changed = dataclasses.replace(entry, attributes=attributes)
        case st.AlterEncoding(columns=columns):
            encodings = {_known_column(session, entry, name): encoding.lower() for name, encoding in columns}
            changed = dataclasses.replace(
                entry, columns=tuple(dataclasses.replace(c, encoding=encodings.get(c.name, c.encoding)) for c in entry.columns)
            )
        case st.AddConstraint(constraint=constraint):
            names = [fold(c.text, c.is_quoted, rules) for c in constraint.columns]
            _require(names, entry.columns, constraint.columns)
            key = constraint.kind.value.lower().replace(" ", "_")
            changed = dataclasses.replace(entry, attributes={**entry.attributes, key: names})
        case st.DropConstraint():
            kept = {k: v for k, v in entry.attributes.items() if k not in {"primary_key", "unique", "foreign_key"}}
            changed = dataclasses.replace(entry, attributes=kept)
    _write_back(session, changed)
    return Result("ALTER TABLE")


def _write_back(session: Session, entry: RelationEntry) -> None:
    if entry.kind is RelationKind.TEMP_TABLE:
        session.temporary[entry.name] = entry
        session.temporary_version += 1
        return
    catalog.replace_columns(session.tx.connection, entry.oid, entry.columns)
    catalog.set_attributes(session.tx.connection, entry.oid, entry.attributes)
    session.tx.touch_catalog()
    session.tx.touch(entry.schema, entry.name)


def _known_column(session: Session, entry: RelationEntry, name: st.Name) -> str:
    folded = fold(name.text, name.is_quoted, session.settings.rules)
    if all(column.name != folded for column in entry.columns):
        raise UndefinedObject(f'column "{folded}" of relation "{entry.name}" does not exist', sqlstate="42703", span=name.span)
    return folded


def _retype(session: Session, entry: RelationEntry, column: str, kind: SqlType, name: st.Name) -> RelationEntry:
    found = next(c for c in entry.columns if c.name == column)
    if found.type.kind is not Kind.VARCHAR or kind.kind is not Kind.VARCHAR:
        raise NotSupported("only VARCHAR columns can change their length", span=name.span, hint="Create a new table with the type.")
    assert entry.storage is not None, "a table has storage"
    if kind.length is not None and kind.length < (found.type.length or varchar(65_535).length or 0):
        longest = session.tx.connection.rows(
            f"SELECT coalesce(max(strlen({quote(column)})), 0) FROM {entry.storage}"  # noqa: S608 - quoted names
        )[0][0]
        if longest > kind.length:
            raise InvalidSql("target data size should be greater than or equal to the longest value", sqlstate="22001", span=name.span)
    return dataclasses.replace(
        entry, columns=tuple(dataclasses.replace(c, type=kind) if c.name == column else c for c in entry.columns)
    )


def _rename(session: Session, entry: RelationEntry, new: str, name: st.QualifiedName) -> Result:
    if entry.kind is RelationKind.TEMP_TABLE:
        raise NotSupported("temporary tables cannot be renamed", span=name.span)
    if (entry.schema, new) in session.snapshot.relations:
        raise DuplicateObject(f'relation "{new}" already exists', span=name.span)
    _break_readers(session, entry, "its base table was renamed", is_cascade=True, name=name)
    assert entry.storage is not None, "a table has storage"
    connection = session.tx.connection
    connection.execute(storage.rename_table(entry.storage, new))
    catalog.rename_relation(connection, entry.oid, new)
    connection.execute(
        "UPDATE nearshift.relations SET storage = $2 WHERE oid = $1", [entry.oid, storage.table_name(entry.schema, new)]
    )
    session.tx.touch_catalog()
    return Result("ALTER TABLE")


def _break_readers(session: Session, entry: RelationEntry, why: str, *, is_cascade: bool, name: st.QualifiedName) -> None:
    """Views over a changed table can be read but not refreshed any more ("Materialized views": state 101 to 105)."""
    for view in session.snapshot.dependents(entry.schema, entry.name):
        if view.kind is RelationKind.VIEW:
            if not is_cascade:
                raise _depended(entry, view, name)
            continue
        state = catalog.view_state(session.tx.connection, view.oid)
        catalog.set_view_state(session.tx.connection, view.oid, dataclasses.replace(state, broken=why))


def _append(session: Session, target: RelationEntry, name: st.QualifiedName, action: st.AppendFrom) -> Result:
    """ALTER TABLE APPEND: move all rows from a table or streaming view ("ALTER TABLE APPEND")."""
    if session.is_in_block:
        raise NotSupported("ALTER TABLE APPEND cannot run inside a transaction block", sqlstate="25001", span=name.span)
    source = session.relation(action.source)
    if target.kind is not RelationKind.TABLE or source.kind not in {RelationKind.TABLE, RelationKind.STREAMING_VIEW}:
        raise InvalidSql("rows can be appended from a table or streaming materialized view to a table", sqlstate="42809", span=name.span)
    shared = [c.name for c in target.columns if any(s.name == c.name and s.type == c.type for s in source.columns)]
    if len(shared) < len(target.columns) and action.option is not st.AppendOption.FILL_TARGET:
        raise InvalidSql("the target has columns that the source lacks", sqlstate="42804", span=name.span, hint="Add FILLTARGET.")
    if len(shared) < len(source.columns) and action.option is not st.AppendOption.IGNORE_EXTRA:
        raise InvalidSql("the source has columns that the target lacks", sqlstate="42804", span=name.span, hint="Add IGNOREEXTRA.")
    assert target.storage is not None, "a table has storage"
    assert source.storage is not None, "a table or materialized view has storage"
    session.tx.connection.execute(storage.move_columns(target.storage, shared, source.storage))
    empty(session, source)
    session.tx.touch(target.schema, target.name)
    return Result("ALTER TABLE")


def empty(session: Session, entry: RelationEntry) -> int:
    """Delete all rows of a table or materialized view; views above it must recompute. Returns the number of rows."""
    assert entry.storage is not None, "a table or materialized view has storage"
    count = session.tx.connection.execute(storage.delete_all(entry.storage))
    rewritten(session, entry)
    if entry.kind is not RelationKind.TEMP_TABLE:
        session.tx.touch(entry.schema, entry.name)
    return count


def rewritten(session: Session, entry: RelationEntry) -> None:
    """Note that rows of a materialized view went by other ways than a refresh: a delta over them would be wrong from now on."""
    if entry.kind in _VIEWS:
        state = catalog.view_state(session.tx.connection, entry.oid)
        catalog.set_view_state(session.tx.connection, entry.oid, dataclasses.replace(state, generation=state.generation + 1))


def truncate(session: Session, statement: st.Truncate) -> Result:
    """Run TRUNCATE: it commits the transaction it is in ("TRUNCATE")."""
    entry = session.relation(statement.name)
    if entry.kind not in {RelationKind.TABLE, RelationKind.TEMP_TABLE, RelationKind.STREAMING_VIEW}:
        raise InvalidSql(f'"{entry.name}" is not a table', sqlstate="42809", span=statement.name.span)
    session.begin_here()
    empty(session, entry)
    session.commit_here()
    return Result("TRUNCATE")


def lock(session: Session, statement: st.Lock) -> Result:
    """Run LOCK: the transaction has the write lane from here on, which is more than one table's lock."""
    for name in statement.tables:
        session.relation(name)
    if not session.is_in_block:
        raise Conflict("LOCK TABLE can only be used in transaction blocks", sqlstate="25P01")
    return Result("LOCK TABLE")


def comment(session: Session, statement: st.Comment) -> Result:
    """Run COMMENT ON a table, view or column; on other kinds it is accepted without being kept."""
    connection = session.tx.connection
    if statement.kind in {st.ObjectKind.TABLE, st.ObjectKind.VIEW, st.ObjectKind.MATERIALIZED_VIEW}:
        catalog.set_comment(connection, session.relation(statement.name).oid, statement.text)
        session.tx.touch_catalog()
    elif statement.kind is st.ObjectKind.COLUMN:
        owner = st.QualifiedName(statement.name.parts[:-1])
        entry = session.relation(owner)
        column = _known_column(session, entry, statement.name.last)
        columns = tuple(dataclasses.replace(c, comment=statement.text) if c.name == column else c for c in entry.columns)
        catalog.replace_columns(connection, entry.oid, columns)
        session.tx.touch_catalog()
    return Result("COMMENT")


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
    schema, own = session.resolve(name)
    entry = session.find(schema, own)
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
        session.temporary_version += 1
        return
    for view in session.snapshot.dependents(entry.schema, entry.name):
        if not is_cascade and not view.attributes.get("late_binding"):
            raise _depended(entry, view, name)
        if is_cascade and view.key in session.snapshot.relations:
            drop_relation(session, view, is_cascade=True, name=name)
    if entry.storage is not None:
        connection.execute(storage.drop_table(entry.storage))
    catalog.drop_relation(connection, entry.oid)
    session.tx.touch_catalog()
    if entry.kind is RelationKind.STREAMING_VIEW:
        oid = entry.oid
        session.tx.on_end(lambda is_committed: session.house.feeds.drop(oid) if is_committed else None)


def _depended(entry: RelationEntry, view: RelationEntry, name: st.QualifiedName) -> Conflict:
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
    if (inside or readers or procedures) and not is_cascade:
        first = next(iter([*inside, *readers]), None)
        raise Conflict(
            f"cannot drop schema {folded} because other objects depend on it",
            sqlstate="2BP01",
            span=name.span,
            detail=f"{first.name} depends on schema {folded}." if first else f"procedure {procedures[0].name} is in it.",
            hint="Use DROP SCHEMA ... CASCADE to drop them too.",
        )
    for relation in [*inside, *readers]:
        if relation.key in session.snapshot.relations:
            drop_relation(session, relation, is_cascade=True, name=name)
    for procedure in procedures:
        catalog.drop_procedure(session.tx.connection, procedure)
    if schema.source is None:
        session.tx.connection.execute(storage.drop_schema(folded))
    catalog.drop_schema(session.tx.connection, folded)
    session.tx.touch_catalog()


def columns_of(columns: Iterable[Column]) -> tuple[ColumnEntry, ...]:
    """Return a query's columns as a view or table keeps them."""
    return tuple(ColumnEntry(c.name, _storable(c.type)) for c in columns)
