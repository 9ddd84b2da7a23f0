"""The rows of a query as lines of text, made by DuckDB: one column `line` per row, its end included, and the partition columns as text.

The query is given as DuckDB text whose columns are `c0`, `c1`, …; values are shown as Redshift shows them ("UNLOAD").
"""

from __future__ import annotations

from collections.abc import Sequence

from nearshift.sql.names import quote_literal
from nearshift.sql.relations import Column
from nearshift.transfer.unload_options import UnloadFormat, UnloadOptions
from nearshift.types import STRINGS, Kind, SqlType

_FLOATS = frozenset({Kind.REAL, Kind.DOUBLE})
_NUMBERS = frozenset({Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.OID})


def line_query(query: str, columns: Sequence[Column], kept: Sequence[int], partitions: Sequence[int], options: UnloadOptions) -> str:
    """Return the query of lines; `kept` and `partitions` are places of columns. Rows of one partition follow each other."""
    if options.format is UnloadFormat.PARQUET:
        parts = [f"{_parquet_value(f'c{place}', columns[place].type)} AS v{place}" for place in kept]
    elif options.format is UnloadFormat.JSON:
        parts = [f"{_document(columns, kept)} || chr(10) AS line"]
    else:
        fields = [_field(index, columns[place], place, options) for index, place in enumerate(kept)]
        delimiter = f" || {quote_literal(options.delimiter)} || " if options.format is not UnloadFormat.FIXEDWIDTH else " || "
        parts = [f"{delimiter.join(fields)} || chr(10) AS line"]
    parts += [f"{shown(f'c{place}', columns[place].type)} AS p{number}" for number, place in enumerate(partitions)]
    order = f" ORDER BY {', '.join(f'p{number}' for number in range(len(partitions)))}" if partitions else ""
    return f"SELECT {', '.join(parts)} FROM ({query}) AS unloaded{order}"  # noqa: S608 - a translation of ours, literals quoted


def header_line(columns: Sequence[Column], kept: Sequence[int], options: UnloadOptions) -> bytes:
    """Return the line of column names."""
    names = [columns[place].name for place in kept]
    if options.format is UnloadFormat.CSV:
        special = (options.delimiter, '"', "\n", "\r")
        names = ['"' + name.replace('"', '""') + '"' if any(one in name for one in special) else name for name in names]
    elif options.adds_quotes:
        names = [f'"{name}"' for name in names]
    return (options.delimiter.join(names) + "\n").encode()


def shown(name: str, kind: SqlType) -> str:
    """Return a value as text; NULL stays NULL."""
    if kind.kind is Kind.BOOLEAN:
        return f"CASE WHEN {name} THEN 't' WHEN NOT {name} THEN 'f' END"
    if kind.kind in _FLOATS:
        return f"nearshift_sql.float_text({name})"
    if kind.kind is Kind.DECIMAL:
        return f"nearshift_sql.decimal_text({name})"
    if kind.kind is Kind.VARBYTE:
        return f"lower(hex({name}))"
    if kind.kind is Kind.SUPER:
        return f"nearshift_sql.super_shown({name})"
    return name if kind.kind in STRINGS else f"CAST({name} AS VARCHAR)"


def _field(index: int, column: Column, place: int, options: UnloadOptions) -> str:
    text = shown(f"c{place}", column.type)
    is_text = column.type.kind in STRINGS or column.type.kind is Kind.SUPER
    null_as = quote_literal(options.null_as)
    if column.type.kind is Kind.SUPER:
        # A document is written as JSON, NULL too; NULL AS does not hold for it ("Unloading semi-structured data").
        text = f"coalesce({text}, 'null')"
    if options.format is UnloadFormat.FIXEDWIDTH:
        width = options.widths[index]
        padded = f"coalesce({text}, {null_as})"
        message = quote_literal(f"nearshift:22001:value too long for the width {width} of column {column.name} in FIXEDWIDTH")
        return f"CASE WHEN length({padded}) > {width} THEN error({message}) ELSE rpad({padded}, {width}, ' ') END"
    if options.format is UnloadFormat.CSV:
        if is_text or column.type.kind in {Kind.INTERVAL, Kind.UNKNOWN}:
            special = " OR ".join(f"contains({text}, {one})" for one in (quote_literal(options.delimiter), "'\"'", "chr(10)", "chr(13)"))
            text = f"CASE WHEN {special} THEN '\"' || replace({text}, '\"', '\"\"') || '\"' ELSE {text} END"
    else:
        if options.escapes and is_text:
            text = _escaped(text, options)
        if options.adds_quotes:
            text = f"'\"' || {text} || '\"'"
    return f"coalesce({text}, {null_as})"


def _escaped(text: str, options: UnloadOptions) -> str:
    for one in ("'\\'", "chr(10)", "chr(13)", quote_literal(options.delimiter), *(["'\"'"] if options.adds_quotes else [])):
        text = f"replace({text}, {one}, '\\' || {one})"
    return text


def _document(columns: Sequence[Column], kept: Sequence[int]) -> str:
    members = []
    for number, place in enumerate(kept):
        name = _json_name(columns[place].name)
        lead = quote_literal(("," if number else "{") + name + ":")
        members.append(f"{lead} || coalesce({_json_value(f'c{place}', columns[place].type)}, 'null')")
    return " || ".join([*members, "'}'"])


def _json_name(name: str) -> str:
    escaped = "".join(f"\\u{ord(one):04x}" if ord(one) < 32 else {'"': '\\"', "\\": "\\\\"}.get(one, one) for one in name)
    return f'"{escaped}"'


def _json_value(name: str, kind: SqlType) -> str:
    if kind.kind in _NUMBERS:
        return shown(name, kind)
    if kind.kind in _FLOATS:
        # JSON has no word for these three.
        return f"CASE WHEN isfinite({name}) THEN {shown(name, kind)} ELSE '\"' || {shown(name, kind)} || '\"' END"
    if kind.kind is Kind.BOOLEAN:
        return f"CASE WHEN {name} THEN 'true' WHEN NOT {name} THEN 'false' END"
    if kind.kind is Kind.SUPER:
        return shown(name, kind)
    return f"CAST(to_json({shown(name, kind)}) AS VARCHAR)"


def _parquet_value(name: str, kind: SqlType) -> str:
    if kind.kind in {Kind.SUPER, Kind.TIMETZ, Kind.INTERVAL}:
        return shown(name, kind)
    return name
