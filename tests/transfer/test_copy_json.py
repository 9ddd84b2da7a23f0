"""COPY of JSON: names, paths, nested values, and documents that follow each other in any way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nearshift.errors import NearshiftError
from nearshift.transfer.batches import LoadColumn
from nearshift.transfer.documents import DocumentReader, Shred
from nearshift.transfer.jsonpaths import parse_path
from nearshift.types import SUPER, varchar

if TYPE_CHECKING:
    from tests.transfer.conftest import Place


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ('{"a": "x", "b": 12345678901234567890.5, "c": [1, {"z": null}]}', "'auto'", [("x", "12345678901234567890.5", '[1,{"z":null}]')]),
        ('{"a": "x"}{"a": "y"}\n\n {"a":\n"z"}', "'auto'", [("x", None, None), ("y", None, None), ("z", None, None)]),
        ('{"A": "x", "a": "y"}', "'auto'", [("y", None, None)]),
        ('{"A": "x", "B": true}', "'auto ignorecase'", [("x", "true", None)]),
        ('{"a": null, "b": {"k": "}"}, "c": null}', "", [(None, '{"k": "}"}', None)]),
        ('{"a": "\\u00e9\\n", "b": "", "d": 5}', "'auto'", [("é\n", "", None)]),
    ],
)  # fmt: skip
def test_documents_become_rows(place: Place, content: str, options: str, expected: list[tuple[object, ...]]) -> None:
    place.write("f", content)
    place.rows("CREATE TABLE t (a varchar(10), b varchar(30), c super)")
    place.rows(f"COPY t FROM 'file://f' JSON {options}")
    found = place.rows("SELECT a, b, json_serialize(c) FROM t")
    assert [
        tuple(None if one is None else str(one).replace(": ", ":") if place_ == 2 else one for place_, one in enumerate(row))
        for row in found
    ] == (expected)


def test_noshred_keeps_whole_documents(place: Place) -> None:
    place.write("f", '{"a": 1}\n{"b": [1, 2]}\n')
    place.rows("CREATE TABLE t (v super, w int); COPY t (v) FROM 'file://f' FORMAT JSON 'noshred'")
    assert place.rows("SELECT v.a, v.b[1] FROM t ORDER BY 1") == [("1", None), (None, "2")]
    assert "one column of type super" in place.fails("COPY t FROM 'file://f' JSON 'noshred'").message


def test_jsonpaths_name_the_columns_by_place(place: Place) -> None:
    place.write("paths", json.dumps({"jsonpaths": ["$['id']", "$.name.first", "$.tags[1]", "$['a.b'][0]['c']"]}))
    place.write("f", '{"id": 7, "name": {"first": "Ada"}, "tags": ["x", "y"], "a.b": [{"c": 1.50}]}\n{"id": 8, "tags": []}\n')
    place.rows("CREATE TABLE t (i int, n varchar(10), t varchar(5), d decimal(4,2))")
    place.rows("COPY t FROM 'file://f' JSON 'file://paths'")
    assert place.rows("SELECT i, n, t, d::varchar FROM t ORDER BY i") == [(7, "Ada", "y", "1.50"), (8, None, None, None)]
    place.rows("COPY t (i, n, t, d) FROM 'file://f' JSON AS 'file://paths'")
    error = place.fails("COPY t (i) FROM 'file://f' JSON 'file://paths'")
    assert error.message.endswith("JSONPath size: 4, Number of columns in table or column list: 1")


@pytest.mark.parametrize("path", ["a", "$.a[*]", "$..a", "$.a[?(@.b)]", "$.", "$['a'", "$[-1]"])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(NearshiftError, match="Invalid JSONPath"):
        parse_path(path)


def test_a_path_is_read() -> None:
    assert parse_path("$['a.b'][0].c[\"d\"]") == ("a.b", 0, "c", "d")
    assert parse_path("$") == ()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_documents_come_out_alike_however_the_file_is_cut(size: int) -> None:
    text = '{"a":"x{\\"}"}\n {"a":"é","c":{"z":[1,"]"]}} {"a":\n\n"q"}\n'.encode()
    reader = DocumentReader([LoadColumn("a", varchar(9)), LoadColumn("c", SUPER)], Shred.EXACT)
    rows = []
    for batch in reader.read(text[start : start + size] for start in range(0, len(text), size)):
        assert not batch.failures
        rows += list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    assert rows == [('x{"}', None), ("é", '{"z":[1,"]"]}'), ("q", None)]


def test_a_broken_document_costs_one_line(place: Place) -> None:
    place.write("f", '{"a": 1}\n{"a": }\n{"a": 2}\nnonsense\n{"a": "x"}\n{"a": 3}\n')
    place.rows("CREATE TABLE t (a int); COPY t FROM 'file://f' JSON 'auto' MAXERROR 10")
    assert place.rows("SELECT a FROM t ORDER BY a") == [(1,), (2,), (3,)]
    assert place.rows("SELECT line_number, err_code FROM stl_load_errors ORDER BY 1") == [(2, 1216), (4, 1216), (5, 1207)]
