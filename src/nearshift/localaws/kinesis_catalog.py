"""Which streams, shards and consumers exist: kept in SQLite, cached in memory, read again after every roll-back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from nearshift.localaws.clock import Clock
from nearshift.localaws.errors import AwsError
from nearshift.localaws.sequence import Positions
from nearshift.localaws.service import Request
from nearshift.localaws.shards import Shard, Stream, even_ranges, parse_shard_id, shard_id
from nearshift.localaws.store import Store

_TABLES = (
    """CREATE TABLE IF NOT EXISTS kinesis_stream(key INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL,
       name TEXT NOT NULL, created_ms INTEGER NOT NULL, retention_hours INTEGER NOT NULL, mode TEXT NOT NULL,
       record_kib_max INTEGER NOT NULL, tags TEXT NOT NULL, UNIQUE(account, region, name))""",
    """CREATE TABLE IF NOT EXISTS kinesis_shard(key INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, number INTEGER NOT NULL,
       low TEXT NOT NULL, high TEXT NOT NULL, parent INTEGER, adjacent INTEGER, start_position INTEGER NOT NULL, end_position INTEGER,
       created_ms INTEGER NOT NULL, closed_ms INTEGER, horizon INTEGER NOT NULL, UNIQUE(stream, number))""",
    """CREATE TABLE IF NOT EXISTS kinesis_consumer(arn TEXT PRIMARY KEY, stream INTEGER NOT NULL, name TEXT NOT NULL,
       created_ms INTEGER NOT NULL, UNIQUE(stream, name))""",
    "CREATE TABLE IF NOT EXISTS kinesis_dropped(shard INTEGER PRIMARY KEY)",
)
_ARN = re.compile(r"arn:aws[^:]*:kinesis:([^:]*):(\d{12}):stream/([^/]+)(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Consumer:
    """A registered consumer of a stream."""

    arn: str
    stream: int
    name: str
    created_ms: int

    def describe(self) -> dict[str, object]:
        """Return the Consumer structure."""
        return {
            "ConsumerName": self.name,
            "ConsumerARN": self.arn,
            "ConsumerStatus": "ACTIVE",
            "ConsumerCreationTimestamp": self.created_ms / 1000,
        }


class Catalog:
    """The streams of all accounts and regions. Changes must be made inside `store.transaction()`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        store.define(*_TABLES)
        self.positions = Positions()
        self.load()
        store.on_rollback.append(self.load)

    def load(self) -> None:
        """Read everything from the file; what was cached before is dropped."""
        read = self._store.connection.execute
        self._streams: dict[tuple[str, str, str], Stream] = {}
        self.streams_by_key: dict[int, Stream] = {}
        self.shards_by_key: dict[int, tuple[Stream, Shard]] = {}
        for row in read("SELECT key, account, region, name, created_ms, retention_hours, mode, record_kib_max, tags FROM kinesis_stream"):
            stream = Stream(*row[:8])
            stream.tags = msgspec.json.decode(row[8])
            self._streams[stream.account, stream.region, stream.name] = stream
            self.streams_by_key[stream.key] = stream
        query = """SELECT stream, key, number, low, high, parent, adjacent, start_position, end_position, created_ms, closed_ms, horizon
                   FROM kinesis_shard ORDER BY key"""
        for row in read(query):
            stream = self.streams_by_key[row[0]]
            shard = Shard(row[1], row[2], int(row[3]), int(row[4]), *row[5:])
            stream.shards[shard.index] = shard
            self.shards_by_key[shard.key] = (stream, shard)
            self.positions.last = max(self.positions.last, shard.start, shard.end or 0, shard.horizon)
        for stream in self.streams_by_key.values():
            stream.index_open_shards()
        self.consumers = {row[0]: Consumer(*row) for row in read("SELECT arn, stream, name, created_ms FROM kinesis_consumer")}

    # Looking up.

    def find(self, account: str, region: str, name: str) -> Stream:
        """Return a stream; raises ResourceNotFoundException."""
        stream = self._streams.get((account, region, name))
        if stream is None:
            raise AwsError("ResourceNotFoundException", f"Stream {name} under account {account} not found.")
        return stream

    def find_arn(self, arn: str) -> Stream:
        """Return the stream that an ARN (also of one of its consumers) names, in whatever account and region it is."""
        match = _ARN.fullmatch(arn)
        if match is None:
            raise AwsError("InvalidArgumentException", f"Invalid ARN: {arn}")
        region, account, name = match.groups()
        return self.find(account, region, name)

    def resolve(self, request: Request, parameters: Mapping[str, Any]) -> Stream:
        """Return the stream that a request means by StreamARN, or by StreamName in the caller's account and region."""
        arn, name = parameters.get("StreamARN"), parameters.get("StreamName")
        if arn:
            stream = self.find_arn(arn)
            if name and name != stream.name:
                raise AwsError("InvalidArgumentException", f"StreamName {name} does not match the stream of StreamARN {arn}.")
            return stream
        if not name:
            raise AwsError("InvalidArgumentException", "Either StreamName or StreamARN must be specified.")
        return self.find(request.account, request.region, name)

    def names(self, account: str, region: str) -> list[str]:
        """Return the names of the streams of one account and region, sorted."""
        return sorted(name for owner, place, name in self._streams if (owner, place) == (account, region))

    def shard(self, stream: Stream, name: str) -> Shard:
        """Return a shard that is listed; raises ResourceNotFoundException."""
        index = parse_shard_id(name)
        shard = stream.shards.get(index) if index is not None else None
        if shard is None or (shard.closed_ms is not None and shard.closed_ms <= stream.cut_ms(self._clock.now_ms())):
            shown = shard_id(index) if index is not None else name
            message = f"Could not find shard {shown} in stream {stream.name} under account {stream.account}."
            raise AwsError("ResourceNotFoundException", message)
        return shard

    def consumers_of(self, stream: Stream) -> list[Consumer]:
        """Return the stream's consumers by name."""
        return sorted((one for one in self.consumers.values() if one.stream == stream.key), key=lambda one: one.name)

    # Changing.

    def create(self, request: Request, name: str, shard_count: int, mode: str, record_kib_max: int, tags: dict[str, str]) -> Stream:
        """Make a stream with `shard_count` shards of even ranges; raises ResourceInUseException if it exists."""
        account, region = request.account, request.region
        if (account, region, name) in self._streams:
            raise AwsError("ResourceInUseException", f"Stream {name} under account {account} already exists.")
        now_ms = self._clock.now_ms()
        row = (account, region, name, now_ms, 24, mode, record_kib_max, msgspec.json.encode(tags).decode())
        insert = """INSERT INTO kinesis_stream(account, region, name, created_ms, retention_hours, mode, record_kib_max, tags)
                    VALUES(?,?,?,?,?,?,?,?)"""
        key = self._store.connection.execute(insert, row).lastrowid
        assert key is not None
        stream = Stream(key, account, region, name, now_ms, 24, mode, record_kib_max, tags)
        self._streams[account, region, name] = stream
        self.streams_by_key[key] = stream
        for low, high in even_ranges(shard_count):
            self._add_shard(stream, low, high, None, None, now_ms)
        stream.index_open_shards()
        return stream

    def save(self, stream: Stream) -> None:
        """Write the settings of a stream that have been changed in memory."""
        self._store.connection.execute(
            "UPDATE kinesis_stream SET retention_hours=?, mode=?, record_kib_max=?, tags=? WHERE key=?",
            (stream.retention_hours, stream.mode, stream.record_kib_max, msgspec.json.encode(stream.tags).decode(), stream.key),
        )

    def delete(self, stream: Stream) -> None:
        """Forget a stream with shards and consumers; its records are left to `drop` in small portions."""
        for shard in list(stream.shards.values()):
            self.forget_shard(stream, shard)
        write = self._store.connection.execute
        write("DELETE FROM kinesis_consumer WHERE stream=?", (stream.key,))
        write("DELETE FROM kinesis_stream WHERE key=?", (stream.key,))
        self.consumers = {arn: one for arn, one in self.consumers.items() if one.stream != stream.key}
        del self._streams[stream.account, stream.region, stream.name]
        del self.streams_by_key[stream.key]

    def forget_shard(self, stream: Stream, shard: Shard) -> None:
        """Take a shard from the catalog and mark its records for removal."""
        write = self._store.connection.execute
        write("INSERT INTO kinesis_dropped(shard) VALUES(?)", (shard.key,))
        write("DELETE FROM kinesis_shard WHERE key=?", (shard.key,))
        del stream.shards[shard.index]
        del self.shards_by_key[shard.key]

    def split(self, stream: Stream, shard: Shard, at: int) -> None:
        """Close a shard and open two children; the upper one begins at hash key `at`."""
        now_ms = self._clock.now_ms()
        self._close_shard(shard, now_ms)
        self._add_shard(stream, shard.low, at - 1, shard.index, None, now_ms)
        self._add_shard(stream, at, shard.high, shard.index, None, now_ms)
        stream.index_open_shards()

    def merge(self, stream: Stream, shard: Shard, adjacent: Shard) -> None:
        """Close two neighbours and open their child."""
        now_ms = self._clock.now_ms()
        self._close_shard(shard, now_ms)
        self._close_shard(adjacent, now_ms)
        low, high = min(shard.low, adjacent.low), max(shard.high, adjacent.high)
        self._add_shard(stream, low, high, shard.index, adjacent.index, now_ms)
        stream.index_open_shards()

    def set_horizon(self, shard: Shard, position: int) -> None:
        """Make the records up to `position` unreadable."""
        shard.horizon = position
        self._store.connection.execute("UPDATE kinesis_shard SET horizon=? WHERE key=?", (position, shard.key))

    def add_consumer(self, consumer: Consumer) -> None:
        """Register a consumer whose name the caller has checked."""
        row = (consumer.arn, consumer.stream, consumer.name, consumer.created_ms)
        self._store.connection.execute("INSERT INTO kinesis_consumer(arn, stream, name, created_ms) VALUES(?,?,?,?)", row)
        self.consumers[consumer.arn] = consumer

    def remove_consumer(self, consumer: Consumer) -> None:
        """Deregister a consumer."""
        self._store.connection.execute("DELETE FROM kinesis_consumer WHERE arn=?", (consumer.arn,))
        del self.consumers[consumer.arn]

    def _add_shard(self, stream: Stream, low: int, high: int, parent: int | None, adjacent: int | None, now_ms: int) -> None:
        index = max(stream.shards, default=-1) + 1
        start = self.positions.take(now_ms)
        row = (stream.key, index, str(low), str(high), parent, adjacent, start, now_ms)
        insert = """INSERT INTO kinesis_shard(stream, number, low, high, parent, adjacent, start_position, created_ms, horizon)
                    VALUES(?,?,?,?,?,?,?,?,0)"""
        key = self._store.connection.execute(insert, row).lastrowid
        assert key is not None
        shard = Shard(key, index, low, high, parent, adjacent, start, None, now_ms, None, 0)
        stream.shards[index] = shard
        self.shards_by_key[key] = (stream, shard)

    def _close_shard(self, shard: Shard, now_ms: int) -> None:
        shard.end, shard.closed_ms = self.positions.take(now_ms), now_ms
        self._store.connection.execute("UPDATE kinesis_shard SET end_position=?, closed_ms=? WHERE key=?", (shard.end, now_ms, shard.key))
