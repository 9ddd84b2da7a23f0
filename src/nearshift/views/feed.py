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
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from nearshift import limits
from nearshift.clock import Clock
from nearshift.errors import Conflict, NearshiftError, StreamError
from nearshift.streams.checkpoint import Action, Checkpoint, Decision, decide_continuity, decide_opening, may_be_forgotten
from nearshift.streams.reader import Description, ShardReader, Source
from nearshift.streams.record import Position, Shard, ShardId
from nearshift.streams.shards import IdleShards, plan_shards
from nearshift.views.intake import Budget, Intake, ShardIntake

# A stream's description and shard list are asked for again after this long, and at once when a shard ends.
_LISTING_SECONDS = 5.0
# An idle shard's caught-up time is written this often, so that an idle stream does not cost a commit per look.
_CAUGHT_UP_SECONDS = 60.0


class Feed:
    """See the module. `hold` and `release` bracket all other calls."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self.source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted = 0
        self._wanted_lock = threading.Lock()
        self._readers: dict[ShardId, tuple[ShardReader, Position]] = {}
        self._reached: dict[ShardId, int] = {}  # the number of the last fetch that read a shard
        self._looks = 0
        self._idle = IdleShards()
        self._quiet: dict[ShardId, ShardIntake] = {}  # seen at their tips, not stored yet
        self._pool: ThreadPoolExecutor | None = None
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

    def fetch(self, stored: Mapping[ShardId, Checkpoint], *, may_go_on: bool = False, is_patient: bool = False) -> Intake:
        """Read what follows the stored checkpoints, within the bounds of one refresh transaction.

        `may_go_on` accepts gaps: they are marked in the intake. Otherwise a gap raises StreamError (58030), and nothing moves.
        `is_patient` leaves idle shards out that were looked at not long ago; `pause` says when to look again.
        """
        if self._pending is not None:
            return self._pending
        description, listed = self._list()
        look = _Look(stored, description, may_go_on=may_go_on)
        intake = Intake(description.identity)
        self._vanished(look, {shard.id for shard in listed}, intake)
        drained = {shard for shard, point in stored.items() if point.position.is_end and point.identity == description.identity}
        seen = set(self._idle.not_due(self._clock.monotonic())) if is_patient else set()
        while True:
            ready = [plan.shard for plan in plan_shards(listed, drained) if plan.is_readable and plan.shard.id not in seen]
            if not ready or look.budget.is_spent:
                intake.is_complete = intake.is_complete and not ready
                break
            # Who was left out last time for lack of room comes first.
            ready.sort(key=lambda shard: self._reached.get(shard.id, 0))
            look.known = {shard.id for shard in listed}
            seen |= {shard.id for shard in ready}
            for read in self._read_shards(ready, look):
                intake.is_complete = intake.is_complete and read.millis_behind == 0
                if read.next is not None and read.next.is_end:
                    drained.add(read.shard)
                    self._listing = None
                if _is_news(read, stored.get(read.shard)):
                    intake.shards.append(read)
                else:
                    self._quiet[read.shard] = read
            listed = self._list()[1]
        intake.is_complete = intake.is_complete and not look.budget.is_spent
        self._looks += 1
        self._add_quiet(intake, stored)
        self._pending = intake if intake.is_worth_a_commit else None
        return intake

    @property
    def pause(self) -> float:
        """How many seconds a patient reader may wait before the next fetch."""
        return self._idle.pause

    def stored(self) -> None:
        """Say that what `fetch` returned was stored in the open transaction; the next fetch goes on after it."""
        self._pending = None

    def reset(self) -> None:
        """Forget readers and what is pending: the next fetch begins at the stored checkpoints."""
        self._pending = None
        self._listing = None
        self._quiet.clear()
        for reader, _position in self._readers.values():
            reader.close()
        self._readers.clear()

    def close(self) -> None:
        """End reading; waits in other threads end with Cancelled."""
        self.source.close()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _list(self) -> tuple[Description, list[Shard]]:
        now = self._clock.monotonic()
        if self._listing is None or now - self._listing[0] > _LISTING_SECONDS:
            self._listing = (now, self.source.describe(), self.source.shards())
        return self._listing[1], self._listing[2]

    def _vanished(self, look: _Look, known: set[ShardId], intake: Intake) -> None:
        """Judge checkpoints whose shards the stream lists no longer."""
        now = self._clock.now()
        for shard, checkpoint in look.stored.items():
            if shard in known:
                continue
            decision = decide_opening(checkpoint, shard, listed=known, description=look.description, now=now)
            if decision.action is Action.FORGET or may_be_forgotten(checkpoint, look.description, now):
                intake.forgotten.append(shard)
                continue
            if checkpoint.position.is_end:
                continue
            if decision.action is Action.GAP:
                self._refuse_gap(shard, decision, look)
            intake.shards.append(
                ShardIntake(shard, (), next=decision.position, gap=decision if decision.reason else None, after=checkpoint.position)
            )

    def _read_shards(self, shards: list[Shard], look: _Look) -> list[ShardIntake]:
        """Read some shards, several at a time and page by page in turn, so that one far behind leaves room for the others.

        Returns what they gave in their order. Raises what the first of them raised, after all have ended.
        """
        readings = [found for shard in shards if (found := self._open(shard, look)) is not None]
        try:
            if len(readings) == 1:
                while self._step(readings[0], look):
                    pass
            elif readings:
                self._step_in_turn(readings, look)
        except BaseException:  # they may stand past what will be stored
            for reading in readings:
                reading.reader.close()
            raise
        for reading in readings:
            assert reading.intake.next is not None, "a read ends somewhere"
            self._readers[reading.shard] = (reading.reader, reading.intake.next)
            if reading.has_asked:
                self._reached[reading.shard] = self._looks + 1
                is_quiet = not reading.intake.count and reading.intake.caught_up_at is not None
                self._idle.looked(reading.shard, self._clock.monotonic(), is_quiet=is_quiet)
        return [reading.intake for reading in readings]

    def _step_in_turn(self, readings: list[_Reading], look: _Look) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(limits.FEED_READERS_MAX, thread_name_prefix=f"stream {self.source.name}")
        failed: NearshiftError | None = None
        running = {self._pool.submit(self._step, reading, look): reading for reading in readings}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                reading = running.pop(future)
                try:
                    if future.result() and failed is None:
                        running[self._pool.submit(self._step, reading, look)] = reading
                except NearshiftError as error:
                    failed = failed or error
        if failed is not None:
            raise failed

    def _open(self, shard: Shard, look: _Look) -> _Reading | None:
        checkpoint = look.stored.get(shard.id)
        parents = [look.stored[parent] for parent in shard.parents if parent in look.stored]
        opening = decide_opening(
            checkpoint, shard.id, listed=look.known, description=look.description, now=self._clock.now(), parents=parents
        )
        if opening.action is Action.FINISHED:
            return None
        intake = ShardIntake(shard.id, shard.parents, next=opening.position)
        followed = checkpoint if opening.action is Action.RESUME else None
        reading = _Reading(shard.id, self._reader(shard.id, opening.position), followed, intake)
        if opening.action is Action.GAP:
            self._refuse_gap(shard.id, opening, look)
            intake.gap, intake.after = opening, opening.position
        if opening.action is Action.RECREATED:
            intake.gap, intake.after = opening, checkpoint.position if checkpoint else None
        return reading

    def _step(self, reading: _Reading, look: _Look) -> bool:
        """Ask once for a shard; return whether to ask again. Called by one thread of the pool at a time for each shard."""
        intake = reading.intake
        reserved = look.budget.reserve()
        if not reserved:
            intake.millis_behind = max(intake.millis_behind, 1)
            return False
        batch = None
        try:
            batch = reading.reader.read(limit_records=reserved)
        finally:
            look.budget.settle(reserved, batch)
        reading.has_asked = True
        continuity = decide_continuity(reading.checkpoint, batch, look.description.retention)
        if continuity.action is Action.GAP:
            self._refuse_gap(reading.shard, continuity, look)
            intake.gap, intake.after = continuity, reading.checkpoint.position if reading.checkpoint else None
        if batch.count:
            intake.batches.append(batch)
        reading.empty_pages = 0 if batch.count else reading.empty_pages + 1
        intake.next, intake.millis_behind = batch.next, 0 if batch.is_end else batch.millis_behind
        if batch.is_at_tip:
            intake.caught_up_at = batch.asked_at
            return False
        if reading.empty_pages == limits.EMPTY_PAGES_MAX:
            intake.millis_behind = max(intake.millis_behind, 1)
            return False
        return True

    def _add_quiet(self, intake: Intake, stored: Mapping[ShardId, Checkpoint]) -> None:
        """Store the caught-up times of quiet shards along with something else, so that they seldom need a commit for themselves."""
        if not intake.is_worth_a_commit:
            return
        taken = {read.shard for read in intake.shards}
        intake.shards += [
            read
            for read in self._quiet.values()
            if read.shard not in taken and _is_caught_up_later(read, stored.get(read.shard), seconds=_CAUGHT_UP_SECONDS / 2)
        ]
        self._quiet.clear()

    def _reader(self, shard: ShardId, position: Position) -> ShardReader:
        """Return the open reader if it stands where the checkpoint says, else a new one there; it is kept again when it was read well."""
        found = self._readers.pop(shard, None)
        if found is not None and found[1] == position:
            return found[0]
        if found is not None:
            found[0].close()
        return self.source.open(shard, position)

    def _refuse_gap(self, shard: ShardId, decision: Decision, look: _Look) -> None:
        if look.may_go_on or decision.reason is None:
            return
        raise StreamError(
            f'stream "{self.source.name}", shard {shard}: {decision.reason.value}',
            detail="Records that were never stored are gone from the stream.",
            hint='Set on_gap = "record" under [targets.local] in nearshift.toml to go on and note what is lost, or load the items again.',
        )


@dataclass(slots=True)
class _Look:
    """What all shards of one fetch go by."""

    stored: Mapping[ShardId, Checkpoint]
    description: Description
    may_go_on: bool
    known: set[ShardId] = field(default_factory=set)
    budget: Budget = field(default_factory=Budget)


@dataclass(slots=True)
class _Reading:
    """One shard being read in one fetch."""

    shard: ShardId
    reader: ShardReader
    checkpoint: Checkpoint | None
    intake: ShardIntake
    empty_pages: int = 0
    has_asked: bool = False


def _is_news(read: ShardIntake, checkpoint: Checkpoint | None) -> bool:
    if read.batches or read.gap is not None or checkpoint is None or checkpoint.position != read.next:
        return True
    return _is_caught_up_later(read, checkpoint, seconds=_CAUGHT_UP_SECONDS)


def _is_caught_up_later(read: ShardIntake, checkpoint: Checkpoint | None, *, seconds: float) -> bool:
    """Return whether the shard was seen at its tip, and the checkpoint says so of a time longer ago than `seconds` before or not at all."""
    if read.caught_up_at is None or checkpoint is None or checkpoint.position != read.next:
        return False
    return checkpoint.caught_up_at is None or (read.caught_up_at - checkpoint.caught_up_at).total_seconds() > seconds
