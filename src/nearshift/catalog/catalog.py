"""Reads and writes of the catalog's tables, always inside the caller's transaction.

All statements here are constants with parameters. Nothing is cached in this module: a Snapshot is read whole after a change, and the
warehouse decides how long to keep it.
"""

from __future__ import annotations

import importlib.resources
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from nearshift.catalog import principals
from nearshift.catalog.entities import ColumnEntry, FunctionEntry, ProcedureEntry, RelationEntry, SchemaEntry, Snapshot, ViewState
from nearshift.sql.relations import NameRules, RelationKind, UserFunction, Volatility
from nearshift.types import parse_type


class Rows(Protocol):
    """The part of an engine's Connection that the catalog needs."""

    def rows(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        ...

    def execute(self, sql: str, values: Any = ()) -> int:
        """Run a statement and return the number of rows it affected."""
        ...


def migrate(connection: Rows, now: datetime, owner: str) -> None:
    """Bring the catalog's tables to this version; runs in the caller's transaction and does nothing when they are."""
    found = connection.rows("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'nearshift' AND table_name = 'migrations'")
    done = {number for (number,) in connection.rows("SELECT number FROM nearshift.migrations")} if found[0][0] else set()
    for entry in sorted(importlib.resources.files("nearshift.catalog.migrations").iterdir(), key=lambda e: e.name):
        if not entry.name.endswith(".sql") or int(entry.name[:4]) in done:
            continue
        connection.execute(entry.read_text(encoding="utf-8"))
        connection.execute("INSERT INTO nearshift.migrations VALUES ($1, $2)", [int(entry.name[:4]), now])
        if int(entry.name[:4]) == 1:
            add_schema(connection, SchemaEntry(next_oid(connection), "public", owner))
    principals.ensure_admin(connection, owner)


def next_oid(connection: Rows) -> int:
    """Return a new OID; user objects begin above 100,000 as on Redshift."""
    return int(connection.rows("SELECT nextval('nearshift.oid_sequence')")[0][0])


def load(connection: Rows, version: int) -> Snapshot:
    """Return all that exists as this connection's transaction sees it."""
    schemas = {
        name: SchemaEntry(oid, name, owner, source, json.loads(options))
        for oid, name, owner, source, options in connection.rows("SELECT oid, name, owner, source, options FROM nearshift.schemas")
    }
    columns: dict[int, list[ColumnEntry]] = defaultdict(list)
    for oid, name, kind, is_nullable, default, identity, encoding, comment in connection.rows(
        "SELECT relation_oid, name, type, is_nullable, default_text, identity_text, encoding, comment FROM nearshift.columns"
        " ORDER BY relation_oid, ordinal"
    ):
        made = tuple(json.loads(identity)) if identity else None
        columns[oid].append(ColumnEntry(name, parse_type(kind), is_nullable, default, made, encoding, comment))
    bases: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for oid, schema, name in connection.rows("SELECT relation_oid, base_schema, base_name FROM nearshift.dependencies"):
        bases[oid].append((schema, name))
    relations = {}
    for oid, schema, name, kind, owner, storage, definition, rules, is_auto, attributes, comment in connection.rows(
        "SELECT oid, schema_name, name, kind, owner, storage, definition, rules, is_auto_refresh, attributes, comment"
        " FROM nearshift.relations"
    ):
        relations[schema, name] = RelationEntry(
            oid, schema, name, RelationKind(kind), owner, tuple(columns[oid]), storage, definition, NameRules(**json.loads(rules)),
            is_auto, json.loads(attributes), comment, tuple(bases[oid]),
        )  # fmt: skip
    procedures: dict[tuple[str, str], tuple[ProcedureEntry, ...]] = {}
    for oid, schema, name, signature, owner, text in connection.rows(
        "SELECT oid, schema_name, name, signature, owner, text FROM nearshift.procedures"
    ):
        entry = ProcedureEntry(oid, schema, name, signature, owner, text)
        procedures[schema, name] = (*procedures.get((schema, name), ()), entry)
    return Snapshot(version, schemas, relations, procedures, _functions(connection), principals.load(connection))


def _functions(connection: Rows) -> dict[tuple[str, str], tuple[FunctionEntry, ...]]:
    found: dict[tuple[str, str], tuple[FunctionEntry, ...]] = {}
    for oid, schema, name, arguments, returns, volatility, body, owner, comment in connection.rows(
        "SELECT oid, schema_name, name, argument_types, returns, volatility, body, owner, comment FROM nearshift.functions"
    ):
        types = tuple(parse_type(kind) for kind in json.loads(arguments))
        function = UserFunction(oid, schema, name, types, parse_type(returns), Volatility(volatility), body)
        found[schema, name] = (*found.get((schema, name), ()), FunctionEntry(function, owner, comment))
    return found


def add_function(connection: Rows, function: UserFunction, owner: str, now: datetime) -> None:
    """Note an SQL function, in the place of the one with its oid if there is."""
    drop_function(connection, function.oid)
    connection.execute(
        "INSERT INTO nearshift.functions VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9)",
        [
            function.oid, function.schema, function.name, json.dumps([str(kind) for kind in function.argument_types]),
            str(function.returns), function.volatility.value, function.body, owner, now,
        ],
    )  # fmt: skip


def drop_function(connection: Rows, oid: int) -> None:
    """Forget an SQL function."""
    connection.execute("DELETE FROM nearshift.functions WHERE oid = $1", [oid])


def add_schema(connection: Rows, schema: SchemaEntry) -> None:
    """Note a schema."""
    connection.execute(
        "INSERT INTO nearshift.schemas VALUES ($1, $2, $3, $4, $5)",
        [schema.oid, schema.name, schema.owner, schema.source, json.dumps(dict(schema.options))],
    )


def set_schema_options(connection: Rows, name: str, options: Mapping[str, Any]) -> None:
    """Write how the streams of an external schema are reached."""
    connection.execute("UPDATE nearshift.schemas SET options = $2 WHERE name = $1", [name, json.dumps(dict(options))])


def drop_schema(connection: Rows, name: str) -> None:
    """Forget a schema; its relations are dropped one by one before."""
    connection.execute("DELETE FROM nearshift.schemas WHERE name = $1", [name])


def add_relation(connection: Rows, relation: RelationEntry, now: datetime) -> None:
    """Note a relation, its columns and what it reads."""
    rules = {
        "case_sensitive_identifier": relation.rules.case_sensitive_identifier,
        "case_sensitive_super_attribute": relation.rules.case_sensitive_super_attribute,
    }
    connection.execute(
        "INSERT INTO nearshift.relations VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [
            relation.oid, relation.schema, relation.name, relation.kind.value, relation.owner, relation.storage, relation.definition,
            json.dumps(rules), relation.is_auto_refresh, json.dumps(dict(relation.attributes)), relation.comment, now,
        ],
    )  # fmt: skip
    replace_columns(connection, relation.oid, relation.columns)
    for schema, name in relation.bases:
        connection.execute("INSERT INTO nearshift.dependencies VALUES ($1, $2, $3)", [relation.oid, schema, name])


