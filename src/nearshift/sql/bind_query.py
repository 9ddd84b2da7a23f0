"""Queries: SELECT, VALUES, set operations, WITH.

Source pages: "SELECT", "WITH clause", "GROUP BY clause", "QUALIFY clause", "ORDER BY clause", "UNION, INTERSECT, and EXCEPT".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from nearshift.errors import InvalidSql
from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce, settled
from nearshift.sql.bind_from import FromClause, bind_from, element_value
from nearshift.sql.bind_operators import condition, unify
from nearshift.sql.bind_outer import apply_join_marks
from nearshift.sql.bind_values import OutputColumn, Query, Value
from nearshift.sql.labels import unique_columns
from nearshift.sql.names import quote
from nearshift.sql.scope import Element, Scope, Source
from nearshift.sql.scope_names import undefined_column, visible_columns
from nearshift.types import BIGINT, INTEGERS, Kind, SqlType

_SELECT_ARGUMENTS = {
    "expressions", "from_", "joins", "where", "group", "having", "qualify", "order", "limit", "offset", "distinct", "with_", "exclude", "kind",
}  # fmt: skip
_SET_WORDS: dict[type[exp.Expr], str] = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}


@dataclass(slots=True)
class Parts:
    """The clauses of one SELECT as text; empty where absent."""

    items: list[Value] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    distinct: str = ""
    where: list[str] = field(default_factory=list)
    group: str = ""
    having: str = ""
    qualify: str = ""
    order: str = ""
    limit: str = ""
    offset: str = ""


def select_query(binder: Binder, node: exp.Expr, parent: Scope | None) -> Query:
    """Bind a SELECT."""
    for name, argument in node.args.items():
        if argument and name not in _SELECT_ARGUMENTS:
            hint = "Use CREATE TABLE AS." if name == "into" else None
            raise binder.unsupported(node, f"{name.strip('_').upper()} in SELECT is not supported", hint=hint)
    scope = Scope(parent)
    prefix = bind_with(binder, node, scope)
    clause = bind_from(binder, node, scope)
    parts = Parts()
    _bind_where(binder, node, scope, clause, parts)
    _bind_group(binder, node, scope, parts)
    _bind_list(binder, node, scope, parts)
    _bind_after_group(binder, node, scope, parts)
    _bind_distinct(binder, node, parts)
    _bind_order(binder, node, scope, parts)
    _bind_limit(binder, node, parts)
    _check_loose(scope)
    if scope.has_aggregates or scope.is_grouped:
        binder.facts.seen.add("aggregate")
    columns = unique_columns([(label, one.type) for label, one in zip(parts.labels, parts.items, strict=True)])
    return Query(prefix + _render(parts, columns, clause), columns)


def _render(parts: Parts, columns: tuple[OutputColumn, ...], clause: FromClause) -> str:
    items = ", ".join(f"{one.sql} AS {quote(column.sql_name)}" for one, column in zip(parts.items, columns, strict=True))
    text = ["SELECT"]
    if parts.distinct:
        text.append("DISTINCT")
    text.append(items)
    if clause.joined:
        text.extend(("FROM", clause.render()))
    conditions = [*clause.filters, *parts.where]
    for word, body in (
        ("WHERE", " AND ".join(conditions)), ("GROUP BY", parts.group), ("HAVING", parts.having), ("QUALIFY", parts.qualify),
        ("ORDER BY", parts.order), ("LIMIT", parts.limit), ("OFFSET", parts.offset),
    ):  # fmt: skip
        if body:
            text.extend((word, body))
    return " ".join(text)


def _bind_where(binder: Binder, node: exp.Expr, scope: Scope, clause: FromClause, parts: Parts) -> None:
    where = node.args.get("where")
    if where is None:
        return
    scope.no_aggregates = "WHERE"
    rest = apply_join_marks(binder, where.this, scope, clause)
    if rest is not None:
        parts.where.append(condition(binder, rest, scope, "WHERE"))
    scope.no_aggregates = ""
    scope.loose.clear()


def _bind_group(binder: Binder, node: exp.Expr, scope: Scope, parts: Parts) -> None:
    group = node.args.get("group")
    scope.loose.clear()
    if group is None:
        return
    scope.is_grouped = True
    scope.no_aggregates = "GROUP BY"
    if group.args.get("all"):
        nodes = [one for one in node.expressions if not _has_aggregate(binder, one)]
        parts.group = ", ".join(_group_key(binder, one, node, scope) for one in nodes)
    else:
        parts.group = ", ".join(_group_item(binder, one, node, scope) for one in group.expressions)
    scope.no_aggregates = ""
    scope.loose.clear()


def _has_aggregate(binder: Binder, node: exp.Expr) -> bool:
    from nearshift.sql.functions_aggregate import AGGREGATES

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
    if target is not one and emitted != value.sql:
        del binder.memo[id(target)]
    return emitted


def _named_item(binder: Binder, one: exp.Expr, node: exp.Expr, scope: Scope) -> exp.Expr:
    """Return the item of the select list that an ordinal or an alias in GROUP BY means, else the expression itself."""
    if isinstance(one, exp.Literal) and not one.is_string and one.this.isdigit():
        number = int(one.this)
        if not 1 <= number <= len(node.expressions):
            raise binder.invalid(one, f"GROUP BY position {number} is not in select list", sqlstate="42P10")
        return node.expressions[number - 1]
    if isinstance(one, exp.Column) and len(one.parts) == 1:
        name = binder.fold(one.this)
        is_column = any(isinstance(item, Source) and item.column(name) for item in scope.sources)
        if not is_column and scope.find_alias(name) is None:
            for item in node.expressions:
                if isinstance(item, exp.Alias) and binder.fold(item.args["alias"]) == name:
                    return item
    return one


def _bind_list(binder: Binder, node: exp.Expr, scope: Scope, parts: Parts) -> None:
    excluded = [binder.fold(one.this) for one in node.args.get("exclude") or []]
    for item in node.expressions:
        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            _expand_star(binder, item, scope, parts, excluded)
            continue
        inner = item.this if isinstance(item, exp.Alias) else item
        value = settled(binder, binder.value(inner, scope))
        label = value.label
        if isinstance(item, exp.Alias):
            label = binder.fold(item.args["alias"])
            scope.aliases.setdefault(label, value)
        parts.items.append(value)
        parts.labels.append(label)
    if not parts.items:
        raise binder.invalid(node, "SELECT needs at least one column")


def _expand_star(binder: Binder, item: exp.Expr, scope: Scope, parts: Parts, excluded: list[str]) -> None:
    binder.facts.seen.add("star")
    star = item.this if isinstance(item, exp.Column) else item
    skipped = {*excluded, *(binder.fold(one.this) for one in star.args.get("except_") or [])}
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
    unknown = skipped - {one.label for one in found}
    if unknown:
        raise undefined_column(sorted(unknown)[0], star, [one.label for one in found])
    for value in found:
        if value.label in skipped:
            continue
        key = scope.group_keys.get(value.sql)
        if key is None:
            scope.loose.append((value.label, None))
        parts.items.append(value if key is None else Value(key, value.type, value.label))
        parts.labels.append(value.label)


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
    parts.items = [_canonical(one) for one in parts.items]


def _canonical(value: Value) -> Value:
    if value.type.kind is not Kind.SUPER or value.sql.startswith("nearshift_sql.super_canonical("):
        return value
    return Value(f"nearshift_sql.super_canonical({value.sql})", value.type, value.label)


def _bind_order(binder: Binder, node: exp.Expr, scope: Scope, parts: Parts) -> None:
    order = node.args.get("order")
    if order is None:
        return
    binder.facts.seen.add("order by")
    keys = []
    for one in order.expressions:
        sql, kind = _order_key(binder, one.this, scope, parts)
        keys.append(ordered(sql, kind, one))
    parts.order = ", ".join(keys)


def ordered(sql: str, kind: SqlType, node: exp.Expr) -> str:
    """Return a sort key with its direction; NULL is the largest value unless the text says otherwise ("ORDER BY clause")."""
    direction = "DESC" if node.args.get("desc") else "ASC"
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    if kind.kind is Kind.SUPER:
        sql = f"nearshift_sql.super_key({sql})"
    return f"{sql} {direction} NULLS {nulls}"


def _order_key(binder: Binder, node: exp.Expr, scope: Scope, parts: Parts) -> tuple[str, SqlType]:
    place = _output_place(binder, node, parts)
    if place is None:
        if isinstance(node, exp.Literal) and node.is_string:
            raise binder.invalid(node, "a string literal cannot stand in ORDER BY", hint="Name a column, or give its number.")
        value = settled(binder, binder.value(node, scope))
        places = [number for number, one in enumerate(parts.items) if one.sql in {value.sql, _canonical(value).sql}]
        if not parts.distinct:
            return value.sql, value.type
        if not places:
            message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list"
            raise binder.invalid(node, message, sqlstate="42P10")
        place = places[0]
    item = parts.items[place]
    return (item.sql if item.type.kind is Kind.SUPER else str(place + 1)), item.type


def _output_place(binder: Binder, node: exp.Expr, parts: Parts) -> int | None:
    """Return the index of the select list's item that an ordinal or an output label means."""
    if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
        number = int(node.this)
        if not 1 <= number <= len(parts.items):
            raise binder.invalid(node, f"ORDER BY position {number} is not in select list", sqlstate="42P10")
        return number - 1
    if isinstance(node, exp.Column) and len(node.parts) == 1 and isinstance(node.this, exp.Identifier):
        name = binder.fold(node.this)
        if name in parts.labels:
            return parts.labels.index(name)
    return None


