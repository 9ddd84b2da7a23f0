"""Redshift's types: name, width, OID, and the DuckDB type that holds them.

Source pages: "Data types", "Character types", "Numeric types", "Datetime types", "VARBYTE type" and "SUPER type" of the Amazon Redshift
Database Developer Guide; OIDs above PostgreSQL's from the public Redshift drivers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from nearshift.errors import InvalidSql, NotSupported


class Kind(Enum):
    """The kinds of type that Redshift has and nearshift keeps; the value is the name that catalogs show."""

    BOOLEAN = "boolean"
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    DECIMAL = "numeric"
    REAL = "real"
    DOUBLE = "double precision"
    CHAR = "character"
    VARCHAR = "character varying"
    DATE = "date"
    TIME = "time without time zone"
    TIMETZ = "time with time zone"
    TIMESTAMP = "timestamp without time zone"
    TIMESTAMPTZ = "timestamp with time zone"
    INTERVAL = "interval"
    SUPER = "super"
    VARBYTE = "binary varying"
    REFCURSOR = "refcursor"
    OID = "oid"
    UNKNOWN = "unknown"  # an untyped literal or NULL


INTEGERS = frozenset({Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT})
NUMBERS = INTEGERS | {Kind.DECIMAL, Kind.REAL, Kind.DOUBLE}
STRINGS = frozenset({Kind.CHAR, Kind.VARCHAR})

_OIDS: dict[Kind, int] = {
    Kind.BOOLEAN: 16, Kind.SMALLINT: 21, Kind.INTEGER: 23, Kind.BIGINT: 20, Kind.DECIMAL: 1700, Kind.REAL: 700,
    Kind.DOUBLE: 701, Kind.CHAR: 1042, Kind.VARCHAR: 1043, Kind.DATE: 1082, Kind.TIME: 1083, Kind.TIMETZ: 1266,
    Kind.TIMESTAMP: 1114, Kind.TIMESTAMPTZ: 1184, Kind.INTERVAL: 1186, Kind.SUPER: 4000, Kind.VARBYTE: 6551,
    Kind.REFCURSOR: 1790, Kind.OID: 26, Kind.UNKNOWN: 705,
}  # fmt: skip
_WIDTHS: dict[Kind, int] = {
    Kind.BOOLEAN: 1, Kind.SMALLINT: 2, Kind.INTEGER: 4, Kind.BIGINT: 8, Kind.REAL: 4, Kind.DOUBLE: 8, Kind.DATE: 4,
    Kind.TIME: 8, Kind.TIMETZ: 12, Kind.TIMESTAMP: 8, Kind.TIMESTAMPTZ: 8, Kind.INTERVAL: 16, Kind.OID: 4,
}  # fmt: skip
_DUCKDB: dict[Kind, str] = {
    Kind.BOOLEAN: "BOOLEAN", Kind.SMALLINT: "SMALLINT", Kind.INTEGER: "INTEGER", Kind.BIGINT: "BIGINT", Kind.REAL: "FLOAT",
    Kind.DOUBLE: "DOUBLE", Kind.CHAR: "VARCHAR", Kind.VARCHAR: "VARCHAR", Kind.DATE: "DATE", Kind.TIME: "TIME",
    Kind.TIMETZ: "TIMETZ", Kind.TIMESTAMP: "TIMESTAMP", Kind.TIMESTAMPTZ: "TIMESTAMPTZ", Kind.INTERVAL: "INTERVAL",
    Kind.SUPER: "JSON", Kind.VARBYTE: "BLOB", Kind.REFCURSOR: "VARCHAR", Kind.OID: "BIGINT", Kind.UNKNOWN: "VARCHAR",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SqlType:
    """One type as a column or expression has it.

    `length` is bytes for VARCHAR, CHAR and VARBYTE and None when no bound is known; `precision` and `scale` are set for DECIMAL only.
    """

    kind: Kind
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    @property
    def oid(self) -> int:
        """The type's OID on the wire."""
        return _OIDS[self.kind]

    @property
    def width(self) -> int:
        """The fixed width in bytes that RowDescription tells, or -1."""
        return _WIDTHS.get(self.kind, -1)

    @property
    def modifier(self) -> int:
        """PostgreSQL's type modifier: length + 4, or precision and scale packed; -1 when there is none."""
        if self.kind in STRINGS and self.length is not None:
            return self.length + 4
        if self.kind is Kind.DECIMAL and self.precision is not None:
            return ((self.precision << 16) | (self.scale or 0)) + 4
        return -1

    @property
    def duckdb(self) -> str:
        """The DuckDB type that holds it. SUPER is JSON text; lengths are kept by the catalog, since DuckDB has none."""
        if self.kind is Kind.DECIMAL:
            return f"DECIMAL({self.precision if self.precision is not None else 18},{self.scale or 0})"
        return _DUCKDB[self.kind]

    def __str__(self) -> str:
        if self.kind in STRINGS and self.length is not None:
            return f"{self.kind.value}({self.length})"
        if self.kind is Kind.VARBYTE and self.length is not None:
            return f"{self.kind.value}({self.length})"
        if self.kind is Kind.DECIMAL:
            return f"numeric({self.precision if self.precision is not None else 18},{self.scale or 0})"
        return str(self.kind.value)


