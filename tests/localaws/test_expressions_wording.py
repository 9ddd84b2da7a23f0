"""The service's own words for expressions that it refuses, and the rules that no peer tells."""

from __future__ import annotations

from typing import Any

import pytest

from nearshift.localaws.errors import AwsError
from nearshift.localaws.expressions_bind import Bindings
from nearshift.localaws.expressions_evaluate import is_true
from nearshift.localaws.expressions_project import project, selection_of
from nearshift.localaws.expressions_update import apply_updates
from nearshift.localaws.items import normalise_item

Item = dict[str, dict[str, Any]]
S = {":s": {"S": "x"}}
N = {":n": {"N": "1"}}


def bind(text: str, values: Item | None, names: dict[str, str] | None, kind: str) -> None:
    bindings = Bindings(names, values)
    if kind == "condition":
        bindings.condition(text)
    else:
        bindings.updates(text)
    bindings.finish()


def refusal(text: str, values: Item | None = None, names: dict[str, str] | None = None, *, kind: str = "condition") -> str:
    with pytest.raises(AwsError) as caught:
        bind(text, values, names, kind)
    assert caught.value.code == "ValidationException"
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("a = :s x", S, 'Syntax error; token: "x", near: ":s x"'),
        ("a = ", None, 'Syntax error; token: "<EOF>", near: "="'),
        ("a ! :s", S, 'Syntax error; token: "!", near: "a ! :s"'),
        ("", None, "The expression can not be empty;"),
        ("size = :n", N, "Attribute name is a reserved keyword; reserved keyword: size"),
        ("((a = :s))", S, "The expression has redundant parentheses;"),
        ("a = :other", S, "An expression attribute value used in expression is not defined; attribute value: :other"),
        ("#a = :s", S, "An expression attribute name used in the document path is not defined; attribute name: #a"),
        ("begins_width(a, :s)", S, "Invalid function name; function: begins_width"),
        (
            "begins_with(a, :n)",
            N,
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "attribute_exists(:s)",
            S,
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "begins_with(a)",
            None,
            "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1",
        ),
        (
            "attribute_type(a, :s)",
            S,
            "Invalid attribute type name found; type: x, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        ("size(a)", None, "The function is not allowed to be used this way in an expression; function: size"),
        (
            "a = attribute_exists(b)",
            None,
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            "a = a",
            None,
            "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]",
        ),
        ("a < :b", {":b": {"BOOL": True}}, "Incorrect operand type for operator or function; operator: <, operand type: BOOLEAN"),
        (
            "a BETWEEN :n AND :m",
            {":n": {"N": "2"}, ":m": {"N": "1"}},
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
        ),
    ],
)
def test_a_wrong_condition_is_refused_in_the_services_words(text: str, values: Item | None, message: str) -> None:
    assert refusal(text, values) == f"Invalid ConditionExpression: {message}"


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("SET a = :s SET b = :s", S, 'The "SET" section can only be used once in an update expression;'),
        (
            "SET a.b = :s, a = :s",
            S,
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a]",
        ),
        (
            "SET a[0] = :s REMOVE a.b",
            S,
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, [0]], path two: [a, b]",
        ),
        ("ADD a :s", S, "Incorrect operand type for operator or function; operator: ADD, operand type: STRING"),
        ("DELETE a :n", N, "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER"),
        ("SET a = a + :s", S, "Incorrect operand type for operator or function; operator or function: +, operand type: S"),
        (
            "SET a = list_append(b, :s)",
            S,
            "Incorrect operand type for operator or function; operator or function: list_append, operand type: S",
        ),
        ("SET a = if_not_exists(:s, :s)", S, "Operator or function requires a document path; operator or function: if_not_exists"),
        ("SET a = size(b)", None, "The function is not allowed in an update expression; function: size"),
        ("SET a = :s, VALUE = :s", S, "Attribute name is a reserved keyword; reserved keyword: VALUE"),
        ("FROB a = :s", S, 'Syntax error; token: "FROB", near: "FROB a"'),
    ],
)
def test_a_wrong_update_is_refused_in_the_services_words(text: str, values: Item | None, message: str) -> None:
    assert refusal(text, values, kind="update") == f"Invalid UpdateExpression: {message}"


def test_placeholders_are_checked() -> None:
    assert refusal("a = :s", S | N) == "Value provided in ExpressionAttributeValues unused in expressions: keys: {:n}"
    assert refusal("a = :s", S, {"#b": "b"}) == "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"
    assert refusal("a = :s", {}) == "ExpressionAttributeValues must not be empty"
    assert refusal("a = :s", S, {"b": "b"}) == 'ExpressionAttributeNames contains invalid key: Syntax error; key: "b"'
    message = "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: q for key :n"
    assert refusal("a = :n", {":n": {"N": "q"}}) == message


def test_depth_and_length_are_bounded() -> None:
    deep = "NOT (" * 120 + "a = :s" + ")" * 120
    assert "nested too deeply" in refusal(deep, S)
    assert refusal("a = :s OR " * 500 + "a = :s", S).startswith("Invalid ConditionExpression: Expression size has exceeded")
    assert "too many operators" in refusal(" or ".join(["a=:s"] * 301), S)
    assert "IN operator" in refusal(f"a IN ({', '.join([':s'] * 101)})", S)


