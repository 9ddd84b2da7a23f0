"""Values that clients send: from the bytes of Bind to Python, by OID and format.

The other direction, a column at a time, is `encode_arrow`.

A client may declare any of PostgreSQL's common OIDs for a parameter, also such that Redshift has no type for (text, bytea, json, uuid);
`declared_type` says what such a parameter is here, and the value is read in the form that *its* OID has.
"""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from enum import IntEnum

from nearshift import types
from nearshift.errors import DataError, InvalidSql
from nearshift.types import SqlType
from nearshift.wire.interval import IntervalParts, interval_text
from nearshift.wire.messages import decode_text

_EPOCH_DATE = date(2000, 1, 1)
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - timestamps without a zone are what it counts
_DAY_US = 86_400_000_000


class Format(IntEnum):
    """The format code of a value."""

    TEXT = 0
    BINARY = 1


BYTEA, CHAR1, NAME, TEXT, JSON, JSONB, UUID_OID, BPCHAR, OID_DATE = 17, 18, 19, 25, 114, 3802, 2950, 1042, 1082
_DECLARED: dict[int, SqlType | None] = {
    0: None, 705: None,
    16: types.BOOLEAN, 20: types.BIGINT, 21: types.SMALLINT, 23: types.INTEGER, 26: types.OID, 700: types.REAL, 701: types.DOUBLE,
    1700: SqlType(types.Kind.DECIMAL), CHAR1: types.VARCHAR, NAME: types.VARCHAR, TEXT: types.VARCHAR, JSON: types.VARCHAR,
    JSONB: types.VARCHAR, UUID_OID: types.VARCHAR, BPCHAR: types.VARCHAR, 1043: types.VARCHAR, OID_DATE: types.DATE, 1083: types.TIME,
    1266: types.TIMETZ, 1114: types.TIMESTAMP, 1184: types.TIMESTAMPTZ, 1186: types.INTERVAL, 1188: types.INTERVAL, 1190: types.INTERVAL,
    4000: types.SUPER, 6551: types.VARBYTE, BYTEA: types.VARBYTE, 1790: types.REFCURSOR,
}  # fmt: skip


def declared_type(oid: int) -> SqlType | None:
    """Return the type of a parameter that a client declared as `oid`, None when it left it open; raises InvalidSql (42704) if unknown."""
    try:
        return _DECLARED[oid]
    except KeyError:
        message = f"type with OID {oid} cannot be the type of a parameter"
        raise InvalidSql(message, sqlstate="42704", hint="Send the value as text and cast it in the statement.") from None


def parameter_oid(declared: int, inferred: SqlType) -> int:
    """Return the OID under which a parameter's value is read and described: the client's own, or that of the inferred type."""
    if _DECLARED.get(declared) is not None:
        return declared
    return types.VARCHAR.oid if inferred.kind is types.Kind.UNKNOWN else inferred.oid


@dataclass(frozen=True, slots=True)
class _Reader:
    name: str
    text: Callable[[str], object]
    binary: Callable[[bytes], object]


def read_parameter(oid: int, form: int, data: bytes | None, number: int) -> object:
    """Return the Python value of parameter `number` (from 1).

    Raises DataError: 22P02 for text that is no such value, 22003 for one out of range, 22P03 for wrong binary data, 22023 for a format that
    is neither text nor binary.
    """
    if data is None:
        return None
    reader = _READERS[oid]
    if form == Format.TEXT:
        text = decode_text(data)
        if "\0" in text:
            raise DataError('invalid byte sequence for encoding "UTF8": 0x00', sqlstate="22021")
        try:
            return reader.text(text)
        except (ValueError, InvalidOperation) as failure:
            message = f'invalid input syntax for type {reader.name}: "{text[:100]}"'
            raise DataError(message, sqlstate="22P02", detail=f"It is the value of parameter ${number}.") from failure
    if form == Format.BINARY:
        try:
            return reader.binary(data)
        except (ValueError, struct.error) as failure:
            raise DataError(f"incorrect binary data format in bind parameter {number}", sqlstate="22P03") from failure
    raise DataError(f"unsupported format code: {form}", sqlstate="22023")


_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})


