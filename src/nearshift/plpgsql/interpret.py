"""Running a procedure over a session.

Theory of operation. `call` makes a Machine (the session, the transaction, the open cursor) and an Activation (variables) per procedure, and
walks the tree. A statement list returns None or a Leave: EXIT, CONTINUE and RETURN on their way outwards. Errors are NearshiftErrors and
travel as exceptions; each activation adds its line to the CONTEXT once.

There are no savepoints, so a handler cannot undo a part ("Trapping errors", "Managing transactions"):
- atomic: everything since the last commit is rolled back, the handler runs in a new transaction, which commits, and the *original* error
  goes on to the caller. Execution never continues after it. An error of the handler itself replaces the original.
- NONATOMIC: statements commit one by one; what START TRANSACTION opened is rolled back; the handler's statements commit one by one again,
  and the error is over. EXIT_HANDLER leaves the block, CONTINUE_HANDLER goes on after the failing statement, in the innermost list.

Invariants: SQL runs only inside a transaction; after `call` returns, none is open that was not open before; after it raises, none is open,
except that the user's block may be, failed. Chosen where AWS says nothing: see docs/design/0003-exceptions-without-savepoints.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import Final, assert_never

from nearshift import limits
from nearshift.errors import Cancelled, DataError, InternalError, InvalidSql, NearshiftError
from nearshift.faults import crash_point
from nearshift.plpgsql import declare, nodes, statements
from nearshift.plpgsql.activation import Activation, Continuing, Machine
from nearshift.plpgsql.compiled import CompiledProcedure
from nearshift.plpgsql.cursors import Cursors, OpenCursor
from nearshift.plpgsql.nodes import Fragment, Node
from nearshift.plpgsql.runner import Runner, Value
from nearshift.plpgsql.transactions import Owner, Transaction
from nearshift.plpgsql.variables import Frame, Variable, convert
from nearshift.sql.relations import Column
from nearshift.sql.statements_programs import ArgumentMode
from nearshift.types import INTEGER, VARCHAR


@dataclass(frozen=True, slots=True)
class Returned:
    """What a CALL gives back.

    `columns` and `values` are the OUT and INOUT arguments as one row, both empty when there are none. `cursors` are those still open, for
    the session to FETCH from; there are some only inside the user's transaction block.
    """

    columns: tuple[Column, ...]
    values: tuple[object, ...]
    cursors: tuple[OpenCursor, ...] = ()


class LeaveKind(Enum):
    """Ways out of a list of statements."""

    EXIT = "EXIT"
    CONTINUE = "CONTINUE"
    RETURN = "RETURN"


@dataclass(frozen=True, slots=True)
class Leave:
    """A way out that is under way, and the label it looks for."""

    kind: LeaveKind
    label: str | None = None


_RETURN: Final = Leave(LeaveKind.RETURN)


def call(procedure: CompiledProcedure, arguments: tuple[Value, ...], runner: Runner, *, is_in_block: bool) -> Returned:
    """Run a top-level CALL ("CALL"); `arguments` are those of the IN and INOUT parameters, in order.

    `is_in_block` tells whether the user's BEGIN is open: then nothing is committed here unless a NONATOMIC body says COMMIT. Otherwise no
    transaction may be open, and none is afterwards. The caller holds the context of `runner.procedure`. Raises what the body raises,
    without a span and with CONTEXT lines; InvalidSql (54001) beyond 16 nested calls.
    """
    cursors = Cursors()
    transaction = Transaction(runner, cursors.close_all, is_in_block=is_in_block)
    machine = Machine(runner, transaction, cursors)
    is_done = False
    try:
        columns, values = invoke(machine, procedure, arguments, None)
        if transaction.owner is Owner.BLOCK:
            transaction.commit()
            message = f'transaction opened by START TRANSACTION was still open at the end of procedure "{procedure.name}"; it is committed'
            runner.notice(nodes.Level.WARNING, message)
        is_done = True
    except RecursionError as error:
        raise InvalidSql("stack depth limit exceeded", sqlstate="54001", hint="Call fewer procedures inside each other.") from error
    except NearshiftError as error:
        error.span = None
        raise
    finally:
        if not is_done and transaction.owner is not Owner.CALLER:
            transaction.abandon()
    return Returned(columns, values, (cursors.opened,) if cursors.opened is not None else ())


def invoke(
    machine: Machine, procedure: CompiledProcedure, arguments: tuple[Value, ...], caller: Activation | None
) -> tuple[tuple[Column, ...], tuple[object, ...]]:
    """Run one procedure, nested or not, and return its outputs."""
    if machine.depth >= limits.CALL_DEPTH_MAX:
        message = f"procedure calls are nested too deeply: the maximum is {limits.CALL_DEPTH_MAX} levels"
        raise InvalidSql(message, sqlstate="54001", hint="Use a loop in the place of recursion.")
    activation = Activation(machine, procedure, caller)
    _bind(activation, arguments)
    transaction = machine.transaction
    is_owner = not activation.is_nonatomic and not transaction.is_open
    if is_owner:
        transaction.begin(Owner.PROCEDURE)
    machine.depth += 1
    try:
        _block(activation, procedure.block)
    finally:
        machine.depth -= 1
    if is_owner:
        transaction.commit()
    return _outputs(activation)


def _bind(activation: Activation, arguments: tuple[Value, ...]) -> None:
    parameters = activation.procedure.parameters
    inputs = sum(parameter.mode is not ArgumentMode.OUT for parameter in parameters)
    if inputs != len(arguments):
        message = f'procedure "{activation.procedure.name}" takes {inputs} arguments, not {len(arguments)}'
        raise InvalidSql(message, sqlstate="42883", hint="Leave OUT arguments out of the CALL.")
    slots: list[Variable] = []
    given = iter(arguments)
    for number, parameter in enumerate(parameters, 1):
        slot = Variable(parameter.name or f"${number}", parameter.type)
        if parameter.mode is not ArgumentMode.OUT:
            slot.value = convert(next(given), parameter.type, activation.runner)
        slots.append(slot)
        activation.frame.slots[slot.name] = slot
        activation.frame.slots[f"${number}"] = slot
    activation.arguments = tuple(slots)


def _outputs(activation: Activation) -> tuple[tuple[Column, ...], tuple[object, ...]]:
    columns: list[Column] = []
    values: list[object] = []
    for parameter, slot in zip(activation.procedure.parameters, activation.arguments, strict=True):
        if parameter.mode is not ArgumentMode.IN:
            columns.append(Column(parameter.name or f"column{len(columns) + 1}", parameter.type))
            values.append(slot.value)
    return tuple(columns), tuple(values)


def _block(activation: Activation, block: nodes.Block) -> Leave | None:
    outer = activation.frame
    activation.frame = Frame(outer, block.label)
    try:
        declare.declare(activation, block.declarations)
        leave = _guarded(activation, block.body, block.handler) if block.handler else _list(activation, block.body)
    finally:
        activation.frame = outer
    if leave is not None and leave.kind is LeaveKind.EXIT and leave.label is not None and leave.label == block.label:
        return None
    return leave


def _guarded(activation: Activation, body: tuple[Node, ...], handler: nodes.Handler) -> Leave | None:
    outer, frame = activation.continuing, activation.frame
    is_continuing = activation.is_nonatomic and handler.kind is nodes.HandlerKind.CONTINUE
    activation.continuing = Continuing(handler, frame) if is_continuing else None
    try:
        return _list(activation, body)
    except Cancelled:
        raise
    except NearshiftError as error:
        if is_continuing:
            raise  # it comes from the handler itself
        failure = error
    finally:
        activation.continuing = outer
    return _handle(activation, handler, failure, frame)


def _handle(activation: Activation, handler: nodes.Handler, failure: NearshiftError, frame: Frame) -> Leave | None:
    transaction = activation.machine.transaction
    outer, continuing = activation.frame, activation.continuing
    activation.frame = Frame(frame, None)
    activation.frame.slots["sqlerrm"] = Variable("sqlerrm", VARCHAR, failure.message, is_constant=True)
    activation.frame.slots["sqlstate"] = Variable("sqlstate", VARCHAR, failure.sqlstate, is_constant=True)
    activation.errors.append(failure)
    if activation.continuing is not None and activation.continuing.handler is handler:
        activation.continuing = None
    try:
        if activation.is_nonatomic:
            transaction.restart()
            return _list(activation, handler.body)
        transaction.abandon()
        transaction.begin(Owner.PROCEDURE)
        _list(activation, handler.body)
        transaction.commit()
        activation.remember(failure)
        raise failure
    except NearshiftError as error:
        activation.escaping = (error, handler)
        raise
    finally:
        activation.frame, activation.continuing = outer, continuing
        activation.errors.pop()


def _list(activation: Activation, body: tuple[Node, ...]) -> Leave | None:
    for node in body:
        crash_point("procedure.statement")
        activation.running(None)
        try:
            leave = _statement(activation, node)
        except NearshiftError as error:
            activation.annotate(error, node)
            continuing = activation.continuing
            if continuing is None or isinstance(error, Cancelled) or activation.escaping == (error, continuing.handler):
                raise
            leave = _handle(activation, continuing.handler, error, continuing.frame)
        if leave is not None:
            return leave
    return None


def _statement(activation: Activation, node: Node) -> Leave | None:
    match node:
        case nodes.Block():
            return _block(activation, node)
        case nodes.If():
            return _if(activation, node)
        case nodes.Case():
            return _case(activation, node)
        case nodes.Loop():
            return _turns(activation, node.label, node.body, _forever(activation))
        case nodes.While():
            return _turns(activation, node.label, node.body, _while(activation, node.condition))
        case nodes.ForInteger():
            return _for_integer(activation, node)
        case nodes.ForQuery():
            return _for_query(activation, node)
        case nodes.Exit():
            return Leave(LeaveKind.EXIT, node.label) if node.condition is None or activation.condition(node.condition) else None
        case nodes.Continue():
            return Leave(LeaveKind.CONTINUE, node.label) if node.condition is None or activation.condition(node.condition) else None
        case nodes.Return():
            return _RETURN
        case nodes.Null():
            return None
        case nodes.Call():
            statements.run_call(activation, node.sql.text, activation.scope(), invoke)
        case nodes.Execute():
            statements.run_execute(activation, node, invoke)
        case _:
            _simple(activation, node)
    return None


_Simple = (
    nodes.Assign | nodes.Raise | nodes.Reraise | nodes.GetDiagnostics | nodes.Sql | nodes.SelectInto | nodes.Perform | nodes.Open
    | nodes.Fetch | nodes.Close | nodes.Commit | nodes.Rollback | nodes.StartTransaction | nodes.Truncate
)  # fmt: skip


def _simple(activation: Activation, node: _Simple) -> None:
    match node:
        case nodes.Assign():
            statements.run_assign(activation, node)
        case nodes.Raise():
            statements.run_raise(activation, node)
        case nodes.Reraise():
            statements.run_reraise(activation)
        case nodes.GetDiagnostics():
            statements.run_get_diagnostics(activation, node)
        case nodes.Sql():
            statements.run_sql(activation, node.sql.text)
        case nodes.SelectInto():
            statements.run_select_into(activation, node)
        case nodes.Perform():
            statements.run_perform(activation, node)
        case nodes.Open():
            statements.run_open(activation, node)
        case nodes.Fetch():
            statements.run_fetch(activation, node)
        case nodes.Close():
            statements.run_close(activation, node)
        case nodes.Commit() | nodes.Rollback():
            statements.run_end(activation, node)
        case nodes.StartTransaction():
            statements.run_start(activation)
        case nodes.Truncate():
            statements.run_truncate(activation, node.sql.text, activation.scope())
        case _:
            assert_never(node)


def _if(activation: Activation, node: nodes.If) -> Leave | None:
    for condition, body in node.branches:
        if activation.condition(condition):
            return _list(activation, body)
    return _list(activation, node.otherwise)


_SUBJECT: Final = "__case_subject__"


def _case(activation: Activation, node: nodes.Case) -> Leave | None:
    subject = activation.evaluate(node.subject) if node.subject is not None else None
    for values, body in node.branches:
        if any(_is_case(activation, subject, value) for value in values):
            return _list(activation, body)
    if node.otherwise is None:
        raise InvalidSql("case not found", sqlstate="20000", hint="CASE statement is missing ELSE part.")
    return _list(activation, node.otherwise)


def _is_case(activation: Activation, subject: Value | None, value: Fragment) -> bool:
    if subject is None:
        return activation.condition(value)
    scope = activation.scope()
    scope = type(scope)({**scope.variables, _SUBJECT: subject}, scope.arguments)
    return activation.is_true(activation.compute(f"{_SUBJECT} = ({value.text})", scope))


def _forever(activation: Activation) -> Iterator[None]:
    while True:
        activation.runner.check()
        yield


def _while(activation: Activation, condition: Fragment) -> Iterator[None]:
    while activation.condition(condition):
        activation.runner.check()
        yield


def _turns(activation: Activation, label: str | None, body: tuple[Node, ...], turns: Iterator[object]) -> Leave | None:
    """Run the body once per turn; return what leaves more than this loop."""
    for _ in turns:
        leave = _list(activation, body)
        if leave is None:
            continue
        if leave.kind is LeaveKind.RETURN or (leave.label is not None and leave.label != label):
            return leave
        if leave.kind is LeaveKind.EXIT:
            return None
    return None


def _for_integer(activation: Activation, node: nodes.ForInteger) -> Leave | None:
    first = _bound(activation, node.first, "lower bound")
    last = _bound(activation, node.last, "upper bound")
    step = _bound(activation, node.step, "BY value") if node.step is not None else 1
    if step <= 0:
        raise DataError("BY value of FOR loop must be greater than zero", sqlstate="22023", hint="Use REVERSE to count downwards.")
    outer = activation.frame
    slot = Variable(node.variable, INTEGER)
    activation.frame = Frame(outer, node.label)
    activation.frame.slots[node.variable] = slot
    turned = False

    def turns() -> Iterator[None]:
        nonlocal turned
        for number in count(first, -step if node.is_reverse else step):
            if number < last if node.is_reverse else number > last:
                return
            activation.runner.check()
            slot.value, turned = number, True
            yield

    try:
        leave = _turns(activation, node.label, node.body, turns())
    finally:
        activation.frame = outer
    activation.found.value = turned
    return leave


def _bound(activation: Activation, expression: Fragment, what: str) -> int:
    value = convert(activation.evaluate(expression), INTEGER, activation.runner)
    if value is None:
        raise DataError(f"{what} of FOR loop cannot be null", sqlstate="22004")
    if not isinstance(value, int):
        message = f"{what} of FOR loop is no integer after its conversion"
        raise InternalError(message)
    return value


def _for_query(activation: Activation, node: nodes.ForQuery) -> Leave | None:
    cursors = activation.machine.cursors
    name = cursors.portal_name()
    cursors.check_free(name)
    outcome = statements.run_query(activation, node.query, is_dynamic=node.is_dynamic)
    columns = outcome.columns or ()
    cursor = OpenCursor(name, columns, outcome.rows, is_hidden=True)
    cursors.open(cursor)
    turned = False

    def turns() -> Iterator[None]:
        nonlocal turned
        while True:
            cursors.find(name)
            row = next(cursor.rows, None)
            if row is None:
                if not turned:
                    activation.assign_row(node.targets, columns, None)
                return
            activation.runner.check()
            activation.assign_row(node.targets, columns, row)
            turned = True
            yield

    try:
        leave = _turns(activation, node.label, node.body, turns())
    finally:
        cursors.release(cursor)
    activation.found.value = turned
    return leave


