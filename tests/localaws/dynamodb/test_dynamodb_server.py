"""The real server: what the in-process tests cannot see of errors, checksums, expiry and the way into Kinesis."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any
from zlib import crc32

import pytest

from nearshift.localaws.dynamodb import KinesisSide
from nearshift.localaws.kinesis import Kinesis

HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=x",
}


def fits(kinesis: Kinesis) -> KinesisSide:
    """Nothing to run: the type checker says here whether the real Kinesis is what DynamoDB asks for."""
    return kinesis


def make_table(client: Any, name: str) -> None:
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}]
    client.create_table(
        TableName=name,
        KeySchema=schema,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def raw(server: Any, operation: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Send bytes as they are; return status and answer, the checksum verified."""
    request = urllib.request.Request(server.endpoint, body, HEADERS | {"X-Amz-Target": f"DynamoDB_20120810.{operation}"})
    try:
        answer = urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        content = answer.read()
        assert int(answer.headers["x-amz-crc32"]) == crc32(content)
        assert answer.headers["content-type"] == "application/x-amz-json-1.0"
        return answer.status, json.loads(content)


def test_errors_carry_their_members(local_server: Any) -> None:
    client = local_server.client("dynamodb")
    make_table(client, "members")
    client.put_item(TableName="members", Item={"pk": {"S": "a"}, "b": {"B": b"x"}})
    put = {
        "TableName": "members", "Item": {"pk": {"S": "a"}}, "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }  # fmt: skip
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as failed:
        client.put_item(**put)
    assert failed.value.response["Item"] == {"pk": {"S": "a"}, "b": {"B": b"x"}}
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=[{"Put": put}])
    assert cancelled.value.response["CancellationReasons"][0]["Item"] == {"pk": {"S": "a"}, "b": {"B": b"x"}}


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("PutItem", b"{", "SerializationException"),
        ("PutItem", b'{"TableName": 5}', "SerializationException"),
        ("PutItem", b'{"TableName":"t","Item":{"pk":{"L":' + b'[{"L":' * 5000 + b"[]" + b"}]" * 5000 + b"}}}", "SerializationException"),
        ("PutItem", b"{}", "ResourceNotFoundException"),
        ("CreateTable", b"{}", "ValidationException"),
        ("ExecuteStatement", b"{}", "UnknownOperationException"),
        ("NoSuchThing", b"{}", "UnknownOperationException"),
    ],
)
def test_nonsense_gets_an_answer_of_awss_shape(local_server: Any, operation: str, body: bytes, code: str) -> None:
    status, answer = raw(local_server, operation, body)
    assert status == 400
    assert answer["__type"].endswith("#" + code) or answer["__type"] == code
    assert "Traceback" not in str(answer)


def test_an_expired_item_reaches_the_stream_as_a_deletion_by_the_service(local_server: Any) -> None:
    client, kinesis = local_server.client("dynamodb"), local_server.client("kinesis")
    kinesis.create_stream(StreamName="expiry", ShardCount=1)
    make_table(client, "expiring")
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/expiry"
    client.enable_kinesis_streaming_destination(TableName="expiring", StreamArn=arn)
    client.update_time_to_live(TableName="expiring", TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone"})
    client.put_item(TableName="expiring", Item={"pk": {"S": "a"}, "gone": {"N": str(int(time.time()) + 1000)}})
    local_server.admin("clock", advance=1500)
    local_server.admin("maintain")
    shard = kinesis.list_shards(StreamName="expiry")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="expiry", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    inserted, removed = (json.loads(record["Data"]) for record in kinesis.get_records(ShardIterator=iterator)["Records"])
    assert inserted["userIdentity"] is None
    assert removed["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert removed["dynamodb"]["Keys"] == {"pk": {"S": "a"}}
    assert client.scan(TableName="expiring")["Count"] == 0


def test_tables_of_two_accounts_are_two(local_server: Any) -> None:
    one, other = local_server.client("dynamodb"), local_server.client("dynamodb", access_key="222222222222")
    make_table(one, "shared-name")
    make_table(other, "shared-name")
    one.put_item(TableName="shared-name", Item={"pk": {"S": "mine"}})
    assert other.scan(TableName="shared-name")["Count"] == 0
    assert ":222222222222:" in other.describe_table(TableName="shared-name")["Table"]["TableArn"]
