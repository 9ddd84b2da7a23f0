"""One reading of a stream for all views on it: what one of them fetched is kept until the others have taken it.

All readers of a shard together may ask it five times and take two megabytes a second ("Quotas and limits", Kinesis Data Streams), so ten
views that read for themselves would each get a tenth. Here the readers of a shard that stand at its head ask once, and all use the answer.

Theory of operation. A shard has a *chain*: answers in a row, each beginning where the one before it ended, and a reader of the stream at
the chain's head. A view's reader stands somewhere on the chain and is served from it, or off the chain, where it has a reader of its own
until it comes upon the chain. Links that everybody on the chain has passed go at once; when the kept links are too many bytes, the oldest
go and who needed them steps off the chain. Nothing depends on the chain for being right: positions alone decide what a view gets next.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from nearshift import limits
from nearshift.errors import Cancelled, StreamError
from nearshift.streams.reader import Description, ShardReader, Source
from nearshift.streams.record import Batch, Place, Position, Shard, ShardId, after


class SharedStream:
    """A stream's source and the recent answers of its shards, for any number of views. Safe to share between threads; owns the source."""

    def __init__(self, source: Source, *, bytes_max: int = limits.SHARED_BYTES_MAX) -> None:
        self.name = source.name
        self._source = source
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        # Apart from the other, which a close needs while somebody waits for the stream under this one.
        self._source_lock = threading.Lock()
        self._shares = 0
        self._is_closed = False
        self._chains: dict[tuple[str, ShardId], _Chain] = {}
        self._bytes_lock = threading.Lock()
        self._bytes = 0

    @property
    def kept_bytes(self) -> int:
        """The bytes of the answers that are kept for somebody."""
        return self._bytes

    def share(self) -> Source:
        """Return a source that reads along. The stream's own is closed with the last of them; Cancelled is raised from then on."""
        with self._lock:
            if self._is_closed:
                message = f'stream "{self.name}" was closed'
                raise Cancelled(message)
            self._shares += 1
        return _Share(self)

    def describe(self) -> Description:
        """Ask as `Source.describe` does."""
        with self._source_lock:
            return self._source.describe()

    def shards(self) -> list[Shard]:
        """Ask as `Source.shards` does."""
        return self._source.shards()

    def open_own(self, shard: ShardId, position: Position, identity: str) -> ShardReader:
        """Return a reader of the stream itself. Raises StreamError when the stream is not any more the one of `identity`."""
        with self._source_lock:
            if self._source.describe().identity != identity:
                message = f'stream "{self.name}" was deleted and created again'
                raise StreamError(message, hint="Refresh again: the new stream is read from its start.")
            return self._source.open(shard, position)

    def chain(self, shard: ShardId, identity: str) -> _Chain:
        """Return the chain of one shard of the stream with this identity; those of earlier streams of the name are forgotten."""
        with self._lock:
            for key in [key for key, chain in self._chains.items() if key[0] != identity and not chain.has_readers]:
                del self._chains[key]
            found = self._chains.get((identity, shard))
            if found is None:
                found = self._chains[identity, shard] = _Chain(self, shard, identity)
            return found

    def count(self, size: int) -> bool:
        """Count kept bytes in (or out, if negative); return whether they are within the bound now."""
        with self._bytes_lock:
            self._bytes += size
            return self._bytes <= self._bytes_max

    def close_share(self) -> None:
        """Count a share out, and close the source with the last."""
        with self._lock:
            self._shares -= 1
            self._is_closed = self._is_closed or self._shares == 0
            is_last = self._is_closed
            chains = list(self._chains.values())
        if is_last:
            self._source.close()
        for chain in chains:
            chain.wake()


class _Share:
    """One view's side of a SharedStream; keeps the promises of `reader.Source`."""

    def __init__(self, stream: SharedStream) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._identity: str | None = None
        self.is_closed = False

    @property
    def name(self) -> str:
        return self._stream.name

    def describe(self) -> Description:
        found = self._stream.describe()
        self._identity = found.identity
        return found

    def shards(self) -> list[Shard]:
        return self._stream.shards()

    def open(self, shard: ShardId, position: Position) -> ShardReader:
        return _SharedReader(self, self._stream, shard, position, self._identity)

    def close(self) -> None:
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
        self._stream.close_share()


