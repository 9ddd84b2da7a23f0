"""FROM: joins, joins in parentheses, and the items that unnest SUPER.

Source page: "FROM clause" (r_FROM_clause30).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from nearshift.errors import InvalidSql, NearshiftError, UndefinedObject
from nearshift.sql.bind import Binder
from nearshift.sql.bind_compare import compare
from nearshift.sql.bind_logic import condition
from nearshift.sql.bind_pivot import pivoted
from nearshift.sql.bind_tables import table_source
from nearshift.sql.bind_values import Value
from nearshift.sql.dialect import COMMA, PathItem, span_of
from nearshift.sql.partiql import navigate, path_base, unnest_as_source, unnest_in_source
from nearshift.sql.scope import Base, Element, Merged, Scope, Source
from nearshift.sql.scope_names import Part
from nearshift.types import SUPER, Kind

_JOIN_ARGUMENTS = {"this", "side", "kind", "on", "using", "method"}


@dataclass(slots=True)
class Joined:
    """One item of FROM, a source or a join in parentheses, and how it is joined to those before it."""

    item: Source | FromClause
    keyword: str = "CROSS JOIN"
    on: str | None = None

    def sources(self) -> Iterator[Source]:
        """Yield the sources of the item, which are several for a join in parentheses."""
        if isinstance(self.item, Source):
            yield self.item
            return
        for one in self.item.joined:
            yield from one.sources()

    def render(self) -> str:
        """Return the item's text."""
        text = self.item.render()
        return text if isinstance(self.item, Source) else f"({text})"


@dataclass(slots=True)
class FromClause:
    """A bound FROM, or a join in parentheses in it: the items in order, and conditions of inner unnests that belong to WHERE."""

    joined: list[Joined] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)

    def sources(self) -> Iterator[Source]:
        """Yield all sources, those of joins in parentheses too."""
        for one in self.joined:
            yield from one.sources()

    def render(self) -> str:
        """Return the text after FROM, with everything that was extracted meanwhile."""
        parts: list[str] = []
        for number, one in enumerate(self.joined):
            if number:
                parts.append(one.keyword)
            parts.append(one.render())
            if number and one.on is not None:
                parts.append(f"ON {one.on}")
        return " ".join(parts)


def bind_from(binder: Binder, node: exp.Expr, scope: Scope) -> FromClause:
    """Bind FROM and the joins of a SELECT into `scope`."""
    clause = FromClause()
    scope.clause = "FROM"
    head = node.args.get("from_")
    if head is not None:
        for number, (item, joins) in enumerate(_items(head.this, node.args.get("joins") or [])):
            if number and any((one.args.get("side") or "") in {"RIGHT", "FULL"} for one in joins):
                # `a, b RIGHT JOIN c` keeps the rows of c within b's join only.
                if _as_path(binder, item, scope) is not None:
                    raise binder.unsupported(
                        item, "an unnested SUPER value cannot stand in a RIGHT or FULL JOIN", hint="Unnest in a subquery."
                    )
                _add_group(binder, item, joins, exp.Join(this=item, kind="CROSS"), scope, clause)
                continue
            _add_item(binder, item, exp.Join(this=item, kind="CROSS") if number else None, scope, clause)
            for join in joins:
                _add_join(binder, join, scope, clause)
    scope.clause = ""
    return clause


def _items(head: exp.Expr, joins: list[exp.Expr]) -> list[tuple[exp.Expr, list[exp.Expr]]]:
    """Return the items that commas divide, each with the joins that follow it."""
    found = [(head, _joins_below(head))]
    for join in joins:
        if join.meta.get(COMMA):
            found.append((join.this, _joins_below(join.this)))
        else:
            found[-1][1].append(join)
    return found


def _joins_below(item: exp.Expr) -> list[exp.Expr]:
    return list(item.args.get("joins") or []) if isinstance(item, (exp.Table, exp.Subquery)) else []


