"""What a query does, for those who must decide how a materialized view over it can be kept up to date."""

from __future__ import annotations

from dataclasses import dataclass

from nearshift.sql.bind_statement import Bound


@dataclass(frozen=True, slots=True)
class Shape:
    """The facts of one query.

    `delta_base` is the one relation whose new rows alone give the view's new rows: the query only selects, filters, casts and unnests it.
    It is None otherwise, and `reasons` then says why, each a few words. `reads` are (schema, name). `mutable` names the functions and
    system views whose values change between refreshes.
    """

    reads: frozenset[tuple[str, str]]
    delta_base: tuple[str, str] | None
    reasons: tuple[str, ...]
    mutable: tuple[str, ...]
    has_joins: bool
    has_outer_joins: bool
    has_aggregates: bool
    has_distinct: bool
    has_windows: bool
    has_set_operators: bool
    has_order_by: bool
    has_limit: bool
    has_subqueries: bool
    has_unnest: bool
    has_star: bool


_REASONS = (
    ("outer join", "it has an outer join"),
    ("join", "it joins relations"),
    ("aggregate", "it aggregates or groups"),
    ("distinct", "it removes duplicates"),
    ("window", "it has a window function"),
    ("set operator", "it has a set operator"),
    ("order by", "it has ORDER BY"),
    ("limit", "it has LIMIT, OFFSET or TOP"),
    ("subquery", "it has a subquery in an expression"),
)


def shape_of(bound: Bound) -> Shape:
    """Return the shape of a query that was bound already."""
    facts, reads = bound.binder.facts, bound.lowered.reads
    reasons = [reason for fact, reason in _REASONS if fact in facts.seen]
    if facts.mutable:
        reasons.append(f"it uses {', '.join(sorted(facts.mutable))}")
    if not reads:
        reasons.append("it reads no relation")
    elif facts.references > 1 and "it joins relations" not in reasons:
        reasons.append("it reads relations more than once")
    return Shape(
        reads=reads,
        delta_base=None if reasons else next(iter(reads)),
        reasons=tuple(reasons),
        mutable=tuple(sorted(facts.mutable)),
        has_joins="join" in facts.seen,
        has_outer_joins="outer join" in facts.seen,
        has_aggregates="aggregate" in facts.seen,
        has_distinct="distinct" in facts.seen,
        has_windows="window" in facts.seen,
        has_set_operators="set operator" in facts.seen,
        has_order_by="order by" in facts.seen,
        has_limit="limit" in facts.seen,
        has_subqueries="subquery" in facts.seen,
        has_unnest="unnest" in facts.seen,
        has_star="star" in facts.seen,
    )
