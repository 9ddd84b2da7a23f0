"""SubscribeToShard read by stock boto3."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EventStreamError

if TYPE_CHECKING:
    from tests.localaws.conftest import LocalServer

_names = itertools.count()


@pytest.fixture
def consumer(kinesis: Any) -> tuple[str, str]:
    """A stream of one shard with a consumer: the stream's name and the consumer's ARN."""
    name = f"subscribe-{next(_names)}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    return name, kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]


@pytest.fixture
def subscribe(kinesis: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that subscribes and gives the event stream; it is closed after the test."""
    streams = []

    def call(arn: str, **position: Any) -> Any:
        start = position or {"Type": "TRIM_HORIZON"}
        answer = kinesis.subscribe_to_shard(ConsumerARN=arn, ShardId="shardId-000000000000", StartingPosition=start)
        streams.append(answer["EventStream"])
        return answer["EventStream"]

    yield call
    for stream in streams:
        stream.close()


def test_records_are_pushed_until_the_shard_ends(kinesis: Any, consumer: tuple[str, str], subscribe: Callable[..., Any]) -> None:
    stream, arn = consumer
    kinesis.put_record(StreamName=stream, Data=b"0", PartitionKey="k")
    events = subscribe(arn)
    seen: list[bytes] = []
    put_more = threading.Timer(0.2, lambda: kinesis.put_record(StreamName=stream, Data=b"1", PartitionKey="k"))
    put_more.start()
    continuation = ""
    for event in events:
        body = event["SubscribeToShardEvent"]
        seen += [record["Data"] for record in body["Records"]]
        if body["Records"]:
            assert body["Records"][-1]["SequenceNumber"] == body["ContinuationSequenceNumber"]
        if seen == [b"0", b"1"] and "ChildShards" not in body:
            continuation = body["ContinuationSequenceNumber"]
            kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey="1000")
        if "ChildShards" in body:
            assert [child["ShardId"][-1] for child in body["ChildShards"]] == ["1", "2"]
    put_more.join()
    assert seen == [b"0", b"1"]
    again = [event["SubscribeToShardEvent"] for event in subscribe(arn, Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=continuation)]
    assert [event["Records"] for event in again] == [[]]


def test_a_pushed_record_arrives_at_once(kinesis: Any, consumer: tuple[str, str], subscribe: Callable[..., Any]) -> None:
    stream, arn = consumer
    events = iter(subscribe(arn, Type="LATEST"))
    next(events)
    kinesis.put_record(StreamName=stream, Data=b"now", PartitionKey="k")
    for _ in range(3):
        records = next(events)["SubscribeToShardEvent"]["Records"]
        if records:
            break
    assert [record["Data"] for record in records] == [b"now"]


def test_a_second_call_waits_five_seconds_then_takes_over(
    kinesis: Any, local_server: LocalServer, consumer: tuple[str, str], subscribe: Callable[..., Any]
) -> None:
    _, arn = consumer
    first = iter(subscribe(arn))
    next(first)
    with pytest.raises(kinesis.exceptions.ResourceInUseException, match="Another active subscription exists"):
        subscribe(arn)
    local_server.admin("clock", advance=6)
    second = iter(subscribe(arn))
    assert "SubscribeToShardEvent" in next(second)
    with pytest.raises(EventStreamError, match="ResourceInUseException"):
        list(first)


def test_a_subscription_ends_after_five_minutes(
    kinesis: Any, local_server: LocalServer, consumer: tuple[str, str], subscribe: Callable[..., Any]
) -> None:
    _, arn = consumer
    events = subscribe(arn)
    local_server.admin("clock", advance=301)
    assert len(list(events)) <= 2


def test_an_unknown_consumer_is_refused(kinesis: Any, consumer: tuple[str, str], subscribe: Callable[..., Any]) -> None:
    _, arn = consumer
    kinesis.deregister_stream_consumer(ConsumerARN=arn)
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        subscribe(arn)


def test_a_subscriber_that_goes_away_makes_room(kinesis: Any, local_server: LocalServer, consumer: tuple[str, str]) -> None:
    _, arn = consumer
    start = {"ConsumerARN": arn, "ShardId": "shardId-000000000000", "StartingPosition": {"Type": "LATEST"}}
    first = kinesis.subscribe_to_shard(**start)["EventStream"]
    next(iter(first))
    first.close()
    local_server.client("kinesis").list_streams()
    for _ in range(200):
        try:
            second = kinesis.subscribe_to_shard(**start)["EventStream"]
        except kinesis.exceptions.ResourceInUseException:
            continue
        second.close()
        return
    pytest.fail("the slot of a subscriber that has gone was not freed")
