"""The files of an UNLOAD: named as Redshift names them, cut at MAXFILESIZE, one folder per partition, listed in a manifest.

One "slice" writes here, number 0000; Redshift writes as many at once as it has. A file is made in a temporary file first, so that memory
stays flat and nobody sees a part of it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import IO, Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq

from nearshift import limits
from nearshift.clock import Clock
from nearshift.sql.relations import Column
from nearshift.transfer.batches import short_type
from nearshift.transfer.journal import UnloadedFile
from nearshift.transfer.places import Place, TransferError
from nearshift.transfer.reading import Compression
from nearshift.transfer.unload_options import ManifestKind, UnloadFormat, UnloadOptions
from nearshift.types import Kind

_NULL_PARTITION: Final = "__HIVE_DEFAULT_PARTITION__"
# What Hive escapes in the names of partition folders.
_ESCAPED: Final = frozenset("\"#%'*/:=?\\\x7f{[]^") | {chr(code) for code in range(32)}
NOT_EMPTY: Final = (
    "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, manually removing the target files in "
    "S3, or using the ALLOWOVERWRITE option."
)


class _File:
    """One file while it is being written. Lines come as Arrow batches with a column `line`, rows of Parquet as they are."""

    def __init__(self, options: UnloadOptions, header: bytes, schema: pa.Schema | None) -> None:
        self.rows = 0
        self._options = options
        self._content: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=limits.UNLOAD_MEMORY_BYTES_MAX)  # noqa: SIM115 - `finish` closes it
        self._stream: Any = self._content
        self._parquet: pq.ParquetWriter | None = None
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = 0
        if schema is not None:
            self._parquet = pq.ParquetWriter(self._content, schema, compression="snappy")
        elif options.compression is not Compression.NONE:
            self._stream = pa.CompressedOutputStream(pa.PythonFile(_Unclosed(self._content), mode="w"), options.compression.value)
        if header:
            self._stream.write(header)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._content.tell() + self._pending_bytes

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        self.rows += batch.num_rows
        if self._parquet is None:
            self._stream.write(_bytes_of(batch.column(0)))
            return
        self._pending.append(batch)
        self._pending_bytes += batch.nbytes
        if self._pending_bytes >= self._options.row_group_bytes:
            self._write_group()

    def _write_group(self) -> None:
        assert self._parquet is not None, "a Parquet file has a writer"
        if self._pending:
            self._parquet.write_table(pa.Table.from_batches(self._pending), row_group_size=limits.MIB)
        self._pending, self._pending_bytes = [], 0

    def close(self) -> None:
        """Give the file up; harmless when it is finished."""
        self._content.close()

    def finish(self, place: Place, url: str) -> int:
        """Bring the file to its place; return its size."""
        if self._parquet is not None:
            self._write_group()
            self._parquet.close()
        elif self._stream is not self._content:
            self._stream.close()
        size = self._content.tell()
        self._content.seek(0)
        place.put(url, cast("Any", self._content))
        self.close()
        return size


class _Unclosed:
    """What Arrow writes into; closing its stream must leave the file open for reading."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.closed = False

    def write(self, content: Any) -> int:
        return self._file.write(content)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True


def _bytes_of(lines: pa.Array) -> memoryview | bytes:
    """Return the text of an array without looking at its rows: they lie one after the other."""
    lines = lines.cast(pa.large_string())
    _validity, offsets, content = lines.buffers()
    if content is None:
        return b""
    places = memoryview(offsets).cast("q")
    return memoryview(content)[places[lines.offset] : places[lines.offset + len(lines)]]


