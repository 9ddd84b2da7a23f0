"""DynamoDB's numbers: one normal text for each value, a size, and bytes that sort as the numbers do.

"Supported data types and naming rules" of the DynamoDB Developer Guide: up to 38 significant digits, magnitudes from 1E-130 to
9.99…E+125, leading and trailing zeros trimmed. A number is kept as its text; nothing here goes through a float.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal

from nearshift.localaws.dynamodb_errors import invalid_value

DIGITS_MAX = 38
EXPONENT_MAX = 125
EXPONENT_MIN = -130

_NORMAL = re.compile(r"(?:-?[1-9][0-9]{0,17}(?:\.[0-9]{0,16}[1-9])?|-?0\.[0-9]{0,16}[1-9]|0)\Z")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?\Z")
# Sums of two 38-digit numbers 255 powers of ten apart are exact in it; the check for 38 digits comes afterwards.
_WIDE = Context(prec=300, Emax=999_999, Emin=-999_999)


def normal_number(text: str) -> str:
    """Return the text under which DynamoDB gives `text` back: plain notation, no needless zeros, no plus sign, no negative zero.

    Raises ValidationException for text that is no number, more than 38 significant digits, or a magnitude out of range.
    """
    if _NORMAL.match(text):
        return text
    if not _NUMBER.match(text):
        tail = f": {text}" if text else ""
        raise invalid_value(f"The parameter cannot be converted to a numeric value{tail}")
    return _plain(Decimal(text))


def _plain(number: Decimal) -> str:
    if not number:
        return "0"
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    exponent += len(text) - len(text.rstrip("0"))
    text = text.rstrip("0")
    magnitude = len(text) + exponent - 1
    if magnitude > EXPONENT_MAX:
        raise invalid_value("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if magnitude < EXPONENT_MIN:
        raise invalid_value("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    if len(text) > DIGITS_MAX:
        raise invalid_value("Attempting to store more than 38 significant digits in a Number")
    if exponent >= 0:
        text += "0" * exponent
    elif magnitude >= 0:
        text = f"{text[: magnitude + 1]}.{text[magnitude + 1 :]}"
    else:
        text = f"0.{'0' * (-magnitude - 1)}{text}"
    return f"-{text}" if sign else text


def add(left: str, right: str) -> str:
    """Return left + right, both in normal form; raises ValidationException when 38 digits or the range do not hold the sum."""
    return _plain(_WIDE.add(Decimal(left), Decimal(right)))


def subtract(left: str, right: str) -> str:
    """Return left - right, both in normal form; raises ValidationException when 38 digits or the range do not hold it."""
    return _plain(_WIDE.subtract(Decimal(left), Decimal(right)))


def number_size(normal: str) -> int:
    """Return the bytes that DynamoDB counts for a number: about one for two significant digits, one more, one for a minus sign."""
    digits = normal.replace(".", "").strip("-0")
    if not digits:
        return 1
    return 1 + (len(digits) + 1) // 2 + (1 if normal[0] == "-" else 0)


def sortable_number(normal: str) -> bytes:
    """Return bytes whose order is the order of the numbers; `normal` is in normal form."""
    if normal == "0":
        return b"\x80"
    is_negative = normal[0] == "-"
    whole, _, fraction = normal.lstrip("-").partition(".")
    if whole != "0":
        magnitude = len(whole) - 1
        digits = (whole + fraction).rstrip("0")
    else:
        digits = fraction.lstrip("0")
        magnitude = len(digits) - len(fraction) - 1
    exponent = magnitude - EXPONENT_MIN
    if is_negative:
        # Complemented, and closed by a byte above every digit: of two numbers the one with more digits is the smaller.
        return bytes((0x40, 255 - exponent)) + digits.translate(_COMPLEMENT).encode() + b"\xff"
    return bytes((0xC0, exponent)) + digits.encode()


_COMPLEMENT = str.maketrans("0123456789", "9876543210")
