"""`nearshift drift`: what arrives against what is declared."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.options import AsJson, Folder
from nearshift.cli.remote import TargetName, check_target, open_remote
from nearshift.cli.terminal import write_json, write_table
from nearshift.pipeline.folder import read_folder

app = typer.Typer(add_completion=False)

DRIFTED: Final = 3


@app.command()
def drift(
    folder: Folder = Path(),
    target: TargetName = "local",
    sample: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many of the newest changes to look at.")] = 10_000,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Compare the newest changes with the facts and dimensions that nearshift.toml declares.

    Ends with 0 when nothing differs, with 3 when something does: attributes that are new, lost, of mixed types or too long, values that do
    not fit, items that no table claims. No values are shown.
    """
    from nearshift.generate.drift import find_drift

    check_target(target)
    pipeline = read_folder(folder)
    connection = open_connection(folder) if target == "local" else open_remote(pipeline)
    try:
        report = find_drift(pipeline.manifest, connection.run, sample)
    finally:
        connection.close()
    if as_json:
        differences = [
            {
                "table": one.table, "kind": one.kind.value, "attribute": one.attribute, "declared": one.declared, "found": one.found,
                "count": one.count,
            }
            for one in report.differences
        ]  # fmt: skip
        write_json({"changes": report.change_count, "differences": differences})
    else:
        if report.differences:
            rows = [(one.table, one.kind.value, one.attribute, one.declared, one.found, one.count) for one in report.differences]
            write_table(("table", "drift", "attribute", "declared", "found", "count"), rows)
        sys.stdout.write(f"{len(report.differences)} differences in {report.change_count} changes\n")
    if report.differences:
        raise typer.Exit(DRIFTED)
