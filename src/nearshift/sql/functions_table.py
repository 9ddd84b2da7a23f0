"""What a row of the table of functions says, and how a call is bound by it.

A function that has no row does not exist for users: nothing reaches DuckDB's own functions by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from nearshift.errors import InvalidSql
from nearshift.sql.bind import Binder
from nearshift.sql.bind_arithmetic import as_super
from nearshift.sql.bind_casts import coerce, explicit_cast, settled
from nearshift.sql.bind_logic import as_boolean
from nearshift.sql.bind_values import Value
from nearshift.sql.scope import Scope
from nearshift.types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGERS,
    NUMBERS,
    STRINGS,
    SUPER,
    TIMESTAMP,
    TIMESTAMPTZ,
    VARBYTE,
    VARCHAR,
    Kind,
    SqlType,
)

INSTANTS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
DOCUMENTATION = "https://docs.aws.amazon.com/redshift/latest/dg/"


@dataclass(frozen=True, slots=True)
class Call:
    """One call while it is bound: its node, its folded name, its bound arguments, and the date part that stood before them."""

    binder: Binder
    node: exp.Expr
    scope: Scope
    name: str
    values: list[Value]
    part: str = ""

    def error(self, message: str, *, sqlstate: str = "42883", hint: str | None = None) -> InvalidSql:
        """Return an error placed at the call."""
        return self.binder.invalid(self.node, message, sqlstate=sqlstate, hint=hint)


Result = SqlType | Callable[[list[Value]], SqlType]
Lowering = str | Callable[[Call], Value]


@dataclass(frozen=True, slots=True)
class Function:
    """One row: a Redshift function.

    `arguments` has one letter per argument: s string, i integer, n number, f float, d date or timestamp, t timestamp, z timestamp with
    time zone, b boolean, S SUPER, v varbyte, x string or varbyte, `*` anything, r anything with
    its literals untyped, p (first only) a date part; after `?` they are optional, a final `+` repeats the last.
    `lowering` is DuckDB text with {0}, {1}, … or a function of the Call. `page` is the file name of the developer guide. `is_mutable`
    marks a function whose result may differ between statements.
    """

    name: str
    arguments: str
    result: Result
    lowering: Lowering
    page: str
    is_mutable: bool = False

    @property
    def has_part(self) -> bool:
        """Tell whether the first argument is a date part, a word and no expression."""
        return self.arguments.startswith("p")

    @property
    def bounds(self) -> tuple[int, int | None]:
        """The least and the greatest number of arguments, None for no bound."""
        required, _, optional = self.arguments.lstrip("p").rstrip("+").partition("?")
        return len(required), None if self.arguments.endswith("+") else len(required) + len(optional)

    def letter(self, index: int) -> str:
        """Return the letter of the argument at `index`."""
        letters = self.arguments.lstrip("p").replace("?", "").rstrip("+")
        return letters[min(index, len(letters) - 1)]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A function of Redshift or PostgreSQL that is refused, with what to do instead."""

    name: str
    reason: str
    hint: str | None = None


def bind_call(function: Function, call: Call) -> Value:
    """Check the arguments of a call against its row and return its value."""
    least, most = function.bounds
    count = len(call.values)
    if count < least or (most is not None and count > most):
        raise call.error(_signature_message(call), hint=f"{function.name.upper()} takes {_count_words(least, most)}.")
    values = [_argument(call, value, function.letter(index), index) for index, value in enumerate(call.values)]
    if function.is_mutable:
        call.binder.facts.mutable.add(function.name)
    if not isinstance(function.lowering, str):
        return function.lowering(replace(call, values=values))
    kind = function.result if isinstance(function.result, SqlType) else function.result(values)
    return Value(function.lowering.format(*(one.sql for one in values), args=", ".join(one.sql for one in values)), kind)


def _signature_message(call: Call) -> str:
    kinds = ", ".join(one.type.kind.value for one in call.values)
    return f"function {call.name}({kinds}) does not exist"


def _count_words(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} argument{'s' * (least != 1)}"
    return f"{least} argument{'s' * (least != 1)}" if least == most else f"{least} to {most} arguments"


_TARGETS = {"i": BIGINT, "f": DOUBLE, "t": TIMESTAMP, "z": TIMESTAMPTZ, "D": DATE}


def _argument(call: Call, value: Value, letter: str, index: int) -> Value:
    binder, node, kind = call.binder, call.node, value.type.kind
    if letter in "r*":
        return value if letter == "r" else settled(binder, value)
    if letter == "s":
        if kind in {Kind.VARBYTE, Kind.INTERVAL}:
            raise call.error(_signature_message(call))
        return coerce(binder, value, VARCHAR, node)
    if letter == "n":
        return _number(call, value)
    if letter in _TARGETS:
        return _convertible(call, value, _TARGETS[letter])
    if letter == "d":
        return _instant(call, value, index)
    if letter == "b":
        return as_boolean(binder, value, node, call.name.upper())
    if letter == "S":
        if kind is not Kind.SUPER and kind is not Kind.UNKNOWN:
            raise call.error(_signature_message(call), hint=f"Argument {index + 1} must be SUPER; make it with JSON_PARSE.")
        return Value(as_super(binder, value), SUPER, value.label)
    assert letter in "vx", letter
    if kind is Kind.VARBYTE:
        return value
    if letter == "v" and kind not in STRINGS | {Kind.UNKNOWN}:
        raise call.error(_signature_message(call))
    return coerce(binder, value, VARBYTE if letter == "v" else VARCHAR, node)


def _instant(call: Call, value: Value, index: int) -> Value:
    kind = value.type.kind
    if kind is Kind.UNKNOWN or kind in STRINGS:
        convert = coerce if kind is Kind.UNKNOWN else explicit_cast
        return convert(call.binder, value, TIMESTAMP, call.node)
    if kind not in INSTANTS:
        raise call.error(_signature_message(call), hint=f"Argument {index + 1} must be a date or a timestamp.")
    return value


def _number(call: Call, value: Value) -> Value:
    kind = value.type.kind
    if kind is Kind.UNKNOWN or kind in STRINGS:
        return coerce(call.binder, value, DOUBLE, call.node)
    if kind not in NUMBERS:
        raise call.error(_signature_message(call), hint="A number is expected; cast the argument.")
    return value


def _convertible(call: Call, value: Value, target: SqlType) -> Value:
    kind = value.type.kind
    if target == BIGINT and kind in INTEGERS:
        return value
    if target == DOUBLE and kind is Kind.DOUBLE:
        return value
    if kind is Kind.SUPER or (target == BIGINT and kind not in NUMBERS | STRINGS | {Kind.UNKNOWN}):
        raise call.error(_signature_message(call), hint="Cast the argument first.")
    return coerce(call.binder, value, target, call.node)


def same_as(index: int) -> Callable[[list[Value]], SqlType]:
    """Return the result rule "the type of the argument at `index`"."""
    return lambda values: values[index].type


def text_like(values: list[Value]) -> SqlType:
    """Return VARCHAR of the first argument's length."""
    kind = values[0].type
    return SqlType(Kind.VARCHAR, length=kind.length) if kind.kind in STRINGS else VARCHAR


