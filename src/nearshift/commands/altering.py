"""ALTER TABLE and COMMENT."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nearshift import storage
from nearshift.catalog import catalog
from nearshift.catalog.entities import RelationEntry
from nearshift.commands.constraints import constraints_of, resolved, without_keys, written
from nearshift.commands.depending import broken_views, mark_broken, refuse_broken
from nearshift.commands.dropping import drop_relation
from nearshift.commands.emptying import empty
from nearshift.commands.tables import check_columns, column_entry, default_expression, storage_attributes, storage_schema
from nearshift.errors import Conflict, DuplicateObject, InvalidSql, NotSupported, UndefinedObject
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
    if isinstance(action, st.RenameTo) and entry.kind in {RelationKind.VIEW, RelationKind.TABLE, RelationKind.TEMP_TABLE}:
        return _rename(session, entry, fold(action.name.text, action.name.is_quoted, rules), statement.name)
    if entry.kind not in {RelationKind.TABLE, RelationKind.TEMP_TABLE}:
        raise InvalidSql(f'"{entry.name}" is not a table', sqlstate="42809", span=statement.name.span)
    _write_back(session, _changed(session, entry, statement))
    return Result("ALTER TABLE")


def _changed(session: Session, entry: RelationEntry, statement: st.AlterTable) -> RelationEntry:
    """Return the table as the action leaves it, its storage changed already."""
    rules = session.settings.rules
    match statement.action:
        case st.AddColumn(column=definition):
            return _add_column(session, entry, definition, statement.name)
        case st.DropColumn(column=name, is_cascade=is_cascade):
            return _drop_column(session, entry, name, is_cascade=is_cascade, table=statement.name)
        case st.RenameColumn(column=name, name=new):
            return _rename_column(session, entry, name, fold(new.text, new.is_quoted, rules), statement.name)
        case st.AlterColumnType(column=name, type=kind):
            return _retype(session, entry, _known_column(session, entry, name), kind, name)
        case st.AlterStorage(storage=parts):
            attributes = {**entry.attributes, **storage_attributes(parts, [c.name for c in entry.columns])}
            if attributes.get("diststyle") != "KEY":
                attributes.pop("distkey", None)
            return dataclasses.replace(entry, attributes=attributes)
        case st.AlterEncoding(columns=columns):
            encodings = {_known_column(session, entry, name): encoding.lower() for name, encoding in columns}
            return dataclasses.replace(
                entry, columns=tuple(dataclasses.replace(c, encoding=encodings.get(c.name, c.encoding)) for c in entry.columns)
            )
        case st.AddConstraint(constraint=constraint):
            known = constraints_of(entry)
            added = resolved(session, constraint, entry.name, entry.columns, known)
            return dataclasses.replace(entry, attributes={**without_keys(entry.attributes), **written([*known, added])})
        case st.DropConstraint(name=name, is_cascade=is_cascade):
            return _drop_constraint(session, entry, name, is_cascade=is_cascade)
        case _:
            raise AssertionError(statement)


def _write_back(session: Session, entry: RelationEntry) -> None:
    if entry.kind is RelationKind.TEMP_TABLE:
        session.temporary[entry.name] = entry
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


def _add_column(session: Session, entry: RelationEntry, definition: st.ColumnDefinition, table: st.QualifiedName) -> RelationEntry:
    """ADD COLUMN takes a default, NOT NULL and an encoding; keys and identities are for CREATE TABLE ("ALTER TABLE")."""
    refused = {
        "IDENTITY": definition.identity is not None, "PRIMARY KEY": definition.is_primary_key, "UNIQUE": definition.is_unique,
        "REFERENCES": definition.references is not None, "DISTKEY": definition.is_dist_key, "SORTKEY": definition.is_sort_key,
    }  # fmt: skip
    for word, is_given in refused.items():
        if is_given:
            hint = "Create a new table with it."
            raise NotSupported(f"ALTER TABLE ADD COLUMN does not take {word}", span=definition.name.span, hint=hint)
    column = column_entry(session, definition)
    if any(known.name.lower() == column.name.lower() for known in entry.columns):
        message = f'column "{column.name}" of relation "{entry.name}" already exists'
        raise DuplicateObject(message, sqlstate="42701", span=definition.name.span)
    check_columns([*entry.columns, column], table)
    default = default_expression(session, column.default_text) if column.default_text else None
    if not column.is_nullable and default is None:
        raise InvalidSql("ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default", span=definition.name.span)
    assert entry.storage is not None, "a table has storage"
    session.tx.connection.execute(storage.add_column(entry.storage, column, default))
    return dataclasses.replace(entry, columns=(*entry.columns, column))


def _drop_column(session: Session, entry: RelationEntry, name: st.Name, *, is_cascade: bool, table: st.QualifiedName) -> RelationEntry:
    gone = _known_column(session, entry, name)
    if entry.attributes.get("distkey") == gone:
        raise InvalidSql(f'cannot drop distkey column "{gone}"', sqlstate="0A000", span=name.span, hint="Alter the DISTKEY first.")
    if gone in entry.attributes.get("sortkey", ()):
        raise InvalidSql(f'cannot drop sortkey column "{gone}"', sqlstate="0A000", span=name.span, hint="Alter the SORTKEY first.")
    if len(entry.columns) == 1:
        raise InvalidSql(f'cannot drop the only column "{gone}" of a table', sqlstate="0A000", span=name.span, hint="Drop the table.")
    kept = [one for one in constraints_of(entry) if gone not in one.columns]
    attributes = {**without_keys(entry.attributes), **written(kept)}
    changed = dataclasses.replace(entry, columns=tuple(c for c in entry.columns if c.name != gone), attributes=attributes)
    _write_back(session, changed)
    for view in broken_views(session, [entry.key]):
        if not is_cascade:
            raise Conflict(
                f"cannot drop table {entry.name} column {gone} because other objects depend on it", sqlstate="2BP01", span=name.span,
                detail=f"view {view.name} depends on table {entry.name} column {gone}.",
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
            )  # fmt: skip
        if view.key in session.snapshot.relations:
            drop_relation(session, view, is_cascade=True, name=table)
    mark_broken(session, entry, "a base column was dropped")
    assert entry.storage is not None, "a table has storage"
    session.tx.connection.execute(storage.drop_column(entry.storage, gone))
    return changed


def _rename_column(session: Session, entry: RelationEntry, name: st.Name, fresh: str, table: st.QualifiedName) -> RelationEntry:
    old = _known_column(session, entry, name)
    if any(column.name.lower() == fresh.lower() and column.name != old for column in entry.columns):
        raise DuplicateObject(f'column "{fresh}" of relation "{entry.name}" already exists', sqlstate="42701", span=name.span)

    def renamed(names: Sequence[str]) -> list[str]:
        return [fresh if one == old else one for one in names]

    kept = [dataclasses.replace(one, columns=tuple(renamed(one.columns))) for one in constraints_of(entry)]
    attributes = {**without_keys(entry.attributes), **written(kept)}
    if attributes.get("distkey") == old:
        attributes["distkey"] = fresh
    if attributes.get("sortkey"):
        attributes["sortkey"] = renamed(attributes["sortkey"])
    columns = tuple(dataclasses.replace(c, name=fresh) if c.name == old else c for c in entry.columns)
    changed = dataclasses.replace(entry, columns=columns, attributes=attributes)
    _write_back(session, changed)
    refuse_broken(session, [entry.key], f'column "{old}"', table)
    mark_broken(session, entry, "a base column was renamed")
    assert entry.storage is not None, "a table has storage"
    session.tx.connection.execute(storage.rename_column(entry.storage, old, fresh))
    return changed


# "ALTER TABLE": a column with one of these encodings keeps its length.
_FIXED_ENCODINGS = frozenset({"bytedict", "runlength", "text255", "text32k"})


def _retype(session: Session, entry: RelationEntry, column: str, kind: SqlType, name: st.Name) -> RelationEntry:
    """ALTER COLUMN … TYPE changes the length of a VARCHAR column; the conditions are those of "ALTER TABLE"."""
    found = next(c for c in entry.columns if c.name == column)
    if found.type.kind is not Kind.VARCHAR or kind.kind is not Kind.VARCHAR:
        raise NotSupported("only VARCHAR columns can change their length", span=name.span, hint="Create a new table with the type.")
    if session.is_in_block:
        raise Conflict("ALTER TABLE ALTER COLUMN cannot run inside a transaction block", sqlstate="25001", span=name.span)
    reason = (
        "has a default value" if found.default_text is not None
        else f"has the encoding {found.encoding}" if found.encoding in _FIXED_ENCODINGS
        else "is part of a key" if any(column in one.columns for one in constraints_of(entry)) else None
    )  # fmt: skip
    if reason is not None:
        raise InvalidSql(f'cannot alter the type of column "{column}", which {reason}', sqlstate="0A000", span=name.span)
    if any(view.kind is RelationKind.VIEW and not view.attributes.get("late_binding") for view in session.snapshot.dependents(*entry.key)):
        message = "cannot alter type of a column used by a view or rule"
        raise InvalidSql(message, sqlstate="0A000", span=name.span, hint="Drop the view first.")
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
    connection = session.tx.connection
    if entry.kind is RelationKind.TEMP_TABLE:
        if new in session.temporary:
            raise DuplicateObject(f'relation "{new}" already exists', span=name.span)
        assert entry.storage is not None, "a table has storage"
        connection.execute(storage.rename_table(entry.storage, new))
        moved = dataclasses.replace(session.temporary.pop(entry.name), name=new, storage=storage.temporary_name(new))
        session.temporary[new] = dataclasses.replace(moved, attributes={**moved.attributes, "table": new})
        return Result("ALTER TABLE")
    if (entry.schema, new) in session.snapshot.relations:
        raise DuplicateObject(f'relation "{new}" already exists', span=name.span)
    catalog.rename_relation(connection, entry.oid, new)
    session.tx.touch_catalog()
    refuse_broken(session, [entry.key], f'"{entry.name}"', name)
    mark_broken(session, entry, "its base table was renamed")
    if entry.storage is not None:
        connection.execute(storage.rename_table(entry.storage, new))
        target = storage.table_name(storage_schema(session.snapshot, entry.schema), new)
        connection.execute("UPDATE nearshift.relations SET storage = $2 WHERE oid = $1", [entry.oid, target])
        session.tx.touch_catalog()
    return Result("ALTER TABLE")


def _drop_constraint(session: Session, entry: RelationEntry, name: st.Name, *, is_cascade: bool) -> RelationEntry:
    wanted = fold(name.text, name.is_quoted, session.settings.rules)
    known = constraints_of(entry)
    gone = next((one for one in known if one.name == wanted), None)
    if gone is None:
        raise UndefinedObject(f'constraint "{wanted}" does not exist', sqlstate="42704", span=name.span)
    for other in session.snapshot.relations.values():
        own = constraints_of(other)
        readers = [one for one in own if one.referenced == entry.key and one.referenced_columns == gone.columns]
        if readers and not is_cascade:
            raise Conflict(
                f"cannot drop constraint {wanted} on table {entry.name} because other objects depend on it", sqlstate="2BP01",
                span=name.span, detail=f"constraint {readers[0].name} on table {other.name} depends on it.",
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
            )  # fmt: skip
        if readers:
            kept = [one for one in own if one not in readers]
            _write_back(session, dataclasses.replace(other, attributes={**without_keys(other.attributes), **written(kept)}))
    rest = [one for one in known if one is not gone]
    return dataclasses.replace(entry, attributes={**without_keys(entry.attributes), **written(rest)})


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
    """Run COMMENT; those on databases and constraints are accepted without being kept. Raises UndefinedObject for what does not exist."""
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
    elif statement.kind is st.ObjectKind.SCHEMA:
        _comment_schema(session, statement)
    elif statement.kind is st.ObjectKind.CONSTRAINT:
        assert statement.constraint is not None, "the parser asks for it"
        known = constraints_of(session.names.relation(statement.name))
        wanted = fold(statement.constraint.text, statement.constraint.is_quoted, session.settings.rules)
        if all(one.name != wanted for one in known):
            raise UndefinedObject(f'constraint "{wanted}" does not exist', sqlstate="42704", span=statement.constraint.span)
    elif statement.name.folded(session.settings.rules)[-1] != session.database:
        raise UndefinedObject(f'database "{statement.name}" does not exist', sqlstate="3D000", span=statement.name.span)
    return Result("COMMENT")


def _comment_schema(session: Session, statement: st.Comment) -> None:
    schema = session.snapshot.schemas.get(statement.name.folded(session.settings.rules)[-1])
    if schema is None:
        raise UndefinedObject(f'schema "{statement.name}" does not exist', sqlstate="3F000", span=statement.name.span)
    catalog.set_schema_options(session.tx.connection, schema.name, {**schema.options, "comment": statement.text})
    session.tx.touch_catalog()