BOOLEAN = SqlType(Kind.BOOLEAN)
SMALLINT = SqlType(Kind.SMALLINT)
INTEGER = SqlType(Kind.INTEGER)
BIGINT = SqlType(Kind.BIGINT)
REAL = SqlType(Kind.REAL)
DOUBLE = SqlType(Kind.DOUBLE)
VARCHAR = SqlType(Kind.VARCHAR)
DATE = SqlType(Kind.DATE)
TIME = SqlType(Kind.TIME)
TIMETZ = SqlType(Kind.TIMETZ)
TIMESTAMP = SqlType(Kind.TIMESTAMP)
TIMESTAMPTZ = SqlType(Kind.TIMESTAMPTZ)
INTERVAL = SqlType(Kind.INTERVAL)
SUPER = SqlType(Kind.SUPER)
VARBYTE = SqlType(Kind.VARBYTE)
REFCURSOR = SqlType(Kind.REFCURSOR)
OID = SqlType(Kind.OID)
UNKNOWN = SqlType(Kind.UNKNOWN)


def decimal(precision: int = 18, scale: int = 0) -> SqlType:
    """Return DECIMAL(precision, scale)."""
    return SqlType(Kind.DECIMAL, precision=precision, scale=scale)


def varchar(length: int) -> SqlType:
    """Return VARCHAR(length), in bytes."""
    return SqlType(Kind.VARCHAR, length=length)


VARCHAR_BYTES_MAX = 65_535
CHAR_BYTES_MAX = 4_096
VARBYTE_BYTES_MAX = 16_777_216

NAMES: dict[str, SqlType] = {
    "bool": BOOLEAN, "boolean": BOOLEAN,
    "int2": SMALLINT, "smallint": SMALLINT, "int": INTEGER, "int4": INTEGER, "integer": INTEGER, "int8": BIGINT, "bigint": BIGINT,
    "real": REAL, "float4": REAL, "float": DOUBLE, "float8": DOUBLE, "double precision": DOUBLE, "double": DOUBLE,
    "numeric": decimal(), "decimal": decimal(), "dec": decimal(),
    "char": SqlType(Kind.CHAR, length=1), "character": SqlType(Kind.CHAR, length=1), "nchar": SqlType(Kind.CHAR, length=1),
    "bpchar": SqlType(Kind.CHAR, length=256),
    "varchar": varchar(256), "character varying": varchar(256), "nvarchar": varchar(256), "text": varchar(256), "name": varchar(128),
    "date": DATE, "time": TIME, "time without time zone": TIME, "timetz": TIMETZ, "time with time zone": TIMETZ,
    "timestamp": TIMESTAMP, "timestamp without time zone": TIMESTAMP, "datetime": TIMESTAMP, "timestamptz": TIMESTAMPTZ,
    "timestamp with time zone": TIMESTAMPTZ, "interval": INTERVAL, "interval year to month": INTERVAL, "interval day to second": INTERVAL,
    "super": SUPER, "varbyte": SqlType(Kind.VARBYTE, length=64_000), "varbinary": SqlType(Kind.VARBYTE, length=64_000),
    "binary varying": SqlType(Kind.VARBYTE, length=64_000), "refcursor": REFCURSOR, "oid": OID,
}  # fmt: skip
REFUSED_TYPES = {
    "hllsketch": "sketches are not kept by nearshift", "geometry": "spatial types are not kept by nearshift",
    "geography": "spatial types are not kept by nearshift",
}  # fmt: skip
_SHAPE = re.compile(r"^([a-z0-9_]+(?: [a-z]+)*?)\s*(?:\(\s*(max|\d+)\s*(?:,\s*(\d+)\s*)?\))?((?: [a-z]+)*)$")


