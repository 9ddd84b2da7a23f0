"""Where to go on after a pause, and whether something was lost meanwhile; pure.

Theory of operation. A view stores one Checkpoint per shard in the commit that stores the rows. Streams forget: a record is gone when it is
older than the retention, and a stream asked for what comes after a forgotten record answers with the oldest one it still has, in silence.
So loss has to be proved absent. Three facts do it:

1. The reader asks for the record *at* the checkpoint again. If it comes first, nothing between it and its successors can be missing, since
   streams forget from the old end only. If a later one comes first, or nothing at all, the record is gone, and perhaps others with it.
2. `caught_up_at` is the last moment at which the stream had nothing more for us. If that is less than one retention ago, whatever came
   later is still there, and what is missing is only an old record that was stored long ago. Without this rule every idle shard would be a
   false alarm.
3. A shard that vanished from the list before it was read to its end took its records with it, unless rule 2 says there were none.
4. Where nothing was ever read of a shard there is no record to ask for again. Then only rule 2 can speak for it, by its own checkpoint or,
   if it has none, by those of its parents, which were read to the end when it had begun already. Streams that count their records (their
   retention is given as nothing: rule 2 never speaks) need neither: what they have first tells what is missing before it.

A stream that was deleted and made again under its name has another identity; its sequence numbers mean nothing to the old checkpoints, and
its shards have the same ids. A checkpoint of a shard that the new stream does not have must go, not be carried over: a later split may make
that id again, and an END kept from the old stream would hide all its records.

Doubts left: lowering the retention and raising it again within one pause makes rule 2 too kind.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from nearshift.streams.reader import Description
from nearshift.streams.record import END, OLDEST, Batch, Position, ShardId


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """For one view and shard: up to where rows are committed, of which stream, and when the shard last had nothing more (aware UTC)."""

    shard: ShardId
    position: Position
    identity: str
    caught_up_at: datetime | None = None


class Action(Enum):
    """What to do with a shard."""

    START = "start"  # no checkpoint: read from the oldest record
    RESUME = "resume"  # go on at the checkpoint; nothing is known to be missing
    WAIT = "wait"  # read on before judging
    GAP = "gap"  # records were lost
    RECREATED = "recreated"  # another stream under the same name: read it from its oldest record
    FORGET = "forget"  # another stream under the same name, which has no such shard (yet): delete the checkpoint
    FINISHED = "finished"  # nothing left to read


class GapReason(Enum):
    """How records were lost; the value is the sentence that a person reads."""

    TRIMMED = "the stream has forgotten records after the last one stored"
    EMPTIED = "the stream has forgotten the last record stored and shows none after it"
    UNSEEN = "nobody looked at the shard for longer than the stream keeps records, and nothing proves that none was forgotten"
    SHARD_EXPIRED = "the shard was forgotten before it was read to its end"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, from where, and why if something is wrong. On GAP and RECREATED `position` is where reading may go on regardless."""

    action: Action
    position: Position
    reason: GapReason | None = None


def decide_opening(
    checkpoint: Checkpoint | None,
    shard: ShardId,
    *,
    listed: Collection[ShardId],
    description: Description,
    now: datetime,
    parents: Collection[Checkpoint] = (),
) -> Decision:
    """Decide how to take up one shard, before anything of it was read; `parents` are the checkpoints of its parents that there are."""
    if checkpoint is None:
        read = [parent for parent in parents if parent.identity == description.identity and parent.position.is_end]
        if any(_is_unseen_since(parent, now, description.retention) for parent in read):
            return Decision(Action.GAP, OLDEST, GapReason.UNSEEN)
        return Decision(Action.START, OLDEST)
    assert checkpoint.shard == shard, "a checkpoint belongs to one shard"
    if checkpoint.identity != description.identity:
        return Decision(Action.RECREATED if shard in listed else Action.FORGET, OLDEST)
    if checkpoint.position.is_end:
        return Decision(Action.FINISHED, END)
    if shard in listed:
        if checkpoint.position == OLDEST and _is_unseen_since(checkpoint, now, description.retention):
            return Decision(Action.GAP, OLDEST, GapReason.UNSEEN)
        return Decision(Action.RESUME, checkpoint.position)
    if _was_caught_up(checkpoint, now, description.retention):
        return Decision(Action.FINISHED, END)
    return Decision(Action.GAP, END, GapReason.SHARD_EXPIRED)


def decide_continuity(checkpoint: Checkpoint | None, batch: Batch, retention: timedelta) -> Decision:
    """Decide from a batch whether the shard goes on where `checkpoint` (the one stored last) ended.

    Without a checkpoint reading starts, and what was before it is nobody's loss. WAIT means that the stream has shown nothing yet although
    more is there: the batch is empty; read again.
    """
    overlap = batch.overlap
    if checkpoint is None or overlap is None or overlap.found == overlap.expected:
        return Decision(Action.RESUME, batch.next)
    if overlap.found is None and not batch.is_at_tip:
        return Decision(Action.WAIT, batch.next)
    if _was_caught_up(checkpoint, batch.asked_at, retention):
        return Decision(Action.RESUME, batch.next)
    return Decision(Action.GAP, batch.next, GapReason.EMPTIED if overlap.found is None else GapReason.TRIMMED)


def may_be_forgotten(checkpoint: Checkpoint, description: Description, now: datetime) -> bool:
    """Return whether the checkpoint of a shard that the stream lists no longer can go: it ended, and will not be listed again.

    Twice the retention is left, in case a list of shards was out of date.
    """
    if not checkpoint.position.is_end or checkpoint.identity != description.identity or checkpoint.caught_up_at is None:
        return False
    return checkpoint.caught_up_at < now - 2 * description.retention


def _is_unseen_since(checkpoint: Checkpoint, now: datetime, retention: timedelta) -> bool:
    return bool(retention) and checkpoint.caught_up_at is not None and checkpoint.caught_up_at <= now - retention


def _was_caught_up(checkpoint: Checkpoint, now: datetime, retention: timedelta) -> bool:
    return checkpoint.caught_up_at is not None and checkpoint.caught_up_at > now - retention
