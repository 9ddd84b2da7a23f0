"""`nearshift destroy`: drop what the folder created, what reads something before what it reads."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.options import AsJson, Folder, Yes
from nearshift.cli.remote import TargetName, check_target, open_deployment
from nearshift.cli.show_outline import outline_as_json, write_line, write_outline
from nearshift.cli.show_plan import plan_as_json, write_plan
from nearshift.cli.terminal import write_json
from nearshift.errors import ConfigurationError
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.manifest import FILE_NAME, read_manifest
from nearshift.pipeline.plan import plan_removal

app = typer.Typer(add_completion=False)


@app.command()
def destroy(folder: Folder = Path(), target: TargetName = "local", yes: Yes = False, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Drop every object that the pipeline folder created in the warehouse, with its rows.

    Locally the stream and the DynamoDB table are not touched. On AWS all that was made goes, and the table that was made stays.
    """
    check_target(target)
    if target == "redshift":
        _destroy_on_aws(folder, yes=yes, as_json=as_json)
        return
    name = read_manifest(folder / FILE_NAME).name
    connection = open_connection(folder)
    try:
        place = WarehouseTarget(connection)
        plan = plan_removal(place.found(name))
        if as_json:
            write_json(plan_as_json(plan))
        else:
            write_plan(plan)
        if plan.is_empty:
            return
        _confirm(yes=yes)
        done = sum(1 for _ in carry_out(plan, name, place))
    finally:
        connection.close()
    if not as_json:
        sys.stdout.write(f"Destroyed: {done} objects.\n")


def _destroy_on_aws(folder: Path, *, yes: bool, as_json: bool) -> None:
    deployment = open_deployment(read_folder(folder))
    outline = deployment.plan_destroy()
    if as_json:
        write_json(outline_as_json(outline))
    else:
        write_outline(outline)
    if outline.is_empty:
        return
    _confirm(yes=yes)
    done = 0
    for line in deployment.destroy():
        done += 1
        if not as_json:
            write_line(line)
    if not as_json:
        sys.stdout.write(f"Destroyed: {done} steps.\n")
        for note in outline.notes:
            sys.stdout.write(f"Left: {note}.\n")


def _confirm(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError("nothing was dropped: nobody can be asked", hint="Say --yes.")
    if not typer.confirm("Drop all this?", err=True):
        raise ConfigurationError("nothing was dropped")
