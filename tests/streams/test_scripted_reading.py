"""A polled stream whose failures are written into its script: every record once, in order, whatever happens."""

from __future__ import annotations

import threading
from datetime import timedelta
from random import Random

import pytest

from nearshift import limits
from nearshift.clock import ManualClock
from nearshift.errors import Cancelled, StreamError
from nearshift.streams.calls import CallFailed, FailureKind, Page
from nearshift.streams.memory import MemoryStream
from nearshift.streams.polling import PolledSource
from nearshift.streams.reader import Source
from nearshift.streams.record import OLDEST, Batch, Position, ShardId, after
from nearshift.testing.scripted import FaultyCalls, Marker, MemoryCalls, Put, scripted_source

FIRST = ShardId("shardId-000000000000")
SOON_OVER = [
    Marker.EMPTY,
    Marker.EXPIRE,
    Marker.THROTTLE,
    Marker.UNAVAILABLE,
    Marker.RESET_BEFORE,
    Marker.RESET_AFTER,
    Marker.TRUNCATE,
    Marker.REPLAY,
    Marker.REFUSE_POSITION,
]


def payloads(batch: Batch) -> list[bytes]:
    found: list[bytes] = batch.records.column("kinesis_data").to_pylist()
    return found


def drain(source: Source, shard: ShardId, position: Position = OLDEST, limit: int = 1000) -> tuple[list[bytes], Position]:
    reader = source.open(shard, position)
    found: list[bytes] = []
    for _ in range(1000):
        batch = reader.read(limit_records=limit)
        found += payloads(batch)
        position = batch.next
        if batch.is_at_tip:
            return found, position
    raise AssertionError("the reader never reached the tip")


@pytest.mark.parametrize("marker", SOON_OVER)
def test_a_passing_failure_between_records_changes_nothing(marker: Marker) -> None:
    source, calls = scripted_source([b"a", b"b", marker, b"c", marker, marker, b"d"])
    assert drain(source, FIRST)[0] == [b"a", b"b", b"c", b"d"]
    assert calls.met == [marker] * 3


@pytest.mark.parametrize("marker", SOON_OVER)
def test_a_passing_failure_at_the_first_read_after_a_restart_changes_nothing(marker: Marker) -> None:
    source, _ = scripted_source([b"a", b"b", marker, b"c"])
    batch = source.open(FIRST, OLDEST).read(limit_records=1)
    assert payloads(batch) == [b"a"]
    assert drain(source, FIRST, batch.next)[0] == [b"b", b"c"]


def test_a_split_in_the_script_ends_the_shard_and_names_its_children() -> None:
    source, _ = scripted_source([b"a", b"b", Marker.SPLIT])
    reader = source.open(FIRST, OLDEST)
    assert payloads(reader.read(limit_records=10)) == [b"a", b"b"]
    last = reader.read(limit_records=10)
    assert last.is_end
    assert last.children == (ShardId("shardId-000000000001"), ShardId("shardId-000000000002"))
    again = reader.read(limit_records=10)
    assert again.is_end
    assert again.count == 0


def test_records_forgotten_under_a_reader_show_as_an_overlap_that_is_not_met() -> None:
    source, calls = scripted_source([b"a", b"b", Marker.TRIM])
    reader = source.open(FIRST, OLDEST)
    seen = reader.read(limit_records=10).next
    later = reader.read(limit_records=10)
    assert later.overlap is not None
    assert later.overlap.found is None
    number = calls.stream.put(b"c")
    batch = reader.read(limit_records=10)
    assert payloads(batch) == [b"c"]
    assert batch.overlap is not None
    assert (batch.overlap.expected, batch.overlap.found) == (seen.sequence_number, number)
    assert reader.read(limit_records=10).overlap is None


def test_a_stream_made_again_under_a_reader_is_an_error_and_not_more_records() -> None:
    source, calls = scripted_source([b"a", Marker.RECREATE])
    source.describe()
    reader = source.open(FIRST, OLDEST)
    reader.read(limit_records=10)
    with pytest.raises(StreamError, match='stream "scripted" was deleted and created again'):
        reader.read(limit_records=10)
    calls.stream.put(b"more")
    with pytest.raises(StreamError, match="created again"):
        reader.read(limit_records=10)
    source.describe()
    assert drain(source, FIRST)[0] == [b"more"]


def test_a_stream_made_again_between_describe_and_open_is_an_error() -> None:
    source, calls = scripted_source([b"a"])
    source.describe()
    reader = source.open(FIRST, OLDEST)
    calls.stream.recreate()
    with pytest.raises(StreamError, match="created again"):
        reader.read(limit_records=10)


