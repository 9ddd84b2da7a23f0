"""One statement bound: from text to the translation and what was noted on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from nearshift.errors import NearshiftError, NotSupported, Span
from nearshift.sql.bind import Binder
from nearshift.sql.bind_dml import delete, insert, merge, update
from nearshift.sql.dialect import parse_nested, span_of, too_deep
from nearshift.sql.relations import BindContext, Column, Lowered, Parameter, ParameterSource
from nearshift.sql.rules import ARGUMENTS, EXPRESSIONS, QUERIES
from nearshift.sql.stack_room import room_for
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


def bind(text: str, context: BindContext) -> Bound:
    """Translate one statement; raises what `lower.lower` raises."""
    tree, levels = parse_nested(text)
    binder = Binder(context, EXPRESSIONS, QUERIES, ARGUMENTS)
    try:
        with room_for(levels):
            return _bind_tree(tree, binder)
    except RecursionError as error:
        raise too_deep(Span(0, len(text))) from error
    except NearshiftError as error:
        if error.span is None:
            error.span = span_of(tree) or Span(0, len(text))
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
    calls = frozenset(binder.facts.calls)
    lowered = Lowered(sql, columns, _parameters(binder), reads, frozenset(binder.writes), calls, binder.uses())
    return Bound(lowered, binder, tree)


def _parameters(binder: Binder) -> tuple[Parameter, ...]:
    return tuple(
        replace(one, type=VARCHAR) if one.source is ParameterSource.CLIENT and one.type.kind is Kind.UNKNOWN else one
        for one in binder.parameters
    )
