"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(metavar="DIR", envvar="NEARSHIFT_DIR", help="The pipeline folder.", show_default="here")]
InFolder = Annotated[Path, typer.Option("--dir", metavar="DIR", envvar="NEARSHIFT_DIR", help="The pipeline folder.", show_default="here")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Allow = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Let this object lose what it holds; repeatable.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, envvar="NEARSHIFT_PORT", help="PostgreSQL wire; 0 takes a free one.")]
ConsolePort = Annotated[int | None, typer.Option(min=0, max=65535, envvar="NEARSHIFT_CONSOLE_PORT", help="Console; 0 takes a free one.")]
Host = Annotated[str | None, typer.Option(envvar="NEARSHIFT_HOST", help="The address to listen on.")]
