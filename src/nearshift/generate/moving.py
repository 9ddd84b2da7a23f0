"""The tables of declared facts and dimensions, carried to another warehouse and back by UNLOAD and COPY in Parquet.

COPY of Parquet goes by the place of a column and does not know every type ("COPY from columnar data formats"), so SUPER and timestamptz
travel as text, and rows go through a temporary table into the real one: all of a table, or nothing. Tombstones, versions and histories come
along, so the loads of the other side go on where these stopped. The audit table stays: a load that begins at the first change of its own
stream drops what its tables know already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from nearshift.errors import ConfigurationError, NearshiftError
from nearshift.generate.text import literal
from nearshift.pipeline.definitions import Kind as Defined
from nearshift.pipeline.folder import Pipeline
from nearshift.sql.parse import parse_statement
from nearshift.sql.statements import CreateTable
from nearshift.types import Kind

_APART: Final = "\n|| '|' || "


@dataclass(frozen=True, slots=True)
class Carried:
    """A table to carry: its name with schema, and its columns with their kinds, all of them plain names."""

    name: str
    columns: tuple[tuple[str, Kind], ...]

    @property
    def folder(self) -> str:
        """The part of the files' addresses that is this table's."""
        return self.name.removeprefix("public.")


def find_tables(pipeline: Pipeline, only: Iterable[str]) -> list[Carried]:
    """Return the tables of the declared loads, or those named, in the folder's order. Raises ConfigurationError for one that is none."""
    defined = {}
    for definition in pipeline.definitions:
        if definition.kind is Defined.TABLE:
            statement = parse_statement(definition.text)
            if isinstance(statement, CreateTable):
                columns = tuple((column.name.text, column.type.kind) for column in statement.columns)
                defined[definition.name] = Carried(definition.name, columns)
    named = [name if "." in name else f"public.{name}" for name in only]
    for name in named:
        if name not in defined:
            raise ConfigurationError(f'the folder defines no table "{name}"', hint=f"Choose from {', '.join(sorted(defined))}.")
    if named:
        return [defined[name] for name in defined if name in named]
    loads = [one.name for one in (*pipeline.manifest.facts, *pipeline.manifest.dimensions)]
    wanted = {f"public.{load}{suffix}" for load in loads for suffix in ("", "_tombstone", "_version", "_history")}
    found = [carried for name, carried in defined.items() if name in wanted]
    if not found:
        raise ConfigurationError("no facts or dimensions are declared", hint="Name tables of the folder with --table NAME.")
    return found


def _selected(table: Carried) -> str:
    """Return the columns as they travel."""

    def column(name: str, kind: Kind) -> str:
        if kind is Kind.SUPER:
            return f"json_serialize({name})::varchar(65535) AS {name}"
        return f"{name}::varchar(64) AS {name}" if kind is Kind.TIMESTAMPTZ else name

    return ", ".join(column(name, kind) for name, kind in table.columns)


def unload_statement(table: Carried, prefix: str, role: str, *, is_cleaning: bool) -> str:
    """Return the UNLOAD of a table into `prefix/<table>/`; `is_cleaning` removes what files are there."""
    query = f"SELECT {_selected(table)} FROM {table.name}"  # noqa: S608 - names of the folder's own SQL
    clean = " CLEANPATH" if is_cleaning else ""
    return f"UNLOAD ({literal(query)})\nTO {literal(_place(table, prefix))}\n{_role(role)}\nFORMAT AS PARQUET{clean}"


def load_statements(table: Carried, prefix: str, role: str, *, is_replacing: bool) -> list[str]:
    """Return what brings a table in, to be run in one transaction; `is_replacing` takes out what is in it."""
    names = ", ".join(name for name, _ in table.columns)
    stage = "moving_" + table.folder.replace(".", "_")

    def back(name: str, kind: Kind) -> str:
        return f"json_parse({name})" if kind is Kind.SUPER else f"{name}::timestamptz" if kind is Kind.TIMESTAMPTZ else name

    values = ", ".join(back(name, kind) for name, kind in table.columns)
    statements = [
        f"CREATE TEMP TABLE {stage} AS SELECT {_selected(table)} FROM {table.name} WHERE false",  # noqa: S608
        f"COPY {stage}\nFROM {literal(_place(table, prefix))}\n{_role(role)}\nFORMAT AS PARQUET",
        f"INSERT INTO {table.name} ({names})\nSELECT {values} FROM {stage}",
        f"DROP TABLE {stage}",
    ]
    return [*statements[:2], f"DELETE FROM {table.name}", *statements[2:]] if is_replacing else statements  # noqa: S608


def has_no_files(error: NearshiftError) -> bool:
    """Tell whether COPY found no files: UNLOAD writes none for a table without rows."""
    text = f"{error.message} {error.detail or ''}"
    return "The specified S3 prefix" in text or "No file begins with" in text


def count_statement(table: Carried) -> str:
    """Return the query for how many rows a table has."""
    return f"SELECT count(*) FROM {table.name}"  # noqa: S608


def comparison(tables: Iterable[Carried]) -> Iterator[str]:
    """Yield, per table, the query whose answer is the same on both sides: rows and a hash, per day of change where it has one.

    Left out are what both sides may write differently (floating point, SUPER), the time of loading, and sequence numbers and event ids,
    which are another stream's.
    """
    for table in tables:
        parts = [_comparable(name, kind) for name, kind in table.columns if _is_compared(table, name, kind)]
        names = {name for name, _ in table.columns}
        day = "changed_at::date" if "changed_at" in names else "valid_from::date" if "valid_from" in names else "NULL::date"
        text = _APART.join(parts)
        yield (
            f"SELECT {literal(table.folder)} AS table_name, {day} AS day, count(*) AS row_count,\n"
            f"       sum(strtol(left(md5({text}), 12), 16)) AS hash\nFROM {table.name} GROUP BY 1, 2 ORDER BY 1, 2;\n"
        )


def _is_compared(table: Carried, name: str, kind: Kind) -> bool:
    is_version = table.folder.endswith("_version") and name.endswith("_version")
    return kind not in _LEFT_OUT and not is_version and name not in {"loaded_at", "sequence_number", "event_id"}


_LEFT_OUT: Final = frozenset({Kind.SUPER, Kind.REAL, Kind.DOUBLE})


def _comparable(name: str, kind: Kind) -> str:
    if kind is Kind.BOOLEAN:
        return f"CASE WHEN {name} THEN 't' WHEN NOT {name} THEN 'f' ELSE '-' END"
    if kind in {Kind.VARCHAR, Kind.CHAR}:
        return f"nvl({name}, '-')"
    if kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ}:
        return f"nvl(date_part(epoch, {name})::bigint::varchar(64), '-')"
    return f"nvl({name}::varchar(64), '-')"


def _place(table: Carried, prefix: str) -> str:
    return f"{prefix.rstrip('/')}/{table.folder}/"


def _role(role: str) -> str:
    return "IAM_ROLE default" if role == "default" else f"IAM_ROLE {literal(role)}"


def check_prefix(prefix: str, *, is_local: bool) -> None:
    """Raise ConfigurationError for a prefix that is neither s3:// nor, for the local warehouse, file://."""
    if prefix.startswith("s3://") and len(prefix) > len("s3://"):
        return
    if prefix.startswith("file://") and is_local:
        return
    if prefix.startswith("file://"):
        raise ConfigurationError("Redshift reaches no files of this machine", hint="Name a place in Amazon S3: s3://bucket/prefix.")
    raise ConfigurationError(
        f'"{prefix}" is no place for files', hint="Write s3://bucket/prefix, or file://folder for the local warehouse."
    )