def _bind_limit(binder: Binder, node: exp.Expr, parts: Parts) -> None:
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if isinstance(limit, exp.Fetch):
        raise binder.unsupported(limit, "FETCH FIRST is not supported", hint="Use LIMIT.")
    if limit is not None:
        for name, argument in limit.args.items():
            if argument and name not in {"this", "expression", "offset"}:
                raise binder.unsupported(limit, "this form of LIMIT is not supported")
        parts.limit = _row_count(binder, limit.expression, "LIMIT")
        binder.facts.seen.add("limit")
    if offset is not None:
        parts.offset = _row_count(binder, offset.expression, "OFFSET")
        binder.facts.seen.add("limit")


def _row_count(binder: Binder, node: exp.Expr, word: str) -> str:
    inner = node.this if isinstance(node, exp.Paren) else node
    if word == "LIMIT" and isinstance(inner, (exp.Column, exp.Var)) and inner.name.lower() == "all":
        return ""
    value = binder.value(inner, Scope())
    if value.parameter is not None:
        value = coerce(binder, value, BIGINT, node)
    if value.type.kind not in INTEGERS or (value.integer is not None and not 0 <= value.integer < 2**31):
        raise binder.invalid(node, f"{word} must be an integer from 0 to 2147483647", sqlstate="2201W")
    return value.sql


