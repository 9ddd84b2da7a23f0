"""Parsed trees + ExpressionAttributeNames and -Values → bound trees, checked as the service checks them before it looks at an item."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from nearshift.localaws.dynamodb_errors import invalid
from nearshift.localaws.errors import AwsError
from nearshift.localaws.expressions_check import (
    check_between,
    check_condition_call,
    check_distinct,
    check_ordered,
    check_overlaps,
    check_plain_operand,
    check_update_call,
    check_update_literal,
)
from nearshift.localaws.expressions_parse import parse_condition, parse_projection, parse_updates
from nearshift.localaws.expressions_tokens import ExpressionError
from nearshift.localaws.expressions_tree import (
    Action,
    And,
    Arithmetic,
    Between,
    Call,
    Compare,
    Condition,
    In,
    Literal,
    Not,
    Operand,
    Or,
    Path,
    Placeholder,
    Update,
)
from nearshift.localaws.items import normalise_value

_NAME_KEY = re.compile(r"#[0-9a-zA-Z_]+\Z")
_VALUE_KEY = re.compile(r":[0-9a-zA-Z_]+\Z")
_Bound = TypeVar("_Bound")


class Bindings:
    """The placeholders of one request: binds its expressions, then `finish` tells of those that none has used."""

    def __init__(self, names: Mapping[str, str] | None, values: Mapping[str, dict[str, Any]] | None) -> None:
        """Check keys and values, and bring the values to normal form in place. Raises ValidationException."""
        self._names = names or {}
        self._values = values or {}
        self._used: set[str] = set()
        if names is not None:
            _check_keys("ExpressionAttributeNames", names, _NAME_KEY)
        if values is not None:
            _check_keys("ExpressionAttributeValues", values, _VALUE_KEY)
            for key, value in values.items():
                try:
                    normalise_value(value)
                except AwsError as error:
                    if error.code != "ValidationException" or error.message.startswith("Nesting"):
                        raise
                    raise invalid(f"ExpressionAttributeValues contains invalid value: {error.message} for key {key}") from error

    def condition(self, text: str, parameter: str = "ConditionExpression") -> Condition:
        """Return the bound tree of a condition; `parameter` names it in errors, which are ValidationExceptions."""

        def bind() -> Condition:
            bound = self._condition(parse_condition(text))
            if isinstance(bound, Call) and bound.name == "size":
                raise ExpressionError("The function is not allowed to be used this way in an expression; function: size")
            return bound

        return self._worded(parameter, bind)

    def updates(self, text: str) -> tuple[Update, ...]:
        """Return the bound steps of an UpdateExpression. Raises ValidationException."""

        def bind() -> tuple[Update, ...]:
            bound = tuple(self._update(step) for step in parse_updates(text))
            check_overlaps([step.path for step in bound])
            return bound

        return self._worded("UpdateExpression", bind)

    def projection(self, text: str) -> tuple[Path, ...]:
        """Return the bound paths of a ProjectionExpression. Raises ValidationException."""

        def bind() -> tuple[Path, ...]:
            bound = tuple(self._path(path) for path in parse_projection(text))
            check_overlaps(bound)
            return bound

        return self._worded("ProjectionExpression", bind)

    def finish(self) -> None:
        """Refuse placeholders that no expression has used, as the service does."""
        for parameter, given in (("ExpressionAttributeNames", self._names), ("ExpressionAttributeValues", self._values)):
            unused = [key for key in given if key not in self._used]
            if unused:
                raise invalid(f"Value provided in {parameter} unused in expressions: keys: {{{', '.join(unused)}}}")

    def _worded(self, parameter: str, bind: Callable[[], _Bound]) -> _Bound:
        try:
            return bind()
        except ExpressionError as error:
            raise invalid(f"Invalid {parameter}: {error}") from error

    def _path(self, path: Path) -> Path:
        if not any(isinstance(part, str) and part[0] == "#" for part in path.parts):
            return path
        return Path(tuple(self._name(part) if isinstance(part, str) and part[0] == "#" else part for part in path.parts))

    def _name(self, placeholder: str) -> str:
        name = self._names.get(placeholder)
        if name is None:
            detail = f"attribute name: {placeholder}"
            raise ExpressionError(f"An expression attribute name used in the document path is not defined; {detail}")
        self._used.add(placeholder)
        return name

    def _operand(self, operand: Operand) -> Operand:
        if isinstance(operand, Path):
            return self._path(operand)
        if isinstance(operand, Placeholder):
            value = self._values.get(operand.name)
            if value is None:
                detail = f"attribute value: {operand.name}"
                raise ExpressionError(f"An expression attribute value used in expression is not defined; {detail}")
            self._used.add(operand.name)
            return Literal(value)
        if isinstance(operand, Call):
            return Call(operand.name, tuple(self._operand(inner) for inner in operand.operands))
        if isinstance(operand, Arithmetic):
            return Arithmetic(operand.operator, self._operand(operand.left), self._operand(operand.right))
        return operand

    def _compared(self, operand: Operand) -> Operand:
        """Bind an operand of a comparison: of the functions only size() may stand there."""
        bound = self._operand(operand)
        if isinstance(bound, Call):
            check_condition_call(bound)
            check_plain_operand(bound)
        return bound

    def _condition(self, tree: Condition) -> Condition:
        if isinstance(tree, Compare):
            left, right = self._compared(tree.left), self._compared(tree.right)
            check_distinct(tree.operator, left, right)
            if tree.operator not in ("=", "<>"):
                check_ordered(tree.operator, left, right)
            return Compare(tree.operator, left, right)
        if isinstance(tree, And | Or):
            left_side, right_side = self._condition(tree.left), self._condition(tree.right)
            _refuse_size(left_side, right_side)
            return type(tree)(left_side, right_side)
        if isinstance(tree, Not):
            inner = self._condition(tree.condition)
            _refuse_size(inner)
            return Not(inner)
        if isinstance(tree, Between):
            operand, low, high = self._compared(tree.operand), self._compared(tree.low), self._compared(tree.high)
            check_ordered("BETWEEN", operand, low, high)
            check_between(low, high)
            return Between(operand, low, high)
        if isinstance(tree, In):
            return In(self._compared(tree.operand), tuple(self._compared(choice) for choice in tree.choices))
        bound = Call(tree.name, tuple(self._operand(operand) for operand in tree.operands))
        check_condition_call(bound)
        return bound

    def _update(self, step: Update) -> Update:
        path = self._path(step.path)
        if step.operand is None:
            return Update(step.action, path, None)
        operand = self._operand(step.operand)
        if step.action is Action.SET:
            check_update_call(operand)
        else:
            assert isinstance(operand, Literal)
            check_update_literal(step.action, operand)
        return Update(step.action, path, operand)


def _refuse_size(*conditions: Condition) -> None:
    for condition in conditions:
        if isinstance(condition, Call) and condition.name == "size":
            raise ExpressionError("The function is not allowed to be used this way in an expression; function: size")


def _check_keys(parameter: str, given: Mapping[str, Any], pattern: re.Pattern[str]) -> None:
    if not given:
        raise invalid(f"{parameter} must not be empty")
    for key in given:
        if not pattern.match(key):
            raise invalid(f'{parameter} contains invalid key: Syntax error; key: "{key}"')