def replace_columns(connection: Rows, oid: int, columns: Iterable[ColumnEntry]) -> None:
    """Write a relation's columns anew."""
    connection.execute("DELETE FROM nearshift.columns WHERE relation_oid = $1", [oid])
    for ordinal, column in enumerate(columns, start=1):
        connection.execute(
            "INSERT INTO nearshift.columns VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            [
                oid, ordinal, column.name, str(column.type), column.is_nullable, column.default_text,
                json.dumps(column.identity) if column.identity else None, column.encoding, column.comment,
            ],
        )  # fmt: skip


_OF_RELATION = (
    "DELETE FROM nearshift.relations WHERE oid = $1",
    "DELETE FROM nearshift.columns WHERE relation_oid = $1",
    "DELETE FROM nearshift.dependencies WHERE relation_oid = $1",
    "DELETE FROM nearshift.view_states WHERE relation_oid = $1",
    "DELETE FROM nearshift.checkpoints WHERE relation_oid = $1",
    "DELETE FROM nearshift.ledger WHERE relation_oid = $1",
    "DELETE FROM nearshift.quarantine WHERE relation_oid = $1",
    "DELETE FROM nearshift.gaps WHERE relation_oid = $1",
)


def drop_relation(connection: Rows, oid: int) -> None:
    """Forget a relation and everything noted of it, except its history."""
    for statement in _OF_RELATION:
        connection.execute(statement, [oid])


