"""Why a value cannot be loaded, in Redshift's words ("Load error reference").

The codes and the texts marked by the samples of that page and of "Multibyte character load errors" are Redshift's; where AWS shows no
text for a code, ours stands.
"""

from __future__ import annotations

import re
from typing import Final

from nearshift.transfer.batches import LoadColumn
from nearshift.types import INTEGERS, Kind

MISSING_DELIMITER: Final = (1214, "Delimiter not found")
EXTRA_COLUMNS: Final = (1202, "Extra column(s) found")
BAD_QUOTES: Final = (1214, "Invalid quote formatting for CSV")
OPEN_QUOTE: Final = (1214, "End-of-Record reached before a closing quote")
TOO_LONG: Final = (1216, "Input line is too long: a row has at most 4 MB")
BAD_JSON: Final = (1216, "Invalid JSON object")
NOT_NULL: Final = (1213, "Missing data for not-null field")

_NAMES: Final = {
    Kind.SMALLINT: "Short", Kind.INTEGER: "Integer", Kind.BIGINT: "Long", Kind.DECIMAL: "Decimal", Kind.REAL: "Float",
    Kind.DOUBLE: "Double",
}  # fmt: skip
_DIGITS: Final = re.compile(r"\s*[+-]?\d*")
_NUMBER: Final = re.compile(r"\s*[+-]?\d*\.?\d*(?:[eE][+-]?\d+)?")


def reason_of(column: LoadColumn, text: str | None) -> tuple[int, str, int]:
    """Return code, reason and the position in the field for a value that its column does not take; None stands for NULL."""
    if text is None:
        return (*NOT_NULL, 0)
    kind = column.type.kind
    if kind in _NAMES:
        return _number(kind, text)
    match kind:
        case Kind.VARCHAR:
            return 1204, "String length exceeds DDL length", 0
        case Kind.CHAR:
            return _char(text)
        case Kind.BOOLEAN:
            return 1210, "Unknown boolean format", 0
        case Kind.DATE:
            short = len(text.strip()) < 10
            return 1205, "Invalid Date Format - length must be 10 or more" if short else "Invalid date format or value [YYYY-MM-DD]", 0
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]", 0
        case Kind.TIME | Kind.TIMETZ:
            return 1206, "Invalid time format or value [HH24:MI:SS]", 0
        case Kind.VARBYTE:
            is_hex = re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", text) is not None
            return (1204, "String length exceeds DDL length", 0) if is_hex else (1219, "Hexadecimal contains an invalid digit", 0)
        case Kind.SUPER:
            return 1200, "Invalid JSON value for a column of type super", 0
        case _:
            return 1200, f"Invalid value for type {kind.value}", 0


def bad_utf8(raw: bytes, error: UnicodeDecodeError) -> tuple[int, str, int]:
    """Return code, reason and position for bytes that are not UTF-8; the number at the end is that of Redshift's table."""
    first = raw[error.start]
    number = 2 if "end of data" in error.reason or "continuation" in error.reason else 1 if first >= 0xF8 else 3
    shown = " ".join(f"{one:02x}" for one in raw[error.start : error.end])
    return 1220, f"String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {shown} (error {number})", error.start


def _number(kind: Kind, text: str) -> tuple[int, str, int]:
    pattern = _DIGITS if kind in INTEGERS else _NUMBER
    match = pattern.match(text)
    position = match.end() if match else 0
    if position < len(text.rstrip()):
        return 1207, f"Invalid digit, Value '{text[position]}', Pos {position}, Type: {_NAMES[kind]}", position
    if not any(one.isdigit() for one in text):
        return 1207, f"Invalid digit, Value '{text[:1]}', Pos 0, Type: {_NAMES[kind]}", 0
    return 1204, f"Value out of range, Type: {_NAMES[kind]}", 0


def _char(text: str) -> tuple[int, str, int]:
    wide = next((index for index, one in enumerate(text) if ord(one) > 127), None)
    if wide is None:
        return 1204, "Char length exceeds DDL length", 0
    shown = " ".join(f"{one:02x}" for one in text[wide].encode())
    return 1220, f"Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: {shown}", wide
