"""TransactWriteItems and TransactGetItems ("Amazon DynamoDB Transactions: How it works", Developer Guide).

All steps are judged before any is applied. A token makes a repeated request do nothing for ten minutes; what it has answered is kept in the
same transaction as the items, so that a retry after a crash does nothing either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from nearshift.localaws.clock import Clock
from nearshift.localaws.dynamodb_capacity import consumed_raw, read_units, write_units
from nearshift.localaws.dynamodb_errors import invalid
from nearshift.localaws.dynamodb_items import selection, shaped
from nearshift.localaws.dynamodb_requests import (
    ConditionCheck,
    DeleteItem,
    PutItem,
    TransactGetItems,
    TransactWriteItem,
    TransactWriteItems,
    UpdateItem,
    check_capacity,
    one_of,
    refuse_legacy,
    required,
)
from nearshift.localaws.dynamodb_rows import Key, find_row
from nearshift.localaws.dynamodb_tables import Table, Tables
from nearshift.localaws.dynamodb_writes import Change, Writes
from nearshift.localaws.errors import AwsError
from nearshift.localaws.items_keys import key_of_request
from nearshift.localaws.service import Request
from nearshift.localaws.store import Store

STEPS_MAX = 100
TRANSACTION_BYTES_MAX = 4 * 1024 * 1024
TOKEN_US_MAX = 10 * 60 * 1_000_000
TOKEN_LENGTH_MAX = 36

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS ddb_token (account TEXT NOT NULL, region TEXT NOT NULL, token TEXT NOT NULL, digest BLOB NOT NULL, "
    "answer BLOB NOT NULL, at_us INTEGER NOT NULL, PRIMARY KEY (account, region, token)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS ddb_token_at ON ddb_token (at_us)",
)
_Write = PutItem | UpdateItem | DeleteItem | ConditionCheck


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one step cancels its transaction; code None for a step that would have been fine."""

    code: str | None
    message: str | None = None
    item: object = None

    def member(self) -> dict[str, Any]:
        """Return the element of CancellationReasons."""
        found: dict[str, Any] = {"Code": self.code or "None"}
        if self.message is not None:
            found["Message"] = self.message
        if self.item is not None:
            found["Item"] = self.item
        return found


