"""Literals, parameters and intervals. Source pages: "Literals", "Interval literals"."""

from __future__ import annotations

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_values import Value
from nearshift.sql.intervals import read_interval
from nearshift.sql.names import quote_literal
from nearshift.sql.scope import Scope
from nearshift.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, INTERVAL, UNKNOWN, decimal


def literal_rule(binder: Binder, node: exp.Expr, _scope: Scope) -> Value:
    """Bind a number or a string."""
    if node.is_string:
        return Value(quote_literal(node.this), UNKNOWN, literal=node.this)
    text = node.this
    if text.isdigit():
        number = int(text)
        if number < 2**31:
            return Value(str(number), INTEGER, integer=number)
        if number < 2**63:
            return Value(f"CAST({number} AS BIGINT)", BIGINT, integer=number)
        if len(text) > 38:
            raise binder.invalid(node, "number has more than 38 digits", sqlstate="22003")
        return Value(f"CAST({number} AS DECIMAL({len(str(number))},0))", decimal(len(str(number)), 0))
    if "e" in text.lower():
        return Value(f"CAST({text} AS DOUBLE)", DOUBLE)
    whole, _, fraction = text.partition(".")
    precision = max(len(whole.lstrip("0")) + len(fraction), 1)
    if precision > 38:
        raise binder.invalid(node, "number has more than 38 digits", sqlstate="22003")
    return Value(f"CAST('{text}' AS DECIMAL({precision},{len(fraction)}))", decimal(precision, len(fraction)))


def escape_string_rule(_binder: Binder, node: exp.Expr, _scope: Scope) -> Value:
    """Bind E'…', whose escapes the tokenizer has read (PostgreSQL 8.0, "String Constants")."""
    return Value(quote_literal(node.this), UNKNOWN, literal=node.this)


def null_rule(_binder: Binder, _node: exp.Expr, _scope: Scope) -> Value:
    """Bind NULL."""
    return Value("NULL", UNKNOWN, is_null=True)


def boolean_rule(_binder: Binder, node: exp.Expr, _scope: Scope) -> Value:
    """Bind TRUE and FALSE."""
    return Value("TRUE" if node.this else "FALSE", BOOLEAN, "bool")


def paren_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind a parenthesised expression; every rule parenthesises its own text, so nothing is added."""
    return binder.value(node.this, scope)


def parameter_rule(binder: Binder, node: exp.Expr, _scope: Scope) -> Value:
    """Bind the client's `$n`."""
    number = node.this
    if not isinstance(number, exp.Literal) or not number.this.isdigit() or int(number.this) < 1:
        raise binder.invalid(node, "a parameter is written $1, $2, …")
    return binder.client_parameter(int(number.this))


def adjacent_rule(binder: Binder, node: exp.Expr, _scope: Scope) -> Value:
    """Bind string literals that stand side by side: one literal."""
    if not all(isinstance(one, exp.Literal) and one.is_string for one in node.expressions):
        raise binder.unsupported(node, "this concatenation is not supported")
    text = "".join(one.this for one in node.expressions)
    return Value(quote_literal(text), UNKNOWN, literal=text)


def interval_rule(binder: Binder, node: exp.Expr, _scope: Scope) -> Value:
    """Bind an INTERVAL literal with or without a qualifier such as YEAR TO MONTH."""
    amount, unit = node.this, node.args.get("unit")
    if not isinstance(amount, exp.Literal) or not amount.is_string:
        raise binder.unsupported(node, "an interval needs a literal", hint="Multiply: n * INTERVAL '1 day'.")
    precision = None
    if isinstance(unit, exp.IntervalSpan):
        unit = unit.expression
    if isinstance(unit, exp.Anonymous):
        precision, unit = int(unit.expressions[0].name), exp.Var(this=unit.name)
    last = unit.name.lower() if unit is not None else None
    try:
        return Value(read_interval(amount.this, last, precision).duckdb, INTERVAL, "interval")
    except ValueError as error:
        message = f'invalid input syntax for type interval: "{amount.this}"'
        raise binder.invalid(node, message, sqlstate="22007", hint="Write INTERVAL '1 day 2 hours'.") from error
