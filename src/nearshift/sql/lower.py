"""Redshift's queries and DML in DuckDB's SQL: the entry to the binder.

See docs/design/0002-lowering.md for what was decided and why.
"""

from __future__ import annotations

from nearshift.sql.bind_statement import bind
from nearshift.sql.relations import BindContext, Lowered
from nearshift.sql.shape import Shape, shape_of


def lower(text: str, context: BindContext) -> Lowered:
    """Translate one SELECT, VALUES, INSERT, UPDATE, DELETE or MERGE, without its semicolon.

    Raises InvalidSql, UndefinedObject, NotSupported or DataError, each with a span in `text`. What is not understood is refused; nothing of
    the text reaches DuckDB but what was bound.

    DuckDB accepts parameters in queries, DML and CREATE TABLE AS, not in CREATE VIEW: for a view's query set `session_values` to
    `variables` in the context's settings, and the values of the session are read with `getvariable('nearshift_<name>')`.
    """
    return bind(text, context).lowered


def analyse(text: str, context: BindContext) -> Shape:
    """Return the shape of one query; raises what `lower` raises."""
    return shape_of(bind(text, context))
