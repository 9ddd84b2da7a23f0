"""Result sets as pages that wait to be fetched: encoded once, small ones in memory, large ones in a file that goes with the server."""

from __future__ import annotations

import base64
import csv
import io
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from nearshift import limits
from nearshift.errors import NotSupported
from nearshift.sql.relations import Column
from nearshift.types import INTEGERS, Kind, SqlType
from nearshift.wire.encode_shape import Bytes, arrow_type
from nearshift.wire.encode_text import text_encoder

_LONGS = INTEGERS | {Kind.OID}
_DOUBLES = frozenset({Kind.REAL, Kind.DOUBLE})
# Names as Redshift's catalog, and hence the Data API, spells them ("pg_type", PostgreSQL).
_TYPE_NAMES = {
    Kind.BOOLEAN: "bool", Kind.SMALLINT: "int2", Kind.INTEGER: "int4", Kind.BIGINT: "int8", Kind.DECIMAL: "numeric", Kind.REAL: "float4",
    Kind.DOUBLE: "float8", Kind.CHAR: "bpchar", Kind.VARCHAR: "varchar", Kind.DATE: "date", Kind.TIME: "time", Kind.TIMETZ: "timetz",
    Kind.TIMESTAMP: "timestamp", Kind.TIMESTAMPTZ: "timestamptz", Kind.INTERVAL: "interval", Kind.SUPER: "super", Kind.VARBYTE: "varbyte",
    Kind.REFCURSOR: "refcursor", Kind.OID: "oid", Kind.UNKNOWN: "varchar",
}  # fmt: skip
_PRECISIONS = {Kind.SMALLINT: 5, Kind.INTEGER: 10, Kind.BIGINT: 19, Kind.REAL: 8, Kind.DOUBLE: 17, Kind.OID: 10, Kind.BOOLEAN: 1}


@dataclass(slots=True)
class StoredResult:
    """A finished result: its columns, how many rows, and where its pages are."""

    columns: tuple[Column, ...]
    rows: int
    size: int
    pages: list[bytes] | None
    file: Path | None
    edges: tuple[int, ...]

    @property
    def page_count(self) -> int:
        """How many pages there are, at least one."""
        return len(self.edges) - 1

    def page(self, number: int) -> bytes:
        """Return one page, counted from 0, as it was encoded."""
        if self.pages is not None:
            return self.pages[number]
        assert self.file is not None, "a result is in memory or in a file"
        with self.file.open("rb") as file:
            file.seek(self.edges[number])
            return file.read(self.edges[number + 1] - self.edges[number])


class ResultShelf:
    """All results that wait, with a bound on what they take together. Safe to share between threads."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nearshift-results-")
        self._lock = threading.Lock()
        self._bytes = 0

    def store(self, name: str, columns: tuple[Column, ...], pages: Iterator[tuple[bytes, int]]) -> StoredResult:
        """Take the pages of a result, each with its count of rows. Raises NotSupported (54000) when it is larger than may be kept."""
        path = Path(self._folder.name) / name.replace(":", "-")
        memory: list[bytes] = []
        edges, rows = [0], 0
        try:
            with path.open("wb") as file:
                for page, count in pages:
                    rows += count
                    edges.append(edges[-1] + len(page))
                    self._take(len(page))
                    if edges[-1] > limits.DATA_API_RESULT_BYTES_MAX:
                        hint = "Select less, or UNLOAD the rows."
                        raise NotSupported("the result is larger than 500 MB", sqlstate="54000", hint=hint)
                    if edges[-1] <= limits.DATA_API_MEMORY_BYTES_MAX:
                        memory.append(page)
                    else:
                        file.writelines(memory)
                        memory.clear()
                        file.write(page)
        except BaseException:
            self._give_back(edges[-1])
            path.unlink(missing_ok=True)
            raise
        is_small = edges[-1] <= limits.DATA_API_MEMORY_BYTES_MAX
        if is_small:
            path.unlink()
        return StoredResult(columns, rows, edges[-1], memory if is_small else None, None if is_small else path, tuple(edges))

    def drop(self, result: StoredResult) -> None:
        """Forget a result."""
        self._give_back(result.size)
        if result.file is not None:
            result.file.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove all files."""
        self._folder.cleanup()

    def _take(self, size: int) -> None:
        with self._lock:
            self._bytes += size
            if self._bytes <= limits.DATA_API_RESULTS_BYTES_MAX:
                return
        hint = "Results are kept for a day; select less, or restart the server to forget them."
        raise NotSupported("the results that wait to be fetched take all the space they may", sqlstate="53100", hint=hint)

    def _give_back(self, size: int) -> None:
        with self._lock:
            self._bytes -= size


