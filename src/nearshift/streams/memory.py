"""A stream in memory: the reference for what a source does, and the stream of the text tests.

It behaves as Kinesis documents it: records go to the shard that owns the hash of their partition key, a split or merge closes shards and
opens children, closed shards stay readable until retention has passed, what is older than retention is gone. Time is the clock's.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

import pyarrow as pa

from nearshift.clock import Clock, SystemClock
from nearshift.errors import Cancelled, StreamError
from nearshift.streams.reader import Description, ShardReader
from nearshift.streams.record import END, RECORD_SCHEMA, Batch, Overlap, Place, Position, SequenceNumber, Shard, ShardId, after, is_later

_HASH_KEYS = 1 << 128
_SEQUENCE_BASE = 49 * 10**54  # 56 digits, as Kinesis has


class Fault(Enum):
    """What can be made to happen at the next read."""

    EMPTY = "empty"  # no records although some are there
    SHORT = "short"  # one record only
    FAIL = "fail"  # the stream gives up: StreamError


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """One stored record."""

    sequence_number: SequenceNumber
    partition_key: str
    data: bytes
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one look into a shard found: records, the oldest one that follows them, and the state of the shard at that moment."""

    records: list[MemoryRecord]
    following: MemoryRecord | None
    is_closed: bool
    children: tuple[ShardId, ...]
    at: datetime

    @property
    def is_drained(self) -> bool:
        """Whether the shard is closed and these are its last records."""
        return self.is_closed and self.following is None

    @property
    def millis_behind(self) -> int:
        """How long the next record has been waiting; 0 when there is none."""
        if self.following is None:
            return 0
        return max(1, int((self.at - self.following.arrived_at).total_seconds() * 1000))


@dataclass(slots=True)
class _MemoryShard:
    id: ShardId
    parents: tuple[ShardId, ...]
    hash_start: int
    hash_end: int  # exclusive
    starting: SequenceNumber
    ending: SequenceNumber | None = None
    closed_at: datetime | None = None
    children: tuple[ShardId, ...] = ()
    records: list[MemoryRecord] = field(default_factory=list)  # in the order of their sequence numbers


