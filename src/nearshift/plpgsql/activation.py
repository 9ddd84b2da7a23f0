"""One running procedure: its variables, what the last statement did, and its way to the session."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nearshift.errors import Cancelled, NearshiftError
from nearshift.plpgsql import nodes
from nearshift.plpgsql.compiled import CompiledProcedure
from nearshift.plpgsql.cursors import Cursors
from nearshift.plpgsql.nodes import Fragment, Target
from nearshift.plpgsql.runner import Outcome, Runner, Scope, Value
from nearshift.plpgsql.simple import Binary, NameParts, compute_integers, read_simple
from nearshift.plpgsql.transactions import Owner, Transaction
from nearshift.plpgsql.variables import Frame, RecordVariable, Variable, assign, read, scope_of, unassigned_record
from nearshift.sql.names import fold
from nearshift.sql.relations import Column
from nearshift.types import BOOLEAN, UNKNOWN


@dataclass(slots=True)
class Machine:
    """What one top-level CALL shares with the calls inside it."""

    runner: Runner
    transaction: Transaction
    cursors: Cursors
    depth: int = 0


# PostgreSQL's words for the kinds of statement, as CONTEXT lines show them.
_LABELS: Final[dict[type, str]] = {
    nodes.Assign: "assignment",
    nodes.If: "if",
    nodes.Case: "case",
    nodes.Loop: "loop",
    nodes.While: "while",
    nodes.ForInteger: "for with integer loop variable",
    nodes.Exit: "exit",
    nodes.Continue: "continue",
    nodes.Raise: "raise",
    nodes.Reraise: "raise",
    nodes.GetDiagnostics: "get diagnostics",
    nodes.SelectInto: "select into variables",
    nodes.Execute: "execute statement",
    nodes.Perform: "perform",
    nodes.Open: "open",
    nodes.Fetch: "fetch",
    nodes.Close: "close",
    nodes.Block: "block variables initialization",
}


@dataclass(frozen=True, slots=True)
class Continuing:
    """A CONTINUE_HANDLER in force, and the frame that its statements see."""

    handler: nodes.Handler
    frame: Frame


class Activation:
    """The state of one call between its statements."""

    def __init__(self, machine: Machine, procedure: CompiledProcedure, caller: Activation | None) -> None:
        self.machine = machine
        self.procedure = procedure
        self.is_nonatomic: bool = procedure.is_nonatomic and (caller is None or caller.is_nonatomic)
        self.forbids_control: bool = self._decide_control(caller)
        self.frame = Frame(None, procedure.name)
        self.arguments: tuple[Variable, ...] = ()
        self.found = Variable("found", BOOLEAN, value=False)
        self.frame.slots["found"] = self.found
        self.row_count = 0
        self.errors: list[NearshiftError] = []
        self.continuing: Continuing | None = None
        self._running: str | None = None
        self._annotated: NearshiftError | None = None
        # An error that a handler raised, and that same handler, which must not see it.
        self.escaping: tuple[NearshiftError, nodes.Handler] | None = None

    def _decide_control(self, caller: Activation | None) -> bool:
        """Tell whether COMMIT, ROLLBACK and TRUNCATE are refused: SET in the chain of calls, or an atomic body in somebody else's block."""
        if self.procedure.has_settings or (caller is not None and caller.forbids_control):
            return True
        if self.is_nonatomic or (caller is not None and not caller.is_nonatomic):
            return False
        return self.machine.transaction.owner in (Owner.CALLER, Owner.BLOCK)

    @property
    def runner(self) -> Runner:
        """The session."""
        return self.machine.runner

    def scope(self) -> Scope:
        """Return what embedded SQL may name here."""
        return scope_of(self.frame, self.arguments)

    def run(self, sql: str, scope: Scope) -> Outcome:
        """Run one SQL statement, in a transaction of its own if none is open, and note how many rows it changed."""
        self._running = sql
        with self.machine.transaction.unit():
            outcome = self.runner.run(sql, scope)
        self._running = None
        if outcome.row_count is not None:
            self.row_count = outcome.row_count
        return outcome

    def run_command(self, sql: str, scope: Scope) -> Outcome:
        """Run a statement for what it does: outside of a transaction it ends the open cursor, as every commit does."""
        is_committing = not self.machine.transaction.is_open
        outcome = self.run(sql, scope)
        if is_committing:
            self.machine.cursors.close_all()
        return outcome

    def evaluate(self, expression: Fragment) -> Value:
        """Return the value of an expression; literals and variables alone do not trouble the session."""
        simple = read_simple(expression.text)
        value = None
        if isinstance(simple, Binary):
            left, right = self._operand(simple.left, expression), self._operand(simple.right, expression)
            value = None if left is None or right is None else compute_integers(left, simple.sign, right)
        elif simple is not None:
            value = self._operand(simple, expression)
        return value if value is not None else self.compute(expression.text, self.scope())

    def _operand(self, operand: Value | NameParts, expression: Fragment) -> Value | None:
        """Return a literal or the value of a variable; None for a name that is neither variable nor field."""
        if isinstance(operand, Value):
            return operand
        path = tuple(fold(text, is_quoted, self.procedure.rules) for text, is_quoted in operand)
        found = self.frame.find(path)
        if found is None or isinstance(found, RecordVariable):
            return None
        return read(self.frame, Target(path, expression.span))

    def compute(self, expression: str, scope: Scope) -> Value:
        """Let the session evaluate an expression."""
        self._running = f"SELECT {expression}"
        with self.machine.transaction.unit():
            value = self.runner.evaluate(expression, scope)
        self._running = None
        return value

    def condition(self, expression: Fragment) -> bool:
        """Tell whether a condition is true; NULL is not."""
        return self.is_true(self.evaluate(expression))

    def is_true(self, value: Value) -> bool:
        """Tell whether a value is true, converted if need be."""
        raw = value.value if value.type == BOOLEAN or value.value is None else self.runner.cast(value, BOOLEAN)
        return raw is True

    def assign(self, target: Target, value: Value) -> None:
        """Assign to a variable or field."""
        assign(self.frame, target, value, self.runner)

    def assign_row(self, targets: tuple[Target, ...], columns: tuple[Column, ...], row: tuple[object, ...] | None) -> None:
        """Give a row to a record, or its values to variables: missing ones are NULL, more than asked for are dropped, as in PostgreSQL."""
        first = self.frame.find(targets[0].path)
        if len(targets) == 1 and isinstance(first, RecordVariable):
            first.assign_row(columns, row)
            return
        for index, target in enumerate(targets):
            if row is not None and index < len(columns):
                self.assign(target, Value(columns[index].type, row[index]))
            else:
                self.assign(target, Value(UNKNOWN, None))

    def annotate(self, error: NearshiftError, node: nodes.Node) -> None:
        """Say where in this procedure an error happened, once: the innermost statement, as PostgreSQL's CONTEXT does.

        Positions inside a body mean nothing in the text that the user sent, so the span goes and the line stays.
        """
        if error is self._annotated:
            return
        self._annotated = error
        lines = [error.context] if error.context else []
        if self._running is not None and not lines and not isinstance(error, Cancelled):
            lines.append(f'SQL statement "{self._running}"')
        self._running = None
        lines.append(f'PL/pgSQL function "{self.procedure.name}" line {node.line} at {_label(node)}')
        error.context = "\n".join(lines)
        error.span = None

    def remember(self, error: NearshiftError) -> None:
        """Note that an error about to be raised again has its line of CONTEXT."""
        self._annotated = error

    def running(self, sql: str | None) -> None:
        """Name the SQL that an error is about from here on, or none."""
        self._running = sql

    def explain_record(self, error: NearshiftError, sql: str) -> NearshiftError:
        """Return a better error when the SQL layer missed a name that is a record without a row."""
        if error.sqlstate in ("42P01", "42703", "3F000"):
            for name in self.frame.unassigned_records():
                if re.search(rf"\b{re.escape(name)}\s*\.", sql, re.IGNORECASE):
                    return unassigned_record(name)
        return error


def _label(node: nodes.Node) -> str:
    if isinstance(node, nodes.ForQuery):
        return "for over execute statement" if node.is_dynamic else "for over select rows"
    return _LABELS.get(type(node), "SQL statement")
