"""A source over any stream that is read by asking: iterators, pacing, retries and the proof that nothing was lost or came twice.

Theory of operation. A reader is at a Position. It gets an iterator there and asks with it; each answer brings the next iterator. Whatever
fails, the Position stands, and it alone decides what is handed out: a lost iterator is made anew from it, and records of an answer that do
not lie after it are dropped, whether the stream repeated itself or was asked for the record before on purpose (`record.Overlap`).
Iterators made anew belong to whatever stream now has the name, so the stream's identity is asked for after each and must be the reader's.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from random import Random

import pyarrow as pa
import pyarrow.compute as pc

from nearshift import limits
from nearshift.clock import Clock, SystemClock
from nearshift.errors import Cancelled, StreamError
from nearshift.streams.calls import CallFailed, FailureKind, Page, StreamCalls
from nearshift.streams.patience import Patience, explain
from nearshift.streams.reader import Description, ShardReader
from nearshift.streams.record import (
    END,
    OLDEST,
    Batch,
    Overlap,
    Place,
    Position,
    SequenceNumber,
    Shard,
    ShardId,
    after,
    empty_records,
    is_later,
)


class PolledSource:
    """One stream behind StreamCalls; keeps the promises of `reader.Source`. Owns and closes the calls."""

    def __init__(self, name: str, calls: StreamCalls, *, clock: Clock | None = None, random: Random | None = None) -> None:
        self._name = name
        self._calls = calls
        self._clock = clock or SystemClock()
        self._patience = Patience(name, self._clock, random or Random())
        self._described: Description | None = None
        self._describe_again_at = 0.0  # monotonic seconds

    @property
    def name(self) -> str:
        """The stream's name as the user wrote it."""
        return self._name

    def describe(self) -> Description:
        """Say who the stream is; readers opened from here on belong to that identity.

        An answer serves for STREAM_DESCRIPTION_SECONDS. It may be out of date by then without harm: readers ask for themselves.
        """
        if self._described is None or self._clock.monotonic() >= self._describe_again_at:
            self._described = self.look()
            self._describe_again_at = self._clock.monotonic() + limits.STREAM_DESCRIPTION_SECONDS
        return self._described

    def look(self) -> Description:
        """Ask the stream who it is now. What `describe` said before stays so for readers opened later, until `describe` is called again."""
        try:
            found = self._patience.run(self._calls.describe, self._label())
        except CallFailed as failure:
            raise explain(failure, self._label()) from failure
        if self._described is not None and found != self._described:
            self._describe_again_at = 0.0
        return found

    def shards(self) -> list[Shard]:
        """Return all shards, page by page; a list that took too long is asked for from its start."""
        for attempt in range(limits.STREAM_RETRIES_MAX + 1):
            try:
                return self._list_all()
            except CallFailed as failure:
                if failure.kind is not FailureKind.TOKEN_EXPIRED or attempt == limits.STREAM_RETRIES_MAX:
                    raise explain(failure, self._label(), attempts=attempt + 1) from failure
        raise AssertionError("the last attempt returns or raises")

    def _list_all(self) -> list[Shard]:
        found: list[Shard] = []
        token: str | None = None
        for _ in range(limits.SHARD_PAGES_MAX):
            page = self._patience.run(partial(self._calls.list_shards, token), self._label())
            found += page.shards
            token = page.next_token
            if token is None:
                return found
        raise CallFailed(FailureKind.REFUSED, f"it lists more than {limits.SHARD_PAGES_MAX} pages of shards")

    def open(self, shard: ShardId, position: Position) -> ShardReader:
        """Return a reader of one shard."""
        identity = None if self._described is None else self._described.identity
        return _PolledReader(self, self._calls, self._clock, self._patience, shard, position, identity)

    def close(self) -> None:
        """Release connections and end all waits."""
        self._patience.stop()
        self._calls.close()

    def _label(self) -> str:
        return f'stream "{self._name}"'


