"""`nearshift local-aws`: the stand-in alone, for other programs. Its options are its own (`nearshift local-aws --help`)."""

from __future__ import annotations

import sys

from nearshift.localaws.server import main


def app(arguments: list[str], prog_name: str) -> None:  # noqa: ARG001 - the stand-in names itself
    """Run it and end with its exit code."""
    sys.exit(main(arguments))