def test_patience_ends_with_an_error_that_names_stream_shard_and_cause_and_the_reader_goes_on_later() -> None:
    clock = ManualClock()
    source, calls = scripted_source([b"a", *[Marker.THROTTLE] * (limits.STREAM_RETRIES_MAX + 1), b"b"], clock=clock)
    reader = source.open(FIRST, OLDEST)
    reader.read(limit_records=10)
    before = clock.monotonic()
    with pytest.raises(StreamError) as caught:
        reader.read(limit_records=10)
    assert f'shard "{FIRST}" of stream "scripted"' in caught.value.message
    assert f"after {limits.STREAM_RETRIES_MAX + 1} attempts" in caught.value.message
    assert caught.value.sqlstate == "58030"
    assert caught.value.detail == "Rate exceeded for shard."
    bound = sum(min(limits.STREAM_BACKOFF_MS_MAX, limits.STREAM_BACKOFF_MS_MIN << n) for n in range(limits.STREAM_RETRIES_MAX))
    assert 0 < clock.monotonic() - before <= bound / 1000 + limits.SHARD_READ_INTERVAL_MS / 1000
    assert len(calls.met) == limits.STREAM_RETRIES_MAX + 1
    assert payloads(reader.read(limit_records=10)) == [b"b"]


def test_reads_at_the_tip_keep_the_pace_that_kinesis_allows_and_reads_behind_it_do_not_wait() -> None:
    clock = ManualClock()
    source, calls = scripted_source([b"a", b"b", b"c"], clock=clock)
    reader = source.open(FIRST, OLDEST)
    reader.read(limit_records=1)
    reader.read(limit_records=1)
    assert clock.monotonic() == 0
    reader.read(limit_records=1)
    calls.stream.put(b"d")
    reader.read(limit_records=1)
    assert clock.monotonic() == pytest.approx(limits.SHARD_READ_INTERVAL_MS / 1000)


def test_a_throttled_shard_is_read_at_that_pace_for_a_while_although_it_lags() -> None:
    clock = ManualClock()
    source, _ = scripted_source([b"a", Marker.THROTTLE, b"b", b"c", b"d"], clock=clock)
    reader = source.open(FIRST, OLDEST)
    reader.read(limit_records=1)
    reader.read(limit_records=1)
    before = clock.monotonic()
    reader.read(limit_records=1)
    assert clock.monotonic() - before == pytest.approx(limits.SHARD_READ_INTERVAL_MS / 1000)


def test_an_empty_answer_before_the_tip_is_followed_at_that_pace() -> None:
    clock = ManualClock()
    source, _ = scripted_source([b"a", Marker.EMPTY, b"b", b"c"], clock=clock)
    reader = source.open(FIRST, OLDEST)
    for _ in range(3):
        reader.read(limit_records=1)
    assert clock.monotonic() == pytest.approx(limits.SHARD_READ_INTERVAL_MS / 1000)


class _ClosingClock(ManualClock):
    """Closes a source while somebody waits for it, as another thread would."""

    source: PolledSource | None = None

    def wait(self, event: threading.Event, seconds: float) -> bool:
        assert self.source is not None
        self.source.close()
        return super().wait(event, seconds)


def test_close_ends_a_wait_that_is_going_on() -> None:
    clock = _ClosingClock()
    source, calls = scripted_source([b"a", Marker.THROTTLE, b"b"], clock=clock)
    clock.source = source
    reader = source.open(FIRST, OLDEST)
    assert payloads(reader.read(limit_records=1)) == [b"a"]
    with pytest.raises(Cancelled):
        reader.read(limit_records=1)
    assert calls.met == [Marker.THROTTLE]


def test_close_ends_reads_with_cancelled() -> None:
    source, _ = scripted_source([b"a"])
    reader = source.open(FIRST, OLDEST)
    other = source.open(FIRST, OLDEST)
    reader.close()
    with pytest.raises(Cancelled):
        reader.read(limit_records=1)
    source.close()
    with pytest.raises(Cancelled):
        other.read(limit_records=1)
    with pytest.raises(Cancelled):
        source.shards()


class _RepeatingCalls(MemoryCalls):
    """Gives each shard's last record again in front of every answer, as a stand-in with a bug may."""

    def records(self, shard: ShardId, iterator: str, limit: int) -> Page:
        page = super().records(shard, iterator, limit)
        everything = super().records(shard, f"{self.stream.describe().identity}|at|TRIM_HORIZON", 1000)
        merged = everything.records if page.records.num_rows else page.records
        return Page(merged, page.next_iterator, page.millis_behind)


