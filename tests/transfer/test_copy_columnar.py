"""COPY of PARQUET and ORC: by place, kinds of type, nested values."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

if TYPE_CHECKING:
    from tests.transfer.conftest import Place

FLAT = pa.table(
    {
        "i": pa.array([1, None], pa.int32()),
        "n": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(10, 2)),
        "s": pa.array(["é", None]),
        "d": pa.array([dt.date(2020, 1, 2), None]),
        "t": pa.array([dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC).replace(tzinfo=None), None], pa.timestamp("ns")),
        "b": pa.array([True, None]),
        "f": pa.array([1.5, None], pa.float32()),
        "y": pa.array([b"ab", None]),
    }
)
TABLE = "CREATE TABLE t (i bigint, n decimal(8,2), s varchar(5), d date, t timestamp, b boolean, f double precision, y varbyte(4))"


@pytest.mark.parametrize("kind", ["PARQUET", "ORC"])
def test_types_of_one_kind_fit(place: Place, kind: str) -> None:
    if kind == "PARQUET":
        pq.write_table(FLAT, place.folder / "f", compression="zstd")
    else:
        orc.write_table(FLAT, str(place.folder / "f"))
    place.rows(f"{TABLE}; COPY t FROM 'file://f' FORMAT AS {kind}")
    found = place.rows("SELECT i, n, s, d, t, b, f, from_varbyte(y, 'utf8') FROM t ORDER BY i")
    moment = dt.datetime.fromisoformat("2020-01-02 03:04:05")
    assert found == [(1, decimal.Decimal("1.50"), "é", dt.date(2020, 1, 2), moment, True, 1.5, "ab"), (None,) * 8]


@pytest.mark.parametrize(
    ("column", "array", "words"),
    [
        ("int", pa.array(["1"]), "incompatible Parquet schema for column 'c'. Column type: INTEGER, Parquet schema: string"),
        ("varchar(5)", pa.array([1]), "incompatible Parquet schema"),
        ("date", pa.array(["2020-01-01"]), "incompatible Parquet schema"),
        ("super", pa.array([{"a": 1}]), "is nested"),
        ("varchar(5)", pa.array([[1]]), "incompatible Parquet schema"),
    ],
)  # fmt: skip
def test_types_of_another_kind_do_not(place: Place, column: str, array: pa.Array, words: str) -> None:
    pq.write_table(pa.table({"c": array}), place.folder / "f")
    error = place.fails(f"CREATE TABLE t (c {column}); COPY t FROM 'file://f' PARQUET")
    assert words in error.message
    assert "code:      15001" in (error.detail or "")


def test_values_that_do_not_fit_fail_the_load(place: Place) -> None:
    pq.write_table(pa.table({"a": [1, 2**40], "b": ["x", "toolong"]}), place.folder / "f")
    place.rows("CREATE TABLE t (a int, b varchar(9)); CREATE TABLE u (a bigint, b varchar(3))")
    assert "failed" in place.fails("COPY t FROM 'file://f' PARQUET").message
    assert "failed" in place.fails("COPY u FROM 'file://f' PARQUET").message
    found = place.rows("SELECT line_number, trim(colname), err_code, trim(raw_field_value) FROM stl_load_errors ORDER BY query")
    assert found == [(2, "a", 1204, str(2**40)), (2, "b", 1204, "toolong")]
    place.rows("COPY u FROM 'file://f' PARQUET TRUNCATECOLUMNS")
    assert place.rows("SELECT b FROM u ORDER BY a") == [("x",), ("too",)]


def test_nested_values_become_super(place: Place) -> None:
    nested = pa.table({"s": [{"a": 1, "b": [1, 2]}], "l": [[{"x": None}]], "m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32()))})
    pq.write_table(nested, place.folder / "f")
    place.rows("CREATE TABLE t (s super, l super, m super); COPY t FROM 'file://f' FORMAT PARQUET SERIALIZETOJSON")
    assert place.rows("SELECT s.b[1], l[0].x IS NULL, m.k FROM t") == [("2", True, "1")]


def test_the_number_of_columns(place: Place) -> None:
    pq.write_table(pa.table({"x": [1], "y": ["b"]}), place.folder / "f")
    place.rows("CREATE TABLE t (a int, b varchar(3), c int)")
    assert "has 2 columns" in place.fails("COPY t FROM 'file://f' PARQUET").message
    place.rows("COPY t (a, b) FROM 'file://f' PARQUET; COPY t FROM 'file://f' PARQUET FILLRECORD")
    assert place.rows("SELECT a, b, c FROM t") == [(1, "b", None), (1, "b", None)]