def holds(text: str, item: Item, values: Item | None = None, names: dict[str, str] | None = None) -> bool:
    normalise_item(item)
    return is_true(Bindings(names, values).condition(text), item)


def test_conditions_that_peers_get_wrong() -> None:
    item: Item = {
        "n": {"N": "50.00"}, "l": {"L": [{"S": "p"}, {"N": "1.0"}]}, "b": {"B": "AQID"}, "t": {"BOOL": True}, "z": {"NULL": True},
        "m": {"M": {"in": {"L": [{"S": "deep"}]}}}, "ss": {"SS": ["q", "p"]},
    }  # fmt: skip
    assert holds("n = :n", item, {":n": {"N": "5E1"}})
    assert holds("l[0] = :s", item, {":s": {"S": "p"}})
    assert holds("contains(l, :n)", item, {":n": {"N": "1"}})
    assert holds("m.#in[0] = :s", item, {":s": {"S": "deep"}}, {"#in": "in"})
    assert holds("ss = :s", item, {":s": {"SS": ["p", "q"]}})
    assert not holds("t = :n", item, {":n": {"N": "1"}})
    assert not holds("absent = :z", item, {":z": {"NULL": True}})
    assert holds("absent <> :z", item, {":z": {"NULL": True}})
    assert not holds("absent < :n", item, {":n": {"N": "9"}})
    assert not holds("n < :s", item, {":s": {"S": "9"}})
    assert holds("begins_with(b, :b) AND contains(b, :c)", item, {":b": {"B": "AQI="}, ":c": {"B": "Ag=="}})
    assert holds("size(b) = :n AND size(m) = :o", item, {":n": {"N": "3"}, ":o": {"N": "1"}})
    assert not holds("size(n) > :n", item, {":n": {"N": "0"}})
    assert holds("(n) = :n and not (t = :f or attribute_exists(l[2]))", item, {":n": {"N": "50"}, ":f": {"BOOL": False}})


def updated(text: str, item: Item, values: Item | None = None) -> Item:
    normalise_item(item)
    apply_updates(Bindings(None, values).updates(text), item)
    normalise_item(item)
    return item


def test_list_indexes_mean_the_list_as_it_was() -> None:
    letters: Item = {"l": {"L": [{"S": c} for c in "abcde"]}}
    found = updated("REMOVE l[0], l[1] SET l[3] = :x, l[9] = :y, l[7] = :z", letters, {k: {"S": k} for k in (":x", ":y", ":z")})
    assert [element["S"] for element in found["l"]["L"]] == ["c", ":x", "e", ":z", ":y"]


def test_all_operands_are_taken_from_the_item_as_it_was() -> None:
    found = updated("SET a = b, b = a", {"a": {"N": "1"}, "b": {"N": "2"}})
    assert found == {"a": {"N": "2"}, "b": {"N": "1"}}
    found = updated("SET a = m, m.k = :v", {"m": {"M": {"k": {"S": "old"}}}}, {":v": {"S": "new"}})
    assert found["a"] == {"M": {"k": {"S": "old"}}}
    assert found["m"] == {"M": {"k": {"S": "new"}}}


def test_arithmetic_keeps_38_digits_and_no_more() -> None:
    most = "9" * 38
    assert updated("SET a = a - :n", {"a": {"N": most}}, dict(N))["a"] == {"N": "9" * 37 + "8"}
    assert updated("SET a = a + :n", {"a": {"N": "0.1"}}, {":n": {"N": "0.2"}})["a"] == {"N": "0.3"}
    with pytest.raises(AwsError, match="38 significant digits"):
        updated("SET a = a + :n", {"a": {"N": most}}, {":n": {"N": "0.1"}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET a = b", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET n = s + :n", "An operand in the update expression has an incorrect data type"),
        ("SET absent.x = :n", "The document path provided in the update expression is invalid for update"),
        ("SET s[0] = :n", "The document path provided in the update expression is invalid for update"),
        ("ADD s :n", "An operand in the update expression has an incorrect data type"),
    ],
)
def test_an_update_that_does_not_fit_the_item_is_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        updated(text, {"s": {"S": "x"}, "n": {"N": "1"}}, dict(N) if ":n" in text else None)
    assert caught.value.message == message


def test_a_set_that_loses_its_last_element_goes() -> None:
    assert updated("DELETE s :s", {"s": {"SS": ["a"]}, "k": {"S": "k"}}, {":s": {"SS": ["a", "b"]}}) == {"k": {"S": "k"}}


def test_projection_joins_paths_and_closes_lists_up() -> None:
    item: Item = {"l": {"L": [{"M": {"a": {"N": "1"}, "b": {"N": "2"}, "c": {"N": "3"}}}, {"S": "x"}, {"S": "y"}]}, "m": {"M": {}}}
    paths = Bindings(None, None).projection("l[2], l[0].a, l[0].b, m.nothing, gone")
    assert project(selection_of(paths), item) == {"l": {"L": [{"M": {"a": {"N": "1"}, "b": {"N": "2"}}}, {"S": "y"}]}}
