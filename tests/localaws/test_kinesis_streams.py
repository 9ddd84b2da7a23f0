"""Streams as a whole: made, described, listed, tagged, kept longer, deleted; and what is refused, in AWS's words."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.localaws.conftest import LocalServer

_names = itertools.count()


def make_stream(kinesis: Any, shards: int = 1) -> str:
    name = f"stream-{next(_names)}"
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    return name


def summary(kinesis: Any, stream: str) -> Any:
    return kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]


def call(server: LocalServer, operation: str, parameters: Any) -> tuple[int, Any]:
    """Call without botocore's own checks; return status and answer."""
    headers = {"X-Amz-Target": f"Kinesis_20131202.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    try:
        return 200, server.post("/", json.dumps(parameters).encode(), headers)
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_a_stream_is_described_as_it_was_made(kinesis: Any) -> None:
    stream = make_stream(kinesis, 3)
    found = summary(kinesis, stream)
    assert found["StreamARN"] == f"arn:aws:kinesis:us-east-1:123456789012:stream/{stream}"
    assert (found["StreamStatus"], found["RetentionPeriodHours"], found["OpenShardCount"]) == ("ACTIVE", 24, 3)
    assert found["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    kinesis.get_waiter("stream_exists").wait(StreamName=stream)
    page = kinesis.describe_stream(StreamName=stream, Limit=2)["StreamDescription"]
    assert (len(page["Shards"]), page["HasMoreShards"]) == (2, True)
    rest = kinesis.describe_stream(StreamName=stream, ExclusiveStartShardId="shardId-000000000001")["StreamDescription"]
    assert ([shard["ShardId"] for shard in rest["Shards"]], rest["HasMoreShards"]) == (["shardId-000000000002"], False)


def test_a_name_is_taken_once(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    with pytest.raises(kinesis.exceptions.ResourceInUseException) as caught:
        kinesis.create_stream(StreamName=stream, ShardCount=1)
    assert caught.value.response["Error"]["Message"] == f"Stream {stream} under account 123456789012 already exists."


def test_a_deleted_stream_is_gone_and_its_name_begins_anew(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    old = kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k")["SequenceNumber"]
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    kinesis.delete_stream(StreamName=stream)
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException) as caught:
        summary(kinesis, stream)
    assert caught.value.response["Error"]["Message"] == f"Stream {stream} under account 123456789012 not found."
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.get_records(ShardIterator=iterator)
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    assert kinesis.get_records(ShardIterator=iterator)["Records"] == []
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="did not come from this stream"):
        kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=old)


def test_streams_are_listed_in_pages(local_server: LocalServer) -> None:
    kinesis = local_server.client("kinesis", access_key="111111111111")
    for name in ("c", "a", "b"):
        kinesis.create_stream(StreamName=name, ShardCount=1)
    first = kinesis.list_streams(Limit=2)
    assert (first["StreamNames"], first["HasMoreStreams"]) == (["a", "b"], True)
    assert kinesis.list_streams(NextToken=first["NextToken"])["StreamNames"] == ["c"]
    assert [page["StreamNames"] for page in kinesis.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 1})] == [
        ["a"],
        ["b"],
        ["c"],
    ]


def test_accounts_and_regions_have_streams_of_their_own(local_server: LocalServer) -> None:
    home = local_server.client("kinesis", access_key="333333333333")
    abroad = local_server.client("kinesis", access_key="333333333333", region="eu-west-1")
    other = local_server.client("kinesis", access_key="444444444444")
    for client in (home, abroad, other):
        client.create_stream(StreamName="same", ShardCount=1)
    arns = {summary(client, "same")["StreamARN"] for client in (home, abroad, other)}
    assert arns == {
        "arn:aws:kinesis:us-east-1:333333333333:stream/same",
        "arn:aws:kinesis:eu-west-1:333333333333:stream/same",
        "arn:aws:kinesis:us-east-1:444444444444:stream/same",
    }
    other.put_record(StreamARN="arn:aws:kinesis:us-east-1:333333333333:stream/same", Data=b"over", PartitionKey="k")
    iterator = home.get_shard_iterator(StreamName="same", ShardId="0", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    assert [record["Data"] for record in home.get_records(ShardIterator=iterator)["Records"]] == [b"over"]


def test_retention_is_bounded(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    for operation, hours, words in (
        (kinesis.increase_stream_retention_period, 8761, "Maximum allowed retention period is 8760 hours"),
        (kinesis.decrease_stream_retention_period, 23, "Minimum allowed retention period is 24 hours"),
        (kinesis.decrease_stream_retention_period, 48, "can not be longer than existing retention period"),
    ):
        with pytest.raises(kinesis.exceptions.InvalidArgumentException, match=words):
            operation(StreamName=stream, RetentionPeriodHours=hours)
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=8760)
    assert summary(kinesis, stream)["RetentionPeriodHours"] == 8760
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="can not be shorter than existing"):
        kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=24)