class MemoryStream:
    """A stream that lives as long as the object. `source()` gives any number of readers' sides; all methods may be used from any thread."""

    def __init__(self, name: str, *, shards: int = 1, clock: Clock | None = None, retention: timedelta = timedelta(hours=24)) -> None:
        self.name = name
        self.retention = retention
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._faults: deque[tuple[Fault, ShardId | None]] = deque()
        self._generation = 0
        self._sequence = 0
        self._shards: dict[ShardId, _MemoryShard] = {}
        self._create(shards)

    def _create(self, count: int) -> None:
        self._created_at = self._clock.now()
        self._generation += 1
        self._shards = {}
        bounds = [_HASH_KEYS * index // count for index in range(count + 1)]
        for start, end in itertools.pairwise(bounds):
            self._add_shard((), start, end)

    def _next_sequence(self) -> SequenceNumber:
        self._sequence += 1
        return SequenceNumber(str(_SEQUENCE_BASE + self._sequence))

    def _add_shard(self, parents: tuple[ShardId, ...], start: int, end: int) -> ShardId:
        number = int(max(self._shards)[8:]) + 1 if self._shards else 0
        shard = _MemoryShard(ShardId(f"shardId-{number:012}"), parents, start, end, self._next_sequence())
        self._shards[shard.id] = shard
        return shard.id

    def source(self) -> MemorySource:
        """Return a new source that reads this stream."""
        return MemorySource(self)

    def describe(self) -> Description:
        """Return the identity, which `recreate` changes, and the retention."""
        with self._lock:
            return Description(f"memory:{self.name}@{self._created_at.isoformat()}#{self._generation}", self.retention)

    def list_shards(self) -> list[Shard]:
        """Return the shards, closed ones until all they had is past retention."""
        with self._lock:
            self._expire()
            return [Shard(s.id, s.parents, s.ending is not None, s.starting, s.ending) for s in self._shards.values()]

    def put(self, data: bytes, partition_key: str = "", *, shard: ShardId | None = None) -> SequenceNumber:
        """Append one record to the shard that owns the key's hash, or to the open shard named; return its sequence number."""
        with self._lock:
            if shard is None:
                hashed = int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest(), "big")
                owner = next(s for s in self._shards.values() if s.ending is None and s.hash_start <= hashed < s.hash_end)
            else:
                owner = self._open_shard(shard)
            record = MemoryRecord(self._next_sequence(), partition_key, data, self._clock.now())
            owner.records.append(record)
            return record.sequence_number

    def _open_shard(self, shard: ShardId) -> _MemoryShard:
        found = self._shards.get(shard)
        if found is None or found.ending is not None:
            message = f'shard "{shard}" of stream "{self.name}" is not open'
            raise StreamError(message, sqlstate="42704")
        return found

    def split(self, shard: ShardId) -> tuple[ShardId, ShardId]:
        """Close a shard and open two children that share its keys."""
        with self._lock:
            parent = self._open_shard(shard)
            middle = (parent.hash_start + parent.hash_end) // 2
            self._end_shard(parent)
            left = self._add_shard((shard,), parent.hash_start, middle)
            right = self._add_shard((shard,), middle, parent.hash_end)
            parent.children = (left, right)
            return left, right

    def merge(self, left: ShardId, right: ShardId) -> ShardId:
        """Close two neighbouring shards and open one child for the keys of both."""
        with self._lock:
            first, second = sorted((self._open_shard(left), self._open_shard(right)), key=lambda s: s.hash_start)
            if first.hash_end != second.hash_start:
                message = f'shards "{left}" and "{right}" are not neighbours'
                raise StreamError(message, sqlstate="22023")
            self._end_shard(first)
            self._end_shard(second)
            child = self._add_shard((left, right), first.hash_start, second.hash_end)
            first.children = second.children = (child,)
            return child

    def reshard(self, count: int) -> None:
        """Split the widest or merge the two narrowest neighbours until `count` shards are open, as UpdateShardCount does in steps."""
        with self._lock:
            while (found := self._open_shards()) and len(found) != count:
                if len(found) < count:
                    self.split(max(found, key=lambda s: s.hash_end - s.hash_start).id)
                else:
                    pairs = itertools.pairwise(found)
                    left, right = min(pairs, key=lambda pair: pair[1].hash_end - pair[0].hash_start)
                    self.merge(left.id, right.id)

    def _open_shards(self) -> list[_MemoryShard]:
        return sorted((s for s in self._shards.values() if s.ending is None), key=lambda s: s.hash_start)

    def _end_shard(self, shard: _MemoryShard) -> None:
        shard.ending = self._next_sequence()
        shard.closed_at = self._clock.now()

    def trim(self, shard: ShardId, *, keep: int = 0) -> int:
        """Drop the oldest records of a shard but `keep`, as retention does; return how many went."""
        with self._lock:
            records = self._shards[shard].records
            count = max(0, len(records) - keep)
            del records[:count]
            return count

    def drop_shard(self, shard: ShardId) -> None:
        """Take a closed shard off the list at once, as when its retention has passed."""
        with self._lock:
            assert self._shards[shard].ending is not None, "only a closed shard can expire"
            del self._shards[shard]

    def recreate(self, *, shards: int = 1) -> None:
        """Delete the stream with all records and make a new one under its name."""
        with self._lock:
            self._create(shards)

    def inject(self, fault: Fault, *, shard: ShardId | None = None, times: int = 1) -> None:
        """Make the next `times` reads (of one shard, or of any) meet a fault."""
        with self._lock:
            self._faults.extend([(fault, shard)] * times)

    def take_fault(self, shard: ShardId) -> Fault | None:
        """Return and remove the first fault that waits for a read of this shard."""
        with self._lock:
            for index, (fault, wanted) in enumerate(self._faults):
                if wanted is None or wanted == shard:
                    del self._faults[index]
                    return fault
            return None

    def _expire(self) -> None:
        horizon = self._clock.now() - self.retention
        for shard in list(self._shards.values()):
            gone = next((i for i, record in enumerate(shard.records) if record.arrived_at >= horizon), len(shard.records))
            del shard.records[:gone]
            if shard.closed_at is not None and shard.closed_at < horizon and not shard.records:
                del self._shards[shard.id]

    def fetch(self, shard: ShardId, position: Position, limit: int, *, overlaps: bool) -> Fetched:
        """Return up to `limit` records from a position on, and what there is to know beside them.

        With `overlaps` an AFTER position gives the record *at* its sequence number first, if the stream still has it: readers prove by it
        that nothing was trimmed before they came. Raises StreamError (42704) when the shard is not there.
        """
        with self._lock:
            self._expire()
            found = self._shards.get(shard)
            if found is None:
                message = f'shard "{shard}" of stream "{self.name}" does not exist'
                raise StreamError(message, sqlstate="42704", hint="List the shards again: it may have passed its retention.")
            start = _first_due(found.records, position, overlaps=overlaps)
            records = found.records[start : start + limit]
            following = found.records[start + limit] if len(found.records) > start + limit else None
            return Fetched(records, following, found.ending is not None, found.children, self._clock.now())

