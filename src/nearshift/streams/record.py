"""Records, and the places in a shard: what a stream hands over and what must be remembered to go on exactly there.

A Position says where the *next* read of a shard begins. It is what a checkpoint stores, as the short text of `Position.text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import NewType

import pyarrow as pa

ShardId = NewType("ShardId", str)
SequenceNumber = NewType("SequenceNumber", str)

# Redshift's columns of a Kinesis stream, without refresh_time, which the view adds ("Streaming ingestion to a materialized view").
# Timestamps are UTC without a zone, in microseconds, though Kinesis gives milliseconds.
RECORD_SCHEMA = pa.schema(
    [
        pa.field("approximate_arrival_timestamp", pa.timestamp("us"), nullable=False),
        pa.field("partition_key", pa.string(), nullable=False),
        pa.field("shard_id", pa.string(), nullable=False),
        pa.field("sequence_number", pa.string(), nullable=False),
        pa.field("kinesis_data", pa.binary(), nullable=False),
    ]
)

# Of a Kafka topic: the same columns, of which the payload may be null here (a tombstone), and what only Kafka has.
KAFKA_SCHEMA = pa.schema(
    [
        *(pa.field(field.name, field.type, nullable=field.name == "kinesis_data") for field in RECORD_SCHEMA),
        pa.field("kafka_timestamp_type", pa.string(), nullable=False),
        pa.field("kafka_key", pa.binary()),
        pa.field("kafka_headers", pa.string()),
    ]
)

def is_later(left: SequenceNumber, right: SequenceNumber) -> bool:
    """Return whether `left` comes after `right` in a shard: sequence numbers are numbers, so "9" comes before "10"."""
    if len(left) != len(right):
        return int(left) > int(right)
    return left > right


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()


class Place(Enum):
    """The kinds of place where a read can begin; the value is the first word of the stored text."""

    OLDEST = "TRIM_HORIZON"  # the oldest record that the stream still has
    AFTER = "AFTER"  # just after one sequence number
    AT_TIME = "AT"  # the first record that arrived at an instant or later
    END = "END"  # the shard is closed and every record of it was read


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next read of a shard begins. Make one with the four functions below; `sequence_number` and `instant` fit the place."""

    place: Place
    sequence_number: SequenceNumber | None = None
    instant: datetime | None = None

    def __post_init__(self) -> None:
        assert (self.sequence_number is not None) == (self.place is Place.AFTER), "a position after something names a sequence number"
        assert (self.instant is not None) == (self.place is Place.AT_TIME), "a position at a time names the time"
        assert self.instant is None or self.instant.tzinfo is not None, "instants are aware"

    @property
    def is_end(self) -> bool:
        """Whether nothing is left to read, ever."""
        return self.place is Place.END

    def text(self) -> str:
        """Return the short text that `parse_position` reads back: `TRIM_HORIZON`, `AFTER 4959…`, `AT 2026-01-01T00:00:00+00:00`, `END`."""
        if self.sequence_number is not None:
            return f"{self.place.value} {self.sequence_number}"
        if self.instant is not None:
            return f"{self.place.value} {self.instant.astimezone(UTC).isoformat()}"
        return self.place.value


OLDEST = Position(Place.OLDEST)
END = Position(Place.END)


def after(sequence_number: SequenceNumber | str) -> Position:
    """Return the position just after the record with this sequence number (decimal digits; anything else is an assertion)."""
    assert _is_decimal(sequence_number), "a sequence number has decimal digits only"
    return Position(Place.AFTER, sequence_number=SequenceNumber(sequence_number))


def at_time(instant: datetime) -> Position:
    """Return the position of the first record that arrived at `instant` (aware) or later."""
    return Position(Place.AT_TIME, instant=instant)


def parse_position(text: str) -> Position:
    """Return the position that `Position.text` wrote; ValueError for any other text, since it then is not ours."""
    word, _, rest = text.partition(" ")
    if word == Place.AFTER.value and _is_decimal(rest):
        return after(rest)
    if word == Place.AT_TIME.value and rest:
        instant = datetime.fromisoformat(rest)
        if instant.tzinfo is not None:
            return at_time(instant)
    if not rest and word in {Place.OLDEST.value, Place.END.value}:
        return Position(Place(word))
    message = f"not a stored position: {text!r}"
    raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Shard:
    """One ordered part of a stream as the stream lists it. A closed shard takes no more records but can be read to its end.

    Two parents mean a merge, one a split, none a shard of the stream's first day (or a parent that is listed no longer).
    """

    id: ShardId
    parents: tuple[ShardId, ...] = ()
    is_closed: bool = False
    starting: SequenceNumber | None = None
    ending: SequenceNumber | None = None


@dataclass(frozen=True, slots=True)
class Overlap:
    """The proof of continuity: the record at the position taken up was asked for again, and this is what was shown first from there.

    `found` equal to `expected`: nothing is missing (the record itself is not in the batch, for it was stored). Later: the expected record
    is gone, and perhaps others with it. None: nothing was shown yet. Earlier records, a stream repeating itself, are dropped uncounted.
    """

    expected: SequenceNumber
    found: SequenceNumber | None


@dataclass(frozen=True, slots=True)
class Batch:
    """One answer of a stream for one shard: records in the order of the shard, none of them seen before by this reader.

    It may be empty although more records follow: read on until `is_at_tip`. Store `next` in the commit that stores the records.
    `overlap` is there while a reader that took up an AFTER position has not yet been shown a record by which to prove that nothing was
    trimmed in between, and in the batch that shows it. Give every batch to `checkpoint.decide_continuity`.
    """

    records: pa.RecordBatch
    next: Position
    millis_behind: int
    asked_at: datetime  # wall time just before the stream was asked: at the tip, everything that arrived before it has been read
    payload_bytes: int = 0
    children: tuple[ShardId, ...] = ()
    overlap: Overlap | None = None

    @property
    def is_end(self) -> bool:
        """Whether the shard is closed and this batch was the last of it."""
        return self.next.is_end

    @property
    def is_at_tip(self) -> bool:
        """Whether the stream had nothing more in this shard when it answered."""
        return self.is_end or self.millis_behind == 0

    @property
    def count(self) -> int:
        """The number of records."""
        return int(self.records.num_rows)


def empty_records() -> pa.RecordBatch:
    """Return no records, in the right columns."""
    return pa.RecordBatch.from_pylist([], schema=RECORD_SCHEMA)
