"""`nearshift apply`: a plan first, then its steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.options import Allow, AsJson, Folder
from nearshift.cli.show_plan import plan_as_json, write_plan
from nearshift.cli.terminal import write_json
from nearshift.errors import ConfigurationError
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.plan import plan_changes

app = typer.Typer(add_completion=False)


@app.command()
def apply(
    folder: Folder = Path(),
    target: Annotated[str, typer.Option(help="Where to: local.")] = "local",
    allow: Allow = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and do nothing.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Bring a warehouse to what the pipeline folder says: a plan first, then the statements.

    Applying twice does nothing the second time. What would lose rows is refused until it is allowed by name.
    """
    if target != "local":
        raise ConfigurationError(f'there is no target "{target}"', hint="Use --target local.")
    pipeline = read_folder(folder)
    connection = open_connection(folder)
    try:
        place = WarehouseTarget(connection)
        plan = plan_changes(pipeline.definitions, place.found(pipeline.name), frozenset(allow or ()))
        if as_json:
            write_json(plan_as_json(plan))
        else:
            write_plan(plan)
        if dry_run:
            return
        done = sum(1 for _ in carry_out(plan, pipeline.name, place))
    finally:
        connection.close()
    if done and not as_json:
        sys.stdout.write(f"Applied: {done} steps.\n")