def _bool_text(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(text)


def _bool_binary(data: bytes) -> bool:
    return struct.unpack("!B", data) != (0,)


def _int_reader(name: str, low: int, high: int, shape: str) -> _Reader:
    unpack = struct.Struct(shape).unpack

    def from_text(text: str) -> int:
        # int() also takes underscores and other scripts' digits, PostgreSQL does not.
        if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", text):
            raise ValueError(text)
        value = int(text)
        if not low <= value <= high:
            raise DataError(f'value "{text.strip()}" is out of range for type {name}', sqlstate="22003")
        return value

    def from_binary(data: bytes) -> int:
        value: int = unpack(data)[0]
        return value

    return _Reader(name, from_text, from_binary)


_SPECIAL = re.compile(r"\s*([+-]?)(inf|infinity|nan)\s*", re.IGNORECASE)


def _float_text(text: str) -> float:
    if "_" in text or not (text.isascii() or _SPECIAL.fullmatch(text)):
        raise ValueError(text)
    return float(text)


def _float4_binary(data: bytes) -> float:
    value: float = struct.unpack("!f", data)[0]
    return value


def _float8_binary(data: bytes) -> float:
    value: float = struct.unpack("!d", data)[0]
    return value


def _numeric_text(text: str) -> Decimal:
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return Decimal(text.strip())


_NUMERIC_SIGNS = {0x0000: 1, 0x4000: -1}
_NUMERIC_SPECIAL = {0xC000: Decimal("NaN"), 0xD000: Decimal("Infinity"), 0xF000: Decimal("-Infinity")}


def _numeric_binary(data: bytes) -> Decimal:
    """Read PostgreSQL's binary numeric: groups of four decimal digits, the weight of the first, sign and scale (`numeric_recv`)."""
    count, weight, sign, scale = struct.unpack_from("!HhHH", data)
    if sign in _NUMERIC_SPECIAL:
        return _NUMERIC_SPECIAL[sign]
    groups = struct.unpack(f"!{count}H", data[8:])
    if sign not in _NUMERIC_SIGNS or any(group > 9999 for group in groups):
        raise ValueError(data)
    digits = 0
    for group in groups:
        digits = digits * 10_000 + group
    # digits * 10000^(weight - count + 1), cut or filled to `scale` places; done on integers, since Decimal would round to its context
    places = 4 * (weight - count + 1) + scale
    unscaled = digits * 10**places if places >= 0 else digits // 10**-places
    return Decimal((0 if sign == 0 else 1, tuple(int(digit) for digit in str(unscaled)), -scale))


_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ISO_TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_ISO_ZONE = re.compile(r"(.*\d)\s*(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)", re.IGNORECASE)


def _date_text(text: str) -> object:
    word = text.strip()
    return date.fromisoformat(word) if _ISO_DATE.fullmatch(word) else _nonempty(text)


def _time_text(text: str) -> object:
    word = text.strip()
    return time.fromisoformat(_microseconds(word)) if _ISO_TIME.fullmatch(word) and not word.startswith("24") else _nonempty(text)


def _timestamp_text(text: str) -> object:
    word = text.strip()
    day, separator, rest = word[:10], word[10:11], word[11:].strip()
    if _ISO_DATE.fullmatch(day) and separator in {" ", "T"} and _ISO_TIME.fullmatch(rest) and not rest.startswith("24"):
        return datetime.fromisoformat(f"{day} {_microseconds(rest)}")
    if _ISO_DATE.fullmatch(word):
        return datetime.fromisoformat(word)
    return _nonempty(text)


def _timestamptz_text(text: str) -> object:
    parts = _ISO_ZONE.fullmatch(text.strip())
    local = _timestamp_text(parts[1]) if parts else None
    if parts is None or not isinstance(local, datetime):
        # Without an offset it is the session's zone that counts, which only the session knows.
        return _nonempty(text)
    return local.replace(tzinfo=_offset(parts[2]))


def _timetz_text(text: str) -> object:
    parts = _ISO_ZONE.fullmatch(text.strip())
    local = _time_text(parts[1]) if parts else None
    if parts is None or not isinstance(local, time):
        return _nonempty(text)
    return local.replace(tzinfo=_offset(parts[2]))


def _offset(text: str) -> timezone:
    if text in {"Z", "z"}:
        return UTC
    digits = text[1:].replace(":", "").ljust(6, "0")
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:]))
    return timezone(-away if text[0] == "-" else away)


def _microseconds(text: str) -> str:
    """Fill a fraction to six digits, which `fromisoformat` of Python 3.11 wants."""
    whole, point, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(6, '0')}" if point else whole