def test_an_answer_that_begins_before_the_position_gives_only_what_is_new() -> None:
    stream = MemoryStream("s", clock=ManualClock())
    for data in (b"a", b"b"):
        stream.put(data)
    reader = PolledSource("s", _RepeatingCalls(stream), clock=ManualClock()).open(FIRST, OLDEST)
    assert payloads(reader.read(limit_records=10)) == [b"a", b"b"]
    stream.put(b"c")
    batch = reader.read(limit_records=10)
    assert payloads(batch) == [b"c"]
    assert batch.payload_bytes == 1


class _RefusingCalls(MemoryCalls):
    def __init__(self, stream: MemoryStream, kind: FailureKind) -> None:
        super().__init__(stream)
        self._kind = kind

    def records(self, shard: ShardId, iterator: str, limit: int) -> Page:
        raise CallFailed(self._kind, "because")


@pytest.mark.parametrize(
    ("kind", "sqlstate", "words"),
    [
        (FailureKind.DENIED, "42501", "permission denied for shard"),
        (FailureKind.NO_CREDENTIALS, "42501", "there are no credentials to read shard"),
        (FailureKind.REFUSED, "58030", "could not read shard"),
        (FailureKind.MISSING, "42704", "does not exist"),
        (FailureKind.ITERATOR_EXPIRED, "58030", "held too long"),
    ],
)
def test_what_will_not_pass_is_an_error_with_a_hint(kind: FailureKind, sqlstate: str, words: str) -> None:
    source = PolledSource("s", _RefusingCalls(MemoryStream("s"), kind), clock=ManualClock())
    with pytest.raises(StreamError, match=words) as caught:
        source.open(FIRST, OLDEST).read(limit_records=1)
    assert caught.value.sqlstate == sqlstate
    assert caught.value.hint


@pytest.mark.parametrize("seed", range(12))
def test_under_random_failures_each_record_comes_once_and_in_order_across_restarts(seed: int) -> None:
    random = Random(seed)
    clock = ManualClock()
    stream = MemoryStream("s", clock=clock, retention=timedelta(days=365))
    calls = FaultyCalls(MemoryCalls(stream), random, rate=0.3)
    source = PolledSource("s", calls, clock=clock, random=random)
    wanted = [str(index).encode() for index in range(120)]
    for data in wanted:
        stream.put(data)
    found: list[bytes] = []
    position = OLDEST
    reader = source.open(FIRST, position)
    for _ in range(2000):
        try:
            batch = reader.read(limit_records=random.randint(1, 9))
        except StreamError:
            continue  # patience ended; the reader is where it was
        found += payloads(batch)
        position = batch.next
        if batch.is_at_tip:
            break
        if random.random() < 0.3:
            reader = source.open(FIRST, position)
    assert found == wanted
    assert calls.met


def test_a_list_of_shards_comes_whole_through_pages_and_expired_tokens() -> None:
    stream = MemoryStream("s", shards=7, clock=ManualClock())
    for seed in range(20):
        source = PolledSource("s", FaultyCalls(MemoryCalls(stream), Random(seed), rate=0.2), clock=ManualClock(), random=Random(seed))
        assert [shard.id for shard in source.shards()] == [shard.id for shard in stream.list_shards()]


def test_a_list_of_shards_that_never_ends_is_an_error() -> None:
    stream = MemoryStream("s", shards=limits.SHARD_PAGES_MAX + 1, clock=ManualClock())
    with pytest.raises(StreamError) as caught:
        PolledSource("s", MemoryCalls(stream, shards_per_page=1), clock=ManualClock()).shards()
    assert f"more than {limits.SHARD_PAGES_MAX} pages" in str(caught.value.detail)
    assert len(PolledSource("s", MemoryCalls(stream, shards_per_page=2), clock=ManualClock()).shards()) == limits.SHARD_PAGES_MAX + 1


def test_a_script_with_keys_reaches_every_shard() -> None:
    source, calls = scripted_source([Put(b"x", "a"), Marker.SPLIT, Put(b"y", "b")])
    assert drain(source, FIRST)[0] == [b"x", b"y"]
    assert len(calls.stream.list_shards()) == 3


def test_a_position_after_a_record_that_never_was_is_still_a_position() -> None:
    source, _ = scripted_source([b"a", b"b"])
    batch = source.open(FIRST, after("1")).read(limit_records=10)
    assert payloads(batch) == [b"a", b"b"]
    assert batch.overlap is not None
    assert batch.overlap.found != batch.overlap.expected