def rename_relation(connection: Rows, oid: int, name: str) -> None:
    """Give a relation another name; its storage keeps its own."""
    connection.execute("UPDATE nearshift.relations SET name = $2 WHERE oid = $1", [oid, name])


def set_owner(connection: Rows, oid: int, owner: str) -> None:
    """Give a relation another owner."""
    connection.execute("UPDATE nearshift.relations SET owner = $2 WHERE oid = $1", [oid, owner])


def set_auto_refresh(connection: Rows, oid: int, *, is_on: bool) -> None:
    """Turn a view's AUTO REFRESH on or off."""
    connection.execute("UPDATE nearshift.relations SET is_auto_refresh = $2 WHERE oid = $1", [oid, is_on])


def set_attributes(connection: Rows, oid: int, attributes: Mapping[str, Any]) -> None:
    """Write what is kept of a relation without being acted on."""
    connection.execute("UPDATE nearshift.relations SET attributes = $2 WHERE oid = $1", [oid, json.dumps(dict(attributes))])


def set_comment(connection: Rows, oid: int, text: str | None) -> None:
    """Write a relation's comment."""
    connection.execute("UPDATE nearshift.relations SET comment = $2 WHERE oid = $1", [oid, text])


def add_procedure(connection: Rows, procedure: ProcedureEntry, now: datetime) -> None:
    """Note a procedure, in the place of one with the same input types if there is."""
    drop_procedure(connection, procedure)
    connection.execute(
        "INSERT INTO nearshift.procedures VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [procedure.oid, procedure.schema, procedure.name, procedure.signature, procedure.owner, procedure.text, now],
    )


def drop_procedure(connection: Rows, procedure: ProcedureEntry) -> None:
    """Forget a procedure."""
    connection.execute(
        "DELETE FROM nearshift.procedures WHERE schema_name = $1 AND name = $2 AND signature = $3",
        [procedure.schema, procedure.name, procedure.signature],
    )


def view_state(connection: Rows, oid: int) -> ViewState:
    """Return how far a view got."""
    found = connection.rows(
        "SELECT last_batch, last_refresh_time, generation, base_marks, is_incremental, reason, broken FROM nearshift.view_states"
        " WHERE relation_oid = $1",
        [oid],
    )
    if not found:
        return ViewState()
    batch, time, generation, marks, is_incremental, reason, broken = found[0]
    parsed = {name: (int(mark[0]), int(mark[1])) for name, mark in json.loads(marks).items()}
    return ViewState(batch, time, generation, parsed, is_incremental, reason, broken)


def set_view_state(connection: Rows, oid: int, state: ViewState) -> None:
    """Write how far a view got."""
    values = [
        oid, state.last_batch, state.last_refresh_time, state.generation, json.dumps(dict(state.base_marks)), state.is_incremental,
        state.reason, state.broken,
    ]  # fmt: skip
    changed = connection.execute(
        "UPDATE nearshift.view_states SET last_batch = $2, last_refresh_time = $3, generation = $4, base_marks = $5, is_incremental = $6,"
        " reason = $7, broken = $8 WHERE relation_oid = $1",
        values,
    )
    if not changed:
        connection.execute("INSERT INTO nearshift.view_states VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", values)
