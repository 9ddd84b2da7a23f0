"""The two shapes of an encoded column, and the Arrow type in which a column of each SQL type is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nearshift.types import Kind, SqlType

BYTES = pa.large_binary()
TEXTS = pa.large_string()


@dataclass(frozen=True, slots=True)
class Fixed:
    """Values of one width: a row of bytes each; rows where `is_valid` is false are NULL."""

    matrix: npt.NDArray[np.uint8]
    is_valid: npt.NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class Bytes:
    """Values of any width: an Arrow array of large_binary."""

    values: pa.Array


_ARROW: dict[Kind, pa.DataType] = {
    Kind.BOOLEAN: pa.bool_(), Kind.SMALLINT: pa.int16(), Kind.INTEGER: pa.int32(), Kind.BIGINT: pa.int64(), Kind.REAL: pa.float32(),
    Kind.DOUBLE: pa.float64(), Kind.DATE: pa.date32(), Kind.TIMESTAMP: pa.timestamp("us"), Kind.TIMESTAMPTZ: pa.timestamp("us", "UTC"),
    Kind.TIME: pa.time64("us"), Kind.INTERVAL: pa.month_day_nano_interval(), Kind.VARBYTE: BYTES, Kind.OID: pa.int64(),
}  # fmt: skip


def arrow_type(kind: SqlType) -> pa.DataType | None:
    """Return the Arrow type in which a column is encoded; None for texts, TIMETZ and NUMERIC of open scale, which come in several."""
    if kind.kind is Kind.DECIMAL and kind.precision is not None:
        return pa.decimal128(kind.precision, kind.scale or 0)
    return _ARROW.get(kind.kind)


def is_valid(column: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Return which values are not NULL, or None when all are."""
    if not column.null_count:
        return None
    found: npt.NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return found


def raw(column: pa.Array, dtype: str) -> npt.NDArray[Any]:
    """Return the numbers under a column of fixed width without a copy; what stands where a value is NULL is arbitrary."""
    return np.frombuffer(column.buffers()[1], dtype, len(column) + column.offset)[column.offset :]


def big_endian(numbers: npt.NDArray[Any], dtype: str) -> npt.NDArray[np.uint8]:
    """Return numbers as a matrix of bytes in network order."""
    wide = np.ascontiguousarray(numbers.astype(dtype, copy=False))
    return wide.view(np.uint8).reshape(len(wide), wide.dtype.itemsize)


def fixed_array(matrix: npt.NDArray[np.uint8]) -> pa.Array:
    """Return the rows of a matrix as an Arrow array of byte strings, without a copy of the bytes."""
    count, width = matrix.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int64)
    return pa.LargeBinaryArray.from_buffers(BYTES, count, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix))])
