"""Which shards may be read now, decided from what the stream lists and what was read to its end; pure.

Resharding closes shards and opens children that take over their keys. A key's records stay in order only if every parent is read to its end
before its child ("After resharding", Amazon Kinesis Data Streams Developer Guide), so a child waits. A parent that is listed no longer has
passed its retention: nothing of it can be read, so nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from nearshift.streams.record import Shard, ShardId


class Readiness(Enum):
    """What to do with one listed shard; the value is the sentence that a person reads."""

    READABLE = "its parents are read to their ends"
    PARENT_LISTED = "a parent is not yet read to its end"
    DRAINED = "it is closed and read to its end"


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """One shard, whether it may be read, and the parents it waits for."""

    shard: Shard
    readiness: Readiness
    waits_for: tuple[ShardId, ...] = ()

    @property
    def is_readable(self) -> bool:
        """Whether the shard may be read now."""
        return self.readiness is Readiness.READABLE


def plan_shards(listed: Iterable[Shard], drained: Collection[ShardId]) -> list[ShardPlan]:
    """Return a plan for each listed shard, in the order of their ids; `drained` are the shards whose checkpoint is END."""
    shards = sorted(listed, key=lambda shard: shard.id)
    known = {shard.id for shard in shards}
    return [_plan_shard(shard, known, drained) for shard in shards]


def _plan_shard(shard: Shard, known: Collection[ShardId], drained: Collection[ShardId]) -> ShardPlan:
    if shard.id in drained:
        return ShardPlan(shard, Readiness.DRAINED)
    waits_for = tuple(parent for parent in shard.parents if parent in known and parent not in drained)
    return ShardPlan(shard, Readiness.PARENT_LISTED if waits_for else Readiness.READABLE, waits_for)


def plan_forgetting(listed: Iterable[Shard], drained: Iterable[ShardId]) -> list[ShardId]:
    """Return the drained shards whose checkpoints may be deleted: the stream lists them no longer, and so never will again."""
    known = {shard.id for shard in listed}
    return sorted(shard for shard in drained if shard not in known)
