"""COPY of DynamoDB's exports: DynamoDB JSON and Ion, whole or broken, and the rules by which attributes find their columns."""

from __future__ import annotations

import gzip
import importlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from amazon.ion import simpleion
from amazon.ion.core import IonType
from amazon.ion.simple_types import IonPyList
from amazon.ion.symbols import SymbolToken

if TYPE_CHECKING:
    from tests.transfer.conftest import Place

ID = "01695097218000-d6299cbd"
ITEMS: list[dict[str, Any]] = [
    {"pk": {"S": "c#1"}, "Total": {"N": "12.345"}, "note": {"S": "é"}, "extra": {"M": {"a": {"N": "1"}}}},
    {"pk": {"S": "c#2"}, "Total": {"N": "12345678901234567890123456"}, "note": {"NULL": True}},
    {"pk": {"S": "c#3"}},
]


def export(place: Place, files: list[bytes], counts: list[int], kind: str = "DYNAMODB_JSON", **more: Any) -> str:
    """Write an export as DynamoDB lays it out, below a folder that is not the bucket's own; return the address of COPY."""
    key = f"prefix/AWSDynamoDB/{ID}"
    suffix = "ion.gz" if kind == "ION" else "json.gz"
    summary = {
        "version": "2020-06-30", "exportArn": "arn", "s3Bucket": "lake", "s3Prefix": "prefix", "outputFormat": kind,
        "manifestFilesS3Key": f"{key}/manifest-files.json", "itemCount": sum(counts), **more,
    }  # fmt: skip
    place.write("copied/manifest-summary.json", json.dumps(summary))
    lines = [{"itemCount": count, "dataFileS3Key": f"{key}/data/{n}.{suffix}", "etag": "x"} for n, count in enumerate(counts)]
    place.write("copied/manifest-files.json", "".join(json.dumps(line) + "\n" for line in lines))
    for number, content in enumerate(files):
        place.write(f"copied/data/{number}.{suffix}", gzip.compress(content))
    return "dynamodb-export:file://copied/"


def json_lines(items: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps({"Item": item}, ensure_ascii=False) + "\n" for item in items).encode()


TABLE = "CREATE TABLE t (PK varchar(10), total decimal(38,2), note varchar(10), missing int)"
EXPECTED = [("c#1", Decimal("12.34"), "é", None), ("c#2", Decimal("12345678901234567890123456.00"), None, None), ("c#3", None, None, None)]


def test_dynamodb_json(place: Place) -> None:
    address = export(place, [json_lines(ITEMS[:2]), json_lines(ITEMS[2:])], [2, 1])
    place.rows(f"{TABLE}; COPY t FROM '{address}' IAM_ROLE default REGION 'us-east-1'")
    assert place.rows("SELECT * FROM t ORDER BY pk") == EXPECTED
    assert place.notices[-1] == "Load into table 't' completed, 3 record(s) loaded successfully."
    assert place.rows("SELECT lines_scanned FROM sys_load_detail ORDER BY 1") == [(1,), (2,)]
    assert place.rows("SELECT file_format, loaded_rows FROM sys_load_history") == [("dynamodb-export", 3)]


def test_ion(place: Place) -> None:
    numbers = IonPyList.from_value(IonType.LIST, [Decimal(1)], (SymbolToken("$dynamodb_NS", None),))
    values: list[dict[str, Any]] = [
        {"pk": "c#1", "Total": Decimal("12.345"), "note": "é", "extra": {"a": Decimal(1)}, "set": numbers},
        {"pk": "c#2", "Total": Decimal("12345678901234567890123456"), "note": None, "flag": True, "bin": b"x"},
        {"pk": "c#3"},
    ]
    content = simpleion.dumps([{"Item": value} for value in values], binary=False, sequence_as_stream=True)
    address = export(place, [content.encode()], [3], "ION")
    place.rows(f"{TABLE}; COPY t FROM '{address}'")
    assert place.rows("SELECT * FROM t ORDER BY pk") == EXPECTED
    place.rows('CREATE TABLE u ("set" int)')
    assert "failed" in place.fails(f"COPY u FROM '{address}'").message
    assert place.rows("SELECT trim(error_message) FROM sys_load_error_detail") == [
        ('attribute "set" has type NS: only S and N can be loaded',)
    ]


