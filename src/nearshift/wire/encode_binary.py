"""Columns in PostgreSQL's binary forms, or in those that the drivers of Redshift expect where they differ."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nearshift.errors import InternalError
from nearshift.types import TIMETZ, Kind, SqlType
from nearshift.wire import encode_calendar as calendar
from nearshift.wire.codec import Format, read_parameter
from nearshift.wire.encode_numeric import postgres_numeric, redshift_numeric
from nearshift.wire.encode_shape import BYTES, Bytes, Fixed, big_endian, is_valid, raw
from nearshift.wire.encode_text import raw_intervals, text_encoder

# From 1970, where Arrow counts, to 2000, where PostgreSQL does.
_EPOCH_DAYS = 10_957
_EPOCH_US = _EPOCH_DAYS * calendar.DAY_US


@dataclass(frozen=True, slots=True)
class BinaryForms:
    """Where a client's binary forms differ from PostgreSQL's: Redshift protocol 2 has NUMERIC as a scaled integer, and the drivers of
    Redshift read INTERVAL as twelve bytes under any protocol."""

    has_scaled_numeric: bool = False
    has_short_interval: bool = False


POSTGRES = BinaryForms()


def binary_encoder(kind: SqlType, forms: BinaryForms) -> Callable[[Any], Fixed | Bytes]:
    """Return the function that turns a column of this type into its binary form; texts, SUPER too, are their own."""
    if kind.kind is Kind.DECIMAL:
        return lambda column: _numeric(column, redshift_numeric if forms.has_scaled_numeric else postgres_numeric)
    if kind.kind is Kind.INTERVAL:
        return _redshift_intervals if forms.has_short_interval else _intervals
    return _ENCODERS.get(kind.kind) or text_encoder(kind, "UTC")


def _numbers(read: str, write: str) -> Callable[[Any], Fixed]:
    return lambda column: Fixed(big_endian(raw(column, read), write), is_valid(column))


def _booleans(column: pa.Array) -> Fixed:
    values = pc.fill_null(column, False).to_numpy(zero_copy_only=False)  # noqa: FBT003 - it is the value that fills
    return Fixed(values.astype(np.uint8).reshape(-1, 1), is_valid(column))


def _numeric(column: pa.Array, encode: Callable[[Any], Fixed | Bytes]) -> Fixed | Bytes:
    if not pa.types.is_decimal128(column.type):
        column = pc.cast(column, pa.decimal128(38, 0))
    return encode(column)


def _dates(column: pa.Array) -> Fixed:
    days = raw(column, "i4")
    shifted = days.astype(np.int64) - _EPOCH_DAYS
    shifted[days == calendar.DATE_INFINITY] = 2**31 - 1
    shifted[days <= -calendar.DATE_INFINITY] = -(2**31)
    return Fixed(big_endian(shifted, ">i4"), is_valid(column))


def _timestamps(column: pa.Array) -> Fixed:
    micros = raw(column, "i8")
    with np.errstate(over="ignore"):
        shifted = micros - _EPOCH_US
    shifted[micros == calendar.TIMESTAMP_INFINITY] = calendar.TIMESTAMP_INFINITY
    shifted[micros <= -calendar.TIMESTAMP_INFINITY] = -(2**63)
    return Fixed(big_endian(shifted, ">i8"), is_valid(column))


def _timetz(column: pa.Array) -> Fixed | Bytes:
    """Microseconds of the day and the seconds *west* of UTC. Arrow has no such type: the column comes in UTC, or as text with offsets."""
    if pa.types.is_null(column.type):
        return Bytes(column.cast(BYTES))
    if not pa.types.is_time(column.type):
        return Bytes(pa.array([None if text is None else _timetz_value(text) for text in column.to_pylist()], BYTES))
    micros = big_endian(raw(column.cast(pa.time64("us")), "i8"), ">i8")
    return Fixed(np.concatenate([micros, np.zeros((len(column), 4), np.uint8)], axis=1), is_valid(column))


def _timetz_value(text: str) -> bytes:
    value = read_parameter(TIMETZ.oid, Format.TEXT, text.encode(), 1)
    if not isinstance(value, time):
        raise InternalError(f'"{text}" came as a time with time zone')
    offset = value.utcoffset() or timedelta()
    micros = ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    return struct.pack("!qi", micros, -int(offset.total_seconds()))


def _intervals(column: pa.Array) -> Fixed:
    parts = raw_intervals(column)
    return Fixed(_glue(big_endian(parts["nanos"] // 1000, ">i8"), big_endian(parts["days"], ">i4"), parts), is_valid(column))


def _redshift_intervals(column: pa.Array) -> Fixed:
    """PostgreSQL 8.0 keeps no days of their own: microseconds with the days in them, then months."""
    parts = raw_intervals(column)
    micros = parts["nanos"] // 1000 + parts["days"].astype(np.int64) * calendar.DAY_US
    return Fixed(_glue(big_endian(micros, ">i8"), None, parts), is_valid(column))


def _glue(micros: npt.NDArray[np.uint8], days: npt.NDArray[np.uint8] | None, parts: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    months = big_endian(parts["months"], ">i4")
    return np.concatenate([micros, months] if days is None else [micros, days, months], axis=1)


def _varbytes(column: pa.Array) -> Bytes:
    return Bytes(column.cast(BYTES))


_ENCODERS: dict[Kind, Callable[[Any], Fixed | Bytes]] = {
    Kind.BOOLEAN: _booleans, Kind.SMALLINT: _numbers("i2", ">i2"), Kind.INTEGER: _numbers("i4", ">i4"),
    Kind.BIGINT: _numbers("i8", ">i8"), Kind.OID: _numbers("i8", ">u4"), Kind.REAL: _numbers("f4", ">f4"),
    Kind.DOUBLE: _numbers("f8", ">f8"), Kind.DATE: _dates, Kind.TIME: _numbers("i8", ">i8"), Kind.TIMETZ: _timetz,
    Kind.TIMESTAMP: _timestamps, Kind.TIMESTAMPTZ: _timestamps, Kind.VARBYTE: _varbytes,
}  # fmt: skip
