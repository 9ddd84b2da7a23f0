"""Operations on items, as boto3 sends and reads them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

MakeTable = Callable[..., None]
KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


def error_of(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    found = caught.value.response["Error"]
    return found["Code"], found["Message"]


def test_what_was_put_is_got_in_normal_form(client: Any, make_table: MakeTable) -> None:
    make_table()
    item = {
        **KEY, "n": {"N": "50.00"}, "big": {"N": "12345678901234567890123456789012345678"}, "b": {"B": b"\x00\xff"}, "t": {"BOOL": True},
        "z": {"NULL": True}, "m": {"M": {"l": {"L": [{"S": "é"}, {"N": "1e2"}]}}}, "ns": {"NS": ["2", "1.0"]}, "bs": {"BS": [b"x"]},
        "empty": {"S": ""},
    }  # fmt: skip
    client.put_item(TableName="orders", Item=item)
    found = client.get_item(TableName="orders", Key=KEY, ConsistentRead=True)["Item"]
    assert found == item | {"n": {"N": "50"}, "m": {"M": {"l": {"L": [{"S": "é"}, {"N": "100"}]}}}, "ns": {"NS": ["1", "2"]}}
    assert "Item" not in client.get_item(TableName="orders", Key=KEY | {"sk": {"S": "2"}})
    projected = client.get_item(
        TableName="orders", Key=KEY, ProjectionExpression="#m.l[1], n", ExpressionAttributeNames={"#m": "m"}, ReturnConsumedCapacity="TOTAL"
    )
    assert projected["Item"] == {"m": {"M": {"l": {"L": [{"N": "100"}]}}}, "n": {"N": "50"}}
    assert projected["ConsumedCapacity"] == {"TableName": "orders", "CapacityUnits": 0.5}


def test_the_resource_layer_works(driver: Any, make_table: MakeTable) -> None:
    make_table()
    table = driver.resource().Table("orders")
    table.put_item(Item={"pk": "a", "sk": "1", "amount": Decimal("12.50"), "tags": {"x", "y"}})
    table.update_item(
        Key={"pk": "a", "sk": "1"}, UpdateExpression="SET amount = amount * :x".replace("*", "+"), ExpressionAttributeValues={":x": 1}
    )
    assert table.get_item(Key={"pk": "a", "sk": "1"})["Item"] == {"pk": "a", "sk": "1", "amount": Decimal("13.5"), "tags": {"x", "y"}}
    with table.batch_writer() as batch:
        for number in range(60):
            batch.put_item(Item={"pk": "b", "sk": f"{number:03}", "n": number})
    from boto3.dynamodb.conditions import Attr, Key

    found = table.query(KeyConditionExpression=Key("pk").eq("b") & Key("sk").begins_with("01"), FilterExpression=Attr("n").gt(15))
    assert [item["n"] for item in found["Items"]] == [16, 17, 18, 19]
    assert (found["Count"], found["ScannedCount"]) == (4, 10)
    table.load()
    assert table.item_count == 61


def test_return_values_of_an_update(client: Any, make_table: MakeTable) -> None:
    make_table()

    def update(expression: str, wanted: str, **values: Any) -> Any:
        arguments: dict[str, Any] = {"TableName": "orders", "Key": KEY, "UpdateExpression": expression, "ReturnValues": wanted}
        if values:
            arguments["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
        return client.update_item(**arguments).get("Attributes")

    assert update("SET a = :v", "ALL_OLD", v={"N": "1"}) is None
    assert update("SET a = :v, m = :m", "UPDATED_OLD", v={"N": "2"}, m={"M": {"x": {"N": "1"}, "y": {"N": "2"}}}) == {"a": {"N": "1"}}
    assert update("SET m.x = :v REMOVE a", "UPDATED_NEW", v={"N": "5"}) == {"m": {"M": {"x": {"N": "5"}}}}
    assert update("ADD n :v", "ALL_NEW", v={"N": "3"}) == {**KEY, "n": {"N": "3"}, "m": {"M": {"x": {"N": "5"}, "y": {"N": "2"}}}}
    assert update("SET n = :v", "ALL_OLD", v={"N": "4"})["n"] == {"N": "3"}
    assert update("SET n = :v", "NONE", v={"N": "4"}) is None
    put = client.put_item(TableName="orders", Item=dict(KEY), ReturnValues="ALL_OLD")
    assert put["Attributes"]["n"] == {"N": "4"}
    assert client.delete_item(TableName="orders", Key=KEY, ReturnValues="ALL_OLD")["Attributes"] == KEY
    assert "Attributes" not in client.delete_item(TableName="orders", Key=KEY, ReturnValues="ALL_OLD")
    assert (
        error_of(client.put_item, TableName="orders", Item=dict(KEY), ReturnValues="ALL_NEW")[1]
        == "ReturnValues can only be ALL_OLD or NONE"
    )


def test_a_failed_condition_can_show_the_item(client: Any, make_table: MakeTable) -> None:
    make_table()
    client.put_item(TableName="orders", Item={**KEY, "n": {"N": "1"}})
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as caught:
        client.put_item(
            TableName="orders",
            Item=dict(KEY),
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Error"]["Message"] == "The conditional request failed"
    assert caught.value.response["Item"] == {**KEY, "n": {"N": "1"}}
    client.delete_item(TableName="orders", Key=KEY, ConditionExpression="n = :n", ExpressionAttributeValues={":n": {"N": "1.0"}})
    assert client.describe_table(TableName="orders")["Table"]["ItemCount"] == 0


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"pk": {"S": "a"}}, "One or more parameter values were invalid: Missing the key sk in the item"),
        (
            {"pk": {"N": "1"}, "sk": {"S": "1"}},
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
        ),
        (
            {"pk": {"S": ""}, "sk": {"S": "1"}},
            "One or more parameter values are not valid. "
            "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
        ),
        (
            {"pk": {"S": "x" * 2049}, "sk": {"S": "1"}},
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            {"pk": {"S": "x"}, "sk": {"S": "é" * 513}},
            "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ),
        ({**KEY, "big": {"S": "x" * (400 * 1024 - 5)}}, "Item size has exceeded the maximum allowed size"),
        ({**KEY, "n": {"N": "1e200"}}, "Number overflow. Attempting to store a number with magnitude larger than supported range"),
    ],
)
def test_an_item_that_cannot_be_stored_is_refused(client: Any, make_table: MakeTable, item: Any, message: str) -> None:
    make_table()
    assert error_of(client.put_item, TableName="orders", Item=item) == ("ValidationException", message)
    assert error_of(client.batch_write_item, RequestItems={"orders": [{"PutRequest": {"Item": item}}]}) == ("ValidationException", message)


def test_the_largest_item_is_stored_and_cannot_grow(client: Any, make_table: MakeTable) -> None:
    make_table()
    filler = 400 * 1024 - len("pkask1big")
    client.put_item(TableName="orders", Item={**KEY, "big": {"S": "x" * filler}})
    arguments = {"TableName": "orders", "Key": KEY, "UpdateExpression": "SET more = :v", "ExpressionAttributeValues": {":v": {"S": ""}}}
    assert error_of(client.update_item, **arguments)[1] == "Item size to update has exceeded the maximum allowed size"


def test_keys_that_do_not_fit_the_table_are_refused(client: Any, make_table: MakeTable) -> None:
    make_table()
    message = "The provided key element does not match the schema"
    for key in ({"pk": {"S": "a"}}, {**KEY, "x": {"S": "y"}}, {"pk": {"S": "a"}, "sk": {"N": "1"}}):
        assert error_of(client.get_item, TableName="orders", Key=key) == ("ValidationException", message)
    arguments = {"TableName": "orders", "Key": KEY, "UpdateExpression": "SET sk = :v", "ExpressionAttributeValues": {":v": {"S": "2"}}}
    expected = "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key"
    assert error_of(client.update_item, **arguments)[1] == expected
    missing = error_of(client.get_item, TableName="nothing", Key=KEY)
    assert missing == ("ResourceNotFoundException", "Requested resource not found")


def test_legacy_parameters_are_refused_by_name(client: Any, make_table: MakeTable) -> None:
    make_table()
    code, message = error_of(client.put_item, TableName="orders", Item=dict(KEY), Expected={"pk": {"Exists": False}})
    assert code == "ValidationException"
    assert "Expected" in message
    assert "ConditionExpression" in message
    updates = {"a": {"Action": "PUT", "Value": {"S": "x"}}}
    assert "UpdateExpression" in error_of(client.update_item, TableName="orders", Key=KEY, AttributeUpdates=updates)[1]
    assert "ProjectionExpression" in error_of(client.get_item, TableName="orders", Key=KEY, AttributesToGet=["a"])[1]
    conditions = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}
    assert "KeyConditionExpression" in error_of(client.query, TableName="orders", KeyConditions=conditions)[1]


def test_what_is_not_there_is_told_in_awss_shape(client: Any, make_table: MakeTable) -> None:
    make_table()
    code, message = error_of(client.execute_statement, Statement="SELECT * FROM orders")
    assert code == "UnknownOperationException"
    assert "ExecuteStatement" in message
    assert error_of(client.put_item, TableName="orders", Item={"pk": {"S": 1}, "sk": {"S": "1"}})[0] == "SerializationException"
    code, message = error_of(client.put_item, TableName="orders", Item=dict(KEY), ReturnValues="SOME")
    assert message.startswith(
        "1 validation error detected: Value 'SOME' at 'returnValues' failed to satisfy constraint: Member must satisfy enum"
    )


def test_batches_have_limits_and_refuse_twins(client: Any, make_table: MakeTable) -> None:
    make_table()
    puts = [{"PutRequest": {"Item": {"pk": {"S": "a"}, "sk": {"S": str(number)}}}} for number in range(26)]
    assert error_of(client.batch_write_item, RequestItems={"orders": puts})[1] == "Too many items requested for the BatchWriteItem call"
    twins = [puts[0], {"DeleteRequest": {"Key": {"pk": {"S": "a"}, "sk": {"S": "0"}}}}]
    assert error_of(client.batch_write_item, RequestItems={"orders": twins})[1] == "Provided list of item keys contains duplicates"
    answer = client.batch_write_item(RequestItems={"orders": puts[:25]}, ReturnConsumedCapacity="TOTAL")
    assert answer["UnprocessedItems"] == {}
    assert answer["ConsumedCapacity"] == [{"TableName": "orders", "CapacityUnits": 25.0}]
    keys = [{"pk": {"S": "a"}, "sk": {"S": str(number)}} for number in range(101)]
    assert (
        error_of(client.batch_get_item, RequestItems={"orders": {"Keys": keys}})[1] == "Too many items requested for the BatchGetItem call"
    )
    found = client.batch_get_item(RequestItems={"orders": {"Keys": keys[:100], "ProjectionExpression": "sk"}})
    assert sorted(int(item["sk"]["S"]) for item in found["Responses"]["orders"]) == list(range(25))
    assert found["UnprocessedKeys"] == {}


def test_a_batch_get_above_16_megabytes_gives_keys_back(client: Any, make_table: MakeTable) -> None:
    make_table()
    for number in range(45):
        client.put_item(TableName="orders", Item={"pk": {"S": "a"}, "sk": {"S": str(number)}, "x": {"S": "y" * 390_000}})
    wanted = {"orders": {"Keys": [{"pk": {"S": "a"}, "sk": {"S": str(number)}} for number in range(45)], "ProjectionExpression": "sk"}}
    found: list[str] = []
    calls = 0
    while wanted:
        answer = client.batch_get_item(RequestItems=wanted)
        found += [item["sk"]["S"] for item in answer["Responses"]["orders"]]
        wanted = answer["UnprocessedKeys"]
        calls += 1
    assert calls == 2
    assert sorted(map(int, found)) == list(range(45))