def test_ion_without_the_extra(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    address = export(place, [b'$ion_1_0 {Item:{pk:"a"}}'], [1], "ION")

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    error = place.fails(f"{TABLE}; COPY t FROM '{address}'")
    assert (error.sqlstate, error.hint) == ("0A000", "pip install 'nearshift[ion]', or export DynamoDB JSON.")


def test_what_does_not_fit_is_a_load_error(place: Place) -> None:
    bad: list[dict[str, Any]] = [
        {"pk": {"S": "x"}, "total": {"L": []}},
        {"pk": {"S": "y"}, "PK": {"S": "z"}},
        {"pk": {"S": "w"}, "missing": {"N": "1.5"}},
    ]
    address = export(place, [json_lines([*ITEMS, *bad])], [6])
    place.rows(TABLE)
    assert "failed" in place.fails(f"COPY t FROM '{address}'").message
    assert place.rows("SELECT count(*) FROM t") == [(0,)]
    place.rows(f"COPY t FROM '{address}' MAXERROR 9")
    assert place.rows("SELECT count(*) FROM t") == [(3,)]
    found = place.rows("SELECT line_number, trim(err_reason) FROM stl_load_errors WHERE query = pg_last_copy_id() ORDER BY 1")
    assert found == [
        (4, 'attribute "total" has type L: only S and N can be loaded'),
        (5, 'attributes "pk" and "PK" differ only by case'),
        (6, "Invalid digit, Value '.', Pos 1, Type: Integer"),
    ]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("no summary", "manifest-summary.json is missing"),
        ("no data", "is missing"),
        ("count", "has 3 items, but its manifest says 4"),
        ("sum", "says that it has 9 items"),
        ("cut", "could not be decompressed"),
        ("line", "holds a line that is no item"),
        ("summary", "is no manifest of a DynamoDB export"),
        ("incremental", "holds changes and no items"),
        ("elsewhere", "does not lie below"),
    ],
)
def test_broken_exports(place: Place, damage: str, words: str) -> None:
    damages: dict[str, dict[str, Any]] = {"incremental": {"exportType": "INCREMENTAL_EXPORT"}, "sum": {"itemCount": 9}}
    more = damages.get(damage, {})
    content = json_lines(ITEMS) if damage != "line" else b'{"Item": {"pk": 1}}\n'
    address = export(place, [content], [4 if damage == "count" else 1 if damage == "line" else 3], **more)
    base = place.folder / "copied"
    if damage == "no summary":
        (base / "manifest-summary.json").unlink()
    elif damage == "no data":
        (base / "data/0.json.gz").unlink()
    elif damage == "cut":
        whole = (base / "data/0.json.gz").read_bytes()
        (base / "data/0.json.gz").write_bytes(whole[:-12])
    elif damage == "summary":
        (base / "manifest-summary.json").write_text("{}")
    elif damage == "elsewhere":
        (base / "manifest-files.json").write_text('{"itemCount": 3, "dataFileS3Key": "../secret"}\n')
    place.rows(TABLE)
    assert words in place.fails(f"COPY t FROM '{address}'").message
    assert place.rows("SELECT count(*) FROM t") == [(0,)]


def test_options_of_files_mean_nothing_to_items(place: Place) -> None:
    place.rows(TABLE)
    assert "is not supported for DynamoDB exports" in place.fails("COPY t FROM 'dynamodb-export:file://copied/' CSV").message
    assert "is not supported for DynamoDB exports" in place.fails("COPY t FROM 'dynamodb-export:file://copied/' READRATIO 5").message
