"""Which of several routines of one name a call means, by the types of its arguments.

PostgreSQL 8.0's rules, "Type conversion": exact types win, then types of the same kind, then what converts by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from nearshift.types import NUMBERS, STRINGS, Kind

T = TypeVar("T")

_TIMES = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})


def best(candidates: Iterable[tuple[Sequence[Kind], T]], given: Sequence[Kind]) -> list[T]:
    """Return the candidates that fit the given types best: none when no one fits, several when the call is ambiguous."""
    scored: list[tuple[int, T]] = []
    for wanted, candidate in candidates:
        if len(wanted) == len(given):
            scores = [_fit(one, other) for one, other in zip(wanted, given, strict=True)]
            if all(score > 0 for score in scores):
                scored.append((sum(scores), candidate))
    most = max((score for score, _ in scored), default=0)
    return [candidate for score, candidate in scored if score == most]


def _fit(wanted: Kind, given: Kind) -> int:
    if wanted is given:
        return 3
    if given is Kind.UNKNOWN or (wanted in NUMBERS and given in NUMBERS) or {wanted, given} <= STRINGS:
        return 2
    if {wanted, given} <= _TIMES or wanted in STRINGS or given in STRINGS or wanted is Kind.SUPER:
        return 1
    return 1 if wanted is Kind.REFCURSOR else 0
