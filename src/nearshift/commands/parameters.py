"""SET, RESET and SHOW."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nearshift.catalog.entities import RelationEntry
from nearshift.commands import procedures
from nearshift.commands.results import rows_result
from nearshift.errors import NotSupported, UndefinedObject
from nearshift.results import Result
from nearshift.sql import statements as st
from nearshift.sql.names import fold
from nearshift.sql.relations import Column, RelationKind
from nearshift.types import VARCHAR

if TYPE_CHECKING:
    from nearshift.session import Session

Setting = st.SetParameter | st.Reset | st.SetSessionUser | st.SetTransaction
Showing = st.Show | st.ShowObjects | st.ShowDefinition

_LABELS = {
    "DATABASES": ("database_name", "database_owner", "database_type", "database_acl"),
    "SCHEMAS": ("database_name", "schema_name", "schema_owner", "schema_type", "schema_acl", "source_database", "schema_option"),
    "TABLES": ("database_name", "schema_name", "table_name", "table_type", "table_acl", "remarks", "owner", "table_subtype"),
    "COLUMNS": (
        "database_name", "schema_name", "table_name", "column_name", "ordinal_position", "column_default", "is_nullable", "data_type",
        "character_maximum_length", "numeric_precision", "numeric_scale", "remarks",
    ),
}  # fmt: skip


def change(session: Session, statement: Setting) -> Result:
    """Run SET or RESET."""
    match statement:
        case st.SetParameter(setting=setting, scope=scope):
            parameter = setting.name.lower()
            if not setting.values:
                session.settings.reset(parameter)
            elif scope is st.SetScope.LOCAL:
                session.settings.set_local(parameter, _value(parameter, setting))
            else:
                session.settings.set(parameter, _value(parameter, setting))
            return Result("SET")
        case st.Reset(name=name):
            if name is None:
                session.settings.reset_all()
            else:
                session.settings.reset(name)
            return Result("RESET")
        case st.SetSessionUser(user=user):
            wanted = session.house.admin if user is None else fold(user.text, user.is_quoted, session.settings.rules)
            if wanted != session.user:
                raise UndefinedObject(f'user "{wanted}" does not exist', sqlstate="42704", span=user.span if user else None)
            return Result("SET")
        case st.SetTransaction(is_read_only=is_read_only):
            if is_read_only:
                session.settings.set_local("transaction_read_only", "on")
            return Result("SET")


def _value(name: str, setting: st.Setting) -> str:
    if name == "search_path":
        return ", ".join(f'"{v.text}"' if v.is_quoted and not re.fullmatch(r"[a-z_][a-z0-9_]*", v.text) else v.text for v in setting.values)
    return setting.value


def show(session: Session, statement: Showing) -> Result:
    """Run SHOW."""
    match statement:
        case st.Show(name=None):
            return rows_result("SHOW", ("name", "setting"), list(session.settings.items()))
        case st.Show(name=str() as name):
            return rows_result("SHOW", (name,), [(session.settings.get(name),)])
        case st.ShowObjects():
            return rows_result("SHOW", _labels(statement), _objects(session, statement))
        case st.ShowDefinition():
            label, text = _definition(session, statement)
            return rows_result("SHOW", (label,), [(text,)])
        case _:
            raise AssertionError(statement)


def describe_show(_session: Session, statement: Showing) -> tuple[Column, ...]:
    """Return the columns of SHOW's result."""
    match statement:
        case st.Show(name=None):
            labels: tuple[str, ...] = ("name", "setting")
        case st.Show(name=str() as name):
            labels = (name,)
        case st.ShowObjects():
            labels = _labels(statement)
        case _:
            labels = (_TITLES[statement.kind],) if isinstance(statement, st.ShowDefinition) else ("",)
    return tuple(Column(label, VARCHAR) for label in labels)


def _labels(statement: st.ShowObjects) -> tuple[str, ...]:
    labels = _LABELS.get(statement.what)
    if labels is None:
        raise NotSupported(f"SHOW {statement.what} is not supported", hint="Read the system views, such as svv_tables and svv_columns.")
    return labels


def _objects(session: Session, statement: st.ShowObjects) -> list[tuple[object, ...]]:
    database = session.house.database
    parts = statement.parent.folded(session.settings.rules) if statement.parent else ()
    if statement.what == "DATABASES":
        rows: list[tuple[object, ...]] = [(database, session.house.admin, "local", None)]
        key = 0
    elif statement.what == "SCHEMAS":
        rows = [
            (database, s.name, s.owner, "external" if s.source else "local", None, None, None)
            for s in sorted(session.snapshot.schemas.values(), key=lambda s: s.name)
        ]
        key = 1
    elif statement.what == "TABLES":
        schema = parts[-1] if parts else "public"
        found = [r for r in session.snapshot.relations.values() if r.schema == schema]
        rows = [
            (database, r.schema, r.name, "TABLE" if r.kind is RelationKind.TABLE else "VIEW", None, r.comment, r.owner, _subtype(r))
            for r in sorted(found, key=lambda r: r.name)
        ]
        key = 2
    else:
        entry = session.snapshot.relations.get((parts[-2] if len(parts) > 1 else "public", parts[-1] if parts else ""))
        rows = [
            (
                database, parts[-2] if len(parts) > 1 else "public", parts[-1],
                c.name, i, c.default_text, "YES" if c.is_nullable else "NO", c.type.kind.value,
                c.type.length, c.type.precision, c.type.scale, c.comment,
            )
            for i, c in enumerate(entry.columns if entry else (), start=1)
        ]  # fmt: skip
        key = 3
    if statement.pattern is not None:
        pattern = re.compile("".join(".*" if ch == "%" else "." if ch == "_" else re.escape(ch) for ch in statement.pattern), re.DOTALL)
        rows = [row for row in rows if pattern.fullmatch(str(row[key]))]
    return rows[: statement.limit] if statement.limit is not None else rows


def _subtype(relation: RelationEntry) -> str:
    match relation.kind:
        case RelationKind.STREAMING_VIEW | RelationKind.DERIVED_VIEW:
            return "MATERIALIZED VIEW"
        case RelationKind.VIEW:
            return "LATE BINDING VIEW" if relation.attributes.get("late_binding") else "REGULAR VIEW"
        case _:
            return "REGULAR TABLE"


_TITLES = {
    st.ObjectKind.TABLE: "Show Table DDL statement",
    st.ObjectKind.VIEW: "Show View DDL statement",
    st.ObjectKind.PROCEDURE: "Stored Procedure Definition",
}


def _definition(session: Session, statement: st.ShowDefinition) -> tuple[str, str]:
    if statement.kind is st.ObjectKind.PROCEDURE:
        return _TITLES[statement.kind], procedures.definition_of(session, statement.object)
    entry = session.names.relation(statement.object.name)
    title = _TITLES.get(statement.kind, "Show Table DDL statement")
    if entry.definition is not None:
        kind = "VIEW" if entry.kind is RelationKind.VIEW else "MATERIALIZED VIEW"
        return title, f"CREATE {kind} {entry.schema}.{entry.name} AS\n{entry.definition};"
    lines = [f"    {c.name} {c.type}{'' if c.is_nullable else ' NOT NULL'}" for c in entry.columns]
    return title, f"CREATE TABLE {entry.schema}.{entry.name} (\n" + ",\n".join(lines) + "\n);"
