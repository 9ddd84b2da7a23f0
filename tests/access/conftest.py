"""A warehouse in memory with users in it, and statements run by any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nearshift.clock import ManualClock
from nearshift.warehouse import Warehouse

Run = Callable[[str, str], list[tuple[Any, ...]]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def warehouse(clock: ManualClock) -> Iterator[Warehouse]:
    with Warehouse.open(clock=clock, threads=1) as opened:
        yield opened


@pytest.fixture
def run(warehouse: Warehouse) -> Run:
    """Return what runs a statement in a session of a user and gives its rows."""

    def act(user: str, text: str) -> list[tuple[Any, ...]]:
        session = warehouse.session(user)
        try:
            rows: list[tuple[Any, ...]] = []
            for result in session.execute_script(text):
                rows = list(result.rows()) if result.columns is not None else []
            return rows
        finally:
            session.close()

    return act
