"""Columns as PostgreSQL's texts, the whole column at once.

Where Arrow's own cast prints a value otherwise than PostgreSQL does, only those values are printed again: floats near the bounds of
scientific notation, small NUMERICs, dates outside the years 1 to 9999.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nearshift.errors import DataError
from nearshift.types import Kind, SqlType
from nearshift.wire import encode_calendar as calendar
from nearshift.wire.encode_numeric import numeric_text
from nearshift.wire.encode_shape import BYTES, TEXTS, Bytes, Fixed, is_valid, raw
from nearshift.wire.interval import IntervalParts, interval_text


def text_encoder(kind: SqlType, time_zone: str) -> Callable[[Any], Fixed | Bytes]:
    """Return the function that turns a column of this type into texts."""
    if kind.kind is Kind.BOOLEAN:
        return _booleans
    if kind.kind is Kind.TIMESTAMPTZ:
        return lambda column: Bytes(_timestamptz(column, time_zone).view(BYTES))
    printer = _PRINTERS.get(kind.kind, _strings)
    return lambda column: Bytes(printer(column).view(BYTES))


def _booleans(column: pa.Array) -> Fixed:
    values = pc.fill_null(column, False).to_numpy(zero_copy_only=False)  # noqa: FBT003 - it is the value that fills
    return Fixed(np.where(values, np.uint8(ord("t")), np.uint8(ord("f"))).reshape(-1, 1), is_valid(column))


def _strings(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.array([None if value is None else _array_text(value) for value in column.to_pylist()], TEXTS)
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return pa.array([None if value is None else json.dumps(value, default=str) for value in column.to_pylist()], TEXTS)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _varbytes(column.cast(BYTES))
    return column if kind == TEXTS else column.cast(TEXTS)


def _array_text(values: list[Any]) -> str:
    """Return an array as PostgreSQL prints it ("Array Input and Output Syntax"); only catalog queries have any."""
    return "{" + ",".join(_element_text(value) for value in values) + "}"


def _element_text(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return _array_text(value)
    if isinstance(value, bool):
        return "t" if value else "f"
    text = str(value)
    if text and text.upper() != "NULL" and not any(c in '{}",\\' or c.isspace() for c in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _numbers(column: pa.Array) -> pa.Array:
    return pc.cast(column, TEXTS)


def _replace(texts: pa.Array, where: npt.NDArray[np.bool_], found: list[str]) -> pa.Array:
    return pc.replace_with_mask(texts, pa.array(where), pa.array(found, TEXTS))


def _doubles(column: pa.Array) -> pa.Array:
    # Arrow writes an exponent from 1e10 on, PostgreSQL from 1e15; both below 1e-4, but PostgreSQL with two digits.
    return _floats(column, raw(column, "f8"), (1e-4, 1e10), 1e15)


def _reals(column: pa.Array) -> pa.Array:
    return _floats(column, raw(column, "f4"), (1e-4, 1e6), 1e6)


def _floats(column: pa.Array, values: npt.NDArray[Any], alike: tuple[float, float], exponent_from: float) -> pa.Array:
    """Print the shortest digits that read back the same value.

    Between the bounds `alike` Arrow's text is PostgreSQL's; what lies outside is laid out again.
    """
    texts = pc.cast(column, TEXTS)
    sizes = np.abs(values)
    with np.errstate(invalid="ignore"):
        where = ~((sizes >= alike[0]) & (sizes < alike[1])) & (sizes != 0)
    valid = is_valid(column)
    if valid is not None:
        where &= valid
    if not where.any():
        return texts
    shown = texts.filter(pa.array(where)).to_pylist()
    digits = [_even_digits(value, text) for value, text in zip(values[where], shown, strict=True)]
    return _replace(texts, where, [_float_text(text, exponent_from) for text in digits])


def _even_digits(value: np.floating[Any], text: str) -> str:
    """Return digits that lie nearer to a large value than to its neighbour, not halfway between them.

    Halfway, Arrow trusts that the reader rounds to even in the same width: 33554448 as REAL is 3.355445e+07 for Arrow and 3.3554448e+07 for
    PostgreSQL, since a client may read it as a double. Only numbers too large to have a fraction are affected.
    """
    bits = _SIGNIFICAND_BITS[value.dtype.itemsize]
    if not np.isfinite(value) or abs(value) < 2.0**bits:
        return text
    exact, room = int(value), 2 ** (math.frexp(value)[1] - bits)
    places = len(text.partition("e")[0].lstrip("-").replace(".", "").rstrip("0")) - 1
    while 2 * abs(int(Decimal(text)) - exact) >= room and places < 17:
        places += 1
        text = f"{float(value):.{places}e}"
    return text


_SIGNIFICAND_BITS = {4: 24, 8: 53}


_SPECIAL = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _float_text(text: str, exponent_from: float) -> str:
    """Lay out the digits of `text` as PostgreSQL does: plain from 1e-4 to `exponent_from`, else with an exponent of two digits or more."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    mantissa, _, shown = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    exponent = int(shown or 0) + (len(whole) - 1 if whole.strip("0") else len(digits) - len(fraction) - 1)
    digits = digits.rstrip("0")
    if 10**exponent < exponent_from and exponent >= 0:
        whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
        return f"{sign}{whole}{'.' if fraction else ''}{fraction}"
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _outside(numbers: npt.NDArray[Any], low: int, high: int, column: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Return where a value lies outside the bounds, or None when none does."""
    found: npt.NDArray[np.bool_] = (numbers < low) | (numbers > high)
    valid = is_valid(column)
    if valid is not None:
        found &= valid
    return found if found.any() else None


def _dates(column: pa.Array) -> pa.Array:
    days = raw(column, "i4")
    rare = _outside(days, calendar.DAYS_MIN, calendar.DAYS_MAX, column)
    texts = pc.cast(column, TEXTS)
    return texts if rare is None else _replace(texts, rare, [calendar.date_text(value) for value in days[rare].tolist()])


def _trim(texts: pa.Array) -> pa.Array:
    return pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")


def _clock(column: pa.Array, micros: npt.NDArray[Any], seconds: pa.DataType) -> pa.Array:
    """Print times without needless zeros; when no value has a fraction, in whole seconds at once."""
    if not (micros % 1_000_000).any():
        return pc.cast(pc.cast(column, seconds), TEXTS)
    return _trim(pc.cast(column, TEXTS))


def _times(column: pa.Array) -> pa.Array:
    micros = raw(column, "i8")
    rare = _outside(micros, 0, calendar.DAY_US - 1, column)
    if rare is None:
        return _clock(column, micros, pa.time32("s")) if not column.null_count else _trim(pc.cast(column, TEXTS))
    return _replace(_trim(pc.cast(column, TEXTS)), rare, [calendar.time_text(value) for value in micros[rare].tolist()])


def _timetz(column: pa.Array) -> pa.Array:
    """Print TIMETZ, which comes as UTC or already as text."""
    if not pa.types.is_time(column.type):
        return _strings(column)
    return pc.binary_join_element_wise(_times(column.cast(pa.time64("us"))), pa.scalar("+00", TEXTS), pa.scalar("", TEXTS))


def _timestamps(column: pa.Array) -> pa.Array:
    micros = raw(column, "i8")
    rare = _outside(micros, calendar.MICROS_MIN, calendar.MICROS_MAX, column)
    if rare is None:
        return _clock(column, micros, pa.timestamp("s")) if not column.null_count else _trim(pc.cast(column, TEXTS))
    return _replace(_trim(pc.cast(column, TEXTS)), rare, [calendar.timestamp_text(value) for value in micros[rare].tolist()])


def _timestamptz(column: pa.Array, time_zone: str) -> pa.Array:
    """Print instants as local times of a zone with their offsets.

    Outside the years 1 to 9999 the zone's rules are not known to anybody; such instants are shown in UTC, which is true as well.
    """
    utc = column.view(pa.timestamp("us")) if column.offset == 0 else pc.cast(column, pa.timestamp("us"))
    micros = raw(column, "i8")
    rare = _outside(micros, calendar.MICROS_MIN + calendar.DAY_US, calendar.MICROS_MAX - calendar.DAY_US, column)
    if rare is not None:
        utc = pc.if_else(pa.array(rare), pa.scalar(None, pa.timestamp("us")), utc)
    if time_zone.upper() in {"UTC", "ETC/UTC", "GMT", "ETC/GMT", "Z", "ZULU"}:
        local, offsets = utc, pa.scalar("+00", TEXTS)
    else:
        local, offsets = _local(utc, time_zone)
    texts = pc.binary_join_element_wise(_timestamps(local), offsets, pa.scalar("", TEXTS))
    if rare is None:
        return texts
    return _replace(texts, rare, [calendar.timestamp_text(value, "+00") for value in micros[rare].tolist()])


def _local(utc: pa.Array, time_zone: str) -> tuple[pa.Array, pa.Array]:
    """Return the local times and the texts of their offsets."""
    try:
        local = pc.local_timestamp(pc.cast(utc, pa.timestamp("us", time_zone)))
    except pa.ArrowException as failure:
        raise DataError(f'time zone "{time_zone}" is not recognized', sqlstate="22023") from failure
    micros = raw(utc, "i8")
    away = raw(local, "i8") - micros
    future = micros >= _RULES_END_US
    valid = is_valid(utc)
    if valid is not None:
        away = np.where(valid, away, 0)
        future &= valid
    if future.any():
        away = away.copy()
        away[future] = _future_offsets(micros[future], time_zone)
        local = pa.array(micros + away, pa.timestamp("us"), mask=None if valid is None else ~valid)
    distinct, which = np.unique(away // 1_000_000, return_inverse=True)
    texts = pa.array([offset_text(int(seconds)) for seconds in distinct], TEXTS)
    return local, texts.take(pa.array(which))


# Arrow knows the transitions that are listed in the zone's file, which end in 2037, and not the rule for the years after.
_RULES_END_US = int(datetime(2037, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_QUARTER_US = 15 * 60 * 1_000_000


def _future_offsets(micros: npt.NDArray[Any], time_zone: str) -> npt.NDArray[Any]:
    """Return offsets in microseconds by the rule of the zone; it changes its offset on a quarter of an hour at most."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        # An offset such as +05:30, which Arrow takes as a zone too: it has no rules that could end.
        return np.full(len(micros), _fixed_offset(time_zone), np.int64)
    quarters, which = np.unique(micros // _QUARTER_US, return_inverse=True)
    offsets = [datetime.fromtimestamp(int(quarter) * 900, zone).utcoffset() for quarter in quarters]
    seconds = np.array([int(offset.total_seconds()) if offset is not None else 0 for offset in offsets], np.int64)
    return np.asarray(seconds[which] * 1_000_000)


def _fixed_offset(text: str) -> int:
    digits = text[1:].replace(":", "").ljust(4, "0")
    micros = (int(digits[:2]) * 60 + int(digits[2:4])) * 60_000_000
    return -micros if text[0] == "-" else micros


def offset_text(seconds: int) -> str:
    """Return an offset from UTC as PostgreSQL prints it: `+00`, `-08`, `+05:30`, `+00:53:28`."""
    sign, away = ("-", -seconds) if seconds < 0 else ("+", seconds)
    hours, minutes, rest = away // 3600, away // 60 % 60, away % 60
    return f"{sign}{hours:02d}" + (f":{minutes:02d}" if minutes or rest else "") + (f":{rest:02d}" if rest else "")


_INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")])


def _intervals(column: pa.Array) -> pa.Array:
    parts = raw_intervals(column)
    valid = is_valid(column)
    rows = zip(parts["months"].tolist(), parts["days"].tolist(), (parts["nanos"] // 1000).tolist(), strict=True)
    texts = [interval_text(IntervalParts(*row)) for row in rows]
    return pa.array(texts, TEXTS, mask=None if valid is None else ~valid)


def raw_intervals(column: pa.Array) -> npt.NDArray[Any]:
    """Return months, days and nanoseconds of a column of intervals as a structured array."""
    return np.frombuffer(column.buffers()[1], _INTERVAL, len(column) + column.offset)[column.offset :]


_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint8).reshape(256, 2)


def _varbytes(column: pa.Array) -> pa.Array:
    """Print bytes as hexadecimal digits without a prefix, as Redshift shows VARBYTE."""
    _, offsets_buffer, values = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64, len(column) + column.offset + 1)[column.offset :]
    flat = np.frombuffer(values, np.uint8)[offsets[0] : offsets[-1]] if values is not None and values.size else np.empty(0, np.uint8)
    digits = _HEX[flat].reshape(-1)
    valid = None if not column.null_count else pc.is_valid(column)
    found = pa.LargeBinaryArray.from_buffers(
        BYTES, len(column), [None, pa.py_buffer((offsets - offsets[0]) * 2), pa.py_buffer(np.ascontiguousarray(digits))]
    )
    return (found if valid is None else pc.if_else(valid, found, pa.scalar(None, BYTES))).view(TEXTS)


_PRINTERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.SMALLINT: _numbers, Kind.INTEGER: _numbers, Kind.BIGINT: _numbers, Kind.OID: _numbers, Kind.DECIMAL: numeric_text,
    Kind.REAL: _reals, Kind.DOUBLE: _doubles, Kind.DATE: _dates, Kind.TIME: _times, Kind.TIMETZ: _timetz, Kind.TIMESTAMP: _timestamps,
    Kind.INTERVAL: _intervals, Kind.VARBYTE: _varbytes,
}  # fmt: skip
