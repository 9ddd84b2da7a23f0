"""SHOW of objects: databases, schemas, tables, columns, routines, parameters, keys; and the text that makes an object again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from nearshift.catalog.entities import ColumnEntry, RelationEntry
from nearshift.commands import functions, procedures, showing_grants
from nearshift.commands.constraints import Constraint, constraints_of
from nearshift.commands.results import rows_result
from nearshift.errors import InvalidSql, NotSupported, UndefinedObject
from nearshift.results import Result
from nearshift.sql import statements as st
from nearshift.sql.names import is_reserved, quote
from nearshift.sql.relations import Column, RelationKind
from nearshift.types import BOOLEAN, INTEGER, VARCHAR, Kind, SqlType

if TYPE_CHECKING:
    from nearshift.session import Session

Rows = Iterable[tuple[object, ...]]
_ROUTINE = ("number_of_arguments", "argument_list", "return_type", "remarks")
_PARAMETER = ("parameter_name", "ordinal_position", "parameter_type", "data_type", "character_maximum_length", "numeric_precision",
              "numeric_scale")  # fmt: skip
_FOREIGN = (
    "pk_database_name", "pk_schema_name", "pk_table_name", "pk_column_name", "fk_database_name", "fk_schema_name", "fk_table_name",
    "fk_column_name", "key_seq", "fk_name", "pk_name", "update_rule", "delete_rule", "deferrability",
)  # fmt: skip
# The columns of each form, in the order of its page ("SHOW TABLES", "SHOW COLUMNS", …).
_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "DATABASES": ("database_name", "database_owner", "database_type", "database_acl"),
    "SCHEMAS": ("database_name", "schema_name", "schema_owner", "schema_type", "schema_acl", "source_database", "schema_option"),
    "TABLES": ("database_name", "schema_name", "table_name", "table_type", "table_acl", "remarks", "owner", "table_subtype"),
    "COLUMNS": (
        "database_name", "schema_name", "table_name", "column_name", "ordinal_position", "column_default", "is_nullable", "data_type",
        "character_maximum_length", "numeric_precision", "numeric_scale", "remarks",
    ),
    "PROCEDURES": ("database_name", "schema_name", "procedure_name", *_ROUTINE),
    "FUNCTIONS": ("database_name", "schema_name", "function_name", *_ROUTINE),
    "PRIMARY KEYS": ("database_name", "schema_name", "table_name", "column_name", "key_seq", "pk_name"),
    "FOREIGN KEYS": _FOREIGN,
    "EXPORTED KEYS": _FOREIGN,
    "GRANTS": showing_grants.LABELS,
}  # fmt: skip
_NUMBERS: Final = {
    "ordinal_position": INTEGER, "character_maximum_length": INTEGER, "numeric_precision": INTEGER, "numeric_scale": INTEGER,
    "number_of_arguments": INTEGER, "key_seq": INTEGER, "identity_id": INTEGER, "admin_option": BOOLEAN,
}  # fmt: skip
_TITLES: Final = {
    st.ObjectKind.TABLE: "Show Table DDL statement",
    st.ObjectKind.VIEW: "Show View DDL statement",
    st.ObjectKind.PROCEDURE: "Stored Procedure Definition",
}
# Which column LIKE compares.
_KEYS: Final = {"DATABASES": 0, "SCHEMAS": 1, "TABLES": 2, "COLUMNS": 3, "PROCEDURES": 2, "FUNCTIONS": 2, "PARAMETERS": 3}


def show_objects(session: Session, statement: st.ShowObjects) -> Result:
    """Run SHOW TABLES, SCHEMAS, …. Raises UndefinedObject for a parent that does not exist."""
    columns = object_columns(statement)
    rows = list(_ROWS[statement.what](session, statement))
    if statement.pattern is not None:
        pattern = re.compile("".join(".*" if ch == "%" else "." if ch == "_" else re.escape(ch) for ch in statement.pattern), re.DOTALL)
        rows = [row for row in rows if pattern.fullmatch(str(row[_KEYS[statement.what]]))]
    rows = rows[: statement.limit] if statement.limit is not None else rows
    return rows_result("SHOW", tuple(c.name for c in columns), rows, tuple(c.type for c in columns))


def object_columns(statement: st.ShowObjects) -> tuple[Column, ...]:
    """Return the columns of what SHOW tells of objects. Raises NotSupported for forms that are not here."""
    if statement.what == "PARAMETERS":
        kind = "procedure_name" if statement.kind is st.ObjectKind.PROCEDURE else "function_name"
        labels: tuple[str, ...] | None = ("database_name", "schema_name", kind, *_PARAMETER)
    else:
        labels = _LABELS.get(statement.what)
    if labels is None:
        raise NotSupported(f"SHOW {statement.what} is not supported", hint="Read the system views, such as svv_tables and svv_columns.")
    return tuple(Column(label, _NUMBERS.get(label, VARCHAR)) for label in labels)


def _databases(session: Session, _statement: st.ShowObjects) -> Rows:
    yield session.house.database, session.house.admin, "local", None


def _schemas(session: Session, _statement: st.ShowObjects) -> Rows:
    for schema in sorted(session.snapshot.schemas.values(), key=lambda s: s.name):
        kind = "external" if schema.source else "local"
        yield session.house.database, schema.name, schema.owner, kind, None, None, None


def _parent_schema(session: Session, statement: st.ShowObjects) -> str:
    assert statement.parent is not None, "the parser asks for it"
    schema = statement.parent.folded(session.settings.rules)[-1]
    if schema not in session.snapshot.schemas:
        raise UndefinedObject(f'schema "{schema}" does not exist', sqlstate="3F000", span=statement.parent.span)
    return schema


def _tables(session: Session, statement: st.ShowObjects) -> Rows:
    schema = _parent_schema(session, statement)
    for r in sorted((r for r in session.snapshot.relations.values() if r.schema == schema), key=lambda r: r.name):
        kind = "TABLE" if r.kind is RelationKind.TABLE else "VIEW"
        yield session.house.database, r.schema, r.name, kind, None, r.comment, r.owner, _subtype(r)


def _subtype(relation: RelationEntry) -> str:
    match relation.kind:
        case RelationKind.STREAMING_VIEW | RelationKind.DERIVED_VIEW:
            return "MATERIALIZED VIEW"
        case RelationKind.VIEW:
            return "LATE BINDING VIEW" if relation.attributes.get("late_binding") else "REGULAR VIEW"
        case _:
            return "REGULAR TABLE"


def _parent_relation(session: Session, statement: st.ShowObjects) -> RelationEntry:
    assert statement.parent is not None, "the parser asks for it"
    return session.names.relation(statement.parent)


def _columns(session: Session, statement: st.ShowObjects) -> Rows:
    entry = _parent_relation(session, statement)
    for place, c in enumerate(entry.columns, start=1):
        yield (
            session.house.database, entry.schema, entry.name, c.name, place, c.default_text, "YES" if c.is_nullable else "NO",
            c.type.kind.value, *_measures(c.type), c.comment,
        )  # fmt: skip


def _measures(kind: SqlType) -> tuple[int | None, int | None, int | None]:
    """Return the length, precision and scale of a type."""
    widths = {Kind.SMALLINT: 16, Kind.INTEGER: 32, Kind.BIGINT: 64}
    precision = widths.get(kind.kind, kind.precision)
    return kind.length, precision, 0 if kind.kind in widths else kind.scale


def _procedures(session: Session, statement: st.ShowObjects) -> Rows:
    schema = _parent_schema(session, statement)
    for (place, name), entries in sorted(session.snapshot.procedures.items()):
        for entry in entries if place == schema else ():
            arguments = procedures.arguments_of(entry)
            shown = [f"{a.mode.value if a.mode is not st.ArgumentMode.IN else ''} {a.type.kind.value}".strip() for a in arguments]
            outputs = [a for a in arguments if a.mode is not st.ArgumentMode.IN]
            returned = None if not outputs else outputs[0].type.kind.value if len(outputs) == 1 else "record"
            yield session.house.database, place, name, len(arguments), ", ".join(shown), returned, None


def _functions(session: Session, statement: st.ShowObjects) -> Rows:
    schema = _parent_schema(session, statement)
    for (place, name), entries in sorted(session.snapshot.functions.items()):
        for entry in entries if place == schema else ():
            types = entry.function.argument_types
            shown = ", ".join(kind.kind.value for kind in types)
            yield session.house.database, place, name, len(types), shown, entry.function.returns.kind.value, entry.comment


def _parameters(session: Session, statement: st.ShowObjects) -> Rows:
    assert statement.routine is not None, "the parser asks for it"
    if statement.kind is st.ObjectKind.PROCEDURE:
        entry = procedures.named(session, statement.routine, is_optional=False)
        assert entry is not None, "what is not optional is found or raises"
        for place, argument in enumerate(procedures.arguments_of(entry), start=1):
            name = argument.name.text if argument.name else None
            yield (
                session.house.database, entry.schema, entry.name, name, place, argument.mode.value, argument.type.kind.value,
                *_measures(argument.type),
            )  # fmt: skip
        return
    found = functions.named(session, statement.routine, is_optional=False)
    assert found is not None, "what is not optional is found or raises"
    own = found.function
    head = session.house.database, own.schema, own.name
    for place, kind in enumerate(own.argument_types, start=1):
        yield *head, None, place, "IN", kind.kind.value, *_measures(kind)
    yield *head, None, 0, "RETURN", own.returns.kind.value, *_measures(own.returns)


def _primary_keys(session: Session, statement: st.ShowObjects) -> Rows:
    entry = _parent_relation(session, statement)
    for constraint in constraints_of(entry):
        for place, column in enumerate(constraint.columns if constraint.kind is st.ConstraintKind.PRIMARY_KEY else (), start=1):
            yield session.house.database, entry.schema, entry.name, column, place, constraint.name


def _foreign_keys(session: Session, statement: st.ShowObjects) -> Rows:
    yield from _keys(session, _parent_relation(session, statement), None)


def _exported_keys(session: Session, statement: st.ShowObjects) -> Rows:
    wanted = _parent_relation(session, statement)
    for entry in sorted(session.snapshot.relations.values(), key=lambda r: r.key):
        yield from _keys(session, entry, wanted)


def _keys(session: Session, entry: RelationEntry, wanted: RelationEntry | None) -> Rows:
    """Yield the foreign keys of a table, only those that point to `wanted` if it is given."""
    database = session.house.database
    for constraint in constraints_of(entry):
        if constraint.kind is not st.ConstraintKind.FOREIGN_KEY or (wanted is not None and constraint.referenced != wanted.key):
            continue
        assert constraint.referenced is not None, "a foreign key points somewhere"
        target = session.snapshot.relations.get(constraint.referenced)
        name = next((c.name for c in constraints_of(target) if c.columns == constraint.referenced_columns), None) if target else None
        pairs = zip(constraint.referenced_columns, constraint.columns, strict=False)
        for place, (there, here) in enumerate(pairs, start=1):
            yield (
                database, *constraint.referenced, there, database, entry.schema, entry.name, here, place, constraint.name, name,
                "NO ACTION", "NO ACTION", "NOT DEFERRABLE",
            )  # fmt: skip


_ROWS: Final[dict[str, Callable[[Session, st.ShowObjects], Rows]]] = {
    "DATABASES": _databases, "SCHEMAS": _schemas, "TABLES": _tables, "COLUMNS": _columns, "PROCEDURES": _procedures,
    "FUNCTIONS": _functions, "PARAMETERS": _parameters, "PRIMARY KEYS": _primary_keys, "FOREIGN KEYS": _foreign_keys,
    "EXPORTED KEYS": _exported_keys,
    "GRANTS": showing_grants.grants,
}  # fmt: skip


def show_definition(session: Session, statement: st.ShowDefinition) -> Result:
    """Run SHOW TABLE, VIEW or PROCEDURE: the text that makes it again."""
    return rows_result("SHOW", (definition_title(statement),), [(_definition(session, statement),)])


def definition_title(statement: st.ShowDefinition) -> str:
    """Return the label of the one column."""
    return _TITLES[statement.kind]


def _definition(session: Session, statement: st.ShowDefinition) -> str:
    if statement.kind is st.ObjectKind.PROCEDURE:
        return procedures.definition_of(session, statement.object)
    entry = session.names.relation(statement.object.name)
    is_view = entry.definition is not None
    if is_view is not (statement.kind is st.ObjectKind.VIEW):
        wanted = statement.kind.value.lower()
        hint = f"Use SHOW {'VIEW' if is_view else 'TABLE'}."
        raise InvalidSql(f'"{entry.name}" is not a {wanted}', sqlstate="42809", span=statement.object.name.span, hint=hint)
    if is_view:
        return _view_text(entry)
    return _table_text(entry)


def _view_text(entry: RelationEntry) -> str:
    name = f"{_shown(entry.schema)}.{_shown(entry.name)}"
    if entry.kind is not RelationKind.VIEW:
        auto = " AUTO REFRESH YES" if entry.is_auto_refresh else ""
        return f"CREATE MATERIALIZED VIEW {name}{auto} AS\n{entry.definition};"
    renamed = entry.attributes.get("renamed")
    names = f" ({', '.join(_shown(one) for one in renamed)})" if renamed else ""
    tail = "\nWITH NO SCHEMA BINDING" if entry.attributes.get("late_binding") else ""
    return f"CREATE VIEW {name}{names} AS\n{entry.definition}{tail};"


def _table_text(entry: RelationEntry) -> str:
    lines = [_column_text(column) for column in entry.columns]
    lines += [_constraint_text(constraint) for constraint in constraints_of(entry)]
    kept = entry.attributes
    storage = [f"DISTSTYLE {kept['diststyle']}"] if "diststyle" in kept else []
    storage += [f"DISTKEY ({_shown(kept['distkey'])})"] if "distkey" in kept else []
    if kept.get("sortkey"):
        kind = "" if kept.get("sortkey_kind", "COMPOUND") == "COMPOUND" else f"{kept['sortkey_kind']} "
        storage.append(f"{kind}SORTKEY ({', '.join(_shown(one) for one in kept['sortkey'])})")
    word = "TEMPORARY TABLE " if entry.kind is RelationKind.TEMP_TABLE else "TABLE "
    name = _shown(entry.name) if entry.kind is RelationKind.TEMP_TABLE else f"{_shown(entry.schema)}.{_shown(entry.name)}"
    body = ",\n".join(f"    {line}" for line in lines)
    return f"CREATE {word}{name} (\n{body}\n)" + "".join(f"\n{part}" for part in storage) + ";"


def _column_text(column: ColumnEntry) -> str:
    parts = [_shown(column.name), str(column.type)]
    if column.identity is not None:
        seed, step, is_by_default = column.identity
        parts.append(f"{'GENERATED BY DEFAULT AS ' if is_by_default else ''}IDENTITY({seed},{step})")
    if column.default_text is not None:
        parts.append(f"DEFAULT {column.default_text}")
    if not column.is_nullable:
        parts.append("NOT NULL")
    if column.encoding is not None:
        parts.append(f"ENCODE {column.encoding}")
    return " ".join(parts)


def _constraint_text(constraint: Constraint) -> str:
    names = ", ".join(_shown(one) for one in constraint.columns)
    text = f"CONSTRAINT {_shown(constraint.name)} {constraint.kind.value} ({names})"
    if constraint.referenced is None:
        return text
    there = ", ".join(_shown(one) for one in constraint.referenced_columns)
    return f"{text} REFERENCES {'.'.join(_shown(part) for part in constraint.referenced)} ({there})"


def _shown(name: str) -> str:
    """Return a name as SQL reads it back, in quotes where it needs them."""
    return name if re.fullmatch(r"#?[a-z_][a-z0-9_$]*", name) and not is_reserved(name) else quote(name)