def test_tags_are_kept_listed_and_removed(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    arn = summary(kinesis, stream)["StreamARN"]
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"team": "a", "cost": "1"})
    kinesis.tag_resource(ResourceARN=arn, Tags={"team": "b"})
    first = kinesis.list_tags_for_stream(StreamName=stream, Limit=1)
    assert (first["Tags"], first["HasMoreTags"]) == ([{"Key": "cost", "Value": "1"}], True)
    kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=["cost", "unknown"])
    assert kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "b"}]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="cannot have more than 50 tags"):
        kinesis.add_tags_to_stream(StreamName=stream, Tags={f"k{n}": "" for n in range(50)})


def test_limits_count_open_shards(local_server: LocalServer) -> None:
    kinesis = local_server.client("kinesis", access_key="555555555555")
    kinesis.create_stream(StreamName="one", ShardCount=3)
    kinesis.create_stream(StreamName="two", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    limits = kinesis.describe_limits()
    assert (limits["OpenShardCount"], limits["OnDemandStreamCount"]) == (7, 1)
    with pytest.raises(kinesis.exceptions.LimitExceededException, match="would exceed the shard limit for the account 555555555555"):
        kinesis.create_stream(StreamName="three", ShardCount=20_000)


def test_consumers_are_registered_listed_and_deregistered(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    arn = summary(kinesis, stream)["StreamARN"]
    for name in ("b", "a"):
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)
    with pytest.raises(kinesis.exceptions.ResourceInUseException):
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="a")
    page = kinesis.list_stream_consumers(StreamARN=arn, MaxResults=1)
    assert [one["ConsumerName"] for one in page["Consumers"]] == ["a"]
    assert [one["ConsumerName"] for one in kinesis.list_stream_consumers(StreamARN=arn, NextToken=page["NextToken"])["Consumers"]] == ["b"]
    found = kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName="a")["ConsumerDescription"]
    assert found["ConsumerARN"].startswith(f"{arn}/consumer/a:")
    with pytest.raises(kinesis.exceptions.ResourceInUseException):
        kinesis.delete_stream(StreamName=stream)
    kinesis.deregister_stream_consumer(ConsumerARN=found["ConsumerARN"])
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.describe_stream_consumer(ConsumerARN=found["ConsumerARN"])
    assert summary(kinesis, stream)["ConsumerCount"] == 1
    kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "message"),
    [
        (
            "CreateStream",
            {},
            "ValidationException",
            "1 validation error detected: Value null at 'streamName' failed to satisfy constraint: Member must not be null",
        ),
        (
            "CreateStream",
            {"StreamName": "a b", "ShardCount": 0},
            "ValidationException",
            "2 validation errors detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy regular "
            "expression pattern: [a-zA-Z0-9_.-]+; Value '0' at 'shardCount' failed to satisfy constraint: Member must have "
            "value greater than or equal to 1",
        ),
        (
            "GetShardIterator",
            {"StreamName": "x", "ShardId": "s", "ShardIteratorType": "NOW"},
            "ValidationException",
            "1 validation error detected: Value 'NOW' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value "
            "set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]",
        ),
        ("CreateStream", {"StreamName": 5}, "SerializationException", "NUMBER_VALUE can not be converted to String"),
        ("CreateStream", {"StreamName": "s", "ShardCount": True}, "SerializationException", "TRUE_VALUE can not be converted to Integer"),
        ("CreateStream", {"StreamName": ["s"]}, "SerializationException", "Start of list found where not expected"),
        ("CreateStream", [], "SerializationException", "Start of structure or map expected."),
        ("GetRecords", {"ShardIterator": "bm90IG9uZSBvZiBvdXJz"}, "InvalidArgumentException", "Invalid ShardIterator."),
        ("PutRecord", {"StreamName": "none", "Data": "", "PartitionKey": "k"}, "ResourceNotFoundException", "not found"),
        ("DescribeStream", {}, "InvalidArgumentException", "Either StreamName or StreamARN must be specified."),
        ("DescribeStream", {"StreamARN": "arn:aws:kinesis:r:1:stream/x"}, "ValidationException", "regular expression pattern"),
        ("PutResourcePolicy", {}, "UnknownOperationException", "is not supported here"),
        ("constructor", {}, "UnknownOperationException", "is not supported here"),
    ],
)
def test_wrong_requests_are_refused_in_the_words_of_aws(
    local_server: LocalServer, operation: str, parameters: Any, code: str, message: str
) -> None:
    status, answer = call(local_server, operation, parameters)
    assert (status, answer["__type"]) == (400, code)
    assert message in answer["message"]


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        ({"Data": "eA=="}, "ValidationException", "Value null at 'records.1.member.partitionKey'"),
        ({"Data": "eA==", "PartitionKey": ""}, "ValidationException", "greater than or equal to 1"),
        ({"Data": "eA==", "PartitionKey": "k" * 257}, "ValidationException", "less than or equal to 256"),
        ({"PartitionKey": "k"}, "ValidationException", "Value null at 'records.1.member.data'"),
        ({"Data": "%%%", "PartitionKey": "k"}, "SerializationException", "Blob"),
        ({"Data": "eA", "PartitionKey": "k"}, "SerializationException", "Blob"),
        ({"Data": 5, "PartitionKey": "k"}, "SerializationException", "Blob"),
        ({"Data": "eA==", "PartitionKey": "k", "ExplicitHashKey": "-1"}, "ValidationException", "explicitHashKey"),
        ({"Data": "eA==", "PartitionKey": "k", "ExplicitHashKey": str(2**128)}, "InvalidArgumentException", "Invalid ExplicitHashKey"),
        ("text", "SerializationException", "structure"),
    ],
)
def test_wrong_records_are_refused(kinesis: Any, local_server: LocalServer, record: Any, code: str, message: str) -> None:
    stream = make_stream(kinesis)
    status, answer = call(local_server, "PutRecords", {"StreamName": stream, "Records": [record]})
    assert (status, answer["__type"]) == (400, code)
    assert message in answer["message"]


