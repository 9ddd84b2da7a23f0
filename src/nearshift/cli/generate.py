"""`nearshift generate`: declared facts and dimensions, written out as SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nearshift.cli.options import AsJson, Folder
from nearshift.cli.terminal import write_json
from nearshift.generate.folder import Verdict, plan_files, write

app = typer.Typer(add_completion=False)


@app.command()
def generate(
    folder: Folder = Path(),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; end with 1 when a file is not up to date.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """(Re)write the SQL of the facts and dimensions that nearshift.toml declares.

    The same input gives the same bytes. A file that was changed by hand is yours: it is left as it is. Delete it to have it written again.
    """
    changes = plan_files(folder)
    if not check:
        write(changes)
    if as_json:
        write_json([{"file": f"sql/{one.path.name}", "verdict": one.verdict.value} for one in changes])
    else:
        for one in changes:
            note = "  (changed by hand, left as it is)" if one.verdict is Verdict.YOURS else ""
            sys.stdout.write(f"{one.verdict.value.ljust(6)}  sql/{one.path.name}{note}\n")
    if check and any(one.is_change for one in changes):
        raise typer.Exit(1)
