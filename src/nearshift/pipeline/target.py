"""A place that a pipeline can be applied to, and the connection through which it is reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nearshift.pipeline.definitions import Definition
from nearshift.pipeline.plan import Applied
from nearshift.results import Notice


@dataclass(frozen=True, slots=True)
class Answer:
    """What one statement gave back: its tag, and rows of Python values under their labels."""

    tag: str
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[Any, ...]] = ()
    notices: tuple[Notice, ...] = field(default=())


class Connection(Protocol):
    """A conversation with a warehouse, in process or from afar. One thread at a time."""

    def run(self, text: str) -> Answer:
        """Run one statement and return all it gives. Raises NearshiftError with a span in `text` where one is known."""
        ...

    def close(self) -> None:
        """End it; what is open is rolled back. A second call does nothing."""
        ...


class Target(Protocol):
    """A place that remembers what was applied to it."""

    def found(self, pipeline: str) -> list[Applied]:
        """Return what was applied of a pipeline, in the order of applying."""
        ...

    def create(self, pipeline: str, definition: Definition, ordinal: int) -> None:
        """Make the object, or run the statement, and remember it: both or neither. Raises NearshiftError."""
        ...

    def drop(self, pipeline: str, applied: Applied) -> None:
        """Drop the object, if it is still there, and forget it: both or neither."""
        ...

    def forget(self, pipeline: str, applied: Applied) -> None:
        """Forget it without touching anything."""
        ...
