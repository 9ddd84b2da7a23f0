"""`nearshift test`: the pipeline's own tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nearshift.cli.options import AsJson, Folder
from nearshift.cli.terminal import console, write_json
from nearshift.clock import SystemClock
from nearshift.pipeline.bench import Benches
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.trial import Verdict, find_cases, run_cases

app = typer.Typer(add_completion=False)


@app.command()
def run(
    folder: Folder = Path(),
    only: Annotated[str | None, typer.Option("--only", "-k", metavar="TEXT", help="Only tests whose name or file has this.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Run the tests in tests/*.test: each puts changes into a stream in memory and compares rows of a new warehouse.

    Ends with 1 when a test fails.
    """
    pipeline = read_folder(folder)
    verdicts: list[Verdict] = []
    cases = find_cases(pipeline, only)
    with Benches(pipeline) as benches:
        for verdict in run_cases(cases, benches.open, SystemClock().monotonic):
            verdicts.append(verdict)
            if not as_json:
                _write(verdict)
    failed = sum(not verdict.has_passed for verdict in verdicts)
    if as_json:
        write_json([
            {"test": one.case.name, "file": one.case.file, "line": one.case.line, "passed": one.has_passed, "failures": one.failures}
            for one in verdicts
        ])  # fmt: skip
    else:
        sys.stdout.write(f"{len(verdicts) - failed} passed, {failed} failed\n")
    if failed:
        raise typer.Exit(1)


def _write(verdict: Verdict) -> None:
    from rich.text import Text

    mark = ("PASS", "green") if verdict.has_passed else ("FAIL", "bold red")
    console().print(Text.assemble(mark, f" {verdict.case.name}", (f"  {verdict.seconds:.2f} s", "dim")))
    for failure in verdict.failures:
        console().print(Text(f"     {failure}"))
