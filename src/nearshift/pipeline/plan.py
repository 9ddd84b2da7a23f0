"""Wanted against found: the ordered difference between a pipeline and a target, as values with reasons. Nothing here touches a target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from nearshift.pipeline.definitions import Definition, Kind, identity_of


class Action(Enum):
    """What a step does."""

    CREATE = "create"
    REPLACE = "replace"
    RUN = "run"
    KEEP = "keep"
    DROP = "drop"
    FORGET = "forget"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Applied:
    """What a target remembers of one definition that was applied to it; `ordinal` is its place in the order of applying."""

    kind: Kind
    name: str
    fingerprint: str
    ordinal: int

    @property
    def identity(self) -> tuple[str, str]:
        """What makes it the same object as a definition."""
        return identity_of(self.kind, self.name)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan. `wanted` is None for what goes, `found` is None for what comes."""

    action: Action
    kind: Kind
    name: str
    reason: str
    wanted: Definition | None = None
    found: Applied | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in the order of the folder, then what goes, last applied first."""

    steps: tuple[Step, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return all(step.action is Action.KEEP for step in self.steps)

    @property
    def refusals(self) -> tuple[Step, ...]:
        """The steps that must be allowed first."""
        return tuple(step for step in self.steps if step.action is Action.REFUSE)

    def counts(self) -> dict[Action, int]:
        """Return how many steps each action has, in the order of Action."""
        return {action: count for action in Action if (count := sum(step.action is action for step in self.steps))}


# What is lost when an object of this kind is dropped; None when it can be made again from the rest.
_LOSS: dict[Kind, str] = {
    Kind.TABLE: "its rows would be lost",
    Kind.STREAMING_VIEW: "made again it reads the stream from its oldest record, and rows older than the stream's retention would be lost",
    Kind.EXTERNAL_SCHEMA: "the streaming views that read through it would have to go",
    Kind.SCHEMA: "all that is in it would have to go",
}


def plan_changes(wanted: Iterable[Definition], found: Iterable[Applied], allowed: frozenset[str] = frozenset()) -> Plan:
    """Return the steps that bring a target from what was found to what is wanted.

    A step that would lose what cannot be made again is REFUSE, unless its name is in `allowed`. Applying the plan and planning again gives
    an empty plan.
    """
    before = {applied.identity: applied for applied in found}
    steps: list[Step] = []
    renewed: dict[str, str] = {}
    for definition in wanted:
        step = _decide(definition, before.pop(definition.identity, None), renewed, allowed)
        steps.append(step)
        if step.action in {Action.CREATE, Action.REPLACE} and definition.kind is not Kind.STATEMENT:
            renewed[definition.name] = "made" if step.action is Action.CREATE else "replaced"
    leftover = sorted(before.values(), key=lambda applied: -applied.ordinal)
    steps += [_decide_removal(applied, allowed) for applied in leftover]
    return Plan(tuple(steps))


def _decide(wanted: Definition, found: Applied | None, renewed: dict[str, str], allowed: frozenset[str]) -> Step:
    def step(action: Action, reason: str) -> Step:
        return Step(action, wanted.kind, wanted.name, reason, wanted, found)

    base = next((name for name in sorted(wanted.reads) if name in renewed), None)
    if wanted.kind is Kind.STATEMENT:
        if found is None:
            return step(Action.RUN, "it has not been run")
        return step(Action.RUN, f'"{base}" is {renewed[base]}') if base else step(Action.KEEP, "it has been run")
    if found is None:
        return step(Action.CREATE, "it is not there")
    is_same = found.fingerprint == wanted.fingerprint and found.kind is wanted.kind
    if is_same and (base is None or wanted.kind is Kind.TABLE):
        return step(Action.KEEP, "it is as written")
    reason = "its text has changed" if not is_same else f'it reads "{base}", which is {renewed[base or ""]}'
    loss = _LOSS.get(found.kind)
    if loss is not None and wanted.name not in allowed:
        return step(Action.REFUSE, f"{reason}, but {loss}")
    return step(Action.REPLACE, reason)


def _decide_removal(found: Applied, allowed: frozenset[str]) -> Step:
    def step(action: Action, reason: str) -> Step:
        return Step(action, found.kind, found.name, reason, None, found)

    if found.kind is Kind.STATEMENT:
        return step(Action.FORGET, "the folder no longer has it; what it did stays")
    loss = _LOSS.get(found.kind)
    if loss is not None and found.name not in allowed:
        return step(Action.REFUSE, f"the folder no longer has it, but {loss}")
    return step(Action.DROP, "the folder no longer has it")


def plan_removal(found: Iterable[Applied]) -> Plan:
    """Return the steps that take everything away again, what was applied last first."""
    leftover = sorted(found, key=lambda applied: -applied.ordinal)
    names = frozenset(applied.name for applied in leftover)
    return Plan(tuple(_decide_removal(applied, names) for applied in leftover))