def _check_loose(scope: Scope) -> None:
    if not scope.loose or not (scope.is_grouped or scope.has_aggregates):
        return
    label, span = scope.loose[0]
    message = f'column "{label}" must appear in the GROUP BY clause or be used in an aggregate function'
    raise InvalidSql(message, sqlstate="42803", span=span, hint="Add it to GROUP BY, or aggregate it, for example with MAX.")


def values_query(binder: Binder, node: exp.Expr, parent: Scope | None) -> Query:
    """Bind VALUES (…), (…); its columns are column1, column2, …"""
    scope = Scope(parent)
    rows = [_value_row(binder, row, scope) for row in node.expressions]
    if len({len(row) for row in rows}) != 1:
        raise binder.invalid(node, "VALUES lists must all be the same length")
    width = len(rows[0])
    columns = [unify(binder, [row[number] for row in rows], node, "VALUES") for number in range(width)]
    output = unique_columns([(f"column{number + 1}", columns[number][0].type) for number in range(width)])
    texts = [f"({', '.join(columns[number][index].sql for number in range(width))})" for index in range(len(rows))]
    names = ", ".join(quote(one.sql_name) for one in output)
    return Query(" ".join(("SELECT * FROM (VALUES", ", ".join(texts), f") AS v({names})")), output)


