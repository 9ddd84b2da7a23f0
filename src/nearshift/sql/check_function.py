"""An SQL function's body bound once, when the function is made: its errors belong to who writes it and not to who calls it."""

from __future__ import annotations

from sqlglot import exp

from nearshift.errors import InvalidSql
from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce
from nearshift.sql.bind_values import Value
from nearshift.sql.dialect import span_of
from nearshift.sql.relations import BindContext, UserFunction
from nearshift.sql.rules import ARGUMENTS, EXPRESSIONS, QUERIES
from nearshift.sql.scope import Scope
from nearshift.sql.user_functions import body_of, number_of, plain
from nearshift.types import Kind


def check_function(function: UserFunction, context: BindContext) -> None:
    """Bind a body for its declared types; spans of errors are in the body.

    Raises what an expression raises, and InvalidSql (42P13) when its result cannot become the declared type.
    """
    binder = Binder(context, EXPRESSIONS, QUERIES, ARGUMENTS)
    body = body_of(function.body).copy()
    for place in body.find_all(exp.Parameter):
        kind = plain(function.argument_types[number_of(place, function) - 1])
        binder.memo[id(place)] = Value(f"CAST(NULL AS {kind.duckdb})", kind, span=span_of(place))
    expression = body.expressions[0].unalias()
    value = binder.value(expression, Scope(clause="function", no_aggregates="an SQL function"))
    try:
        coerce(binder, value, plain(function.returns), expression)
    except InvalidSql as error:
        if value.type.kind is Kind.UNKNOWN or error.sqlstate not in {"42846", "42804"}:
            raise
        message = f"return type mismatch in function declared to return {function.returns.kind.value}"
        detail = f"Actual return type is {value.type.kind.value}."
        raise InvalidSql(message, sqlstate="42P13", span=span_of(expression), detail=detail) from error
