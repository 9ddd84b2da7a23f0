"""The Kinesis service: its operations put together, the door for captured change records, and what time makes due."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from nearshift.localaws import consumers, kinesis_read, kinesis_shards, kinesis_streams, kinesis_write
from nearshift.localaws.capture import with_new_event_id
from nearshift.localaws.clock import Clock
from nearshift.localaws.constraints import Member, check_members
from nearshift.localaws.faults import CaptureChaos, Faults
from nearshift.localaws.kinesis_catalog import Catalog
from nearshift.localaws.kinesis_parts import OperationTable, Parts, Run
from nearshift.localaws.kinesis_records import Entry, RecordLog
from nearshift.localaws.metrics import Metrics
from nearshift.localaws.service import Decoder, Operation, Request
from nearshift.localaws.shards import Stream, hash_of_key
from nearshift.localaws.store import Store
from nearshift.localaws.throughput import Throughput

_TRIM_INTERVAL_MS = 10_000
_HELD_TABLE = """CREATE TABLE IF NOT EXISTS kinesis_held(number INTEGER PRIMARY KEY AUTOINCREMENT, due_ms INTEGER NOT NULL,
                 stream INTEGER NOT NULL, partition_key TEXT NOT NULL, payload BLOB NOT NULL)"""


class Kinesis:
    """Kinesis Data Streams. A `Service`; the server's loop owns it."""

    target = "Kinesis_20131202"
    json_version = "1.1"
    error_namespace = ""
    has_crc32 = False
    reads = kinesis_streams.READS | kinesis_shards.READS | kinesis_read.READS | consumers.READS
    decoders: Mapping[str, Decoder] = {}

    def __init__(self, store: Store, clock: Clock, faults: Faults | None = None) -> None:
        self._store = store
        catalog = Catalog(store, clock)
        self.parts = Parts(clock, catalog, RecordLog(store, catalog), faults or Faults(), Metrics(), Throughput())
        self._trimmed_ms = 0
        store.define(_HELD_TABLE)
        self._has_held = self._load_held()
        tables: tuple[OperationTable, ...] = (
            kinesis_streams.OPERATIONS,
            kinesis_shards.OPERATIONS,
            kinesis_write.OPERATIONS,
            kinesis_read.OPERATIONS,
            consumers.OPERATIONS,
        )
        self.operations: dict[str, Operation] = {
            name: self._bind(members, run) for table in tables for name, (members, run) in table.items()
        }

    def _bind(self, members: Mapping[str, Member], run: Run) -> Operation:
        def operation(request: Request, parameters: Any) -> dict[str, Any] | bytes:
            check_members(parameters, members)
            return run(self.parts, request, parameters)

        return operation

    def find_stream(self, arn: str) -> Stream:
        """Return the stream of an ARN; raises ResourceNotFoundException, or InvalidArgumentException for what is no ARN of a stream."""
        return self.parts.catalog.find_arn(arn)

    def append(self, stream: Stream, partition_key: str, payload: bytes) -> str:
        """Put one record with the bytes `payload` into a stream and return its sequence number; inside the caller's transaction."""
        size = len(payload) + len(partition_key.encode())
        entry = Entry(b64encode(payload), partition_key, hash_of_key(partition_key), size)
        appended = self.parts.records.append(stream, (entry,), self.parts.clock.now_ms())[0]
        kinesis_write.note_incoming(self.parts, stream, 1, size, {"PutRecord.Success": 1, "PutRecord.Bytes": size})
        return appended.sequence_number

    def capture(self, stream_arn: str, partition_key: str, payload: bytes) -> bool:
        """Put a change record of a table into a stream, inside the caller's transaction, as often and as late as the admin door has it.

        Returns False if the record is above the stream's record size and is dropped, as DynamoDB drops it. Raises
        ResourceNotFoundException if the stream does not exist.
        """
        return self.capture_many(stream_arn, ((partition_key, payload),)) == 0

    def capture_many(self, stream_arn: str, records: Iterable[tuple[str, bytes]]) -> int:
        """Put change records, each a partition key and a payload, into a stream as `capture` does; return how many were dropped."""
        stream = self.find_stream(stream_arn)
        chaos = self.parts.faults.capture.get(stream.arn)
        bytes_max = stream.record_kib_max * 1024
        entries: list[Entry] = []
        dropped = total = 0
        for partition_key, payload in records:
            size = len(payload) + len(partition_key.encode())
            if size > bytes_max:
                dropped += 1
            elif chaos is not None:
                self._capture_astray(chaos, stream, partition_key, payload)
            else:
                entries.append(Entry(b64encode(payload), partition_key, hash_of_key(partition_key), size))
                total += size
        if entries:
            self.parts.records.append(stream, entries, self.parts.clock.now_ms())
            # The way to see whether captured changes arrive is the stream's own PutRecord metrics.
            kinesis_write.note_incoming(self.parts, stream, len(entries), total, {"PutRecord.Success": 1, "PutRecord.Bytes": total})
        return dropped

    def _capture_astray(self, chaos: CaptureChaos, stream: Stream, partition_key: str, payload: bytes) -> None:
        for number, delay_ms in enumerate(chaos.plan_arrivals()):
            # Whether a change that is written twice keeps its eventID is not documented: half of the copies do.
            is_renamed = number > 0 and chaos.random.random() < 0.5
            arriving = with_new_event_id(payload, chaos.random) if is_renamed else payload
            if delay_ms == 0:
                self.append(stream, partition_key, arriving)
            else:
                self._hold(stream, partition_key, arriving, delay_ms)

    def _hold(self, stream: Stream, partition_key: str, payload: bytes, delay_ms: int) -> None:
        self._store.connection.execute(
            "INSERT INTO kinesis_held(due_ms, stream, partition_key, payload) VALUES(?,?,?,?)",
            (self.parts.clock.now_ms() + delay_ms, stream.key, partition_key, payload),
        )
        self._has_held = True

    def _load_held(self) -> bool:
        return self._store.connection.execute("SELECT 1 FROM kinesis_held LIMIT 1").fetchone() is not None

    def release_held(self) -> None:
        """Put the held records that are due into their streams; inside a transaction. Cheap if there are none."""
        if not self._has_held:
            return
        query = "SELECT number, stream, partition_key, payload FROM kinesis_held WHERE due_ms<=? ORDER BY due_ms, number"
        due = self._store.connection.execute(query, (self.parts.clock.now_ms(),)).fetchall()
        for number, stream_key, partition_key, payload in due:
            stream = self.parts.catalog.streams_by_key.get(stream_key)
            if stream is not None:
                self.append(stream, partition_key, payload)
            self._store.connection.execute("DELETE FROM kinesis_held WHERE number=?", (number,))
        self._has_held = self._load_held()

    @property
    def has_held(self) -> bool:
        """Say whether records are held back."""
        return self._has_held

    def maintain(self) -> None:
        """Trim streams to their retention, forget expired shards and dropped records; inside a transaction.

        Reading hides what is past retention at once, so that trimming need not be often.
        """
        now_ms = self.parts.clock.now_ms()
        self.parts.records.drop()
        if 0 <= now_ms - self._trimmed_ms < _TRIM_INTERVAL_MS:
            return
        self._trimmed_ms = now_ms
        for stream in list(self.parts.catalog.streams_by_key.values()):
            self.parts.records.trim(stream, now_ms)
            cut_ms = stream.cut_ms(now_ms)
            for shard in [shard for shard in stream.shards.values() if shard.closed_ms is not None and shard.closed_ms <= cut_ms]:
                self.parts.catalog.forget_shard(stream, shard)
        self.parts.metrics.forget(now_ms)
