"""Conditions and updates against moto, which was written by others from the same documentation.

Where moto is known to differ from DynamoDB the cases keep away from it:
- it keeps numbers as they were written (`50.00`), so numbers are compared by value;
- it compares strings by code points and numbers as Python does, which is the same here;
- it takes a missing attribute for equal to NULL and a boolean for a number, and ignores SET below a value that is no map: nothing of
  that is asked for;
- it writes a stream record for a write that changes nothing (see test_capture_records).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from moto import mock_aws

from nearshift.localaws.errors import AwsError
from nearshift.localaws.expressions_bind import Bindings
from nearshift.localaws.expressions_evaluate import is_true
from nearshift.localaws.expressions_update import apply_updates
from nearshift.localaws.items import normalise_item

Value = dict[str, Any]
MOTO_FAULTS = (ValueError, TypeError, AttributeError, KeyError, IndexError)
NAMES = ("a", "b", "c", "d")
SLOW = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])

numbers = st.sampled_from(["0", "1", "-1", "2", "10", "0.5", "-0.5", "99999999999999999999", "1.25"])
strings = st.sampled_from(["x", "y", "xy", "xyz", "é", "10"])
scalars = st.one_of(
    numbers.map(lambda text: {"N": text}),
    strings.map(lambda text: {"S": text}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
)
compared = scalars.filter(lambda value: "NULL" not in value and "BOOL" not in value)
sets = st.one_of(
    st.lists(strings, min_size=1, max_size=3, unique=True).map(lambda found: {"SS": found}),
    st.lists(numbers, min_size=1, max_size=3, unique=True).map(lambda found: {"NS": found}),
)
values: st.SearchStrategy[Value] = st.recursive(
    st.one_of(scalars, sets),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: {"L": found}),
        st.dictionaries(st.sampled_from(["m", "n"]), inner, max_size=2).map(lambda found: {"M": found}),
    ),
    max_leaves=4,
)
items: st.SearchStrategy[dict[str, Value]] = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)


@pytest.fixture(scope="module")
def moto_table() -> Iterator[Any]:
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="peer",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> tuple[str, dict[str, Value]]:
    found: dict[str, Value] = {}

    def literal(strategy: st.SearchStrategy[Value]) -> str:
        name = f":v{len(found)}"
        found[name] = draw(strategy)
        return name

    def leaf() -> str:
        path = f"#{draw(st.sampled_from(NAMES))}"
        path += draw(st.sampled_from(["", "", ".m", "[0]", ".m[1]"]))
        kind = draw(st.sampled_from(["=", "<>", "<", ">=", "between", "in", "exists", "missing", "begins", "contains", "type", "size"]))
        if kind in ("=", "<>"):
            return f"{path} {kind} {literal(compared)}"
        if kind in ("<", ">="):
            return f"{path} {kind} {literal(st.one_of(numbers.map(_number), strings.map(_string)))}"
        if kind == "between":
            low, high = draw(st.sampled_from([("-1", "2"), ("0", "10"), ("0.5", "0.5")]))
            return f"{path} BETWEEN {literal(st.just({'N': low}))} AND {literal(st.just({'N': high}))}"
        if kind == "in":
            return f"{path} IN ({literal(compared)}, {literal(compared)})"
        if kind in ("exists", "missing"):
            return f"attribute_{'exists' if kind == 'exists' else 'not_exists'}({path})"
        if kind == "type":
            return f"attribute_type({path}, {literal(st.sampled_from(['S', 'N', 'L', 'M', 'SS', 'NS', 'BOOL', 'NULL']).map(_string))})"
        if kind == "size":
            return f"size({path}) > {literal(st.just({'N': '1'}))}"
        return f"{'begins_with' if kind == 'begins' else 'contains'}({path}, {literal(strings.map(_string))})"

    def tree(level: int) -> str:
        if level == 0:
            return leaf()
        kind = draw(st.sampled_from(["leaf", "and", "or", "not"]))
        if kind == "leaf":
            return leaf()
        if kind == "not":
            return f"NOT ({tree(level - 1)} AND {leaf()})"
        return f"({tree(level - 1)}) {kind.upper()} {tree(level - 1)}"

    return tree(depth), found


def _number(text: str) -> Value:
    return {"N": text}


def _string(text: str) -> Value:
    return {"S": text}


def _names(expression: str) -> dict[str, str]:
    return {f"#{name}": name for name in NAMES if f"#{name}" in expression}


@SLOW
@given(item=items.filter(lambda item: "BOOL" not in str(item)), condition=conditions())
def test_conditions_say_what_moto_says(moto_table: Any, item: dict[str, Value], condition: tuple[str, dict[str, Value]]) -> None:
    text, literals = condition
    moto_table.put_item(TableName="peer", Item={"pk": {"S": "k"}, **copy.deepcopy(item)})
    arguments: dict[str, Any] = {"TableName": "peer", "Key": {"pk": {"S": "k"}}, "ConditionExpression": text}
    if literals:
        arguments["ExpressionAttributeValues"] = literals
    if _names(text):
        arguments["ExpressionAttributeNames"] = _names(text)
    try:
        moto_table.delete_item(**arguments)
        theirs = True
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        theirs = False
    except MOTO_FAULTS:
        reject()
    normalise_item(item)
    bindings = Bindings(_names(text) or None, copy.deepcopy(literals) or None)
    bound = bindings.condition(text)
    bindings.finish()
    assert is_true(bound, item) is theirs, text


@st.composite
def updates(draw: st.DrawFn) -> tuple[str, dict[str, Value]]:
    found: dict[str, Value] = {}

    def literal(strategy: st.SearchStrategy[Value]) -> str:
        name = f":v{len(found)}"
        found[name] = draw(strategy)
        return name

    sections: dict[str, list[str]] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        kind = draw(st.sampled_from(["set", "copy", "plus", "minus", "default", "append", "nested", "remove", "add", "add set", "delete"]))
        path = f"#{name}"
        if kind == "set":
            sections.setdefault("SET", []).append(f"{path} = {literal(values)}")
        elif kind == "copy":
            sections.setdefault("SET", []).append(f"{path} = if_not_exists({path}, {literal(values)})")
        elif kind in ("plus", "minus"):
            sign = "+" if kind == "plus" else "-"
            start = literal(numbers.map(_number))
            sections.setdefault("SET", []).append(f"{path} = if_not_exists(#missing, {start}) {sign} {literal(numbers.map(_number))}")
        elif kind == "default":
            sections.setdefault("SET", []).append(f"{path} = if_not_exists({path}, {literal(scalars)})")
        elif kind == "append":
            empty = literal(st.just({"L": []}))
            more = literal(st.lists(scalars, min_size=1, max_size=2).map(lambda found: {"L": found}))
            sections.setdefault("SET", []).append(f"{path} = list_append(if_not_exists(#missing, {empty}), {more})")
        elif kind == "nested":
            sections.setdefault("SET", []).append(f"#map.{name} = {literal(scalars)}")
        elif kind == "remove":
            sections.setdefault("REMOVE", []).append(path)
        elif kind == "add":
            sections.setdefault("ADD", []).append(f"{path} {literal(numbers.map(_number))}")
        elif kind == "add set":
            sections.setdefault("ADD", []).append(f"{path} {literal(sets)}")
        else:
            sections.setdefault("DELETE", []).append(f"{path} {literal(sets)}")
    return " ".join(f"{section} {', '.join(steps)}" for section, steps in sections.items()), found


def _comparable(value: Value) -> object:
    ((tag, content),) = value.items()
    if tag == "N":
        return tag, Decimal(content)
    if tag == "NS":
        return tag, frozenset(Decimal(element) for element in content)
    if tag in ("SS", "BS"):
        return tag, frozenset(content)
    if tag == "L":
        return tag, [_comparable(element) for element in content]
    if tag == "M":
        return tag, {name: _comparable(element) for name, element in content.items()}
    return tag, content


@SLOW
@given(item=items, update=updates())
def test_updates_make_what_moto_makes(moto_table: Any, item: dict[str, Value], update: tuple[str, dict[str, Value]]) -> None:
    text, literals = update
    names = _names(text) | {key: key[1:] for key in ("#missing", "#map") if key in text}
    item["map"] = {"M": {"a": {"S": "before"}}}
    moto_table.put_item(TableName="peer", Item={"pk": {"S": "k"}, **copy.deepcopy(item)})
    arguments: dict[str, Any] = {"TableName": "peer", "Key": {"pk": {"S": "k"}}, "UpdateExpression": text, "ReturnValues": "ALL_NEW"}
    if literals:
        arguments["ExpressionAttributeValues"] = copy.deepcopy(literals)
    arguments["ExpressionAttributeNames"] = names
    theirs: dict[str, Any] | None
    try:
        theirs = moto_table.update_item(**arguments)["Attributes"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        theirs = None
    except MOTO_FAULTS:
        reject()
    normalise_item(item)
    bindings = Bindings(names, copy.deepcopy(literals) or None)
    ours: dict[str, Value] | None = {"pk": {"S": "k"}, **copy.deepcopy(item)}
    try:
        steps = bindings.updates(text)
        bindings.finish()
        assert ours is not None
        apply_updates(steps, ours)
    except AwsError as error:
        if error.code != "ValidationException":
            raise
        ours = None
    assert (ours is None) is (theirs is None), (text, ours, theirs)
    if ours is not None and theirs is not None:
        assert {k: _comparable(v) for k, v in ours.items()} == {k: _comparable(v) for k, v in theirs.items()}, text


def test_moto_still_differs_where_we_say_so(moto_table: Any) -> None:
    """When one of these fails, moto has changed and the cases above can ask for more."""
    moto_table.put_item(TableName="peer", Item={"pk": {"S": "k"}, "n": {"N": "50.00"}, "l": {"L": [{"S": "x"}]}})
    assert moto_table.get_item(TableName="peer", Key={"pk": {"S": "k"}})["Item"]["n"] == {"N": "50.00"}
    missing = moto_table.scan(TableName="peer", FilterExpression="absent = :z", ExpressionAttributeValues={":z": {"NULL": True}})
    assert missing["Count"] == 1
