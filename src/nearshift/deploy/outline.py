"""A deployment as a list: what each line would do and why, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nearshift.deploy.stack import ResourceChange
from nearshift.pipeline.plan import Action, Plan


class Part(Enum):
    """Where a line belongs; the order is that of carrying out."""

    STACK = "stack"
    BESIDE = "beside"
    SQL = "sql"
    SCHEDULES = "schedules"


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `is_refused` for what must be allowed first."""

    part: Part
    action: str
    kind: str
    name: str
    reason: str
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """The whole plan: its lines, notes beside them, and the plan of the SQL part.

    `columns` are those that streaming views have which it refuses to make again.
    """

    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    sql: Plan | None
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.lines

    @property
    def refusals(self) -> tuple[Line, ...]:
        """What must be allowed first."""
        return tuple(line for line in self.lines if line.is_refused)


_VERBS = {"Add": "create", "Modify": "change", "Remove": "remove", "Replace": "replace", "Replace?": "replace", "Import": "import"}


def stack_lines(changes: tuple[ResourceChange, ...], allowed: frozenset[str]) -> list[Line]:
    """Return the lines of a change set."""
    found: list[Line] = []
    for change in changes:
        verb = _VERBS.get(change.action, change.action.lower())
        reason = "it may have to be replaced" if change.action == "Replace?" else change.physical
        if change.loss is not None:
            reason = change.loss
        is_refused = change.loss is not None and change.name not in allowed
        found.append(Line(Part.STACK, "refuse" if is_refused else verb, change.kind.removeprefix("AWS::"), change.name, reason, is_refused))
    return found


def sql_lines(plan: Plan) -> list[Line]:
    """Return the lines of the SQL part that do something."""
    return [
        Line(Part.SQL, step.action.value, step.kind.value.lower(), step.name, step.reason, step.action is Action.REFUSE)
        for step in plan.steps
        if step.action is not Action.KEEP
    ]
