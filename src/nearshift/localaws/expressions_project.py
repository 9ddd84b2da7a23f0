"""The part of an item that paths select ("Projection expressions", DynamoDB Developer Guide)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nearshift.localaws.expressions_tree import Path

Value = dict[str, Any]
# What is selected below a value: all of it (an empty dict) or the parts named.
Selection = dict[str | int, "Selection"]


def selection_of(paths: Iterable[Path]) -> Selection:
    """Return the paths as one tree, so that two paths into one list element give one element."""
    root: Selection = {}
    for path in paths:
        node = root
        for part in path.parts:
            node = node.setdefault(part, {})
    return root


def project(selection: Selection, item: Mapping[str, Value]) -> dict[str, Value]:
    """Return the selected part of an item; elements of a list close up in the order of their indexes."""
    found: dict[str, Value] = {}
    for name, below in selection.items():
        assert isinstance(name, str)
        value = item.get(name)
        part = _project_value(below, value) if value is not None else None
        if part is not None:
            found[name] = part
    return found


def _project_value(selection: Selection, value: Value) -> Value | None:
    if not selection:
        return value
    if "M" in value:
        members: dict[str, Value] = {}
        for name, below in selection.items():
            inner = value["M"].get(name) if isinstance(name, str) else None
            part = _project_value(below, inner) if inner is not None else None
            if part is not None:
                assert isinstance(name, str)
                members[name] = part
        return {"M": members} if members else None
    if "L" in value:
        indexes = sorted(index for index in selection if isinstance(index, int) and index < len(value["L"]))
        parts = [_project_value(selection[index], value["L"][index]) for index in indexes]
        elements = [part for part in parts if part is not None]
        return {"L": elements} if elements else None
    return None
