"""Expressions over rows of all types, and the same ones as conditions: both sides answer alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.differential.conftest import TIMES
from tests.differential.differences import DIFFERENCES
from tests.differential.expressions import KINDS, expressions
from tests.differential.sides import Sides

_EXAMPLES = 40


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_expression_has_one_value(sides: Sides, kind: str) -> None:
    @settings(settings.get_profile("differential"), max_examples=_EXAMPLES * TIMES)
    @given(expressions(kind), st.integers(0, 39))
    def same(expression: str, number: int) -> None:
        sides.check(f"SELECT {expression} AS x FROM mix WHERE id = {number}")
        sides.check(f"SELECT id, {expression} AS x FROM mix WHERE a BETWEEN -10 AND 10 AND l BETWEEN -100 AND 100")

    same()


def test_a_condition_filters_alike(sides: Sides) -> None:
    @settings(settings.get_profile("differential"), max_examples=_EXAMPLES * TIMES)
    @given(expressions("condition"))
    def same(condition: str) -> None:
        sides.check(f"SELECT id FROM mix WHERE b IS NOT NULL AND a BETWEEN -10 AND 10 AND ({condition})")

    same()


def test_differences_are_told_with_reasons() -> None:
    assert all(why and around for why, around in DIFFERENCES.values())
    told: Any = DIFFERENCES
    assert len(told) > 10
