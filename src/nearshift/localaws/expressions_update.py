"""Bound update expressions applied to an item ("Update expressions", DynamoDB Developer Guide).

All operands are computed from the item as it was; then the steps are applied. List indexes mean the list as it was, too: removed
elements leave together at the end, and elements set beyond the end are appended in the order of their indexes.
"""

from __future__ import annotations

import copy
from typing import Any

from nearshift.localaws.dynamodb_errors import invalid
from nearshift.localaws.expressions_evaluate import find
from nearshift.localaws.expressions_tree import Action, Arithmetic, Call, Literal, Operand, Path, Update
from nearshift.localaws.items_numbers import add, sortable_number, subtract

Value = dict[str, Any]

_MISSING_ATTRIBUTE = "The provided expression refers to an attribute that does not exist in the item"
_WRONG_TYPE = "An operand in the update expression has an incorrect data type"
_BAD_PATH = "The document path provided in the update expression is invalid for update"


class _Lists:
    """The lists that an update changes, with what is pending for each."""

    def __init__(self) -> None:
        self._pending: dict[int, tuple[list[Any], dict[int, Value], set[int]]] = {}

    def of(self, elements: list[Any]) -> tuple[dict[int, Value], set[int]]:
        """Return what is to be appended, by index, and the indexes to be removed."""
        _, appended, removed = self._pending.setdefault(id(elements), (elements, {}, set()))
        return appended, removed

    def settle(self) -> None:
        for elements, appended, removed in self._pending.values():
            elements[:] = [element for index, element in enumerate(elements) if index not in removed]
            elements.extend(appended[index] for index in sorted(appended))


def apply_updates(steps: tuple[Update, ...], item: dict[str, Value]) -> None:
    """Apply bound steps to a normalised item in place. Raises ValidationException; the item is then in an undefined state."""
    changes = [(step, _new_value(step, item)) for step in steps]
    lists = _Lists()
    for step, value in changes:
        if step.action is Action.REMOVE or (step.action is Action.DELETE and value is None):
            _remove(step.path, item, lists, is_strict=step.action is Action.REMOVE)
        else:
            assert value is not None
            _place(step.path, value, item, lists)
    lists.settle()


def _new_value(step: Update, item: dict[str, Value]) -> Value | None:
    """Return what the path shall hold, None for nothing. The value shares nothing with the item."""
    if step.action is Action.REMOVE:
        return None
    assert step.operand is not None
    if step.action is Action.SET:
        return copy.deepcopy(_operand(step.operand, item))
    assert isinstance(step.operand, Literal)
    ((tag, content),) = step.operand.value.items()
    current = find(step.path, item)
    if current is not None and tag not in current:
        raise invalid(_WRONG_TYPE)
    if step.action is Action.ADD:
        if tag == "N":
            return {"N": add(current["N"] if current else "0", content)}
        merged = set(content) | set(current[tag] if current else ())
        return {tag: _sorted_set(tag, merged)}
    left = [element for element in current[tag] if element not in set(content)] if current else []
    return {tag: left} if left else None


def _sorted_set(tag: str, elements: set[str]) -> list[str]:
    return sorted(elements, key=sortable_number) if tag == "NS" else sorted(elements)


def _operand(operand: Operand, item: dict[str, Value]) -> Value:
    if isinstance(operand, Literal):
        return operand.value
    if isinstance(operand, Path):
        found = find(operand, item)
        if found is None:
            raise invalid(_MISSING_ATTRIBUTE)
        return found
    if isinstance(operand, Arithmetic):
        left, right = _operand(operand.left, item), _operand(operand.right, item)
        if "N" not in left or "N" not in right:
            raise invalid(_WRONG_TYPE)
        compute = add if operand.operator == "+" else subtract
        return {"N": compute(left["N"], right["N"])}
    assert isinstance(operand, Call)
    first, second = operand.operands
    if operand.name == "if_not_exists":
        assert isinstance(first, Path)
        found = find(first, item)
        return found if found is not None else _operand(second, item)
    head, tail = _operand(first, item), _operand(second, item)
    if "L" not in head or "L" not in tail:
        raise invalid(_WRONG_TYPE)
    return {"L": head["L"] + tail["L"]}


def _parent(path: Path, item: dict[str, Value]) -> Value | None:
    """Return the value that holds the path's last part; the item itself counts as a map."""
    if len(path.parts) == 1:
        return {"M": item}
    return find(Path(path.parts[:-1]), item)


def _place(path: Path, value: Value, item: dict[str, Value], lists: _Lists) -> None:
    parent, last = _parent(path, item), path.parts[-1]
    if parent is None:
        raise invalid(_BAD_PATH)
    if isinstance(last, str):
        if "M" not in parent:
            raise invalid(_BAD_PATH)
        parent["M"][last] = value
        return
    if "L" not in parent:
        raise invalid(_BAD_PATH)
    elements = parent["L"]
    if last < len(elements):
        elements[last] = value
    else:
        lists.of(elements)[0][last] = value


def _remove(path: Path, item: dict[str, Value], lists: _Lists, *, is_strict: bool) -> None:
    """Remove what a path leads to; nothing there is no error, but `is_strict` wants the value that would hold it."""
    parent, last = _parent(path, item), path.parts[-1]
    kind = "M" if isinstance(last, str) else "L"
    if parent is None or kind not in parent:
        if is_strict:
            raise invalid(_BAD_PATH)
        return
    if isinstance(last, str):
        parent["M"].pop(last, None)
    else:
        lists.of(parent["L"])[1].add(last)
