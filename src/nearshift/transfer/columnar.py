"""PARQUET and ORC: fields to columns by place, each type only to what it is like ("COPY from columnar data formats")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from nearshift import limits
from nearshift.transfer.batches import Batch, LoadColumn, Trace
from nearshift.transfer.places import TransferError
from nearshift.types import INTEGERS, STRINGS, Kind


@dataclass(frozen=True, slots=True)
class ColumnarRules:
    """What COPY's options say of columnar files."""

    name: str = "PARQUET"
    fills_records: bool = False
    serializes: bool = False
    truncates: bool = False


def read_columnar(url: str, file: BinaryIO, columns: Sequence[LoadColumn], rules: ColumnarRules) -> Iterator[tuple[Batch, list[str]]]:
    """Yield the batches of a file that can seek, each with the DuckDB expressions over `t0`… that make the columns' values.

    Raises TransferError when the file is not of the format or its columns do not fit the table's.
    """
    try:
        if rules.name == "PARQUET":
            opened = pq.ParquetFile(file, arrow_extensions_enabled=True)
            schema = opened.schema_arrow
            batches = opened.iter_batches(batch_size=limits.COPY_BATCH_ROWS)
        else:
            stripes = orc.ORCFile(file)
            schema = stripes.schema
            batches = (stripes.read_stripe(index) for index in range(stripes.nstripes))
        values = _values(url, schema, columns, rules)
        row = 0
        for batch in batches:
            yield _batch(batch, row, columns), values
            row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        message = f"Spectrum Scan Error. File '{url}' is not a valid {rules.name} file: {str(error).splitlines()[0]}"
        raise TransferError(message, code=15001) from error


def _batch(batch: pa.RecordBatch, row: int, columns: Sequence[LoadColumn]) -> Batch:
    arrays = [_plain(array) for array in batch.columns]
    arrays += [pa.nulls(batch.num_rows, pa.string()) for _ in range(len(columns) - len(arrays))]

    def trace(rows: Sequence[int]) -> list[Trace]:
        return [Trace(row + index + 1, "") for index in rows]

    return Batch(arrays, batch.num_rows, batch.num_rows, trace)


def _plain(array: Any) -> Any:
    """Return an array without wrappings that DuckDB does not know."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _values(url: str, schema: pa.Schema, columns: Sequence[LoadColumn], rules: ColumnarRules) -> list[str]:
    count = len(schema)
    if count > len(columns) or (count < len(columns) and not rules.fills_records):
        raise TransferError(
            f"Spectrum Scan Error. File '{url}' has {count} columns, but the table or its column list has {len(columns)}",
            code=15001, hint="List the columns that the file has, in its order, or say FILLRECORD.",
        )  # fmt: skip
    values = [_value(url, f"t{index}", schema.field(index), columns[index], rules) for index in range(count)]
    return values + [f"CAST(t{index} AS {columns[index].type.duckdb})" for index in range(count, len(columns))]


def _value(url: str, name: str, field: pa.Field, column: LoadColumn, rules: ColumnarRules) -> str:
    """Return the expression for one column, NULL for a value that does not fit."""
    kind, target = column.type.kind, column.type.duckdb
    source = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    is_json = isinstance(source, pa.BaseExtensionType) and source.extension_name == "arrow.json"
    if isinstance(source, pa.BaseExtensionType):
        source = source.storage_type
    is_text = pa.types.is_string(source) or pa.types.is_large_string(source) or pa.types.is_string_view(source)
    is_bytes = pa.types.is_binary(source) or pa.types.is_large_binary(source) or pa.types.is_fixed_size_binary(source)
    if pa.types.is_null(source):
        return f"CAST({name} AS {target})"
    if kind is Kind.SUPER:
        if pa.types.is_nested(source):
            if not rules.serializes:
                raise TransferError(
                    f"Spectrum Scan Error. Column '{field.name}' of file '{url}' is nested",
                    code=15001, hint="Say SERIALIZETOJSON to load it into a column of type super.",
                )  # fmt: skip
            return f"CAST(to_json({name}) AS JSON)"
        if is_json:
            return f"nearshift_sql.json_parse_lax({name})"
        return f"to_json({name})"
    if kind in STRINGS and (is_text or is_bytes):
        text = f"nearshift_sql.utf8_or_null({name})" if is_bytes else name
        if kind is Kind.CHAR:
            text = f"rtrim({text}, ' ')"
        length = column.type.length
        if length is None:
            return text
        if rules.truncates:
            return f"nearshift_sql.cut_text({text}, {length})"
        only_bytes = f" AND strlen({text}) = length({text})" if kind is Kind.CHAR else ""
        return f"CASE WHEN strlen({text}) <= {length}{only_bytes} THEN {text} END"
    if kind is Kind.VARBYTE and is_bytes:
        limit = f"octet_length({name}) <= {column.type.length}" if column.type.length else "TRUE"
        return f"CASE WHEN {limit} THEN {name} END"
    if _is_alike(source, kind):
        return f"TRY_CAST({name} AS {target})"
    raise TransferError(
        f"Spectrum Scan Error. File '{url}' has an incompatible {rules.name.capitalize()} schema for column '{field.name}'. "
        f"Column type: {str(column.type).upper()}, {rules.name.capitalize()} schema: {field.type}",
        code=15001, hint="Give the table's column the type that the file has; COPY converts only within kinds of type.",
    )  # fmt: skip


def _is_alike(source: pa.DataType, kind: Kind) -> bool:
    if pa.types.is_integer(source):
        return kind in INTEGERS
    if pa.types.is_decimal(source):
        return kind is Kind.DECIMAL
    if pa.types.is_floating(source):
        return kind in {Kind.REAL, Kind.DOUBLE}
    if pa.types.is_boolean(source):
        return kind is Kind.BOOLEAN
    if pa.types.is_date(source):
        return kind in {Kind.DATE, Kind.TIMESTAMP}
    if pa.types.is_timestamp(source):
        return kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
    if pa.types.is_time(source):
        return kind is Kind.TIME
    # What UNLOAD writes as text, since Parquet has no such type.
    return kind in {Kind.TIMETZ, Kind.INTERVAL} and (pa.types.is_string(source) or pa.types.is_large_string(source))
