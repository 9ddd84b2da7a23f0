"""A warehouse in memory with streams in memory and a clock that only tests move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nearshift.catalog.entities import SchemaEntry
from nearshift.clock import ManualClock
from nearshift.errors import StreamError
from nearshift.session import Session
from nearshift.streams.memory import MemoryStream
from nearshift.streams.reader import Source
from nearshift.warehouse import Warehouse


class Place:
    """One warehouse, its clock and its streams; `rows` runs a script in a session of its own, or in the one given."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.streams: dict[str, MemoryStream] = {}
        self.warehouse = Warehouse.open(clock=self.clock, sources=self._source, threads=1, **options)

    def _source(self, _schema: SchemaEntry, name: str) -> Source:
        if name not in self.streams:
            raise StreamError(f'stream "{name}" does not exist', sqlstate="42704")
        return self.streams[name].source()

    def stream(self, name: str, **options: Any) -> MemoryStream:
        """Make a stream."""
        self.streams[name] = MemoryStream(name, clock=self.clock, **options)
        return self.streams[name]

    def rows(self, text: str, session: Session | None = None) -> list[tuple[Any, ...]]:
        """Run a script and return the rows of its last statement."""
        used = session or self.warehouse.session()
        try:
            found: list[tuple[Any, ...]] = []
            for result in used.execute_script(text):
                found = result.rows()
            return found
        finally:
            if session is None:
                used.close()


@pytest.fixture
def place() -> Iterator[Place]:
    found = Place()
    yield found
    found.warehouse.close()


@pytest.fixture
def make_place() -> type[Place]:
    """What makes places, for tests that need many."""
    return Place
