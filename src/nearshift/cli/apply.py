"""`nearshift apply`: a plan first, then its steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.options import Allow, AsJson, Folder
from nearshift.cli.remote import TargetName, check_target
from nearshift.cli.show_plan import plan_as_json, write_plan
from nearshift.cli.terminal import write_json
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.definitions import Definition, Kind
from nearshift.pipeline.folder import Pipeline, read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.plan import plan_changes
from nearshift.pipeline.target import Connection, Target

if TYPE_CHECKING:
    from nearshift.deploy.connections import RemoteConnection

app = typer.Typer(add_completion=False)


@app.command()
def apply(
    folder: Folder = Path(),
    target: TargetName = "local",
    allow: Allow = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and do nothing.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Bring a warehouse to what the pipeline folder says: a plan first, then the statements.

    Applying twice does nothing the second time. What would lose rows is refused until it is allowed by name.
    """
    check_target(target)
    pipeline = read_folder(folder)
    connection, place, definitions = _open(pipeline, target)
    try:
        plan = plan_changes(definitions, place.found(pipeline.name), frozenset(allow or ()))
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


def _open(pipeline: Pipeline, target: str) -> tuple[Connection | RemoteConnection, Target, tuple[Definition, ...]]:
    if target == "local":
        connection = open_connection(pipeline.path)
        return connection, WarehouseTarget(connection), pipeline.definitions
    from nearshift.cli.remote import open_remote
    from nearshift.deploy.redshift import RedshiftTarget

    remote = open_remote(pipeline)  # its schedules are EventBridge's, which `nearshift deploy` makes
    return remote, RedshiftTarget(remote), tuple(one for one in pipeline.definitions if one.kind is not Kind.SCHEDULE)
