"""The option that writes the expectations of text tests anew."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write into text tests what comes out of them; read the diff")
