"""Variables of a running procedure: typed slots in frames that hide each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nearshift.errors import DataError, InvalidSql, UndefinedObject
from nearshift.plpgsql.nodes import CursorDeclaration, Target
from nearshift.plpgsql.runner import Runner, Scope, Value
from nearshift.sql.relations import Column
from nearshift.types import INTEGERS, REFCURSOR, UNKNOWN, Kind, SqlType

_INTEGER_BITS: Final = {Kind.SMALLINT: 15, Kind.INTEGER: 31, Kind.BIGINT: 63}


@dataclass(slots=True)
class Variable:
    """A typed slot; `cursor` is set for a bound cursor, whose value is its name."""

    name: str
    type: SqlType
    value: object = None
    is_constant: bool = False
    is_not_null: bool = False
    cursor: CursorDeclaration | None = None


@dataclass(slots=True)
class RecordVariable:
    """A slot for a row; it has no fields before the first assignment."""

    name: str
    fields: dict[str, Value] | None = None

    def assign_row(self, columns: tuple[Column, ...], row: tuple[object, ...] | None) -> None:
        """Take the row's values and the columns' names and types; without a row all fields are NULL."""
        values = row if row is not None else (None,) * len(columns)
        self.fields = {column.name: Value(column.type, value) for column, value in zip(columns, values, strict=True)}


Slot = Variable | RecordVariable


class Frame:
    """The names that one block, loop or call adds."""

    def __init__(self, parent: Frame | None, label: str | None) -> None:
        self.parent = parent
        self.label = label
        self.slots: dict[str, Slot] = {}

    def find(self, path: tuple[str, ...]) -> Slot | tuple[RecordVariable, str] | None:
        """Return the slot that a path means, or a record and the name of its field; None when nothing does."""
        frame: Frame | None = self
        while frame is not None:
            slot = frame.slots.get(path[0])
            if slot is not None:
                if len(path) == 1:
                    return slot
                return (slot, path[1]) if isinstance(slot, RecordVariable) and len(path) == 2 else None
            if frame.label == path[0] and len(path) > 1 and path[1] in frame.slots:
                inner = frame.slots[path[1]]
                if len(path) == 2:
                    return inner
                return (inner, path[2]) if isinstance(inner, RecordVariable) else None
            frame = frame.parent
        return None

    def visible(self) -> dict[str, Value]:
        """Return every variable in scope by the names that SQL may use."""
        found = self.parent.visible() if self.parent else {}
        for name, slot in self.slots.items():
            if name.startswith("$"):
                continue  # `Scope.arguments` has these
            prefixes = (name,) if self.label is None else (name, f"{self.label}.{name}")
            for prefix in prefixes:
                if isinstance(slot, Variable):
                    found[prefix] = Value(slot.type, slot.value)
                    continue
                for stale in [key for key in found if key.startswith(prefix + ".")]:
                    del found[stale]
                found.update({f"{prefix}.{field}": value for field, value in (slot.fields or {}).items()})
        return found

    def unassigned_records(self) -> set[str]:
        """Return the names of the records in scope that have no fields yet."""
        found = self.parent.unassigned_records() if self.parent else set()
        for name, slot in self.slots.items():
            if isinstance(slot, RecordVariable) and slot.fields is None:
                found.add(name)
            else:
                found.discard(name)
        return found


def read(frame: Frame, target: Target) -> Value:
    """Return the value of a variable or field.

    Raises UndefinedObject (42703) for an unknown name, InvalidSql (55000) for a field of a record without value.
    """
    found = frame.find(target.path)
    if isinstance(found, Variable):
        return Value(found.type, found.value)
    if isinstance(found, tuple):
        return _fields(found[0], found[1])[found[1]]
    if isinstance(found, RecordVariable):
        message = f'record "{target}" cannot be used as one value'
        raise InvalidSql(message, sqlstate="42804", span=target.span, hint="Name one of its fields.")
    raise unknown_variable(target)


def unknown_variable(target: Target) -> UndefinedObject:
    """Return the error for a name that no declaration made."""
    message = f'"{target}" is not a known variable'
    return UndefinedObject(message, sqlstate="42703", span=target.span, hint="Declare it, or correct its name.")


def unassigned_record(name: str) -> InvalidSql:
    """Return the error for a record that is used before it has a row."""
    return InvalidSql(
        f'record "{name}" is not assigned yet',
        sqlstate="55000",
        detail="The tuple structure of a not-yet-assigned record is indeterminate.",
        hint="Fill it with SELECT INTO, FETCH or a FOR loop first.",
    )


def _fields(record: RecordVariable, field: str) -> dict[str, Value]:
    if record.fields is None:
        raise unassigned_record(record.name)
    if field not in record.fields:
        raise UndefinedObject(f'record "{record.name}" has no field "{field}"', sqlstate="42703")
    return record.fields


def assign(frame: Frame, target: Target, value: Value, runner: Runner) -> None:
    """Assign with an implicit conversion to the variable's type.

    Raises UndefinedObject (42703), InvalidSql (22005) for a constant, DataError (22004) for NULL into NOT NULL, and what `cast` raises.
    """
    found = frame.find(target.path)
    if isinstance(found, Variable):
        if found.is_constant:
            message = f'variable "{found.name}" is declared CONSTANT'
            raise InvalidSql(message, sqlstate="22005", span=target.span, hint="Remove CONSTANT from its declaration.")
        store(found, value, runner)
    elif isinstance(found, tuple):
        record, field = found
        fields = _fields(record, field)
        fields[field] = Value(fields[field].type, convert(value, fields[field].type, runner))
    elif isinstance(found, RecordVariable):
        raise InvalidSql(f'cannot assign a single value to record "{target}"', sqlstate="42804", span=target.span)
    else:
        raise unknown_variable(target)


def store(variable: Variable, value: Value, runner: Runner) -> None:
    """Put a converted value into a slot, constants included: declarations and parameters start here."""
    converted = convert(value, variable.type, runner)
    if converted is None and variable.is_not_null:
        message = f'null value cannot be assigned to variable "{variable.name}" declared NOT NULL'
        raise DataError(message, sqlstate="22004")
    variable.value = converted


def convert(value: Value, type: SqlType, runner: Runner) -> object:
    """Return the value as `type` holds it; what needs no conversion costs no call of the runner."""
    raw = value.value
    if raw is None or type in (UNKNOWN, value.type):
        return raw
    if type.kind in INTEGERS and value.type.kind in INTEGERS and isinstance(raw, int):
        bound = 1 << _INTEGER_BITS[type.kind]
        if -bound <= raw < bound:
            return raw
    if isinstance(raw, str) and (type == REFCURSOR or _fits(raw, value.type, type)):
        return raw
    return runner.cast(value, type)


def _fits(text: str, source: SqlType, target: SqlType) -> bool:
    if target.kind is not Kind.VARCHAR or source.kind not in (Kind.VARCHAR, Kind.UNKNOWN):
        return False
    size = target.length
    return size is None or len(text) * 4 <= size or len(text.encode("utf-8", "surrogatepass")) <= size


def scope_of(frame: Frame, arguments: tuple[Variable, ...]) -> Scope:
    """Return what embedded SQL may name at this place."""
    return Scope(frame.visible(), tuple(Value(variable.type, variable.value) for variable in arguments))
