"""The plan of a deployment as people and programs read it."""

from __future__ import annotations

import sys
from typing import Any

from nearshift.deploy.outline import Line, Outline

_MARKS = {
    "create": ("+", "green"), "run": (">", "green"), "enable": ("+", "green"), "add": ("+", "green"), "import": ("+", "green"),
    "change": ("~", "yellow"), "replace": ("~", "yellow"), "refuse": ("!", "bold red"),
}  # fmt: skip


def outline_as_json(outline: Outline) -> dict[str, Any]:
    """Return the plan for `--json`."""
    steps = [
        {"part": line.part.value, "action": line.action, "kind": line.kind, "name": line.name, "reason": line.reason}
        for line in outline.lines
    ]
    return {"is_empty": outline.is_empty, "steps": steps, "notes": list(outline.notes)}


def write_outline(outline: Outline) -> None:
    """Write all lines, part by part, then the notes."""
    for line in outline.lines:
        write_line(line)
    count = len(outline.lines)
    sys.stdout.write(f"Plan: {count} step{'' if count == 1 else 's'}.\n" if count else "Nothing to do.\n")
    for note in outline.notes:
        sys.stdout.write(f"Note: {note}.\n")
    sys.stdout.flush()


def write_line(line: Line) -> None:
    """Write one line."""
    from rich.text import Text

    from nearshift.cli.terminal import console

    mark, style = _MARKS.get(line.action, ("-", "red"))
    reason = (f"  ({line.reason})", "dim") if line.reason else ("", "dim")
    console().print(Text.assemble((f"{mark} {line.action:8}", style), f"{line.part.value:9} {line.kind:26} {line.name}", reason))