def _add_join(binder: Binder, join: exp.Expr, scope: Scope, clause: FromClause) -> None:
    for name, argument in join.args.items():
        if argument and name not in _JOIN_ARGUMENTS:
            raise binder.unsupported(join.this, f"this kind of join ({name}) is not supported")
    if (join.args.get("kind") or "") not in {"", "INNER", "OUTER", "CROSS"}:
        raise binder.unsupported(join.this, f"{join.args['kind']} JOIN is not supported")
    inner = _joins_below(join.this)
    if inner:  # a JOIN b JOIN c ON … ON …
        _add_group(binder, join.this, inner, join, scope, clause)
    else:
        _add_item(binder, join.this, join, scope, clause)


def _add_item(binder: Binder, item: exp.Expr, join: exp.Expr | None, scope: Scope, clause: FromClause) -> None:
    if isinstance(item, exp.Subquery) and isinstance(item.this, (exp.Table, PathItem, exp.Subquery)) and _is_join(item):
        _check_parentheses(binder, item)
        _add_group(binder, item.this, _joins_below(item.this), join, scope, clause)
        return
    path = _as_path(binder, item, scope)
    if path is not None:
        binder.facts.seen.add("unnest")
        _add_unnest(binder, item, path, join, scope, clause)
        return
    if join is not None:
        binder.facts.seen.add("join")
    pivots = item.args.get("pivots")
    source = pivoted(binder, item, table_source(binder, item, scope), pivots) if pivots else table_source(binder, item, scope)
    _check_alias(binder, item, source.alias, scope)
    joined = Joined(source)
    before = list(scope.sources)
    scope.sources.append(source)
    if join is not None:
        _connect(binder, join, joined, [source], before, scope)
    clause.joined.append(joined)


def _is_join(item: exp.Expr) -> bool:
    """Tell whether parentheses hold a join and not a query: `(a JOIN b ON …)`, `((SELECT …) x JOIN b ON …)`."""
    inner = item.this
    return not isinstance(inner, exp.Subquery) or bool(_joins_below(inner)) or inner.args.get("alias") is not None


def _check_parentheses(binder: Binder, item: exp.Expr) -> None:
    for name, argument in item.args.items():
        if argument and name not in {"this", "joins"}:
            hint = "Give aliases to the tables inside, or use a subquery."
            raise binder.unsupported(item, f"{name.upper()} after a join in parentheses is not supported", hint=hint)


def _check_alias(binder: Binder, item: exp.Expr, alias: str, scope: Scope) -> None:
    if scope.find_alias(alias) is not None:
        message = f'table name "{alias}" specified more than once'
        raise binder.invalid(item, message, sqlstate="42712", hint="Give one of them another alias.")


def _add_group(binder: Binder, head: exp.Expr, joins: list[exp.Expr], join: exp.Expr | None, scope: Scope, clause: FromClause) -> None:
    """Bind a join that stands for one item: its conditions see its own tables only, what is outside sees them all."""
    inner = Scope(scope.parent, queries=_visible_queries(scope))
    inner.clause, inner.no_aggregates = scope.clause, scope.no_aggregates
    group = FromClause()
    _add_item(binder, head, None, inner, group)
    for one in joins:
        _add_join(binder, one, inner, group)
    if group.filters:
        raise binder.unsupported(head, "an unnest with a condition in parentheses is not supported", hint="Put it into a subquery.")
    for item in inner.sources:
        _check_alias(binder, head, item.alias, scope)
    before = list(scope.sources)
    scope.sources.extend(inner.sources)
    scope.merged.extend(inner.merged)
    joined = Joined(group)
    if join is not None:
        binder.facts.seen.add("join")
        _connect(binder, join, joined, inner.sources, before, scope)
    clause.joined.append(joined)


def _visible_queries(scope: Scope) -> dict[str, Source]:
    found: dict[str, Source] = {}
    level: Scope | None = scope
    while level is not None:
        found = {**level.queries, **found}
        level = level.parent
    return found


