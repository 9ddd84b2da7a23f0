"""What the statements do that hold no others. Each function runs one; the walk over the tree is in `interpret`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from nearshift.errors import DataError, InvalidSql, NearshiftError, NotSupported, Span
from nearshift.plpgsql import nodes
from nearshift.plpgsql.activation import Activation, Machine
from nearshift.plpgsql.compiled import CompiledProcedure
from nearshift.plpgsql.cursors import OpenCursor
from nearshift.plpgsql.nodes import Fragment, Target
from nearshift.plpgsql.parse_simple import refuse_sql
from nearshift.plpgsql.runner import Outcome, Scope, Value
from nearshift.plpgsql.transactions import Owner, atomic_context_error
from nearshift.plpgsql.variables import RecordVariable, Variable, convert, read, unassigned_record, unknown_variable
from nearshift.sql.lexer import TokenKind, tokens
from nearshift.sql.names import fold
from nearshift.sql.parse import parse_statement
from nearshift.sql.parse_reader import Reader
from nearshift.sql.relations import Column
from nearshift.sql.split import split_script
from nearshift.sql.statements import Call
from nearshift.sql.statements_programs import ArgumentMode
from nearshift.types import BIGINT, VARCHAR, Kind, SqlType

# What `interpret.invoke` is to the statements that call procedures.
Invoke = Callable[
    [Machine, CompiledProcedure, tuple[Value, ...], Activation | None], tuple[tuple[Column, ...], tuple[object, ...]]
]  # fmt: skip
_SETS_FOUND: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_TRANSACTION_WORDS: Final = frozenset({"COMMIT", "ROLLBACK", "BEGIN", "START", "END", "ABORT"})


class RaisedException(NearshiftError):
    """RAISE EXCEPTION in a procedure (P0001)."""

    default_sqlstate = "P0001"


def run_assign(activation: Activation, node: nodes.Assign) -> None:
    """target := expression; a record takes another record whole."""
    target = activation.frame.find(node.target.path)
    if isinstance(target, RecordVariable):
        source = activation.frame.find((fold(node.expression.text.strip(), is_quoted=False, rules=activation.procedure.rules),))
        if isinstance(source, RecordVariable):
            if source.fields is None:
                raise unassigned_record(source.name)
            target.fields = dict(source.fields)
            return
    if target is None:
        raise unknown_variable(node.target)
    activation.assign(node.target, _evaluate(activation, node.expression))


def _evaluate(activation: Activation, expression: Fragment) -> Value:
    try:
        return activation.evaluate(expression)
    except NearshiftError as error:
        better = activation.explain_record(error, expression.text)
        if better is error:
            raise
        raise better from error


def _run(activation: Activation, sql: str, scope: Scope, *, is_command: bool) -> Outcome:
    try:
        return activation.run_command(sql, scope) if is_command else activation.run(sql, scope)
    except NearshiftError as error:
        better = activation.explain_record(error, sql)
        if better is error:
            raise
        raise better from error


def run_sql(activation: Activation, sql: str) -> None:
    """Run an SQL statement; a query must have INTO or stand after PERFORM."""
    outcome = _run(activation, sql, activation.scope(), is_command=True)
    _note(activation, outcome)
    if outcome.command in ("SELECT", "VALUES") and outcome.columns is not None:
        hint = "If you want to discard the results, use PERFORM instead."
        raise InvalidSql("query has no destination for result data", sqlstate="42601", hint=hint)


def _note(activation: Activation, outcome: Outcome) -> None:
    if outcome.command in _SETS_FOUND:
        activation.found.value = (outcome.row_count or 0) > 0


def run_select_into(activation: Activation, node: nodes.SelectInto) -> None:
    """SELECT … INTO: the first row, or NULLs; sets FOUND."""
    outcome = _run(activation, node.query.text, activation.scope(), is_command=False)
    _take_first_row(activation, node.targets, outcome)


def _take_first_row(activation: Activation, targets: tuple[Target, ...], outcome: Outcome) -> None:
    row = next(outcome.rows, None)
    activation.row_count = 0 if row is None else 1
    activation.found.value = row is not None
    activation.assign_row(targets, outcome.columns or (), row)


def run_perform(activation: Activation, node: nodes.Perform) -> None:
    """PERFORM: run a query for what it does; sets FOUND as in PostgreSQL."""
    outcome = _run(activation, node.query.text, activation.scope(), is_command=True)
    activation.row_count = sum(1 for _ in outcome.rows)
    activation.found.value = activation.row_count > 0


def run_query(activation: Activation, query: Fragment, *, is_dynamic: bool) -> Outcome:
    """Run the query of a FOR loop or of OPEN and return its rows, unread."""
    sql, scope = query.text, activation.scope()
    if is_dynamic:
        sql, scope = _dynamic_text(activation, query), Scope()
    outcome = _run(activation, sql, scope, is_command=False)
    if outcome.columns is None:
        raise InvalidSql("a cursor needs a query that returns rows", sqlstate="42P11", hint="Use a SELECT.")
    return outcome


def _dynamic_text(activation: Activation, expression: Fragment) -> str:
    value = _evaluate(activation, expression)
    if value.value is None:
        raise DataError("cannot EXECUTE a null querystring", sqlstate="22004", hint="A NULL was joined into the text; use nvl().")
    text = value.value if isinstance(value.value, str) else activation.runner.cast(value, VARCHAR)
    return str(text)


def run_execute(activation: Activation, node: nodes.Execute, invoke: Invoke) -> None:
    """EXECUTE text [INTO targets]: no variables inside, no COMMIT or ROLLBACK; the last statement feeds INTO."""
    text = _dynamic_text(activation, node.expression)
    activation.running(text)
    outcome = Outcome("")
    for piece in _pieces(text):
        outcome = _execute_piece(activation, piece, invoke)
    if not node.targets:
        return
    if outcome.columns is None:
        raise InvalidSql("INTO needs a query that returns rows", sqlstate="42601", hint="Remove INTO, or execute a SELECT.")
    row = next(outcome.rows, None)
    activation.row_count = 0 if row is None else 1
    activation.assign_row(node.targets, outcome.columns, row)


# Texts longer than this are made for one run each; keeping them would cost more than reading them.
_KEPT_CHARACTERS_MAX: Final = 20_000


def _pieces(text: str) -> tuple[str, ...]:
    return _kept_pieces(text) if len(text) <= _KEPT_CHARACTERS_MAX else _kept_pieces.__wrapped__(text)


@lru_cache(maxsize=500)
def _kept_pieces(text: str) -> tuple[str, ...]:
    return tuple(piece.text for piece in split_script(text))


@lru_cache(maxsize=500)
def _leading_words(text: str) -> tuple[str, ...]:
    return tuple(token.key for token, _ in zip(tokens(text), range(4), strict=False))


def _execute_piece(activation: Activation, text: str, invoke: Invoke) -> Outcome:
    words = _leading_words(text)
    if words[0] in _TRANSACTION_WORDS:
        hint = f"Write {words[0]} as a statement of the procedure."
        raise NotSupported(f"EXECUTE cannot run {words[0]}", hint=hint)
    refuse_sql(words, Span(0, len(text)))
    if words[0] == "CALL":
        run_call(activation, text, Scope(), invoke)
        return Outcome("CALL")
    if words[0] == "TRUNCATE":
        run_truncate(activation, text, Scope())
        return Outcome("TRUNCATE")
    return _run(activation, text, Scope(), is_command=True)


def run_raise(activation: Activation, node: nodes.Raise) -> None:
    """RAISE level 'format', variables."""
    pieces = [node.parts[0]]
    for argument, part in zip(node.arguments, node.parts[1:], strict=True):
        pieces += [_shown(activation, read(activation.frame, argument)), part]
    message = "".join(pieces)
    activation.runner.log(node.level, message, node.line)
    if node.level is nodes.Level.EXCEPTION:
        raise RaisedException(message)
    activation.runner.notice(node.level, message)


def _shown(activation: Activation, value: Value) -> str:
    """Return a value as its type's output function writes it."""
    raw = value.value
    if raw is None:
        return "<NULL>"
    if isinstance(raw, bool):
        return "t" if raw else "f"
    if isinstance(raw, str | int):
        return str(raw)  # SUPER too: it is JSON text, while its cast to VARCHAR has no value for objects
    return str(activation.runner.cast(value, VARCHAR))


