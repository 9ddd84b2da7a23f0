"""Query, Scan and secondary indexes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MakeTable = Callable[..., None]
HASH = "HASH"


def put(client: Any, *items: dict[str, Any]) -> None:
    for item in items:
        client.put_item(TableName="orders", Item=item)


def keys_of(answer: Any, name: str = "sk") -> list[Any]:
    return [next(iter(item[name].values())) for item in answer["Items"]]


def error_of(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


NUMBERS = ["-100", "-12.5", "-12", "-0.001", "0", "0.0009", "1", "9", "10", "100", "1e20"]


def test_numeric_sort_keys_sort_as_numbers(client: Any, make_table: MakeTable) -> None:
    make_table(sort_type="N")
    put(client, *({"pk": {"S": "p"}, "sk": {"N": number}} for number in reversed(NUMBERS)))
    forward = client.query(TableName="orders", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "p"}})
    assert [float(number) for number in keys_of(forward)] == [float(number) for number in NUMBERS]
    values = {":p": {"S": "p"}, ":low": {"N": "-12"}, ":high": {"N": "10.0"}}
    between = client.query(
        TableName="orders",
        KeyConditionExpression="pk = :p AND sk BETWEEN :low AND :high",
        ExpressionAttributeValues=values,
        ScanIndexForward=False,
    )
    assert keys_of(between) == ["10", "9", "1", "0.0009", "0", "-0.001", "-12"]


def test_binary_sort_keys_sort_as_unsigned_bytes(client: Any, make_table: MakeTable) -> None:
    make_table(sort_type="B")
    keys = [b"\x00", b"\x00\x01", b"\x7f", b"\x80", b"\xff", b"\xff\xff"]
    put(client, *({"pk": {"S": "p"}, "sk": {"B": key}} for key in reversed(keys)))
    arguments: dict[str, Any] = {"TableName": "orders", "KeyConditionExpression": "pk = :p and begins_with(sk, :b)"}
    assert keys_of(client.query(**arguments, ExpressionAttributeValues={":p": {"S": "p"}, ":b": {"B": b"\xff"}})) == [b"\xff", b"\xff\xff"]
    assert keys_of(client.query(**arguments, ExpressionAttributeValues={":p": {"S": "p"}, ":b": {"B": b"\x00"}})) == [b"\x00", b"\x00\x01"]


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.sets(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=4), min_size=1, max_size=12),
    operator=st.sampled_from(["=", "<", "<=", ">", ">=", "begins_with", "between"]),
    bounds=st.tuples(st.sampled_from("abcé\U0001f600z"), st.sampled_from("abcé\U0001f600z")),
    limit=st.integers(1, 5),
    is_forward=st.booleans(),
)
def test_every_range_in_every_direction_page_by_page(
    client: Any, keys: set[str], operator: str, bounds: tuple[str, str], limit: int, is_forward: bool
) -> None:
    partition = f"p{abs(hash(frozenset(keys)))}"
    if not client.list_tables()["TableNames"]:
        client.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "pk", "KeyType": HASH}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
    put(client, *({"pk": {"S": partition}, "sk": {"S": key}} for key in keys))
    low, high = sorted(bounds, key=lambda text: text.encode())
    condition = {"begins_with": "begins_with(sk, :a)", "between": "sk BETWEEN :a AND :b"}.get(operator, f"sk {operator} :a")
    values = {":p": {"S": partition}, ":a": {"S": low}} | ({":b": {"S": high}} if operator == "between" else {})
    first, last = low.encode(), high.encode()
    tests: dict[str, Callable[[bytes], bool]] = {
        "=": lambda key: key == first, "<": lambda key: key < first, "<=": lambda key: key <= first, ">": lambda key: key > first,
        ">=": lambda key: key >= first, "begins_with": lambda key: key.startswith(first), "between": lambda key: first <= key <= last,
    }  # fmt: skip
    expected = sorted((key for key in keys if tests[operator](key.encode())), key=lambda key: key.encode(), reverse=not is_forward)
    arguments = {
        "TableName": "orders", "KeyConditionExpression": f"pk = :p AND {condition}", "ExpressionAttributeValues": values,
        "ScanIndexForward": is_forward, "Limit": limit,
    }  # fmt: skip
    found: list[str] = []
    start: dict[str, Any] = {}
    while True:
        answer = client.query(**arguments, **start)
        assert answer["Count"] <= limit
        found += keys_of(answer)
        if "LastEvaluatedKey" not in answer:
            break
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert found == expected


def test_pages_end_at_one_megabyte_and_filters_do_not_change_that(client: Any, make_table: MakeTable) -> None:
    make_table()
    put(
        client,
        *({"pk": {"S": "p"}, "sk": {"S": f"{number:02}"}, "x": {"S": "y" * 300_000}, "n": {"N": str(number)}} for number in range(9)),
    )
    arguments: dict[str, Any] = {
        "TableName": "orders", "KeyConditionExpression": "pk = :p", "FilterExpression": "n >= :n",
        "ExpressionAttributeValues": {":p": {"S": "p"}, ":n": {"N": "6"}}, "Select": "COUNT",
    }  # fmt: skip
    first = client.query(**arguments)
    assert (first["Count"], first["ScannedCount"], "Items" in first) == (0, 4, False)
    assert first["LastEvaluatedKey"] == {"pk": {"S": "p"}, "sk": {"S": "03"}}
    paginator = client.get_paginator("scan")
    pages = list(paginator.paginate(TableName="orders", ProjectionExpression="sk"))
    assert [page["ScannedCount"] for page in pages] == [4, 4, 1]
    assert pages[0]["Items"][0] == {"sk": {"S": "00"}}


def test_segments_of_a_scan_are_disjoint_and_complete(client: Any, make_table: MakeTable) -> None:
    make_table(sort=None)
    put(client, *({"pk": {"S": f"customer {number}"}} for number in range(200)))
    for total in (1, 3, 7):
        found: list[str] = []
        sizes = []
        for segment in range(total):
            pages = client.get_paginator("scan").paginate(TableName="orders", Segment=segment, TotalSegments=total, Limit=17)
            part = [key for page in pages for key in keys_of(page, "pk")]
            sizes.append(len(part))
            found += part
        assert sorted(found) == sorted(f"customer {number}" for number in range(200))
        assert min(sizes) > 200 // total // 3


def test_what_a_query_may_not_ask(client: Any, make_table: MakeTable) -> None:
    make_table()
    values = {":p": {"S": "p"}}

    def refused(condition: str | None, values: Any = values, **more: Any) -> str:
        arguments = {"TableName": "orders", "ExpressionAttributeValues": values, **more}
        return error_of(client.query, **arguments | ({"KeyConditionExpression": condition} if condition else {}))

    assert refused("sk = :p") == "Query condition missed key schema element: pk"
    assert refused("pk = :p AND third = :p") == "Query condition missed key schema element: sk"
    assert refused("pk > :p") == "Query key condition not supported"
    assert refused("pk = :p OR sk = :p") == "Invalid operator used in KeyConditionExpression: OR"
    assert refused("pk = :p AND sk <> :p") == "Invalid operator used in KeyConditionExpression: <>"
    assert refused("pk = :p AND pk = :p") == "KeyConditionExpressions must only contain one condition per key"
    mismatch = "One or more parameter values were invalid: Condition parameter type does not match schema type"
    assert refused("pk = :p", {":p": {"N": "1"}}) == mismatch
    expected = "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"
    assert refused("pk = :p", FilterExpression="sk = :p") == expected
    assert refused(None).startswith("Either the KeyConditions or KeyConditionExpression parameter must be specified")
    assert refused("pk = :p", Limit=0).startswith("1 validation error detected: Value '0' at 'limit'")
    assert refused("pk = :p", ExclusiveStartKey={"pk": {"S": "p"}}) == "The provided starting key is invalid"
    outside = "The provided starting key is outside query boundaries based on provided conditions"
    assert refused("pk = :p", ExclusiveStartKey={"pk": {"S": "q"}, "sk": {"S": "1"}}) == outside
    assert refused("pk = :p", IndexName="nothing") == "The table does not have the specified index: nothing"


def index(name: str, partition: str, sort: str | None = None, kind: str = "ALL", extra: list[str] | None = None) -> dict[str, Any]:
    schema = [{"AttributeName": partition, "KeyType": HASH}] + ([{"AttributeName": sort, "KeyType": "RANGE"}] if sort else [])
    projection: dict[str, Any] = {"ProjectionType": kind} | ({"NonKeyAttributes": extra} if extra else {})
    return {"IndexName": name, "KeySchema": schema, "Projection": projection}


STATUS = {"AttributeName": "status", "AttributeType": "S"}
AMOUNT = {"AttributeName": "amount", "AttributeType": "N"}


def test_a_global_index_follows_its_items(client: Any, make_table: MakeTable) -> None:
    make_table(attributes=[STATUS, AMOUNT], GlobalSecondaryIndexes=[index("by-status", "status", "amount", "INCLUDE", ["note"])])

    def found(**more: Any) -> Any:
        names, values = {"#s": "status"}, {":s": {"S": "open"}}
        arguments = {"KeyConditionExpression": "#s = :s", "ExpressionAttributeNames": names, "ExpressionAttributeValues": values} | more
        return client.query(TableName="orders", IndexName="by-status", **arguments)

    for number in range(6):
        more = {"status": {"S": "open"}, "amount": {"N": str(number // 2)}, "note": {"S": "n"}, "hidden": {"S": "h"}}
        put(client, {"pk": {"S": "p"}, "sk": {"S": str(number)}, **more})
    put(client, {"pk": {"S": "p"}, "sk": {"S": "without"}})
    assert keys_of(found()) == ["0", "1", "2", "3", "4", "5"]
    assert found()["Items"][0].keys() == {"pk", "sk", "status", "amount", "note"}
    paged: list[str] = []
    start: dict[str, Any] = {}
    while True:
        answer = found(Limit=2, ScanIndexForward=False, **start)
        paged += keys_of(answer)
        if "LastEvaluatedKey" not in answer:
            break
        assert answer["LastEvaluatedKey"].keys() == {"pk", "sk", "status", "amount"}
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert paged == ["5", "4", "3", "2", "1", "0"]
    values = {":s": {"S": "paid"}, ":a": {"N": "9"}}
    names = {"#s": "status"}
    client.update_item(
        TableName="orders", Key={"pk": {"S": "p"}, "sk": {"S": "3"}}, UpdateExpression="SET #s = :s, amount = :a",
        ExpressionAttributeNames=names, ExpressionAttributeValues=values,
    )  # fmt: skip
    client.update_item(TableName="orders", Key={"pk": {"S": "p"}, "sk": {"S": "4"}}, UpdateExpression="REMOVE amount")
    client.delete_item(TableName="orders", Key={"pk": {"S": "p"}, "sk": {"S": "5"}})
    assert keys_of(found()) == ["0", "1", "2"]
    assert sorted(keys_of(client.scan(TableName="orders", IndexName="by-status"))) == ["0", "1", "2", "3"]
    described = client.describe_table(TableName="orders")["Table"]["GlobalSecondaryIndexes"][0]
    assert (described["IndexStatus"], described["ItemCount"]) == ("ACTIVE", 4)
    values = {":a": {"S": "x"}}
    arguments = {"TableName": "orders", "IndexName": "by-status", "KeyConditionExpression": "a = :a", "ExpressionAttributeValues": values}
    assert error_of(client.query, **arguments, ConsistentRead=True) == "Consistent reads are not supported on global secondary indexes"
    message = error_of(client.put_item, TableName="orders", Item={"pk": {"S": "p"}, "sk": {"S": "x"}, "amount": {"S": "1"}})
    assert message == (
        "One or more parameter values were invalid: Type mismatch for Index Key amount Expected: N Actual: S IndexName: by-status"
    )


def test_a_local_index_and_an_index_that_is_added_later(client: Any, make_table: MakeTable) -> None:
    make_table(attributes=[AMOUNT], LocalSecondaryIndexes=[index("by-amount", "pk", "amount", "KEYS_ONLY")])
    for number in (3, 1, 2):
        put(client, {"pk": {"S": "p"}, "sk": {"S": f"k{number}"}, "amount": {"N": str(number)}, "status": {"S": "open"}})
    arguments: dict[str, Any] = {
        "TableName": "orders",
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": "p"}},
    }
    by_amount = client.query(**arguments, IndexName="by-amount")
    assert keys_of(by_amount) == ["k1", "k2", "k3"]
    assert by_amount["Items"][0].keys() == {"pk", "sk", "amount"}
    assert "status" in client.query(**arguments, IndexName="by-amount", Select="ALL_ATTRIBUTES")["Items"][0]
    create = {"Create": index("by-status", "status")}
    client.update_table(TableName="orders", AttributeDefinitions=[STATUS], GlobalSecondaryIndexUpdates=[create])
    names, values = {"#s": "status"}, {":s": {"S": "open"}}
    by_status = client.query(
        TableName="orders",
        IndexName="by-status",
        KeyConditionExpression="#s = :s",
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
    )
    assert sorted(keys_of(by_status)) == ["k1", "k2", "k3"]
    client.update_table(TableName="orders", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-status"}}])
    described = client.describe_table(TableName="orders")["Table"]
    assert "GlobalSecondaryIndexes" not in described
    assert [attribute["AttributeName"] for attribute in described["AttributeDefinitions"]] == ["pk", "sk", "amount"]
