"""The old outer join: `WHERE a.x = b.y(+)`.

A condition with a mark joins the marked table from the left; the marked table moves behind the others. Source page: "JOIN examples",
"Oracle-style outer joins in the WHERE clause" (r_WHERE_oracle_outer).
"""

from __future__ import annotations

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_from import FromClause, Joined
from nearshift.sql.bind_logic import condition
from nearshift.sql.scope import Element, Scope, Source
from nearshift.sql.scope_names import parts_of, resolve


def apply_join_marks(binder: Binder, where: exp.Expr, scope: Scope, clause: FromClause) -> exp.Expr | None:
    """Turn marked conditions into left joins of `clause`; return what is left of WHERE, None when nothing is."""
    if not any(column.args.get("join_mark") for column in where.find_all(exp.Column)):
        return where
    rest: list[exp.Expr] = []
    marked: dict[str, list[str]] = {}
    for part in _conjuncts(where):
        columns = [one for one in part.find_all(exp.Column) if one.args.get("join_mark")]
        if not columns:
            rest.append(part)
            continue
        tags = {_source_tag(binder, one, scope) for one in columns}
        if len(tags) != 1:
            raise binder.unsupported(part, "a condition may mark one table with (+) only")
        for one in columns:
            one.args.pop("join_mark")
        marked.setdefault(tags.pop(), []).append(condition(binder, part, scope, "WHERE"))
    _move(binder, where, scope, clause, marked)
    binder.facts.seen.add("outer join")
    return exp.and_(*rest, copy=False) if rest else None


def _conjuncts(node: exp.Expr) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    pending = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, exp.And):
            pending.extend((one.expression, one.this))
        elif isinstance(one, exp.Paren) and isinstance(one.this, exp.And):
            pending.append(one.this)
        elif isinstance(one, exp.Or) and any(column.args.get("join_mark") for column in one.find_all(exp.Column)):
            found.append(one)
        else:
            found.append(one)
    return found


def _source_tag(binder: Binder, column: exp.Column, scope: Scope) -> str:
    parts = parts_of(binder, column)
    base, _ = resolve(binder, parts or [], scope)
    if base.source is None:
        raise binder.unsupported(column, "(+) must mark a column of a table")
    return base.source.tag


def _move(binder: Binder, where: exp.Expr, scope: Scope, clause: FromClause, marked: dict[str, list[str]]) -> None:
    has_joins = any(one.on is not None or isinstance(one.item, FromClause) for one in clause.joined)
    if has_joins or any(isinstance(one, Element) for one in scope.sources):
        raise binder.unsupported(where, "(+) cannot stand beside JOIN or an unnest", hint="Use LEFT JOIN everywhere.")
    kept: list[Joined] = []
    moved: list[Joined] = []
    for one in clause.joined:
        if isinstance(one.item, Source) and one.item.tag in marked:
            one.item.is_nullable = True
            moved.append(Joined(one.item, "LEFT JOIN", " AND ".join(marked[one.item.tag])))
        else:
            kept.append(one)
    if not kept:
        raise binder.unsupported(where, "(+) cannot mark every table")
    clause.joined = [*kept, *moved]
