"""`nearshift plan`: what apply or deploy would do, and nothing done."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import typer

from nearshift.cli.options import Allow, AsJson, Folder
from nearshift.cli.remote import TargetName, check_target, open_deployment
from nearshift.cli.show_outline import outline_as_json, write_outline
from nearshift.cli.show_plan import plan_as_json, write_plan
from nearshift.cli.terminal import write_json
from nearshift.pipeline.folder import Pipeline, read_folder

app = typer.Typer(add_completion=False)


@app.command()
def plan(folder: Folder = Path(), target: TargetName = "local", allow: Allow = None, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Show what is there, what would change and what would lose rows, and do nothing.

    For Redshift a change set is made, shown and taken back.
    """
    check_target(target)
    pipeline = read_folder(folder)
    allowed = frozenset(allow or ())
    if target == "redshift":
        _plan_redshift(pipeline, allowed, as_json=as_json)
        return
    from nearshift.cli.connect import open_connection
    from nearshift.pipeline.local import WarehouseTarget
    from nearshift.pipeline.plan import plan_changes

    with closing(open_connection(folder)) as connection:
        steps = plan_changes(pipeline.definitions, WarehouseTarget(connection).found(pipeline.name), allowed)
    if as_json:
        write_json(plan_as_json(steps))
    else:
        write_plan(steps)


def _plan_redshift(pipeline: Pipeline, allowed: frozenset[str], *, as_json: bool) -> None:
    from nearshift.deploy.successor import write_successors

    outline = open_deployment(pipeline).plan(allowed)
    if as_json:
        write_json(outline_as_json(outline))
    else:
        write_outline(outline)
    for path in write_successors(pipeline, outline):
        sys.stderr.write(f"The safe steps instead are written in {path}.\n")
