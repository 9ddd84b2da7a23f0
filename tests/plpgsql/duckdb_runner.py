"""A Runner that obeys the contract over DuckDB in memory: variables become parameters, procedures live in a dictionary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import duckdb

from nearshift.errors import Cancelled, DataError, InvalidSql, NearshiftError, UndefinedObject
from nearshift.plpgsql.compiled import CompiledProcedure, compile_procedure
from nearshift.plpgsql.interpret import Returned, call
from nearshift.plpgsql.nodes import Level
from nearshift.plpgsql.runner import Outcome, Scope, Step, Value
from nearshift.sql.lexer import TokenKind, tokens
from nearshift.sql.names import QualifiedName
from nearshift.sql.parse import parse_statement
from nearshift.sql.relations import Column, NameRules
from nearshift.sql.statements import Call, CreateProcedure
from nearshift.types import Kind, SqlType, from_duckdb


class DuckRunner:
    """Runs what the tests write; asserts that SQL runs in transactions only and that they begin and end in turn."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:")
        self.procedures: dict[str, CompiledProcedure] = {}
        self.notices: list[tuple[str, str]] = []
        self.steps: list[str] = []
        self.is_open = False
        self.checks_left = 100_000

    # What a user does.
    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def create(self, text: str) -> None:
        statement = parse_statement(text)
        assert isinstance(statement, CreateProcedure)
        compiled = compile_procedure(statement, NameRules())
        self.procedures[compiled.name] = compiled

    def call(self, text: str, *, is_in_block: bool = False) -> Returned:
        statement = parse_statement(text)
        assert isinstance(statement, Call)
        if is_in_block:
            assert self.is_open, "open the block with transact first"
        values = tuple(self._constant(argument.text) for argument in statement.arguments)
        with self.procedure(statement.name, values) as procedure:
            return call(procedure, values, self, is_in_block=is_in_block)

    def _constant(self, expression: str) -> Value:
        return self._value(self.connection.execute(f"SELECT {expression}"))

    # What the interpreter asks for.
    def run(self, sql: str, scope: Scope) -> Outcome:
        assert self.is_open, "SQL outside of a transaction"
        text, values = substitute(sql, scope)
        cursor = self._execute(text, values)
        command = text.split()[0].upper()
        if command in ("INSERT", "UPDATE", "DELETE"):
            row = cursor.fetchone()
            return Outcome(command, row_count=row[0] if row else 0)
        if command not in ("SELECT", "WITH", "VALUES"):
            return Outcome(command)
        columns = tuple(Column(entry[0], from_duckdb(str(entry[1]))) for entry in cursor.description)
        return Outcome("SELECT", columns, iter(cursor.fetchall()))

    def evaluate(self, expression: str, scope: Scope) -> Value:
        assert self.is_open, "SQL outside of a transaction"
        text, values = substitute(f"SELECT {expression}", scope)
        return self._value(self._execute(text, values))

    def _value(self, cursor: Any) -> Value:
        kind = from_duckdb(str(cursor.description[0][1]))
        return Value(kind, cursor.fetchone()[0])

    def cast(self, value: Value, type: SqlType) -> object:
        if type.kind is Kind.VARCHAR and type.length is not None and len(str(value.value)) > type.length:
            raise DataError(f"value too long for type {type}", sqlstate="22001")
        try:
            row = duckdb.execute(f"SELECT CAST(? AS {type.duckdb})", [value.value]).fetchone()
        except duckdb.Error as error:
            raise DataError(f'invalid input syntax for {type}: "{value.value}"', sqlstate="22P02") from error
        assert row is not None
        return row[0]

    def transact(self, step: Step) -> None:
        assert self.is_open is (step is not Step.BEGIN), f"{step} while is_open={self.is_open}"
        self.steps.append(step.value)
        self.is_open = step is Step.BEGIN
        self.connection.execute(step.value)

    def log(self, level: Level, message: str, line: int) -> None:
        """Keep nothing: the log is the warehouse's."""

    def notice(self, level: Level, message: str) -> None:
        assert level is not Level.EXCEPTION
        self.notices.append((level.value, message))

    @contextmanager
    def procedure(self, name: QualifiedName, arguments: tuple[Value, ...]) -> Iterator[CompiledProcedure]:
        found = self.procedures.get(name.last.text.lower())
        if found is None:
            raise UndefinedObject(f"procedure {name}({len(arguments)}) does not exist", sqlstate="42883")
        yield found

    def check(self) -> None:
        self.checks_left -= 1
        if self.checks_left < 0:
            raise Cancelled("canceling statement due to user request")

    def _execute(self, text: str, values: list[object]) -> Any:
        try:
            return self.connection.execute(text, values)
        except duckdb.Error as error:
            raise translated(error) from error


def translated(error: duckdb.Error) -> NearshiftError:
    text = str(error)
    if 'Referenced column "' in text:
        name = text.split('Referenced column "')[1].split('"')[0]
        return UndefinedObject(f'column "{name}" does not exist', sqlstate="42703")
    if "Table with name" in text or "Referenced table" in text:
        return UndefinedObject("relation does not exist")
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
        return DataError(text.splitlines()[0])
    return InvalidSql(text.splitlines()[0])


def substitute(sql: str, scope: Scope) -> tuple[str, list[object]]:
    """Replace variables by casted parameters, at tokens."""
    parts: list[str] = []
    values: list[object] = []
    found = list(tokens(sql))
    index = position = 0
    while found[index].kind is not TokenKind.END:
        token = found[index]
        name, width = token.text.lower(), 1
        if found[index + 1].key == "." and found[index + 2].kind is TokenKind.WORD:
            name, width = f"{name}.{found[index + 2].text.lower()}", 3
        value = None
        if token.kind is TokenKind.PARAMETER:
            value, width = scope.arguments[int(token.text[1:]) - 1], 1
        elif token.kind is TokenKind.WORD and found[index - 1].key != "." and found[index + width].key != "(":
            value = scope.variables.get(name)
        if value is None:
            index += 1
            continue
        raw = value.value.isoformat() if isinstance(value.value, date) else value.value
        parts += [sql[position : token.start], f"CAST(${len(values) + 1} AS {value.type.duckdb})"]
        values.append(raw)
        index += width
        position = found[index - 1].end
    return "".join(parts) + sql[position:], values
