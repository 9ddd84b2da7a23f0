"""The items of FROM that are relations: tables and views, WITH queries, subqueries, and functions that return rows.

Source page: "FROM clause" (r_FROM_clause30).
"""

from __future__ import annotations

import difflib

from sqlglot import exp

from nearshift.errors import NearshiftError, UndefinedObject
from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import settled
from nearshift.sql.bind_values import OutputColumn
from nearshift.sql.dialect import span_of
from nearshift.sql.labels import unique_columns
from nearshift.sql.names import quote
from nearshift.sql.relations import Relation
from nearshift.sql.scope import Scope, Source

# Functions that return rows, and are views here; "PG_GET_LATE_BINDING_VIEW_COLS".
_LISTINGS = frozenset({"pg_get_late_binding_view_cols"})
# Not in Redshift's grammar either.
_REFUSED: dict[type[exp.Expr], str] = {exp.Table: "a table function", exp.Values: "VALUES", exp.Lateral: "LATERAL"}
_TABLE_ARGUMENTS = {"this", "db", "catalog", "alias", "joins", "pivots"}


def table_source(binder: Binder, item: exp.Expr, scope: Scope) -> Source:
    """Return an item of FROM that is no unnest as a source; raises UndefinedObject (42P01) and NotSupported with its place."""
    if isinstance(item, exp.Subquery):
        return _subquery_source(binder, item, scope)
    if isinstance(item, exp.Table) and isinstance(item.this, exp.Anonymous) and item.args.get("db") is None:
        return _call_source(binder, item)
    if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier):
        what = next((word for kind, word in _REFUSED.items() if isinstance(item, kind)), "this item")
        hint = "Write SELECT … UNION ALL SELECT …." if isinstance(item, exp.Values) else None
        raise binder.unsupported(item, f"{what} in FROM is not supported", hint=hint)
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
    source = Source(alias, binder.tag(alias), relation.source, columns, relation, has_alias)
    binder.sources.append((relation, source))
    return source


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
