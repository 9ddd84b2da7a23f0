"""Places in a dashboard file, and the error that names one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import yaml

from nearshift.errors import ConfigurationError

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,126}\Z")
_SPAN = re.compile(r"(\d{1,5})\s*([smhdw])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class DashboardError(ConfigurationError):
    """A dashboard file that cannot be used: `file`, `key` and `line` (from 1) say where, as far as known."""

    def __init__(self, message: str, *, file: str, key: str | None = None, line: int | None = None, hint: str | None = None) -> None:
        place = f"{file}:{line}" if line is not None else file
        super().__init__(f"{place}: {key}: {message}" if key else f"{place}: {message}", hint=hint)
        self.file = file
        self.key = key
        self.line = line


def parse_span(text: str) -> timedelta:
    """Return the span that `30s`, `15m`, `24h`, `7d` or `2w` means; ValueError for anything else."""
    shape = _SPAN.match(text.strip())
    if shape is None or int(shape[1]) == 0:
        raise ValueError(f'"{text}" is not a span of time')
    return timedelta(**{_UNITS[shape[2]]: int(shape[1])})


@dataclass(frozen=True, slots=True)
class SourceText:
    """A file's nodes, to find the line of a key in."""

    file: str
    root: yaml.Node

    def line(self, path: str) -> int:
        """Return the line (from 1) of the deepest part of `path` that exists."""
        node, line = self.root, self.root.start_mark.line
        for name, index in re.findall(r"\.?([^.\[\]]+)|\[(\d+)\]", path):
            found: yaml.Node | None = None
            if index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
                found = node.value[int(index)]
                line = found.start_mark.line if found else line
            elif name and isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == name:
                        found, line = value, key.start_mark.line
            if found is None:
                break
            node = found
        return int(line) + 1

    def error(self, path: str, message: str, hint: str | None = None) -> DashboardError:
        """Return the error to raise for the value at `path`."""
        return DashboardError(message, file=self.file, key=path.lstrip(".") or None, line=self.line(path), hint=hint)
