"""Several views on one stream: each gets everything once, and the stream is asked as if by one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from random import Random

import pytest

from nearshift.clock import ManualClock
from nearshift.errors import Cancelled, StreamError
from nearshift.streams.memory import Fault, MemorySource, MemoryStream
from nearshift.streams.reader import ShardReader, Source
from nearshift.streams.record import OLDEST, Batch, Position, ShardId
from nearshift.streams.shared import SharedStream

SHARD = ShardId("shardId-000000000000")


class CountedSource(MemorySource):
    """Counts the readers it opens and the questions they ask."""

    def __init__(self, stream: MemoryStream) -> None:
        super().__init__(stream)
        self.opened = 0
        self.questions = 0

    def open(self, shard: ShardId, position: Position) -> ShardReader:
        self.opened += 1
        return _CountedReader(self, super().open(shard, position))


class _CountedReader:
    def __init__(self, source: CountedSource, reader: ShardReader) -> None:
        self._source = source
        self._reader = reader

    def read(self, *, limit_records: int) -> Batch:
        self._source.questions += 1
        return self._reader.read(limit_records=limit_records)

    def close(self) -> None:
        self._reader.close()


def made(*, bytes_max: int = 1 << 20) -> tuple[MemoryStream, CountedSource, SharedStream]:
    stream = MemoryStream("s", clock=ManualClock())
    source = CountedSource(stream)
    return stream, source, SharedStream(source, bytes_max=bytes_max)


def put(stream: MemoryStream, numbers: Sequence[int]) -> None:
    for number in numbers:
        stream.put(str(number).encode(), "k")


def payloads(batch: Batch) -> list[int]:
    return [int(value) for value in batch.records.column("kinesis_data").to_pylist()]


def opened(share: Source, position: Position = OLDEST) -> ShardReader:
    share.describe()
    return share.open(SHARD, position)


def test_ten_views_ask_the_stream_as_often_as_one() -> None:
    stream, source, shared = made()
    readers = [opened(shared.share()) for _ in range(10)]
    for reader in readers:
        reader.read(limit_records=10)  # all at the head before anything arrives
    asked = source.questions
    for start in range(0, 50, 10):
        put(stream, range(start, start + 10))
        for reader in readers:
            assert payloads(reader.read(limit_records=1000)) == list(range(start, start + 10))
    assert source.questions - asked == 5
    assert source.opened == 1
    assert shared.kept_bytes == 0, "what all have taken is not kept"


def test_a_view_that_falls_behind_what_is_kept_reads_for_itself_and_comes_back() -> None:
    stream, source, shared = made(bytes_max=600)
    fast, slow = opened(shared.share()), opened(shared.share())
    fast.read(limit_records=10)
    slow.read(limit_records=10)
    for number in range(60):
        put(stream, [number])
        assert payloads(fast.read(limit_records=100)) == [number]
        assert shared.kept_bytes <= 600
    found: list[int] = []
    while len(found) < 60:
        found += payloads(slow.read(limit_records=7))
    assert found == list(range(60))
    assert source.opened == 2
    slow.read(limit_records=10)
    asked = source.questions
    put(stream, [60])
    assert payloads(slow.read(limit_records=10)) == payloads(fast.read(limit_records=10)) == [60]
    assert source.questions - asked == 1


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_views_do_each_gets_every_record_once_and_in_order(seed: int) -> None:
    random = Random(seed)
    stream, _source, shared = made(bytes_max=random.choice([0, 500, 5_000, 1 << 20]))
    shares = [shared.share() for _ in range(4)]
    readers: list[ShardReader | None] = [None] * 4
    positions: list[Position] = [OLDEST] * 4
    found: list[list[int]] = [[] for _ in range(4)]
    count = 0

    def look(view: int, limit: int) -> Batch | None:
        reader = readers[view]
        if reader is None:
            reader = readers[view] = opened(shares[view], positions[view])
        try:
            batch = reader.read(limit_records=limit)
        except StreamError:
            return None
        found[view] += payloads(batch)
        positions[view] = batch.next
        return batch

    for _ in range(400):
        match random.randrange(8):
            case 0 | 1:
                more = random.randrange(6)
                put(stream, range(count, count + more))
                count += more
            case 2:
                view = random.randrange(4)
                held = readers[view]
                if held is not None and random.random() < 0.5:
                    held.close()
                readers[view] = None
            case 3:
                stream.inject(random.choice(list(Fault)))
            case _:
                look(random.randrange(4), random.choice([1, 2, 3, 1000]))
    for view in range(4):
        for _ in range(3 * count + 20):
            batch = look(view, 1000)
            if batch is not None and batch.is_at_tip:
                break
    assert found == [list(range(count))] * 4


def test_a_kept_answer_does_not_say_that_it_is_the_tip() -> None:
    stream, _source, shared = made()
    one, other = opened(shared.share()), opened(shared.share())
    other.read(limit_records=9)
    put(stream, [1])
    assert one.read(limit_records=9).is_at_tip
    put(stream, [2])
    kept = other.read(limit_records=9)
    assert (payloads(kept), kept.is_at_tip) == ([1], False)
    last = other.read(limit_records=9)
    assert (payloads(last), last.is_at_tip) == ([2], True)


def test_views_in_threads_of_their_own_share_each_answer() -> None:
    stream, source, shared = made()
    count = 400
    found: list[list[int]] = [[] for _ in range(6)]

    def follow(view: int) -> None:
        reader = opened(shared.share())
        while len(found[view]) < count:
            found[view] += payloads(reader.read(limit_records=50))

    threads = [threading.Thread(target=follow, args=(view,), daemon=True) for view in range(6)]
    for thread in threads:
        thread.start()
    for number in range(count):
        put(stream, [number])
    for thread in threads:
        thread.join(30)
    assert found == [list(range(count))] * 6
    assert source.questions > 0


def test_closing_one_share_leaves_the_others_and_the_last_closes_the_stream() -> None:
    stream, source, shared = made()
    one, other = shared.share(), shared.share()
    reader = opened(one)
    reader.read(limit_records=1)
    one.close()
    one.close()
    with pytest.raises(Cancelled):
        reader.read(limit_records=1)
    put(stream, [1])
    assert payloads(opened(other).read(limit_records=1)) == [1]
    states = [source.is_closed]
    other.close()
    assert [*states, source.is_closed] == [False, True]
    with pytest.raises(Cancelled):
        shared.share()


def test_a_failure_is_told_to_who_asked_and_the_others_ask_again() -> None:
    stream, _source, shared = made()
    one, other = opened(shared.share()), opened(shared.share())
    one.read(limit_records=1)
    other.read(limit_records=1)
    put(stream, [1])
    stream.inject(Fault.FAIL)
    with pytest.raises(StreamError, match="a fault was injected"):
        one.read(limit_records=1)
    assert payloads(other.read(limit_records=1)) == [1]
    assert payloads(one.read(limit_records=1)) == [1]


def test_views_of_a_stream_made_again_do_not_get_answers_of_the_old_one() -> None:
    stream, _source, shared = made()
    put(stream, [1])
    old, new = shared.share(), shared.share()
    behind, ahead = opened(old), opened(new)
    assert payloads(ahead.read(limit_records=1)) == [1]
    stream.recreate()
    put(stream, [2])
    with pytest.raises(StreamError, match="deleted and created again"):
        ahead.read(limit_records=1)
    again = opened(new)
    assert payloads(again.read(limit_records=5)) == [2]
    with pytest.raises(StreamError, match="deleted and created again"):
        behind.read(limit_records=1)
