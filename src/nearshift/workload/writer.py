"""Changes written to a DynamoDB table at a given rate, by a few threads that share no item."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nearshift.clock import Clock, SystemClock
from nearshift.workload.changes import Change, Delete, Put, Together, Update, key_of, singles

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CLOCK = SystemClock()
# One request per change up to this rate and lane; above it, what is due goes out in batches, as bulk writers do.
SINGLE_RATE_MAX = 120
_TICK_SECONDS = 0.02
# BatchWriteItem takes 25 requests ("BatchWriteItem"); transactions are kept as small.
_BATCH_MAX = 25


class Progress:
    """How many changes the table has acknowledged, over all lanes."""

    def __init__(self) -> None:
        self.written = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Count acknowledged changes."""
        with self._lock:
            self.written += count


class Writer:
    """Writes one lane of changes to a table. One thread at a time."""

    def __init__(self, client: DynamoDBClient, table: str, changes: Iterator[Change], progress: Progress, clock: Clock = _CLOCK) -> None:
        self._client = client
        self._table = table
        self._changes = changes
        self._progress = progress
        self._clock = clock

    def run(self, rate: float, stop: threading.Event) -> None:
        """Write `rate` changes per second until `stop` is set; a writer that fell behind does not hurry to make up for more than a second.

        Errors of the API are raised after boto3's own retries; what was written before them has been counted.
        """
        is_single = rate <= SINGLE_RATE_MAX
        start = self._clock.monotonic()
        done = 0.0
        while not stop.is_set():
            behind = (self._clock.monotonic() - start) * rate - done
            if behind > rate:
                done += behind - rate
                behind = rate
            due = int(behind)
            if due < 1:
                self._clock.wait(stop, max(_TICK_SECONDS if not is_single else 0.0, (1 - behind) / rate))
                continue
            done += self.write(1 if is_single else min(due, 4 * _BATCH_MAX))

    def write(self, count: int) -> int:
        """Write about `count` changes (a transaction is not split) and return how many were acknowledged."""
        taken: list[Change] = []
        size = 0
        while size < count:
            taken.append(next(self._changes))
            size += len(singles(taken[-1]))
        if count == 1:
            self._send(taken[0])
        else:
            self._send_in_batches(taken)
        return size

    def _send(self, change: Change) -> None:
        table = self._table
        match change:
            case Put():
                self._client.put_item(TableName=table, Item=change.item)
            case Update():
                self._client.update_item(**_update(table, change))
            case Delete():
                self._client.delete_item(TableName=table, Key=_key(change))
            case Together():
                self._client.transact_write_items(TransactItems=[_action(table, one) for one in change.changes])
        self._progress.add(len(singles(change)))

    def _send_in_batches(self, changes: Sequence[Change]) -> None:
        """Send changes in order wherever an item comes twice; puts and deletes in batches, updates in transactions."""
        batch: dict[Any, Put | Update | Delete] = {}
        for change in changes:
            for single in singles(change):
                if key_of(single) in batch or len(batch) == _BATCH_MAX:
                    self._flush(batch)
                batch[key_of(single)] = single
        self._flush(batch)

    def _flush(self, batch: dict[Any, Put | Update | Delete]) -> None:
        requests: list[Any] = []
        updates: list[Any] = []
        for change in batch.values():
            match change:
                case Put():
                    requests.append({"PutRequest": {"Item": change.item}})
                case Delete():
                    requests.append({"DeleteRequest": {"Key": _key(change)}})
                case Update():
                    updates.append(_action(self._table, change))
        pending: Any = {self._table: requests} if requests else {}
        while pending:
            pending = self._client.batch_write_item(RequestItems=pending).get("UnprocessedItems", {})
        if updates:
            self._client.transact_write_items(TransactItems=updates)
        self._progress.add(len(batch))
        batch.clear()


def _key(change: Update | Delete) -> dict[str, Any]:
    return {"pk": {"S": change.key[0]}, "sk": {"S": change.key[1]}}


def _update(table: str, change: Update) -> dict[str, Any]:
    names = {f"#n{index}": name for index, name in enumerate([*change.values, *change.removed])}
    values = {f":v{index}": value for index, value in enumerate(change.values.values())}
    sets = ", ".join(f"#n{index} = :v{index}" for index in range(len(values)))
    removes = ", ".join(f"#n{index}" for index in range(len(values), len(names)))
    expression = " ".join(part for part in (f"SET {sets}" if sets else "", f"REMOVE {removes}" if removes else "") if part)
    found = {"TableName": table, "Key": _key(change), "UpdateExpression": expression, "ExpressionAttributeNames": names}
    return {**found, "ExpressionAttributeValues": values} if values else found


def _action(table: str, change: Put | Update | Delete) -> Any:
    match change:
        case Put():
            return {"Put": {"TableName": table, "Item": change.item}}
        case Update():
            return {"Update": _update(table, change)}
        case Delete():
            return {"Delete": {"TableName": table, "Key": _key(change)}}
