"""CREATE, ALTER, DROP and CALL of procedures, and what a session does for a running one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from nearshift.access.deciding import decide_call
from nearshift.catalog import catalog
from nearshift.catalog.catalog import Rows
from nearshift.catalog.entities import ProcedureEntry
from nearshift.commands import emptying, replaying
from nearshift.commands.allowing import may_truncate
from nearshift.commands.assigning import assign
from nearshift.commands.cursors import rows_cursor
from nearshift.commands.results import rows_result
from nearshift.errors import DuplicateObject, InvalidSql, NotSupported, UndefinedObject
from nearshift.house import ProcedureNote
from nearshift.plpgsql.compiled import CompiledProcedure, compile_procedure
from nearshift.plpgsql.interpret import call as interpret
from nearshift.plpgsql.nodes import Level
from nearshift.plpgsql.runner import Outcome, Scope, Step, Value
from nearshift.results import Notice, Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.lexer import TokenKind, tokens
from nearshift.sql.names import QualifiedName, fold
from nearshift.sql.overloads import best
from nearshift.sql.parse import parse_statement
from nearshift.sql.relations import Column, NameRules
from nearshift.types import INTEGERS, STRINGS, Kind, SqlType

if TYPE_CHECKING:
    from nearshift.session import Session


def create_procedure(session: Session, statement: st.CreateProcedure) -> Result:
    """Run CREATE [OR REPLACE] PROCEDURE: the body is read now, what it names is looked up when it runs."""
    schema, name = session.names.resolve(statement.name)
    place = session.names.creation_schema(schema)
    if statement.is_nonatomic and (statement.is_security_definer or statement.settings):
        raise InvalidSql("NONATOMIC excludes SECURITY DEFINER and SET", span=statement.name.span)
    compile_procedure(statement, session.settings.rules)
    signature = _signature(statement)
    existing = session.snapshot.procedures.get((place, name), ())
    before = next((p for p in existing if p.signature == signature), None)
    if before is not None and not statement.is_replace:
        raise DuplicateObject(
            f'procedure "{name}" already exists with same argument types', sqlstate="42723", span=statement.name.span,
            hint="Write CREATE OR REPLACE PROCEDURE.",
        )  # fmt: skip
    if any(one.function.signature == signature for one in session.snapshot.functions.get((place, name), ())):
        raise DuplicateObject(
            f'a function "{name}" exists with same argument types', sqlstate="42723", span=statement.name.span,
            hint="Give the procedure another name.",
        )  # fmt: skip
    connection = session.tx.connection
    oid = before.oid if before else catalog.next_oid(connection)
    owner = before.owner if before is not None else session.user
    entry = ProcedureEntry(oid, place, name, signature, owner, session.running.text)
    catalog.add_procedure(connection, entry, session.house.clock.now().replace(tzinfo=None))
    _note_uses(connection, oid, place, statement.body, session.settings.rules)
    session.tx.touch_catalog()
    return Result("CREATE PROCEDURE")


def _signature(statement: st.CreateProcedure) -> str:
    return ",".join(a.type.kind.value for a in statement.arguments if a.mode is not st.ArgumentMode.OUT)


_WRITES = {("INSERT", "INTO"), ("DELETE", "FROM"), ("MERGE", "INTO")}
_READS = {"FROM", "JOIN", "USING"}


def _note_uses(connection: Rows, oid: int, schema: str, body: str, rules: NameRules) -> None:
    """Note which relations a body reads and writes, by the words before their names, for the picture of the pipeline."""
    connection.execute("DELETE FROM nearshift.procedure_uses WHERE procedure_oid = $1", [oid])
    found = [t for t in tokens(body) if t.kind is not TokenKind.END]
    uses: set[tuple[str, str, bool]] = set()
    for i, token in enumerate(found[:-1]):
        word, before = token.key.upper(), found[i - 1].key.upper() if i else ""
        is_view = word == "VIEW" and before == "MATERIALIZED"
        is_write = (before, word) in _WRITES or word in {"UPDATE", "TRUNCATE"}
        if not (is_write or is_view or word in _READS) or found[i + 1].kind not in {TokenKind.WORD, TokenKind.QUOTED}:
            continue
        parts = [_folded(found[i + 1].text, rules)]
        if i + 3 < len(found) and found[i + 2].key == ".":
            parts.append(_folded(found[i + 3].text, rules))
        uses.add((parts[0] if len(parts) > 1 else schema, parts[-1], is_write))
    for place, name, is_written in sorted(uses):
        connection.execute("INSERT INTO nearshift.procedure_uses VALUES ($1, $2, $3, $4)", [oid, place, name, is_written])


def _folded(text: str, rules: NameRules) -> str:
    is_quoted = text.startswith('"')
    return fold(text[1:-1].replace('""', '"') if is_quoted else text, is_quoted, rules)


def change_routine(session: Session, statement: st.DropRoutine | st.AlterProcedure) -> Result:
    """Run DROP or ALTER PROCEDURE."""
    if isinstance(statement, st.AlterProcedure):
        return _alter(session, statement)
    for routine in statement.routines:
        entry = named(session, routine, is_optional=statement.if_exists)
        if entry is None:
            session.notice(Severity.INFO, f'Procedure "{routine.name}" does not exist and will be skipped')
            continue
        catalog.drop_procedure(session.tx.connection, entry)
        session.tx.connection.execute("DELETE FROM nearshift.procedure_uses WHERE procedure_oid = $1", [entry.oid])
        session.tx.touch_catalog()
    return Result("DROP PROCEDURE")


def _alter(session: Session, statement: st.AlterProcedure) -> Result:
    entry = named(session, statement.routine, is_optional=False)
    assert entry is not None, "a procedure that is not optional is found or raises"
    rules = session.settings.rules
    column, value = (
        ("name", statement.action.name) if isinstance(statement.action, st.RenameTo) else ("owner", statement.action.owner)
    )
    sql = {
        "name": "UPDATE nearshift.procedures SET name = $2 WHERE oid = $1",
        "owner": "UPDATE nearshift.procedures SET owner = $2 WHERE oid = $1",
    }
    session.tx.connection.execute(sql[column], [entry.oid, fold(value.text, value.is_quoted, rules)])
    session.tx.touch_catalog()
    return Result("ALTER PROCEDURE")


def named(session: Session, routine: st.Signature, *, is_optional: bool) -> ProcedureEntry | None:
    """Return the procedure of a signature. Raises UndefinedObject (42883) unless optional, InvalidSql (42725) when it is not unique."""
    found = _candidates(session, routine.name)
    if routine.argument_types is not None:
        wanted = ",".join(kind.kind.value for kind in routine.argument_types)
        found = [p for p in found if p.signature == wanted] or [
            p for p in found if _all_types(p) == wanted
        ]
    if len(found) > 1:
        raise InvalidSql(
            f'procedure name "{routine.name}" is not unique', sqlstate="42725", span=routine.name.span, hint="Give its argument types."
        )
    if not found and not is_optional:
        raise UndefinedObject(f'procedure "{routine.name}" does not exist', sqlstate="42883", span=routine.name.span)
    return found[0] if found else None


def definition_of(session: Session, routine: st.Signature) -> str:
    """Return the text that makes a procedure again, its header spelled one way ("SHOW PROCEDURE"). Raises as DROP PROCEDURE does."""
    entry = named(session, routine, is_optional=False)
    assert entry is not None, "a procedure that is not optional is found or raises"
    statement = parse_statement(entry.text)
    assert isinstance(statement, st.CreateProcedure), "a procedure's text creates it"
    rules = session.settings.rules
    arguments = []
    for argument in statement.arguments:
        words = [
            "" if argument.mode is st.ArgumentMode.IN else argument.mode.name,
            fold(argument.name.text, argument.name.is_quoted, rules) if argument.name else "",
            argument.type.kind.value,
        ]
        arguments.append(" ".join(word for word in words if word))
    tail = " NONATOMIC" if statement.is_nonatomic else ""
    tail += " SECURITY DEFINER" if statement.is_security_definer else ""
    tail += "".join(f" SET {setting.name} TO {setting.value}" for setting in statement.settings)
    head = f"CREATE OR REPLACE PROCEDURE {entry.schema}.{entry.name}({', '.join(arguments)}){tail}"
    return f"{head}\nLANGUAGE plpgsql\nAS $_${statement.body}$_$\n"


def arguments_of(entry: ProcedureEntry) -> tuple[st.Argument, ...]:
    """Return a procedure's arguments as it declares them."""
    statement = parse_statement(entry.text)
    assert isinstance(statement, st.CreateProcedure), "a procedure's text creates it"
    return statement.arguments