def _value_row(binder: Binder, row: exp.Expr, scope: Scope) -> list[Value]:
    return [binder.value(one, scope) for one in (row.expressions if isinstance(row, exp.Tuple) else [row])]


def subquery_query(binder: Binder, node: exp.Expr, parent: Scope | None) -> Query:
    """Bind a query in parentheses, with ORDER BY and LIMIT of its own outside them."""
    for name, argument in node.args.items():
        if argument and name not in {"this", "order", "limit", "offset", "with_"}:
            raise binder.unsupported(node, f"{name.upper()} is not supported here")
    scope = Scope(parent)
    prefix = bind_with(binder, node, scope)
    return _modified(binder, node, binder.query(node.this, scope), prefix, parent)


def _modified(binder: Binder, node: exp.Expr, query: Query, prefix: str, parent: Scope | None) -> Query:
    """Return a query with the ORDER BY, LIMIT and OFFSET that stand outside it."""
    if not any(node.args.get(name) for name in ("order", "limit", "offset")):
        return Query(prefix + query.sql, query.columns)
    tag = binder.tag("u")
    source = Source("", tag, f"({query.sql})", query.columns)
    scope = Scope(parent, sources=[source])
    items = [Value(source.reference(one.sql_name), one.type, one.label) for one in query.columns]
    parts = Parts(items, [one.label for one in query.columns])
    _bind_order(binder, node, scope, parts)
    _bind_limit(binder, node, parts)
    from nearshift.sql.bind_from import Joined

    return Query(prefix + _render(parts, query.columns, FromClause([Joined(source)])), query.columns)


def set_query(binder: Binder, node: exp.Expr, parent: Scope | None) -> Query:
    """Bind UNION, INTERSECT, EXCEPT and MINUS, walking long chains of one operator without recursion."""
    binder.facts.seen.add("set operator")
    scope = Scope(parent)
    prefix = bind_with(binder, node, scope)
    word = _set_word(binder, node)
    branches: list[exp.Expr] = []
    head: exp.Expr = node
    while type(head) is type(node) and _set_word(binder, head) == word and (head is node or not _is_modified(head)):
        branches.append(head.expression)
        head = head.this
    branches.append(head)
    queries = [binder.query(one, scope) for one in reversed(branches)]
    return _modified(binder, node, combine(binder, node, queries, word), prefix, parent)


def _is_modified(node: exp.Expr) -> bool:
    return any(node.args.get(name) for name in ("order", "limit", "offset", "with_"))


def _set_word(binder: Binder, node: exp.Expr) -> str:
    word = _SET_WORDS[type(node)]
    if node.args.get("by_name") or node.args.get("on"):
        raise binder.unsupported(node, f"{word} BY NAME is not supported")
    if node.args.get("distinct"):
        return word
    if word != "UNION":
        raise binder.unsupported(node, f"{word} ALL is not supported", hint=f"Use {word}, which removes duplicates.")
    return "UNION ALL"


def combine(binder: Binder, node: exp.Expr, queries: list[Query], word: str) -> Query:
    """Return the set operation over bound branches, with the columns' types unified."""
    width = len(queries[0].columns)
    for one in queries:
        if len(one.columns) != width:
            raise binder.invalid(node, f"each {word.split()[0]} query must have the same number of columns")
    kinds: list[SqlType] = []
    casts: list[list[str]] = [[] for _ in queries]
    for number in range(width):
        values = [_null_value(one.columns[number]) for one in queries]
        unified = unify(binder, values, node, word.split()[0])
        kinds.append(unified[0].type)
        for index, value in enumerate(unified):
            sql = value.sql
            if value.type.kind is Kind.SUPER and word != "UNION ALL":
                sql = f"nearshift_sql.super_canonical({sql})"
            casts[index].append(sql)
    columns = unique_columns([(one.label, kind) for one, kind in zip(queries[0].columns, kinds, strict=True)])
    texts = [_cast_branch(query, casts[index], columns) for index, query in enumerate(queries)]
    return Query(f" {word} ".join(texts), columns)


