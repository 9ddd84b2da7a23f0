"""Properties of SUPER: documents come back as they went in, comparison is an order, and the functions of arrays agree with lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
# Numbers as they are spelt: 38 digits, wherever the point is.
WHOLE = st.integers(-(10**38) + 1, 10**38 - 1).map(str)
FRACTION = st.tuples(st.integers(0, 10**19 - 1), st.text("0123456789", min_size=1, max_size=19), st.booleans()).map(
    lambda parts: f"{'-' * parts[2]}{parts[0]}.{parts[1]}"
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["1.5,", '"', "\\", "[1.50]", " ", "x ", "null", "NaN", ",]", "*", "$.a", "\u0001", "\n"]
)
SCALAR = st.one_of(WHOLE, FRACTION, st.sampled_from(["true", "false", "null", "0", "1", "1.0", "1.00", "-0"]), TEXT.map(json.dumps))
JSON = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]"),
        st.dictionaries(TEXT, inner, max_size=4).map(lambda pairs: "{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in pairs.items()) + "}"),
    ),
    max_leaves=12,
)


def read(text: str) -> Any:
    """Return a JSON text as a value, numbers as they are spelt; a zero of whole numbers has no sign."""
    return json.loads(
        text, parse_float=lambda word: ("number", word), parse_int=lambda word: ("number", "0" if word == "-0" else word), strict=False
    )


class Shelf:
    """A table of documents, written by JSON_PARSE."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        desk.table("texts", "id int; raw varchar(max)")
        desk.table("documents", "id int; s super")

    def put(self, texts: Sequence[str]) -> None:
        run = self.desk.connection.execute
        run("DELETE FROM texts")
        run("DELETE FROM documents")
        self.desk.connection.executemany("INSERT INTO texts VALUES (?, ?)", list(enumerate(texts)))
        self.desk.run("INSERT INTO documents SELECT id, json_parse(raw) FROM texts")

    def all(self, text: str) -> list[tuple[Any, ...]]:
        return list(self.desk.run(text))


@pytest.fixture
def shelf(desk: Any) -> Shelf:
    return Shelf(desk)


@EXAMPLES
@given(texts=st.lists(JSON, min_size=1, max_size=6))
def test_documents_come_back_as_they_went_in(shelf: Shelf, texts: list[str]) -> None:
    shelf.put(texts)
    once = [row[0] for row in shelf.all("SELECT json_serialize(s) FROM documents ORDER BY id")]
    twice = [row[0] for row in shelf.all("SELECT json_serialize(json_parse(json_serialize(s))) FROM documents ORDER BY id")]
    assert [read(one) for one in once] == [read(one) for one in texts]
    assert twice == once
    shown = [row[0] for row in shelf.all("SELECT s FROM documents ORDER BY id")]
    assert shown == once
    wrapped = shelf.all("SELECT json_serialize(array(s, s)), json_serialize(object('k', s)) FROM documents ORDER BY id")
    assert wrapped == [(f"[{one},{one}]", f'{{"k":{one}}}') for one in once]


def order_key(text: str) -> tuple[int, Any] | None:
    """Return what SUPER sorts a value by: kind first; numbers by value, all else by text."""
    value = read(text)
    if value is None:
        return None
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, tuple):
        return 2, Decimal(value[1])
    return (3, value.encode()) if isinstance(value, str) else None


@EXAMPLES
@given(texts=st.lists(SCALAR, min_size=2, max_size=7))
def test_comparison_is_an_order_of_each_kind(shelf: Shelf, texts: list[str]) -> None:
    shelf.put(texts)
    found = shelf.all("SELECT a.id, b.id, a.s = b.s, a.s < b.s, a.s > b.s, a.s <= b.s FROM documents a, documents b")
    keys = [order_key(one) for one in texts]
    for left, right, equal, less, more, at_most in found:
        one, other = keys[left], keys[right]
        if one is None or other is None:
            assert (equal, less, more, at_most) == (None, None, None, None)
        elif one[0] != other[0]:
            assert (equal, less, more, at_most) == (False, None, None, None)
        else:
            assert (equal, less, more, at_most) == (one == other, one < other, one > other, one <= other), (texts[left], texts[right])
    ordered = [keys[row[0]] for row in shelf.all("SELECT id FROM documents ORDER BY s, id")]
    assert ordered == sorted((one for one in keys if one is not None), key=lambda one: one) + [one for one in keys if one is None]


@EXAMPLES
@given(first=st.lists(SCALAR, max_size=6), second=st.lists(SCALAR, max_size=6))
def test_functions_of_arrays_agree_with_lists(shelf: Shelf, first: list[str], second: list[str]) -> None:
    shelf.put([f"[{','.join(first)}]", f"[{','.join(second)}]"])
    columns = (
        "array_distinct(a.s), array_except(a.s, b.s), array_intersection(a.s, b.s), array_union(a.s, b.s), arrays_overlap(a.s, b.s), "
        "array_sort(a.s), array_concat(a.s, b.s), array_positions(a.s, b.s[0]), array_contains(a.s, b.s[0]), array_position(a.s, b.s[0])"
    )
    [row] = shelf.all(f"SELECT {columns} FROM documents a, documents b WHERE a.id = 0 AND b.id = 1")
    distinct, less, both, union, overlap, ordered, joined, places, has, place = row
    one, other = [order_key(item) for item in first], [order_key(item) for item in second]

    def keys(text: str) -> list[Any]:
        return [order_key(item) for item in shelf_items(text)]

    assert len(keys(distinct)) == len(set(one))
    assert set(keys(distinct)) == set(one)
    assert keys(joined) == [*one, *other]
    assert sorted(map(repr, [*keys(less), *keys(both)])) == sorted(map(repr, keys(joined)[: len(one)]))
    assert {key: min(one.count(key), other.count(key)) for key in set(one) & set(other)} == {
        k: keys(both).count(k) for k in set(keys(both))
    }
    assert set(keys(union)) == set(one) | set(other)
    assert overlap == bool(set(one) & set(other))
    assert keys(ordered) == sorted(key for key in one if key is not None) + [None] * one.count(None)
    sought = other[0] if other else None
    assert json.loads(places) == [index for index, key in enumerate(one) if key == sought]
    assert (has, place) == (sought in one, one.index(sought) if sought in one else -1)


def shelf_items(text: str) -> list[str]:
    """Return the elements of an array as texts."""
    spelt = json.loads(text, parse_float=Spelt, parse_int=Spelt, strict=False)
    return [one.text if isinstance(one, Spelt) else json.dumps(one) for one in spelt]


class Spelt:
    def __init__(self, text: str) -> None:
        self.text = text