def _all_types(entry: ProcedureEntry) -> str:
    return ",".join(a.type.kind.value for a in arguments_of(entry))


def _candidates(session: Session, name: QualifiedName) -> list[ProcedureEntry]:
    schema, own = session.names.resolve(name)
    for place in (schema,) if schema else session.names.search_path():
        found = session.snapshot.procedures.get((place or "", own), ())
        if found:
            return list(found)
    return []


@lru_cache(maxsize=1000)
def compiled(text: str, rules: NameRules) -> CompiledProcedure:
    """Return a stored procedure ready to run; made once per text and name rules."""
    statement = parse_statement(text)
    assert isinstance(statement, st.CreateProcedure), "a procedure's text creates it"
    return compile_procedure(statement, rules)


@lru_cache(maxsize=1000)
def _header_of(text: str) -> tuple[tuple[st.Setting, ...], bool]:
    """Return a procedure's SET clauses, and whether it is SECURITY DEFINER."""
    statement = parse_statement(text)
    assert isinstance(statement, st.CreateProcedure), "a procedure's text creates it"
    return statement.settings, statement.is_security_definer


def resolve(session: Session, name: QualifiedName, types: tuple[SqlType, ...]) -> ProcedureEntry:
    """Return the procedure that a call with these argument types means. Raises UndefinedObject (42883), InvalidSql (42725)."""
    candidates = (
        (tuple(Kind(kind) for kind in entry.signature.split(",")) if entry.signature else (), entry) for entry in _candidates(session, name)
    )
    chosen = best(candidates, tuple(kind.kind for kind in types))
    if not chosen:
        shown = ", ".join(str(kind) for kind in types)
        raise UndefinedObject(
            f"procedure {name}({shown}) does not exist", sqlstate="42883", span=name.span,
            hint="No procedure matches the given name and argument types. You may need to add explicit type casts.",
        )  # fmt: skip
    if len(chosen) > 1:
        raise InvalidSql(f"procedure {name} is not unique", sqlstate="42725", span=name.span, hint="Cast the arguments.")
    return chosen[0]


