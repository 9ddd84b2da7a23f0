"""Splits, merges and scaling: a closed shard is read to its end, then names its children; nothing is lost."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from nearshift.localaws.shards import HASH_MAX, Merge, Split, even_ranges, plan_uniform_scaling

if TYPE_CHECKING:
    from tests.localaws.conftest import LocalServer

_names = itertools.count()


def make_stream(kinesis: Any, shards: int = 1) -> str:
    name = f"reshard-{next(_names)}"
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    return name


def list_shards(kinesis: Any, stream: str, **more: Any) -> list[Any]:
    shards = []
    answer = kinesis.list_shards(StreamName=stream, **more)
    while True:
        shards += answer["Shards"]
        if "NextToken" not in answer:
            return shards
        answer = kinesis.list_shards(NextToken=answer["NextToken"], MaxResults=more.get("MaxResults", 1000))


def drain(kinesis: Any, stream: str, shard: str) -> tuple[list[bytes], Any]:
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    data: list[bytes] = []
    while True:
        page = kinesis.get_records(ShardIterator=iterator, Limit=7)
        data += [record["Data"] for record in page["Records"]]
        iterator = page.get("NextShardIterator")
        if iterator is None or (page["MillisBehindLatest"] == 0 and not page["Records"]):
            return data, page


def put(kinesis: Any, stream: str, *numbers: int) -> set[str]:
    records = [{"Data": b"%d" % number, "PartitionKey": f"key-{number}"} for number in numbers]
    return {record["ShardId"] for record in kinesis.put_records(StreamName=stream, Records=records)["Records"]}


def test_after_a_split_puts_go_to_the_children_and_the_parent_ends(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    put(kinesis, stream, *range(20))
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    assert put(kinesis, stream, *range(20, 60)) == {"shardId-000000000001", "shardId-000000000002"}
    data, end = drain(kinesis, stream, "shardId-000000000000")
    assert data == [b"%d" % number for number in range(20)]
    assert end.get("NextShardIterator") is None
    assert [child["ShardId"] for child in end["ChildShards"]] == ["shardId-000000000001", "shardId-000000000002"]
    assert end["ChildShards"][0]["ParentShards"] == ["shardId-000000000000"]
    parent, low, high = list_shards(kinesis, stream)
    ending = int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
    assert ending < int(low["SequenceNumberRange"]["StartingSequenceNumber"])
    assert (low["ParentShardId"], high["HashKeyRange"]["StartingHashKey"]) == ("shardId-000000000000", str(2**127))


def test_a_merge_has_two_parents(kinesis: Any) -> None:
    stream = make_stream(kinesis, 2)
    put(kinesis, stream, *range(10))
    kinesis.merge_shards(StreamName=stream, ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000000")
    assert put(kinesis, stream, *range(10, 20)) == {"shardId-000000000002"}
    child = list_shards(kinesis, stream)[2]
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == ("shardId-000000000001", "shardId-000000000000")
    assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(HASH_MAX)}
    _, end = drain(kinesis, stream, "shardId-000000000000")
    assert end["ChildShards"][0]["ParentShards"] == ["shardId-000000000001", "shardId-000000000000"]


def test_nothing_is_lost_or_doubled_over_many_reshards(kinesis: Any) -> None:
    stream = make_stream(kinesis, 2)
    chance = random.Random(7)
    for turn in range(12):
        put(kinesis, stream, *range(turn * 30, turn * 30 + 30))
        count = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["OpenShardCount"]
        target = chance.randint((count + 1) // 2, min(count * 2, 12))
        kinesis.update_shard_count(StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
    seen: list[bytes] = []
    for shard in list_shards(kinesis, stream):
        seen += drain(kinesis, stream, shard["ShardId"])[0]
    assert sorted(map(int, seen)) == list(range(12 * 30))


@pytest.mark.parametrize(("current", "target"), [(1, 2), (4, 2), (3, 5), (5, 3), (4, 4), (7, 8)])
def test_scaling_ends_in_even_ranges(current: int, target: int) -> None:
    ranges = even_ranges(current)
    for step in plan_uniform_scaling(ranges, target):
        if isinstance(step, Split):
            index = next(i for i, (low, high) in enumerate(ranges) if low < step.at <= high)
            low, high = ranges[index]
            ranges[index : index + 1] = [(low, step.at - 1), (step.at, high)]
        else:
            assert isinstance(step, Merge)
            index = next(i for i, (low, _) in enumerate(ranges) if low == step.at)
            ranges[index - 1 : index + 1] = [(ranges[index - 1][0], ranges[index][1])]
    assert ranges == even_ranges(target)


@pytest.mark.parametrize(("target", "words"), [(9, "cannot scale up over double"), (1, "cannot scale down below half")])
def test_a_scaling_too_far_is_refused(kinesis: Any, target: int, words: str) -> None:
    stream = make_stream(kinesis, 4)
    with pytest.raises(kinesis.exceptions.LimitExceededException, match=words):
        kinesis.update_shard_count(StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
    assert len(list_shards(kinesis, stream)) == 4


def test_a_closed_shard_cannot_be_split_or_merged_again(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    split = {"StreamName": stream, "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": str(2**127)}
    kinesis.split_shard(**split)
    with pytest.raises(kinesis.exceptions.ResourceInUseException, match="already been merged or split"):
        kinesis.split_shard(**split)
    with pytest.raises(kinesis.exceptions.ResourceInUseException):
        kinesis.merge_shards(StreamName=stream, ShardToMerge="shardId-000000000000", AdjacentShardToMerge="shardId-000000000001")


def test_wrong_splits_and_merges_are_refused(kinesis: Any) -> None:
    stream = make_stream(kinesis, 3)
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="not both greater than one plus"):
        kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey="1")
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="not an adjacent pair"):
        kinesis.merge_shards(StreamName=stream, ShardToMerge="shardId-000000000000", AdjacentShardToMerge="shardId-000000000002")
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match="Could not find shard shardId-000000000009"):
        kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000009", NewStartingHashKey="5")


def test_shards_are_listed_in_pages_and_filtered(kinesis: Any, local_server: LocalServer) -> None:
    stream = make_stream(kinesis, 3)
    local_server.admin("clock", advance=60)
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey="1000")

    def ids(**condition: Any) -> list[int]:
        return [int(shard["ShardId"][-2:]) for shard in list_shards(kinesis, stream, MaxResults=2, ShardFilter=condition)]

    assert [int(shard["ShardId"][-2:]) for shard in list_shards(kinesis, stream, MaxResults=2)] == [0, 1, 2, 3, 4]
    assert ids(Type="AT_LATEST") == [1, 2, 3, 4]
    assert ids(Type="AT_TRIM_HORIZON") == [0, 1, 2]
    assert ids(Type="AFTER_SHARD_ID", ShardId="shardId-000000000002") == [3, 4]
    now = local_server.admin("status")["clock"]["now"]
    assert ids(Type="AT_TIMESTAMP", Timestamp=now - 30) == [0, 1, 2]
    assert ids(Type="FROM_TIMESTAMP", Timestamp=now - 30) == [0, 1, 2, 3, 4]


def test_a_list_token_is_alone_and_grows_old(kinesis: Any, local_server: LocalServer) -> None:
    stream = make_stream(kinesis, 3)
    token = kinesis.list_shards(StreamName=stream, MaxResults=1)["NextToken"]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="cannot be provided together"):
        kinesis.list_shards(StreamName=stream, NextToken=token)
    local_server.admin("clock", advance=301)
    with pytest.raises(kinesis.exceptions.ExpiredNextTokenException):
        kinesis.list_shards(NextToken=token)


def test_a_shard_past_retention_is_listed_no_more(kinesis: Any, local_server: LocalServer) -> None:
    stream = make_stream(kinesis)
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey="1000")
    local_server.admin("clock", advance=25 * 3600)
    assert [shard["ShardId"][-1] for shard in list_shards(kinesis, stream)] == ["1", "2"]
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")


def test_an_on_demand_stream_is_not_resharded_by_hand(kinesis: Any) -> None:
    name = f"reshard-{next(_names)}"
    kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    assert len(list_shards(kinesis, name)) == 4
    with pytest.raises(ClientError, match="is in On-Demand mode"):
        kinesis.update_shard_count(StreamName=name, TargetShardCount=8, ScalingType="UNIFORM_SCALING")
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "PROVISIONED"})
    kinesis.update_shard_count(StreamName=name, TargetShardCount=8, ScalingType="UNIFORM_SCALING")


def test_more_than_a_thousand_shards_take_two_pages(kinesis: Any) -> None:
    stream = make_stream(kinesis, 1200)
    first = kinesis.list_shards(StreamName=stream)
    assert len(first["Shards"]) == 1000
    rest = kinesis.list_shards(NextToken=first["NextToken"])
    assert [shard["ShardId"][-4:] for shard in rest["Shards"]] == [f"{number:04d}" for number in range(1000, 1200)]
    assert "NextToken" not in rest
    kinesis.update_shard_count(StreamName=stream, TargetShardCount=600, ScalingType="UNIFORM_SCALING")
    kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    kinesis.delete_stream(StreamName=stream)
