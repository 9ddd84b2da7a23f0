"""DuckDB statements over the tables that hold rows.

The only place that puts names into statements of ours; every name comes quoted from `sql.names.quote`, values go as parameters.
A materialized view's storage has one column more than the view: `BATCH`, the number of the refresh transaction that appended the row, by
which views above find their delta.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nearshift.catalog.catalog import Rows
from nearshift.catalog.entities import ColumnEntry
from nearshift.sql.names import quote
from nearshift.types import Kind

BATCH = "nearshift$batch"


def table_name(schema: str, name: str) -> str:
    """Return the quoted DuckDB name of a table's storage."""
    return f"{quote(schema)}.{quote(name)}"


def view_name(schema: str, name: str) -> str:
    """Return the quoted DuckDB name of a materialized view's storage; tools of Redshift know it under this name."""
    return f"{quote(schema)}.{quote(f'mv_tbl__{name}__0')}"


def temporary_name(name: str) -> str:
    """Return the quoted DuckDB name of a temporary table."""
    return f"temp.main.{quote(name)}"


def create_table(storage: str, columns: Iterable[ColumnEntry], defaults: dict[str, str], *, is_temporary: bool = False) -> str:
    """Return CREATE TABLE; `defaults` are DuckDB expressions by column. SUPER is compressed with ZSTD."""
    parts = []
    for column in columns:
        text = f"{quote(column.name)} {column.type.duckdb}"
        if column.type.kind is Kind.SUPER:
            text += " USING COMPRESSION zstd"
        if column.name in defaults:
            text += f" DEFAULT ({defaults[column.name]})"
        if not column.is_nullable:
            text += " NOT NULL"
        parts.append(text)
    return f"CREATE {'TEMP ' if is_temporary else ''}TABLE {storage} ({', '.join(parts)})"


def create_view_table(storage: str, columns: Iterable[ColumnEntry]) -> str:
    """Return CREATE TABLE for a materialized view's rows and their batch numbers."""
    parts = [f"{quote(c.name)} {c.type.duckdb}{' USING COMPRESSION zstd' if c.type.kind is Kind.SUPER else ''}" for c in columns]
    return f"CREATE TABLE {storage} ({', '.join([*parts, f'{quote(BATCH)} BIGINT NOT NULL'])})"


def append_query(storage: str, query: str, batch: int) -> str:
    """Return INSERT of a query's rows into a materialized view's storage under a batch number."""
    return f"INSERT INTO {storage} SELECT *, {int(batch)} FROM ({query}) AS rows_of_view"  # noqa: S608 - quoted by our caller


def insert_query(storage: str, query: str) -> str:
    """Return INSERT of a query's rows."""
    return f"INSERT INTO {storage} {query}"


def count_query(query: str) -> str:
    """Return the count of a query's rows."""
    return f"SELECT count(*) FROM ({query}) AS counted"  # noqa: S608 - a translation of ours


def range_of(storage: str) -> str:
    """Return the FROM item of a materialized view's rows in the batches that `set_range` chose; the text is the same for every range."""
    column = quote(BATCH)
    bounds = f"{column} > getvariable('nearshift_after') AND {column} <= getvariable('nearshift_to')"
    return f"(SELECT * FROM {storage} WHERE {bounds})"  # noqa: S608 - quoted


def set_range(connection: Rows, after: int, to: int) -> None:
    """Choose the batches above `after` up to `to` for `range_of` on this connection."""
    connection.execute("SET VARIABLE nearshift_after = $1", [after])
    connection.execute("SET VARIABLE nearshift_to = $1", [to])


def delete_all(storage: str) -> str:
    """Return DELETE of every row."""
    return f"DELETE FROM {storage}"  # noqa: S608 - quoted


def drop_table(storage: str) -> str:
    """Return DROP TABLE."""
    return f"DROP TABLE {storage}"


def row_count(storage: str) -> str:
    """Return the query of a table's row count."""
    return f"SELECT count(*) FROM {storage}"  # noqa: S608 - quoted


def add_column(storage: str, column: ColumnEntry, default: str | None) -> str:
    """Return ALTER TABLE … ADD COLUMN."""
    tail = f" DEFAULT ({default})" if default else ""
    return f"ALTER TABLE {storage} ADD COLUMN {quote(column.name)} {column.type.duckdb}{tail}"


def drop_column(storage: str, name: str) -> str:
    """Return ALTER TABLE … DROP COLUMN."""
    return f"ALTER TABLE {storage} DROP COLUMN {quote(name)}"


def rename_column(storage: str, name: str, new: str) -> str:
    """Return ALTER TABLE … RENAME COLUMN."""
    return f"ALTER TABLE {storage} RENAME COLUMN {quote(name)} TO {quote(new)}"


def rename_table(storage: str, new: str) -> str:
    """Return ALTER TABLE … RENAME."""
    return f"ALTER TABLE {storage} RENAME TO {quote(new)}"


def create_schema(name: str) -> str:
    """Return CREATE SCHEMA."""
    return f"CREATE SCHEMA {quote(name)}"


def drop_schema(name: str) -> str:
    """Return DROP SCHEMA."""
    return f"DROP SCHEMA {quote(name)}"


def create_sequence(name: str, start: int, step: int) -> str:
    """Return CREATE SEQUENCE for an identity column; `name` is quoted. Without bounds, DuckDB's would begin at 1 or end at -1."""
    bounds = f"MINVALUE {-(2**63)} MAXVALUE {2**63 - 1}"
    return f"CREATE SEQUENCE {name} START {int(start)} INCREMENT {int(step)} {bounds}"


def move_columns(target: str, columns: Sequence[str], source: str) -> str:
    """Return INSERT of named columns from another table's storage."""
    names = ", ".join(quote(column) for column in columns)
    return f"INSERT INTO {target} ({names}) SELECT {names} FROM {source}"  # noqa: S608 - quoted


def select_columns(query: str, names: Sequence[str]) -> str:
    """Return a query with some of its columns."""
    return f"SELECT {', '.join(quote(name) for name in names)} FROM ({query}) AS kept"  # noqa: S608 - a translation of ours


def rename_columns(query: str, names: Sequence[str]) -> str:
    """Return a query whose columns have other names."""
    return f"SELECT * FROM ({query}) AS renamed({', '.join(quote(name) for name in names)})"  # noqa: S608 - a translation of ours