def call(session: Session, statement: st.Call) -> Result:
    """Run CALL. Output arguments come back as one row."""
    runner = SessionRunner(session)
    own_values = _arguments(session, statement)
    if replaying.is_meant(session, statement.name):
        return replaying.replay(session, statement.name, own_values)
    entry = resolve(session, statement.name, tuple(value.type for value in own_values))
    with _applied(session, entry) as procedure:
        returned = interpret(procedure, own_values, runner, is_in_block=session.is_in_block)
    for cursor in returned.cursors:
        session.cursors[cursor.name] = rows_cursor(cursor.columns, cursor.rows)
    if not returned.columns:
        return Result("CALL")
    return rows_result("CALL", tuple(c.name for c in returned.columns), [returned.values], tuple(c.type for c in returned.columns))


def _output_columns(procedure: CompiledProcedure) -> tuple[Column, ...]:
    found = []
    for i, parameter in enumerate(p for p in procedure.parameters if p.mode is not st.ArgumentMode.IN):
        found.append(Column(parameter.name or f"column{i + 1}", parameter.type))
    return tuple(found)


def _arguments(session: Session, statement: st.Call) -> tuple[Value, ...]:
    is_own = not session.tx.is_open
    if not statement.arguments:
        return ()
    if is_own:
        session.tx.begin(takes_lane=False)
    try:
        found = []
        for argument in statement.arguments:
            with session.shifted(argument.span.start):
                if re.match(r"\s*\(?\s*select\b", argument.text, re.IGNORECASE):
                    raise NotSupported("subqueries are not allowed in the arguments of CALL", hint="Select into a variable first.")
                found.append(_evaluated(session, argument.text))
        return tuple(found)
    finally:
        if is_own:
            session.tx.rollback()


def _evaluated(session: Session, expression: str) -> Value:
    with session.shifted(-len("SELECT ")):
        lowered = session.lower(f"SELECT {expression}")
    row = session.tx.connection.rows(lowered.sql, session.values_for(lowered))
    return Value(lowered.columns[0].type, row[0][0])


def describe_call(
    session: Session, statement: st.Call, parameter_types: tuple[SqlType | None, ...]
) -> tuple[tuple[SqlType, ...], tuple[Column, ...] | None]:
    """Return the types of a CALL's client parameters and the columns of its output row."""
    types: list[SqlType] = []
    client: dict[int, SqlType] = {}
    for argument in statement.arguments:
        lowered = session.lower(f"SELECT {argument.text}")
        types.append(lowered.columns[0].type)
        client |= {int(p.name): p.type for p in lowered.parameters if p.source.value == "client"}
    columns: tuple[Column, ...] = replaying.COLUMNS
    if not replaying.is_meant(session, statement.name):
        entry = resolve(session, statement.name, tuple(types))
        columns = _output_columns(compiled(entry.text, session.settings.rules))
    count = max([len(parameter_types), *client])
    declared = [parameter_types[i] if i < len(parameter_types) else None for i in range(count)]
    found = tuple(declared[i] or client.get(i + 1, SqlType(Kind.VARCHAR)) for i in range(count))
    return found, (columns or None)