def _null_value(column: OutputColumn) -> Value:
    return Value(quote(column.sql_name), column.type, is_null=column.type.kind is Kind.UNKNOWN)


def _cast_branch(query: Query, casts: list[str], columns: tuple[OutputColumn, ...]) -> str:
    if casts == [quote(one.sql_name) for one in query.columns] and [one.sql_name for one in columns] == [
        one.sql_name for one in query.columns
    ]:
        return f"({query.sql})"
    items = ", ".join(f"{sql} AS {quote(one.sql_name)}" for sql, one in zip(casts, columns, strict=True))
    return " ".join(("(SELECT", items, "FROM", f"({query.sql}) AS b)"))


def bind_with(binder: Binder, node: exp.Expr, scope: Scope) -> str:
    """Bind the queries of WITH into `scope`; return the text of the clause with a blank after it, or nothing."""
    clause = node.args.get("with_")
    if clause is None:
        return ""
    binder.facts.seen.add("with")
    texts: list[str] = []
    is_recursive = bool(clause.args.get("recursive"))
    for one in clause.expressions:
        alias = one.args["alias"]
        name = binder.fold(alias.this)
        if name in scope.queries:
            raise binder.invalid(alias, f'WITH query name "{name}" specified more than once', sqlstate="42712")
        tag = binder.tag(name)
        names = [binder.fold(column) for column in alias.args.get("columns") or []]
        query = _with_query(binder, one.this, name, tag, names, scope, is_recursive=is_recursive)
        labels = [*names, *(column.label for column in query.columns[len(names) :])]
        if len(names) > len(query.columns):
            message = f'WITH query "{name}" has {len(query.columns)} columns available but {len(names)} columns specified'
            raise binder.invalid(alias, message, sqlstate="42P10")
        columns = unique_columns([(label, column.type) for label, column in zip(labels, query.columns, strict=True)])
        scope.queries[name] = Source(name, tag, quote(tag), columns)
        header = ", ".join(quote(column.sql_name) for column in columns)
        texts.append(f"{quote(tag)}({header}) AS ({query.sql})")
    word = "WITH RECURSIVE " if is_recursive else "WITH "
    return word + ", ".join(texts) + " "


def _with_query(
    binder: Binder, node: exp.Expr, name: str, tag: str, names: list[str], scope: Scope, *, is_recursive: bool
) -> Query:
    if not is_recursive or not any(binder.fold(table.this) == name for table in node.find_all(exp.Table) if _is_plain(table)):
        return binder.query(node, scope)
    if not isinstance(node, exp.Union) or node.args.get("distinct") or not names:
        hint = "Write WITH RECURSIVE name(column, …) AS (first SELECT UNION ALL recursive SELECT)."
        raise binder.unsupported(node, "a recursive WITH query needs a column list and UNION ALL", hint=hint)
    first = binder.query(node.this, scope)
    columns = unique_columns([(label, column.type) for label, column in zip(names, first.columns, strict=False)])
    inner = Scope(scope, queries={name: Source(name, tag, quote(tag), columns)})
    second = binder.query(node.expression, inner)
    if len(second.columns) != len(first.columns):
        raise binder.invalid(node, "each UNION query must have the same number of columns")
    values = [coerce(binder, _null_value(b), a.type, node).sql for a, b in zip(first.columns, second.columns, strict=True)]
    return Query(f"({first.sql}) UNION ALL {_cast_branch(second, values, first.columns)}", first.columns)


def _is_plain(table: exp.Expr) -> bool:
    return isinstance(table.this, exp.Identifier) and table.args.get("db") is None
