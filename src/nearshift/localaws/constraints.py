"""Checks of request members, worded as AWS words them.

A wrong JSON type is a SerializationException; a value outside its bounds is part of one ValidationException that lists all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from nearshift.localaws.errors import AwsError

_REPORTED_MAX = 10  # AWS lists at most ten


class Kind(Enum):
    """The JSON type of a member."""

    STRING = "String"
    INTEGER = "Integer"
    BOOLEAN = "Boolean"
    TIMESTAMP = "Double"
    LIST = "List"
    MAP = "Map"
    STRUCTURE = "Structure"


@dataclass(frozen=True, slots=True)
class Member:
    """What one member must satisfy. `minimum` and `maximum` bound a value, or the length of a text, list or map."""

    kind: Kind
    is_required: bool = False
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    element: Member | None = None  # of a list, or the values of a map
    members: Mapping[str, Member] = field(default_factory=dict)


def check_members(parameters: Any, members: Mapping[str, Member], path: str = "") -> None:
    """Raise AwsError unless `parameters` is an object whose members satisfy `members`. Unknown members are ignored, null counts as
    absent.
    """
    if not isinstance(parameters, dict):
        raise AwsError("SerializationException", "Start of structure or map expected.")
    for name, member in members.items():
        _check_kind(parameters.get(name), member)
    problems: list[str] = []
    for name, member in members.items():
        _check_bounds(path + _lower_first(name), parameters.get(name), member, problems)
    if problems:
        noun = "errors" if len(problems) > 1 else "error"
        raise AwsError("ValidationException", f"{len(problems)} validation {noun} detected: {'; '.join(problems[:_REPORTED_MAX])}")


_PYTHON_TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.STRING: (str,),
    Kind.INTEGER: (int,),
    Kind.BOOLEAN: (bool,),
    Kind.TIMESTAMP: (int, float, datetime),
    Kind.LIST: (list,),
    Kind.MAP: (dict,),
    Kind.STRUCTURE: (dict,),
}


def _check_kind(value: Any, member: Member) -> None:
    if value is None:
        return
    is_boolean = isinstance(value, bool)
    if is_boolean != (member.kind is Kind.BOOLEAN) or not _is_of(value, member.kind):
        raise AwsError("SerializationException", _kind_problem(value, member.kind))
    if member.kind is Kind.STRUCTURE:
        for name, inner in member.members.items():
            _check_kind(value.get(name), inner)
    elif member.element is not None:
        for inner_value in value if member.kind is Kind.LIST else value.values():
            _check_kind(inner_value, member.element)


def _is_of(value: Any, kind: Kind) -> bool:
    return isinstance(value, _PYTHON_TYPES[kind])


def _kind_problem(value: Any, kind: Kind) -> str:
    if isinstance(value, list):
        return "Start of list found where not expected"
    if isinstance(value, dict):
        return "Start of structure or map found where not expected."
    if kind in (Kind.LIST, Kind.MAP):
        return f"Expected {kind.value.lower()} or null"
    if kind is Kind.STRUCTURE:
        return "Expected null"
    if isinstance(value, bool):
        found = "TRUE_VALUE" if value else "FALSE_VALUE"
    else:
        found = "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"
    return f"{found} can not be converted to {kind.value}"


def _check_bounds(path: str, value: Any, member: Member, problems: list[str]) -> None:
    if value is None:
        if member.is_required:
            problems.append(f"Value null at '{path}' failed to satisfy constraint: Member must not be null")
        return
    if member.kind is Kind.STRUCTURE:
        for name, inner in member.members.items():
            _check_bounds(f"{path}.{_lower_first(name)}", value.get(name), inner, problems)
        return
    problems.extend(
        f"Value '{_show(value)}' at '{path}' failed to satisfy constraint: {problem}" for problem in _broken_constraints(value, member)
    )
    if member.element is not None:
        is_list = member.kind is Kind.LIST
        pairs = ((str(number), inner) for number, inner in enumerate(value, 1)) if is_list else value.items()
        for label, inner in pairs:
            _check_bounds(f"{path}.{label}.member", inner, member.element, problems)


def _broken_constraints(value: Any, member: Member) -> list[str]:
    broken = []
    noun, measure = ("value", value) if member.kind is Kind.INTEGER else ("length", len(value) if hasattr(value, "__len__") else 0)
    if member.maximum is not None and measure > member.maximum:
        broken.append(f"Member must have {noun} less than or equal to {member.maximum}")
    if member.minimum is not None and measure < member.minimum:
        broken.append(f"Member must have {noun} greater than or equal to {member.minimum}")
    if member.pattern is not None and not re.fullmatch(member.pattern, value):
        broken.append(f"Member must satisfy regular expression pattern: {member.pattern}")
    if member.choices and value not in member.choices:
        broken.append(f"Member must satisfy enum value set: [{', '.join(member.choices)}]")
    return broken


def _show(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_show, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_show(inner)}" for key, inner in value.items()) + "}"
    return str(value)


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
