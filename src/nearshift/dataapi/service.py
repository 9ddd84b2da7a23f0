"""The operations: a request's body in, the answer's members out.

Source pages: "Actions" of the Amazon Redshift Data API reference and "Using the Amazon Redshift Data API" of the management guide. Other
than at AWS, statements and results are gone when the server stops, and a secret's name stands for the administrator.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from nearshift import limits
from nearshift.clock import Clock
from nearshift.dataapi import asked as a
from nearshift.dataapi.failures import ApiFailure, invalid, missing
from nearshift.dataapi.gate import Gate
from nearshift.dataapi.listings import LISTINGS, read_page
from nearshift.dataapi.parameters import Numbered, check_parameters, number_parameters
from nearshift.dataapi.results import ResultShelf, StoredResult, describe_columns
from nearshift.dataapi.runner import Runner, error_text
from nearshift.dataapi.sessions import KeptSession, KeptSessions
from nearshift.dataapi.statements import Part, Register, Submitted
from nearshift.errors import InvalidSql, NearshiftError
from nearshift.sql.split import split_script

_SWEEP_SECONDS = 5.0


class DataApi:
    """The service over one warehouse. `answer` may be called from many threads; `close` once."""

    def __init__(self, gate: Gate, clock: Clock) -> None:
        self.gate = gate
        self.clock = clock
        self._shelf = ResultShelf()
        self._register = Register(clock, self._shelf)
        self._sessions = KeptSessions(clock)
        self._runner = Runner(gate, self._register, self._sessions, clock)
        self._waiting = threading.Semaphore(limits.DATA_API_WAITING_MAX)
        self._end = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep, name="data-api-sessions", daemon=True)
        self._sweeper.start()
        self._operations: dict[str, Callable[[bytes], dict[str, Any]]] = {
            "ExecuteStatement": self._execute, "BatchExecuteStatement": self._execute_batch, "DescribeStatement": self._describe,
            "GetStatementResult": self._result, "GetStatementResultV2": self._result_v2, "ListStatements": self._list,
            "CancelStatement": self._cancel,
        }  # fmt: skip

    def answer(self, operation: str, body: bytes) -> dict[str, Any]:
        """Return the members of the answer. Raises ApiFailure."""
        if operation in LISTINGS:
            return self._catalog(operation, a.read(body, a.Listing))
        try:
            carry_out = self._operations[operation]
        except KeyError:
            raise ApiFailure("UnknownOperationException", f"The operation {operation} is not known here.", status=404) from None
        return carry_out(body)

    def close(self) -> None:
        """Interrupt what runs, end kept sessions, forget results."""
        self._end.set()
        self._runner.close()
        self._sessions.close()
        self._shelf.close()
        self._sweeper.join()

    def _sweep(self) -> None:
        while not self._end.wait(_SWEEP_SECONDS):  # the pace is the machine's, what is over is the clock's to say
            self._sessions.close_idle()

    # --- running

    def _execute(self, body: bytes) -> dict[str, Any]:
        asked = a.read(body, a.ExecuteStatement)
        if len(_pieces(asked.sql)) > 1:
            raise invalid("Multiple SQL statements are not supported by ExecuteStatement; use BatchExecuteStatement.")
        return self._submit(asked, (asked.sql,), is_batch=False, is_transaction=False)

    def _execute_batch(self, body: bytes) -> dict[str, Any]:
        asked = a.read(body, a.BatchExecuteStatement)
        return self._submit(asked, asked.sqls, is_batch=True, is_transaction=asked.execution_mode == "TRANSACTION")

    def _submit(self, asked: a.Execution, sqls: tuple[str, ...], *, is_batch: bool, is_transaction: bool) -> dict[str, Any]:
        _check_texts(sqls)
        given = frozenset(parameter.name for parameter in asked.parameters or ())
        numbered = [number_parameters(sql, given) for sql in sqls]
        check_parameters(asked.parameters or (), numbered)
        statement = self._known(asked)
        if statement is None:
            made = self._make(asked, sqls, numbered, is_batch=is_batch, is_transaction=is_transaction)
            statement = self._admit(made)
            if statement is made:
                self._runner.submit(made)
        self._wait(statement, asked.wait_time_seconds)
        answer: dict[str, Any] = {
            "Id": statement.id, "CreatedAt": _seconds(statement.created_at), "Database": statement.database, "DbUser": statement.user,
            "DbGroups": [], **_place(asked),
        }  # fmt: skip
        if statement.kept is not None:
            answer["SessionId"] = statement.kept.id
        if asked.wait_time_seconds is not None:
            answer |= {"Status": statement.status, "HasResultSet": statement.has_result, "RedshiftPid": statement.pid}
        return answer

    def _known(self, asked: a.Execution) -> Submitted | None:
        if asked.client_token is None:
            return None
        return self._register.known(asked.client_token, _fingerprint(asked))

    def _make(
        self, asked: a.Execution, sqls: tuple[str, ...], numbered: list[Numbered], *, is_batch: bool, is_transaction: bool
    ) -> Submitted:
        kept = self._session_for(asked)
        now = self.clock.now()
        return Submitted(
            str(uuid.uuid4()), asked, kept.user if kept else self._user(asked), kept.database if kept else _database(asked), now, now,
            self.clock.monotonic(), tuple(Part(sql, one, now, now) for sql, one in zip(sqls, numbered, strict=True)),
            is_batch, is_transaction, kept,
        )  # fmt: skip

    def _admit(self, made: Submitted) -> Submitted:
        admitted: Submitted | None = None
        try:
            admitted = self._register.admit(made, made.asked.client_token, _fingerprint(made.asked))
        finally:
            if made.kept is not None and admitted is not made:
                self._sessions.release(made.kept)
        return admitted

    def _session_for(self, asked: a.Execution) -> KeptSession | None:
        if asked.session_id is not None:
            if asked.database is not None or asked.db_user is not None or asked.cluster_identifier or asked.workgroup_name:
                raise invalid("A request with SessionId cannot name a database, user, cluster or workgroup: they are the session's.")
            return self._sessions.claim(asked.session_id, asked.session_keep_alive_seconds)
        user, database = self._user(asked), _database(asked)
        if asked.cluster_identifier is not None and asked.workgroup_name is not None:
            raise invalid("Only one of ClusterIdentifier and WorkgroupName can be given.")
        if asked.session_keep_alive_seconds:
            try:
                session = self.gate.open_session(user, database)
            except NearshiftError as error:
                raise invalid(error_text(error)) from error
            return self._sessions.open(session, user, database, asked.session_keep_alive_seconds)
        return None

    def _user(self, asked: a.Place) -> str:
        if asked.db_user is not None and asked.secret_arn is not None:
            raise invalid("Only one of DbUser and SecretArn can be given.")
        return asked.db_user or self.gate.administrator

    # --- asking after it

    def _describe(self, body: bytes) -> dict[str, Any]:
        asked = a.read(body, a.OneStatement)
        statement, part = self._register.find(asked.id)
        self._wait(statement, asked.wait_time_seconds)
        return _description(statement, part, asked.id)

    def _result(self, body: bytes) -> dict[str, Any]:
        return self._page(body, "JSON")

    def _result_v2(self, body: bytes) -> dict[str, Any]:
        return self._page(body, "CSV")

    def _page(self, body: bytes, form: str) -> dict[str, Any]:
        asked = a.read(body, a.OneStatement)
        statement, part = self._register.find(asked.id)
        self._wait(statement, asked.wait_time_seconds)
        if part is None and statement.is_batch:
            raise invalid(f"Query {asked.id} is a batch; ask for the result of one of its statements, such as {asked.id}:1.")
        result = self._finished_result(statement, part or statement.parts[0], asked.id)
        if statement.asked.result_format != form:
            operation = "GetStatementResult" if statement.asked.result_format == "JSON" else "GetStatementResultV2"
            raise invalid(f"The result of query {asked.id} is in the format {statement.asked.result_format}; use {operation}.")
        numbers, token = read_page(range(result.page_count), asked.next_token, 1)
        if not numbers:
            raise invalid("NextToken is not valid.")
        page = result.page(numbers[0])
        records: Any = [{"CSVRecords": page.decode()}] if form == "CSV" else msgspec.Raw(page)
        answer = {"Records": records, "ColumnMetadata": describe_columns(result.columns), "TotalNumRows": result.rows}
        if form == "CSV":
            answer["ResultFormat"] = "CSV"
        return answer if token is None else {**answer, "NextToken": token}

    def _finished_result(self, statement: Submitted, part: Part, identifier: str) -> StoredResult:
        if not statement.is_done:
            raise missing("Query result, since the query is in the state " + statement.status + ",", identifier)
        if part.result is None or (statement.status != "FINISHED" and statement.is_transaction):
            raise missing("Query does not have result. Please check query status with DescribeStatement. It", identifier)
        return part.result

    def _list(self, body: bytes) -> dict[str, Any]:
        asked = a.read(body, a.ListStatements)
        found = [one for one in self._register.all() if _is_asked_for(one, asked)]
        page, token = read_page(found, asked.next_token, asked.max_results or 100)
        answer: dict[str, Any] = {"Statements": [_line(one) for one in page]}
        return answer if token is None else {**answer, "NextToken": token}

    def _cancel(self, body: bytes) -> dict[str, Any]:
        asked = a.read(body, a.OneStatement)
        statement, _part = self._register.find(asked.id)
        if statement.is_done:
            raise invalid(f"Could not cancel a query that is already in {statement.status} state with ID: {asked.id}")
        return {"Status": self._runner.cancel(statement)}

    def _catalog(self, operation: str, asked: a.Listing) -> dict[str, Any]:
        if asked.database is None and operation != "ListDatabases":
            raise invalid("Database is required.")
        try:
            session = self.gate.open_session(self._user(asked), asked.connected_database or asked.database or "dev")
        except NearshiftError as error:
            raise invalid(error_text(error)) from error
        try:
            return LISTINGS[operation](session, asked)
        except NearshiftError as error:
            raise ApiFailure("DatabaseConnectionException", error_text(error)) from error
        finally:
            session.close()

    def _wait(self, statement: Submitted, seconds: int | None) -> None:
        if seconds is None or statement.is_done:
            return
        if not self._waiting.acquire(blocking=False):
            raise ApiFailure("ActiveWaitingRequestsExceededException", "The number of waiting requests exceeds the limit.")
        try:
            self._register.wait(statement, seconds)
        finally:
            self._waiting.release()


def _pieces(sql: str) -> list[Any]:
    try:
        return list(split_script(sql))
    except InvalidSql:
        return []  # running it says what is wrong with it


def _check_texts(sqls: tuple[str, ...]) -> None:
    for sql in sqls:
        if not sql.strip():
            raise invalid("The SQL statement is empty.")
        if len(sql.encode()) > limits.DATA_API_SQL_BYTES_MAX:
            raise invalid(f"The SQL statement is longer than {limits.DATA_API_SQL_BYTES_MAX // limits.KIB} KB.")


def _database(asked: a.Place) -> str:
    if asked.database is None:
        raise invalid("Database is required when no SessionId is given.")
    return asked.database


def _fingerprint(asked: a.Execution) -> bytes:
    return hashlib.sha256(type(asked).__name__.encode() + msgspec.json.encode(asked)).digest()


def _seconds(moment: datetime) -> float:
    return round(moment.timestamp(), 3)


def _place(asked: a.Place) -> dict[str, str]:
    members = {"ClusterIdentifier": asked.cluster_identifier, "WorkgroupName": asked.workgroup_name, "SecretArn": asked.secret_arn}
    return {name: value for name, value in members.items() if value is not None}


def _is_asked_for(one: Submitted, asked: a.ListStatements) -> bool:
    return (
        asked.status in {"ALL", one.status}
        and (one.asked.statement_name or "").startswith(asked.statement_name or "")
        and asked.database in {None, one.database}
        and asked.cluster_identifier in {None, one.asked.cluster_identifier}
        and asked.workgroup_name in {None, one.asked.workgroup_name}
    )


def _line(one: Submitted) -> dict[str, Any]:
    texts = [part.text for part in one.parts]
    line: dict[str, Any] = {
        "Id": one.id, "Status": one.status, "CreatedAt": _seconds(one.created_at), "UpdatedAt": _seconds(one.updated_at),
        "IsBatchStatement": one.is_batch, "ResultFormat": one.asked.result_format,
    }  # fmt: skip
    line |= {"QueryStrings": texts} if one.is_batch else {"QueryString": texts[0]}
    if one.asked.statement_name is not None:
        line["StatementName"] = one.asked.statement_name
    if one.parameters:
        line["QueryParameters"] = msgspec.to_builtins(one.parameters)
    if one.kept is not None:
        line["SessionId"] = one.kept.id
    return line


def _description(one: Submitted, part: Part | None, identifier: str) -> dict[str, Any]:
    last = part or one.parts[-1]
    parts = (part,) if part is not None else one.parts
    answer: dict[str, Any] = {
        "Id": identifier, "DbUser": one.user, "Database": one.database, "Status": part.status if part is not None else one.status,
        "CreatedAt": _seconds(one.created_at), "UpdatedAt": _seconds(one.updated_at), "RedshiftPid": one.pid,
        "RedshiftQueryId": last.query_id, "Duration": sum(max(found.duration_ns, 0) for found in parts) if one.is_done else -1,
        "HasResultSet": any(found.result is not None for found in parts), "ResultFormat": one.asked.result_format,
        "ResultRows": last.rows, "ResultSize": last.result.size if last.result is not None else 0 if one.is_done else -1,
        **_place(one.asked),
    }  # fmt: skip
    error = part.error if part is not None else one.error
    if error is not None:
        answer["Error"] = error
    if one.parameters:
        answer["QueryParameters"] = msgspec.to_builtins(one.parameters)
    if one.kept is not None:
        answer["SessionId"] = one.kept.id
    if one.is_batch and part is None:
        answer["ExecutionMode"] = "TRANSACTION" if one.is_transaction else "AUTO_COMMIT"
        answer["SubStatements"] = [_part_line(one, number, found) for number, found in enumerate(one.parts, start=1)]
    else:
        answer["QueryString"] = last.text
    return answer


def _part_line(one: Submitted, number: int, part: Part) -> dict[str, Any]:
    line = {
        "Id": f"{one.id}:{number}", "QueryString": part.text, "Status": part.status, "Duration": part.duration_ns,
        "CreatedAt": _seconds(part.created_at), "UpdatedAt": _seconds(part.updated_at), "HasResultSet": part.result is not None,
        "RedshiftQueryId": part.query_id, "ResultRows": part.rows, "ResultSize": part.result.size if part.result is not None else -1,
    }  # fmt: skip
    return line if part.error is None else {**line, "Error": part.error}
