"""The seam between streams and the views that read them: what a source of records promises, whichever system is behind it.

Kinesis, Kafka's topics (a partition is a shard, an offset a sequence number), a stream in memory and files implement it. The rules every
implementation keeps, and `tests/streams/test_conformance_of_sources.py` checks:

1. A reader opened at a Position gives every later record of the shard once, in order, whatever failed in between.
2. `Batch.next` of any batch, opened anew, goes on with exactly the next record.
3. A closed shard ends with a batch whose `next` is END, and names its children if it knows them.
4. Failures are waited out within bounds; what remains is a StreamError that names the stream, the shard and the cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from nearshift.streams.record import Batch, Position, Shard, ShardId


@dataclass(frozen=True, slots=True)
class Description:
    """What a stream says of itself. `identity` changes when the stream is deleted and another is made under its name."""

    identity: str
    retention: timedelta


class ShardReader(Protocol):
    """Reads one shard forwards. Used by one thread at a time; not usable after `close`."""

    def read(self, *, limit_records: int) -> Batch:
        """Return one answer of the stream, of at most `limit_records` records; never waits for records to arrive.

        After the batch with `is_end`, further reads give empty batches with `is_end`. Raises StreamError when the stream cannot be
        read, or is not any more the one that the source described last before `open`: the reader may be used again, and is where it was.
        Raises Cancelled when the reader or its source was closed, also by another thread while this one waits.
        """
        ...

    def close(self) -> None:
        """Release what the reader holds; a second call does nothing."""
        ...


class Source(Protocol):
    """One stream. Safe to share between threads."""

    @property
    def name(self) -> str:
        """The stream's name as the user wrote it."""
        ...

    def describe(self) -> Description:
        """Ask the stream who it is now. Raises StreamError: 42704 when there is no such stream, 42501 when the role may not ask."""
        ...

    def shards(self) -> list[Shard]:
        """Return all shards that the stream lists, closed ones with them, in no promised order. Raises as `describe` does."""
        ...

    def open(self, shard: ShardId, position: Position) -> ShardReader:
        """Return a reader of one shard from a position on. Asks the stream nothing yet."""
        ...

    def close(self) -> None:
        """Release what the source holds, and end waits in other threads with Cancelled; a second call does nothing."""
        ...
