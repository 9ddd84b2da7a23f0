"""A plan carried out step by step."""

from __future__ import annotations

from collections.abc import Iterator

from nearshift.errors import ConfigurationError
from nearshift.pipeline.definitions import Kind
from nearshift.pipeline.plan import Action, Plan, Step
from nearshift.pipeline.target import Target


def carry_out(plan: Plan, pipeline: str, target: Target) -> Iterator[Step]:
    """Do what the plan says and yield each step once it is done: what goes, last applied first, then what comes, in the folder's order.

    Each step is remembered together with its deed, so a run that broke off is finished by planning again. Nothing is done when the plan
    has refusals: then ConfigurationError. Errors of a statement are raised as the target raises them.
    """
    if plan.refusals:
        names = " ".join(f"--allow {step.name}" for step in plan.refusals)
        step = plan.refusals[0]
        message = f'{step.kind.value.lower()} "{step.name}" is not changed: {step.reason}'
        raise ConfigurationError(message, hint=f"To do it nevertheless, apply with: {names}")
    going = [step for step in plan.steps if step.found is not None and _must_go_first(step)]
    for step in sorted(going, key=lambda step: -(step.found.ordinal if step.found else 0)):
        assert step.found is not None, "what goes was found"
        if step.action is Action.FORGET:
            target.forget(pipeline, step.found)
        else:
            target.drop(pipeline, step.found)
        if step.action is not Action.REPLACE:
            yield step
    for ordinal, step in enumerate(plan.steps):
        if step.wanted is not None and step.action in {Action.CREATE, Action.REPLACE, Action.RUN}:
            target.create(pipeline, step.wanted, ordinal)
            yield step


def _must_go_first(step: Step) -> bool:
    if step.action is Action.REPLACE:
        is_written_over = step.kind is Kind.SCHEDULE or (step.kind is Kind.PROCEDURE and _is_or_replace(step))
        return not is_written_over
    return step.action in {Action.DROP, Action.FORGET}


def _is_or_replace(step: Step) -> bool:
    return step.wanted is not None and step.wanted.is_or_replace
