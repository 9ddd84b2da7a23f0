"""Records out: GetShardIterator and GetRecords ("Kinesis API reference")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from nearshift.localaws.constraints import Kind, Member
from nearshift.localaws.errors import AwsError
from nearshift.localaws.kinesis_parts import (
    EITHER_STREAM,
    ITERATOR_TYPES,
    REQUIRED_SHARD_ID,
    SEQUENCE_NUMBER,
    STREAM_ARN,
    TIMESTAMP,
    Answer,
    OperationTable,
    Parts,
    milliseconds_of,
)
from nearshift.localaws.sequence import Iterator, decode_iterator, decode_sequence, encode_iterator
from nearshift.localaws.service import Request
from nearshift.localaws.shards import Shard, Stream, shard_id

PAGE_RECORDS_MAX = 10_000
PAGE_BYTES_MAX = 10 << 20
_SEQUENCE_TYPES = ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")


def starting_position(parts: Parts, stream: Stream, shard: Shard, kind: str, sequence: str | None, timestamp: Any) -> int:
    """Return the position after which to read, for GetShardIterator and SubscribeToShard.

    A sequence number that has been trimmed means the oldest record that is left, without an error: AWS does not document one.
    """
    if kind in _SEQUENCE_TYPES:
        if sequence is None:
            raise AwsError("InvalidArgumentException", _argument_problem(kind, "no StartingSequenceNumber"))
        position = _checked_sequence(stream, shard, sequence)
        return position - 1 if kind == "AT_SEQUENCE_NUMBER" else position
    if sequence is not None:
        raise AwsError("InvalidArgumentException", _argument_problem(kind, "also a StartingSequenceNumber"))
    if kind == "AT_TIMESTAMP":
        if timestamp is None:
            message = "Must specify timestamp parameter for iterator of type AT_TIMESTAMP. Current value: null"
            raise AwsError("InvalidArgumentException", message)
        at_ms, now_ms = milliseconds_of(timestamp), parts.clock.now_ms()
        if at_ms > now_ms:
            message = (
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                f"timestampInMillis: {at_ms}, currentTimestampInMillis: {now_ms}"
            )
            raise AwsError("InvalidArgumentException", message)
        return parts.records.position_before(shard, at_ms)
    return parts.catalog.positions.last if kind == "LATEST" else 0


def _argument_problem(kind: str, what: str) -> str:
    return (
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
        f"(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {kind} and {what}."
    )


def _checked_sequence(stream: Stream, shard: Shard, text: str) -> int:
    decoded = decode_sequence(text)
    where = f"used in GetShardIterator on shard {shard.id} in stream {stream.name} under account {stream.account} is invalid"
    if decoded is None:
        raise AwsError("InvalidArgumentException", f"StartingSequenceNumber {text} {where}.")
    position, index = decoded
    if index != shard.index:
        message = f"Invalid StartingSequenceNumber. It encodes {shard_id(index)}, while it was used in a call to a shard with {shard.id}"
        raise AwsError("InvalidArgumentException", message)
    if position < shard.start:
        raise AwsError("InvalidArgumentException", f"StartingSequenceNumber {text} {where} because it did not come from this stream.")
    return position


def get_shard_iterator(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """GetShardIterator; good for five minutes."""
    stream = parts.catalog.resolve(request, parameters)
    shard = parts.catalog.shard(stream, parameters["ShardId"])
    sequence, timestamp = parameters.get("StartingSequenceNumber"), parameters.get("Timestamp")
    position = starting_position(parts, stream, shard, parameters["ShardIteratorType"], sequence, timestamp)
    return {"ShardIterator": encode_iterator(Iterator(shard.key, position, parts.clock.now_ms()))}


def get_records(parts: Parts, request: Request, parameters: dict[str, Any]) -> bytes:  # noqa: ARG001 - the iterator says it all
    """GetRecords, as JSON text: the page's records are joined as they are in the file."""
    iterator = decode_iterator(parameters["ShardIterator"])
    if iterator is None:
        raise AwsError("InvalidArgumentException", "Invalid ShardIterator.")
    now_ms = parts.clock.now_ms()
    _check_age(parts, iterator, now_ms)
    found = parts.catalog.shards_by_key.get(iterator.shard_key)
    if found is None:
        raise AwsError("ResourceNotFoundException", "The shard of the ShardIterator does not exist any more.")
    stream, shard = found
    if parts.faults.are_limits_enforced and not parts.throughput.may_read(shard.key, now_ms):
        parts.note(stream, {"ReadProvisionedThroughputExceeded": 1, "GetRecords.Success": 0})
        message = f"Rate exceeded for shard {shard.id} in stream {stream.name} under account {stream.account}."
        raise AwsError("ProvisionedThroughputExceededException", message)
    if parts.faults.take_empty_page():
        behind_ms = parts.records.age_ms(stream, shard, iterator.position, now_ms)
        return _answer([], iterator, now_ms, max(1, behind_ms))
    limit = parameters.get("Limit") or PAGE_RECORDS_MAX
    page = parts.records.read(stream, shard, iterator.position, limit, PAGE_BYTES_MAX, now_ms)
    if parts.faults.are_limits_enforced:
        parts.throughput.note_read(shard.key, page.payload_bytes, now_ms)
    values = {
        "GetRecords.Success": 1,
        "GetRecords.Bytes": page.payload_bytes,
        "GetRecords.Records": len(page.fragments),
        "GetRecords.IteratorAgeMilliseconds": page.behind_ms,
        "ReadProvisionedThroughputExceeded": 0,
    }
    parts.note(stream, values)
    if page.is_end:
        children = msgspec.json.encode(stream.children_of(shard))
        return b'{"Records":[%b],"MillisBehindLatest":0,"ChildShards":%b}' % (b",".join(page.fragments), children)
    return _answer(page.fragments, Iterator(shard.key, page.position, now_ms), now_ms, page.behind_ms)


