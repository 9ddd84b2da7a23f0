"""System views: Redshift's and ours, as queries over the catalog's own tables.

Each entry of `VIEWS` gives the columns with Redshift's names and types ("System tables and views reference") and the DuckDB query that
answers it. All live in pg_catalog, where unqualified names are looked up last, and information_schema.
"""

# ruff: noqa: S608 - the texts are constants of the package
from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from nearshift.catalog.access_texts import TEXTS
from nearshift.sql.names import quote, quote_literal
from nearshift.sql.relations import Column, Relation, RelationKind
from nearshift.types import Kind, SqlType, parse_type


@dataclass(frozen=True, slots=True)
class SystemView:
    """One system view: its columns and the DuckDB query that answers it."""

    columns: tuple[Column, ...]
    query: str


def system_relation(schema: str, name: str) -> Relation | None:
    """Return the system view of that name, or None."""
    view = views().get((schema, name))
    if view is None:
        return None
    names = ", ".join(quote(column.name) for column in view.columns)
    source = f"(SELECT * FROM ({view.query}) AS answer({names}))"
    return Relation(schema, name, RelationKind.SYSTEM, view.columns, source)


@cache
def views() -> Mapping[tuple[str, str], SystemView]:
    """Return all system views, read from `_FILES`.

    The files hold blocks: a line `-- schema.name`, a line `-- column type, column type, …`, then the query up to the next block.
    """
    folder = importlib.resources.files("nearshift.catalog")
    texts = (folder.joinpath(name).read_text(encoding="utf-8") for name in _FILES)
    found: dict[tuple[str, str], SystemView] = {}
    for block in (block for text in texts for block in text.split("\n\n-- ")[1:]):
        head, columns, query = block.split("\n", 2)
        schema, name = head.strip().split(".")
        kinds = tuple(_column(part) for part in columns.removeprefix("-- ").split(", "))
        text = query.strip().rstrip(";")
        found[schema, name] = SystemView(kinds, _no_rows(kinds) if text == "EMPTY" else text)
    constants = {"SYSTEM_RELATIONS": _relations(found), "SYSTEM_COLUMNS": _columns(found), "TYPES": _types(), **TEXTS}
    grants = found["pg_catalog", "svv_nearshift_grant"]
    names = ", ".join(column.name for column in grants.columns)
    constants["GRANTS"] = _filled(f"(SELECT * FROM ({grants.query}) AS answer({names}))", constants)
    return {key: SystemView(one.columns, _filled(one.query, constants)) for key, one in found.items()}


def _filled(query: str, constants: Mapping[str, str]) -> str:
    return re.sub(rf"\b({'|'.join(constants)})\b", lambda found: constants[found[1]], query)


def _column(text: str) -> Column:
    name, kind = text.strip().split(" ", 1)
    return Column(name, parse_type(kind.replace(";", ",")))


def _no_rows(columns: tuple[Column, ...]) -> str:
    items = ", ".join(f"CAST(NULL AS {column.type.duckdb})" for column in columns)
    return f"SELECT {items} WHERE FALSE"


def system_oid(schema: str, name: str, place: int) -> int:
    """Return the oid of a system view: PostgreSQL's where it has one, since clients know them by heart, or one below 14,000 by place."""
    return _POSTGRES.get(name, (12_000 if schema == "pg_catalog" else 13_000) + place)


def _relations(found: Mapping[tuple[str, str], SystemView]) -> str:
    rows = (
        f"({system_oid(schema, name, place)}, {_SCHEMA_OIDS[schema]}, {quote_literal(name)}, {len(found[schema, name].columns)})"
        for place, (schema, name) in enumerate(sorted(found))
    )
    return f"(SELECT * FROM (VALUES {', '.join(rows)}) AS answer(oid, schema_oid, name, column_count))"


def _columns(found: Mapping[tuple[str, str], SystemView]) -> str:
    rows = (
        f"({system_oid(schema, name, place)}, {ordinal}, {quote_literal(column.name)}, {quote_literal(str(column.type))})"
        for place, (schema, name) in enumerate(sorted(found))
        for ordinal, column in enumerate(found[schema, name].columns, 1)
    )
    return f"(SELECT * FROM (VALUES {', '.join(rows)}) AS answer(oid, ordinal, name, type))"


def _types() -> str:
    known = [(SqlType(kind).oid, _TYPE_NAMES.get(kind, kind.value), SqlType(kind).width, kind.value) for kind in Kind]
    rows = (f"({oid}, {quote_literal(name)}, {width}, {quote_literal(shown)})" for oid, name, width, shown in [*known, *_CATALOG_TYPES])
    return f"(SELECT * FROM (VALUES {', '.join(rows)}) AS answer(oid, typname, width, name))"


_FILES: Final = ("system_views.sql", "postgres_views.sql", "load_views.sql", "access_views.sql")
_SCHEMA_OIDS: Final = {"pg_catalog": 11, "information_schema": 12}
_POSTGRES: Final = {
    "pg_type": 1247, "pg_attribute": 1249, "pg_proc": 1255, "pg_class": 1259, "pg_database": 1262, "pg_index": 2610, "pg_attrdef": 2604,
    "pg_constraint": 2606, "pg_description": 2609, "pg_inherits": 2611, "pg_language": 2612, "pg_namespace": 2615, "pg_rewrite": 2618,
    "pg_trigger": 2620, "pg_tablespace": 1213,
}  # fmt: skip
# PostgreSQL's internal names of types, where they are not those that users see.
_TYPE_NAMES: Final = {
    Kind.BOOLEAN: "bool", Kind.SMALLINT: "int2", Kind.INTEGER: "int4", Kind.BIGINT: "int8", Kind.REAL: "float4", Kind.DOUBLE: "float8",
    Kind.CHAR: "bpchar", Kind.VARCHAR: "varchar", Kind.TIME: "time", Kind.TIMETZ: "timetz", Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPTZ: "timestamptz", Kind.VARBYTE: "varbyte",
}  # fmt: skip
_CATALOG_TYPES: Final = ((18, "char", 1, '"char"'), (19, "name", 64, "name"), (25, "text", -1, "text"), (2205, "regclass", 4, "regclass"))
