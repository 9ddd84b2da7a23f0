"""What there is: databases, schemas, tables, columns, as the session's user may see them, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from nearshift.dataapi.asked import Listing
from nearshift.dataapi.failures import invalid, missing
from nearshift.dataapi.gate import ApiSession
from nearshift.dataapi.results import describe_column
from nearshift.types import parse_type

T = TypeVar("T")
_TABLE_TYPES = {"BASE TABLE": "TABLE", "EXTERNAL TABLE": "EXTERNAL TABLE", "LOCAL TEMPORARY": "LOCAL TEMPORARY"}
_SYSTEM = frozenset({"pg_catalog", "information_schema"})
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE $1 ORDER BY 1"
_TABLES = """SELECT table_schema, table_name, table_type FROM svv_tables
    WHERE table_schema LIKE $1 AND table_name LIKE $2 ORDER BY 1, 2"""
_VIEWS = "SELECT schema_name, name FROM svv_mv_info"
_COLUMNS = """SELECT table_schema, table_name, column_name, data_type, is_nullable, character_maximum_length, numeric_precision,
      numeric_scale
    FROM svv_columns WHERE table_schema LIKE $1 AND table_name LIKE $2 ORDER BY table_schema, table_name, ordinal_position"""


def read_page(found: Sequence[T], token: str | None, size: int) -> tuple[Sequence[T], str | None]:
    """Return the part of a list that a token means, and the token of the next. Raises ValidationException for one that is none of ours."""
    start = 0
    if token:
        try:
            start = int(base64.b64decode(token, validate=True))
        except (binascii.Error, ValueError):
            raise invalid("NextToken is not valid.") from None
    end = start + (size or 1000)
    return found[start:end], page_token(end) if end < len(found) else None


def page_token(start: int) -> str:
    """Return the token of the page that begins there."""
    return base64.b64encode(str(start).encode()).decode()


def list_databases(session: ApiSession, asked: Listing) -> dict[str, Any]:
    """Answer ListDatabases."""
    names = [name for (name,) in _rows(session, "SELECT datname FROM pg_database ORDER BY 1")]
    return _paged("Databases", names, asked)


def list_schemas(session: ApiSession, asked: Listing) -> dict[str, Any]:
    """Answer ListSchemas."""
    names = [name for (name,) in _rows(session, _SCHEMAS, asked.schema_pattern or "%")]
    return _paged("Schemas", names, asked)


def list_tables(session: ApiSession, asked: Listing) -> dict[str, Any]:
    """Answer ListTables: tables, views, materialized views, and what the system has."""
    materialized = set(_rows(session, _VIEWS))
    found = [
        {"name": name, "schema": schema, "type": _type_of(schema, kind, is_materialized=(schema, name) in materialized)}
        for schema, name, kind in _rows(session, _TABLES, asked.schema_pattern or "%", asked.table_pattern or "%")
    ]
    return _paged("Tables", found, asked)


def describe_table(session: ApiSession, asked: Listing) -> dict[str, Any]:
    """Answer DescribeTable."""
    rows = _rows(session, _COLUMNS, _exact(asked.schema), _exact(asked.table))
    if not rows and asked.table is not None:
        raise missing("Table", f"{asked.schema}.{asked.table}" if asked.schema else asked.table)
    columns = [_column(*row) for row in rows]
    return {"TableName": asked.table or "", **_paged("ColumnList", columns, asked)}


LISTINGS: dict[str, Callable[[ApiSession, Listing], dict[str, Any]]] = {
    "ListDatabases": list_databases, "ListSchemas": list_schemas, "ListTables": list_tables, "DescribeTable": describe_table,
}  # fmt: skip


def _paged(name: str, found: Sequence[Any], asked: Listing) -> dict[str, Any]:
    page, token = read_page(found, asked.next_token, asked.max_results)
    return {name: list(page)} if token is None else {name: list(page), "NextToken": token}


def _exact(name: str | None) -> str:
    return "%" if name is None else name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def _type_of(schema: str, kind: str, *, is_materialized: bool) -> str:
    if schema in _SYSTEM:
        return "SYSTEM VIEW" if kind == "VIEW" else "SYSTEM TABLE"
    return "MATERIALIZED VIEW" if is_materialized else _TABLE_TYPES.get(kind, kind)


def _column(schema: str, table: str, name: str, kind: str, nullable: str, length: Any, precision: Any, scale: Any) -> dict[str, Any]:
    text = kind
    if length and kind.startswith(("character", "binary")):
        text = f"{kind}({length})"
    elif precision and kind == "numeric":
        text = f"numeric({precision},{scale or 0})"
    return describe_column(name, parse_type(text), is_nullable=nullable == "YES", schema=schema, table=table)


def _rows(session: ApiSession, text: str, *values: object) -> list[tuple[Any, ...]]:
    return session.run(session.prepare(text, ()), values).rows()
