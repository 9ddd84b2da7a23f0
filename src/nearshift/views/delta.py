"""Whether a materialized view over relations can be kept by the rows that its base gained, or must be computed anew, and why; pure.

A view that only selects, filters, casts and unnests one materialized view has one row set per base row: what the base gained, run through
the same query, is what the view gains. That covers the pipeline's views, LEFT JOIN of a SUPER array on true included (Redshift's manual
leaves open whether that one is an outer join to it; validity here never depends on it). Everything else is computed anew at each
refresh: correct, and said so in `svv_mv_info.state` and in the refresh history.
"""

from __future__ import annotations

from dataclasses import dataclass

from nearshift.catalog.entities import Snapshot
from nearshift.sql.relations import RelationKind
from nearshift.sql.shape import Shape


@dataclass(frozen=True, slots=True)
class Delta:
    """The view can be kept by the delta of this base (schema, name)."""

    base: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Full:
    """The view is computed anew, for this reason."""

    reason: str


_VIEWS = frozenset({RelationKind.STREAMING_VIEW, RelationKind.DERIVED_VIEW})


def decide_maintenance(shape: Shape, snapshot: Snapshot) -> Delta | Full:
    """Decide how the view of this shape is kept."""
    if shape.delta_base is None:
        return Full("; ".join(shape.reasons))
    base = snapshot.relations.get(shape.delta_base)
    if base is None or base.kind not in _VIEWS:
        return Full("its base is not a materialized view: rows of a table change in place")
    return Delta(shape.delta_base)


@dataclass(frozen=True, slots=True)
class Nothing:
    """The base gained nothing since."""


@dataclass(frozen=True, slots=True)
class Range:
    """The base gained the batches above `after` up to `to`."""

    after: int
    to: int


def decide_range(mark: tuple[int, int] | None, generation: int, last_batch: int) -> Nothing | Range | Full:
    """Decide what to take in of a base, from the mark (generation, batch) up to which it was, and where it stands."""
    if mark is None:
        return Range(0, last_batch)
    if mark[0] != generation:
        return Full("rows of its base were rewritten")
    if mark[1] == last_batch:
        return Nothing()
    return Range(mark[1], last_batch)
