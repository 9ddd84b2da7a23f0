"""Whole queries: both sides give the same rows, in the same order where there is one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from tests.differential.conftest import TIMES
from tests.differential.queries import KINDS, Question, questions
from tests.differential.sides import Sides

_EXAMPLES = 60


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_query_has_one_answer(sides: Sides, kind: str) -> None:
    @settings(settings.get_profile("differential"), max_examples=_EXAMPLES * TIMES)
    @given(questions(kind))
    def same(question: Question) -> None:
        ours, theirs, is_ordered = question
        sides.check(ours, theirs=theirs, is_ordered=is_ordered)

    same()