def _answer(fragments: list[bytes], iterator: Iterator, now_ms: int, behind_ms: int) -> bytes:
    onward = encode_iterator(Iterator(iterator.shard_key, iterator.position, now_ms)).encode()
    return b'{"Records":[%b],"NextShardIterator":"%b","MillisBehindLatest":%d}' % (b",".join(fragments), onward, behind_ms)


def _check_age(parts: Parts, iterator: Iterator, now_ms: int) -> None:
    maximum_ms = parts.faults.iterator_ms_max
    if now_ms - iterator.issued_ms <= maximum_ms and iterator.issued_ms > parts.faults.iterators_expired_before_ms:
        return
    message = (
        f"Iterator expired. The iterator was created at time {_show(iterator.issued_ms)} while right now it is {_show(now_ms)} "
        f"which is further in the future than the tolerated delay of {maximum_ms} milliseconds."
    )
    raise AwsError("ExpiredIteratorException", message)


def _show(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")


_ITERATOR = Member(Kind.STRING, is_required=True, minimum=1, maximum=512)

OPERATIONS: OperationTable = {
    "GetShardIterator": (
        {
            **EITHER_STREAM,
            "ShardId": REQUIRED_SHARD_ID,
            "ShardIteratorType": Member(Kind.STRING, is_required=True, choices=ITERATOR_TYPES),
            "StartingSequenceNumber": SEQUENCE_NUMBER,
            "Timestamp": TIMESTAMP,
        },
        get_shard_iterator,
    ),
    "GetRecords": (
        {"ShardIterator": _ITERATOR, "Limit": Member(Kind.INTEGER, minimum=1, maximum=PAGE_RECORDS_MAX), "StreamARN": STREAM_ARN},
        get_records,
    ),
}
READS = frozenset(("GetShardIterator", "GetRecords"))
