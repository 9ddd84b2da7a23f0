"""Entering a block: its declarations become slots, their defaults are evaluated anew each time."""

from __future__ import annotations

from nearshift.errors import InvalidSql, NearshiftError, UndefinedObject
from nearshift.plpgsql import nodes
from nearshift.plpgsql.activation import Activation
from nearshift.plpgsql.runner import Scope, Value
from nearshift.plpgsql.variables import RecordVariable, Variable, store
from nearshift.types import REFCURSOR, UNKNOWN, SqlType


def declare(activation: Activation, declarations: tuple[nodes.Declaration, ...]) -> None:
    """Add the declared names to the current frame, in order: a default may name what stands before it."""
    for declaration in declarations:
        try:
            _declare(activation, declaration)
        except NearshiftError as error:
            node = nodes.Block(declaration.line, None, (), (), None)
            activation.annotate(error, node)
            raise


def _declare(activation: Activation, declaration: nodes.Declaration) -> None:
    slots = activation.frame.slots
    match declaration:
        case nodes.AliasDeclaration():
            found = activation.frame.find(tuple(declaration.of.split(".")))
            if found is None or isinstance(found, tuple):
                message = f'alias "{declaration.name}" is for "{declaration.of}", which does not exist'
                raise UndefinedObject(message, sqlstate="42703", hint="Correct the number of the argument.")
            slots[declaration.name] = found
        case nodes.CursorDeclaration():
            slots[declaration.name] = Variable(declaration.name, REFCURSOR, declaration.name, cursor=declaration)
        case nodes.VariableDeclaration(type=nodes.Record(like=like)):
            record = RecordVariable(declaration.name)
            slots[declaration.name] = record
            if like is not None:
                record.assign_row(activation.run(_structure_query("*", like), Scope()).columns or (), None)
            if declaration.default is not None:
                message = f'record "{declaration.name}" cannot have a default'
                raise InvalidSql(message, sqlstate="0A000", hint="Fill it with SELECT INTO.")
        case nodes.VariableDeclaration():
            _declare_variable(activation, declaration)


def _declare_variable(activation: Activation, declaration: nodes.VariableDeclaration) -> None:
    variable = Variable(
        declaration.name,
        _type_of(activation, declaration.type),
        is_constant=declaration.is_constant,
        is_not_null=declaration.is_not_null,
    )
    # The default may name an outer variable of the same name, so the slot is added after it.
    value = activation.evaluate(declaration.default) if declaration.default is not None else Value(UNKNOWN, None)
    store(variable, value, activation.runner)
    activation.frame.slots[declaration.name] = variable


def _type_of(activation: Activation, declared: SqlType | nodes.TypeOf | nodes.Record) -> SqlType:
    if isinstance(declared, SqlType):
        return declared
    assert isinstance(declared, nodes.TypeOf)
    found = activation.frame.find(declared.path)
    if isinstance(found, Variable):
        return found.type
    if isinstance(found, tuple) and found[0].fields is not None and found[1] in found[0].fields:
        return found[0].fields[found[1]].type
    table, _, column = declared.text.rpartition(".")
    if not table:
        raise UndefinedObject(f'"{declared.text}" is not a known variable', sqlstate="42703", hint="Write table.column%TYPE.")
    columns = activation.run(_structure_query(column, table), Scope()).columns or ()
    return columns[0].type


def _structure_query(columns: str, table: str) -> str:
    """Return a query without rows; both texts are names, read by the body's parser, not values."""
    return f"SELECT {columns} FROM {table} WHERE 1 = 0"  # noqa: S608
