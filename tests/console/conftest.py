"""Fixtures of the console's tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # tests.console.… also when pytest is not started as a module

from tests.console.fake_warehouse import FakeWarehouse


@pytest.fixture
def warehouse() -> Iterator[FakeWarehouse]:
    """A small warehouse with 400 transactions."""
    fake = FakeWarehouse(400)
    yield fake
    fake.close()