def run_reraise(activation: Activation) -> None:
    """RAISE alone: the handled error goes on, in handlers of NONATOMIC procedures only."""
    if not activation.errors or not activation.is_nonatomic:
        message = "RAISE without parameters can only be used in an exception handler of a NONATOMIC procedure"
        raise InvalidSql(message, sqlstate="0Z002", hint="In an atomic procedure the error goes on by itself.")
    activation.remember(activation.errors[-1])
    raise activation.errors[-1]


def run_get_diagnostics(activation: Activation, node: nodes.GetDiagnostics) -> None:
    """GET DIAGNOSTICS target := ROW_COUNT."""
    activation.assign(node.target, Value(BIGINT, activation.row_count))


def run_call(activation: Activation, text: str, scope: Scope, invoke: Invoke) -> None:
    """CALL of another procedure: INOUT arguments must be variables and take what comes back; OUT arguments cannot be received."""
    statement = _parsed_call(text)
    activation.running(text)
    values = tuple(
        activation.evaluate(argument) if scope.variables else activation.compute(argument.text, scope) for argument in statement.arguments
    )
    activation.running(text)
    with activation.runner.procedure(statement.name, values) as procedure:
        targets = _output_targets(activation, procedure, statement)
        _, outputs = invoke(activation.machine, procedure, values, activation)
    for target, (parameter, output) in zip(targets, _inout(procedure, outputs), strict=True):
        activation.assign(target, Value(parameter, output))
    activation.running(text)


