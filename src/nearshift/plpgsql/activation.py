"""One running procedure: its variables, what the last statement did, and its way to the session."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from nearshift.errors import Cancelled, InvalidSql, NearshiftError
from nearshift.plpgsql import nodes
from nearshift.plpgsql.compiled import CompiledProcedure
from nearshift.plpgsql.cursors import Cursors
from nearshift.plpgsql.nodes import Fragment, Target
from nearshift.plpgsql.runner import Outcome, Runner, Scope, Value
from nearshift.plpgsql.transactions import Owner, Transaction
from nearshift.plpgsql.variables import Frame, RecordVariable, Variable, assign, read, scope_of, unassigned_record
from nearshift.sql.lexer import Token, TokenKind, string_value, tokens
from nearshift.sql.names import fold
from nearshift.sql.relations import Column
from nearshift.types import BIGINT, BOOLEAN, INTEGER, UNKNOWN


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
        simple = _simple(expression.text)
        if isinstance(simple, Value):
            return simple
        if simple is not None:
            found = self.frame.find(tuple(fold(text, is_quoted, self.procedure.rules) for text, is_quoted in simple))
            if found is not None and not isinstance(found, RecordVariable):
                path = tuple(fold(text, is_quoted, self.procedure.rules) for text, is_quoted in simple)
                return read(self.frame, Target(path, expression.span))
        return self.compute(expression.text, self.scope())

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


@lru_cache(maxsize=4096)
def _simple(text: str) -> Value | tuple[tuple[str, bool], ...] | None:
    """Return the value of a lone literal, or the parts of a lone name; None for anything that needs SQL."""
    try:
        found = [token for token, _ in zip(tokens(text), range(6), strict=False)]
    except InvalidSql:
        return None
    if found[-1].kind is not TokenKind.END:
        return None
    first = found[0]
    if len(found) == 2:
        match first.kind:
            case TokenKind.NUMBER if first.text.isdigit() and len(first.text) < 19:
                number = int(first.text)
                return Value(INTEGER if number < 1 << 31 else BIGINT, number)
            case TokenKind.STRING if first.text.startswith("'"):
                return Value(UNKNOWN, string_value(first))
            case TokenKind.WORD if first.key in ("TRUE", "FALSE"):
                return Value(BOOLEAN, first.key == "TRUE")
            case TokenKind.WORD if first.key == "NULL":
                return Value(UNKNOWN, None)
            case TokenKind.PARAMETER:
                return ((first.text, False),)
    return _path(found)


def _path(found: list[Token]) -> tuple[tuple[str, bool], ...] | None:
    parts: list[tuple[str, bool]] = []
    for index, token in enumerate(found[:-1]):
        if index % 2:
            if token.key != ".":
                return None
        elif token.kind is TokenKind.WORD:
            parts.append((token.text, False))
        elif token.kind is TokenKind.QUOTED:
            parts.append((token.text[1:-1].replace('""', '"'), True))
        else:
            return None
    return tuple(parts) if len(found) % 2 == 0 and parts else None
