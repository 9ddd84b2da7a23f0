"""INSERT, UPDATE, DELETE and MERGE. Source pages: "INSERT", "UPDATE", "DELETE", "MERGE"."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sqlglot import exp

from nearshift.errors import UndefinedObject
from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import assign
from nearshift.sql.bind_from import FromClause, Joined, bind_from
from nearshift.sql.bind_logic import condition
from nearshift.sql.bind_sets import bind_with
from nearshift.sql.bind_tables import find_relation
from nearshift.sql.bind_values import OutputColumn, Value
from nearshift.sql.dialect import COMMA, RemoveDuplicates, span_of
from nearshift.sql.names import quote
from nearshift.sql.relations import Column, Relation, RelationKind
from nearshift.sql.scope import Scope, Source
from nearshift.types import Kind

_INSERT_ARGUMENTS = {"this", "expression", "default", "with_"}
_UPDATE_ARGUMENTS = {"this", "expressions", "from_", "where", "with_"}
_DELETE_ARGUMENTS = {"this", "using", "where", "with_", "tables"}


def _check_arguments(binder: Binder, node: exp.Expr, allowed: set[str], word: str) -> None:
    for name, argument in node.args.items():
        if argument and name not in allowed:
            raise binder.unsupported(node, f"{name.strip('_').upper()} in {word} is not supported")


def _target(binder: Binder, item: exp.Expr, word: str) -> Relation:
    if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier):
        raise binder.unsupported(item, f"{word} needs a table")
    relation = find_relation(binder, item)
    if relation.target is None or (relation.kind is RelationKind.STREAMING_VIEW and word != "DELETE"):
        message = f'cannot {word.lower()} {"into" if word == "INSERT" else ""} {relation.kind.value} "{relation.name}"'
        raise binder.invalid(item, " ".join(message.split()), sqlstate="42809")
    if word in {"INSERT", "DELETE"}:
        binder.change(relation, word)
    return relation


def _stored(binder: Binder, value: Value, column: Column, node: exp.Expr) -> str:
    """Return the text of a value stored into a column; an identity column that is always generated takes none ("CREATE TABLE")."""
    if column.is_identity:
        message, hint = "cannot set an identity column to a value", "Leave the column out, or write DEFAULT."
        raise binder.invalid(node, message, sqlstate="428C9", hint=hint)
    return assign(binder, value, column, node)


def _column(binder: Binder, relation: Relation, node: exp.Expr) -> Column:
    identifier = node.this if isinstance(node, exp.Column) else node
    if isinstance(node, (exp.Dot, exp.Bracket)) or (isinstance(node, exp.Column) and len(node.parts) > 1):
        hint = "Name the column alone. A part of a SUPER value cannot be assigned; replace the whole value."
        raise binder.unsupported(node, "a path or a qualified name cannot be assigned to", hint=hint)
    name = binder.fold(identifier)
    for column in relation.columns:
        if column.name == name:
            return column
    near = difflib.get_close_matches(name, [one.name for one in relation.columns], n=1, cutoff=0.6)
    message = f'column "{name}" of relation "{relation.name}" does not exist'
    suggestion = f'Did you mean "{near[0]}"?' if near else None
    raise UndefinedObject(message, sqlstate="42703", span=span_of(node), hint=suggestion)


def _is_default(node: exp.Expr) -> bool:
    if isinstance(node, exp.Var):
        return node.name.upper() == "DEFAULT"
    return isinstance(node, exp.Column) and len(node.parts) == 1 and not node.this.args.get("quoted") and node.name.upper() == "DEFAULT"


def insert(binder: Binder, node: exp.Expr) -> str:
    """Return the text of an INSERT."""
    _check_arguments(binder, node, _INSERT_ARGUMENTS, "INSERT")
    schema = node.this
    table = schema.this if isinstance(schema, exp.Schema) else schema
    relation = _target(binder, table, "INSERT")
    if isinstance(schema, exp.Schema):
        columns = [_column(binder, relation, one) for one in schema.expressions]
        if len({one.name for one in columns}) != len(columns):
            raise binder.invalid(schema, "column specified more than once", sqlstate="42701")
    else:
        columns = list(relation.columns)
    scope = Scope()
    prefix = bind_with(binder, node, scope)
    source = node.expression
    head = f"INSERT INTO {relation.target}"
    if node.args.get("default"):
        return f"{head} DEFAULT VALUES"
    if isinstance(source, exp.Values):
        body = _insert_values(binder, source, columns, scope, has_list=isinstance(schema, exp.Schema))
    else:
        body = _insert_query(binder, source, columns, scope, has_list=isinstance(schema, exp.Schema))
    return prefix + body.replace("{head}", head, 1)


def _insert_values(binder: Binder, source: exp.Expr, columns: Sequence[Column], scope: Scope, *, has_list: bool) -> str:
    rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in source.expressions]
    width = len(rows[0])
    for row in rows:
        if len(row) != width:
            raise binder.invalid(source, "VALUES lists must all be the same length")
    columns = _fitting(binder, source, columns, width, has_list=has_list)
    texts = []
    for row in rows:
        items = [
            "DEFAULT" if _is_default(item) else _stored(binder, binder.value(item, scope), column, item)
            for item, column in zip(row, columns, strict=True)
        ]
        texts.append(f"({', '.join(items)})")
    return " ".join(("{head}", f"({_names(columns)})", "VALUES", ", ".join(texts)))


def _insert_query(binder: Binder, source: exp.Expr, columns: Sequence[Column], scope: Scope, *, has_list: bool) -> str:
    query = binder.query(source, scope)
    columns = _fitting(binder, source, columns, len(query.columns), has_list=has_list)
    items = [_stored(binder, _as_value(one), column, source) for one, column in zip(query.columns, columns, strict=True)]
    if items == [quote(one.sql_name) for one in query.columns]:
        return " ".join(("{head}", f"({_names(columns)})", query.sql))
    return " ".join(("{head}", f"({_names(columns)})", "SELECT", ", ".join(items), "FROM", f"({query.sql}) AS q"))


def _as_value(column: OutputColumn) -> Value:
    return Value(quote(column.sql_name), column.type, column.label, is_null=column.type.kind is Kind.UNKNOWN)


def _fitting(binder: Binder, node: exp.Expr, columns: Sequence[Column], width: int, *, has_list: bool) -> Sequence[Column]:
    """Fewer values fill the first columns ("INSERT"), unless the columns are listed."""
    if width > len(columns):
        raise binder.invalid(node, "INSERT has more expressions than target columns")
    if has_list and width < len(columns):
        raise binder.invalid(node, "INSERT has more target columns than expressions")
    return columns[:width]


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(quote(one.name) for one in columns)


def _target_source(binder: Binder, item: exp.Expr, relation: Relation) -> tuple[Source, str]:
    """Return the target as a source that cannot be wrapped, and its text in UPDATE or DELETE."""
    binder.reads[(relation.schema, relation.name)] = relation
    alias = item.args.get("alias")
    name = binder.fold(alias.this) if alias is not None and alias.this is not None else relation.name
    tag = binder.tag(name)
    columns = tuple(OutputColumn(one.name, one.name, one.type) for one in relation.columns)
    source = Source(name, tag, relation.target or "", columns, relation, alias is not None, is_inline=True)
    binder.sources.append((relation, source))
    return source, f"{relation.target} AS {quote(tag)}"


def _others(binder: Binder, node: exp.Expr, target: Source, scope: Scope) -> FromClause:
    """Bind FROM or USING; the target may be named in their conditions."""
    clause = bind_from(binder, node, scope)
    if any(one is target for one in clause.sources()):
        raise binder.invalid(node, "Target table must be part of an equijoin predicate")
    return clause


def update(binder: Binder, node: exp.Expr) -> str:
    """Return the text of an UPDATE."""
    _check_arguments(binder, node, _UPDATE_ARGUMENTS, "UPDATE")
    item = node.this
    if item.args.get("joins"):
        raise binder.unsupported(item, "a join in the target of UPDATE is not supported", hint="Use UPDATE … FROM.")
    relation = _target(binder, item, "UPDATE")
    target, text = _target_source(binder, item, relation)
    scope = Scope(sources=[target])
    prefix = bind_with(binder, node, scope)
    clause = _others(binder, node, target, scope)
    scope.no_aggregates = "UPDATE"
    changes: list[str] = []
    seen: set[str] = set()
    for one in node.expressions:
        if not isinstance(one, exp.EQ):
            raise binder.unsupported(one, "SET takes column = value")
        column = _column(binder, relation, one.this)
        if column.name in seen:
            raise binder.invalid(one, f'multiple assignments to same column "{column.name}"', sqlstate="42601")
        seen.add(column.name)
        binder.change(relation, "UPDATE", column.name)
        value = one.expression
        sql = "DEFAULT" if _is_default(value) else _stored(binder, binder.value(value, scope), column, value)
        changes.append(f"{quote(column.name)} = {sql}")
    where = _where(binder, node, scope, clause)
    parts = [f"UPDATE {text} SET", ", ".join(changes)]
    if clause.joined:
        parts.extend(("FROM", clause.render()))
    return prefix + " ".join([*parts, *where])


def delete(binder: Binder, node: exp.Expr) -> str:
    """Return the text of a DELETE."""
    _check_arguments(binder, node, _DELETE_ARGUMENTS, "DELETE")
    tables = node.args.get("tables") or []
    item = node.this or (tables[0] if len(tables) == 1 else None)
    if item is None:
        raise binder.unsupported(node, "DELETE needs one table")
    relation = _target(binder, item, "DELETE")
    target, text = _target_source(binder, item, relation)
    scope = Scope(sources=[target])
    prefix = bind_with(binder, node, scope)
    using = node.args.get("using") or []
    clause = FromClause()
    if using:
        joins = [exp.Join(this=one) for one in using[1:]]
        for one in joins:
            one.meta[COMMA] = True
        carrier = exp.Select(from_=exp.From(this=using[0]), joins=joins)
        clause = _others(binder, carrier, target, scope)
    scope.no_aggregates = "WHERE"
    where = _where(binder, node, scope, clause)
    parts = ["DELETE FROM", text]
    if clause.joined:
        parts.extend(("USING", clause.render()))
    return prefix + " ".join([*parts, *where])


def _where(binder: Binder, node: exp.Expr, scope: Scope, clause: FromClause) -> list[str]:
    conditions = list(clause.filters)
    where = node.args.get("where")
    if where is not None:
        conditions.append(condition(binder, where.this, scope, "WHERE"))
    return ["WHERE", " AND ".join(conditions)] if conditions else []


def merge(binder: Binder, node: exp.Expr) -> str:
    """Return the text of a MERGE."""
    _check_arguments(binder, node, {"this", "using", "on", "whens"}, "MERGE")
    relation = _target(binder, node.this, "MERGE")
    target, text = _target_source(binder, node.this, relation)
    scope = Scope()
    carrier = exp.Select(from_=exp.From(this=node.args["using"]))
    clause = bind_from(binder, carrier, scope)
    source = next(clause.sources())
    if source.relation is not None and source.relation.target == relation.target:
        message = "Source view/subquery in Merge statement cannot reference target table."
        raise binder.invalid(node.args["using"], message, sqlstate="0A000")
    scope.sources.insert(0, target)
    on = condition(binder, node.args["on"], scope, "MERGE/ON")
    whens = node.args["whens"].expressions
    if any(isinstance(one, RemoveDuplicates) for one in whens):
        raise binder.unsupported(node, "MERGE … REMOVE DUPLICATES is not supported", hint="Use DELETE USING and INSERT.")
    actions = [_merge_action(binder, one, relation, source, scope) for one in whens]
    if sorted(bool(one.args.get("matched")) for one in whens) != [False, True]:
        raise binder.invalid(node, "MERGE needs WHEN MATCHED and WHEN NOT MATCHED, each once")
    return " ".join((f"MERGE INTO {text} USING", Joined(source).render(), f"ON {on}", *actions))


def _merge_action(binder: Binder, when: exp.Expr, relation: Relation, source: Source, scope: Scope) -> str:
    if when.args.get("condition") is not None or when.args.get("source"):
        raise binder.unsupported(when, "a condition in WHEN is not supported")
    then = when.args["then"]
    if when.args.get("matched"):
        if isinstance(then, exp.Var) and then.name.upper() == "DELETE":
            binder.change(relation, "DELETE")
            return "WHEN MATCHED THEN DELETE"
        if not isinstance(then, exp.Update):
            raise binder.unsupported(when, "WHEN MATCHED takes UPDATE SET or DELETE")
        changes = []
        for one in then.expressions:
            column = _column(binder, relation, one.this)
            binder.change(relation, "UPDATE", column.name)
            changes.append(f"{quote(column.name)} = {_stored(binder, binder.value(one.expression, scope), column, one.expression)}")
        return f"WHEN MATCHED THEN UPDATE SET {', '.join(changes)}"
    if not isinstance(then, exp.Insert) or not isinstance(then.expression, exp.Tuple):
        raise binder.unsupported(when, "WHEN NOT MATCHED takes INSERT … VALUES")
    binder.change(relation, "INSERT")
    columns: Sequence[Column] = relation.columns
    if then.this is not None:
        columns = [_column(binder, relation, one) for one in then.this.expressions]
    values = then.expression.expressions
    columns = _fitting(binder, when, columns, len(values), has_list=then.this is not None)
    inner = Scope(sources=[source])
    items = [
        "DEFAULT" if _is_default(one) else _stored(binder, binder.value(one, inner), column, one)
        for one, column in zip(values, columns, strict=True)
    ]
    return " ".join(("WHEN NOT MATCHED THEN INSERT", f"({_names(columns)})", "VALUES", f"({', '.join(items)})"))