class _PolledReader:
    def __init__(
        self,
        source: PolledSource,
        calls: StreamCalls,
        clock: Clock,
        patience: Patience,
        shard: ShardId,
        position: Position,
        identity: str | None,
    ) -> None:
        self._source = source
        self._calls = calls
        self._clock = clock
        self._patience = patience
        self._shard = shard
        self._position = position
        self._identity = identity
        self._iterator: str | None = None
        self._is_unproven = False
        self._is_refused = False  # the stream does not know the position: begin at the oldest, and let the overlap tell
        self._asked_at: datetime | None = None
        self._next_read_at = 0.0  # monotonic seconds
        self._throttled_until = 0.0
        self._is_closed = False

    def read(self, *, limit_records: int) -> Batch:
        if self._is_closed:
            message = f'the reader of stream "{self._source.name}" was closed'
            raise Cancelled(message)
        assert limit_records > 0, "a read asks for something"
        if self._position.is_end:
            return Batch(empty_records(), END, 0, self._clock.now())
        self._patience.wait(self._next_read_at - self._clock.monotonic())
        part = f'shard "{self._shard}" of stream "{self._source.name}"'
        try:
            page = self._patience.run(partial(self._ask, limit_records), part, self._note_failure)
        except CallFailed as failure:
            self._iterator = None
            raise self._explain_absence(failure, part) from failure
        assert self._asked_at is not None, "the question was put"
        self._pace(page)
        return self._accept(page, self._asked_at)

    def close(self) -> None:
        self._is_closed = True

    def _ask(self, limit: int) -> Page:
        if self._iterator is None:
            self._take_up()
        assert self._iterator is not None, "an iterator was taken"
        self._asked_at = self._clock.now()
        # One more than asked for: the first may be the record before the position, and a limit of one must still get on.
        wanted = min(limit + 1 if self._is_unproven else limit, limits.GET_RECORDS_COUNT_MAX)
        return self._calls.records(self._shard, self._iterator, wanted)

    def _take_up(self) -> None:
        if self._identity is None:
            self._identity = self._source.look().identity
        iterator = self._make_iterator()
        found = self._source.look().identity
        if found != self._identity:
            message = f'stream "{self._source.name}" was deleted and created again'
            detail = f"It was {self._identity} and is {found}."
            raise StreamError(message, detail=detail, hint="Refresh again: the new stream is read from its start.")
        self._iterator = iterator
        self._is_unproven = self._position.place is Place.AFTER

    def _make_iterator(self) -> str:
        if not self._is_refused:
            try:
                return self._calls.iterator(self._shard, self._position)
            except CallFailed as failure:
                if failure.kind is not FailureKind.POSITION_REFUSED:
                    raise
                self._is_refused = True
        return self._calls.iterator(self._shard, OLDEST)

    def _note_failure(self, failure: CallFailed) -> None:
        if failure.kind is FailureKind.ITERATOR_EXPIRED:
            self._iterator = None
        if failure.kind is FailureKind.THROTTLED:
            self._throttled_until = self._clock.monotonic() + limits.STREAM_THROTTLED_SECONDS

    def _explain_absence(self, failure: CallFailed, part: str) -> StreamError:
        if failure.kind is not FailureKind.MISSING:
            return explain(failure, part)
        found = self._source.look()  # raises when it is the stream that is missing
        if self._identity is not None and found.identity != self._identity:
            message = f'stream "{self._source.name}" was deleted and created again'
            return StreamError(message, hint="Refresh again: the new stream is read from its start.")
        hint = "Refresh again: shards are listed anew, and one that passed its retention is reported."
        return StreamError(f"{part} does not exist", sqlstate="42704", detail=f"The stream says: {failure.cause}.", hint=hint)

    def _pace(self, page: Page) -> None:
        now = self._clock.monotonic()
        is_slow = page.millis_behind == 0 or page.records.num_rows == 0 or now < self._throttled_until
        self._next_read_at = now + limits.SHARD_READ_INTERVAL_MS / 1000 if is_slow else now

    def _accept(self, page: Page, asked_at: datetime) -> Batch:
        records, found = _cut_seen(page.records, self._position.sequence_number)
        overlap = None
        if self._is_unproven:
            assert self._position.sequence_number is not None, "only a position after a record can be proved"
            overlap = Overlap(self._position.sequence_number, found)
            self._is_unproven = found is None
        self._iterator = page.next_iterator
        self._is_refused = self._is_refused and self._is_unproven
        if page.next_iterator is None:
            self._position = END
        elif records.num_rows:
            self._position = after(_sequence_number(records, records.num_rows - 1))
        return Batch(
            records=records,
            next=self._position,
            millis_behind=page.millis_behind,
            asked_at=asked_at,
            payload_bytes=pc.sum(pc.binary_length(records.column("kinesis_data"))).as_py() or 0,
            children=page.children,
            overlap=overlap,
        )


def _sequence_number(records: pa.RecordBatch, index: int) -> SequenceNumber:
    return SequenceNumber(records.column("sequence_number")[index].as_py())


def _cut_seen(records: pa.RecordBatch, seen: SequenceNumber | None) -> tuple[pa.RecordBatch, SequenceNumber | None]:
    """Return the records after `seen`, and the first of all that is not before it. Answers are in order, so what is seen leads."""
    if seen is None or records.num_rows == 0:
        return records, None
    first = _sequence_number(records, 0)
    if is_later(first, seen):
        return records, first
    count = 0
    last = first
    while count < records.num_rows and not is_later(last := _sequence_number(records, count), seen):
        if last == seen:
            return records.slice(count + 1), seen
        count += 1
    return records.slice(count), last if count < records.num_rows else None
