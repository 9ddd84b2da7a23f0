"""Time to live: what expires, when, and by whose hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

MakeTable = Callable[..., None]
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"


def set_ttl(client: Any, attribute: str, *, enabled: bool = True) -> Any:
    return client.update_time_to_live(TableName="orders", TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute})


def left(client: Any) -> list[str]:
    return sorted(item["sk"]["S"] for item in client.scan(TableName="orders")["Items"])


def put(client: Any, sort: str, **more: Any) -> None:
    client.put_item(TableName="orders", Item={"pk": {"S": "p"}, "sk": {"S": sort}, **more})


def test_expired_items_are_deleted_by_the_service(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    now = int(driver.clock.now())
    put(client, "before ttl was enabled", expiry={"N": str(now - 10)})
    client.enable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM)
    set_ttl(client, "expiry")
    put(client, "soon", expiry={"N": str(now + 60)})
    put(client, "never")
    put(client, "not a number", expiry={"S": str(now - 10)})
    put(client, "too long ago", expiry={"N": str(now - 6 * 365 * 86_400)})
    driver.maintain()
    assert left(client) == ["never", "not a number", "soon", "too long ago"]
    driver.clock.advance(61)
    driver.maintain()
    assert left(client) == ["never", "not a number", "too long ago"]
    removed = [record for record in driver.records() if record["eventName"] == "REMOVE"]
    assert [record["dynamodb"]["Keys"]["sk"]["S"] for record in removed] == ["before ttl was enabled", "soon"]
    assert all(record["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"} for record in removed)
    assert client.describe_table(TableName="orders")["Table"]["ItemCount"] == 3


def test_an_item_that_is_renewed_in_time_stays(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    set_ttl(client, "expiry")
    now = int(driver.clock.now())
    put(client, "renewed", expiry={"N": str(now + 10)})
    put(client, "freed", expiry={"N": str(now + 10)})
    key = {"pk": {"S": "p"}, "sk": {"S": "renewed"}}
    client.update_item(TableName="orders", Key=key, UpdateExpression="ADD expiry :n", ExpressionAttributeValues={":n": {"N": "100"}})
    client.update_item(TableName="orders", Key=key | {"sk": {"S": "freed"}}, UpdateExpression="REMOVE expiry")
    driver.clock.advance(20)
    driver.maintain()
    assert left(client) == ["freed", "renewed"]
    driver.clock.advance(100)
    driver.maintain()
    assert left(client) == ["freed"]


def test_ttl_can_be_described_and_disabled(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    describe = client.describe_time_to_live
    assert describe(TableName="orders")["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}
    set_ttl(client, "expiry")
    assert describe(TableName="orders")["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiry"}
    with pytest.raises(ClientError, match="TimeToLive is already enabled"):
        set_ttl(client, "expiry")
    with pytest.raises(ClientError, match="active on a different AttributeName: current AttributeName is expiry"):
        set_ttl(client, "other")
    put(client, "kept", expiry={"N": str(int(driver.clock.now()) - 5)})
    set_ttl(client, "expiry", enabled=False)
    driver.maintain()
    assert left(client) == ["kept"]
    with pytest.raises(ClientError, match="TimeToLive is already disabled"):
        set_ttl(client, "expiry", enabled=False)
