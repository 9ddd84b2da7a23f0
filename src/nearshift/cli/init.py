"""`nearshift init`: a new folder with a small pipeline that works, to be changed."""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import typer

from nearshift.cli.running import STATE_FOLDER
from nearshift.errors import ConfigurationError

app = typer.Typer(add_completion=False)

_TEMPLATES: Final = {"starter": "starter", "customer-transactions": "customer-transactions"}


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.")],
    template: Annotated[str, typer.Option(help="starter, or customer-transactions: the whole example.")] = "starter",
) -> None:
    """Make a new pipeline folder: nearshift.toml, SQL, a dashboard and a test."""
    if template not in _TEMPLATES:
        raise ConfigurationError(f'there is no template "{template}"', hint=f"Choose {' or '.join(_TEMPLATES)}.")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f'"{folder}" is not empty', hint="Name a new folder.")
    root = resources.files("nearshift") / "examples" / _TEMPLATES[template]
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.resolve().name).strip("-.") or "my-pipeline"
    try:
        with resources.as_file(root) as source:
            for file in sorted(path for path in source.rglob("*") if path.is_file() and STATE_FOLDER not in path.parts):
                text = file.read_text(encoding="utf-8")
                target = folder / file.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text.replace('name = "my-pipeline"', f'name = "{name}"', 1), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f'could not write "{folder}": {(error.strerror or "unknown reason").lower()}') from error
    (folder / ".gitignore").write_text(".nearshift/\n", encoding="utf-8")
    following = "".join(f"  nearshift {command} {folder}\n" for command in ("test", "serve", "apply"))
    sys.stdout.write(f"{folder} is a pipeline folder. Next:\n{following}")
