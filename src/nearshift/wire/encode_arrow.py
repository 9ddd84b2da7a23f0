"""Rows to clients: an Arrow batch to the bytes of its DataRow messages, a column at a time, without a Python object per value.

Theory of operation. A DataRow is a type byte, a length, a count of columns, and for each column a length and a value. Each column becomes
one of two shapes: Fixed, a matrix of bytes with one row per value (big-endian numbers), or an Arrow array of byte strings. Lengths are
columns of big-endian numbers too. Neighbouring fixed pieces are glued together by numpy, and Arrow's `binary_join_element_wise` interleaves
the pieces row by row: *the values buffer of its result is the byte stream to send*. NULL is the length -1 and an empty value.

Measured beside two alternatives on ten columns: Python objects per value are fifteen times slower, a C extension of our own a tenth faster
for text and half again as fast for binary, which no client could make use of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nearshift import limits
from nearshift.errors import InternalError
from nearshift.sql.relations import Column
from nearshift.types import SqlType
from nearshift.wire.codec import Format
from nearshift.wire.encode_binary import POSTGRES, BinaryForms, binary_encoder
from nearshift.wire.encode_shape import BYTES, Bytes, Fixed, arrow_type, big_endian, fixed_array
from nearshift.wire.encode_text import text_encoder

Matrix = npt.NDArray[np.uint8]
_NULL_LENGTH = 0xFF
_HEADER_BYTES = 7
_LENGTH_OFFSET = slice(1, 5)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    type: SqlType
    arrow: pa.DataType | None
    encode: Callable[[Any], Fixed | Bytes]


class RowEncoder:
    """Encodes the batches of one result."""

    def __init__(self, columns: Sequence[Column], formats: Sequence[int], time_zone: str, forms: BinaryForms = POSTGRES) -> None:
        """Choose an encoder for each column.

        `time_zone` is the zone of the texts of TIMESTAMPTZ.
        """
        self._fields = tuple(
            _Field(
                column.name,
                column.type,
                arrow_type(column.type),
                binary_encoder(column.type, forms) if form == Format.BINARY else text_encoder(column.type, time_zone),
            )
            for column, form in zip(columns, formats, strict=True)
        )

    def encode(self, batch: pa.RecordBatch) -> Iterator[memoryview]:
        """Yield the DataRow messages of a batch in order, in pieces of a bounded size.

        Raises InternalError when the batch is not of the described columns.
        """
        if batch.num_columns != len(self._fields):
            raise InternalError(f"a batch of {batch.num_columns} columns came for {len(self._fields)}")
        step = _rows_per_piece(batch)
        for start in range(0, batch.num_rows, step):
            yield self._encode_piece(batch.slice(start, step))

    def _encode_piece(self, batch: pa.RecordBatch) -> memoryview:
        count = batch.num_rows
        pieces = _Pieces(count, len(self._fields))
        for field, column in zip(self._fields, batch.columns, strict=True):
            pieces.add(field.encode(_conform(column, field)))
        return pieces.join()


def _rows_per_piece(batch: pa.RecordBatch) -> int:
    # Texts of numbers and lengths take up to a few times the bytes of the values, which the bound allows for.
    size = max(1, batch.nbytes)
    by_bytes: int = batch.num_rows * limits.WIRE_ENCODE_BYTES_MAX // size
    return max(1, min(limits.RESULT_BATCH_ROWS, by_bytes))


def _conform(column: pa.Array, field: _Field) -> pa.Array:
    """Return the column in the Arrow type of its SQL type; DuckDB's own types for some results are wider or narrower."""
    if field.arrow is None or column.type == field.arrow:
        return column
    try:
        return pc.cast(column, field.arrow)
    except pa.ArrowException as failure:
        message = f'column "{field.name}" of type {field.type} came as {column.type}, which cannot be sent'
        raise InternalError(message, detail=str(failure).splitlines()[0]) from failure


class _Pieces:
    """The pieces of a row, from left to right."""

    def __init__(self, count: int, columns: int) -> None:
        self._count = count
        self._row_sizes: npt.NDArray[np.int64] = np.full(count, _HEADER_BYTES - 1, np.int64)
        header = np.empty((count, _HEADER_BYTES), np.uint8)
        header[:, 0] = ord("D")
        header[:, 5:7] = np.frombuffer(columns.to_bytes(2, "big"), np.uint8)
        self._header = header
        self._glue: list[Matrix] = [header]
        self._parts: list[pa.Array] = []

    def add(self, column: Fixed | Bytes) -> None:
        """Append a column with its lengths."""
        if isinstance(column, Fixed):
            self._add_fixed(column)
        else:
            self._add_bytes(column)

    def join(self) -> memoryview:
        """Return the messages."""
        # The header is written last, now that the sizes are known; it is still the first piece of the glue or of the parts.
        self._header[:, _LENGTH_OFFSET] = big_endian(self._row_sizes, ">i4")
        self._flush()
        if len(self._parts) == 1:
            return _values(self._parts[0], self._count)
        return _values(pc.binary_join_element_wise(*self._parts, pa.scalar(b"", BYTES)), self._count)

    def _add_fixed(self, column: Fixed) -> None:
        width = column.matrix.shape[1]
        length = np.frombuffer(width.to_bytes(4, "big"), np.uint8)
        lengths = np.broadcast_to(length, (self._count, 4))
        if column.is_valid is None:
            self._glue += [lengths, column.matrix]
            self._row_sizes += 4 + width
            return
        valid = column.is_valid
        both = np.concatenate([lengths, column.matrix], axis=1)
        both[~valid, :4] = _NULL_LENGTH
        kept = np.ones((self._count, 4 + width), np.bool_)
        kept[~valid, 4:] = False
        sizes = np.where(valid, 4 + width, 4)
        self._row_sizes += sizes
        self._flush()
        self._parts.append(_array(both[kept], sizes))

    def _add_bytes(self, column: Bytes) -> None:
        values = column.values
        sizes = pc.binary_length(values)
        if values.null_count:
            lengths = pc.fill_null(sizes, -1).to_numpy(zero_copy_only=False)
            values = pc.fill_null(values, pa.scalar(b"", BYTES))
            self._row_sizes += np.maximum(lengths, 0) + 4
        else:
            lengths = sizes.to_numpy(zero_copy_only=False)
            self._row_sizes += lengths + 4
        self._glue.append(big_endian(lengths, ">i4"))
        self._flush()
        self._parts.append(values)

    def _flush(self) -> None:
        if not self._glue:
            return
        is_first = self._glue[0] is self._header
        glued = np.concatenate(self._glue, axis=1) if len(self._glue) > 1 else self._glue[0]
        if is_first:
            self._header = glued
        self._parts.append(fixed_array(glued))
        self._glue = []


def _array(flat: Matrix, sizes: npt.NDArray[np.int64]) -> pa.Array:
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return pa.LargeBinaryArray.from_buffers(BYTES, len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(flat)])


def _values(joined: pa.Array, count: int) -> memoryview:
    _, offsets, values = joined.buffers()
    end = int(np.frombuffer(offsets, np.int64, count + 1)[-1])
    return memoryview(values)[:end]