@contextlib.contextmanager
def _applied(session: Session, entry: ProcedureEntry) -> Iterator[CompiledProcedure]:
    """Give the compiled procedure while its SET clauses apply, and its owner is the current user if it is SECURITY DEFINER.

    Raises PermissionDenied (42501) when the current user may not call it.
    """
    refusal = decide_call(session.rights, entry)
    if refusal is not None:
        raise refusal
    before = {}
    settings, is_definer = _header_of(entry.text)
    for setting in settings:
        before[setting.name] = session.settings.get(setting.name)
        session.settings.set(setting.name, setting.value)
    try:
        with session.acting_as(entry.owner if is_definer else session.user):
            yield compiled(entry.text, session.settings.rules)
    finally:
        for name, value in before.items():
            session.settings.set(name, value)


_PLAIN = INTEGERS | STRINGS | {Kind.BOOLEAN, Kind.DECIMAL, Kind.DOUBLE}


@lru_cache(maxsize=2000)
def _parsed(text: str) -> st.Statement:
    """Return a statement of a body, which runs many times, read once."""
    return parse_statement(text)


# "SVL_STORED_PROC_MESSAGES": the numbers of the levels.
_SEVERITIES = {"LOG": 20, "INFO": 30, "NOTICE": 40, "WARNING": 50, "EXCEPTION": 60}


class SessionRunner:
    """What the session does for a running procedure: implements `plpgsql.runner.Runner`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, sql: str, scope: Scope) -> Outcome:
        """Run one statement with the variables in scope; its rows are read at once."""
        with self._scoped(scope):
            statement = _parsed(sql)
            if isinstance(statement, st.Query):
                return self._query(statement.text)
            if isinstance(statement, st.Truncate):
                entry = self._session.names.relation(statement.name)
                may_truncate(self._session, entry)
                emptying.empty(self._session, entry)
                return Outcome("TRUNCATE")
            result = self._session.dispatch(statement)
            if result.columns is None:
                return Outcome(result.command, row_count=result.row_count)
            rows = result.rows()
            return Outcome(result.command, result.columns, iter(rows), None if result.command == "SELECT" else len(rows))

    def _query(self, text: str) -> Outcome:
        """Run a query; what Python's own types hold exactly is fetched without Arrow, which would cost a small result its double."""
        session = self._session
        lowered = session.lower(text)
        if all(column.type.kind in _PLAIN for column in lowered.columns):
            rows = session.tx.connection.rows(lowered.sql, session.values_for(lowered))
        else:
            rows = Result("SELECT", lowered.columns, session.rows_of(lowered)).rows()
        return Outcome("SELECT", lowered.columns, iter(rows), None)

    def evaluate(self, expression: str, scope: Scope) -> Value:
        """Return the value and type of an expression."""
        with self._scoped(scope):
            return _evaluated(self._session, expression)

    def cast(self, value: Value, type: SqlType) -> object:
        """Return the value as an assignment to a variable of `type` leaves it."""
        return assign(self._session, value, type)

    def transact(self, step: Step) -> None:
        """Begin, commit or roll back."""
        session = self._session
        match step:
            case Step.BEGIN:
                session.begin_here()
            case Step.COMMIT:
                session.cursors.clear()
                session.tx.commit()
                session.settings.transaction_ended(is_committed=True)
            case Step.ROLLBACK:
                session.roll_back_here()

    def log(self, level: Level, message: str, line: int) -> None:
        """Keep a message for SYS_PROCEDURE_MESSAGES, if its level is wanted."""
        session = self._session
        wanted = session.settings.get("stored_proc_log_min_messages").upper()
        if _SEVERITIES[level.name] >= _SEVERITIES.get(wanted, 30):
            note = ProcedureNote(
                session.running.query_id, session.session_user, session.number, session.tx.number, session.house.clock.now(), level.name,
                message[:1024], line,
            )  # fmt: skip
            session.house.procedure_notes.append(note)

    def notice(self, level: Level, message: str) -> None:
        """Send a message to the client."""
        self._session.on_notice(Notice(Severity[level.name], message))

    @contextlib.contextmanager
    def procedure(self, name: QualifiedName, arguments: tuple[Value, ...]) -> Iterator[CompiledProcedure]:
        """Find the procedure that a nested CALL means."""
        replaying.refuse_nested(self._session, name)
        entry = resolve(self._session, name, tuple(argument.type for argument in arguments))
        with _applied(self._session, entry) as found:
            yield found

    def check(self) -> None:
        """Raise Cancelled when the statement was cancelled."""
        self._session.check_cancelled()

    @contextlib.contextmanager
    def _scoped(self, scope: Scope) -> Iterator[None]:
        running = self._session.running
        before = running.variables, running.values, running.parameter_types
        running.variables = {name: (value.type, value.value) for name, value in scope.variables.items()}
        running.values = tuple(value.value for value in scope.arguments)
        running.parameter_types = tuple(value.type for value in scope.arguments)
        running.started_at = self._session.house.clock.now()
        try:
            yield
        finally:
            running.variables, running.values, running.parameter_types = before