def parse_type(text: str) -> SqlType:
    """Return the type that a Redshift type name means: `varchar(20)`, `numeric(5,2)`, `timestamp with time zone`.

    Raises InvalidSql (42704) for a name Redshift does not know or a length it does not allow, NotSupported for HLLSKETCH and spatial types.
    """
    normal = " ".join(text.strip().strip('"').lower().split())
    shape = _SHAPE.match(normal)
    if shape is None:
        raise InvalidSql(f'type "{text}" does not exist', sqlstate="42704")
    name, first, second, rest = shape[1], shape[2], shape[3], shape[4]
    name = (name + rest) if rest else name
    if name in REFUSED_TYPES:
        raise NotSupported(f'type "{name}" is not supported', detail=f"Values of this type: {REFUSED_TYPES[name]}.")
    base = NAMES.get(name)
    if base is None:
        raise InvalidSql(f'type "{text}" does not exist', sqlstate="42704", hint="See the list of types in docs/compatibility.md.")
    if first is None:
        return base
    return _with_modifier(base, text, first, second)


def _with_modifier(base: SqlType, text: str, first: str, second: str | None) -> SqlType:
    maxima = {Kind.VARCHAR: VARCHAR_BYTES_MAX, Kind.CHAR: CHAR_BYTES_MAX, Kind.VARBYTE: VARBYTE_BYTES_MAX}
    if base.kind in maxima:
        length = maxima[base.kind] if first == "max" else int(first)
        if second is not None or not 1 <= length <= maxima[base.kind]:
            message = f"length for type {base.kind.value} must be between 1 and {maxima[base.kind]}"
            raise InvalidSql(message, sqlstate="22023")
        return SqlType(base.kind, length=length)
    if base.kind is Kind.DECIMAL and first != "max":
        precision, scale = int(first), int(second or 0)
        if not 1 <= precision <= 38 or scale > min(precision, 37):
            raise InvalidSql(f"NUMERIC precision {precision} must be between 1 and 38, and its scale below it", sqlstate="22023")
        return decimal(precision, scale)
    if base == DOUBLE and first != "max" and second is None:
        return REAL if int(first) <= 24 else DOUBLE
    if base.kind in {Kind.TIME, Kind.TIMETZ, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.INTERVAL} and second is None:
        return base
    raise InvalidSql(f'type modifier is not allowed for type "{text}"', sqlstate="42601")


_FROM_DUCKDB: dict[str, SqlType] = {
    "BOOLEAN": BOOLEAN, "TINYINT": SMALLINT, "SMALLINT": SMALLINT, "INTEGER": INTEGER, "BIGINT": BIGINT, "UTINYINT": SMALLINT,
    "USMALLINT": INTEGER, "UINTEGER": BIGINT, "UBIGINT": decimal(20, 0), "HUGEINT": decimal(38, 0), "UHUGEINT": decimal(38, 0),
    "FLOAT": REAL, "DOUBLE": DOUBLE, "VARCHAR": VARCHAR, "DATE": DATE, "TIME": TIME, "TIME WITH TIME ZONE": TIMETZ, "TIMETZ": TIMETZ,
    "TIMESTAMP": TIMESTAMP, "TIMESTAMP_S": TIMESTAMP, "TIMESTAMP_MS": TIMESTAMP, "TIMESTAMP_NS": TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": TIMESTAMPTZ, "TIMESTAMPTZ": TIMESTAMPTZ, "INTERVAL": INTERVAL, "JSON": SUPER, "BLOB": VARBYTE,
    '"NULL"': UNKNOWN, "NULL": UNKNOWN, "UUID": varchar(36), "UNKNOWN": UNKNOWN,
}  # fmt: skip


def from_duckdb(text: str) -> SqlType:
    """Return the Redshift type for the name of a DuckDB type; nested and unknown types show as VARCHAR, as their text does."""
    name = text.upper()
    if name.startswith("DECIMAL("):
        precision, scale = name[8:-1].split(",")
        return decimal(int(precision), int(scale))
    return _FROM_DUCKDB.get(name, VARCHAR)
