"""Transactions: all or nothing, reasons for each step, tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

MakeTable = Callable[..., None]
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"


def key(sort: str) -> dict[str, Any]:
    return {"pk": {"S": "p"}, "sk": {"S": sort}}


def put(sort: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "orders", "Item": key(sort), **more}}


def add(sort: str, amount: str) -> dict[str, Any]:
    values = {":n": {"N": amount}}
    return {"Update": {"TableName": "orders", "Key": key(sort), "UpdateExpression": "ADD n :n", "ExpressionAttributeValues": values}}


def sorts(client: Any) -> list[str]:
    return sorted(item["sk"]["S"] for item in client.scan(TableName="orders")["Items"])


def test_all_steps_are_done_and_captured_one_by_one(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    client.put_item(TableName="orders", Item=key("old"))
    client.enable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM)
    check = {"ConditionCheck": {"TableName": "orders", "Key": key("none"), "ConditionExpression": "attribute_not_exists(pk)"}}
    steps = [put("new"), add("counted", "2"), {"Delete": {"TableName": "orders", "Key": key("old")}}, check]
    client.transact_write_items(TransactItems=steps)
    assert sorts(client) == ["counted", "new"]
    assert [record["eventName"] for record in driver.records()] == ["INSERT", "INSERT", "REMOVE"]


def test_one_failed_condition_undoes_everything_and_says_which(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    client.put_item(TableName="orders", Item={**key("taken"), "n": {"N": "7"}})
    client.enable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM)
    condition = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=[put("first"), put("taken", **condition), add("third", "1")])
    response = caught.value.response
    expected = "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, None]"
    assert response["Error"]["Message"] == expected
    reason = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": {**key("taken"), "n": {"N": "7"}}}
    assert response["CancellationReasons"] == [{"Code": "None"}, reason, {"Code": "None"}]
    assert sorts(client) == ["taken"]
    assert driver.records() == []


def test_a_value_that_does_not_fit_is_a_reason_too(client: Any, make_table: MakeTable) -> None:
    make_table()
    client.put_item(TableName="orders", Item={**key("text"), "n": {"S": "x"}})
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=[put("first"), add("text", "1")])
    message = "An operand in the update expression has an incorrect data type"
    assert caught.value.response["CancellationReasons"][1] == {"Code": "ValidationError", "Message": message}
    assert sorts(client) == ["text"]


def test_a_token_makes_a_retry_do_nothing_for_ten_minutes(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()

    def count() -> str:
        return str(client.get_item(TableName="orders", Key=key("c"))["Item"]["n"]["N"])

    for _ in range(3):
        client.transact_write_items(TransactItems=[add("c", "1")], ClientRequestToken="once")
    assert count() == "1"
    with pytest.raises(client.exceptions.IdempotentParameterMismatchException):
        client.transact_write_items(TransactItems=[add("c", "2")], ClientRequestToken="once")
    driver.clock.advance(601)
    driver.maintain()
    client.transact_write_items(TransactItems=[add("c", "1")], ClientRequestToken="once")
    assert count() == "2"


def test_a_transaction_is_refused_as_a_whole(client: Any, make_table: MakeTable) -> None:
    make_table()

    def refused(steps: list[Any]) -> str:
        with pytest.raises(ClientError) as caught:
            client.transact_write_items(TransactItems=steps)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        return str(caught.value.response["Error"]["Message"])

    assert refused([put("a"), add("a", "1")]) == "Transaction request cannot include multiple operations on one item"
    assert refused([put("a") | add("b", "1")]) == "TransactItems can only contain one of Check, Put, Update or Delete"
    assert "less than or equal to 100" in refused([put(str(number)) for number in range(101)])
    assert refused([put("a", ConditionExpression="a = ")]).startswith("Invalid ConditionExpression: Syntax error")
    assert sorts(client) == []
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.transact_write_items(TransactItems=[put("a", TableName="nothing")])


def test_reads_of_a_transaction_keep_their_places(client: Any, make_table: MakeTable) -> None:
    make_table()
    client.put_item(TableName="orders", Item={**key("a"), "n": {"N": "1"}, "m": {"S": "x"}})
    gets = [
        {"Get": {"TableName": "orders", "Key": key("none")}},
        {"Get": {"TableName": "orders", "Key": key("a"), "ProjectionExpression": "n"}},
    ]
    answer = client.transact_get_items(TransactItems=gets, ReturnConsumedCapacity="TOTAL")
    assert answer["Responses"] == [{}, {"Item": {"n": {"N": "1"}}}]
    assert answer["ConsumedCapacity"] == [{"TableName": "orders", "CapacityUnits": 4.0}]
