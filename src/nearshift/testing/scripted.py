"""Streams whose failures are part of the test's input.

`scripted_source` takes records and markers in one list: when a reader has read what stands before a marker, its next call meets it.
`FaultyCalls` makes the calls of any stream fail by chance, from a seed. Both run under the reader that Kinesis runs under, so what is
tested is its patience, not a copy of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from random import Random

from nearshift.clock import Clock, ManualClock
from nearshift.errors import StreamError
from nearshift.streams.calls import CallFailed, FailureKind, Page, ShardPage, StreamCalls
from nearshift.streams.memory import MemoryStream, to_arrow
from nearshift.streams.polling import PolledSource
from nearshift.streams.reader import Description
from nearshift.streams.record import Position, SequenceNumber, ShardId, after, empty_records, parse_position


class Marker(Enum):
    """What goes wrong, or happens to the stream, at a place in a script."""

    EMPTY = "an answer without records although some follow"
    EXPIRE = "the iterator has expired"
    THROTTLE = "the shard is read too often"
    UNAVAILABLE = "the service answers 500"
    RESET_BEFORE = "the connection ends before the service acted"
    RESET_AFTER = "the connection ends after the service acted"
    TRUNCATE = "the answer ends in the middle"
    REPLAY = "the answer before comes once more"
    REFUSE_POSITION = "iterators are lost, and the shard does not know the sequence number it is asked for"
    SPLIT = "the shard is split"
    TRIM = "all that the shard holds is forgotten, and iterators are lost"
    RECREATE = "the stream is deleted and made again, and iterators are lost"


@dataclass(frozen=True, slots=True)
class Put:
    """One record of a script, for those that need a partition key; bytes alone stand for a record without one."""

    data: bytes
    partition_key: str = ""


class MemoryCalls:
    """A stream in memory behind the calls of a polled one. Iterators are the text of where they stand."""

    def __init__(self, stream: MemoryStream, *, shards_per_page: int = 2) -> None:
        self.stream = stream
        self._shards_per_page = shards_per_page

    def describe(self) -> Description:
        """Return the stream's identity and retention."""
        return self.stream.describe()

    def list_shards(self, token: str | None) -> ShardPage:
        """Return a page of few shards, so that paging is always tested."""
        listed = self.stream.list_shards()
        start = int(token or 0)
        end = start + self._shards_per_page
        return ShardPage(listed[start:end], str(end) if end < len(listed) else None)

    def iterator(self, shard: ShardId, position: Position) -> str:
        """Return an iterator, for an AFTER position at its record."""
        if shard not in {listed.id for listed in self.stream.list_shards()}:
            raise CallFailed(FailureKind.MISSING, f"no shard {shard}")
        return f"{self.stream.describe().identity}|at|{position.text()}"

    def records(self, shard: ShardId, iterator: str, limit: int) -> Page:
        """Return up to `limit` records; an iterator of a deleted stream finds none."""
        identity, kind, text = iterator.rsplit("|", 2)
        if identity != self.stream.describe().identity:
            raise CallFailed(FailureKind.MISSING, "the stream of this iterator is gone")
        position = parse_position(text)
        try:
            found = self.stream.fetch(shard, position, limit, overlaps=kind == "at")
        except StreamError as error:
            raise CallFailed(FailureKind.MISSING, error.message) from error
        here = f"{identity}|after|{after(found.records[-1].sequence_number).text()}" if found.records else iterator
        return Page(to_arrow(shard, found.records), None if found.is_drained else here, found.millis_behind, found.children)

    def close(self) -> None:
        """Do nothing: the stream outlives its readers."""


_FAILURES = {
    Marker.EXPIRE: CallFailed(FailureKind.ITERATOR_EXPIRED, "iterator expired"),
    Marker.THROTTLE: CallFailed(FailureKind.THROTTLED, "rate exceeded for shard"),
    Marker.UNAVAILABLE: CallFailed(FailureKind.UNAVAILABLE, "internal failure"),
    Marker.RESET_BEFORE: CallFailed(FailureKind.UNAVAILABLE, "connection was reset"),
    Marker.RESET_AFTER: CallFailed(FailureKind.UNAVAILABLE, "connection was reset"),
    Marker.TRUNCATE: CallFailed(FailureKind.CUT_OFF, "input data was truncated"),
}


class _Faults:
    """Plays markers over the calls of a stream; remembers what each iterator was born with, for REPLAY."""

    def __init__(self, calls: StreamCalls) -> None:
        self._calls = calls
        self._before: dict[str, Page] = {}

    def play(self, marker: Marker, shard: ShardId, iterator: str, limit: int) -> Page:
        if marker is Marker.EMPTY:
            return Page(empty_records(), iterator, 1000)
        if marker is Marker.REPLAY:
            before = self._before.get(iterator)
            return Page(empty_records() if before is None else before.records, iterator, 1000)
        if marker in {Marker.RESET_AFTER, Marker.TRUNCATE}:
            self._calls.records(shard, iterator, limit)
        raise CallFailed(_FAILURES[marker].kind, _FAILURES[marker].cause)

    def pass_on(self, shard: ShardId, iterator: str, limit: int) -> Page:
        page = self._calls.records(shard, iterator, limit)
        if page.next_iterator is not None:
            self._before[page.next_iterator] = page
        return page


