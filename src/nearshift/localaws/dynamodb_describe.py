"""A stored table → TableDescription ("TableDescription", DynamoDB API Reference)."""

from __future__ import annotations

from typing import Any

from nearshift.localaws.dynamodb_tables import Table


def describe(table: Table, status: str = "ACTIVE", index_counts: dict[str, int] | None = None) -> dict[str, Any]:
    """Return a table's description. `index_counts` gives the number of items in each index by its name."""
    definition = table.definition
    created = definition.created_us // 1000 / 1000
    found: dict[str, Any] = {
        "TableName": table.name,
        "TableStatus": status,
        "TableArn": table.arn,
        "TableId": definition.table_id,
        "CreationDateTime": created,
        "KeySchema": definition.key_schema,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in definition.attributes.items()],
        "ProvisionedThroughput": _throughput(definition.read_units, definition.write_units),
        "ItemCount": table.item_count,
        "TableSizeBytes": table.item_bytes,
        "DeletionProtectionEnabled": definition.is_protected,
    }
    if definition.billing_mode == "PAY_PER_REQUEST":
        found["BillingModeSummary"] = {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": created}
    if definition.table_class is not None:
        found["TableClassSummary"] = {"TableClass": definition.table_class}
    if definition.sse is not None:
        found["SSEDescription"] = definition.sse
    counts = index_counts or {}
    if definition.global_indexes:
        found["GlobalSecondaryIndexes"] = [
            _index(table, index, counts)
            | {
                "IndexStatus": "ACTIVE",
                "ProvisionedThroughput": _throughput(index["ReadCapacityUnits"], index["WriteCapacityUnits"]),
            }
            for index in definition.global_indexes
        ]
    if definition.local_indexes:
        found["LocalSecondaryIndexes"] = [_index(table, index, counts) for index in definition.local_indexes]
    return found


def _throughput(read_units: int, write_units: int) -> dict[str, int]:
    return {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": read_units, "WriteCapacityUnits": write_units}


def _index(table: Table, index: dict[str, Any], counts: dict[str, int]) -> dict[str, Any]:
    name = index["IndexName"]
    return {
        "IndexName": name,
        "IndexArn": f"{table.arn}/index/{name}",
        "KeySchema": index["KeySchema"],
        "Projection": index["Projection"],
        "ItemCount": counts.get(name, 0),
        # The entries have no size of their own here; AWS's is an estimate, too.
        "IndexSizeBytes": 0,
    }
