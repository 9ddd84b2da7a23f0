"""A plan as people and programs read it."""

from __future__ import annotations

import sys
from typing import Any

from nearshift.pipeline.plan import Action, Plan, Step

_MARKS = {
    Action.CREATE: ("+", "green"), Action.REPLACE: ("~", "yellow"), Action.RUN: (">", "green"), Action.KEEP: ("=", "dim"),
    Action.DROP: ("-", "red"), Action.FORGET: ("-", "dim"), Action.REFUSE: ("!", "bold red"),
}  # fmt: skip


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """Return the plan for `--json`."""
    steps = [
        {"action": step.action.value, "kind": step.kind.value.lower(), "name": step.name, "reason": step.reason} for step in plan.steps
    ]
    return {"is_empty": plan.is_empty, "steps": steps}


def write_plan(plan: Plan, *, with_kept: bool = False) -> None:
    """Write the steps that do something, each with its reason, and a line of counts; kept ones only when asked for."""
    for step in plan.steps:
        if step.action is not Action.KEEP or with_kept:
            write_step(step)
    counts = ", ".join(f"{count} to {action.value}" for action, count in plan.counts().items())
    sys.stdout.write(f"{'Nothing to do' if plan.is_empty else 'Plan'}: {counts or 'no objects'}.\n")
    sys.stdout.flush()


def write_step(step: Step) -> None:
    """Write one step."""
    from rich.text import Text

    from nearshift.cli.terminal import console

    mark, style = _MARKS[step.action]
    what = f"{step.kind.value.lower():18} {step.name}"
    console().print(Text.assemble((f"{mark} {step.action.value:8}", style), what, (f"  ({step.reason})", "dim")))
