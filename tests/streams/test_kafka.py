"""A topic as a source, read from librdkafka's mock cluster: positions, gaps, failures, and what a record brings."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

pytest.importorskip("confluent_kafka", reason="THE EXTRA nearshift[kafka] IS NOT INSTALLED: Kafka is not tested")

from nearshift.errors import Cancelled, ConfigurationError, StreamError
from nearshift.streams.checkpoint import Action, Checkpoint, GapReason, decide_continuity
from nearshift.streams.kafka import Brokers, KafkaSource
from nearshift.streams.record import END, OLDEST, Batch, Position, Shard, ShardId, after, parse_position
from nearshift.testing.mock_kafka import MockCluster

FIRST = ShardId("0")
NONE = timedelta(0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    found = MockCluster()
    yield found
    found.close()


@pytest.fixture
def topic(cluster: MockCluster) -> str:
    name = f"t-{time.monotonic_ns()}"
    cluster.create(name, 2)
    return name


@pytest.fixture
def source(cluster: MockCluster, topic: str) -> Iterator[KafkaSource]:
    found = KafkaSource(topic, Brokers((cluster.address,)))
    yield found
    found.close()


def drain(source: KafkaSource, position: Position = OLDEST, *, limit: int = 1000, restarts: bool = False) -> tuple[list[Any], Position]:
    """Read the first partition to its tip; return payloads and the last position, which went through its text each time."""
    values: list[Any] = []
    reader = source.open(FIRST, position)
    for _ in range(500):
        batch = reader.read(limit_records=limit)
        values += batch.records["kinesis_data"].to_pylist()
        position = parse_position(batch.next.text())
        if batch.is_at_tip:
            reader.close()
            return values, position
        if restarts:
            reader.close()
            reader = source.open(FIRST, position)
    raise AssertionError("never came to the tip")


def first(source: KafkaSource, position: Position) -> Batch:
    reader = source.open(FIRST, position)
    try:
        return reader.read(limit_records=1000)
    finally:
        reader.close()


def decide(batch: Batch, source: KafkaSource, position: Position) -> tuple[Action, GapReason | None]:
    """Decide as a view does whose checkpoint was caught up just now."""
    description = source.describe()
    checkpoint = Checkpoint(FIRST, position, description.identity, batch.asked_at)
    found = decide_continuity(checkpoint, batch, description.retention)
    return found.action, found.reason


def test_partitions_are_shards_without_parents(source: KafkaSource) -> None:
    assert source.shards() == [Shard(ShardId("0")), Shard(ShardId("1"))]
    assert source.describe() == source.describe()


def test_an_empty_partition_is_at_its_tip_and_its_position_stays(source: KafkaSource) -> None:
    batch = first(source, OLDEST)
    assert (batch.count, batch.is_at_tip, batch.next) == (0, True, OLDEST)
    assert first(source, END).is_end


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_restart_after_every_batch_loses_nothing_and_doubles_nothing(
    cluster: MockCluster, source: KafkaSource, topic: str, limit: int
) -> None:
    wanted = [str(number).encode() for number in range(25)]
    cluster.put(topic, *wanted)
    found, position = drain(source, limit=limit, restarts=True)
    assert found == wanted
    assert position == after("24")
    cluster.put(topic, b"more")
    assert drain(source, position, restarts=True) == ([b"more"], after("25"))


def test_a_reader_that_stays_open_goes_on_with_what_arrives(cluster: MockCluster, source: KafkaSource, topic: str) -> None:
    reader = source.open(FIRST, OLDEST)
    assert reader.read(limit_records=10).is_at_tip
    for number in range(3):
        cluster.put(topic, str(number).encode())
        batch = reader.read(limit_records=10)
        assert batch.records["kinesis_data"].to_pylist() == [str(number).encode()]
        assert batch.is_at_tip
        assert reader.read(limit_records=10).count == 0
    reader.close()


def test_a_batch_that_is_cut_says_how_old_what_follows_is(cluster: MockCluster, source: KafkaSource, topic: str) -> None:
    cluster.put(topic, b"1", b"2")
    reader = source.open(FIRST, OLDEST)
    batch = reader.read(limit_records=1)
    assert (batch.count, batch.is_at_tip, batch.payload_bytes) == (1, False, 1)
    assert batch.millis_behind >= 1
    reader.close()


def test_what_a_record_brings(cluster: MockCluster, source: KafkaSource, topic: str) -> None:
    cluster.put(topic, b"v", headers=[("a", b"1"), ("b", b"\xff"), ("a", b"2"), ("c", None)])
    cluster.put(topic, None, key=None)
    rows = first(source, OLDEST).records.to_pylist()
    assert [(row["kinesis_data"], row["kafka_key"], row["partition_key"]) for row in rows] == [(b"v", b"k", "k"), (None, None, "")]
    assert [(row["shard_id"], row["sequence_number"], row["kafka_timestamp_type"]) for row in rows] == [("0", "0", "C"), ("0", "1", "C")]
    assert json.loads(rows[0]["kafka_headers"]) == {"a": "2", "b": "ff", "c": None}
    assert rows[1]["kafka_headers"] is None
    assert abs(rows[0]["approximate_arrival_timestamp"].timestamp() - time.time()) < 14 * 3600


def test_an_overlap_proves_that_nothing_is_missing(cluster: MockCluster, source: KafkaSource, topic: str) -> None:
    cluster.put(topic, b"1", b"2", b"3")
    batch = first(source, after("0"))
    assert batch.count == 2
    assert decide(batch, source, after("0")) == (Action.RESUME, None)
    at_tip = first(source, after("2"))
    assert (at_tip.count, at_tip.is_at_tip) == (0, True)
    assert decide(at_tip, source, after("2")) == (Action.RESUME, None)


def test_trimmed_offsets_are_a_gap_and_reading_may_go_on(cluster: MockCluster, source: KafkaSource, topic: str) -> None:
    cluster.put(topic, b"first", b"second")
    reader = source.open(FIRST, OLDEST)
    assert reader.read(limit_records=1).count == 1
    for _ in range(8):
        cluster.put(topic, b"x" * 900_000)
    batch = first(source, after("0"))
    assert decide(batch, source, after("0")) == (Action.GAP, GapReason.TRIMMED)
    assert batch.count > 0
    assert b"second" not in batch.records["kinesis_data"].to_pylist()
    stayed = reader.read(limit_records=1000)
    while stayed.overlap is None:
        stayed = reader.read(limit_records=1000)
    assert decide(stayed, source, after("0")) == (Action.GAP, GapReason.TRIMMED)
    reader.close()
    oldest = int(batch.records["sequence_number"][0].as_py())
    assert [len(value) for value in drain(source)[0]] == [900_000] * (10 - oldest)


def test_a_topic_made_anew_is_a_gap_and_is_read_from_its_start(cluster: MockCluster, source: KafkaSource, topic: str) -> None:
    cluster.put(topic, b"new")
    batch = first(source, after("41"))
    assert decide(batch, source, after("41")) == (Action.GAP, GapReason.EMPTIED)
    assert (batch.count, batch.next) == (0, OLDEST)
    assert drain(source, batch.next)[0] == [b"new"]


def test_failures_of_the_broker_are_waited_out(cluster: MockCluster, source: KafkaSource, topic: str) -> None:
    wanted = [str(number).encode() for number in range(200)]
    cluster.put(topic, *wanted)
    cluster.fail(MockCluster.FETCH, 6, 7, 3, 5, 9)  # not the leader, timed out, unknown, no leader, no replica
    assert drain(source, limit=30)[0] == wanted
    cluster.take_down()
    threading.Timer(0.3, cluster.bring_up).start()
    assert drain(source, limit=30, restarts=True)[0] == wanted


def test_a_topic_that_does_not_exist_is_told(cluster: MockCluster) -> None:
    source = KafkaSource("missing", Brokers((cluster.address,)))
    with pytest.raises(StreamError) as caught:
        source.describe()
    assert caught.value.sqlstate == "42704"
    assert '"missing"' in caught.value.message
    source.close()


def test_brokers_that_do_not_answer_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearshift.limits.STREAM_ANSWER_SECONDS_MAX", 0.5)
    source = KafkaSource("t", Brokers(("127.0.0.1:9",)))
    with pytest.raises(StreamError) as caught:
        source.describe()
    assert caught.value.sqlstate == "58030"
    source.close()


def test_a_closed_source_cancels_its_readers(source: KafkaSource) -> None:
    reader = source.open(FIRST, OLDEST)
    reader.read(limit_records=1)
    source.close()
    with pytest.raises(Cancelled):
        reader.read(limit_records=1)
    reader.close()
    reader.close()


def test_without_the_library_there_is_one_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
    with pytest.raises(ConfigurationError) as caught:
        KafkaSource("t", Brokers(("127.0.0.1:9",)))
    assert caught.value.hint == "Install it: pip install 'nearshift[kafka]'"


def test_markers_of_transactions_are_passed_over(cluster: MockCluster, source: KafkaSource, topic: str) -> None:
    import confluent_kafka

    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.address, "transactional.id": topic})
    producer.init_transactions(10)
    for value in (b"1", b"2"):
        producer.begin_transaction()
        producer.produce(topic, value, partition=0)
        producer.commit_transaction(10)
    found, position = drain(source, limit=1, restarts=True)
    assert found == [b"1", b"2"]
    assert position == after("3")  # two records, and a marker behind each
    cluster.put(topic, b"3")
    assert drain(source, position) == ([b"3"], after("4"))