def _nonempty(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text


def _date_binary(data: bytes) -> object:
    (days,) = struct.unpack("!i", data)
    if days in {2**31 - 1, -(2**31)}:
        return "infinity" if days > 0 else "-infinity"
    try:
        return _EPOCH_DATE + timedelta(days=days)
    except OverflowError as failure:
        raise DataError("date out of range: binary parameter", sqlstate="22008") from failure


def _timestamp_binary(data: bytes) -> object:
    (micros,) = struct.unpack("!q", data)
    if micros in {2**63 - 1, -(2**63)}:
        return "infinity" if micros > 0 else "-infinity"
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError as failure:
        raise DataError("timestamp out of range: binary parameter", sqlstate="22008") from failure


def _timestamptz_binary(data: bytes) -> object:
    local = _timestamp_binary(data)
    return local.replace(tzinfo=UTC) if isinstance(local, datetime) else local


def _time_of(micros: int) -> object:
    if micros == _DAY_US:
        return "24:00:00"
    if not 0 <= micros < _DAY_US:
        raise ValueError(micros)
    return (_EPOCH + timedelta(microseconds=micros)).time()


def _time_binary(data: bytes) -> object:
    return _time_of(*struct.unpack("!q", data))


def _timetz_binary(data: bytes) -> object:
    micros, west_seconds = struct.unpack("!qi", data)
    local = _time_of(micros)
    if not isinstance(local, time):
        raise DataError("time out of range: binary parameter", sqlstate="22008")
    return local.replace(tzinfo=timezone(timedelta(seconds=-west_seconds)))


def _interval_binary(data: bytes) -> str:
    """Read PostgreSQL's 16 bytes, or the 12 of redshift_connector, where days are part of the microseconds."""
    if len(data) == 12:
        micros, months = struct.unpack("!qi", data)
        return interval_text(IntervalParts(months, 0, micros))
    micros, days, months = struct.unpack("!qii", data)
    return interval_text(IntervalParts(months, days, micros))


def _year_month_binary(data: bytes) -> str:
    return interval_text(IntervalParts(struct.unpack("!i", data)[0], 0, 0))


def _day_second_binary(data: bytes) -> str:
    return interval_text(IntervalParts(0, 0, struct.unpack("!q", data)[0]))


def _varbyte_text(text: str) -> bytes:
    return bytes.fromhex(text)


def _bytea_text(text: str) -> bytes:
    """Read bytea's hex form, or its older escape form ("Binary Data Types", PostgreSQL documentation)."""
    if text.startswith("\\x"):
        return bytes.fromhex(text[2:])
    if re.search(r"\\(?!\\|[0-3][0-7]{2})", text.replace("\\\\", "")):
        raise ValueError(text)
    return re.sub(rb"\\(\\|[0-3][0-7]{2})", lambda part: b"\\" if part[1] == b"\\" else bytes([int(part[1], 8)]), text.encode())


def _jsonb_binary(data: bytes) -> str:
    if data[:1] != b"\1":
        raise ValueError(data)
    return decode_text(data[1:])


def _uuid_text(text: str) -> str:
    return str(uuid.UUID(text))


def _uuid_binary(data: bytes) -> str:
    return str(uuid.UUID(bytes=data))


_STRING = _Reader("character varying", str, decode_text)
_READERS: dict[int, _Reader] = {
    16: _Reader("boolean", _bool_text, _bool_binary),
    20: _int_reader("bigint", -(2**63), 2**63 - 1, "!q"),
    21: _int_reader("smallint", -(2**15), 2**15 - 1, "!h"),
    23: _int_reader("integer", -(2**31), 2**31 - 1, "!i"),
    26: _int_reader("oid", 0, 2**32 - 1, "!I"),
    700: _Reader("real", _float_text, _float4_binary),
    701: _Reader("double precision", _float_text, _float8_binary),
    1700: _Reader("numeric", _numeric_text, _numeric_binary),
    1082: _Reader("date", _date_text, _date_binary),
    1083: _Reader("time", _time_text, _time_binary),
    1266: _Reader("time with time zone", _timetz_text, _timetz_binary),
    1114: _Reader("timestamp without time zone", _timestamp_text, _timestamp_binary),
    1184: _Reader("timestamp with time zone", _timestamptz_text, _timestamptz_binary),
    1186: _Reader("interval", _nonempty, _interval_binary),
    1188: _Reader("interval", _nonempty, _year_month_binary),
    1190: _Reader("interval", _nonempty, _day_second_binary),
    6551: _Reader("binary varying", _varbyte_text, bytes),
    BYTEA: _Reader("bytea", _bytea_text, bytes),
    JSONB: _Reader("jsonb", str, _jsonb_binary),
    UUID_OID: _Reader("uuid", _uuid_text, _uuid_binary),
    **dict.fromkeys((CHAR1, NAME, TEXT, JSON, BPCHAR, 1043, 4000, 1790), _STRING),
}  # fmt: skip
