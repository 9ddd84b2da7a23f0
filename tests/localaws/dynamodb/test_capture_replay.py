"""Any run of writes: the records, replayed in the order of their creation times, make the items; nothing else is recorded."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"
sorts = st.sampled_from(["1", "2", "3"])
values = st.sampled_from(["1", "1.0", "2", "1e0"])
writes = st.lists(st.tuples(st.sampled_from(["put", "update", "delete", "batch", "transact", "refused"]), sorts, values), max_size=25)


def key(sort: str) -> dict[str, Any]:
    return {"pk": {"S": "p"}, "sk": {"S": sort}}


def write(client: Any, kind: str, sort: str, value: str) -> None:
    item = {**key(sort), "n": {"N": value}}
    update = {
        "TableName": "orders", "Key": key(sort), "UpdateExpression": "SET n = :n ADD c :one",
        "ExpressionAttributeValues": {":n": {"N": value}, ":one": {"N": "1"}},
    }  # fmt: skip
    other = key("other")
    if kind == "put":
        client.put_item(TableName="orders", Item=item)
    elif kind == "update":
        client.update_item(**update)
    elif kind == "delete":
        client.delete_item(TableName="orders", Key=key(sort))
    elif kind == "batch":
        client.batch_write_item(RequestItems={"orders": [{"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": other}}]})
    else:
        check = {"TableName": "orders", "Key": other, "ConditionExpression": "attribute_exists(pk) OR attribute_not_exists(pk)"}
        if kind == "refused":
            check["ConditionExpression"] = "attribute_exists(pk) AND attribute_not_exists(pk)"
        client.transact_write_items(TransactItems=[{"Update": update}, {"ConditionCheck": check}])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(done=writes)
def test_the_records_make_the_items(tmp_path_factory: pytest.TempPathFactory, open_driver: Any, done: list[tuple[str, str, str]]) -> None:
    directory: Path = tmp_path_factory.mktemp("aws")
    with open_driver(directory) as driver:
        client = driver.client()
        attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
        schema = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
        client.create_table(TableName="orders", KeySchema=schema, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST")
        precision = {"ApproximateCreationDateTimePrecision": "MICROSECOND"}
        client.enable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM, EnableKinesisStreamingConfiguration=precision)
        driver.clock.stop()
        for step in done:
            if step[0] == "refused":
                with pytest.raises(ClientError):
                    write(client, *step)
            else:
                write(client, *copy.deepcopy(step))
        replayed: dict[str, Any] = {}
        for record in sorted(driver.records(), key=lambda record: record["dynamodb"]["ApproximateCreationDateTime"]):
            body = record["dynamodb"]
            sort = body["Keys"]["sk"]["S"]
            assert body.get("OldImage") == replayed.get(sort)
            assert body.get("OldImage") != body.get("NewImage")
            name = {(False, True): "INSERT", (True, True): "MODIFY", (True, False): "REMOVE"}
            assert record["eventName"] == name["OldImage" in body, "NewImage" in body]
            replayed.pop(sort, None)
            if "NewImage" in body:
                replayed[sort] = body["NewImage"]
        items = {item["sk"]["S"]: item for item in client.scan(TableName="orders")["Items"]}
        assert replayed == items
        assert client.describe_table(TableName="orders")["Table"]["ItemCount"] == len(items)
