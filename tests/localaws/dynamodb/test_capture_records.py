"""Change records, field by field, and the transaction that they share with the item."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

MakeTable = Callable[..., None]
KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"


def capture(client: Any, precision: str | None = "MICROSECOND") -> Any:
    more: dict[str, Any] = {}
    if precision is not None:
        more["EnableKinesisStreamingConfiguration"] = {"ApproximateCreationDateTimePrecision": precision}
    return client.enable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM, **more)


def test_a_record_has_the_fields_of_the_service_and_no_others(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    client.put_item(TableName="orders", Item={**KEY, "before": {"S": "capture"}})
    assert capture(client)["DestinationStatus"] == "ENABLING"
    driver.clock.stop()
    client.put_item(TableName="orders", Item={**KEY, "n": {"N": "10.0"}})
    client.update_item(TableName="orders", Key=KEY, UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": {"N": "12.50"}})
    client.delete_item(TableName="orders", Key=KEY)
    client.put_item(TableName="orders", Item=dict(KEY))
    replaced, changed, removed, inserted = driver.records()
    assert list(changed) == [
        "awsRegion", "eventID", "eventName", "userIdentity", "recordFormat", "tableName", "dynamodb", "eventSource",
    ]  # fmt: skip
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", changed["eventID"])
    assert len({record["eventID"] for record in driver.records()}) == 4
    fixed = {name: changed[name] for name in ("awsRegion", "userIdentity", "recordFormat", "tableName", "eventSource")}
    assert fixed == {
        "awsRegion": "us-east-1", "userIdentity": None, "recordFormat": "application/json", "tableName": "orders",
        "eventSource": "aws:dynamodb",
    }  # fmt: skip
    moment = driver.clock.now_us()
    assert [record["dynamodb"]["ApproximateCreationDateTime"] for record in driver.records()] == [moment + step for step in range(4)]
    assert [record["eventName"] for record in (replaced, changed, removed, inserted)] == ["MODIFY", "MODIFY", "REMOVE", "INSERT"]
    del changed["dynamodb"]["ApproximateCreationDateTime"]
    assert changed["dynamodb"] == {
        "ApproximateCreationDateTimePrecision": "MICROSECOND", "Keys": KEY, "NewImage": {**KEY, "n": {"N": "12.5"}},
        "OldImage": {**KEY, "n": {"N": "10"}}, "SizeBytes": 6 + (6 + 1 + 3) + (6 + 1 + 2),
    }  # fmt: skip
    assert "NewImage" not in removed["dynamodb"]
    assert "OldImage" not in inserted["dynamodb"]
    assert inserted["dynamodb"]["NewImage"] == KEY


def test_without_a_precision_the_times_are_milliseconds_and_it_can_be_changed(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    capture(client, None)
    client.put_item(TableName="orders", Item={**KEY, "n": {"N": "1"}})
    client.update_kinesis_streaming_destination(
        TableName="orders",
        StreamArn=STREAM,
        UpdateKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
    )
    client.put_item(TableName="orders", Item={**KEY, "n": {"N": "2"}})
    coarse, fine = (record["dynamodb"] for record in driver.records())
    assert "ApproximateCreationDateTimePrecision" not in coarse
    assert len(str(coarse["ApproximateCreationDateTime"])) == 13
    assert len(str(fine["ApproximateCreationDateTime"])) == 16
    described = client.describe_kinesis_streaming_destination(TableName="orders")["KinesisDataStreamDestinations"]
    expected = {"StreamArn": STREAM, "DestinationStatus": "ACTIVE", "ApproximateCreationDateTimePrecision": "MICROSECOND"}
    assert described == [expected]


def test_a_write_that_changes_nothing_makes_no_record(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    capture(client)
    item = {**KEY, "n": {"N": "1.0"}, "s": {"SS": ["a", "b"]}, "m": {"M": {"x": {"S": "1"}, "y": {"S": "2"}}}}
    client.put_item(TableName="orders", Item=item)
    same = {"m": {"M": {"y": {"S": "2"}, "x": {"S": "1"}}}, "s": {"SS": ["b", "a"]}, "n": {"N": "1"}, **KEY}
    client.put_item(TableName="orders", Item=same)
    client.update_item(TableName="orders", Key=KEY, UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": {"N": "1E0"}})
    client.delete_item(TableName="orders", Key={"pk": {"S": "other"}, "sk": {"S": "1"}})
    assert [record["eventName"] for record in driver.records()] == ["INSERT"]


def test_binary_values_are_in_base64_twice_in_records_only(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table(sort_type="B")
    capture(client)
    key = {"pk": {"S": "a"}, "sk": {"B": b"\x01\x02"}}
    more = {"b": {"B": b"xyz"}, "set": {"BS": [b"p", b"q"]}, "deep": {"M": {"B": {"L": [{"B": b"in"}]}}}}
    client.put_item(TableName="orders", Item=key | more)
    record = driver.records()[0]["dynamodb"]
    assert b64decode(b64decode(record["Keys"]["sk"]["B"])) == b"\x01\x02"
    assert b64decode(b64decode(record["NewImage"]["deep"]["M"]["B"]["L"][0]["B"])) == b"in"
    assert sorted(b64decode(b64decode(element)) for element in record["NewImage"]["set"]["BS"]) == [b"p", b"q"]
    assert client.get_item(TableName="orders", Key=key)["Item"] == key | more


def test_all_changes_of_an_item_share_a_partition_key(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    capture(client)
    for number in range(3):
        client.put_item(TableName="orders", Item={**KEY, "n": {"N": str(number)}})
        client.put_item(TableName="orders", Item={"pk": {"S": "b"}, "sk": {"S": "1"}, "n": {"N": str(number)}})
    keys = driver.partition_keys()
    assert keys == keys[:2] * 3
    assert keys[0] != keys[1]
    assert all(re.fullmatch("[0-9A-F]{32}", key) for key in keys)


def test_creation_times_increase_even_if_the_clock_goes_back(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    capture(client)
    for number in range(6):
        if number == 3:
            driver.clock.skew(-3600)
        client.put_item(TableName="orders", Item={**KEY, "n": {"N": str(number)}})
    times = [record["dynamodb"]["ApproximateCreationDateTime"] for record in driver.records()]
    assert all(earlier < later for earlier, later in pairwise(times))


def test_a_record_that_is_too_large_is_dropped_and_told(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    capture(client)
    driver.streams.bytes_max = 1000
    client.put_item(TableName="orders", Item={**KEY, "big": {"S": "x" * 2000}})
    client.put_item(TableName="orders", Item={**KEY, "small": {"S": "x"}})
    assert client.get_item(TableName="orders", Key=KEY)["Item"]["small"] == {"S": "x"}
    assert driver.records() == []
    described = client.describe_kinesis_streaming_destination(TableName="orders")["KinesisDataStreamDestinations"][0]
    assert described["DestinationStatusDescription"].startswith("2 records could not be written and were dropped")


def test_a_disabled_destination_gets_nothing_and_can_be_enabled_again(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    capture(client)
    with pytest.raises(client.exceptions.ResourceInUseException):
        capture(client)
    client.disable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM)
    client.put_item(TableName="orders", Item=dict(KEY))
    assert driver.records() == []
    with pytest.raises(ClientError, match="not in a valid state to disable"):
        client.disable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM)
    capture(client, "MILLISECOND")
    client.delete_item(TableName="orders", Key=KEY)
    assert [record["eventName"] for record in driver.records()] == ["REMOVE"]


def test_a_destination_must_be_a_stream_of_the_same_account_and_region(client: Any, make_table: MakeTable) -> None:
    make_table()
    for arn in (STREAM.replace("us-east-1", "eu-west-1"), STREAM.replace("123456789012", "999999999999")):
        with pytest.raises(ClientError, match="same account and region"):
            client.enable_kinesis_streaming_destination(TableName="orders", StreamArn=arn)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.enable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM + "-not")
    wrong = {"ApproximateCreationDateTimePrecision": "NANOSECOND"}
    with pytest.raises(ClientError, match="Member must satisfy enum value set"):
        client.enable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM, EnableKinesisStreamingConfiguration=wrong)


def test_item_and_record_are_undone_together(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    capture(client)
    client.put_item(TableName="orders", Item=dict(KEY))
    from nearshift.localaws.service import Request

    body = {"TableName": "orders", "Item": {**KEY, "n": {"N": "1"}}}
    request = Request("PutItem", "123456789012", "us-east-1", "1")
    with driver.store.transaction():
        driver.service.operations["PutItem"](request, driver.service.decoders["PutItem"](json.dumps(body).encode()))
    assert len(driver.records()) == 2
    driver.store.rollback()
    assert len(driver.records()) == 1
    assert client.get_item(TableName="orders", Key=KEY)["Item"] == KEY
    assert client.describe_table(TableName="orders")["Table"]["TableSizeBytes"] == 6
