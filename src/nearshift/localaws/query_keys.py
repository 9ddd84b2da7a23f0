"""KeyConditionExpression → one partition and one range of sort keys ("Key condition expressions for the Query operation")."""

from __future__ import annotations

from dataclasses import dataclass

from nearshift.localaws.dynamodb_errors import invalid, invalid_parameters
from nearshift.localaws.expressions_evaluate import ordered_bytes
from nearshift.localaws.expressions_tree import And, Between, Call, Compare, Condition, In, Literal, Not, Operand, Or, Path

# Above every sort key: none is longer than 1,024 bytes.
ABOVE_ALL = b"\xff" * 1100
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_REFUSED = "Invalid operator used in KeyConditionExpression: "


@dataclass(frozen=True, slots=True)
class KeyRange:
    """One partition key, and sort keys in [low, high), all as bytes that sort."""

    partition: bytes
    low: bytes = b""
    high: bytes = ABOVE_ALL

    def holds(self, sort: bytes) -> bool:
        """Tell whether a sort key is in the range."""
        return self.low <= sort < self.high


@dataclass(frozen=True, slots=True)
class _OneKey:
    """A condition on one key attribute; `operator` is a comparator, BETWEEN or begins_with."""

    name: str
    operator: str
    literals: tuple[Literal, ...]


def plan_range(condition: Condition, partition: str, sort: str | None, types: dict[str, str]) -> KeyRange:
    """Return the range that a bound key condition selects of a table or index with these keys. Raises ValidationException."""
    found: dict[str, _OneKey] = {}
    for one in _conditions(condition):
        if one.name in found:
            raise invalid("KeyConditionExpressions must only contain one condition per key")
        found[one.name] = one
    on_partition = found.pop(partition, None)
    if on_partition is None:
        raise invalid(f"Query condition missed key schema element: {partition}")
    on_sort = found.pop(sort, None) if sort is not None else None
    if found:
        if sort is None or on_sort is not None:
            raise invalid("Query key condition not supported")
        raise invalid(f"Query condition missed key schema element: {sort}")
    for asked in (on_partition, on_sort):
        if asked is not None and any(types[asked.name] not in literal.value for literal in asked.literals):
            raise invalid_parameters("Condition parameter type does not match schema type")
    if on_partition.operator != "=":
        raise invalid("Query key condition not supported")
    bounds = [ordered_bytes(literal.value) for literal in on_partition.literals]
    if not bounds[0]:
        raise _empty_key(partition, types[partition])
    if on_sort is None:
        return KeyRange(bounds[0])
    low, high = _range(on_sort, types)
    return KeyRange(bounds[0], low, high)


def _empty_key(name: str, kind: str) -> Exception:
    shown = "string" if kind == "S" else "binary"
    detail = f"The AttributeValue for a key attribute cannot contain an empty {shown} value. Key: {name}"
    return invalid(f"One or more parameter values are not valid. {detail}")


def _range(one: _OneKey, types: dict[str, str]) -> tuple[bytes, bytes]:
    """Return the half-open range of one condition; the next greater bytes after x are x and a zero byte."""
    values = [ordered_bytes(literal.value) for literal in one.literals]
    if one.operator == "begins_with":
        if types[one.name] == "N":
            raise invalid_parameters("ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type")
        return values[0], _after_prefix(values[0])
    if not all(values):
        raise _empty_key(one.name, types[one.name])
    value = values[0]
    ranges = {
        "=": (value, value + b"\0"),
        "<": (b"", value),
        "<=": (b"", value + b"\0"),
        ">": (value + b"\0", ABOVE_ALL),
        ">=": (value, ABOVE_ALL),
        "BETWEEN": (value, values[-1] + b"\0"),
    }
    return ranges[one.operator]


def _after_prefix(prefix: bytes) -> bytes:
    """Return the least bytes above everything that begins with `prefix`."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else ABOVE_ALL


def _conditions(condition: Condition) -> list[_OneKey]:
    if isinstance(condition, And):
        return _conditions(condition.left) + _conditions(condition.right)
    if isinstance(condition, Or | Not | In):
        raise invalid(_REFUSED + type(condition).__name__.upper())
    if isinstance(condition, Compare):
        return [_comparison(condition)]
    if isinstance(condition, Between):
        name = _key_name(condition.operand, "BETWEEN")
        return [_OneKey(name, "BETWEEN", (_literal(condition.low), _literal(condition.high)))]
    if condition.name != "begins_with":
        raise invalid(_REFUSED + condition.name)
    name = _key_name(condition.operands[0], "begins_with")
    return [_OneKey(name, "begins_with", (_literal(condition.operands[1]),))]


def _comparison(condition: Compare) -> _OneKey:
    if condition.operator == "<>":
        raise invalid(_REFUSED + "<>")
    left, right, operator = condition.left, condition.right, condition.operator
    if not isinstance(left, Path):
        left, right, operator = right, left, _MIRRORED[operator]
    if isinstance(left, Call) or isinstance(right, Call):
        raise invalid("KeyConditionExpressions cannot contain nested operations")
    if not isinstance(left, Path):
        raise invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
    return _OneKey(_plain_name(left), operator, (_literal(right),))


def _key_name(operand: Operand, operator: str) -> str:
    if not isinstance(operand, Path):
        detail = f"{operator} operator must have the key attribute as its first operand"
        raise invalid(f"Invalid condition in KeyConditionExpression: {detail}")
    return _plain_name(operand)


def _plain_name(path: Path) -> str:
    if len(path.parts) != 1:
        raise invalid("KeyConditionExpressions cannot have conditions on nested attributes")
    name = path.parts[0]
    assert isinstance(name, str)
    return name


def _literal(operand: Operand) -> Literal:
    if isinstance(operand, Literal):
        return operand
    if isinstance(operand, Path):
        raise invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
    raise invalid("KeyConditionExpressions cannot contain nested operations")
