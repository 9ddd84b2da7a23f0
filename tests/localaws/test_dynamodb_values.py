"""Attribute values: normal form, limits, sizes and order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearshift.localaws.errors import AwsError
from nearshift.localaws.items import encode_item, has_binary, normalise_item, normalise_value
from nearshift.localaws.items_numbers import normal_number, number_size, sortable_number

INVALID = "One or more parameter values were invalid"
exact = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.sampled_from([0, 1]),
    st.lists(st.integers(0, 9), min_size=1, max_size=38).map(tuple),
    st.integers(-80, 80),
)


@pytest.mark.parametrize(
    ("given_text", "normal"),
    [
        ("50.00", "50"), ("+7", "7"), ("-0", "0"), ("007", "7"), ("1E2", "100"), ("1e-3", "0.001"), (".5", "0.5"), ("5.", "5"),
        ("0.10", "0.1"), ("-0.0010", "-0.001"), ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1E125", "1" + "0" * 125), ("1E-130", "0." + "0" * 129 + "1"), ("0E999", "0"),
        ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88),
    ],
)  # fmt: skip
def test_numbers_have_one_normal_text(given_text: str, normal: str) -> None:
    assert normal_number(given_text) == normal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The parameter cannot be converted to a numeric value"),
        ("abc", "The parameter cannot be converted to a numeric value: abc"),
        ("NaN", "The parameter cannot be converted to a numeric value: NaN"),
        ("1_000", "The parameter cannot be converted to a numeric value: 1_000"),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("1E126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ("1E-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
    ],
)
def test_numbers_that_cannot_be_stored_are_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        normal_number(text)
    assert (caught.value.code, caught.value.message) == ("ValidationException", message)


@given(exact)
def test_the_normal_text_is_the_same_number_and_stays(number: Decimal) -> None:
    text = normal_number(str(number))
    assert Decimal(text) == number
    assert normal_number(text) == text
    assert not text.startswith("-") or Decimal(text) < 0
    assert 1 <= number_size(text) <= 21


@given(exact, exact)
def test_sortable_bytes_sort_as_the_numbers_do(left: Decimal, right: Decimal) -> None:
    left_bytes, right_bytes = (sortable_number(normal_number(str(number))) for number in (left, right))
    assert (left_bytes < right_bytes) is (left < right)
    assert (left_bytes == right_bytes) is (left == right)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


def test_values_nest_31_containers_deep() -> None:
    normalise_value(nested(31))
    with pytest.raises(AwsError, match="Nesting Levels have exceeded supported limits"):
        normalise_value(nested(32))


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ({}, "ValidationException", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            {"S": "a", "N": "1"},
            "ValidationException",
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ),
        ({"NULL": False}, "ValidationException", f"{INVALID}: Null attribute value types must have the value of true"),
        ({"SS": []}, "ValidationException", f"{INVALID}: An string set  may not be empty"),
        ({"SS": ["a", "a"]}, "ValidationException", f"{INVALID}: Input collection [a, a] contains duplicates."),
        ({"NS": ["1", "1.0"]}, "ValidationException", "Input collection contains duplicates"),
        ({"N": 5}, "SerializationException", "NUMBER_VALUE cannot be converted to String"),
        ({"S": True}, "SerializationException", "TRUE_VALUE cannot be converted to String"),
        ({"B": "abc"}, "SerializationException", "Base64 encoded length is expected a multiple of 4 bytes but found: 3"),
        ({"L": {}}, "SerializationException", "Unexpected field type"),
    ],
)  # fmt: skip
def test_values_that_are_none_are_refused(value: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        normalise_item({"a": value})
    assert (caught.value.code, caught.value.message) == (code, message)


def test_sizes_are_those_of_the_guide() -> None:
    assert normalise_item({"pk": {"S": "abc"}}) == 5
    assert normalise_item({"é": {"S": "é"}}) == 4
    assert normalise_item({"n": {"N": "-1234.5"}}) == 1 + 5
    assert normalise_item({"b": {"B": "AQID"}, "t": {"BOOL": True}, "z": {"NULL": True}}) == 4 + 2 + 2
    assert normalise_item({"l": {"L": [{"S": "ab"}, {"M": {"k": {"S": "v"}}}]}}) == 1 + 3 + (1 + 2) + (1 + 3 + 1 + 2)


def test_equal_items_have_equal_texts() -> None:
    one: dict[str, Any] = {"b": {"NS": ["10", "9.0"]}, "a": {"M": {"y": {"N": "1.0"}, "x": {"SS": ["q", "p"]}}}}
    other: dict[str, Any] = {"a": {"M": {"x": {"SS": ["p", "q"]}, "y": {"N": "1"}}}, "b": {"NS": ["9", "1E1"]}}
    normalise_item(one)
    normalise_item(other)
    assert encode_item(one) == encode_item(other)


def test_binary_values_are_seen_in_the_text_and_names_are_not() -> None:
    assert has_binary(encode_item({"x": {"L": [{"B": "AQ=="}]}}))
    assert has_binary(encode_item({"x": {"BS": ["AQ=="]}}))
    assert not has_binary(encode_item({"B": {"S": "x"}, "BS": {"L": []}, "q": {"S": '"B":"x"'}, "m": {"M": {"B": {"S": "y"}}}}))
