"""SELECT. Source pages: "SELECT", "GROUP BY clause", "QUALIFY clause", "ORDER BY clause"."""

from __future__ import annotations

from sqlglot import exp

from nearshift.errors import InvalidSql
from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import settled
from nearshift.sql.bind_from import FromClause, bind_from, element_value
from nearshift.sql.bind_hierarchy import bind_hierarchy
from nearshift.sql.bind_logic import condition
from nearshift.sql.bind_order import bind_limit, bind_order, canonical
from nearshift.sql.bind_outer import apply_join_marks
from nearshift.sql.bind_parts import Parts, render
from nearshift.sql.bind_sets import bind_with
from nearshift.sql.bind_values import BoundQuery, OutputColumn, Value
from nearshift.sql.dialect import span_of
from nearshift.sql.functions_aggregate import AGGREGATES
from nearshift.sql.labels import unique_columns
from nearshift.sql.scope import Element, Scope, Source
from nearshift.sql.scope_names import undefined_column, visible_columns
from nearshift.types import Kind

_SELECT_ARGUMENTS = {
    "expressions", "from_", "joins", "where", "group", "having", "qualify", "order", "limit", "offset", "distinct", "with_",
    "exclude", "connect",
}  # fmt: skip
# Clauses that Redshift's grammar lacks too, as a user calls them, and what to do.
_REFUSED: dict[str, tuple[str, str | None]] = {
    "into": ("SELECT INTO here", "Use CREATE TABLE AS."),
    "windows": ("the WINDOW clause", "Write the window after each OVER."),
    "locks": ("FOR UPDATE or FOR SHARE", "Use LOCK."),
    "laterals": ("LATERAL", None),
}


def select_query(binder: Binder, node: exp.Expr, parent: Scope | None) -> BoundQuery:
    """Bind a SELECT."""
    for name, argument in node.args.items():
        if argument and name not in _SELECT_ARGUMENTS:
            what, hint = _REFUSED.get(name, (f"{name.strip('_').upper()} in SELECT", None))
            raise binder.unsupported(node, f"{what} is not supported", hint=hint)
    _check_written(binder, node)
    scope = Scope(parent)
    prefix = bind_with(binder, node, scope)
    clause = bind_from(binder, node, scope)
    if node.args.get("connect") is not None:
        clause = bind_hierarchy(binder, node, scope, clause)
    parts = Parts()
    _bind_where(binder, node, scope, clause, parts)
    _bind_group(binder, node, scope, parts)
    _bind_list(binder, node, scope, parts)
    _bind_after_group(binder, node, scope, parts)
    _bind_distinct(binder, node, parts)
    bind_order(binder, node, scope, parts)
    bind_limit(binder, node, parts)
    _check_loose(scope)
    if scope.has_aggregates or scope.is_grouped:
        binder.facts.seen.add("aggregate")
    columns = unique_columns([(label, one.type) for label, one in zip(parts.labels, parts.items, strict=True)])
    return BoundQuery(prefix + render(parts, columns, clause), columns)


def _check_written(binder: Binder, node: exp.Expr) -> None:
    """Refuse `FROM t` without SELECT, for which sqlglot makes up a star that stands at the beginning of the text."""
    first = node.expressions[0] if node.expressions else None
    place = span_of(first) if isinstance(first, exp.Star) else None
    if place is not None and place.start == 0:
        raise binder.invalid(node.args.get("from_"), "a query begins with SELECT")


def _bind_where(binder: Binder, node: exp.Expr, scope: Scope, clause: FromClause, parts: Parts) -> None:
    where = node.args.get("where")
    if where is None:
        return
    scope.no_aggregates = "WHERE"
    _bind_written_aliases(binder, where, node, scope)
    rest = apply_join_marks(binder, where.this, scope, clause)
    if rest is not None:
        parts.where.append(condition(binder, rest, scope, "WHERE"))
    scope.no_aggregates = ""
    scope.aliases.clear()
    scope.loose.clear()


def _bind_written_aliases(binder: Binder, where: exp.Expr, node: exp.Expr, scope: Scope) -> None:
    """Make the aliases that WHERE names known to it, where nothing else has the name.

    AWS documents them for the select list only ("SELECT list"); its own drivers write `… AS table_schem … WHERE table_schem LIKE $1`.
    """
    for column in where.find_all(exp.Column):
        if len(column.parts) != 1 or not isinstance(column.this, exp.Identifier) or column.find_ancestor(exp.Select) is not node:
            continue
        name = binder.fold(column.this)
        item = _named_item(binder, column, node, scope)
        if item is column or name in scope.aliases or name in binder.context.variables or _is_known_outside(scope.parent, name):
            continue
        scope.aliases[name] = settled(binder, binder.value(item.this, scope))