class Transactions:
    """The two transactional operations."""

    def __init__(self, store: Store, tables: Tables, writes: Writes, clock: Clock) -> None:
        self._connection = store.connection
        self._tables = tables
        self._writes = writes
        self._clock = clock
        store.define(*SCHEMA)

    def write(self, request: Request, parameters: TransactWriteItems) -> bytes:
        """Answer TransactWriteItems.

        Raises TransactionCanceledException with a reason for each step, IdempotentParameterMismatchException, ValidationException.
        """
        check_capacity(parameters.return_consumed_capacity)
        steps = [_step(item) for item in _checked(parameters.transact_items)]
        token = parameters.client_request_token
        digest = b""
        if token is not None:
            if not 1 <= len(token) <= TOKEN_LENGTH_MAX:
                bound = "greater than or equal to 1" if not token else f"less than or equal to {TOKEN_LENGTH_MAX}"
                constraint = f"failed to satisfy constraint: Member must have length {bound}"
                raise invalid(f"1 validation error detected: Value '{token}' at 'clientRequestToken' {constraint}")
            digest = blake2b(msgspec.json.encode(parameters.transact_items), digest_size=16).digest()
            known = self._known(request, token, digest)
            if known is not None:
                return known
        changes = self._prepare(request, steps)
        for step, change in zip(steps, changes, strict=True):
            if not isinstance(step, ConditionCheck):
                self._writes.apply(change)
        self._writes.finish({change.table.id: change.table for change in changes}.values())
        answer = msgspec.json.encode(_write_answer(parameters.return_consumed_capacity, changes))
        if token is not None:
            row = (request.account, request.region, token, digest, answer, self._clock.now_us())
            self._connection.execute("INSERT OR REPLACE INTO ddb_token VALUES (?, ?, ?, ?, ?, ?)", row)
        return answer

    def get(self, request: Request, parameters: TransactGetItems) -> dict[str, Any]:
        """Answer TransactGetItems. Raises ValidationException, ResourceNotFoundException."""
        check_capacity(parameters.return_consumed_capacity)
        responses: list[dict[str, Any]] = []
        units: dict[int, tuple[Table, float]] = {}
        seen: set[tuple[int, Key]] = set()
        for item in _checked(parameters.transact_items):
            get = item.get
            if get is None:
                raise invalid("TransactItems can only contain Get")
            refuse_legacy(get)
            required(get.key, "transactItems.get.key")
            assert get.key is not None
            wanted = selection(get.projection_expression, get.expression_attribute_names)
            table = self._tables.holding(request, get.table_name)
            key = key_of_request(table, get.key)
            if (table.id, key) in seen:
                raise invalid("Transaction request cannot include multiple operations on one item")
            seen.add((table.id, key))
            row = find_row(self._connection, table, key)
            responses.append({"Item": shaped(row.text, wanted)} if row is not None else {})
            before = units.get(table.id, (table, 0.0))[1]
            units[table.id] = (table, before + read_units(row.size if row else 0, is_transactional=True))
        answer: dict[str, Any] = {"Responses": responses}
        if parameters.return_consumed_capacity in ("TOTAL", "INDEXES"):
            wanted_capacity = parameters.return_consumed_capacity
            answer["ConsumedCapacity"] = [consumed_raw(wanted_capacity, *pair) for pair in units.values()]
        return answer

    def forget_tokens(self) -> None:
        """Drop the tokens whose ten minutes are over."""
        self._connection.execute("DELETE FROM ddb_token WHERE at_us < ?", (self._clock.now_us() - TOKEN_US_MAX,))

    def _known(self, request: Request, token: str, digest: bytes) -> bytes | None:
        query = "SELECT digest, answer FROM ddb_token WHERE account = ? AND region = ? AND token = ? AND at_us >= ?"
        oldest = self._clock.now_us() - TOKEN_US_MAX
        row = self._connection.execute(query, (request.account, request.region, token, oldest)).fetchone()
        if row is None:
            return None
        if row[0] != digest:
            message = "Request with the same client token but different parameters was received within the last 10 minutes"
            raise AwsError("IdempotentParameterMismatchException", message)
        answer: bytes = row[1]
        return answer

    def _prepare(self, request: Request, steps: list[_Write]) -> list[Change]:
        """Judge all steps; raises what cancels the transaction."""
        tables = [self._tables.holding(request, step.table_name) for step in steps]
        changes: list[Change] = []
        reasons: list[Reason] = []
        seen: set[tuple[int, Key]] = set()
        for table, step in zip(tables, steps, strict=True):
            try:
                change = self._change(table, step)
            except AwsError as error:
                reasons.append(_reason(error))
                continue
            if (table.id, change.key) in seen:
                raise invalid("Transaction request cannot include multiple operations on one item")
            seen.add((table.id, change.key))
            changes.append(change)
            reasons.append(Reason(None))
        if len(changes) < len(steps):
            raise _cancelled(reasons)
        if sum(change.size for change in changes) > TRANSACTION_BYTES_MAX:
            raise invalid("Transaction request size exceeded the limit of 4 MB")
        return changes

    def _change(self, table: Table, step: _Write) -> Change:
        refuse_legacy(step)
        one_of(step.return_values_on_condition_check_failure, "returnValuesOnConditionCheckFailure", ("ALL_OLD", "NONE"))
        if isinstance(step, PutItem):
            return self._writes.put(table, step)
        if isinstance(step, UpdateItem):
            required(step.update_expression, "transactItems.update.updateExpression")
            return self._writes.update(table, step)
        if isinstance(step, DeleteItem):
            return self._writes.delete(table, step)
        return self._writes.check(table, step)


def _checked(items: list[Any] | None) -> list[Any]:
    required(items or None, "transactItems")
    assert items is not None
    if len(items) > STEPS_MAX:
        constraint = f"Member must have length less than or equal to {STEPS_MAX}"
        raise invalid(f"1 validation error detected: Value '[...]' at 'transactItems' failed to satisfy constraint: {constraint}")
    return items


def _step(item: TransactWriteItem) -> _Write:
    given = [step for step in (item.put, item.update, item.delete, item.condition_check) if step is not None]
    if len(given) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    return given[0]


_CODES: Mapping[str, str] = {"ConditionalCheckFailedException": "ConditionalCheckFailed", "ValidationException": "ValidationError"}


def _reason(error: AwsError) -> Reason:
    """Return the reason that a refused step gives; what is wrong with the request as a whole is raised again."""
    code = _CODES.get(error.code)
    if code is None or error.message.startswith(("1 validation error", "Expression", "The legacy parameter", "Invalid ", "Value provided")):
        raise error
    return Reason(code, error.message, error.members.get("Item"))


def _cancelled(reasons: list[Reason]) -> AwsError:
    codes = ", ".join(reason.code or "None" for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    members = {"CancellationReasons": [reason.member() for reason in reasons]}
    return AwsError("TransactionCanceledException", message, members=members)


def _write_answer(wanted: str | None, changes: list[Change]) -> dict[str, Any]:
    if wanted not in ("TOTAL", "INDEXES"):
        return {}
    units: dict[int, tuple[Table, float]] = {}
    for change in changes:
        before = units.get(change.table.id, (change.table, 0.0))[1]
        units[change.table.id] = (change.table, before + write_units(change.largest, is_transactional=True))
    return {"ConsumedCapacity": [consumed_raw(wanted, *pair) for pair in units.values()]}