def _connect(
    binder: Binder, join: exp.Expr, joined: Joined, right: list[Source | Element], before: list[Source | Element], scope: Scope
) -> None:
    side = join.args.get("side") or ""
    is_natural = join.args.get("method") == "NATURAL"
    using = join.args.get("using")
    on = join.args.get("on")
    if join.args.get("method") and not is_natural:
        raise binder.unsupported(join.this, f"{join.args['method']} JOIN is not supported")
    if side:
        binder.facts.seen.add("outer join")
    if side in {"RIGHT", "FULL"} and any(isinstance(one, Element) for one in before):
        raise binder.unsupported(join.this, f"an unnested SUPER value cannot stand in a {side} JOIN", hint="Unnest in a subquery.")
    _mark_nullable(side, joined, before)
    joined.keyword = f"{side} JOIN" if side else "JOIN"
    if using or is_natural:
        joined.on = _merge_columns(binder, join, side, right, before, scope, is_natural=is_natural)
    elif on is not None:
        joined.on = condition(binder, on, scope, "JOIN/ON")
    elif side or join.args.get("kind") != "CROSS":
        raise binder.invalid(join.this, f"{side or 'INNER'} JOIN needs ON or USING", hint="Write CROSS JOIN for all pairs of rows.")
    else:
        joined.keyword = "CROSS JOIN"


def _mark_nullable(side: str, joined: Joined, before: list[Source | Element]) -> None:
    if side in {"LEFT", "FULL"}:
        for source in joined.sources():
            source.is_nullable = True
    if side in {"RIGHT", "FULL"}:
        for one in before:
            if isinstance(one, Source):
                one.is_nullable = True


def _merge_columns(
    binder: Binder,
    join: exp.Expr,
    side: str,
    right: list[Source | Element],
    before: list[Source | Element],
    scope: Scope,
    *,
    is_natural: bool,
) -> str:
    """Bind USING or NATURAL and note what it merges; return the condition."""
    known = {one.tag for one in right if isinstance(one, Source)}
    inside = [one for one in scope.merged if _tag_of(one.hidden) in known]
    left_scope = Scope(sources=before, merged=[one for one in scope.merged if one not in inside])
    right_scope = Scope(sources=right, merged=inside)
    if is_natural:
        labels = dict.fromkeys(label for one in right if isinstance(one, Source) for label in (column.label for column in one.columns))
        names = [label for label in labels if _left_values(left_scope, label)]
    else:
        names = [binder.fold(one) for one in join.args["using"]]
    tests: list[str] = []
    for name in names:
        left, left_hidden = _common(binder, join, name, left_scope, "left")
        other, right_hidden = _common(binder, join, name, right_scope, "right")
        tests.append(compare(binder, "=", left, other, join.this).sql)
        sql = {"RIGHT": other.sql, "FULL": f"COALESCE({left.sql}, {other.sql})"}.get(side, left.sql)
        scope.merged = [one for one in scope.merged if one.name != name]
        kind = left.type if side != "RIGHT" else other.type
        scope.merged.append(Merged(name, sql, kind, (*left_hidden, *right_hidden)))
    return " AND ".join(tests) if tests else "TRUE"


def _tag_of(hidden: tuple[str, ...]) -> str:
    """Return the tag of the source that the first of some column texts belongs to."""
    return hidden[0].partition('".')[0].lstrip('"') if hidden else ""


def _common(binder: Binder, join: exp.Expr, name: str, scope: Scope, where: str) -> tuple[Value, tuple[str, ...]]:
    candidates = _left_values(scope, name)
    if not candidates:
        message = f'column "{name}" specified in USING clause does not exist in {where} table'
        raise UndefinedObject(message, sqlstate="42703", span=span_of(join.this))
    if len(candidates) > 1:
        raise binder.invalid(join.this, f'common column name "{name}" appears more than once in {where} table', sqlstate="42702")
    return candidates[0]


def _left_values(scope: Scope, name: str) -> list[tuple[Value, tuple[str, ...]]]:
    for merged in scope.merged:
        if merged.name == name:
            return [(Value(merged.sql, merged.type, name), merged.hidden)]
    found: list[tuple[Value, tuple[str, ...]]] = []
    for item in scope.sources:
        if isinstance(item, Source):
            column = item.column(name)
            if column is not None:
                sql = item.reference(column.sql_name)
                found.append((Value(sql, column.type, name), (sql,)))
    return found