def _is_known_outside(scope: Scope | None, name: str) -> bool:
    while scope is not None:
        if scope.find_alias(name) is not None or any(isinstance(one, Source) and one.column(name) for one in scope.sources):
            return True
        scope = scope.parent
    return False


def _bind_group(binder: Binder, node: exp.Expr, scope: Scope, parts: Parts) -> None:
    group = node.args.get("group")
    scope.loose.clear()
    if group is None:
        return
    binder.check(group, binder.arguments[exp.Group])
    scope.is_grouped = True
    scope.no_aggregates = "GROUP BY"
    if group.args.get("all"):
        nodes = [one for one in node.expressions if not _has_aggregate(one)]
        parts.group = ", ".join(_group_key(binder, one, node, scope) for one in nodes)
    else:
        parts.group = ", ".join(_group_item(binder, one, node, scope) for one in group.expressions)
    scope.no_aggregates = ""
    scope.loose.clear()


def _has_aggregate(node: exp.Expr) -> bool:
    return any(isinstance(one.this, str) and one.this.lower() in AGGREGATES for one in node.find_all(exp.Anonymous))


def _group_item(binder: Binder, one: exp.Expr, node: exp.Expr, scope: Scope) -> str:
    if isinstance(one, (exp.Rollup, exp.Cube)):
        word = "ROLLUP" if isinstance(one, exp.Rollup) else "CUBE"
        return f"{word} ({', '.join(_group_set(binder, inner, node, scope) for inner in one.expressions)})"
    if isinstance(one, exp.GroupingSets):
        return f"GROUPING SETS ({', '.join(_group_set(binder, inner, node, scope) for inner in one.expressions)})"
    return _group_key(binder, one, node, scope)


def _group_set(binder: Binder, one: exp.Expr, node: exp.Expr, scope: Scope) -> str:
    if isinstance(one, exp.Tuple):
        return f"({', '.join(_group_key(binder, inner, node, scope) for inner in one.expressions)})"
    if isinstance(one, (exp.Rollup, exp.Cube, exp.GroupingSets)):
        return _group_item(binder, one, node, scope)
    return f"({_group_key(binder, one, node, scope)})"


def _group_key(binder: Binder, one: exp.Expr, node: exp.Expr, scope: Scope) -> str:
    target = _named_item(binder, one, node, scope)
    target = target.this if isinstance(target, exp.Alias) else target
    value = settled(binder, binder.value(target, scope))
    if target is not one or not isinstance(target, exp.Column):
        binder.memo[id(target)] = value
    emitted = f"nearshift_sql.super_canonical({value.sql})" if value.type.kind is Kind.SUPER else value.sql
    scope.group_keys[value.sql] = emitted
    if value.integer is not None:
        return f"CAST({emitted} AS BIGINT)"  # DuckDB would take a number for a place in the list
    if target is not one and emitted != value.sql:
        del binder.memo[id(target)]
    return emitted


def _named_item(binder: Binder, one: exp.Expr, node: exp.Expr, scope: Scope) -> exp.Expr:
    """Return the item of the select list that an ordinal or an alias in GROUP BY means, else the expression itself."""
    if isinstance(one, exp.Literal) and not one.is_string and one.this.isdigit():
        number = int(one.this)
        if not 1 <= number <= len(node.expressions):
            raise binder.invalid(one, f"GROUP BY position {number} is not in select list", sqlstate="42P10")
        chosen: exp.Expr = node.expressions[number - 1]
        return chosen
    if isinstance(one, exp.Column) and len(one.parts) == 1:
        name = binder.fold(one.this)
        is_column = any(isinstance(item, Source) and item.column(name) for item in scope.sources)
        if not is_column and scope.find_alias(name) is None:
            for item in node.expressions:
                if isinstance(item, exp.Alias) and binder.fold(item.args["alias"]) == name:
                    return item
    return one


