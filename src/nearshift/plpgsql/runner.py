"""The seam between the interpreter and the session: values, scopes, and the seven things that a session does for a procedure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from nearshift.plpgsql.compiled import CompiledProcedure
from nearshift.plpgsql.nodes import Level
from nearshift.sql.names import QualifiedName
from nearshift.sql.relations import Column
from nearshift.types import SqlType


@dataclass(frozen=True, slots=True)
class Value:
    """A typed value: `value` is the Python object that DuckDB gives for `type` (None, bool, int, Decimal, float, str, datetime, …)."""

    type: SqlType
    value: object


@dataclass(frozen=True, slots=True)
class Scope:
    """The variables that an embedded text may name.

    `variables` are by folded name; `record.field` and `label.variable` are keys of their own. `found`, and inside a handler `sqlerrm`
    and `sqlstate`, are among them. `arguments` are what `$1`, `$2`, … mean. Dynamic SQL gets an empty scope: EXECUTE substitutes nothing.
    """

    variables: Mapping[str, Value] = field(default_factory=dict)
    arguments: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one SQL statement gave.

    `command` is the tag's word (SELECT, INSERT, CREATE TABLE, …). `columns` is None when there is no result set. `rows` are Python tuples
    in the order of `columns`; they must stay readable while later statements run and after a commit, and are read at most once.
    `row_count` is the number of rows changed, None when the statement changes none or returns rows.
    """

    command: str
    columns: tuple[Column, ...] | None = None
    rows: Iterator[tuple[object, ...]] = field(default_factory=lambda: iter(()))
    row_count: int | None = None


class Step(Enum):
    """What a procedure does to the transaction."""

    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"


class Runner(Protocol):
    """What a session does for a running procedure.

    The interpreter decides where transactions begin and end and says so by `transact`; `run` and `evaluate` are called only inside one.
    Every method may raise NearshiftError with a span in the text that it was given; the interpreter moves it to the body. After an error
    of `run` or `evaluate` the interpreter calls `transact(ROLLBACK)` before anything else, or lets the error leave `call`.
    """

    def run(self, sql: str, scope: Scope) -> Outcome:
        """Run one statement that is neither CALL nor transaction control, variables replaced by parameters. TRUNCATE must not commit."""
        ...

    def evaluate(self, expression: str, scope: Scope) -> Value:
        """Return the value and type of an SQL expression, as `SELECT expression` would give them in one row."""
        ...

    def cast(self, value: Value, type: SqlType) -> object:
        """Return the value as an assignment to a variable of `type` leaves it. Raises DataError when it does not fit."""
        ...

    def transact(self, step: Step) -> None:
        """Begin, commit or roll back; BEGIN comes only without an open transaction, the others only with one.

        When the user has a block open it is open at the start, and is the one that these steps mean. A transaction that an error has
        already ended is rolled back silently.
        """
        ...

    def log(self, level: Level, message: str, line: int) -> None:
        """Keep what RAISE said in the log of procedures, with its line in the body ("Logging", PL/pgSQL)."""
        ...

    def notice(self, level: Level, message: str) -> None:
        """Send a message to the client at once; never EXCEPTION."""
        ...

    def procedure(self, name: QualifiedName, arguments: tuple[Value, ...]) -> AbstractContextManager[CompiledProcedure]:
        """Find the procedure that a CALL with these input arguments means; while the context is open its SET clauses and its owner apply.

        Raises UndefinedObject (42883), and PermissionDenied (42501) without EXECUTE.
        """
        ...

    def check(self) -> None:
        """Raise Cancelled when the statement was cancelled or timed out; called at every turn of a loop."""
        ...
