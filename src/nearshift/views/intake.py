"""What one look at a stream brought for one view, and how much it may bring."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime

from nearshift import limits
from nearshift.streams.checkpoint import Decision
from nearshift.streams.record import Batch, Position, ShardId


@dataclass(slots=True)
class ShardIntake:
    """What was read of one shard in one go: batches in order, where the next read begins, and a gap if one was found before them."""

    shard: ShardId
    parents: tuple[ShardId, ...]
    batches: list[Batch] = field(default_factory=list)
    next: Position | None = None
    millis_behind: int = 0
    caught_up_at: datetime | None = None
    gap: Decision | None = None
    after: Position | None = None

    @property
    def count(self) -> int:
        """The records read."""
        return sum(batch.count for batch in self.batches)

    @property
    def payload_bytes(self) -> int:
        """The bytes of their payloads."""
        return sum(batch.payload_bytes for batch in self.batches)


@dataclass(slots=True)
class Intake:
    """What one look at the stream brought. `is_complete` when every shard was read to its tip."""

    identity: str
    shards: list[ShardIntake] = field(default_factory=list)
    forgotten: list[ShardId] = field(default_factory=list)  # checkpoints of a stream that is no more
    is_complete: bool = True

    @property
    def count(self) -> int:
        """The records read."""
        return sum(shard.count for shard in self.shards)

    @property
    def is_worth_a_commit(self) -> bool:
        """Whether there is anything to store: records, a moved position, a gap, or a caught-up time that grew old."""
        return bool(self.shards or self.forgotten)


class Budget:
    """What one refresh transaction may still take in. Safe to share between the threads that read its shards."""

    def __init__(self, records: int = limits.REFRESH_RECORDS_MAX, size: int = limits.REFRESH_BYTES_MAX) -> None:
        self._settled = threading.Condition()
        self._asking = 0
        self._records_left = records
        self._bytes_left = size

    @property
    def is_spent(self) -> bool:
        """Whether nothing more should be asked for."""
        return self._records_left <= 0 or self._bytes_left <= 0

    def reserve(self) -> int:
        """Return how many records to ask for, kept free for who asks until `settle`; 0 when nothing is left.

        Waits while all that is left is kept for others: they may not need it.
        """
        with self._settled:
            self._settled.wait_for(lambda: self._records_left > 0 or not self._asking)
            if self.is_spent:
                return 0
            count = min(self._records_left, limits.GET_RECORDS_COUNT_MAX)
            self._records_left -= count
            self._asking += 1
            return count

    def settle(self, reserved: int, batch: Batch | None) -> None:
        """Give back what an answer did not use; None when there was no answer."""
        with self._settled:
            self._asking -= 1
            self._settled.notify_all()
            self._records_left += reserved - (batch.count if batch is not None else 0)
            self._bytes_left -= batch.payload_bytes if batch is not None else 0
