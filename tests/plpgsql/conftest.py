"""A fresh warehouse of the fake kind for each test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _load() -> Any:
    """Load the neighbour module: with importmode=importlib a test folder is no package."""
    name = "plpgsql_duckdb_runner"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("duckdb_runner.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def runner() -> Iterator[Any]:
    found = _load().DuckRunner()
    yield found
    found.connection.close()


@pytest.fixture(scope="session")
def new_runner() -> Any:
    return _load().DuckRunner