def encode_pages(columns: Sequence[Column], batches: Iterator[pa.RecordBatch], form: str) -> Iterator[tuple[bytes, int]]:
    """Yield pages of at most about a megabyte with their counts of rows: the JSON of `Records`, or CSV text; one empty page for no rows."""
    records: list[bytes] = []
    size, is_first = 0, True
    for batch in batches:
        for start in range(0, batch.num_rows, 1024):
            for record in _records(columns, batch.slice(start, 1024), form):
                if records and size + len(record) > limits.DATA_API_PAGE_BYTES:
                    yield _page(records, form), len(records)
                    records, size, is_first = [], 0, False
                records.append(record)
                size += len(record)
    if records or is_first:
        yield _page(records, form), len(records)


def _page(records: list[bytes], form: str) -> bytes:
    return b"".join(records) if form == "CSV" else b"[" + b",".join(records) + b"]"


def _records(columns: Sequence[Column], batch: pa.RecordBatch, form: str) -> Iterator[bytes]:
    values = [_texts(column.type, array) for column, array in zip(columns, batch.columns, strict=True)]
    if form == "CSV":
        for row in zip(*values, strict=True):
            line = io.StringIO()
            csv.writer(line, lineterminator="\r\n").writerow(["" if value is None else value for value in row])
            yield line.getvalue().encode()
        return
    wraps = [_field_name(column.type) for column in columns]
    for row in zip(*values, strict=True):
        yield msgspec.json.encode([_field(wrap, value) for wrap, value in zip(wraps, row, strict=True)])


def _field_name(kind: SqlType) -> str:
    if kind.kind in _LONGS:
        return "longValue"
    if kind.kind in _DOUBLES:
        return "doubleValue"
    return {Kind.BOOLEAN: "booleanValue", Kind.VARBYTE: "blobValue"}.get(kind.kind, "stringValue")


def _field(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    if isinstance(value, float) and value - value != 0:
        return {"stringValue": "NaN" if value != value else ("Infinity" if value > 0 else "-Infinity")}
    return {name: value}


def _texts(kind: SqlType, column: pa.Array) -> list[Any]:
    """Return numbers and truth as Python has them, bytes in base64, all else as text, as a client on the wire reads it."""
    wanted = arrow_type(kind)
    if wanted is not None and column.type != wanted:
        column = pc.cast(column, wanted)
    if kind.kind in _LONGS or kind.kind in _DOUBLES or kind.kind is Kind.BOOLEAN:
        found: list[Any] = column.to_pylist()
        return found
    if kind.kind is Kind.VARBYTE:
        return [None if value is None else base64.b64encode(value).decode() for value in column.to_pylist()]
    shape = text_encoder(kind, "UTC")(column)
    assert isinstance(shape, Bytes), "only truth values have texts of one width"
    return [None if value is None else value.decode() for value in shape.values.to_pylist()]


def describe_columns(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return ColumnMetadata; which table a column comes from is not known of a result."""
    return [describe_column(column.name, column.type, is_nullable=column.is_nullable) for column in columns]


def describe_column(name: str, kind: SqlType, *, is_nullable: bool = True, schema: str = "", table: str = "") -> dict[str, Any]:
    """Return the ColumnMetadata of one column."""
    is_number = kind.kind in _LONGS or kind.kind in _DOUBLES or kind.kind is Kind.DECIMAL
    precision = kind.precision if kind.kind is Kind.DECIMAL else kind.length if kind.length is not None else _PRECISIONS.get(kind.kind, 0)
    return {
        "isCaseSensitive": kind.kind in {Kind.CHAR, Kind.VARCHAR, Kind.UNKNOWN, Kind.SUPER}, "isCurrency": False, "isSigned": is_number,
        "label": name, "name": name, "nullable": 1 if is_nullable else 0, "precision": precision or 0, "scale": kind.scale or 0,
        "schemaName": schema, "tableName": table, "typeName": _TYPE_NAMES[kind.kind], "length": kind.length or 0,
    }  # fmt: skip
