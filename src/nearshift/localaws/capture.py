"""Changes of items → records in Kinesis, in the transaction that changes the item.

The record is the one DynamoDB writes to a Kinesis streaming destination ("Using Kinesis Data Streams to capture changes to DynamoDB",
Developer Guide): one JSON object with keys and both images, no view type. Images are the stored texts of the items, spliced in unread; only
binary values make a copy necessary, since the service encodes them in base64 twice.

Creation times strictly increase within a table, by a microsecond if the clock does not: so the order of an item's changes can be read from
MICROSECOND records alone. In MILLISECOND records ties are as real as they are on AWS.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable
from hashlib import blake2b
from random import Random
from typing import Any, Protocol

from nearshift.localaws.clock import Clock
from nearshift.localaws.dynamodb_rows import Key
from nearshift.localaws.dynamodb_tables import Table
from nearshift.localaws.errors import AwsError
from nearshift.localaws.items import Item, decode_item, encode_item, has_binary, key_size

# "Time to Live and DynamoDB Streams": who deletes an expired item.
SERVICE_IDENTITY = b'{"type":"Service","principalId":"dynamodb.amazonaws.com"}'
NO_IDENTITY = b"null"


_EVENT_ID = b'"eventID":"'
_EVENT_ID_LENGTH = 36


def with_new_event_id(payload: bytes, random: Random) -> bytes:
    """Return a change record under another eventID, as a second writing of the same change may have it; other payloads stay as they are."""
    start = payload.find(_EVENT_ID) + len(_EVENT_ID)
    if start < len(_EVENT_ID):
        return payload
    return payload[:start] + _as_event_id(f"{random.getrandbits(128):032x}") + payload[start + _EVENT_ID_LENGTH :]


class Streams(Protocol):
    """What capture needs of Kinesis."""

    def capture_many(self, stream_arn: str, records: Iterable[tuple[str, bytes]]) -> int:
        """Put change records, each a partition key and a payload, into a stream within the present transaction.

        Returns how many were dropped for their size.
        """
        ...


class Capture:
    """Makes the change records of all tables. What is recorded goes to the streams when the operation is at its end, by `flush`."""

    def __init__(self, streams: Streams, clock: Clock) -> None:
        self._streams = streams
        self._clock = clock
        self._pending: dict[tuple[int, str], list[tuple[str, bytes]]] = {}

    def forget(self) -> None:
        """Drop what is recorded but not yet in a stream: its transaction was undone."""
        self._pending.clear()

    def record(
        self, table: Table, key: Key, keys: Item, old: tuple[bytes, int] | None, new: tuple[bytes, int] | None, identity: bytes
    ) -> None:
        """Make the record of one change for each active destination of a table.

        `old` and `new` are canonical text and size; at least one is there. `identity` is JSON.
        """
        moment_us = max(self._clock.now_us(), table.last_change_us + 1)
        table.last_change_us = moment_us
        table.is_dirty = True
        partition_key = _partition_key(table, key)
        middle = _images(keys, old, new)
        name = b"INSERT" if old is None else b"REMOVE" if new is None else b"MODIFY"
        for destination in table.destinations:
            is_micro = destination.precision == "MICROSECOND"
            payload = b"".join(
                (
                    b'{"awsRegion":"', table.region.encode(), b'","eventID":"', _event_id(), b'","eventName":"', name,
                    b'","userIdentity":', identity, b',"recordFormat":"application/json","tableName":"', table.name.encode(),
                    b'","dynamodb":{"ApproximateCreationDateTime":', b"%d" % (moment_us if is_micro else moment_us // 1000),
                    b',"ApproximateCreationDateTimePrecision":"MICROSECOND"' if is_micro else b"",
                    middle, b'},"eventSource":"aws:dynamodb"}',
                )
            )  # fmt: skip
            self._pending.setdefault((table.id, destination.stream_arn), []).append((partition_key, payload))

    def flush(self, table: Table) -> None:
        """Put what was recorded of a table into its streams, in its order, still in the transaction of the items.

        A record that is larger than its stream allows is dropped and counted, as AWS drops and counts it
        (FailedToReplicateRecordCount); so are the records for a stream that was deleted, and the writes to the table go on.
        """
        for destination in table.destinations if self._pending else ():
            records = self._pending.pop((table.id, destination.stream_arn), None)
            if records is None:
                continue
            try:
                dropped = self._streams.capture_many(destination.stream_arn, records)
            except AwsError as error:
                if error.code != "ResourceNotFoundException":
                    raise
                dropped = len(records)
            table.dropped_count += dropped


def _images(keys: Item, old: tuple[bytes, int] | None, new: tuple[bytes, int] | None) -> bytes:
    parts = [b',"Keys":', _image(encode_item(keys))]
    size = key_size(keys)
    if new is not None:
        parts += (b',"NewImage":', _image(new[0]))
        size += new[1]
    if old is not None:
        parts += (b',"OldImage":', _image(old[0]))
        size += old[1]
    parts.append(b',"SizeBytes":%d' % size)
    return b"".join(parts)


def _image(text: bytes) -> bytes:
    if not has_binary(text):
        return text
    item = decode_item(text)
    for value in item.values():
        _encode_twice(value)
    return encode_item(item)


def _encode_twice(value: dict[str, Any]) -> None:
    ((tag, content),) = value.items()
    if tag == "B":
        value["B"] = b64encode(content.encode()).decode()
    elif tag == "BS":
        value["BS"] = [b64encode(element.encode()).decode() for element in content]
    elif tag == "M":
        for member in content.values():
            _encode_twice(member)
    elif tag == "L":
        for element in content:
            _encode_twice(element)


def _partition_key(table: Table, key: Key) -> str:
    """Return 32 upper-case hexadecimal digits that all changes of one item share."""
    return blake2b(table.definition.table_id.encode() + key.as_bytes(), digest_size=16).hexdigest().upper()


def _event_id() -> bytes:
    return _as_event_id(os.urandom(16).hex())


def _as_event_id(digits: str) -> bytes:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}".encode()