@dataclass(frozen=True, slots=True)
class _Link:
    """One answer that moved the head of a chain from `start` to `batch.next`."""

    number: int
    start: Position
    batch: Batch
    size: int
    question: int


class _SharedReader:
    """A view's reader. `place` is the number of the link it needs next, or None while it is off the chain; its chain's lock guards both."""

    def __init__(self, share: _Share, stream: SharedStream, shard: ShardId, position: Position, identity: str | None) -> None:
        self._share = share
        self._stream = stream
        self._shard = shard
        self._identity = identity
        self._chain: _Chain | None = None
        self._own: ShardReader | None = None
        self._is_closed = False
        self.position = position
        self.place: int | None = None

    @property
    def is_closed(self) -> bool:
        return self._is_closed or self._share.is_closed

    def read(self, *, limit_records: int) -> Batch:
        self.refuse_if_closed()
        if self._chain is None:
            if self._identity is None:
                self._identity = self._share.describe().identity
            self._chain = self._stream.chain(self._shard, self._identity)
        if self._chain.board(self):
            self._leave_own()
            batch = self._chain.read(self, limit_records)
            if batch is not None:
                return batch
        assert self._identity is not None, "the chain knows the stream's identity"
        if self._own is None:
            self._own = self._stream.open_own(self._shard, self.position, self._identity)
        batch = self._own.read(limit_records=limit_records)
        self._chain.moved(self, batch.next)
        return batch

    def refuse_if_closed(self) -> None:
        """Raise Cancelled once the reader or its source was closed."""
        if self.is_closed:
            message = f'the reader of stream "{self._stream.name}" was closed'
            raise Cancelled(message)

    def close(self) -> None:
        self._is_closed = True
        self._leave_own()
        if self._chain is not None:
            self._chain.leave(self)

    def _leave_own(self) -> None:
        if self._own is not None:
            self._own.close()
            self._own = None


