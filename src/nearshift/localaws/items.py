"""Attribute values and items: checked, brought to one normal text, measured.

An item is kept as canonical DynamoDB JSON: members sorted, numbers in normal form, sets sorted. Two items are the same if and only if
their texts are, which is how a write that changes nothing is told, and images of change records are spliced from the stored text.
Rules and limits: "Supported data types and naming rules" and "Constraints" of the DynamoDB Developer Guide.
"""

from __future__ import annotations

import binascii
from typing import Any

import msgspec

from nearshift.localaws.dynamodb_errors import invalid, invalid_parameters, invalid_value, unreadable
from nearshift.localaws.items_numbers import normal_number, number_size, sortable_number

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]

ITEM_BYTES_MAX = 400 * 1024
PARTITION_KEY_BYTES_MAX = 2048
SORT_KEY_BYTES_MAX = 1024
NAME_BYTES_MAX = 65_535
# A scalar may stand below 31 maps and lists: 32 levels with its own.
DEPTH_MAX = 32
TAGS = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(dict[str, dict[str, Any]])


def encode_item(item: Item) -> bytes:
    """Return the canonical text of an item whose values have been normalised."""
    return _encoder.encode(item)


def decode_item(text: bytes) -> Item:
    """Return the item of a canonical text; the caller owns it and may change it."""
    return _decoder.decode(text)


def normalise_item(item: Item) -> int:
    """Check all values of an item and bring them to normal form in place; return its size in bytes as DynamoDB counts it."""
    size = 0
    for name, value in item.items():
        name_bytes = len(name) if name.isascii() else _utf8_size(name)
        if not 0 < name_bytes <= NAME_BYTES_MAX:
            raise _bad_name(name_bytes)
        size += name_bytes
        text = value.get("S")
        # Most attributes are plain strings: they take no call.
        if type(text) is str and len(value) == 1 and text.isascii():
            size += len(text)
        else:
            size += normalise_value(value)
    return size


def key_size(keys: Item) -> int:
    """Return the size of normalised key attributes in bytes."""
    size = 0
    for name, value in keys.items():
        ((tag, content),) = value.items()
        size += len(name.encode())
        size += len(content.encode()) if tag == "S" else number_size(content) if tag == "N" else len(binary_of(content))
    return size


def normalise_value(value: AttributeValue, depth: int = 1) -> int:
    """Check one value and bring it to normal form in place; return its size in bytes.

    Raises ValidationException in the service's words, SerializationException for a member of the wrong JSON type.
    """
    if type(value) is not dict:
        raise unreadable("Unexpected value type in payload")
    if len(value) != 1:
        _refuse_members(value)
    ((tag, content),) = value.items()
    if tag == "S":
        if type(content) is not str:
            raise unreadable(_not_a_string(content))
        return len(content) if content.isascii() else _utf8_size(content)
    if tag == "N":
        if type(content) is not str:
            raise unreadable(_not_a_string(content))
        value["N"] = number = normal_number(content)
        return number_size(number)
    if depth >= DEPTH_MAX and tag in ("M", "L"):
        detail = "Attributes in the item have nested levels beyond supported limit"
        raise invalid(f"Nesting Levels have exceeded supported limits: {detail}")
    if tag == "M":
        return _normalise_map(content, depth)
    if tag == "L":
        if type(content) is not list:
            raise unreadable("Unexpected field type")
        return 3 + sum(1 + normalise_value(element, depth + 1) for element in content)
    return _normalise_other(value, tag, content)


def _normalise_map(content: Any, depth: int) -> int:
    if type(content) is not dict:
        raise unreadable("Unexpected field type")
    size = 3
    for name, element in content.items():
        name_bytes = len(name) if name.isascii() else _utf8_size(name)
        if name_bytes > NAME_BYTES_MAX:
            raise _bad_name(name_bytes)
        size += 1 + name_bytes + normalise_value(element, depth + 1)
    return size


def _normalise_other(value: AttributeValue, tag: str, content: Any) -> int:
    if tag == "BOOL":
        if type(content) is not bool:
            raise unreadable("Unexpected token received from parser")
        return 1
    if tag == "NULL":
        if content is not True:
            raise invalid_parameters("Null attribute value types must have the value of true")
        return 1
    if tag == "B":
        return len(binary_of(content))
    if tag in ("SS", "NS", "BS"):
        return _normalise_set(value, tag, content)
    raise invalid_value("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")


def _normalise_set(value: AttributeValue, tag: str, content: Any) -> int:
    if type(content) is not list:
        raise unreadable("Unexpected field type")
    if not content:
        kind = {"SS": "An string set  may not be empty", "NS": "An number set  may not be empty", "BS": "Binary sets should not be empty"}
        raise invalid_parameters(kind[tag])
    if any(type(element) is not str for element in content):
        raise unreadable(_not_a_string(next(element for element in content if type(element) is not str)))
    if tag == "NS":
        numbers = sorted({normal_number(element) for element in content}, key=sortable_number)
        if len(numbers) != len(content):
            raise invalid_value("Input collection contains duplicates")
        value["NS"] = numbers
        return 3 + sum(1 + number_size(number) for number in numbers)
    if len(set(content)) != len(content):
        shown = f"[{', '.join(content)}]"
        tail = " contains duplicates." if tag == "SS" else "of type BS contains duplicates."
        raise invalid_parameters(f"Input collection {shown}{tail}")
    value[tag] = sorted(content)
    if tag == "SS":
        return 3 + sum(1 + _utf8_size(element) for element in content)
    return 3 + sum(1 + len(binary_of(element)) for element in content)


def binary_of(content: Any) -> bytes:
    """Return the bytes of a base64 text; raises SerializationException when it is none."""
    if type(content) is not str:
        raise unreadable("only base-64-encoded strings are convertible to bytes")
    if len(content) % 4:
        raise unreadable(f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(content)}")
    try:
        found = binascii.a2b_base64(content, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        message = "Invalid base64: the text has characters or padding that base64 does not have"
        raise unreadable(message) from error
    if binascii.b2a_base64(found, newline=False).decode() != content:
        raise unreadable("Invalid last non-pad Base64 character dectected")
    return found


def has_binary(text: bytes) -> bool:
    """Tell from an item's canonical text whether a value of it is binary.

    Inside a JSON string a quote is escaped, and an attribute named B is followed by an object: both searches are exact.
    """
    return b'"B":"' in text or b'"BS":["' in text


def _utf8_size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise unreadable("Unexpected token received from parser: unpaired surrogate") from error


def _refuse_members(value: AttributeValue) -> None:
    known = [tag for tag in value if tag in TAGS]
    if len(known) > 1:
        message = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
        raise invalid_value(message)
    raise invalid_value("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")


def _bad_name(size: int) -> Exception:
    if size == 0:
        return invalid_parameters("Empty attribute name")
    return invalid_parameters(f"Attribute name is too large, must be less than {NAME_BYTES_MAX + 1} bytes")


def _not_a_string(content: Any) -> str:
    if content is None:
        return "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
    if isinstance(content, bool):
        return f"{str(content).upper()}_VALUE cannot be converted to String"
    if isinstance(content, int | float):
        return f"{'NUMBER' if isinstance(content, int) else 'DECIMAL'}_VALUE cannot be converted to String"
    return "Start of structure or map found where not expected"
