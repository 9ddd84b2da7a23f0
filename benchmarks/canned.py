"""A stream whose GetRecords answers are bytes made beforehand: what is measured behind it is everything but the network."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from nearshift.streams.decode import decode_page
from nearshift.streams.reader import Description, ShardReader
from nearshift.streams.record import Batch, Position, Shard, ShardId, after, empty_records


class CannedSource:
    """One stream of answers per shard; each answer is read once, decoding included."""

    name = "demo-data-stream"

    def __init__(self, shards: int) -> None:
        self.answers: dict[ShardId, list[bytes]] = {ShardId(f"shardId-{i:012d}"): [] for i in range(shards)}

    def describe(self) -> Description:
        return Description("canned", timedelta(hours=24))

    def shards(self) -> list[Shard]:
        return [Shard(shard) for shard in self.answers]

    def open(self, shard: ShardId, position: Position) -> ShardReader:
        return _CannedReader(self, shard, position)

    def close(self) -> None:
        return None


class _CannedReader:
    def __init__(self, source: CannedSource, shard: ShardId, position: Position) -> None:
        self._source, self._shard, self._position = source, shard, position

    def read(self, *, limit_records: int) -> Batch:
        del limit_records
        asked = datetime.now(UTC)
        waiting = self._source.answers[self._shard]
        if not waiting:
            return Batch(empty_records(), self._position, 0, asked)
        page = decode_page(waiting.pop(0), self._shard)
        self._position = after(page.records["sequence_number"][-1].as_py())
        size = page.records["kinesis_data"].nbytes
        return Batch(page.records, self._position, 1000 if waiting else 0, asked, size)

    def close(self) -> None:
        return None
