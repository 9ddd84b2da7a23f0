"""One streaming view's place in its stream: readers, what was fetched and not stored yet, and who may use them.

Rules. Whoever stores records of a view holds its feed until the transaction ends, so checkpoints move in commit order. A background
refresh fetches *before* it waits for the write lane; a transaction that has the lane may then ask for the feed. To keep the two from
waiting for each other, the background refresh gives the feed up while it waits for the lane if somebody asks, and leaves what it fetched
as `pending`, which the other stores. What was fetched is bound to the stored checkpoints it followed; after a rollback everything is read
again from those.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nearshift import limits
from nearshift.clock import Clock
from nearshift.errors import Conflict, StreamError
from nearshift.streams.checkpoint import Action, Checkpoint, Decision, decide_continuity, decide_opening
from nearshift.streams.reader import Description, ShardReader, Source
from nearshift.streams.record import Batch, Position, Shard, ShardId
from nearshift.streams.shards import plan_shards

# A stream's description and shard list are asked for again after this long, and at once when a shard ends.
_LISTING_SECONDS = 5.0
# An idle shard's caught-up time is written this often, so that an idle stream does not cost a commit per look.
_CAUGHT_UP_SECONDS = 60.0


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


class Feed:
    """See the module. `hold` and `release` bracket all other calls."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self.source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted = 0
        self._wanted_lock = threading.Lock()
        self._readers: dict[ShardId, tuple[ShardReader, Position]] = {}
        self._pending: Intake | None = None
        self._listing: tuple[float, Description, list[Shard]] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for the feed."""
        return self._wanted > 0

    def hold(self, seconds: float) -> None:
        """Wait for the feed. Raises Conflict (55P03) when it is not free in time."""
        with self._wanted_lock:
            self._wanted += 1
        try:
            if not self._lock.acquire(timeout=seconds):
                raise Conflict("could not refresh: another refresh of the view is running", sqlstate="55P03", hint="Try again later.")
        finally:
            with self._wanted_lock:
                self._wanted -= 1

    def release(self) -> None:
        """Let others have it."""
        self._lock.release()

    def fetch(self, stored: Mapping[ShardId, Checkpoint], *, may_go_on: bool = False) -> Intake:
        """Read what follows the stored checkpoints, within the bounds of one refresh transaction.

        `may_go_on` accepts gaps: they are marked in the intake. Otherwise a gap raises StreamError (58030), and nothing moves.
        """
        if self._pending is not None:
            return self._pending
        description, listed = self._list()
        intake = Intake(description.identity)
        budget = _Budget()
        drained = {shard for shard, point in stored.items() if point.position.is_end and point.identity == description.identity}
        known = {shard.id: shard for shard in listed}
        self._vanished(stored, description, set(known), intake, may_go_on=may_go_on)
        seen: set[ShardId] = set()
        while True:
            ready = [plan.shard for plan in plan_shards(listed, drained) if plan.is_readable and plan.shard.id not in seen]
            if not ready or budget.is_spent:
                intake.is_complete = intake.is_complete and not ready
                break
            for shard in ready:
                seen.add(shard.id)
                read = self._read_shard(shard, stored.get(shard.id), description, set(known), budget, may_go_on=may_go_on)
                if read is None:
                    continue
                intake.is_complete = intake.is_complete and read.millis_behind == 0
                if read.next is not None and read.next.is_end:
                    drained.add(shard.id)
                    self._listing = None
                    listed = self._list()[1]
                    known = {shard.id: shard for shard in listed}
                if _is_news(read, stored.get(shard.id)):
                    intake.shards.append(read)
        self._pending = intake if intake.is_worth_a_commit else None
        return intake

    def stored(self) -> None:
        """Say that what `fetch` returned was stored in the open transaction; the next fetch goes on after it."""
        self._pending = None

    def reset(self) -> None:
        """Forget readers and what is pending: the next fetch begins at the stored checkpoints."""
        self._pending = None
        self._listing = None
        for reader, _position in self._readers.values():
            reader.close()
        self._readers.clear()

    def close(self) -> None:
        """End reading; waits in other threads end with Cancelled."""
        self.source.close()

    def _list(self) -> tuple[Description, list[Shard]]:
        now = self._clock.monotonic()
        if self._listing is None or now - self._listing[0] > _LISTING_SECONDS:
            self._listing = (now, self.source.describe(), self.source.shards())
        return self._listing[1], self._listing[2]

    def _vanished(
        self, stored: Mapping[ShardId, Checkpoint], description: Description, known: set[ShardId], intake: Intake, *, may_go_on: bool
    ) -> None:
        """Judge checkpoints whose shards the stream lists no longer."""
        for shard, checkpoint in stored.items():
            if shard in known:
                continue
            decision = decide_opening(checkpoint, shard, listed=known, description=description, now=self._clock.now())
            if decision.action is Action.FORGET:
                intake.forgotten.append(shard)
                continue
            if checkpoint.position.is_end:
                continue
            if decision.action is Action.GAP:
                self._refuse_gap(shard, decision, may_go_on=may_go_on)
            intake.shards.append(
                ShardIntake(shard, (), next=decision.position, gap=decision if decision.reason else None, after=checkpoint.position)
            )

    def _read_shard(
        self,
        shard: Shard,
        checkpoint: Checkpoint | None,
        description: Description,
        known: set[ShardId],
        budget: _Budget,
        *,
        may_go_on: bool,
    ) -> ShardIntake | None:
        opening = decide_opening(checkpoint, shard.id, listed=known, description=description, now=self._clock.now())
        if opening.action is Action.FINISHED:
            return None
        reader = self._reader(shard.id, opening.position)
        read = ShardIntake(shard.id, shard.parents, next=opening.position)
        if opening.action is Action.RECREATED:
            read.gap, read.after = opening, checkpoint.position if checkpoint else None
        empty_pages = 0
        while not budget.is_spent and empty_pages < limits.EMPTY_PAGES_MAX:
            batch = reader.read(limit_records=budget.records_left)
            continuity = decide_continuity(checkpoint, batch, description.retention)
            if continuity.action is Action.GAP:
                self._refuse_gap(shard.id, continuity, may_go_on=may_go_on)
                read.gap, read.after = continuity, checkpoint.position if checkpoint else None
            budget.spend(batch)
            if batch.count:
                read.batches.append(batch)
            empty_pages = 0 if batch.count else empty_pages + 1
            read.next, read.millis_behind = batch.next, 0 if batch.is_end else batch.millis_behind
            if batch.is_at_tip:
                read.caught_up_at = batch.asked_at
                break
        else:
            read.millis_behind = max(read.millis_behind, 1)
        assert read.next is not None, "a read ends somewhere"
        self._readers[shard.id] = (reader, read.next)
        return read

    def _reader(self, shard: ShardId, position: Position) -> ShardReader:
        """Return the open reader if it stands where the checkpoint says, else a new one there."""
        found = self._readers.get(shard)
        if found is not None and found[1] == position:
            return found[0]
        if found is not None:
            found[0].close()
        return self.source.open(shard, position)

    def _refuse_gap(self, shard: ShardId, decision: Decision, *, may_go_on: bool) -> None:
        if may_go_on or decision.reason is None:
            return
        self.reset()
        raise StreamError(
            f'stream "{self.source.name}", shard {shard}: {decision.reason.value}',
            detail="Records that were never stored are gone from the stream.",
            hint='Set on_gap = "record" under [targets.local] in nearshift.toml to go on and note what is lost, or load the items again.',
        )


@dataclass(slots=True)
class _Budget:
    """What one refresh transaction may still take in."""

    records_left: int = limits.REFRESH_RECORDS_MAX
    bytes_left: int = limits.REFRESH_BYTES_MAX

    @property
    def is_spent(self) -> bool:
        return self.records_left <= 0 or self.bytes_left <= 0

    def spend(self, batch: Batch) -> None:
        self.records_left -= batch.count
        self.bytes_left -= batch.payload_bytes


def _is_news(read: ShardIntake, checkpoint: Checkpoint | None) -> bool:
    if read.batches or read.gap is not None or checkpoint is None or checkpoint.position != read.next:
        return True
    if read.caught_up_at is None:
        return False
    return checkpoint.caught_up_at is None or (read.caught_up_at - checkpoint.caught_up_at).total_seconds() > _CAUGHT_UP_SECONDS
