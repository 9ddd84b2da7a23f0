"""Streams and their shards as values, and the pure decisions about them: where a key goes, how a stream is resharded."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from nearshift.localaws.sequence import encode_sequence

HASH_MAX = 2**128 - 1
HOUR_MS = 3_600_000


@dataclass(slots=True)
class Shard:
    """One shard: hash keys `low` to `high` inclusive, positions from `start` to `end` (None while open)."""

    key: int  # in the whole store, never used again
    index: int  # in its stream
    low: int
    high: int
    parent: int | None
    adjacent: int | None
    start: int
    end: int | None
    created_ms: int
    closed_ms: int | None
    horizon: int  # records up to this position have been trimmed by hand

    @property
    def id(self) -> str:
        """Return the name that clients use, `shardId-` and twelve digits."""
        return shard_id(self.index)

    @property
    def is_open(self) -> bool:
        """Say whether records can be put into it."""
        return self.closed_ms is None

    def hash_range(self) -> dict[str, str]:
        """Return HashKeyRange."""
        return {"StartingHashKey": str(self.low), "EndingHashKey": str(self.high)}

    def describe(self) -> dict[str, object]:
        """Return the Shard structure of ListShards and DescribeStream."""
        sequence_range = {"StartingSequenceNumber": encode_sequence(self.start, self.index)}
        answer: dict[str, object] = {"ShardId": self.id, "HashKeyRange": self.hash_range(), "SequenceNumberRange": sequence_range}
        if self.parent is not None:
            answer["ParentShardId"] = shard_id(self.parent)
        if self.adjacent is not None:
            answer["AdjacentParentShardId"] = shard_id(self.adjacent)
        if self.end is not None:
            sequence_range["EndingSequenceNumber"] = encode_sequence(self.end, self.index)
        return answer


@dataclass(slots=True)
class Stream:
    """One stream with all its shards, open and closed, by index."""

    key: int
    account: str
    region: str
    name: str
    created_ms: int
    retention_hours: int
    mode: str
    record_kib_max: int
    tags: dict[str, str] = field(default_factory=dict)
    shards: dict[int, Shard] = field(default_factory=dict)
    open_shards: list[Shard] = field(default_factory=list)
    open_lows: list[int] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """Return the stream's ARN."""
        return f"arn:aws:kinesis:{self.region}:{self.account}:stream/{self.name}"

    def index_open_shards(self) -> None:
        """Bring `open_shards` up to date after `shards` has changed."""
        self.open_shards = sorted((shard for shard in self.shards.values() if shard.is_open), key=lambda shard: shard.low)
        self.open_lows = [shard.low for shard in self.open_shards]

    def route(self, hash_key: int) -> Shard:
        """Return the open shard whose range holds the hash key."""
        return self.open_shards[bisect_right(self.open_lows, hash_key) - 1]

    def cut_ms(self, now_ms: int) -> int:
        """Return the instant before which records are past retention."""
        return now_ms - self.retention_hours * HOUR_MS

    def visible_shards(self, now_ms: int) -> list[Shard]:
        """Return the shards that are open or closed within retention, in order of their index."""
        cut_ms = self.cut_ms(now_ms)
        return [shard for _, shard in sorted(self.shards.items()) if shard.closed_ms is None or shard.closed_ms > cut_ms]

    def children_of(self, shard: Shard) -> list[dict[str, object]]:
        """Return the ChildShards structures of a closed shard."""
        return [
            {
                "ShardId": child.id,
                "ParentShards": [shard_id(parent) for parent in (child.parent, child.adjacent) if parent is not None],
                "HashKeyRange": child.hash_range(),
            }
            for _, child in sorted(self.shards.items())
            if shard.index in (child.parent, child.adjacent)
        ]


def shard_id(index: int) -> str:
    """Return the name of the shard with this index."""
    return f"shardId-{index:012d}"


def parse_shard_id(text: str) -> int | None:
    """Return the index in a shard's name, or None; like AWS it also takes the number without the prefix."""
    digits = text.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else None


def hash_of_key(partition_key: str) -> int:
    """Return the 128-bit hash key of a partition key (MD5, as "PutRecord" in the Kinesis API reference says)."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest(), "big")


def even_ranges(count: int) -> list[tuple[int, int]]:
    """Cut the hash keys into `count` ranges of nearly equal size."""
    bounds = [(HASH_MAX + 1) * index // count for index in range(count + 1)]
    return [(low, high - 1) for low, high in pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class Split:
    """Split the open shard that holds `at` so that its upper child begins there."""

    at: int


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge the open shards on both sides of `at`."""

    at: int


def plan_uniform_scaling(open_ranges: Sequence[tuple[int, int]], target: int) -> list[Split | Merge]:
    """Return the steps from the open ranges to `target` even ones: first cut at every wanted bound, then merge at every other bound.

    A range that is wanted already is left alone. AWS does the same with temporary shards ("UpdateShardCount", Kinesis API reference).
    """
    present = {low for low, _ in open_ranges}
    wanted = {low for low, _ in even_ranges(target)}
    steps: list[Split | Merge] = [Split(at) for at in sorted(wanted - present)]
    steps.extend(Merge(at) for at in sorted(present - wanted))
    return steps
