"""`nearshift check`: what the target would refuse, recompute in full, cut or answer with NULL."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from nearshift.check.findings import Finding, Severity
from nearshift.check.run import check_folder
from nearshift.cli.options import AsJson, Folder
from nearshift.cli.terminal import console, write_json
from nearshift.errors import ConfigurationError

app = typer.Typer(add_completion=False)

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


@app.command()
def check(
    folder: Folder = Path(),
    target: Annotated[str, typer.Option(help="Whose rules: redshift.")] = "redshift",
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 for warnings too.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Check a pipeline's SQL and schedules against Amazon Redshift's rules, without a connection.

    Ends with 1 when there is an error. Each line names the file, the place, the rule and what to do, and the page of AWS behind the rule.
    """
    if target != "redshift":
        raise ConfigurationError(f'there are no rules for target "{target}"', hint="Choose redshift.")
    findings = check_folder(folder)
    if as_json:
        write_json([_plain(one) for one in findings])
    else:
        for one in findings:
            _write(one)
        counts = Counter(one.rule.severity for one in findings)
        sys.stdout.write(", ".join(f"{counts[one]} {one.value}{'' if counts[one] == 1 else 's'}" for one in Severity) + "\n")
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    if any(one.rule.severity in failing for one in findings):
        raise typer.Exit(1)


def _plain(one: Finding) -> dict[str, object]:
    return {
        "file": one.found.file, "line": one.line, "column": one.column, "severity": one.rule.severity.value, "rule": one.rule.name,
        "message": one.found.message, "hint": one.found.hint, "error": one.found.error, "page": one.rule.page,
    }  # fmt: skip


def _write(one: Finding) -> None:
    from rich.text import Text

    mark = (one.rule.severity.value, _COLOURS[one.rule.severity])
    console().print(Text.assemble(f"{one.found.file}:{one.line}:{one.column}: ", mark, f" {one.found.message} [{one.rule.name}]"))
    if one.found.error is not None and one.found.error != one.found.message:
        console().print(Text(f"    Redshift: {one.found.error}"))
    console().print(Text(f"    hint: {one.found.hint}"))
    console().print(Text(f"    page: {one.rule.page}", style="dim"))