def _inout(procedure: CompiledProcedure, outputs: tuple[object, ...]) -> list[tuple[SqlType, object]]:
    types = [parameter.type for parameter in procedure.parameters if parameter.mode is not ArgumentMode.IN]
    return list(zip(types, outputs, strict=True))


@lru_cache(maxsize=1024)
def _parsed_call(text: str) -> Call:
    statement = parse_statement(text)
    if not isinstance(statement, Call):
        raise InvalidSql("CALL is not complete", hint="Write CALL name(arguments).")
    return statement


def _output_targets(activation: Activation, procedure: CompiledProcedure, statement: Call) -> list[Target]:
    targets: list[Target] = []
    given = iter(statement.arguments)
    for parameter in procedure.parameters:
        if parameter.mode is ArgumentMode.OUT:
            message = f'procedure "{procedure.name}" has OUT arguments and cannot be called from a procedure'
            raise InvalidSql(message, sqlstate="0A000", hint="Declare the argument INOUT and pass a variable.")
        argument = next(given, None)
        if parameter.mode is ArgumentMode.INOUT and argument is not None:
            targets.append(_variable_of(activation, argument, parameter.name or "?"))
    return targets


def _variable_of(activation: Activation, argument: Fragment, name: str) -> Target:
    reader = Reader(argument.text, tokens(argument.text))
    path: list[str] = []
    if reader.token.kind is TokenKind.PARAMETER:
        path.append(reader.advance().text)
    elif reader.token.kind in (TokenKind.WORD, TokenKind.QUOTED):
        rules = activation.procedure.rules
        path = [fold(part.text, part.is_quoted, rules) for part in reader.qualified().parts]
    found = activation.frame.find(tuple(path)) if path and reader.token.kind is TokenKind.END else None
    if found is None or isinstance(found, RecordVariable):
        message = f'argument "{argument.text}" for INOUT parameter "{name}" must be a variable'
        raise InvalidSql(message, sqlstate="42601", hint="Assign the value to a variable and pass that.")
    return Target(tuple(path), argument.span)


