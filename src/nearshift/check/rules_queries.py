"""Rules about queries: what PostgreSQL has and Redshift has not, and windows without the frame that Redshift asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from nearshift.check.findings import GUIDE, Found, Rule, Severity
from nearshift.check.material import Material
from nearshift.errors import Span
from nearshift.sql.dialect import span_of

_ABSENT: Final[tuple[tuple[type[exp.Expr], str, str], ...]] = (
    (exp.OnConflict, "ON CONFLICT", "Use MERGE, or DELETE and INSERT in one transaction."),
    (exp.Returning, "RETURNING", "Read the rows in a statement of its own."),
    (exp.NullSafeEQ, "IS NOT DISTINCT FROM", "Write a = b OR (a IS NULL AND b IS NULL)."),
    (exp.NullSafeNEQ, "IS DISTINCT FROM", "Write a <> b OR (a IS NULL) <> (b IS NULL)."),
    (exp.Lateral, "LATERAL", "Join a grouped subquery, or use a window function."),
    (exp.TableSample, "TABLESAMPLE", "Write WHERE random() < 0.1."),
    (exp.Filter, "FILTER", "Write the condition as CASE inside of the aggregate."),
)
# "Window function syntax summary": only these take ORDER BY without a frame; ranking functions take none at all.
_FRAMELESS: Final = frozenset({
    "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "ratio_to_report", "median",
    "percentile_cont", "percentile_disc", "listagg",
})  # fmt: skip


def _absent(material: Material) -> Iterator[Found]:
    for unit in material.units:
        for query in unit.queries:
            for node in query.tree.walk():
                for kind, name, hint in _ABSENT:
                    if isinstance(node, kind):
                        place = span_of(node) or span_of(query.tree) or Span(0, 1)
                        yield unit.found_at(query.start + place.start, f"{name} is not in Redshift", hint)
                if isinstance(node, exp.Distinct) and node.args.get("on") is not None:
                    place = span_of(node) or Span(0, 1)
                    hint = "Keep the first row of each with row_number() OVER (PARTITION BY … ORDER BY …) = 1."
                    yield unit.found_at(query.start + place.start, "DISTINCT ON is not in Redshift", hint)


def _frames(material: Material) -> Iterator[Found]:
    error = "Aggregate window functions with an ORDER BY clause require a frame clause"
    for unit in material.units:
        for query in unit.queries:
            for window in query.tree.find_all(exp.Window):
                call = window.this.this if isinstance(window.this, (exp.IgnoreNulls, exp.RespectNulls)) else window.this
                name = str(call.this).lower()
                start = query.start + (span_of(window) or Span(0, 1)).start
                spec = window.args.get("spec")
                if window.args.get("order") is not None and spec is None and name not in _FRAMELESS:
                    message = f"{name.upper()} over an ORDER BY needs a frame"
                    yield unit.found_at(start, message, "Add ROWS UNBOUNDED PRECEDING.", error)
                elif spec is not None and str(spec.args.get("kind") or "ROWS").upper() != "ROWS":
                    yield unit.found_at(start, f"a frame of {spec.args['kind']} is not in Redshift", "Use ROWS.")


RULES: Final = (
    Rule("not-in-redshift", Severity.ERROR, f"{GUIDE}c_unsupported-postgresql-features.html", _absent),
    Rule("window-frame", Severity.ERROR, f"{GUIDE}r_Window_function_synopsis.html", _frames),
)
