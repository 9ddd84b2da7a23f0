"""JSON paths of COPY: `$.a.b[0]` and `$['a']['b'][0]`, one per column, in a file of their own ("COPY from JSON format")."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from nearshift.transfer.places import TransferError

_STEP: Final = re.compile(r"""\.([^.\[\]'"]+)|\[\s*'((?:[^'\\]|\\.)*)'\s*\]|\[\s*"((?:[^"\\]|\\.)*)"\s*\]|\[\s*(\d+)\s*\]""")
Path = tuple[str | int, ...]


def parse_path(text: str) -> Path:
    """Return the steps of one path, names and places from 0. Raises TransferError."""
    steps: list[str | int] = []
    position = 1
    if not text.startswith("$"):
        raise _bad(text, 0)
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise _bad(text, position)
        name = match[1] or match[2] or match[3]
        steps.append(int(match[4]) if match[4] is not None else re.sub(r"\\(.)", r"\1", name or ""))
        position = match.end()
    return tuple(steps)


def parse_paths(url: str, content: bytes, column_count: int) -> tuple[Path, ...]:
    """Return the paths of a JSONPaths file: an object with one key, `jsonpaths`, and a list of paths, one per column."""
    try:
        found = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=dict[str, list[str]])
        paths = found["jsonpaths"]
    except (msgspec.DecodeError, KeyError) as error:
        message = f"Invalid JSONPath format in '{url}': Member is not an object or has no list \"jsonpaths\""
        raise TransferError(message, hint='Write {"jsonpaths": ["$.id", "$.name"]}.') from error
    if len(paths) != column_count:
        raise TransferError(
            f"Number of jsonpaths and the number of columns should match. JSONPath size: {len(paths)}, "
            f"Number of columns in table or column list: {column_count}"
        )
    return tuple(parse_path(path) for path in paths)


def _bad(text: str, position: int) -> TransferError:
    return TransferError(
        f"Invalid JSONPath format: '{text}' is not supported at place {position + 1}",
        hint="Use names and places only, as in $.a.b[0] or $['a']['b'][0]; wildcards and filters are not supported.",
    )
