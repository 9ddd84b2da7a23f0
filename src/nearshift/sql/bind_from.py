"""FROM: tables, subqueries, joins, and the items that unnest SUPER.

Source page: "FROM clause" (r_FROM_clause30).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from nearshift.errors import InvalidSql, NearshiftError, UndefinedObject
from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import settled
from nearshift.sql.bind_compare import compare
from nearshift.sql.bind_logic import condition
from nearshift.sql.bind_values import OutputColumn, Value
from nearshift.sql.dialect import PathItem, span_of
from nearshift.sql.labels import unique_columns
from nearshift.sql.names import quote
from nearshift.sql.partiql import navigate, path_base, unnest_as_source, unnest_in_source
from nearshift.sql.relations import Relation
from nearshift.sql.scope import Base, Element, Merged, Scope, Source
from nearshift.sql.scope_names import Part
from nearshift.types import SUPER, Kind

# Functions that return rows, and are views here; "PG_GET_LATE_BINDING_VIEW_COLS".
_LISTINGS = frozenset({"pg_get_late_binding_view_cols"})
_TABLE_ARGUMENTS = {"this", "db", "catalog", "alias", "joins"}
_JOIN_ARGUMENTS = {"this", "side", "kind", "on", "using", "method"}


@dataclass(slots=True)
class Joined:
    """One source in FROM, and how it is joined to those before it."""

    source: Source
    keyword: str = "CROSS JOIN"
    on: str | None = None


@dataclass(slots=True)
class FromClause:
    """A bound FROM: the sources in order, and conditions of inner unnests that belong to WHERE."""

    joined: list[Joined] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)

    def render(self) -> str:
        """Return the text after FROM, with everything that was extracted meanwhile."""
        parts: list[str] = []
        for number, one in enumerate(self.joined):
            if number:
                parts.append(one.keyword)
            parts.append(one.source.render())
            if number and one.on is not None:
                parts.append(f"ON {one.on}")
        return " ".join(parts)


def bind_from(binder: Binder, node: exp.Expr, scope: Scope) -> FromClause:
    """Bind FROM and the joins of a SELECT into `scope`."""
    clause = FromClause()
    scope.clause = "FROM"
    head = node.args.get("from_")
    if head is not None:
        _add_item(binder, head.this, None, scope, clause)
        for join in _joins_below(head.this):
            _add_join(binder, join, scope, clause)
    for join in node.args.get("joins") or []:
        _add_join(binder, join, scope, clause)
        for inner in _joins_below(join.this):
            _add_join(binder, inner, scope, clause)
    scope.clause = ""
    return clause


def _joins_below(item: exp.Expr) -> list[exp.Expr]:
    return list(item.args.get("joins") or []) if isinstance(item, (exp.Table, exp.Subquery)) else []


def _add_join(binder: Binder, join: exp.Expr, scope: Scope, clause: FromClause) -> None:
    for name, argument in join.args.items():
        if argument and name not in _JOIN_ARGUMENTS:
            raise binder.unsupported(join.this, f"this kind of join ({name}) is not supported")
    if _joins_below(join.this) and not isinstance(join.this, exp.Subquery):
        raise binder.unsupported(join.this, "nested joins are not supported", hint="Write each ON right after its table.")
    if (join.args.get("kind") or "") not in {"", "INNER", "OUTER", "CROSS"}:
        raise binder.unsupported(join.this, f"{join.args['kind']} JOIN is not supported")
    _add_item(binder, join.this, join, scope, clause)


def _add_item(binder: Binder, item: exp.Expr, join: exp.Expr | None, scope: Scope, clause: FromClause) -> None:
    path = _as_path(binder, item, scope)
    if path is not None:
        binder.facts.seen.add("unnest")
        _add_unnest(binder, item, path, join, scope, clause)
        return
    if join is not None:
        binder.facts.seen.add("join")
    source = _table_source(binder, item, scope)
    if scope.find_alias(source.alias) is not None:
        message = f'table name "{source.alias}" specified more than once'
        raise binder.invalid(item, message, sqlstate="42712", hint="Give one of them another alias.")
    joined = Joined(source)
    before = list(scope.sources)
    scope.sources.append(source)
    if join is not None:
        _connect(binder, join, joined, before, scope)
    clause.joined.append(joined)


def _connect(binder: Binder, join: exp.Expr, joined: Joined, before: list[Source | Element], scope: Scope) -> None:
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
        joined.on = _merge_columns(binder, join, side, joined.source, before, scope, is_natural=is_natural)
    elif on is not None:
        joined.on = condition(binder, on, scope, "JOIN/ON")
    elif side or (join.args.get("kind") == "INNER"):
        raise binder.invalid(join.this, f"{side or 'INNER'} JOIN needs ON or USING")
    else:
        joined.keyword = "CROSS JOIN"


def _mark_nullable(side: str, joined: Joined, before: list[Source | Element]) -> None:
    if side in {"LEFT", "FULL"}:
        joined.source.is_nullable = True
    if side in {"RIGHT", "FULL"}:
        for one in before:
            if isinstance(one, Source):
                one.is_nullable = True


def _merge_columns(
    binder: Binder, join: exp.Expr, side: str, right: Source, before: list[Source | Element], scope: Scope, *, is_natural: bool
) -> str:
    left_scope = Scope(sources=before, merged=list(scope.merged))
    if is_natural:
        names = [one.label for one in right.columns if _left_values(left_scope, one.label)]
    else:
        names = [binder.fold(one) for one in join.args["using"]]
    tests: list[str] = []
    for name in names:
        column = right.column(name)
        candidates = _left_values(left_scope, name)
        if column is None or not candidates:
            where = "right" if column is None else "left"
            message = f'column "{name}" specified in USING clause does not exist in {where} table'
            raise UndefinedObject(message, sqlstate="42703", span=span_of(join.this))
        if len(candidates) > 1:
            raise binder.invalid(join.this, f'common column name "{name}" appears more than once in left table', sqlstate="42702")
        left, hidden = candidates[0]
        other = Value(right.reference(column.sql_name), column.type)
        tests.append(compare(binder, "=", left, other, join.this).sql)
        sql = {"RIGHT": other.sql, "FULL": f"COALESCE({left.sql}, {other.sql})"}.get(side, left.sql)
        scope.merged = [one for one in scope.merged if one.name != name]
        kind = left.type if side != "RIGHT" else column.type
        scope.merged.append(Merged(name, sql, kind, (*hidden, other.sql)))
    return " AND ".join(tests) if tests else "TRUE"


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
    if scope.find_alias(alias) is not None:
        message = f'table name "{alias}" specified more than once'
        raise binder.invalid(item, message, sqlstate="42712", hint="Give one of them another alias.")
    on = join.args.get("on") if join is not None else None
    is_true = on is None or (isinstance(on, exp.Boolean) and bool(on.this))
    source = base.source
    is_own = source is not None and any(one.source is source for one in clause.joined) and not source.is_inline
    is_outer = side == "LEFT"
    if source is not None and is_own and not (is_outer and not is_true) and (is_outer or not source.is_nullable):
        element = unnest_in_source(binder, base, rest, alias, index, is_outer=is_outer, is_unpivot=is_unpivot)
        scope.sources.append(element)
        if on is not None and not is_true:
            clause.filters.append(condition(binder, on, scope, "JOIN/ON"))
        return
    document = navigate(binder, base, rest).sql if rest else base.sql
    is_lateral = any(one.source is source for one in clause.joined)
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


def _table_source(binder: Binder, item: exp.Expr, scope: Scope) -> Source:
    if isinstance(item, exp.Subquery):
        return _subquery_source(binder, item, scope)
    if isinstance(item, exp.Table) and isinstance(item.this, exp.Anonymous) and item.args.get("db") is None:
        return _call_source(binder, item)
    if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier):
        what = "a table function" if isinstance(item, exp.Table) else "this item"
        raise binder.unsupported(item, f"{what} in FROM is not supported")
    for name, argument in item.args.items():
        if argument and name not in _TABLE_ARGUMENTS:
            raise binder.unsupported(item, f"{name.upper()} in FROM is not supported")
    name = binder.fold(item.this)
    query = scope.find_query(name) if item.args.get("db") is None else None
    if query is not None:
        alias, has_alias = _alias_of(binder, item, name)
        columns = _renamed(binder, item, query.columns)
        source = Source(alias, binder.tag(alias), query.text, columns, has_alias=has_alias)
        if columns is not query.columns:
            source.text = _renaming(query.text, query.columns, columns)
        return source
    relation = find_relation(binder, item)
    binder.read(relation)
    alias, has_alias = _alias_of(binder, item, relation.name)
    own = tuple(OutputColumn(one.name, one.name, one.type) for one in relation.columns)
    columns = tuple(
        OutputColumn(renamed.label, one.sql_name, one.type) for renamed, one in zip(_renamed(binder, item, own), own, strict=True)
    )
    return Source(alias, binder.tag(alias), relation.source, columns, relation, has_alias)


def _call_source(binder: Binder, item: exp.Table) -> Source:
    """Bind `FROM f()`: one row with the function's value, in a column that has the alias or the function's name."""
    for name, argument in item.args.items():
        if argument and name not in {"this", "alias", "joins"}:
            raise binder.unsupported(item, f"{name.upper()} in FROM is not supported")
    listing = binder.context.relations.find("pg_catalog", item.this.name.lower()) if not item.this.expressions else None
    if listing is not None and listing.name in _LISTINGS:
        binder.read(listing)
        alias, has_alias = _alias_of(binder, item, listing.name)
        columns = _renamed(binder, item, tuple(OutputColumn(one.name, one.name, one.type) for one in listing.columns))
        named = tuple(OutputColumn(new.label, old.name, old.type) for new, old in zip(columns, listing.columns, strict=True))
        return Source(alias, binder.tag(alias), listing.source, named, listing, has_alias)
    value = settled(binder, binder.value(item.this, Scope()))
    alias, has_alias = _alias_of(binder, item, value.label)
    columns = _renamed(binder, item, (OutputColumn(alias, "value", value.type),))
    return Source(alias, binder.tag(alias), f"(SELECT {value.sql} AS value)", columns, has_alias=has_alias)


def _subquery_source(binder: Binder, item: exp.Subquery, scope: Scope) -> Source:
    if isinstance(item.this, exp.Values):
        raise binder.unsupported(item, "VALUES in FROM is not supported", hint="Write SELECT … UNION ALL SELECT ….")
    if isinstance(item.this, (exp.Table, PathItem)) or item.args.get("pivots"):
        raise binder.unsupported(item, "joins in parentheses and PIVOT are not supported here")
    binder.facts.seen.add("derived table")
    query = binder.query(item.this, Scope(scope.parent, queries=scope.queries))
    alias_node = item.args.get("alias")
    # Amazon's drivers leave the alias out, so Redshift takes that; PostgreSQL does not.
    alias = binder.fresh("s") if alias_node is None or alias_node.this is None else binder.fold(alias_node.this)
    columns = tuple(
        OutputColumn(new.label, old.sql_name, old.type)
        for new, old in zip(_renamed(binder, item, query.columns), query.columns, strict=True)
    )
    return Source(alias, binder.tag(alias), f"({query.sql})", columns, has_alias=True)


def _alias_of(binder: Binder, item: exp.Expr, name: str) -> tuple[str, bool]:
    alias = item.args.get("alias")
    if alias is None or alias.this is None:
        return name, False
    return binder.fold(alias.this), True


def _renamed(binder: Binder, item: exp.Expr, columns: tuple[OutputColumn, ...]) -> tuple[OutputColumn, ...]:
    alias = item.args.get("alias")
    written = (alias.args.get("columns") or []) if alias is not None else []
    # The types that a function's alias may repeat are the function's own.
    names = [binder.fold(one.this if isinstance(one, exp.ColumnDef) else one) for one in written]
    if not names:
        return columns
    if len(names) > len(columns):
        table = binder.fold(alias.this) if alias is not None else ""
        message = f'table "{table}" has {len(columns)} columns available but {len(names)} columns specified'
        raise binder.invalid(item, message, sqlstate="42P10")
    labels = [*names, *(one.label for one in columns[len(names) :])]
    return unique_columns([(label, one.type) for label, one in zip(labels, columns, strict=True)])


def _renaming(text: str, old: tuple[OutputColumn, ...], new: tuple[OutputColumn, ...]) -> str:
    items = [f"{quote(one.sql_name)} AS {quote(two.sql_name)}" for one, two in zip(old, new, strict=True)]
    return " ".join(("(SELECT", ", ".join(items), "FROM", text, "AS r)"))


def find_relation(binder: Binder, item: exp.Expr) -> Relation:
    """Return the relation that a table in the text names; raises UndefinedObject (42P01, 3F000) with its place."""
    names = [binder.fold(part) for part in (item.args.get("catalog"), item.args.get("db"), item.this) if part is not None]
    if len(names) == 3 and names[0] != binder.context.database:
        hint = f'Only the current database, "{binder.context.database}", can be read.'
        raise binder.unsupported(item, f'relation of another database "{names[0]}" is not supported', hint=hint)
    schema = names[-2] if len(names) > 1 else None
    try:
        relation = binder.context.relations.find(schema, names[-1])
    except NearshiftError as error:
        error.span = span_of(item.this)
        raise
    if relation is not None:
        return relation
    shown = ".".join(names[-2:])
    near = difflib.get_close_matches(names[-1], _known_names(binder), n=1, cutoff=0.6)
    suggestion = f'Did you mean "{near[0]}"?' if near else None
    span = span_of(item.this)
    raise UndefinedObject(f'relation "{shown}" does not exist', sqlstate="42P01", span=span, hint=suggestion)


def _known_names(binder: Binder) -> list[str]:
    names = getattr(binder.context.relations, "names", None)
    return list(names()) if callable(names) else []


def element_value(element: Element) -> Value:
    """Return an unnest alias as a value."""
    return Value(element.source.reference(element.sql_name), SUPER, element.alias)