class ScriptedCalls(MemoryCalls):
    """The calls of a stream in memory that holds a script's records, with its markers between them."""

    def __init__(self, stream: MemoryStream, script: Iterable[bytes | Put | Marker]) -> None:
        super().__init__(stream)
        self._faults = _Faults(MemoryCalls(stream))
        self._pending: deque[tuple[SequenceNumber | None, Marker]] = deque()
        self._refusals = 0
        self.met: list[Marker] = []
        last: SequenceNumber | None = None
        for item in script:
            if isinstance(item, Marker):
                self._pending.append((last, item))
            else:
                put = item if isinstance(item, Put) else Put(item)
                last = stream.put(put.data, put.partition_key)

    def iterator(self, shard: ShardId, position: Position) -> str:
        """Return an iterator, unless the script refuses the position."""
        if self._refusals and position.sequence_number is not None:
            self._refusals -= 1
            raise CallFailed(FailureKind.POSITION_REFUSED, "the sequence number is too old")
        return super().iterator(shard, position)

    def records(self, shard: ShardId, iterator: str, limit: int) -> Page:
        """Return records up to the next marker, or meet it."""
        if not self._pending:
            return self._faults.pass_on(shard, iterator, limit)
        mark, marker = self._pending[0]
        page = super().records(shard, iterator, limit)
        numbers = page.records.column("sequence_number").to_pylist()
        count = len(numbers) if mark is None else sum(int(number) <= int(mark) for number in numbers)
        if mark is not None and count:
            return self._faults.pass_on(shard, iterator, count)
        self._pending.popleft()
        self.met.append(marker)
        return self._meet(marker, shard, iterator, limit)

    def _meet(self, marker: Marker, shard: ShardId, iterator: str, limit: int) -> Page:
        match marker:
            case Marker.SPLIT:
                self.stream.split(shard)
                return self.records(shard, iterator, limit)
            case Marker.TRIM:
                self.stream.trim(shard)
            case Marker.RECREATE:
                self.stream.recreate()
            case Marker.REFUSE_POSITION:
                self._refusals = 1
            case _:
                return self._faults.play(marker, shard, iterator, limit)
        raise CallFailed(FailureKind.ITERATOR_EXPIRED, "iterator expired")


def scripted_source(
    script: Iterable[bytes | Put | Marker], *, clock: Clock | None = None, name: str = "scripted"
) -> tuple[PolledSource, ScriptedCalls]:
    """Return a source that reads the script, and its calls, whose `stream` is the stream and whose `met` lists the markers met so far."""
    time = clock or ManualClock()
    calls = ScriptedCalls(MemoryStream(name, clock=time), script)
    return PolledSource(name, calls, clock=time, random=Random(0)), calls


class FaultyCalls:
    """The calls of any stream, of which about one in `1 / rate` fails or misbehaves in a way that a reader must get over."""

    _ANYWHERE = (Marker.THROTTLE, Marker.UNAVAILABLE, Marker.RESET_BEFORE)
    _READING = (*_ANYWHERE, Marker.EMPTY, Marker.EXPIRE, Marker.RESET_AFTER, Marker.TRUNCATE, Marker.REPLAY)

    def __init__(self, calls: StreamCalls, random: Random, *, rate: float) -> None:
        self._calls = calls
        self._random = random
        self._rate = rate
        self._faults = _Faults(calls)
        self.met: list[Marker] = []

    def describe(self) -> Description:
        """Describe, or fail."""
        self._maybe_fail()
        return self._calls.describe()

    def list_shards(self, token: str | None) -> ShardPage:
        """List, or fail, also by a token that expired."""
        self._maybe_fail()
        if token is not None and self._random.random() < self._rate:
            raise CallFailed(FailureKind.TOKEN_EXPIRED, "token expired")
        return self._calls.list_shards(token)

    def iterator(self, shard: ShardId, position: Position) -> str:
        """Give an iterator, or fail."""
        self._maybe_fail()
        return self._calls.iterator(shard, position)

    def records(self, shard: ShardId, iterator: str, limit: int) -> Page:
        """Give records, or fail, or mislead."""
        if self._random.random() >= self._rate:
            return self._faults.pass_on(shard, iterator, limit)
        marker = self._random.choice(self._READING)
        self.met.append(marker)
        return self._faults.play(marker, shard, iterator, limit)

    def close(self) -> None:
        """Close the calls behind."""
        self._calls.close()

    def _maybe_fail(self) -> None:
        if self._random.random() < self._rate:
            marker = self._random.choice(self._ANYWHERE)
            self.met.append(marker)
            raise CallFailed(_FAILURES[marker].kind, _FAILURES[marker].cause)
