"""One suite for everything that calls itself a Source: in memory, polled with failures by chance, the stand-in of Kinesis, and Kafka."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal, Protocol

import boto3
import pytest

from nearshift import limits
from nearshift.clock import ManualClock
from nearshift.errors import StreamError
from nearshift.streams.checkpoint import Action, Checkpoint, Decision, GapReason, decide_continuity, decide_opening
from nearshift.streams.kafka import Brokers, KafkaSource
from nearshift.streams.kinesis import Access, KinesisCalls, open_stream, stream_metrics
from nearshift.streams.memory import Fault, MemoryStream
from nearshift.streams.metrics import Metric
from nearshift.streams.polling import PolledSource
from nearshift.streams.reader import ShardReader, Source
from nearshift.streams.record import END, OLDEST, ShardId, at_time, parse_position
from nearshift.streams.roles import assume_roles
from nearshift.streams.shards import plan_shards
from nearshift.streams.shared import SharedStream
from nearshift.testing.mock_kafka import MockCluster
from nearshift.testing.scripted import FaultyCalls, MemoryCalls

Kind = Literal["memory", "faulty", "shared", "kinesis", "kafka"]
Row = tuple[str, str, str, bytes]  # shard, sequence number, partition key, payload


class Backend(Protocol):
    """A stream of a kind, and a way to write to it and make it fail."""

    first: ShardId
    missing: ShardId

    def source(self) -> Source: ...
    def put(self, key: str, *payloads: bytes) -> None: ...
    def disturb(self) -> None: ...


class Sharded(Backend, Protocol):
    """One whose shards come and go at will, and that knows times: the mock cluster of Kafka does neither."""

    def split(self, shard: ShardId) -> None: ...
    def merge(self, left: ShardId, right: ShardId) -> None: ...
    def reshard(self, count: int) -> None: ...
    def trim(self, shard: ShardId) -> None: ...
    def recreate(self) -> None: ...


class MemoryBackend:
    first = ShardId("shardId-000000000000")
    missing = ShardId("shardId-000000000099")

    def __init__(self) -> None:
        self.stream = MemoryStream("s", clock=ManualClock())

    def source(self) -> Source:
        return self.stream.source()

    def put(self, key: str, *payloads: bytes) -> None:
        for data in payloads:
            self.stream.put(data, key)

    def split(self, shard: ShardId) -> None:
        self.stream.split(shard)

    def merge(self, left: ShardId, right: ShardId) -> None:
        self.stream.merge(left, right)

    def reshard(self, count: int) -> None:
        self.stream.reshard(count)

    def trim(self, shard: ShardId) -> None:
        self.stream.trim(shard)

    def recreate(self) -> None:
        self.stream.recreate()

    def disturb(self) -> None:
        self.stream.inject(Fault.EMPTY)
        self.stream.inject(Fault.SHORT)


class FaultyBackend(MemoryBackend):
    def __init__(self) -> None:
        super().__init__()
        self.random = Random(11)

    def source(self) -> Source:
        calls = FaultyCalls(MemoryCalls(self.stream), self.random, rate=0.05)
        return PolledSource("s", calls, clock=ManualClock(), random=self.random)

    def disturb(self) -> None:
        pass  # it disturbs itself all the time


class SharedBackend(FaultyBackend):
    """All sources of a test read one stream together, and so little is kept that laggards often read for themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.shared: SharedStream | None = None

    def source(self) -> Source:
        if self.shared is None:
            self.shared = SharedStream(super().source(), bytes_max=2_000)
        return self.shared.share()