def _first_due(records: list[MemoryRecord], position: Position, *, overlaps: bool) -> int:
    match position.place:
        case Place.OLDEST:
            return 0
        case Place.AFTER:
            assert position.sequence_number is not None
            number = int(position.sequence_number) + (0 if overlaps else 1)
            return bisect_left(records, number, key=lambda record: int(record.sequence_number))
        case Place.AT_TIME:
            assert position.instant is not None
            instant = position.instant
            return next((i for i, record in enumerate(records) if record.arrived_at >= instant), len(records))
        case Place.END:
            return len(records)


def to_arrow(shard: ShardId, records: list[MemoryRecord]) -> pa.RecordBatch:
    """Return the records in Redshift's columns."""
    columns = [
        pa.array([r.arrived_at.replace(tzinfo=None) for r in records], pa.timestamp("us")),
        pa.array([r.partition_key for r in records], pa.string()),
        pa.array([shard] * len(records), pa.string()),
        pa.array([r.sequence_number for r in records], pa.string()),
        pa.array([r.data for r in records], pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RECORD_SCHEMA)


class MemorySource:
    """The reading side of a MemoryStream."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream
        self._is_closed = False

    @property
    def name(self) -> str:
        """The stream's name."""
        return self._stream.name

    def describe(self) -> Description:
        """Return the stream's identity and retention."""
        return self._stream.describe()

    def shards(self) -> list[Shard]:
        """Return the stream's shards."""
        return self._stream.list_shards()

    def open(self, shard: ShardId, position: Position) -> ShardReader:
        """Return a reader of one shard."""
        return _MemoryReader(self, self._stream, shard, position)

    def close(self) -> None:
        """End the readers of this source."""
        self._is_closed = True

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed


class _MemoryReader:
    def __init__(self, source: MemorySource, stream: MemoryStream, shard: ShardId, position: Position) -> None:
        self._source = source
        self._stream = stream
        self._identity = stream.describe().identity
        self._shard = shard
        self._position = position
        self._is_unproven = position.place is Place.AFTER
        self._is_closed = False

    def read(self, *, limit_records: int) -> Batch:
        if self._is_closed or self._source.is_closed:
            message = f'the reader of stream "{self._stream.name}" was closed'
            raise Cancelled(message)
        if self._stream.describe().identity != self._identity:
            message = f'stream "{self._stream.name}" was deleted and created again'
            raise StreamError(message, hint="Refresh again: the new stream is read from its start.")
        fault = self._stream.take_fault(self._shard)
        if fault is Fault.FAIL:
            message = f'shard "{self._shard}" of stream "{self._stream.name}" could not be read: a fault was injected'
            raise StreamError(message)
        # One more for the record before the position, so that a limit of one gets on after a restart.
        limit = limit_records + 1 if self._is_unproven else limit_records
        if fault is not None:
            limit = 0 if fault is Fault.EMPTY else 1
        return self._answer(limit)

    def _answer(self, limit: int) -> Batch:
        found = self._stream.fetch(self._shard, self._position, limit, overlaps=self._is_unproven)
        seen = self._position.sequence_number
        shown = found.records[0].sequence_number if found.records else None
        overlap = Overlap(seen, shown) if seen is not None and self._is_unproven else None
        fresh = [r for r in found.records if seen is None or is_later(r.sequence_number, seen)]
        self._is_unproven = self._is_unproven and not found.records
        is_end = self._position.is_end or found.is_drained
        if is_end:
            self._position = END
        elif fresh:
            self._position = after(fresh[-1].sequence_number)
        return Batch(
            records=to_arrow(self._shard, fresh),
            next=self._position,
            millis_behind=found.millis_behind,
            asked_at=found.at,
            payload_bytes=sum(len(r.data) for r in fresh),
            children=found.children if is_end else (),
            overlap=overlap,
        )

    def close(self) -> None:
        self._is_closed = True