def run_open(activation: Activation, node: nodes.Open) -> None:
    """OPEN: bound cursors bind their arguments by position; a refcursor without a name gets one."""
    cursors = activation.machine.cursors
    slot = _cursor_slot(activation, node.cursor)
    query = node.query
    declared = slot.cursor
    if declared is not None and query is None:
        if len(declared.parameters) != len(node.arguments):
            message = f'cursor "{node.cursor}" takes {len(declared.parameters)} arguments, not {len(node.arguments)}'
            raise InvalidSql(message, hint="Pass one value per parameter of the cursor.")
        query = declared.query
    if query is None:
        raise InvalidSql(f'cursor "{node.cursor}" is not bound to a query', hint="Write OPEN … FOR query.")
    name = str(slot.value) if slot.value is not None else cursors.portal_name()
    cursors.check_free(name)
    scope = activation.scope()
    if declared is not None and node.arguments:
        bound = {
            parameter: Value(kind, convert(_evaluate(activation, argument), kind, activation.runner))
            for (parameter, kind), argument in zip(declared.parameters, node.arguments, strict=True)
        }
        outcome = _run(activation, query.text, replace(scope, variables={**scope.variables, **bound}), is_command=False)
        if outcome.columns is None:
            raise InvalidSql("a cursor needs a query that returns rows", sqlstate="42P11", hint="Use a SELECT.")
    else:
        outcome = run_query(activation, query, is_dynamic=node.is_dynamic)
    slot.value = name
    cursors.open(OpenCursor(name, outcome.columns or (), outcome.rows))


def _cursor_slot(activation: Activation, target: Target) -> Variable:
    found = activation.frame.find(target.path)
    if not isinstance(found, Variable):
        raise unknown_variable(target)
    if found.type.kind is not Kind.REFCURSOR:
        message = f'variable "{target}" must be of type cursor or refcursor'
        raise InvalidSql(message, sqlstate="42804", span=target.span, hint="Declare it as refcursor.")
    return found


def _cursor_name(activation: Activation, target: Target) -> str:
    slot = _cursor_slot(activation, target)
    if slot.value is None:
        raise DataError(f'cursor variable "{target}" is null', sqlstate="22004", hint="OPEN it first.")
    return str(slot.value)


def run_fetch(activation: Activation, node: nodes.Fetch) -> None:
    """FETCH cursor INTO targets: the next row, or NULLs; sets FOUND."""
    cursor = activation.machine.cursors.find(_cursor_name(activation, node.cursor))
    _take_first_row(activation, node.targets, Outcome("FETCH", cursor.columns, cursor.rows))


def run_close(activation: Activation, node: nodes.Close) -> None:
    """CLOSE cursor."""
    activation.machine.cursors.close(_cursor_name(activation, node.cursor))


def run_end(activation: Activation, node: nodes.Commit | nodes.Rollback) -> None:
    """COMMIT or ROLLBACK; an atomic procedure goes on in a new transaction."""
    word = "COMMIT" if isinstance(node, nodes.Commit) else "ROLLBACK"
    activation.running(word)
    if activation.forbids_control:
        raise atomic_context_error(word)
    transaction = activation.machine.transaction
    if word == "COMMIT":
        transaction.commit()
    else:
        transaction.rollback()
    _go_on(activation)


def _go_on(activation: Activation) -> None:
    if not activation.is_nonatomic and not activation.machine.transaction.is_open:
        activation.machine.transaction.begin(Owner.PROCEDURE)


def run_start(activation: Activation) -> None:
    """START TRANSACTION: groups the statements that follow; nothing happens when a transaction is open already."""
    if not activation.is_nonatomic:
        activation.running("START TRANSACTION")
        message = "START TRANSACTION can only be used in a NONATOMIC procedure"
        raise InvalidSql(message, sqlstate="2D000", hint="Call the procedure from a NONATOMIC one, or at the top level.")
    transaction = activation.machine.transaction
    if not transaction.is_open:
        transaction.begin(Owner.BLOCK)


def run_truncate(activation: Activation, sql: str, scope: Scope) -> None:
    """TRUNCATE: it commits what came before together with itself."""
    activation.running(sql)
    if activation.forbids_control:
        raise atomic_context_error("TRUNCATE")
    transaction = activation.machine.transaction
    was_open = transaction.is_open
    _run(activation, sql, scope, is_command=True)
    if was_open:
        activation.running(sql)
        transaction.commit()
        _go_on(activation)