def _as_path(binder: Binder, item: exp.Expr, scope: Scope) -> tuple[Base, list[Part]] | None:
    """Return what an item unnests, or None for a table."""
    if isinstance(item, PathItem):
        found = path_base(binder, item.this, scope)
        if found is None:
            raise _unknown_path(binder, item)
        return found
    if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier):
        return None
    nodes = [part for part in (item.args.get("catalog"), item.args.get("db"), item.this) if part is not None]
    if len(nodes) == 1:
        alias = scope.find_alias(binder.fold(nodes[0]))
        if not isinstance(alias, Element):
            return None
    column: Any = exp.Column(this=nodes[-1], **dict(zip(("table", "db", "catalog"), reversed(nodes[:-1]), strict=False)))
    head = binder.fold(nodes[0])
    if len(nodes) > 1 and _is_table(binder, nodes) and scope.find_alias(head) is None:
        return None
    found = path_base(binder, column, scope)
    for node in nodes:  # a new parent took them; give them back to the item
        node.parent = item
    return found


def _is_table(binder: Binder, nodes: list[exp.Expr]) -> bool:
    names = [binder.fold(node) for node in nodes]
    try:
        return binder.context.relations.find(names[-2], names[-1]) is not None
    except NearshiftError:
        return True  # it is there and may not be read; who reads it says so with its place


def _unknown_path(binder: Binder, item: exp.Expr) -> InvalidSql:
    hint = "The first name of the path must be an alias or a SUPER column of an item before it in FROM."
    return binder.invalid(item, "FROM has a path that begins with no known name", sqlstate="42P01", hint=hint)


def _add_unnest(
    binder: Binder, item: exp.Expr, path: tuple[Base, list[Part]], join: exp.Expr | None, scope: Scope, clause: FromClause
) -> None:
    base, rest = path
    is_unpivot = isinstance(item, PathItem) and bool(item.args.get("is_unpivot"))
    alias, index = _unnest_names(binder, item, rest, base)
    side = (join.args.get("side") or "") if join is not None else ""
    if side not in {"", "LEFT"} or (join is not None and (join.args.get("using") or join.args.get("method"))):
        raise binder.unsupported(item, f"an unnested SUPER value cannot stand in a {side or 'NATURAL'} JOIN")
    if base.type.kind is not Kind.SUPER:
        navigate(binder, base, rest or [_pseudo_part(item)])
    _check_alias(binder, item, alias, scope)
    on = join.args.get("on") if join is not None else None
    is_true = on is None or (isinstance(on, exp.Boolean) and bool(on.this))
    source = base.source
    is_own = source is not None and any(one is source for one in clause.sources()) and not source.is_inline
    is_outer = side == "LEFT"
    if source is not None and is_own and not (is_outer and not is_true) and (is_outer or not source.is_nullable):
        element = unnest_in_source(binder, base, rest, alias, index, is_outer=is_outer, is_unpivot=is_unpivot)
        scope.sources.append(element)
        if on is not None and not is_true:
            clause.filters.append(condition(binder, on, scope, "JOIN/ON"))
        return
    document = navigate(binder, base, rest).sql if rest else base.sql
    is_lateral = any(one is source for one in clause.sources())
    made, element = unnest_as_source(binder, document, alias, index, is_unpivot=is_unpivot, is_lateral=is_lateral)
    scope.sources.append(element)
    keyword = "LEFT JOIN" if is_outer else "JOIN"
    clause.joined.append(Joined(made, keyword, "TRUE" if on is None else condition(binder, on, scope, "JOIN/ON")))


def _pseudo_part(item: exp.Expr) -> Part:
    return Part("", 0, item)


def _unnest_names(binder: Binder, item: exp.Expr, rest: list[Part], base: Base) -> tuple[str, str | None]:
    """Return the alias of an unnest (its last attribute when none is written) and the name of its index."""
    index = None
    if isinstance(item, PathItem):
        alias_node = item.args.get("alias")
        index = binder.fold(item.args["index"]) if item.args.get("index") is not None else None
        columns = item.args.get("columns") or []
        if columns:
            alias_node = columns[0]
            index = binder.fold(columns[1]) if len(columns) > 1 else index
        if item.args.get("has_offset") and index is None:
            index = "offset_col"
    else:
        table_alias = item.args.get("alias")
        alias_node = table_alias.this if table_alias is not None else None
    if alias_node is not None:
        return binder.fold(alias_node), index
    last = next((part.name for part in reversed(rest) if part.name), base.label)
    return last, index


def element_value(element: Element) -> Value:
    """Return an unnest alias as a value."""
    return Value(element.source.reference(element.sql_name), SUPER, element.alias)
