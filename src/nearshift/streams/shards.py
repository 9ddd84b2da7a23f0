"""Which shards may be read now, decided from what the stream lists and what was read to its end; pure.

Resharding closes shards and opens children that take over their keys. A key's records stay in order only if every parent is read to its end
before its child ("After resharding", Amazon Kinesis Data Streams Developer Guide), so a child waits. A parent that is listed no longer has
passed its retention: nothing of it can be read, so nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from nearshift import limits
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


class IdleShards:
    """Which shards bring nothing, and when to look at them again: a thousand idle ones must not cost what a thousand busy ones do.

    A shard is idle after SHARD_IDLE_SECONDS without records. All idle shards of a stream together are looked at IDLE_LOOKS_PER_SECOND_MAX
    times a second, so that up to eight of them are looked at as often as Kinesis allows. Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._last_look: dict[ShardId, float] = {}
        self._quiet_since: dict[ShardId, float] = {}

    def looked(self, shard: ShardId, now: float, *, is_quiet: bool) -> None:
        """Note a look at a shard; `is_quiet` when it was at its tip and brought nothing. Safe to call from several threads."""
        self._last_look[shard] = now
        if is_quiet:
            self._quiet_since.setdefault(shard, now)
        else:
            self._quiet_since.pop(shard, None)

    @property
    def interval(self) -> float:
        """How many seconds lie between two looks at an idle shard, were all quiet ones idle."""
        return len(self._quiet_since) / limits.IDLE_LOOKS_PER_SECOND_MAX

    @property
    def pause(self) -> float:
        """How many seconds a reader of the stream may wait before it looks for shards that are due."""
        return min(1.0, max(limits.SHARD_READ_INTERVAL_MS / 2000, self.interval / 10))

    def not_due(self, now: float) -> set[ShardId]:
        """Return the idle shards that were looked at too short a while ago."""
        interval = self.interval
        return {
            shard
            for shard, since in self._quiet_since.items()
            if now - since >= limits.SHARD_IDLE_SECONDS and now - self._last_look[shard] < interval
        }
