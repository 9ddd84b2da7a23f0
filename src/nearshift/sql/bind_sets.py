"""VALUES, queries in parentheses, set operations and WITH.

Source pages: "UNION, INTERSECT, and EXCEPT", "WITH clause".
"""

from __future__ import annotations

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce
from nearshift.sql.bind_from import FromClause, Joined
from nearshift.sql.bind_logic import unify
from nearshift.sql.bind_order import bind_limit, bind_order
from nearshift.sql.bind_parts import Parts, render
from nearshift.sql.bind_values import BoundQuery, OutputColumn, Value
from nearshift.sql.labels import unique_columns
from nearshift.sql.names import quote
from nearshift.sql.scope import Scope, Source
from nearshift.types import Kind, SqlType

_SET_WORDS: dict[type[exp.Expr], str] = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}


def values_query(binder: Binder, node: exp.Expr, parent: Scope | None) -> BoundQuery:
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
    return BoundQuery(" ".join(("SELECT * FROM (VALUES", ", ".join(texts), f") AS v({names})")), output)


def _value_row(binder: Binder, row: exp.Expr, scope: Scope) -> list[Value]:
    return [binder.value(one, scope) for one in (row.expressions if isinstance(row, exp.Tuple) else [row])]


def subquery_query(binder: Binder, node: exp.Expr, parent: Scope | None) -> BoundQuery:
    """Bind a query in parentheses, with ORDER BY and LIMIT of its own outside them."""
    for name, argument in node.args.items():
        if argument and name not in {"this", "order", "limit", "offset", "with_"}:
            raise binder.unsupported(node, f"{name.upper()} is not supported here")
    scope = Scope(parent)
    prefix = bind_with(binder, node, scope)
    return _modified(binder, node, binder.query(node.this, scope), prefix, parent)


def _modified(binder: Binder, node: exp.Expr, query: BoundQuery, prefix: str, parent: Scope | None) -> BoundQuery:
    """Return a query with the ORDER BY, LIMIT and OFFSET that stand outside it."""
    if not any(node.args.get(name) for name in ("order", "limit", "offset")):
        return BoundQuery(prefix + query.sql, query.columns)
    tag = binder.tag("u")
    source = Source("", tag, f"({query.sql})", query.columns)
    scope = Scope(parent, sources=[source])
    items = [Value(source.reference(one.sql_name), one.type, one.label) for one in query.columns]
    parts = Parts(items, [one.label for one in query.columns])
    bind_order(binder, node, scope, parts)
    bind_limit(binder, node, parts)
    return BoundQuery(prefix + render(parts, query.columns, FromClause([Joined(source)])), query.columns)


def set_query(binder: Binder, node: exp.Expr, parent: Scope | None) -> BoundQuery:
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
    binder.check(node, frozenset({"this", "expression", "distinct", "with_", "order", "limit", "offset"}))
    if node.args.get("distinct"):
        return word
    if word != "UNION":
        raise binder.unsupported(node, f"{word} ALL is not supported", hint=f"Use {word}, which removes duplicates.")
    return "UNION ALL"


def combine(binder: Binder, node: exp.Expr, queries: list[BoundQuery], word: str) -> BoundQuery:
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
    return BoundQuery(f" {word} ".join(texts), columns)


def _null_value(column: OutputColumn) -> Value:
    return Value(quote(column.sql_name), column.type, is_null=column.type.kind is Kind.UNKNOWN)


def _cast_branch(query: BoundQuery, casts: list[str], columns: tuple[OutputColumn, ...]) -> str:
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
        binder.check(one, binder.arguments[exp.CTE])
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


def _with_query(binder: Binder, node: exp.Expr, name: str, tag: str, names: list[str], scope: Scope, *, is_recursive: bool) -> BoundQuery:
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
    return BoundQuery(f"({first.sql}) UNION ALL {_cast_branch(second, values, first.columns)}", first.columns)


def _is_plain(table: exp.Expr) -> bool:
    return isinstance(table.this, exp.Identifier) and table.args.get("db") is None
