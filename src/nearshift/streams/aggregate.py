"""Records that hold many: aggregates of the Kinesis Producer Library, which Redshift keeps as one row of protobuf bytes.

Nothing is taken apart, as in Redshift ("Streaming ingestion to a materialized view": aggregated records are not supported). They are
recognised, so that the ledger can say why a view shows unreadable rows, and how many user records each of them holds.

The format ("KPL Aggregated Record Format", amazon-kinesis-producer): four magic bytes, a protobuf message, the MD5 of that message. Field 1
is a table of partition keys, 2 one of explicit hash keys, 3 is repeated: the records.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES = 16
_RECORD_FIELD = 3
_LENGTH_DELIMITED = 2


@dataclass(frozen=True, slots=True)
class Aggregates:
    """How many records are aggregates, and how many user records those hold."""

    rows: int = 0
    user_records: int = 0


def count_aggregates(payloads: pa.Array | pa.ChunkedArray) -> Aggregates:
    """Return what is aggregated among some binary payloads; looks closer only at those that begin like an aggregate."""
    suspects = payloads.filter(pc.starts_with(payloads, MAGIC))
    counts = [found for value in suspects.to_pylist() if (found := count_user_records(value)) is not None]
    return Aggregates(len(counts), sum(counts))


def count_user_records(data: bytes) -> int | None:
    """Return how many user records an aggregate holds, or None when the payload is not an aggregate: wrong magic, digest or shape."""
    if not data.startswith(MAGIC) or len(data) <= len(MAGIC) + _DIGEST_BYTES:
        return None
    message = memoryview(data)[len(MAGIC) : -_DIGEST_BYTES]
    if hashlib.md5(message, usedforsecurity=False).digest() != data[-_DIGEST_BYTES:]:
        return None
    count = place = 0
    while place < len(message):
        tag, place = _read_varint(message, place)
        length, place = _read_varint(message, place)
        if tag & 7 != _LENGTH_DELIMITED or length > len(message) - place:
            return None
        count += tag >> 3 == _RECORD_FIELD
        place += length
    return count or None


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return the number at `place` and the place after it; a number that runs off the end takes what is there."""
    value = shift = 0
    while place < len(message):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value, place
