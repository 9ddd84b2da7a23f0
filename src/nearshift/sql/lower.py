"""Redshift's queries and DML in DuckDB's SQL: the entry to the binder.

See docs/design/0002-lowering.md for what was decided and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from nearshift.errors import NearshiftError, NotSupported
from nearshift.sql.bind import Binder
from nearshift.sql.bind_dml import delete, insert, merge, update
from nearshift.sql.dialect import parse, span_of, too_deep
from nearshift.sql.relations import BindContext, Column, Lowered, Parameter, ParameterSource
from nearshift.sql.rules import EXPRESSIONS, QUERIES
from nearshift.types import VARCHAR, Kind

_DML: dict[type[exp.Expr], Callable[[Binder, exp.Expr], str]] = {
    exp.Insert: insert, exp.Update: update, exp.Delete: delete, exp.Merge: merge,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bound:
    """A translation and the binder that made it; `analyse` reads what it noted."""

    lowered: Lowered
    binder: Binder
    tree: exp.Expr


def lower(text: str, context: BindContext) -> Lowered:
    """Translate one SELECT, VALUES, INSERT, UPDATE, DELETE or MERGE, without its semicolon.

    Raises InvalidSql, UndefinedObject, NotSupported or DataError, each with a span in `text`. What is not understood is refused; nothing of
    the text reaches DuckDB but what was bound.
    """
    return bind(text, context).lowered


def bind(text: str, context: BindContext) -> Bound:
    """Translate like `lower`, and keep the tree and what was noted on the way."""
    tree = parse(text)
    binder = Binder(context, EXPRESSIONS, QUERIES)
    try:
        return _bind_tree(tree, binder)
    except RecursionError as error:
        raise too_deep() from error
    except NearshiftError as error:
        if error.span is None:
            error.span = span_of(tree)
        raise


def _bind_tree(tree: exp.Expr, binder: Binder) -> Bound:
    rule = _DML.get(type(tree))
    columns: tuple[Column, ...] = ()
    if rule is not None:
        sql = rule(binder, tree)
    elif type(tree) in QUERIES:
        query = binder.query(tree, None)
        sql = query.sql
        columns = tuple(Column(one.label, VARCHAR if one.type.kind is Kind.UNKNOWN else one.type) for one in query.columns)
    else:
        raise NotSupported("this statement is not supported here", span=span_of(tree))
    reads = frozenset(binder.reads)
    return Bound(Lowered(sql, columns, _parameters(binder), reads, frozenset(binder.writes)), binder, tree)


def _parameters(binder: Binder) -> tuple[Parameter, ...]:
    return tuple(
        replace(one, type=VARCHAR) if one.source is ParameterSource.CLIENT and one.type.kind is Kind.UNKNOWN else one
        for one in binder.parameters
    )
