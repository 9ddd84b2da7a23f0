"""Records in: PutRecord and PutRecords ("Kinesis API reference"). A payload is checked, but the file holds its base64 as it came."""

from __future__ import annotations

from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any

from nearshift.localaws.constraints import Kind, Member, check_members
from nearshift.localaws.errors import AwsError
from nearshift.localaws.kinesis_parts import EITHER_STREAM, HASH_KEY, SEQUENCE_NUMBER, Answer, OperationTable, Parts
from nearshift.localaws.kinesis_records import Appended, Entry
from nearshift.localaws.service import Request
from nearshift.localaws.shards import HASH_MAX, Shard, Stream, hash_of_key, shard_id

RECORDS_MAX = 500
CALL_BYTES_MAX = 10 << 20
KEY_CHARACTERS_MAX = 256
_MEMBER_BYTES_MAX = 10 << 20

_KEY = Member(Kind.STRING, is_required=True, minimum=1, maximum=KEY_CHARACTERS_MAX)
_ENTRY_MEMBERS = {"PartitionKey": _KEY, "ExplicitHashKey": HASH_KEY}
_LIST_MEMBERS = {"Records": Member(Kind.LIST, is_required=True, minimum=1, maximum=RECORDS_MAX)}


def put_record(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """PutRecord."""
    stream = parts.catalog.resolve(request, parameters)
    entry = _read_entry(parameters, "", stream.record_kib_max)
    now_ms = parts.clock.now_ms()
    shard = stream.route(entry.hash_key)
    if parts.faults.are_limits_enforced and not parts.throughput.may_write(shard.key, entry.size, now_ms):
        parts.note(stream, {"WriteProvisionedThroughputExceeded": 1, "PutRecord.Success": 0})
        raise AwsError("ProvisionedThroughputExceededException", _rate_problem(stream, shard))
    appended = parts.records.append(stream, (entry,), now_ms)[0]
    note_incoming(parts, stream, 1, entry.size, {"PutRecord.Success": 1, "PutRecord.Bytes": entry.size})
    return {"ShardId": appended.shard.id, "SequenceNumber": appended.sequence_number, "EncryptionType": "NONE"}


def put_records(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """PutRecords; records that are refused are reported one by one and the others stay."""
    stream = parts.catalog.resolve(request, parameters)
    entries = []
    for number, record in enumerate(parameters["Records"], 1):
        entries.append(_read_entry(record, f"records.{number}.member.", stream.record_kib_max))
    total = sum(entry.size for entry in entries)
    if total > CALL_BYTES_MAX:
        raise AwsError("InvalidArgumentException", f"Records size exceeds {CALL_BYTES_MAX >> 20} MB limit")
    now_ms = parts.clock.now_ms()
    refused = _refused(parts, stream, entries, now_ms)
    taken = [entry for number, entry in enumerate(entries) if number not in refused] if refused else entries
    appended = iter(parts.records.append(stream, taken, now_ms))
    answers = [refused[number] if number in refused else _accepted(next(appended)) for number in range(len(entries))]
    size = sum(entry.size for entry in taken)
    values = {
        "PutRecords.Success": 1 if taken else 0,
        "PutRecords.Bytes": size,
        "PutRecords.TotalRecords": len(entries),
        "PutRecords.SuccessfulRecords": len(taken),
        "PutRecords.FailedRecords": 0,
        "PutRecords.ThrottledRecords": len(refused),
        "WriteProvisionedThroughputExceeded": len(refused),
    }
    note_incoming(parts, stream, len(taken), size, values)
    return {"FailedRecordCount": len(refused), "Records": answers, "EncryptionType": "NONE"}


def note_incoming(parts: Parts, stream: Stream, count: int, size: int, values: Mapping[str, float]) -> None:
    """Give the metrics of a write: what came in, and `values`."""
    parts.note(stream, {"IncomingRecords": count, "IncomingBytes": size, **values})


def _accepted(appended: Appended) -> Answer:
    return {"SequenceNumber": appended.sequence_number, "ShardId": appended.shard.id}


def _refused(parts: Parts, stream: Stream, entries: list[Entry], now_ms: int) -> dict[int, Answer]:
    """Return the answers of the records that are refused, by their number from 0: by the admin door's wish or by the limits of a shard."""
    refused: dict[int, Answer] = {}
    every = parts.faults.put_records_fail_every
    if not every and not parts.faults.are_limits_enforced:
        return refused
    for number, entry in enumerate(entries):
        shard = stream.route(entry.hash_key)
        is_failing = bool(every) and number % every == 0
        if is_failing or (parts.faults.are_limits_enforced and not parts.throughput.may_write(shard.key, entry.size, now_ms)):
            problem = _rate_problem(stream, shard)
            refused[number] = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": problem}
    return refused


def _rate_problem(stream: Stream, shard: Shard) -> str:
    return f"Rate exceeded for shard {shard_id(shard.index)} in stream {stream.name} under account {stream.account}."


def _read_entry(record: Any, path: str, record_kib_max: int) -> Entry:
    """Check one record and return it. `path` stands before the member names in messages."""
    key = record.get("PartitionKey") if isinstance(record, dict) else None
    hash_text = record.get("ExplicitHashKey") if isinstance(record, dict) else None
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_CHARACTERS_MAX or hash_text is not None:
        check_members(record, _ENTRY_MEMBERS, path)
    assert isinstance(key, str)
    payload, length = _read_payload(record.get("Data"), path)
    try:
        size = length + len(key.encode())
    except UnicodeEncodeError:
        raise AwsError("SerializationException", "A partition key must be valid Unicode.") from None
    if size > record_kib_max * 1024:
        raise AwsError("ValidationException", _too_long(path, length, record_kib_max * 1024))
    if hash_text is None:
        return Entry(payload, key, hash_of_key(key), size)
    hash_key = int(hash_text)
    if hash_key > HASH_MAX:
        message = f"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {hash_text}"
        raise AwsError("InvalidArgumentException", message)
    return Entry(payload, key, hash_key, size)


def _read_payload(data: Any, path: str) -> tuple[bytes, int]:
    """Return the payload in base64, as JSON has it, and its length in bytes. CBOR brings the bytes themselves."""
    if isinstance(data, str):
        try:
            length = len(a2b_base64(data, strict_mode=True))
        except (Base64Error, ValueError) as error:
            raise AwsError("SerializationException", f"The value of Data can not be converted to a Blob: {error}") from None
        return data.encode(), length
    if isinstance(data, bytes):
        return b64encode(data), len(data)
    if data is None:
        message = f"1 validation error detected: Value null at '{path}data' failed to satisfy constraint: Member must not be null"
        raise AwsError("ValidationException", message)
    raise AwsError("SerializationException", "Data is expected to be a Blob")


def _too_long(path: str, length: int, maximum: int) -> str:
    return (
        f"1 validation error detected: Value at '{path}data' failed to satisfy constraint: Member must have length less than or equal to "
        f"{maximum} (with its partition key; the payload has {length})"
    )


OPERATIONS: OperationTable = {
    "PutRecord": ({**EITHER_STREAM, "SequenceNumberForOrdering": SEQUENCE_NUMBER}, put_record),
    "PutRecords": ({**EITHER_STREAM, **_LIST_MEMBERS}, put_records),
}
