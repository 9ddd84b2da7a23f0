"""Bad rows: what the views of load errors say, what MAXERROR allows, and that they outlive the load. Bad files and manifests."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transfer.conftest import Place

FAILED = "Load into table 't' failed.  Check 'stl_load_errors' system table for details."


@pytest.mark.parametrize(
    ("kind", "line", "expected"),
    [
        ("int", "ab", (1207, "Invalid digit, Value 'a', Pos 0, Type: Integer", 0)),
        ("int", "1.5", (1207, "Invalid digit, Value '.', Pos 1, Type: Integer", 1)),
        ("smallint", "70000", (1204, "Value out of range, Type: Short", 0)),
        ("bigint", "-", (1207, "Invalid digit, Value '-', Pos 0, Type: Long", 0)),
        ("decimal(4,2)", "1x", (1207, "Invalid digit, Value 'x', Pos 1, Type: Decimal", 1)),
        ("decimal(4,2)", "123.4", (1204, "Value out of range, Type: Decimal", 0)),
        ("double precision", "1.2.3", (1207, "Invalid digit, Value '.', Pos 3, Type: Double", 3)),
        ("boolean", "maybe", (1210, "Unknown boolean format", 0)),
        ("date", "2020-1", (1205, "Invalid Date Format - length must be 10 or more", 0)),
        ("timestamp", "yesterday", (1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]", 0)),
        ("varchar(3)", "éé", (1204, "String length exceeds DDL length", 0)),
        ("char(3)", "abcd", (1204, "Char length exceeds DDL length", 0)),
        ("char(3)", "é", (1220, "Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: c3 a9", 0)),
        ("int not null", "\\N", (1213, "Missing data for not-null field", 0)),
        ("super", "{a", (1200, "Invalid JSON value for a column of type super", 0)),
        ("varbyte", "6g", (1219, "Hexadecimal contains an invalid digit", 0)),
    ],
)  # fmt: skip
def test_a_bad_value_says_why(place: Place, kind: str, line: str, expected: tuple[int, str, int]) -> None:
    place.write("f", f"ok|{line}\n")
    place.rows(f"CREATE TABLE t (k varchar(2), v {kind})")
    error = place.fails("COPY t FROM 'file://f'")
    assert (error.message, error.sqlstate, error.detail) == (FAILED, "XX000", expected[1])
    assert place.rows("SELECT err_code, trim(err_reason), position FROM stl_load_errors") == [expected]
    shown = "".join(one if one.isascii() else "." for one in f"ok|{line}")
    assert place.rows("SELECT trim(filename), line_number, trim(colname), trim(raw_line) FROM stl_load_errors") == [
        ("file://f", 1, "v", shown)
    ]


@pytest.mark.parametrize(
    ("line", "options", "expected"),
    [
        ("a", "", (1214, "Delimiter not found")),
        ("a|1|2", "", (1202, "Extra column(s) found")),
        ("", "", (1214, "Delimiter not found")),
        ("", "CSV", (1214, "Delimiter not found")),
        ('"a"b,1', "CSV", (1214, "Invalid quote formatting for CSV")),
        ('"a,1', "CSV", (1214, "End-of-Record reached before a closing quote")),
        ("'a|1", "REMOVEQUOTES", (1214, "End-of-Record reached before a closing quote")),
        (b"\xe0\xa1|1", "", (1220, "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: e0 a1 (error 2)")),
        ('{"k": "a" "v": 1}', "JSON 'auto'", (1216, "Invalid JSON object")),
        ("[1]", "JSON 'auto'", (1216, "Invalid JSON object")),
        ('{"k": "a"', "JSON 'auto'", (1216, "Invalid JSON object")),
    ],
)  # fmt: skip
def test_a_bad_line_says_why(place: Place, line: str | bytes, options: str, expected: tuple[int, str]) -> None:
    good = b"" if "JSON" in options else (b"x,1\n" if "CSV" in options else b"x|1\n")
    place.write("f", good + (line.encode() if isinstance(line, str) else line) + b"\n")
    place.rows("CREATE TABLE t (k varchar(9), v int)")
    assert place.fails(f"COPY t FROM 'file://f' {options}").message == FAILED
    assert place.rows("SELECT err_code, trim(err_reason) FROM stl_load_errors") == [(expected[0], expected[1][:100])]
    assert place.rows("SELECT trim(error_message) FROM sys_load_error_detail") == [(expected[1],)]
    assert place.rows("SELECT line_number FROM stl_load_errors") == [(1 if "JSON" in options else 2,)]


def test_maxerror_goes_on_below_its_number(place: Place) -> None:
    place.write("f", "1\nx\n2\ny\n3\n")
    place.rows("CREATE TABLE t (a int)")
    place.rows("COPY t FROM 'file://f' MAXERROR 3")
    assert place.rows("SELECT a FROM t ORDER BY a") == [(1,), (2,), (3,)]
    assert place.notices == [
        "Load into table 't' completed, 2 record(s) could not be loaded.  Check 'stl_load_errors' system table for details.",
        "Load into table 't' completed, 3 record(s) loaded successfully.",
    ]
    assert place.rows("SELECT line_number, trim(raw_field_value) FROM stl_load_errors ORDER BY 1") == [(2, "x"), (4, "y")]
    assert place.fails("COPY t FROM 'file://f' MAXERROR 2").message == FAILED
    assert place.rows("SELECT count(*) FROM t") == [(3,)]
    place.rows("COPY t FROM 'file://f' IGNOREALLERRORS")
    assert place.rows("SELECT count(*) FROM t") == [(6,)]


def test_errors_outlive_the_transaction_that_failed(place: Place) -> None:
    place.write("f", "1\nx\n")
    place.rows("CREATE TABLE t (a int)")
    place.rows("BEGIN; INSERT INTO t VALUES (9)")
    assert place.fails("COPY t FROM 'file://f'").message == FAILED
    place.rows("ROLLBACK")
    assert place.rows("SELECT count(*) FROM t") == [(0,)]
    assert place.rows("SELECT count(*) FROM stl_load_errors") == [(1,)]
    assert place.rows("SELECT status, loaded_rows, error_count, trim(data_source) FROM sys_load_history") == [("aborted", 0, 1, "file://f")]
    assert place.rows("SELECT count(*) FROM stl_load_commits") == [(0,)]


def test_the_detail_shows_the_fields_of_a_bad_row(place: Place) -> None:
    place.write("f", "1|\\N|zz\n")
    place.rows("CREATE TABLE t (a int, b varchar(5), c date)")
    place.fails("COPY t FROM 'file://f'")
    found = place.rows(
        "SELECT field, trim(colname), trim(value), is_null, trim(type), trim(col_length) FROM stl_loaderror_detail ORDER BY 1"
    )
    assert found == [(0, "a", "1", 0, "int4", "0"), (1, "b", None, 1, "varchar", "5"), (2, "c", "zz", 0, "date", "0")]


def test_lines_are_counted_across_quoted_line_feeds_and_pieces(place: Place) -> None:
    good = '1,"two\nlines"\n'
    place.write("f", good * 600_000 + 'x,"bad"\n' + good + "y,z\n")
    place.rows("CREATE TABLE t (a int, b varchar(20))")
    place.rows("COPY t FROM 'file://f' CSV MAXERROR 10")
    assert place.rows("SELECT line_number, trim(raw_line) FROM stl_load_errors ORDER BY 1") == [(1_200_001, 'x,"bad"'), (1_200_004, "y,z")]
    assert place.rows("SELECT lines_scanned FROM sys_load_detail") == [(1_200_004,)]


def test_files_that_cannot_be_read(place: Place) -> None:
    place.rows("CREATE TABLE t (a int)")
    whole = gzip.compress(b"1\n" * 100_000)
    place.write("cut.gz", whole[: len(whole) // 2])
    place.write("plain", "1\n")
    place.write("wide", "é\n".encode("utf-16-le")[:3])
    for source, options, words in (
        ("cut.gz", "GZIP", "could not be decompressed"),
        ("plain", "GZIP", "could not be decompressed"),
        ("plain", "BZIP2", "could not be decompressed"),
        ("plain", "ZSTD", "could not be decompressed"),
        ("wide", "ENCODING UTF16LE", "not encoded"),
        ("none", "", "No file begins with 'none'"),
        ("plain", "PARQUET", "not a valid PARQUET file"),
        ("plain", "ORC", "not a valid ORC file"),
        ("plain", "MANIFEST", "not in the expected format"),
        ("none", "MANIFEST", "does not exist"),
        ("plain", "JSON 'file://none'", "does not exist"),
        ("plain", "JSON 'file://plain'", "Invalid JSONPath format"),
    ):
        assert words in place.fails(f"COPY t FROM 'file://{source}' {options}").message
    assert place.rows("SELECT count(*) FROM t") == [(0,)]
    assert place.rows("SELECT DISTINCT status FROM sys_load_history") == [("aborted",)]


def test_manifests(place: Place) -> None:
    place.rows("CREATE TABLE t (a int)")
    place.write("one", "1\n")
    place.write("two", "2\n")

    def manifest(*entries: dict[str, object]) -> None:
        place.write("m", json.dumps({"entries": list(entries)}))

    manifest({"url": "file://one", "mandatory": True}, {"url": "file://two"}, {"url": "file://gone"})
    place.rows("COPY t FROM 'file://m' MANIFEST")
    assert place.rows("SELECT a FROM t ORDER BY a") == [(1,), (2,)]
    manifest({"url": "file://gone", "mandatory": True}, {"url": "file://one"})
    assert "mandatory" in place.fails("COPY t FROM 'file://m' MANIFEST").message
    manifest({"url": "file://gone"})
    assert "names no file" in place.fails("COPY t FROM 'file://m' MANIFEST").message
    manifest({"url": "one"})
    assert "full path" in place.fails("COPY t FROM 'file://m' MANIFEST").message
    manifest({"url": "file://one", "meta": {"content_length": 99}})
    assert "has 2 bytes" in place.fails("COPY t FROM 'file://m' MANIFEST").message
    manifest({"url": "file://../one", "mandatory": True})
    assert place.fails("COPY t FROM 'file://m' MANIFEST").sqlstate == "42501"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("LZOP", "LZOP is not supported"),
        ("SSH", "SSH is not supported"),
        ("AVRO 'auto'", "format AVRO is not supported"),
        ("CSV ESCAPE", "ESCAPE is not compatible with CSV"),
        ("QUOTE '%'", "QUOTE can be used with CSV only"),
        ("GZIP ZSTD", "ZSTD is not compatible with GZIP"),
        ("PARQUET IGNOREHEADER 1", "IGNOREHEADER argument is not supported for PARQUET based COPY"),
        ("PARQUET MAXERROR 5", "MAXERROR argument is not supported for PARQUET based COPY"),
        ("MAXERROR 200000", "MAXERROR must be between 0 and 100000"),
        ("ENCODING 'latin-7'", 'encoding "latin-7" is not supported'),
        ("DATEFORMAT 'QQQ'", "is not a format of dates"),
        ("FIXEDWIDTH 'a'", "is not a fixed-width specification"),
        ("FIXEDWIDTH 'a:1,b:2'", "FIXEDWIDTH has 2 columns"),
        ("JSON 'whatever'", "is not a JSON option"),
        ("CREDENTIALS 'nothing'", "Invalid credentials"),
        ("MASTER_SYMMETRIC_KEY 'x'", "is not supported"),
    ],
)  # fmt: skip
def test_options_that_do_not_go(place: Place, options: str, words: str) -> None:
    place.write("f", "1\n")
    place.rows("CREATE TABLE t (a int)")
    error = place.fails(f"COPY t FROM 'file://f' {options}")
    assert words in error.message
    assert error.span is not None
