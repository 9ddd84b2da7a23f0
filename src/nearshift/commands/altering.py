"""ALTER TABLE and COMMENT."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nearshift import storage
from nearshift.catalog import catalog
from nearshift.catalog.entities import RelationEntry
from nearshift.commands.dropping import depended
from nearshift.commands.emptying import empty
from nearshift.commands.tables import check_columns, column_entry, default_expression, require_columns, storage_attributes
from nearshift.errors import DuplicateObject, InvalidSql, NotSupported, UndefinedObject
from nearshift.results import Result
from nearshift.sql import statements as st
from nearshift.sql.names import Name, fold, quote
from nearshift.sql.relations import RelationKind
from nearshift.types import Kind, SqlType, varchar

if TYPE_CHECKING:
    from nearshift.session import Session


def alter_table(session: Session, statement: st.AlterTable) -> Result:
    """Run ALTER TABLE."""
    entry = session.names.relation(statement.name)
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
            column = column_entry(session, definition)
            check_columns([*entry.columns, column], statement.name)
            default = default_expression(session, column.default_text) if column.default_text else None
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
            old, fresh = _known_column(session, entry, name), _free_column(entry, new, fold(new.text, new.is_quoted, rules))
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
            require_columns(names, entry.columns, constraint.columns)
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


def _free_column(entry: RelationEntry, written: Name, name: str) -> str:
    """Return `name` if no column has it. Raises DuplicateObject (42701)."""
    if name in {column.name for column in entry.columns}:
        message = f'column "{name}" of relation "{entry.name}" already exists'
        raise DuplicateObject(message, sqlstate="42701", span=written.span)
    return name


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
                raise depended(entry, view, name)
            continue
        state = catalog.view_state(session.tx.connection, view.oid)
        catalog.set_view_state(session.tx.connection, view.oid, dataclasses.replace(state, broken=why))


def _append(session: Session, target: RelationEntry, name: st.QualifiedName, action: st.AppendFrom) -> Result:
    """ALTER TABLE APPEND: move all rows from a table or streaming view ("ALTER TABLE APPEND")."""
    if session.is_in_block:
        raise NotSupported("ALTER TABLE APPEND cannot run inside a transaction block", sqlstate="25001", span=name.span)
    source = session.names.relation(action.source)
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


def comment(session: Session, statement: st.Comment) -> Result:
    """Run COMMENT ON a table, view or column; on other kinds it is accepted without being kept."""
    connection = session.tx.connection
    if statement.kind in {st.ObjectKind.TABLE, st.ObjectKind.VIEW, st.ObjectKind.MATERIALIZED_VIEW}:
        catalog.set_comment(connection, session.names.relation(statement.name).oid, statement.text)
        session.tx.touch_catalog()
    elif statement.kind is st.ObjectKind.COLUMN:
        owner = st.QualifiedName(statement.name.parts[:-1])
        entry = session.names.relation(owner)
        column = _known_column(session, entry, statement.name.last)
        columns = tuple(dataclasses.replace(c, comment=statement.text) if c.name == column else c for c in entry.columns)
        catalog.replace_columns(connection, entry.oid, columns)
        session.tx.touch_catalog()
    return Result("COMMENT")