class _Chain:
    """See the module. One thread at a time asks the stream for the chain; the others wait for its answer."""

    def __init__(self, stream: SharedStream, shard: ShardId, identity: str) -> None:
        self._stream = stream
        self._shard = shard
        self._identity = identity
        self._changed = threading.Condition()
        self._readers: weakref.WeakSet[_SharedReader] = weakref.WeakSet()
        self._links: deque[_Link] = deque()
        self._next_number = 0
        self._head: Position | None = None  # where the next answer begins; None while nobody is on the chain
        self._reader: ShardReader | None = None
        self._is_asking = False
        self._asked = 0  # questions begun
        self._idle: tuple[int, Batch] | None = None  # the last answer, if it moved nothing, and the number of its question

    @property
    def has_readers(self) -> bool:
        return bool(self._readers)

    def board(self, reader: _SharedReader) -> bool:
        """Put the reader on the chain if its position is there; an empty chain begins where the reader stands. Return whether it is on."""
        with self._changed:
            self._readers.add(reader)
            if reader.place is not None:
                return True
            if not self._is_asking and all(other.place is None for other in self._readers):
                self._restart(reader.position)
            reader.place = self._find(reader.position)
            return reader.place is not None

    def read(self, reader: _SharedReader, limit: int) -> Batch | None:
        """Return what follows the reader's position, by asking the stream if it stands at the head; None when it fell off the chain."""
        with self._changed:
            since = self._asked
            while True:
                reader.refuse_if_closed()
                if reader.place is None:
                    return None
                if reader.place < self._next_number:
                    return self._serve(reader, limit, since)
                if not self._is_asking:
                    if self._idle is not None and self._idle[0] > since:
                        return self._idle[1]
                    self._is_asking = True
                    self._asked += 1
                    question, start = self._asked, self._head
                    break
                self._changed.wait()
        assert start is not None, "a chain with readers has a head"
        batch = None
        try:
            if self._reader is None:
                self._reader = self._stream.open_own(self._shard, start, self._identity)
            batch = self._reader.read(limit_records=limit)
        finally:
            with self._changed:
                self._is_asking = False
                if batch is None:
                    self._close_reader()
                else:
                    self._accept(reader, start, batch, question)
                self._changed.notify_all()
        return batch

    def moved(self, reader: _SharedReader, position: Position) -> None:
        """Say that a reader off the chain stands elsewhere now."""
        with self._changed:
            reader.position = position

    def leave(self, reader: _SharedReader) -> None:
        """Take a reader off for good."""
        with self._changed:
            self._readers.discard(reader)
            reader.place = None
            self._forget_passed()
            self._changed.notify_all()

    def wake(self) -> None:
        """Let waiting readers look whether they were closed."""
        with self._changed:
            self._changed.notify_all()

    def _restart(self, position: Position) -> None:
        """Begin anew where a reader stands, with a new proof that nothing was trimmed there; nobody is on the chain."""
        assert not self._is_asking, "who asks is on the chain"
        self._close_reader()
        self._forget_passed()
        self._head, self._idle = position, None

    def _find(self, position: Position) -> int | None:
        """Return the number of the link that a reader at `position` needs, the next number at the head, None off the chain."""
        for link in self._links:
            if link.start == position or _index_after(link.batch.records, position) is not None:
                return link.number
        return self._next_number if position == self._head else None

    def _serve(self, reader: _SharedReader, limit: int, since: int) -> Batch:
        """Return what a kept answer has for the reader. Only one to a question put after the reader came can say that this is the tip."""
        assert reader.place is not None, "only who is on the chain is served"
        link = self._links[reader.place - self._links[0].number]
        batch = _cut(link, reader.position, limit)
        if link.question <= since and not batch.millis_behind:
            batch = replace(batch, millis_behind=1)
        reader.position = batch.next
        if batch.next == link.batch.next:
            reader.place += 1
            self._forget_passed()
        return batch

    def _accept(self, leader: _SharedReader, start: Position, batch: Batch, question: int) -> None:
        """Take an answer up: the chain grows by a link if somebody else needs it, and the leader has it already."""
        if batch.next == start:
            self._idle = (question, batch)
            return
        self._idle = None
        self._head = batch.next
        number, self._next_number = self._next_number, self._next_number + 1
        leader.position = batch.next
        if leader.place is not None:
            leader.place = self._next_number
        self._links.append(_Link(number, start, batch, int(batch.records.nbytes), question))
        is_within = self._stream.count(self._links[-1].size)
        for other in self._readers:
            if other.place is None and other is not leader and _index_after(batch.records, other.position) is not None:
                other.place = number
        self._forget_passed()
        while not is_within and self._links:
            is_within = self._stream.count(-self._links.popleft().size)
        oldest = self._links[0].number if self._links else self._next_number
        for other in self._readers:
            if other.place is not None and other.place < oldest:
                other.place = None

    def _forget_passed(self) -> None:
        needed = min((reader.place for reader in self._readers if reader.place is not None), default=self._next_number)
        while self._links and self._links[0].number < needed:
            self._stream.count(-self._links.popleft().size)

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _index_after(records: pa.RecordBatch, position: Position) -> int | None:
    """Return the index of the record after `position` if that is just after one of these records, but not after the last."""
    if position.place is not Place.AFTER or records.num_rows < 2:
        return None
    index = int(pc.index(records.column("sequence_number"), position.sequence_number).as_py())
    return index + 1 if 0 <= index < records.num_rows - 1 else None


def _cut(link: _Link, position: Position, limit: int) -> Batch:
    """Return what a reader at `position` gets of a link when it wants `limit` records at most."""
    batch = link.batch
    begin = 0 if position == link.start else _index_after(batch.records, position)
    assert begin is not None, "the position is in the link"
    records = batch.records.slice(begin, limit)
    if begin == 0 and records.num_rows == batch.count:
        return batch
    is_whole_end = begin + records.num_rows == batch.count
    return replace(
        batch,
        records=records,
        next=batch.next if is_whole_end else after(records.column("sequence_number")[records.num_rows - 1].as_py()),
        millis_behind=batch.millis_behind if is_whole_end else max(1, batch.millis_behind),
        payload_bytes=pc.sum(pc.binary_length(records.column("kinesis_data"))).as_py() or 0,
        children=batch.children if is_whole_end else (),
        overlap=batch.overlap if begin == 0 else None,
    )
