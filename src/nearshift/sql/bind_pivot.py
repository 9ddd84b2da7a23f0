"""PIVOT and UNPIVOT of an item of FROM.

PIVOT is bound as the query that it stands for: `SELECT others, agg(CASE WHEN key = value THEN argument END) AS value … GROUP BY others`.
UNPIVOT puts the listed columns into a list beside their names and unnests both. Source page: "PIVOT and UNPIVOT examples"
(r_FROM_clause-pivot-unpivot-examples).
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_logic import unify
from nearshift.sql.bind_values import NO_LABEL, OutputColumn, Value
from nearshift.sql.labels import unique_columns
from nearshift.sql.names import quote, quote_literal
from nearshift.sql.scope import Scope, Source
from nearshift.types import VARCHAR, Kind

_AGGREGATES = frozenset({"count", "sum", "min", "max", "avg"})
_ARGUMENTS = frozenset({
    "expressions", "fields", "unpivot", "include_nulls", "alias", "columns", "default_on_null", "identify_pivot_strings",
    "prefixed_pivot_columns", "pivot_column_naming", "value_columns_first",
})  # fmt: skip


def pivoted(binder: Binder, item: exp.Expr, source: Source, pivots: list[exp.Expr]) -> Source:
    """Return `source` rotated as PIVOT or UNPIVOT says; raises NotSupported for what Redshift leaves out too, InvalidSql (42703, 42804)."""
    pivot = pivots[0]
    word = "UNPIVOT" if pivot.args.get("unpivot") else "PIVOT"
    if len(pivots) > 1:
        raise binder.unsupported(item, f"{word} of a PIVOT or UNPIVOT is not supported", hint="Use a subquery or WITH.")
    binder.check(pivot, _ARGUMENTS)
    if len(pivot.args.get("fields") or []) != 1 or len(pivot.expressions) != 1:
        raise binder.unsupported(item, f"{word} takes one {'value column' if word == 'UNPIVOT' else 'aggregate'} and one FOR … IN list")
    binder.facts.seen.add("derived table")
    made = _unpivot(binder, pivot, source) if word == "UNPIVOT" else _pivot(binder, pivot, source)
    alias = pivot.args.get("alias")
    if alias is None or alias.this is None:
        return replace(made, alias=source.alias, tag=binder.tag(source.alias))
    if alias.args.get("columns"):
        raise binder.unsupported(item, f"column names after the alias of {word} are not supported", hint="Name the columns in the IN list.")
    name = binder.fold(alias.this)
    return replace(made, alias=name, tag=binder.tag(name))


def _pivot(binder: Binder, pivot: exp.Expr, source: Source) -> Source:
    binder.facts.seen.add("aggregate")
    field = pivot.args["fields"][0]
    aggregate = pivot.expressions[0]
    suffix = None
    if isinstance(aggregate, exp.Alias):
        suffix, aggregate = binder.fold(aggregate.args["alias"]), aggregate.this
    if not isinstance(aggregate, exp.Anonymous) or str(aggregate.this).lower() not in _AGGREGATES:
        raise binder.unsupported(aggregate, "PIVOT takes a call of COUNT, SUM, MIN, MAX or AVG")
    if not isinstance(field.this, exp.Column) or len(field.this.parts) != 1:
        raise binder.unsupported(field, "FOR of PIVOT takes the name of a column")
    key = _named(binder, field.this, source)
    used = {key.label, *(binder.fold(one.this) for one in aggregate.find_all(exp.Column) if isinstance(one.this, exp.Identifier))}
    others = [one for one in source.columns if one.label not in used]
    name = binder.fresh("pivot")
    scope = Scope(queries={name: Source(name, binder.tag(name), source.text, source.columns)})
    kept = [exp.Column(this=exp.to_identifier(one.label, quoted=True)) for one in others]
    cells, labels = [], [one.label for one in others]
    for one in field.expressions:
        label, value = _in_value(binder, one)
        labels.append(label if suffix is None else f"{label}_{suffix}")
        cells.append(_cell(aggregate, _test(field.this, value)))
    group = exp.Group(expressions=[one.copy() for one in kept]) if kept else None
    table = exp.Table(this=exp.to_identifier(name, quoted=True))
    query = binder.query(exp.Select(expressions=[*kept, *cells], from_=exp.From(this=table), group=group), scope)
    named = unique_columns([(label, one.type) for label, one in zip(labels, query.columns, strict=True)])
    columns = tuple(replace(old, label=new.label) for new, old in zip(named, query.columns, strict=True))
    return Source("", "", f"({query.sql})", columns, has_alias=True)


def _named(binder: Binder, node: exp.Expr, source: Source) -> OutputColumn:
    name = binder.fold(node.this if isinstance(node, exp.Column) else node)
    column = source.column(name)
    if column is None:
        raise binder.invalid(node, f'column "{name}" does not exist', sqlstate="42703")
    return column


def _in_value(binder: Binder, node: exp.Expr) -> tuple[str, exp.Expr]:
    """Return the label and the value of one entry of PIVOT's IN list; a constant without an alias is its own label."""
    if any(node.find_all(exp.Column, exp.Query)):
        raise binder.unsupported(node, "the IN list of PIVOT takes neither columns nor subqueries")
    if isinstance(node, exp.PivotAlias):
        return binder.fold(node.args["alias"]), node.this
    if isinstance(node, exp.Literal):
        return str(node.this), node
    if isinstance(node, exp.Null):
        return "null", node
    return NO_LABEL, node


