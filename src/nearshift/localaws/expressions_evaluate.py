"""Bound conditions against an item: "Comparison operator and function reference" of the DynamoDB Developer Guide.

Items and literals are normalised, so equality of values is equality of their texts. A condition on an attribute that is not there is
false, save `<>` and attribute_not_exists.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any, assert_never

from nearshift.localaws.expressions_tree import (
    And,
    Between,
    Call,
    Compare,
    Condition,
    In,
    Literal,
    Not,
    Operand,
    Or,
    Path,
)
from nearshift.localaws.items_numbers import sortable_number

Value = dict[str, Any]
ORDERED_TAGS = frozenset({"S", "N", "B"})


def find(path: Path, item: Mapping[str, Value]) -> Value | None:
    """Return the value that a path leads to, or None."""
    parts = path.parts
    first = parts[0]
    assert isinstance(first, str)
    current = item.get(first)
    for part in parts[1:]:
        if current is None:
            return None
        if isinstance(part, str):
            members = current.get("M")
            current = members.get(part) if members is not None else None
        else:
            elements = current.get("L")
            current = elements[part] if elements is not None and part < len(elements) else None
    return current


def is_true(condition: Condition, item: Mapping[str, Value]) -> bool:
    """Tell whether an item (empty if there is none) meets a bound condition."""
    if isinstance(condition, Compare):
        return _compare(condition.operator, _value(condition.left, item), _value(condition.right, item))
    if isinstance(condition, Call):
        return _call(condition, item)
    if isinstance(condition, And):
        return is_true(condition.left, item) and is_true(condition.right, item)
    if isinstance(condition, Or):
        return is_true(condition.left, item) or is_true(condition.right, item)
    if isinstance(condition, Not):
        return not is_true(condition.condition, item)
    if isinstance(condition, Between):
        value = _value(condition.operand, item)
        return _compare(">=", value, _value(condition.low, item)) and _compare("<=", value, _value(condition.high, item))
    if isinstance(condition, In):
        value = _value(condition.operand, item)
        return value is not None and any(value == _value(choice, item) for choice in condition.choices)
    assert_never(condition)


def _value(operand: Operand, item: Mapping[str, Value]) -> Value | None:
    if isinstance(operand, Path):
        return find(operand, item)
    if isinstance(operand, Literal):
        return operand.value
    assert isinstance(operand, Call), "placeholders and arithmetic do not stand in a bound condition"
    return _size(_value(operand.operands[0], item))


def _size(value: Value | None) -> Value | None:
    if value is None:
        return None
    ((tag, content),) = value.items()
    if tag == "B":
        return {"N": str(len(a2b_base64(content)))}
    if tag in ("N", "BOOL", "NULL"):
        return None
    return {"N": str(len(content))}


def _compare(operator: str, left: Value | None, right: Value | None) -> bool:
    if operator == "=":
        return left is not None and left == right
    if operator == "<>":
        return left != right
    if left is None or right is None or left.keys() != right.keys():
        return False
    if next(iter(left)) not in ORDERED_TAGS:
        return False
    if operator == "<":
        return is_less(left, right)
    if operator == ">":
        return is_less(right, left)
    return not is_less(right, left) if operator == "<=" else not is_less(left, right)


def is_less(left: Value, right: Value) -> bool:
    """Tell whether left < right; both are of the same type, one of S, N and B. Strings compare by their UTF-8 bytes."""
    return ordered_bytes(left) < ordered_bytes(right)


def ordered_bytes(value: Value) -> bytes:
    """Return bytes that sort as values of type S, N or B do."""
    ((tag, content),) = value.items()
    if tag == "N":
        return sortable_number(content)
    found: bytes = content.encode() if tag == "S" else a2b_base64(content)
    return found


def _call(call: Call, item: Mapping[str, Value]) -> bool:
    value = _value(call.operands[0], item)
    if call.name == "attribute_exists":
        return value is not None
    if call.name == "attribute_not_exists":
        return value is None
    other = _value(call.operands[1], item)
    if value is None or other is None:
        return False
    if call.name == "attribute_type":
        return other["S"] in value
    ((tag, content),) = value.items()
    ((other_tag, other_content),) = other.items()
    if call.name == "begins_with":
        if tag != other_tag or tag not in ("S", "B"):
            return False
        return ordered_bytes(value).startswith(ordered_bytes(other))
    assert call.name == "contains", "the functions of a bound condition are known"
    if tag == "L":
        return other in content
    if tag in ("SS", "NS", "BS"):
        return tag[0] == other_tag and other_content in content
    return tag == other_tag and tag in ("S", "B") and ordered_bytes(other) in ordered_bytes(value)
