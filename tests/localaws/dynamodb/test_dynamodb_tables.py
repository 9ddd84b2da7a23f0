"""Tables: making, describing, changing, removing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

MakeTable = Callable[..., None]
PK = {"AttributeName": "pk", "AttributeType": "S"}
SK = {"AttributeName": "sk", "AttributeType": "S"}
HASH = {"AttributeName": "pk", "KeyType": "HASH"}
RANGE = {"AttributeName": "sk", "KeyType": "RANGE"}


def refusal(client: Any, **changes: Any) -> str:
    arguments = {"TableName": "orders", "KeySchema": [HASH], "AttributeDefinitions": [PK], "BillingMode": "PAY_PER_REQUEST"} | changes
    with pytest.raises(ClientError) as caught:
        client.create_table(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


def test_a_table_is_described_as_it_was_made(client: Any) -> None:
    throughput = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    made = client.create_table(
        TableName="orders", KeySchema=[HASH, RANGE], AttributeDefinitions=[PK, SK], ProvisionedThroughput=throughput,
        Tags=[{"Key": "team", "Value": "data"}],
    )["TableDescription"]  # fmt: skip
    assert made["TableStatus"] == "CREATING"
    client.get_waiter("table_exists").wait(TableName="orders")
    found = client.describe_table(TableName="orders")["Table"]
    assert found["TableStatus"] == "ACTIVE"
    assert found["KeySchema"] == [HASH, RANGE]
    assert found["AttributeDefinitions"] == [PK, SK]
    assert {name: found["ProvisionedThroughput"][name] for name in throughput} == throughput
    assert found["TableArn"] == "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
    assert client.describe_table(TableName=found["TableArn"])["Table"] == found
    assert client.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"] == [{"Key": "team", "Value": "data"}]
    client.tag_resource(ResourceArn=found["TableArn"], Tags=[{"Key": "env", "Value": "test"}])
    client.untag_resource(ResourceArn=found["TableArn"], TagKeys=["team"])
    assert client.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"] == [{"Key": "env", "Value": "test"}]
    backups = client.describe_continuous_backups(TableName="orders")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"] == {"PointInTimeRecoveryStatus": "DISABLED"}


def test_tables_that_cannot_be_are_refused(client: Any) -> None:
    invalid = "One or more parameter values were invalid: "
    assert refusal(client, TableName="t") == "TableName must be at least 3 characters long and at most 255 characters long"
    assert "regular expression pattern" in refusal(client, TableName="a b c")
    assert (
        refusal(client, KeySchema=[RANGE], AttributeDefinitions=[SK])
        == "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
    )
    missing = "Some index key attributes are not defined in AttributeDefinitions. Keys: [pk, sk], AttributeDefinitions: [pk]"
    assert refusal(client, KeySchema=[HASH, RANGE]) == invalid + missing
    assert refusal(client, AttributeDefinitions=[PK, SK]).startswith(invalid + "Number of attributes in KeySchema does not exactly match")
    assert refusal(client, BillingMode="PROVISIONED").startswith(
        invalid + "ReadCapacityUnits and WriteCapacityUnits must both be specified"
    )
    assert "enum value set: [B, N, S]" in refusal(client, AttributeDefinitions=[PK | {"AttributeType": "M"}])
    assert "Streams is not supported" in refusal(client, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    assert client.list_tables()["TableNames"] == []


def test_a_name_is_taken_once_per_region(driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    with pytest.raises(client.exceptions.ResourceInUseException, match="Table already exists: orders"):
        make_table()
    elsewhere = driver.client("eu-west-1")
    assert elsewhere.list_tables()["TableNames"] == []
    with pytest.raises(elsewhere.exceptions.ResourceNotFoundException, match="Requested resource not found: Table: orders not found"):
        elsewhere.describe_table(TableName="orders")


def test_a_deleted_table_leaves_nothing_behind(client: Any, make_table: MakeTable) -> None:
    make_table()
    client.put_item(TableName="orders", Item={"pk": {"S": "a"}, "sk": {"S": "1"}})
    client.update_table(TableName="orders", DeletionProtectionEnabled=True)
    with pytest.raises(ClientError, match="protected against deletion"):
        client.delete_table(TableName="orders")
    client.update_table(TableName="orders", DeletionProtectionEnabled=False)
    assert client.delete_table(TableName="orders")["TableDescription"]["TableStatus"] == "DELETING"
    client.get_waiter("table_not_exists").wait(TableName="orders")
    make_table()
    assert client.scan(TableName="orders")["Count"] == 0


def test_an_update_that_fails_leaves_the_table_as_it_was(client: Any, make_table: MakeTable) -> None:
    make_table()
    updates = [{"Delete": {"IndexName": "nothing"}}]
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.update_table(
            TableName="orders", BillingMode="PROVISIONED", ProvisionedThroughput=throughput, GlobalSecondaryIndexUpdates=updates
        )
    assert client.describe_table(TableName="orders")["Table"]["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    client.update_table(TableName="orders", BillingMode="PROVISIONED", ProvisionedThroughput=throughput)
    assert client.describe_table(TableName="orders")["Table"]["ProvisionedThroughput"]["WriteCapacityUnits"] == 1


def test_names_are_listed_in_pages(client: Any, make_table: MakeTable) -> None:
    for number in range(5):
        make_table(f"table{number}")
    first = client.list_tables(Limit=3)
    assert first["TableNames"] == ["table0", "table1", "table2"]
    rest = client.list_tables(ExclusiveStartTableName=first["LastEvaluatedTableName"])
    assert rest["TableNames"] == ["table3", "table4"]
    assert "LastEvaluatedTableName" not in rest


def test_tables_and_counts_outlive_the_process(tmp_path: Path, driver: Any, client: Any, make_table: MakeTable) -> None:
    make_table()
    for number in range(4):
        client.put_item(TableName="orders", Item={"pk": {"S": "a"}, "sk": {"S": str(number)}})
    before = client.describe_table(TableName="orders")["Table"]
    driver.store.close()
    from nearshift.localaws.clock import Clock
    from nearshift.localaws.dynamodb import DynamoDb
    from nearshift.localaws.store import Store

    store = Store(tmp_path / "aws")
    try:
        driver.store, driver.service = store, DynamoDb(store, Clock(), driver.streams)
        assert client.describe_table(TableName="orders")["Table"] == before
        assert before["ItemCount"] == 4
    finally:
        store.close()
