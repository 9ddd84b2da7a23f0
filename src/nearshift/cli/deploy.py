"""`nearshift deploy`: the folder on AWS, step by step; or the whole as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nearshift.cli.options import Allow, AsJson, Folder
from nearshift.cli.remote import open_deployment
from nearshift.cli.show_outline import outline_as_json, write_line, write_outline
from nearshift.cli.terminal import write_json
from nearshift.deploy.deployment import write_template
from nearshift.deploy.papers import write_papers
from nearshift.deploy.successor import write_successors
from nearshift.pipeline.folder import read_folder

app = typer.Typer(add_completion=False)


@app.command()
def deploy(
    folder: Folder = Path(),
    allow: Allow = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write template, SQL and commands to DIR/deploy; ask nothing of AWS.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Bring the pipeline folder to AWS: stack, capture, roles, SQL, schedules.

    Deploying twice does nothing the second time, and a run that was cut off goes on. What would lose rows is refused until it is allowed
    by name.
    """
    pipeline = read_folder(folder)
    if dry_run:
        for path in write_papers(pipeline):
            sys.stdout.write(f"{path}\n")
        return
    deployment = open_deployment(pipeline)
    write_template(folder, deployment.template)
    allowed = frozenset(allow or ())
    outline = deployment.plan(allowed)
    for path in write_successors(pipeline, outline):
        sys.stderr.write(f"The safe steps instead are written in {path}.\n")
    if as_json:
        write_json(outline_as_json(outline))
    else:
        write_outline(outline)
    if outline.is_empty:
        return
    done = 0
    for line in deployment.deploy(allowed):
        done += 1
        if not as_json:
            write_line(line)
    if not as_json:
        sys.stdout.write(f"Deployed: {done} steps.\n")
