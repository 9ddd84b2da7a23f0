"""START WITH … CONNECT BY: rows of a hierarchy, from its roots down.

The items of FROM become the base of a recursive query that also counts the level: first the rows of START WITH, then again and again the
rows whose CONNECT BY condition holds for a row found before, which is what PRIOR means. WHERE works on the result. Source page:
"CONNECT BY clause" (r_CONNECT_BY_clause). LEVEL is 1 at the roots, as the page says; the rows that it shows for `LEVEL < 4` would need 0.
"""

from __future__ import annotations

from sqlglot import exp

from nearshift.limits import HIERARCHY_LEVELS_MAX
from nearshift.sql.bind import Binder
from nearshift.sql.bind_from import FromClause, Joined
from nearshift.sql.bind_logic import condition
from nearshift.sql.bind_values import OutputColumn, Value
from nearshift.sql.macros import MARK
from nearshift.sql.names import quote, quote_literal
from nearshift.sql.scope import Base, Element, Scope, Source
from nearshift.types import INTEGER

LEVEL = "level"
_ENDLESS = f"{MARK}54001:CONNECT BY has a loop, or is deeper than {HIERARCHY_LEVELS_MAX} levels"


def bind_hierarchy(binder: Binder, node: exp.Expr, scope: Scope, clause: FromClause) -> FromClause:
    """Replace what FROM bound by its hierarchy; afterwards `scope` sees the same names, and the pseudocolumn LEVEL.

    Raises NotSupported for unnests and comma joins beside CONNECT BY, and for a condition without PRIOR. When it runs, a hierarchy without
    end raises 54001.
    """
    connect = node.args["connect"]
    binder.check(connect, frozenset({"start", "connect"}))
    if not clause.joined:
        raise binder.invalid(node, "CONNECT BY needs FROM")
    if any(isinstance(one, Element) for one in scope.sources):
        raise binder.unsupported(connect.args["connect"], "CONNECT BY over an unnest is not supported", hint="Unnest in a subquery.")
    if any(one.keyword == "CROSS JOIN" for one in clause.joined[1:]):
        raise binder.unsupported(connect.args["connect"], "CONNECT BY over FROM items with commas is not supported", hint="Use JOIN … ON.")
    if not any(True for _ in connect.args["connect"].find_all(exp.Prior)):
        raise binder.invalid(connect.args["connect"], "CONNECT BY needs PRIOR in at least one condition")
    binder.facts.seen.update(("derived table", "subquery"))
    level, name = binder.fresh("level"), binder.fresh("hierarchy")
    start = connect.args.get("start")
    roots = "TRUE" if start is None else condition(binder, start, _level_scope(scope, scope, "1"), "START WITH")
    parents = _moved(scope, name, level, _columns(binder, scope))
    inner = _level_scope(scope, scope, f"({quote(name)}.{quote(level)} + 1)")
    inner.prior = parents
    rule = condition(binder, connect.args["connect"], inner, "CONNECT BY")
    columns = [(source.reference(old.sql_name), new.sql_name) for source, pairs in _pairs(scope, parents) for old, new in pairs]
    items = ", ".join(f"{text} AS {quote(label)}" for text, label in columns)
    base = clause.render()  # after the conditions were bound: they may have asked for paths into it
    deeper = f"{quote(name)}.{quote(level)} + 1"
    bounded = f"CASE WHEN {quote(name)}.{quote(level)} < {HIERARCHY_LEVELS_MAX} THEN {deeper} ELSE error({quote_literal(_ENDLESS)}) END"
    joined = f"({base})" if len(clause.joined) > 1 else base
    text = " ".join((
        "(WITH RECURSIVE", quote(name), "AS (SELECT", items, ", 1 AS", quote(level), "FROM", base, "WHERE", roots,
        "UNION ALL SELECT", items, ",", bounded, "FROM", joined, "JOIN", quote(name), "ON", rule, ") FROM", quote(name), ")",
    ))  # fmt: skip
    return _seen_by(binder, scope, parents, text, level)


def _columns(binder: Binder, scope: Scope) -> dict[tuple[str, str], str]:
    """Return a fresh physical name for every column of FROM, by the tag of its source and its own name there."""
    found: dict[tuple[str, str], str] = {}
    for source in scope.sources:
        assert isinstance(source, Source)
        for column in source.columns:
            found[(source.tag, column.sql_name)] = binder.fresh("h")
    return found


def _moved(scope: Scope, tag: str, level: str, names: dict[tuple[str, str], str]) -> Scope:
    """Return a scope with the same names over one relation `tag` that has all columns side by side."""
    sources: list[Source | Element] = []
    for source in scope.sources:
        assert isinstance(source, Source)
        columns = tuple(OutputColumn(one.label, names[(source.tag, one.sql_name)], one.type) for one in source.columns)
        sources.append(Source(source.alias, tag, quote(tag), columns, source.relation, source.has_alias, is_inline=True))
    moved = Scope(scope.parent, sources, scope.queries)
    return _level_scope(moved, moved, f"{quote(tag)}.{quote(level)}")


def _level_scope(scope: Scope, parent: Scope, level: str) -> Scope:
    value = Value(level, INTEGER, LEVEL)
    return Scope(
        parent.parent, scope.sources, scope.queries, scope.merged, pseudo={LEVEL: Base(INTEGER, LEVEL, sql=level, value=value)},
        no_aggregates="CONNECT BY",
    )  # fmt: skip


def _pairs(scope: Scope, moved: Scope) -> list[tuple[Source, list[tuple[OutputColumn, OutputColumn]]]]:
    found = []
    for old, new in zip(scope.sources, moved.sources, strict=True):
        assert isinstance(old, Source)
        assert isinstance(new, Source)
        found.append((old, list(zip(old.columns, new.columns, strict=True))))
    return found


def _seen_by(binder: Binder, scope: Scope, moved: Scope, text: str, level: str) -> FromClause:
    """Point the names of `scope` at the finished hierarchy, and return the FROM that holds it."""
    tag = binder.tag("hierarchy")
    whole = Source("", tag, text, ())
    sources: list[Source | Element] = []
    texts: dict[str, str] = {}
    for old, pairs in _pairs(scope, moved):
        columns = tuple(new for _, new in pairs)
        texts.update({old.reference(one.sql_name): whole.reference(new.sql_name) for one, new in pairs})
        if len(scope.sources) == 1:  # paths into its SUPER columns are extracted once for all
            whole = Source(old.alias, tag, text, columns, old.relation, old.has_alias)
            sources.append(whole)
        else:
            sources.append(Source(old.alias, tag, text, columns, old.relation, old.has_alias, is_inline=True))
    if scope.merged:
        raise binder.unsupported(None, "USING and NATURAL beside CONNECT BY are not supported", hint="Write ON.")
    scope.sources = sources
    scope.pseudo[LEVEL] = Base(INTEGER, LEVEL, sql=whole.reference(level), value=Value(whole.reference(level), INTEGER, LEVEL))
    return FromClause([Joined(whole)])


def prior_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind PRIOR, an expression over the parent row; only the condition of CONNECT BY knows one."""
    if scope.prior is None:
        raise binder.unsupported(node, "PRIOR stands in CONNECT BY only")
    return binder.value(node.this, scope.prior)
