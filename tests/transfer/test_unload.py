"""UNLOAD: names of files, text of values, partitions, manifests, and what is refused."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from tests.transfer.conftest import Place

QUERY = "SELECT a, b, c FROM t ORDER BY a"


@pytest.fixture
def filled(place: Place) -> Place:
    place.rows("CREATE TABLE t (a int, b varchar(20), c boolean)")
    place.rows("INSERT INTO t VALUES (1, 'x|,\"\\\\y\\n', true), (2, '', false), (3, NULL, NULL)")
    return place


@pytest.mark.parametrize(
    ("options", "name", "content"),
    [
        ("", "0000_part_00", '1|x|,"\\y\n|t\n2||f\n3||\n'),
        ("ESCAPE NULL AS '\\\\N'", "0000_part_00", '1|x\\|,"\\\\y\\\n|t\n2||f\n3|\\N|\\N\n'),
        ("ADDQUOTES ESCAPE DELIMITER ','", "0000_part_00", '"1","x|\\,\\"\\\\y\\\n","t"\n"2","","f"\n"3",,\n'),
        ("CSV HEADER", "0000_part_00", 'a,b,c\n1,"x|,""\\y\n",t\n2,,f\n3,,\n'),
        ("FORMAT AS CSV DELIMITER '|' NULL '-' PARALLEL OFF EXTENSION 'csv'", "000.csv", '1|"x|,""\\y\n"|t\n2||f\n3|-|-\n'),
        (
            "FORMAT JSON",
            "0000_part_00.json",
            '{"a":1,"b":"x|,\\"\\\\y\\n","c":true}\n{"a":2,"b":"","c":false}\n{"a":3,"b":null,"c":null}\n',
        ),
    ],
)
def test_text_of_each_format(filled: Place, options: str, name: str, content: str) -> None:
    filled.rows(f"UNLOAD ('{QUERY}') TO 'file://out/' {options}")
    assert filled.names("out") == [name]
    assert filled.read(f"out/{name}") == content
    assert filled.notices[-1] == "UNLOAD completed, 3 record(s) unloaded successfully."
    assert filled.rows("SELECT pg_last_unload_count()") == [(3,)]


def test_fixed_width_and_what_does_not_fit(filled: Place) -> None:
    filled.rows("UNLOAD ('SELECT a, c FROM t ORDER BY a') TO 'file://out/' FIXEDWIDTH 'a:3,c:2'")
    assert filled.read("out/0000_part_00") == "1  t \n2  f \n3    \n"
    error = filled.fails("UNLOAD ('SELECT b FROM t') TO 'file://long/' FIXEDWIDTH 'b:3'")
    assert error.sqlstate == "22001"
    assert not (filled.folder / "long").exists()


def test_nothing_is_overwritten_unless_told(filled: Place) -> None:
    unload = f"UNLOAD ('{QUERY}') TO 'file://out/x_'"
    filled.rows(unload)
    error = filled.fails(unload)
    assert error.message.startswith("Specified unload destination on S3 is not empty. Consider using a different bucket / prefix")
    filled.write("out/x_old", "old")
    filled.rows(f"{unload} ALLOWOVERWRITE")
    assert filled.names("out") == ["x_0000_part_00", "x_old"]
    filled.rows(f"{unload} CLEANPATH")
    assert filled.names("out") == ["x_0000_part_00"]
    assert "CLEANPATH is not compatible with ALLOWOVERWRITE" in filled.fails(f"{unload} CLEANPATH ALLOWOVERWRITE").message
    assert filled.rows("SELECT count(*) FROM sys_unload_history WHERE status = 'aborted'") == [(1,)]


def test_cleanpath_deletes_nothing_when_the_query_is_wrong(filled: Place) -> None:
    filled.rows(f"UNLOAD ('{QUERY}') TO 'file://out/'")
    assert filled.fails("UNLOAD ('SELECT nope FROM t') TO 'file://out/' CLEANPATH").sqlstate == "42703"
    assert filled.names("out") == ["0000_part_00"]


def test_partitions_are_folders(filled: Place) -> None:
    filled.rows("INSERT INTO t VALUES (4, 'a/b=c', true)")
    filled.rows("UNLOAD ('SELECT a, b, c FROM t WHERE a > 1 ORDER BY a') TO 'file://out/' CSV PARTITION BY (c, b) MANIFEST")
    assert filled.names("out") == [
        "c=__HIVE_DEFAULT_PARTITION__/b=__HIVE_DEFAULT_PARTITION__/0000_part_00",
        "c=f/b=__HIVE_DEFAULT_PARTITION__/0000_part_00",
        "c=t/b=a%2Fb%3Dc/0000_part_00",
        "manifest",
    ]
    assert filled.read("out/c=t/b=a%2Fb%3Dc/0000_part_00") == "4\n"
    filled.rows("UNLOAD ('SELECT a, c FROM t ORDER BY a') TO 'file://in/' CSV PARTITION BY (c) INCLUDE")
    assert filled.read("in/c=t/0000_part_00") in {"1,t\n4,t\n", "4,t\n1,t\n"}
    filled.rows("CREATE TABLE u (a int, c boolean); COPY u FROM 'file://in/' CSV")
    assert filled.rows("SELECT count(*) FROM u") == [(4,)]


def test_a_manifest_lists_what_was_written(filled: Place) -> None:
    filled.rows(f"UNLOAD ('{QUERY}') TO 'file://out/' GZIP CSV MANIFEST VERBOSE")
    found = json.loads(filled.read("out/manifest"))
    size = (filled.folder / "out/0000_part_00.gz").stat().st_size
    assert found["entries"] == [{"url": "file://out/0000_part_00.gz", "meta": {"content_length": size, "record_count": 3}}]
    assert found["meta"] == {"content_length": size, "record_count": 3}
    assert found["schema"]["elements"][1] == {"name": "b", "type": {"base": "character varying", "max_length": 20}}
    filled.rows("CREATE TABLE u (LIKE t); COPY u FROM 'file://out/manifest' MANIFEST GZIP CSV")
    assert filled.rows("SELECT count(*) FROM u") == [(3,)]


def test_files_are_cut_at_their_size(place: Place) -> None:
    place.rows("CREATE TABLE t (a bigint, b varchar(200))")
    place.write("rows", "".join(f"{n}|{'abcdefghij' * 10}\n" for n in range(100_000)))
    place.rows("COPY t FROM 'file://rows'")
    place.rows("UNLOAD ('SELECT a, b FROM t') TO 'file://out/' MAXFILESIZE 5 MB")
    assert place.names("out") == ["0000_part_00", "0000_part_01", "0000_part_02"]
    place.rows("UNLOAD ('SELECT a, b FROM t') TO 'file://one/' MAXFILESIZE AS 5 MB PARALLEL FALSE ZSTD")
    assert place.names("one") == ["000.zst"]
    place.rows("CREATE TABLE u (LIKE t); COPY u FROM 'file://out/'")
    assert place.rows("SELECT count(DISTINCT a), min(b) = max(b) FROM u") == [(100_000, True)]
    assert place.rows("SELECT sum(line_count) FROM sys_unload_detail WHERE file_name LIKE 'file://out/%'") == [(100_000,)]
    assert "between" in place.fails("UNLOAD ('SELECT 1') TO 'file://z/' MAXFILESIZE 1 MB").message


def test_no_rows(filled: Place) -> None:
    filled.rows("UNLOAD ('SELECT a FROM t WHERE a > 9') TO 'file://csv/' CSV HEADER")
    assert filled.read("csv/0000_part_00") == "a\n"
    filled.rows("UNLOAD ('SELECT a FROM t WHERE a > 9') TO 'file://pq/' PARQUET MANIFEST")
    assert filled.names("pq") == ["manifest"]


def test_parquet_has_the_types_of_the_columns(place: Place) -> None:
    place.rows(
        "UNLOAD ('SELECT 1::int AS i, 1.5::decimal(5,2) AS d, ''x'' AS s, ''2020-01-01''::date AS t, true AS b') TO 'file://p/' PARQUET"
    )
    schema = pq.read_schema(place.folder / "p/0000_part_00.parquet")
    assert {field.name: str(field.type) for field in schema} == {
        "i": "int32", "d": "decimal128(5, 2)", "s": "string", "t": "date32[day]", "b": "bool",
    }  # fmt: skip


def test_unload_in_a_transaction_sees_it(filled: Place) -> None:
    filled.rows(f"BEGIN; DELETE FROM t WHERE a < 3; UNLOAD ('{QUERY}') TO 'file://out/' GZIP; ROLLBACK")
    assert gzip.decompress((filled.folder / "out/0000_part_00.gz").read_bytes()) == b"3||\n"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UNLOAD ('SELECT a FROM t LIMIT 2') TO 'file://o/'", "Limit clause is not supported"),
        ("UNLOAD ('DELETE FROM t') TO 'file://o/'", "takes a SELECT"),
        ("UNLOAD ('SELECT a FROM t') TO 'file://o/' PARQUET GZIP", "GZIP is not compatible with PARQUET"),
        ("UNLOAD ('SELECT a FROM t') TO 'file://o/' JSON HEADER", "HEADER is not compatible with JSON"),
        ("UNLOAD ('SELECT a FROM t') TO 'file://o/' CSV PARTITION BY (z)", "not in the query"),
        ("UNLOAD ('SELECT a FROM t') TO 'file://o/' CSV PARTITION BY (a)", "leaves no column"),
        ("UNLOAD ('SELECT a FROM t') TO 'file://o/' DELIMITER 'ab'", "single ASCII character"),
        ("UNLOAD ('SELECT a, a FROM t') TO 'file://o/' PARQUET", "unique"),
        ("UNLOAD ('SELECT a FROM t') TO 'file://o/' ROWGROUPSIZE 64 MB", "PARQUET only"),
        ("UNLOAD ('SELECT a FROM t') TO '/srv/o'", "S3"),
    ],
)
def test_what_is_refused(filled: Place, statement: str, words: str) -> None:
    assert words in filled.fails(statement).message
    assert not (filled.folder / "o").exists()


def test_limit_inside_is_fine(filled: Place) -> None:
    filled.rows("UNLOAD ('SELECT * FROM (SELECT a FROM t ORDER BY a LIMIT 1) AS s') TO 'file://o/'")
    assert filled.read("o/0000_part_00") == "1\n"


@pytest.mark.parametrize(
    ("options", "name", "content"),
    [
        ("CSV", "0000_part_00", '1,"{""x"":50.00,""l"":[0.10,1]}"\n'),
        ("", "0000_part_00", '1|{"x":50.00,"l":[0.10,1]}\n'),
        ("FORMAT JSON", "0000_part_00.json", '{"a":1,"doc":{"x":50.00,"l":[0.10,1]}}\n'),
        ("FIXEDWIDTH 'a:1,doc:24'", "0000_part_00", '1{"x":50.00,"l":[0.10,1]}\n'),
    ],
)
def test_documents_with_fractions_are_written_as_they_are_shown(place: Place, options: str, name: str, content: str) -> None:
    place.rows("CREATE TABLE d (a int, doc super)")
    place.rows('INSERT INTO d SELECT 1, json_parse(\'{"x": 50.00, "l": [0.10, 1]}\')')
    place.rows(f"UNLOAD ('SELECT a, doc FROM d') TO 'file://documents/' {options}")
    assert place.read(f"documents/{name}") == content


def test_documents_with_fractions_are_the_same_in_parquet_and_come_back(place: Place) -> None:
    place.rows("CREATE TABLE d (doc super)")
    place.rows('INSERT INTO d SELECT json_parse(\'{"x": 50.00, "l": [0.10, 1]}\')')
    place.rows("UNLOAD ('SELECT doc FROM d') TO 'file://columns/' FORMAT PARQUET")
    [name] = place.names("columns")
    assert pq.read_table(place.folder / "columns" / name).column("doc").to_pylist() == ['{"x":50.00,"l":[0.10,1]}']
    place.rows("CREATE TABLE again (doc super)")
    place.rows("COPY again FROM 'file://columns/' FORMAT PARQUET SERIALIZETOJSON")
    assert place.rows("SELECT doc, doc.x FROM again") == [('{"x":50.00,"l":[0.10,1]}', "50.00")]


@pytest.mark.parametrize("options", ["NULL AS '-'", "CSV DELIMITER '|' NULL AS '-'"])
def test_null_of_super_is_the_null_of_json(place: Place, options: str) -> None:
    place.rows("CREATE TABLE d (a int, doc super)")
    place.rows("INSERT INTO d VALUES (1, NULL), (NULL, NULL)")
    place.rows(f"UNLOAD ('SELECT a, doc FROM d ORDER BY a') TO 'file://nulls/' {options}")
    assert place.read("nulls/0000_part_00") == "1|null\n-|null\n"
    place.rows("CREATE TABLE again (a int, doc super)")
    place.rows(f"COPY again FROM 'file://nulls/' {options}")
    assert place.rows("SELECT count(*), count(a), count(doc) FROM again") == [(2, 1, 0)]