def test_iterators_need_arguments_that_agree(kinesis: Any) -> None:
    stream = make_stream(kinesis, 2)
    number = kinesis.put_record(StreamName=stream, Data=b"", PartitionKey="a", ExplicitHashKey="0")["SequenceNumber"]

    def refused(**parameters: Any) -> str:
        with pytest.raises(ClientError) as caught:
            kinesis.get_shard_iterator(StreamName=stream, **parameters)
        assert caught.value.response["Error"]["Code"] == "InvalidArgumentException"
        return str(caught.value.response["Error"]["Message"])

    assert "Request specified LATEST and also" in refused(ShardId="0", ShardIteratorType="LATEST", StartingSequenceNumber=number)
    assert "and no StartingSequenceNumber" in refused(ShardId="0", ShardIteratorType="AT_SEQUENCE_NUMBER")
    assert "It encodes shardId-000000000000" in refused(ShardId="1", ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=number)
    assert "is invalid." in refused(ShardId="0", ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber="12")
    assert "Must specify timestamp" in refused(ShardId="0", ShardIteratorType="AT_TIMESTAMP")
    assert "cannot be greater than the currentTimestamp" in refused(ShardId="0", ShardIteratorType="AT_TIMESTAMP", Timestamp=9e9)


def test_an_iterator_lives_five_minutes(kinesis: Any, local_server: LocalServer) -> None:
    stream = make_stream(kinesis)
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="LATEST")["ShardIterator"]
    local_server.admin("clock", advance=299)
    kinesis.get_records(ShardIterator=iterator)
    local_server.admin("clock", advance=2)
    with pytest.raises(kinesis.exceptions.ExpiredIteratorException, match="tolerated delay of 300000 milliseconds"):
        kinesis.get_records(ShardIterator=iterator)
