"""Rules about materialized views: what is refused, what is refreshed in full, what blocks on a bad record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from nearshift.check.findings import GUIDE, Found, Rule, Severity
from nearshift.check.material import Material, MaterializedView, aliases_of, is_path, last_name
from nearshift.errors import Span
from nearshift.sql import statements as s
from nearshift.sql.dialect import PathItem, span_of
from nearshift.sql.lexer import TokenKind, tokens

_MUTABLE: Final = frozenset({
    "GETDATE", "SYSDATE", "RANDOM", "CURRENT_DATE", "CURRENT_TIMESTAMP", "TIMEOFDAY", "NOW", "CURRENT_TIME", "LOCALTIME", "LOCALTIMESTAMP",
})  # fmt: skip
_NOT_INCREMENTAL: Final = frozenset({
    "median", "percentile_cont", "percentile_disc", "listagg", "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop",
    "bit_and", "bit_or", "bool_and", "bool_or",
})  # fmt: skip


def _span(view: MaterializedView, node: exp.Expr) -> Span:
    inner = span_of(node) or Span(0, 1)
    return inner.shifted(view.query.start - view.unit.start)


def why_full(view: MaterializedView) -> Iterator[tuple[Span, str]]:
    """Yield what keeps a view from incremental refresh, with its place in the unit ("Refreshing a materialized view")."""
    tree = view.query.tree
    aliases = aliases_of(tree)
    for node in tree.walk():
        if isinstance(node, exp.Join) and node.side and not is_path(node.this, aliases):
            yield _span(view, node), "an outer join"
        elif isinstance(node, exp.SetOperation) and (not isinstance(node, exp.Union) or node.args.get("distinct") is not False):
            yield _span(view, node), "UNION, INTERSECT or EXCEPT"
        elif isinstance(node, exp.Window):
            yield _span(view, node), "a window function"
        elif isinstance(node, exp.Distinct):
            yield _span(view, node), "DISTINCT"
        elif (
            isinstance(node, exp.Select)
            and node is not tree
            and not isinstance(_container(node), (exp.From, exp.Join, exp.CTE, exp.SetOperation, PathItem))
        ):
            yield _span(view, node), "a subquery in an expression"
    for name, span in _words(view):
        if name in _MUTABLE:
            yield span, f"{name}, whose value changes between refreshes"
        elif name.lower() in _NOT_INCREMENTAL:
            yield span, f"the aggregate {name}"


def _container(node: exp.Expr) -> exp.Expr | None:
    parent = node.parent
    while isinstance(parent, (exp.Subquery, exp.Paren)):
        parent = parent.parent
    return parent


def _words(view: MaterializedView) -> Iterator[tuple[str, Span]]:
    shift = view.query.start - view.unit.start
    before = ""
    for token in tokens(view.query.text):
        if token.kind is TokenKind.WORD and before not in {".", "AS"}:
            yield token.key, token.span.shifted(shift)
        before = token.key


def _streaming_join(material: Material) -> Iterator[Found]:
    for view in material.views.values():
        joins = list(view.query.tree.find_all(exp.Join))
        if view.is_streaming and joins:
            hint = "Keep the stream's records in one view, and join or unnest in a second view over it."
            yield view.unit.found(_span(view, joins[0]), f'streaming view "{view.name}" joins: it may read one stream only', hint)


def _streaming_full(material: Material) -> Iterator[Found]:
    for view in material.views.values():
        for span, why in why_full(view) if view.is_streaming else ():
            hint = "Keep the records in the streaming view, and compute in a view or procedure over it."
            yield view.unit.found(span, f'streaming view "{view.name}" cannot be refreshed in full, and has {why}', hint)


def _full_refresh(material: Material) -> Iterator[Found]:
    for view in material.views.values():
        for span, why in () if view.is_streaming else why_full(view):
            hint = "Move it to a procedure over the view, or accept that each REFRESH reads all rows (svv_mv_info.state = 0)."
            yield view.unit.found(span, f'view "{view.name}" is refreshed in full each time: it has {why}', hint)


def _outer_unnest(material: Material) -> Iterator[Found]:
    for view in material.views.values():
        for join in view.query.tree.find_all(exp.Join):
            if join.side and is_path(join.this, aliases_of(view.query.tree)):
                message = f'view "{view.name}" may be refreshed in full: AWS does not say whether LEFT JOIN of an array is an outer join'
                yield view.unit.found(_span(view, join), message, "Look at svv_mv_info.state there, or use a comma join.")


def _refused_clause(material: Material) -> Iterator[Found]:
    for view in material.views.values():
        for clause, name in (("order", "ORDER BY"), ("limit", "LIMIT"), ("offset", "OFFSET")):
            node = view.query.tree.args.get(clause)
            if node is not None:
                hint = f"Take {name} out, and write it where the view is read."
                yield view.unit.found(_span(view, node), f'materialized view "{view.name}" has {name}', hint)


def _refused_base(material: Material) -> Iterator[Found]:
    plain = {last_name(one.statement.name) for one in material.units if isinstance(one.statement, s.CreateView)}
    for view in material.views.values():
        for table in view.query.tree.find_all(exp.Table):
            name = table.name.lower()
            if name in plain or name.startswith(("#", "pg_", "stl_", "stv_", "svv_", "svl_", "sys_")):
                what = "a view" if name in plain else "a temporary table or system view"
                hint = "Read tables and materialized views only: write the view's query out."
                yield view.unit.found(_span(view, table), f'materialized view "{view.name}" reads "{name}", {what}', hint)


def _auto_refresh(material: Material) -> Iterator[Found]:
    for view in material.views.values():
        if not view.statement.is_auto_refresh or view.is_streaming:
            continue
        reasons = [f'it is built on materialized view "{name}"' for name in sorted(view.reads & material.views.keys())]
        reasons += [f"it uses {name}" for name, _ in _words(view) if name in _MUTABLE]
        for reason in reasons:
            hint = "Leave AUTO REFRESH out, and REFRESH it in the procedure or schedule that needs it."
            yield view.unit.found(_span(view, view.query.tree), f'AUTO REFRESH YES is not allowed for "{view.name}": {reason}', hint)


def _unguarded(material: Material) -> Iterator[Found]:
    for view in material.views.values():
        words = [name for name, _ in _words(view)]
        if not view.is_streaming or "CAN_JSON_PARSE" in words:
            continue
        for name, span in _words(view):
            if name == "JSON_PARSE":
                hint = "Write CASE WHEN can_json_parse(kinesis_data) THEN json_parse(kinesis_data) END, and keep what fails in a column."
                message = f'one record that is not JSON stops every refresh of "{view.name}"'
                yield view.unit.found(span, message, hint)


def _super_keys(material: Material) -> Iterator[Found]:
    for unit in material.units:
        if not isinstance(unit.statement, s.CreateTable):
            continue
        storage = unit.statement.storage
        sort = storage.sort_key.columns if storage.sort_key else ()
        keys = {one.text.lower() for one in (storage.dist_key, *sort) if isinstance(one, s.Name)}
        for column in unit.statement.columns:
            is_key = column.name.text.lower() in keys or column.is_dist_key or column.is_sort_key
            if column.type.kind.value == "super" and is_key:
                message = f'column "{column.name.text}" is SUPER and cannot be a distribution or sort key'
                yield unit.found(column.name.span, message, "Keep the value in a typed column too, and use that.")


RULES: Final = (
    Rule("streaming-join", Severity.ERROR, f"{GUIDE}materialized-view-streaming-ingestion.html", _streaming_join),
    Rule("streaming-full-refresh", Severity.ERROR, f"{GUIDE}materialized-view-streaming-ingestion.html", _streaming_full),
    Rule("full-refresh", Severity.WARNING, f"{GUIDE}materialized-view-refresh.html", _full_refresh),
    Rule("outer-unnest", Severity.NOTE, f"{GUIDE}materialized-view-refresh.html", _outer_unnest),
    Rule("view-clause", Severity.ERROR, f"{GUIDE}materialized-view-create-sql-command.html", _refused_clause),
    Rule("view-base", Severity.ERROR, f"{GUIDE}materialized-view-create-sql-command.html", _refused_base),
    Rule("auto-refresh", Severity.ERROR, f"{GUIDE}materialized-view-create-sql-command.html", _auto_refresh),
    Rule("json-guard", Severity.WARNING, f"{GUIDE}materialized-view-streaming-ingestion.html", _unguarded),
    Rule("super-key", Severity.ERROR, f"{GUIDE}limitations-super.html", _super_keys),
)