class Unloader:
    """Writes the batches of one UNLOAD. `files` are those that are finished."""

    def __init__(self, place: Place, prefix: str, options: UnloadOptions, header: bytes, clock: Clock) -> None:
        self.files: list[UnloadedFile] = []
        self._place = place
        self._prefix = prefix
        self._options = options
        self._header = header
        self._clock = clock
        self._file: _File | None = None
        self._folder = ""
        self._number = 0
        self._started_at = clock.now()

    def prepare(self) -> None:
        """Look at the destination, and clean it where CLEANPATH says so. Raises TransferError when something is there."""
        found = self._place.find(self._prefix)
        if not found or self._options.overwrites:
            return
        if not self._options.cleans_path:
            raise TransferError(NOT_EMPTY, code=8001, hint="Say ALLOWOVERWRITE or CLEANPATH, or choose another prefix.")
        if not self._options.partition_by:
            self._place.delete([one.url for one in found])

    def write_all(self, batches: Iterable[pa.RecordBatch], check: Callable[[], None]) -> None:
        """Write the rows of a query and finish the last file; a query without rows makes an empty file of text, and none of Parquet."""
        for batch in batches:
            check()
            if not self._options.partition_by:
                self._write("", batch)
                continue
            for values, rows in _runs(batch, len(self._options.partition_by)):
                self._write(self._folder_of(values), rows)
        is_parquet = self._options.format is UnloadFormat.PARQUET
        if self._file is None and not self.files and not self._options.partition_by and not is_parquet:
            self._file = _File(self._options, self._header, None)
        self._finish()

    def _write(self, folder: str, rows: pa.RecordBatch) -> None:
        if folder != self._folder and self._file is not None:
            self._finish()
        if folder != self._folder or (self._file is None and not self._number):
            self._enter(folder)
        if self._file is None:
            schema = rows.schema if self._options.format is UnloadFormat.PARQUET else None
            self._file = _File(self._options, self._header, schema)
            self._started_at = self._clock.now()
        self._file.write(rows)
        if self._file.size >= self._options.file_bytes:
            self._finish()

    def _enter(self, folder: str) -> None:
        self._folder, self._number = folder, 0
        if folder and self._options.cleans_path:
            self._place.delete([one.url for one in self._place.find(f"{self._prefix}{folder}")])

    def _finish(self) -> None:
        if self._file is None:
            return
        name = f"0000_part_{self._number:02d}" if self._options.is_parallel else f"{self._number:03d}"
        url = f"{self._prefix}{self._folder}{name}{self._options.suffix}"
        size = self._file.finish(self._place, url)
        self.files.append(UnloadedFile(url, self._started_at, self._clock.now(), self._file.rows, size))
        self._file = None
        self._number += 1

    def close(self) -> None:
        """Give up the file that is being written, if any."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _folder_of(self, values: Sequence[str | None]) -> str:
        parts = [f"{name}={_escaped(value)}" for name, value in zip(self._options.partition_by, values, strict=True)]
        return "/".join(parts) + "/"

    def write_manifest(self, columns: Sequence[Column]) -> None:
        """Write the list of files ("UNLOAD", MANIFEST), when it is wanted."""
        kind = self._options.manifest
        if kind is ManifestKind.NONE:
            return
        is_verbose = kind is ManifestKind.VERBOSE
        entries: list[dict[str, Any]] = []
        for file in self.files:
            meta = {"content_length": file.size, **({"record_count": file.rows} if is_verbose else {})}
            entries.append({"url": file.url, "meta": meta})
        found: dict[str, Any] = {"entries": entries}
        if is_verbose:
            found["schema"] = {"elements": [{"name": one.name, "type": _manifest_type(one)} for one in columns]}
            found["meta"] = {
                "content_length": sum(one.size for one in self.files), "record_count": sum(one.rows for one in self.files),
            }  # fmt: skip
            found["author"] = {"name": "nearshift", "version": "1.0"}
        with tempfile.SpooledTemporaryFile(max_size=limits.UNLOAD_MEMORY_BYTES_MAX) as content:
            content.write(json.dumps(found, indent=2, ensure_ascii=False).encode())
            content.seek(0)
            self._place.put(f"{self._prefix}manifest", cast("Any", content))


def _manifest_type(column: Column) -> dict[str, Any]:
    base: dict[str, Any] = {"base": "character varying" if column.type.kind is Kind.VARCHAR else column.type.kind.value}
    if column.type.length is not None:
        base["max_length"] = column.type.length
    if column.type.kind is Kind.DECIMAL:
        base["precision"], base["scale"] = column.type.precision, column.type.scale
    if not base["base"]:
        base["base"] = short_type(column.type)
    return base


def _runs(batch: pa.RecordBatch, count: int) -> Iterable[tuple[tuple[str | None, ...], pa.RecordBatch]]:
    """Part a batch where its last `count` columns change; yield those values and the rows without them."""
    width = batch.num_columns - count
    keys = list(zip(*(batch.column(width + number).to_pylist() for number in range(count)), strict=True))
    kept = batch.select(range(width))
    start = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[start]:
            yield keys[start], kept.slice(start, end - start)
            start = end


def _escaped(value: str | None) -> str:
    if value is None or value == "":
        return _NULL_PARTITION
    return "".join(f"%{ord(one):02X}" if one in _ESCAPED else one for one in value)
