"""`nearshift init`: a new folder with a small pipeline that works, to be changed; or one proposed from the items of a DynamoDB table."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nearshift.cli.running import STATE_FOLDER
from nearshift.cli.terminal import console, say
from nearshift.errors import ConfigurationError

if TYPE_CHECKING:
    from nearshift.generate.sampling import TableShape

app = typer.Typer(add_completion=False)

_TEMPLATES: Final = {"starter": "starter", "customer-transactions": "customer-transactions"}


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.")],
    template: Annotated[str | None, typer.Option(help="starter (the default), or customer-transactions: the whole example.")] = None,
    table: Annotated[str | None, typer.Option("--from-dynamodb", metavar="TABLE", help="Propose facts from this table's items.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(metavar="URL", help="Where DynamoDB is, if not on AWS.")] = None,
    sample: Annotated[int, typer.Option(min=1, max=100_000, help="How many items to read at most.")] = 1000,
    stream: Annotated[str | None, typer.Option(metavar="NAME", help="The Kinesis stream of the table's changes.")] = None,
    capture: Annotated[bool, typer.Option("--capture", help="Make that stream if need be, and let the table's changes go to it.")] = False,  # noqa: FBT002
) -> None:
    """Make a new pipeline folder: nearshift.toml, SQL, a dashboard and a test.

    With --from-dynamodb, facts and dimensions are proposed from a sample of the table's items: kinds of item told apart by their keys,
    types, nested maps and lists. What was ambiguous stands in the comments of nearshift.toml. The table is read by Scan, never written;
    only with --capture are a stream made and the table's capture turned on, which AWS charges for.
    """
    if template is not None and template not in _TEMPLATES:
        raise ConfigurationError(f'there is no template "{template}"', hint=f"Choose {' or '.join(_TEMPLATES)}.")
    if template is not None and table is not None:
        raise ConfigurationError("--template and --from-dynamodb exclude each other", hint="Leave one of them out.")
    if capture and table is None:
        raise ConfigurationError("--capture is for a table", hint="Add --from-dynamodb TABLE.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f'"{folder}" is not empty', hint="Name a new folder.")
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.resolve().name).strip("-.")[:128] or "my-pipeline"
    try:
        if table is None:
            _copy(folder, name, template or "starter")
        else:
            _propose(folder, name, table, endpoint_url, sample, stream, captures=capture)
    except OSError as error:
        raise ConfigurationError(f'could not write "{folder}": {(error.strerror or "unknown reason").lower()}') from error
    following = "".join(f"  nearshift {command} {folder}\n" for command in ("check", "test", "serve", "apply"))
    sys.stdout.write(f"{folder} is a pipeline folder. Next:\n{following}")


def _copy(folder: Path, name: str, template: str) -> None:
    root = resources.files("nearshift") / "examples" / _TEMPLATES[template]
    with resources.as_file(root) as source:
        for file in sorted(path for path in source.rglob("*") if path.is_file() and STATE_FOLDER not in path.parts):
            text = file.read_text(encoding="utf-8")
            _write(folder, str(file.relative_to(source)), text.replace('name = "my-pipeline"', f'name = "{name}"', 1))
    _write(folder, ".gitignore", f"{STATE_FOLDER}/\n")


def _write(folder: Path, file: str, text: str) -> None:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _propose(folder: Path, name: str, table: str, endpoint_url: str | None, count: int, stream: str | None, *, captures: bool) -> None:
    """Sample the table, then write; nothing is written when the table cannot be read."""
    from nearshift.generate.folder import plan_files, write
    from nearshift.generate.proposal import dashboard_text, first_test_text, manifest_text, propose
    from nearshift.generate.sampling import describe, open_table, sample

    client = open_table(endpoint_url)
    shape = describe(client, table)
    with _progress(min(count, shape.item_count or count)) as note:
        items = list(sample(client, table, count, note))
    proposal = propose(items, shape)
    chosen = stream or shape.stream or re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{table}-changes")[:128]
    if captures:
        _capture(shape, chosen, endpoint_url)
    is_captured = captures or shape.stream == chosen
    remark = None if is_captured else "The table's changes do not go to this stream yet: make it, and turn the table's capture on."
    _write(folder, "nearshift.toml", manifest_text(proposal, name, chosen, remark))
    _write(folder, "dashboards/overview.yaml", dashboard_text(proposal))
    _write(folder, "tests/first.test", first_test_text(proposal))
    _write(folder, ".gitignore", f"{STATE_FOLDER}/\n")
    write(plan_files(folder))
    for one in proposal.tables:
        kind = "dimension" if one.is_dimension else "fact"
        say(f"{kind} {one.name}: {len(one.kind.items)} of {proposal.sampled} items, {len(one.keys) + len(one.columns)} columns")
    if proposal.remark_count:
        say(f"{proposal.remark_count} remarks on what was ambiguous stand in {folder / 'nearshift.toml'}")
    if not is_captured:
        say(f'the changes of the table do not go to stream "{chosen}" yet: `nearshift deploy` sets that up, or begin anew with --capture')
    if endpoint_url is not None:
        say(f"the commands below need AWS_ENDPOINT_URL={endpoint_url}")


def _capture(shape: TableShape, stream: str, endpoint_url: str | None) -> None:
    """Make the stream and turn the capture on, as far as they are missing. Raises StreamError."""
    from nearshift.clock import SystemClock
    from nearshift.pipeline.manifest import Source
    from nearshift.pipeline.source import prepare_source

    if endpoint_url is not None:
        os.environ["AWS_ENDPOINT_URL"] = endpoint_url  # Kinesis is where DynamoDB is
    prepare_source(Source(shape.name, stream, shape.partition_key, shape.sort_key), SystemClock())


@contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None]]:
    """Yield what shows how many items were read: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _read: None
        return
    from rich.progress import Progress

    with Progress(console=console(is_error=True), transient=True) as progress:
        bar = progress.add_task("reading items", total=count)
        yield lambda read: progress.update(bar, completed=read)
