"""What was made beside the stack, in `deploy/state.json` of the folder: written before each deed as begun, after it as done.

CloudFormation remembers what it made. The rest, the capture of a table that was there before and a role added to a warehouse that was
there before, is undone by `destroy` only if this file says that we did it: keep it in git.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from nearshift.errors import ConfigurationError

FOLDER = "deploy"
FILE = "state.json"


class Made(Struct, frozen=True, forbid_unknown_fields=True):
    """One deed: `what` is "capture" or "role", `name` the table or warehouse, `other` the stream's or the role's ARN."""

    what: str
    name: str
    other: str
    is_done: bool = False


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    stack: str
    region: str
    made: tuple[Made, ...] = ()


class Memory:
    """The file of one folder, for one stack in one region."""

    def __init__(self, folder: Path, stack: str, region: str) -> None:
        """Read it. Raises ConfigurationError for a file that is not ours, or that is about another stack whose deeds would be forgotten."""
        self._path = folder / FOLDER / FILE
        self._file = _File(stack, region)
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigurationError(f'could not read "{self._path}"', detail=str(error), hint="Take it from git again.") from error
        if (found.stack, found.region) == (stack, region):
            self._file = found
        elif found.made:
            message = f'"{self._path}" remembers what was made for stack "{found.stack}" in {found.region}'
            hint = "Set stack and region back and destroy that one first: nearshift destroy --target redshift"
            raise ConfigurationError(message, hint=hint)

    def find(self, what: str, name: str) -> Made | None:
        """Return a deed, begun or done."""
        return next((one for one in self._file.made if (one.what, one.name) == (what, name)), None)

    def begin(self, what: str, name: str, other: str) -> None:
        """Write down that it will be done now."""
        self._write([*self._others(what, name), Made(what, name, other)])

    def finish(self, what: str, name: str, other: str) -> None:
        """Write down that it is done."""
        self._write([*self._others(what, name), Made(what, name, other, is_done=True)])

    def forget(self, what: str, name: str) -> None:
        """Write down that it is undone. The file goes with its last line."""
        self._write(self._others(what, name))

    def _others(self, what: str, name: str) -> list[Made]:
        return [one for one in self._file.made if (one.what, one.name) != (what, name)]

    def _write(self, made: list[Made]) -> None:
        self._file = _File(self._file.stack, self._file.region, tuple(made))
        if not made:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self._file), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