class KinesisBackend:
    """A stream of its own on the stand-in that the module shares."""

    first = ShardId("shardId-000000000000")
    missing = ShardId("shardId-000000000099")

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.client = boto3.client(
            "kinesis", endpoint_url=url, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
        )
        self.sources: list[Source] = []
        self._create()

    def _create(self) -> None:
        self.client.create_stream(StreamName=self.name, ShardCount=1)
        self._await()

    def _await(self) -> None:
        deadline = time.monotonic() + 10
        while self.client.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
            assert time.monotonic() < deadline, "the stream did not become active"
            time.sleep(0.02)

    def source(self) -> Source:
        source = open_stream(self.name, Access("us-east-1", endpoint_url=self.url), clock=ManualClock(), random=Random(5))
        self.sources.append(source)
        return source

    def put(self, key: str, *payloads: bytes) -> None:
        for data in payloads:
            self.client.put_record(StreamName=self.name, PartitionKey=key or "none", Data=data)

    def split(self, shard: ShardId) -> None:
        listed = self.client.list_shards(StreamName=self.name)["Shards"]
        keys = next(each["HashKeyRange"] for each in listed if each["ShardId"] == shard)
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
        self.client.split_shard(StreamName=self.name, ShardToSplit=shard, NewStartingHashKey=str(middle))
        self._await()

    def merge(self, left: ShardId, right: ShardId) -> None:
        self.client.merge_shards(StreamName=self.name, ShardToMerge=left, AdjacentShardToMerge=right)
        self._await()

    def reshard(self, count: int) -> None:
        self.client.update_shard_count(StreamName=self.name, TargetShardCount=count, ScalingType="UNIFORM_SCALING")
        self._await()

    def trim(self, shard: ShardId) -> None:
        self.order(command="trim", stream=self.name, shard=shard)

    def recreate(self) -> None:
        self.client.delete_stream(StreamName=self.name)
        deadline = time.monotonic() + 10
        while self.name in self.client.list_streams()["StreamNames"]:
            assert time.monotonic() < deadline, "the stream was not deleted"
            time.sleep(0.02)
        self._create()

    def disturb(self) -> None:
        """Have every kind of failure at the next reads."""
        self.order(command="expire-iterators")
        self.order(command="empty-pages", times=1)
        self.order(command="throttle", operation="GetRecords")
        self.order(command="fail", operation="GetRecords", status=503)
        for when in ("before", "after", "truncate"):
            self.order(command="drop", operation="GetRecords", when=when)

    def order(self, **command: object) -> None:
        request = urllib.request.Request(self.url + "/_admin", json.dumps(command).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert "error" not in json.loads(answer.read())

    def close(self) -> None:
        self.order(command="reset")
        for source in self.sources:
            source.close()
        self.client.close()


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if importlib.util.find_spec("nearshift.localaws.__main__") is None:
        pytest.skip("THE LOCAL AWS STAND-IN IS NOT THERE: Kinesis itself is not tested")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory = tmp_path_factory.mktemp("localaws")
    command = [sys.executable, "-m", "nearshift.localaws", "--dir", str(directory), "--port", str(port), "--admin"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await_port(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the stand-in ended"
            assert time.monotonic() < deadline, "the stand-in did not listen"
            time.sleep(0.05)
        else:
            return


class KafkaBackend:
    """A topic of its own on the mock cluster that the module shares."""

    first = ShardId("0")
    missing = ShardId("99")

    def __init__(self, cluster: MockCluster, topic: str) -> None:
        self.cluster = cluster
        self.topic = topic
        self.sources: list[KafkaSource] = []
        cluster.create(topic)

    def source(self) -> Source:
        source = KafkaSource(self.topic, Brokers((self.cluster.address,)))
        self.sources.append(source)
        return source

    def put(self, key: str, *payloads: bytes) -> None:
        self.cluster.put(self.topic, *payloads, key=key.encode() or None)

    def disturb(self) -> None:
        """Have the next fetches fail: not the leader, timed out, replica not there."""
        self.cluster.fail(MockCluster.FETCH, 6, 7, 9)

    def close(self) -> None:
        for source in self.sources:
            source.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    pytest.importorskip("confluent_kafka", reason="THE EXTRA nearshift[kafka] IS NOT INSTALLED: Kafka is not tested")
    found = MockCluster()
    yield found
    found.close()


def _backend(kind: Kind, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    match kind:
        case "memory":
            yield MemoryBackend()
        case "faulty":
            yield FaultyBackend()
        case "shared":
            yield SharedBackend()
        case "kafka":
            kafka = KafkaBackend(request.getfixturevalue("cluster"), f"s-{time.monotonic_ns()}")
            yield kafka
            kafka.close()
        case "kinesis":
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
            kinesis = KinesisBackend(request.getfixturevalue("standin"), f"s-{time.monotonic_ns()}")
            yield kinesis
            kinesis.close()


@pytest.fixture(params=["memory", "faulty", "shared", "kinesis", "kafka"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    yield from _backend(request.param, request, monkeypatch)


@pytest.fixture(params=["memory", "faulty", "shared", "kinesis"])
def sharded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sharded]:
    yield from _backend(request.param, request, monkeypatch)


@dataclass
class Consumer:
    """Reads as a view does: readable shards, one batch, rows and checkpoint stored together. Forgets its readers when told to."""

    source: Source
    limit: int = 1000
    checkpoints: dict[ShardId, tuple[str, str, datetime | None]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    readers: dict[ShardId, ShardReader] = field(default_factory=dict)

    def checkpoint(self, shard: ShardId) -> Checkpoint | None:
        stored = self.checkpoints.get(shard)
        return None if stored is None else Checkpoint(shard, parse_position(stored[0]), stored[1], stored[2])

    def step(self) -> bool:
        """Read one batch of each readable shard; return whether all were at their tips and nothing new became readable."""
        description = self.source.describe()
        listed = self.source.shards()
        drained = {shard for shard, stored in self.checkpoints.items() if stored[0] == "END"}
        is_done = True
        for plan in plan_shards(listed, drained):
            if plan.is_readable:
                is_done &= self._read(plan.shard.id, description.identity, [shard.id for shard in listed])
        return is_done

    def _read(self, shard: ShardId, identity: str, listed: list[ShardId]) -> bool:
        checkpoint = self.checkpoint(shard)
        if shard not in self.readers:
            description = self.source.describe()
            now = checkpoint.caught_up_at if checkpoint is not None else None  # no time passes here
            decision = decide_opening(checkpoint, shard, listed=listed, description=description, now=now or datetime.now(UTC))
            self.decisions.append(decision)
            self.readers[shard] = self.source.open(shard, decision.position)
        batch = self.readers[shard].read(limit_records=self.limit)
        self.decisions.append(decide_continuity(checkpoint, batch, timedelta(hours=24)))
        for row in batch.records.to_pylist():
            self.rows.append((row["shard_id"], row["sequence_number"], row["partition_key"], row["kinesis_data"]))
        caught_up_at = batch.asked_at if batch.is_at_tip else None if checkpoint is None else checkpoint.caught_up_at
        self.checkpoints[shard] = (batch.next.text(), identity, caught_up_at)
        return batch.is_at_tip and not batch.is_end

    def restart(self) -> None:
        for reader in self.readers.values():
            reader.close()
        self.readers.clear()

    def drain(self, *, restarts: bool = False) -> list[bytes]:
        for _ in range(2000):
            if restarts:
                self.restart()
            if self.step():
                return [row[3] for row in self.rows]
        raise AssertionError("the consumer never came to the tip")


def by_key(consumer: Consumer) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for _, _, key, data in consumer.rows:
        found.setdefault(key, []).append(int(data))
    return found


def open_shards(source: Source) -> list[ShardId]:
    return sorted(shard.id for shard in source.shards() if not shard.is_closed)


def test_an_empty_shard_is_at_its_tip_and_its_position_stays(backend: Backend) -> None:
    reader = backend.source().open(backend.first, OLDEST)
    batch = reader.read(limit_records=10)
    while not batch.is_at_tip:
        batch = reader.read(limit_records=10)
    assert (batch.count, batch.payload_bytes, batch.is_end) == (0, 0, False)
    assert batch.next == OLDEST


def test_a_reader_opened_at_the_end_has_nothing_to_read(backend: Backend) -> None:
    backend.put("k", b"1")
    batch = backend.source().open(backend.first, END).read(limit_records=10)
    assert (batch.count, batch.is_end, batch.is_at_tip) == (0, True, True)


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_a_restart_after_every_batch_loses_nothing_and_doubles_nothing(backend: Backend, limit: int) -> None:
    wanted = [str(number).encode() for number in range(25)]
    backend.put("k", *wanted)
    consumer = Consumer(backend.source(), limit)
    assert consumer.drain(restarts=True) == wanted
    assert {decision.action for decision in consumer.decisions} <= {Action.START, Action.RESUME, Action.WAIT}
    backend.put("k", b"more")
    assert consumer.drain(restarts=True) == [*wanted, b"more"]


def test_a_reader_that_stays_open_goes_on_with_what_arrives(backend: Backend) -> None:
    consumer = Consumer(backend.source())
    consumer.drain()
    backend.put("k", b"1", b"2")
    consumer.drain()
    backend.put("k", b"3")
    assert consumer.drain() == [b"1", b"2", b"3"]


def test_failures_between_the_reads_change_nothing(backend: Backend) -> None:
    consumer = Consumer(backend.source(), limit=3)
    wanted = []
    for number in range(6):
        data = [f"{number}-{part}".encode() for part in range(4)]
        wanted += data
        backend.put("k", *data)
        backend.disturb()
        if number % 2:
            consumer.restart()
        consumer.drain()
    assert [row[3] for row in consumer.rows] == wanted


def test_each_row_has_its_shard_a_growing_sequence_number_its_key_and_its_arrival(backend: Backend) -> None:
    backend.put("a", b"x", b"", b"\x00\xff")
    reader = backend.source().open(backend.first, OLDEST)
    batch = reader.read(limit_records=10)
    while batch.count == 0:
        batch = reader.read(limit_records=10)
    rows = batch.records.to_pylist()
    assert [row["kinesis_data"] for row in rows] == [b"x", b"", b"\x00\xff"]
    assert [row["shard_id"] for row in rows] == [backend.first] * 3
    assert [row["partition_key"] for row in rows] == ["a"] * 3
    numbers = [int(row["sequence_number"]) for row in rows]
    assert numbers == sorted(set(numbers))
    assert all(row["approximate_arrival_timestamp"].tzinfo is None for row in rows)
    assert batch.payload_bytes == 3


def test_splits_and_merges_under_a_lagging_reader_keep_the_order_of_each_key(sharded: Sharded) -> None:
    source = sharded.source()
    consumer = Consumer(source, limit=3)
    keys = [f"key-{number}" for number in range(5)]
    counter = 0
    for round_number in range(6):
        for key in keys:
            sharded.put(key, str(counter).encode(), str(counter + 1).encode())
            counter += 2
        shards = open_shards(source)
        if round_number in {0, 1, 3}:
            sharded.split(shards[0])
        elif round_number == 2:
            sharded.reshard(2 * len(shards) if len(shards) < 4 else 2)
        else:
            parent = next(shard for shard in source.shards() if len(shard.parents) == 1)
            siblings = [shard.id for shard in source.shards() if shard.parents == parent.parents and not shard.is_closed]
            if len(siblings) == 2:
                sharded.merge(siblings[0], siblings[1])
        consumer.step()
        if round_number % 2:
            consumer.restart()
    consumer.drain(restarts=True)
    found = by_key(consumer)
    assert sorted(found) == keys
    assert all(values == sorted(set(values)) for values in found.values())
    assert sum(len(values) for values in found.values()) == counter
    assert not [decision for decision in consumer.decisions if decision.action is Action.GAP]


def test_a_shard_that_is_closed_at_the_start_is_read_before_its_children_and_names_them(sharded: Sharded) -> None:
    sharded.put("k", b"1", b"2")
    sharded.split(sharded.first)
    sharded.put("k", b"3")
    source = sharded.source()
    children = {shard.id for shard in source.shards() if sharded.first in shard.parents}
    assert len(children) == 2
    assert Consumer(source).drain() == [b"1", b"2", b"3"]
    reader = source.open(sharded.first, OLDEST)
    batch = reader.read(limit_records=10)
    while not batch.is_end:
        batch = reader.read(limit_records=10)
    assert set(batch.children) == children
    assert reader.read(limit_records=10).is_end


def test_merged_parents_are_both_read_before_their_child(sharded: Sharded) -> None:
    sharded.split(sharded.first)
    source = sharded.source()
    for number in range(8):
        sharded.put(f"key-{number}", b"1")
    left, right = open_shards(source)
    sharded.merge(left, right)
    for number in range(8):
        sharded.put(f"key-{number}", b"2")
    consumer = Consumer(source, limit=1)
    consumer.drain()
    assert by_key(consumer) == {f"key-{number}": [1, 2] for number in range(8)}


def test_records_trimmed_behind_a_checkpoint_are_a_gap_that_is_reported(sharded: Sharded) -> None:
    sharded.put("k", b"1", b"2")
    consumer = Consumer(sharded.source(), limit=1)
    while not consumer.rows:
        consumer.step()
    consumer.restart()
    sharded.trim(sharded.first)
    sharded.put("k", b"3")
    consumer.drain()
    assert [row[3] for row in consumer.rows] == [b"1", b"3"]
    assert [decision.reason for decision in consumer.decisions if decision.action is Action.GAP] == [GapReason.TRIMMED]


def test_records_trimmed_with_none_after_them_are_a_gap_too(sharded: Sharded) -> None:
    sharded.put("k", b"1", b"2")
    consumer = Consumer(sharded.source(), limit=1)
    while not consumer.rows:
        consumer.step()
    consumer.restart()
    sharded.trim(sharded.first)
    consumer.step()
    while consumer.decisions[-1].action is Action.WAIT:
        consumer.step()
    assert consumer.decisions[-1].reason is GapReason.EMPTIED


def test_a_stream_made_again_is_noticed_by_open_readers_and_by_checkpoints(sharded: Sharded) -> None:
    sharded.put("k", b"old")
    source = sharded.source()
    consumer = Consumer(source)
    consumer.drain()
    before = source.describe().identity
    reader = source.open(sharded.first, OLDEST)
    sharded.recreate()
    sharded.put("k", b"new")
    with pytest.raises(StreamError):
        consumer.readers[sharded.first].read(limit_records=10)
    with pytest.raises(StreamError, match="deleted and created again"):
        reader.read(limit_records=10)
    assert source.describe().identity != before
    consumer.restart()
    consumer.step()
    assert Action.RECREATED in {decision.action for decision in consumer.decisions}
    assert consumer.drain() == [b"old", b"new"]


def test_a_position_in_time_gives_what_arrived_since(sharded: Sharded) -> None:
    sharded.put("k", b"1")
    source = sharded.source()
    reader = source.open(sharded.first, at_time(datetime(2020, 1, 1, tzinfo=UTC)))
    found: list[bytes] = []
    for _ in range(20):
        found += reader.read(limit_records=10).records.column("kinesis_data").to_pylist()
    assert found == [b"1"]


def test_a_shard_that_never_was_is_an_error_of_its_own(backend: Backend) -> None:
    source = backend.source()
    with pytest.raises(StreamError, match=backend.missing) as caught:
        source.open(backend.missing, OLDEST).read(limit_records=10)
    assert caught.value.sqlstate == "42704"


@pytest.fixture
def kinesis(standin: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[KinesisBackend]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    made = KinesisBackend(standin, f"k-{time.monotonic_ns()}")
    yield made
    made.close()


def test_a_stream_that_never_was_is_unknown(kinesis: KinesisBackend) -> None:
    source = open_stream("nowhere", Access("us-east-1", endpoint_url=kinesis.url), clock=ManualClock())
    with pytest.raises(StreamError, match='stream "nowhere" does not exist') as caught:
        source.describe()
    assert caught.value.sqlstate == "42704"
    source.close()


def test_kinesis_that_goes_on_throttling_ends_the_read_and_not_the_reader(kinesis: KinesisBackend) -> None:
    kinesis.put("k", b"1")
    reader = kinesis.source().open(kinesis.first, OLDEST)
    kinesis.order(command="throttle", operation="GetRecords", times=limits.STREAM_RETRIES_MAX + 1)
    with pytest.raises(StreamError, match="read too often"):
        reader.read(limit_records=10)
    assert reader.read(limit_records=10).count == 1


def test_kinesis_with_failures_by_chance_on_top_gives_every_record_once(kinesis: KinesisBackend) -> None:
    client: Any = open_stream(kinesis.name, Access("us-east-1", endpoint_url=kinesis.url))._calls
    assert isinstance(client, KinesisCalls)
    random = Random(3)
    source = PolledSource(kinesis.name, FaultyCalls(client, random, rate=0.1), clock=ManualClock(), random=random)
    wanted = [str(number).encode() for number in range(40)]
    kinesis.put("k", *wanted)
    assert Consumer(source, limit=4).drain(restarts=True) == wanted
    source.close()


def test_what_was_put_shows_in_the_metrics(kinesis: KinesisBackend) -> None:
    start = datetime.now(UTC) - timedelta(minutes=2)
    kinesis.put("k", b"12345", b"678")
    Consumer(kinesis.source()).drain()
    end = start + timedelta(minutes=5)
    access = Access("us-east-1", endpoint_url=kinesis.url)
    found = stream_metrics(kinesis.name, access, start=start, end=end, period=timedelta(minutes=1))
    assert found.total(Metric.INCOMING_RECORDS) == 2
    assert found.total(Metric.INCOMING_BYTES) >= 8
    assert found.total(Metric.GET_RECORDS) >= 2
    assert found.latest(Metric.ITERATOR_AGE) is not None


def test_a_chain_of_roles_reads_the_stream_of_its_last_account(kinesis: KinesisBackend) -> None:
    roles = ("arn:aws:iam::111111111111:role/warehouse", "arn:aws:iam::222222222222:role/reader")
    access = Access("us-east-1", roles, endpoint_url=kinesis.url, sts_endpoint_url=kinesis.url)
    theirs = assume_roles(roles, "us-east-1", sts_endpoint_url=kinesis.url).client("kinesis", endpoint_url=kinesis.url)
    theirs.create_stream(StreamName=f"their-{kinesis.name}", ShardCount=1)
    source = open_stream(f"their-{kinesis.name}", access, clock=ManualClock())
    assert ":222222222222:stream/" in source.describe().identity
    source.close()
    with pytest.raises(StreamError, match="does not exist"):
        open_stream(f"their-{kinesis.name}", Access("us-east-1", endpoint_url=kinesis.url), clock=ManualClock()).describe()
