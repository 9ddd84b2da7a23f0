"""What the service refuses in an expression before it looks at any item: wrong operands, wrong functions, overlapping paths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nearshift.localaws.expressions_evaluate import ORDERED_TAGS, is_less
from nearshift.localaws.expressions_tokens import ExpressionError
from nearshift.localaws.expressions_tree import Action, Arithmetic, Call, Literal, Operand, Path

_CONDITION_OPERANDS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
_TYPE_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "NULL": "NULL",
    "BOOL": "BOOLEAN",
    "L": "LIST",
    "M": "MAP",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
}
_ADDABLE = frozenset({"N", "SS", "NS", "BS"})
_DELETABLE = frozenset({"SS", "NS", "BS"})


def _tag(operand: Operand) -> str | None:
    """The type of an operand when the expression alone tells it."""
    if isinstance(operand, Literal):
        return next(iter(operand.value))
    if isinstance(operand, Call) and operand.name == "size":
        return "N"
    return None


def _wrong_type(function: str, tag: str) -> ExpressionError:
    detail = f"operator or function: {function}, operand type: {tag}"
    return ExpressionError(f"Incorrect operand type for operator or function; {detail}")


def _check_operand_count(call: Call, expected: int) -> None:
    if len(call.operands) != expected:
        detail = f"operator or function: {call.name}, number of operands: {len(call.operands)}"
        raise ExpressionError(f"Incorrect number of operands for operator or function; {detail}")


def check_condition_call(call: Call) -> None:
    """Check a function of a condition: its name, the number and types of its operands. Raises ExpressionError."""
    expected = _CONDITION_OPERANDS.get(call.name)
    if expected is None:
        raise ExpressionError(f"Invalid function name; function: {call.name}")
    for operand in call.operands:
        if isinstance(operand, Call):
            check_condition_call(operand)
            check_plain_operand(operand)
    _check_operand_count(call, expected)
    if expected == 2:
        check_distinct(call.name, *call.operands)
    tags = [_tag(operand) for operand in call.operands]
    if call.name in ("attribute_exists", "attribute_not_exists"):
        if not isinstance(call.operands[0], Path):
            raise ExpressionError(f"Operator or function requires a document path; operator or function: {call.name}")
    elif call.name == "begins_with":
        wrong = next((tag for tag in tags if tag is not None and tag not in ("S", "B")), None)
        if wrong is not None:
            raise _wrong_type(call.name, wrong)
    elif call.name == "size" and tags[0] in ("N", "BOOL", "NULL"):
        raise _wrong_type(call.name, tags[0])
    elif call.name == "attribute_type":
        _check_type_name(call, tags[1])


def _check_type_name(call: Call, tag: str | None) -> None:
    if tag != "S":
        raise _wrong_type(call.name, tag or "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
    literal = call.operands[1]
    assert isinstance(literal, Literal)
    if literal.value["S"] not in _TYPE_NAMES:
        detail = f"type: {literal.value['S']}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
        raise ExpressionError(f"Invalid attribute type name found; {detail}")


def check_plain_operand(call: Call) -> None:
    """Refuse a function that gives no value where a value must stand. Raises ExpressionError."""
    if call.name != "size":
        raise ExpressionError(f"The function is not allowed to be used this way in an expression; function: {call.name}")


def check_distinct(operator: str, left: Operand, right: Operand) -> None:
    """Refuse a comparison of a path with itself. Raises ExpressionError."""
    if isinstance(left, Path) and left == right:
        detail = f"operator: {operator}, first operand: {left.shown()}"
        raise ExpressionError(f"The first operand must be distinct from the remaining operands for this operator or function; {detail}")


def check_ordered(operator: str, *operands: Operand) -> None:
    """Refuse values without an order where an order is asked for. Raises ExpressionError."""
    for operand in operands:
        tag = _tag(operand)
        if tag is not None and tag not in ORDERED_TAGS:
            detail = f"operator: {operator}, operand type: {_TYPE_NAMES[tag]}"
            raise ExpressionError(f"Incorrect operand type for operator or function; {detail}")


def check_between(low: Operand, high: Operand) -> None:
    """Refuse bounds of two types, or in the wrong order. Raises ExpressionError."""
    if not isinstance(low, Literal) or not isinstance(high, Literal):
        return
    shown = []
    for name, bound in (("lower", low), ("upper", high)):
        ((tag, content),) = bound.value.items()
        shown.append(f"{name} bound operand: AttributeValue: {{{tag}:{content}}}")
    if low.value.keys() != high.value.keys():
        raise ExpressionError(f"The BETWEEN operator requires same data type for lower and upper bounds; {', '.join(shown)}")
    if is_less(high.value, low.value):
        rule = "The BETWEEN operator requires upper bound to be greater than or equal to lower bound"
        raise ExpressionError(f"{rule}; {', '.join(shown)}")


def check_update_call(operand: Operand) -> None:
    """Check the right side of SET, functions and arithmetic within it included. Raises ExpressionError."""
    if isinstance(operand, Arithmetic):
        for inner in (operand.left, operand.right):
            check_update_call(inner)
            tag = "L" if isinstance(inner, Call) and inner.name == "list_append" else _tag(inner)
            if tag is not None and tag != "N":
                raise _wrong_type(operand.operator, tag)
    if not isinstance(operand, Call):
        return
    if operand.name not in ("if_not_exists", "list_append"):
        if operand.name in _CONDITION_OPERANDS:
            raise ExpressionError(f"The function is not allowed in an update expression; function: {operand.name}")
        raise ExpressionError(f"Invalid function name; function: {operand.name}")
    for inner in operand.operands:
        check_update_call(inner)
    _check_operand_count(operand, 2)
    if operand.name == "if_not_exists":
        if not isinstance(operand.operands[0], Path):
            raise ExpressionError("Operator or function requires a document path; operator or function: if_not_exists")
        return
    for inner in operand.operands:
        tag = _tag(inner)
        if tag is not None and tag != "L":
            raise _wrong_type("list_append", tag)


def check_update_literal(action: Action, literal: Literal) -> None:
    """Refuse a value that ADD or DELETE cannot work with. Raises ExpressionError."""
    tag = next(iter(literal.value))
    if tag not in (_ADDABLE if action is Action.ADD else _DELETABLE):
        detail = f"operator: {action.value}, operand type: {_TYPE_NAMES[tag]}"
        raise ExpressionError(f"Incorrect operand type for operator or function; {detail}")


def check_overlaps(paths: Sequence[Path]) -> None:
    """Refuse two paths of which one leads into the other, or that take one value for a list and a map. Raises ExpressionError."""
    if len(paths) < 2:
        return
    ordered = sorted(enumerate(paths), key=lambda pair: [(isinstance(part, int), str(part)) for part in pair[1].parts])
    for (index, path), (other_index, other) in pairwise(ordered):
        first, second = (path, other) if index < other_index else (other, path)
        shown = f"must remove or rewrite one of these paths; path one: {first.shown()}, path two: {second.shown()}"
        for part, other_part in zip(path.parts, other.parts, strict=False):
            if isinstance(part, int) is not isinstance(other_part, int):
                raise ExpressionError(f"Two document paths conflict with each other; {shown}")
            if part != other_part:
                break
        else:
            raise ExpressionError(f"Two document paths overlap with each other; {shown}")