def _bind_list(binder: Binder, node: exp.Expr, scope: Scope, parts: Parts) -> None:
    excluded = {binder.fold(one.this): one for one in node.args.get("exclude") or [] if isinstance(one, exp.Column)}
    if len(excluded) != len(node.args.get("exclude") or []):
        raise binder.invalid(node.args["exclude"][0], "EXCLUDE takes different column names")
    found: set[str] = set()
    for item in node.expressions:
        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            found.update(_expand_star(binder, item, scope, parts, frozenset(excluded)))
            continue
        inner = item.this if isinstance(item, exp.Alias) else item
        value = settled(binder, binder.value(inner, scope))
        label = value.label
        if isinstance(item, exp.Alias):
            label = binder.fold(item.args["alias"])
            scope.aliases.setdefault(label, value)
        parts.items.append(value)
        parts.labels.append(label)
    for name, written in excluded.items():
        if name not in found:
            raise undefined_column(name, written, sorted(found))
    if not parts.items:
        raise binder.invalid(node, "SELECT needs at least one column")


def _expand_star(binder: Binder, item: exp.Expr, scope: Scope, parts: Parts, excluded: frozenset[str]) -> list[str]:
    """Add what a star means, without the columns of EXCLUDE; return the labels of all, those too."""
    binder.facts.seen.add("star")
    star = item.this if isinstance(item, exp.Column) else item
    binder.check(star, binder.arguments[exp.Star])
    only = None
    if isinstance(item, exp.Column):
        only = _star_source(binder, item, scope)
    elif not scope.sources:
        raise binder.invalid(item, "SELECT * with no tables specified is not valid")
    found: list[Value] = []
    if only is None:
        found.extend(Value(one.sql, one.type, one.name) for one in scope.merged)
    for source, column in visible_columns(scope) if only is None else _columns_of(only):
        if column is None:
            assert isinstance(source, Element)
            found.append(element_value(source))
            if source.index is not None and source.index_sql_name is not None:
                found.append(Value(source.source.reference(source.index_sql_name), source.index_type, source.index))
        else:
            assert isinstance(source, Source)
            found.append(Value(source.reference(column.sql_name), column.type, column.label))
    for value in found:
        if value.label in excluded:
            continue
        key = scope.group_keys.get(value.sql)
        if key is None:
            scope.loose.append((value.label, None))
        parts.items.append(value if key is None else Value(key, value.type, value.label))
        parts.labels.append(value.label)
    return [one.label for one in found]


def _columns_of(source: Source | Element) -> list[tuple[Source | Element, OutputColumn | None]]:
    if isinstance(source, Element):
        return [(source, None)]
    return [(source, column) for column in source.columns]


def _star_source(binder: Binder, item: exp.Column, scope: Scope) -> Source | Element:
    names = [binder.fold(part) for part in item.parts[:-1]]
    for source in scope.sources:
        if len(names) == 1 and source.alias == names[0]:
            return source
        relation = source.relation if isinstance(source, Source) else None
        if relation is not None and [relation.schema, relation.name] == names[-2:]:
            return source
    raise binder.invalid(item.parts[-2], f'missing FROM-clause entry for table "{names[-1]}"', sqlstate="42P01")


def _bind_after_group(binder: Binder, node: exp.Expr, scope: Scope, parts: Parts) -> None:
    having, qualify = node.args.get("having"), node.args.get("qualify")
    if having is not None:
        scope.is_grouped = True
        parts.having = condition(binder, having.this, scope, "HAVING")
    if qualify is not None:
        binder.facts.seen.add("window")
        parts.qualify = condition(binder, qualify.this, scope, "QUALIFY")
        if not scope.has_windows:
            raise binder.invalid(qualify, "QUALIFY needs a window function in the select list or in its condition", sqlstate="42P20")


def _bind_distinct(binder: Binder, node: exp.Expr, parts: Parts) -> None:
    distinct = node.args.get("distinct")
    if distinct is None:
        return
    if distinct.args.get("on") is not None:
        raise binder.unsupported(distinct, "DISTINCT ON is not supported", hint="Use QUALIFY ROW_NUMBER() OVER (…) = 1.")
    binder.facts.seen.add("distinct")
    parts.distinct = "DISTINCT"
    parts.items = [canonical(one) for one in parts.items]


def _check_loose(scope: Scope) -> None:
    if not scope.loose or not (scope.is_grouped or scope.has_aggregates):
        return
    label, span = scope.loose[0]
    message = f'column "{label}" must appear in the GROUP BY clause or be used in an aggregate function'
    raise InvalidSql(message, sqlstate="42803", span=span, hint="Add it to GROUP BY, or aggregate it, for example with MAX.")