def _test(key: exp.Expr, value: exp.Expr) -> exp.Expr:
    if isinstance(value, exp.Null):
        return exp.Is(this=key.copy(), expression=exp.Null())
    return exp.EQ(this=key.copy(), expression=value.copy())


def _cell(aggregate: exp.Expr, test: exp.Expr) -> exp.Expr:
    """Return the aggregate over the rows that belong to one column."""
    call = aggregate.copy()
    argument = call.expressions[0] if call.expressions else None
    if argument is None or isinstance(argument, exp.Star):
        kept: exp.Expr = exp.Literal.number(1)
    else:
        kept = argument.expressions[0] if isinstance(argument, exp.Distinct) else argument
    case = exp.Case(ifs=[exp.If(this=test, true=kept.copy())])
    call.set("expressions", [exp.Distinct(expressions=[case]) if isinstance(argument, exp.Distinct) else case])
    return call


def _unpivot(binder: Binder, pivot: exp.Expr, source: Source) -> Source:
    field = pivot.args["fields"][0]
    value_label, name_label = binder.fold(pivot.expressions[0]), binder.fold(field.this)
    picked: list[OutputColumn] = []
    names: list[str] = []
    for one in field.expressions:
        inner = one.this if isinstance(one, exp.PivotAlias) else one
        if not isinstance(inner, exp.Column) or len(inner.parts) != 1:
            raise binder.unsupported(one, "the IN list of UNPIVOT takes columns only")
        column = _named(binder, inner, source)
        picked.append(column)
        names.append(binder.fold(one.args["alias"]) if isinstance(one, exp.PivotAlias) else column.label)
    values = [Value(source.reference(one.sql_name), one.type, one.label) for one in picked]
    unified = unify(binder, values, pivot, "UNPIVOT")
    others = [one for one in source.columns if one not in picked]
    columns = unique_columns([
        *((one.label, one.type) for one in others), (name_label, VARCHAR), (value_label, unified[0].type),
    ])  # fmt: skip
    items = [f"{source.reference(old.sql_name)} AS {quote(new.sql_name)}" for old, new in zip(others, columns, strict=False)]
    items.append(f"unnest([{', '.join(quote_literal(one) for one in names)}]) AS {quote(columns[-2].sql_name)}")
    items.append(f"unnest([{', '.join(one.sql for one in unified)}]) AS {quote(columns[-1].sql_name)}")
    text = " ".join(("(SELECT", ", ".join(items), "FROM", source.render() + ")"))
    if not pivot.args.get("include_nulls"):
        value = quote(columns[-1].sql_name)
        value = f"nullif({value}, 'null')" if columns[-1].type.kind is Kind.SUPER else value
        text = " ".join(("(SELECT * FROM", text, "AS u WHERE", value, "IS NOT NULL)"))
    return Source("", "", text, columns, has_alias=True)
