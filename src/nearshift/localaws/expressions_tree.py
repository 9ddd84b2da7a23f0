"""The nodes of DynamoDB's expressions, as parsed and as bound.

A parsed tree has placeholders in it (`#name` in paths, `Placeholder` for values) and may be cached by text. Binding replaces them by what
the request says; a bound tree has only plain paths and `Literal`s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class Path:
    """A document path: names and list indexes, the first is the name of an attribute of the item."""

    parts: tuple[str | int, ...]

    def shown(self) -> str:
        """Return the path as the service's messages print it: `[a, [0], b]`."""
        return f"[{', '.join(f'[{part}]' if isinstance(part, int) else part for part in self.parts)}]"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`:name`, before binding."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value of ExpressionAttributeValues, normalised."""

    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its operands; the name is as the user wrote it."""

    name: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left + right` or `left - right`, in SET only."""

    operator: str
    left: Operand
    right: Operand


Operand = Path | Placeholder | Literal | Call | Arithmetic


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right`, the operator one of = <> < <= > >=."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    """`operand BETWEEN low AND high`, both bounds included."""

    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class In:
    """`operand IN (choices)`."""

    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class And:
    """Both."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Or:
    """Either."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    condition: Condition


Condition = Compare | Between | In | And | Or | Not | Call


class Action(Enum):
    """The four sections of an update expression."""

    SET = "SET"
    REMOVE = "REMOVE"
    ADD = "ADD"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Update:
    """One step of an update expression; `operand` is None for REMOVE."""

    action: Action
    path: Path
    operand: Operand | None


def paths_of(node: Condition | Operand) -> Iterator[Path]:
    """Yield all paths of a bound condition or operand."""
    if isinstance(node, Path):
        yield node
    elif isinstance(node, Call):
        for operand in node.operands:
            yield from paths_of(operand)
    elif isinstance(node, Compare | Arithmetic | And | Or):
        yield from paths_of(node.left)
        yield from paths_of(node.right)
    elif isinstance(node, Between):
        for operand in (node.operand, node.low, node.high):
            yield from paths_of(operand)
    elif isinstance(node, In):
        for operand in (node.operand, *node.choices):
            yield from paths_of(operand)
    elif isinstance(node, Not):
        yield from paths_of(node.condition)
