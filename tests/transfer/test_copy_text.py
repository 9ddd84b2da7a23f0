"""COPY of delimited text, CSV and fixed width: what each option does to a value or a line."""

from __future__ import annotations

import bz2
import gzip
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

if TYPE_CHECKING:
    from tests.transfer.conftest import Place

STRINGS = "CREATE TABLE t (a varchar(10), b varchar(10), c int)"


def loaded(place: Place, content: str | bytes, options: str, table: str = STRINGS) -> list[tuple[object, ...]]:
    place.write("f", content)
    place.rows(table)
    place.rows(f"COPY t FROM 'file://f' {options}")
    return place.rows("SELECT * FROM t")


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("a|b|1\nc|d|2\n", "", [("a", "b", 1), ("c", "d", 2)]),
        ("a|b|1|\nc|d|2|\n", "", [("a", "b", 1), ("c", "d", 2)]),
        ("a\tb\t1", "DELIMITER '\\t'", [("a", "b", 1)]),
        ("a\x01b\x011", "DELIMITER '\\001'", [("a", "b", 1)]),
        ("a|~|b|~|1\r\n", "DELIMITER '|~|'", [("a", "b", 1)]),
        ("a,b,1\r\nc,,\r\n", "CSV", [("a", "b", 1), ("c", "", None)]),
        ("a\rb\r", "", [("a",), ("b",)]),
        ('"a,1","b""q",1\n"c\nd",e,2', "CSV", [("a,1", 'b"q', 1), ("c\nd", "e", 2)]),
        ("%a,1%,b%%,1\n", "CSV QUOTE '%'", [("a,1", "b%%", 1)]),
        ("h1,h2,h3\na,b,1\n", "CSV IGNOREHEADER 1", [("a", "b", 1)]),
        ("h", "CSV IGNOREHEADER 1", []),
        ("\\N|x|\\N\n", "", [(None, "x", None)]),
        ("-|x|-\n", "NULL AS '-'", [(None, "x", None)]),
        ("||7\n", "EMPTYASNULL", [(None, None, 7)]),
        ("  ||7\n", "", [("  ", "", 7)]),
        ("  |x |7\n", "BLANKSASNULL", [(None, "x ", 7)]),
        ("x  |y|  \n", "TRIMBLANKS", [("x", "y", None)]),
        ("a\\|b|c\\\nd|1\n\\N|\\\\|2\n", "ESCAPE", [("a|b", "c\nd", 1), (None, "\\", 2)]),
        ("\"a|b\"|'c'|1\n", "REMOVEQUOTES", [("a|b", "c", 1)]),
        ("'a\\'b'|c|1\n", "REMOVEQUOTES ESCAPE", [("a'b", "c", 1)]),
        ("a\nb|c\n", "FILLRECORD", [("a", "", None), ("b", "c", None)]),
        ("a\n", "FILLRECORD EMPTYASNULL", [("a", None, None)]),
        ("\na|b|1\n\n", "IGNOREBLANKLINES", [("a", "b", 1)]),
        ("abcdefghijklm|ééééééé|1\n", "TRUNCATECOLUMNS", [("abcdefghij", "ééééé", 1)]),
        (b"a\xff\xfeb|c|1\n", "ACCEPTINVCHARS AS '^'", [("a^^b", "c", 1)]),
        ("\ufeffé|b|1\n".encode("utf-16-le"), "ENCODING UTF16", [("é", "b", 1)]),
        ("é|b|1\n".encode("iso-8859-1"), "ENCODING AS ISO88591", [("é", "b", 1)]),
        ("\ufeffa|b|1\n".encode(), "", [("a", "b", 1)]),
        (gzip.compress(b"a|b|1\n") + gzip.compress(b"c|d|2\n"), "GZIP", [("a", "b", 1), ("c", "d", 2)]),
        (bz2.compress(b"a|b|1\n"), "BZIP2", [("a", "b", 1)]),
        (bytes(pa.compress(b"a|b|1\n", "zstd", asbytes=True)), "ZSTD", [("a", "b", 1)]),
        ("a    b    1 \nccccccccccdd 22\n", "FIXEDWIDTH 'x:5,y:5,z:2'", None),
        ("éaaa bb   12\n", "FIXEDWIDTH 'x:5,y:5,z:2'", [("éaaa ", "bb   ", 12)]),
        ("", "", []),
    ],
)  # fmt: skip
def test_text_becomes_values(place: Place, content: str | bytes, options: str, expected: list[tuple[object, ...]] | None) -> None:
    if expected is None:
        place.write("f", content)
        place.rows(STRINGS)
        assert "failed" in place.fails(f"COPY t FROM 'file://f' {options}").message
        return
    table = "CREATE TABLE t (a varchar(10))" if expected and len(expected[0]) == 1 else STRINGS
    assert loaded(place, content, options, table) == expected


@pytest.mark.parametrize(
    ("kind", "text", "options", "expected"),
    [
        ("decimal(6,2)", "1.259", "", "1.25"),
        ("decimal(6,2)", "1.259", "ROUNDEC", "1.26"),
        ("decimal(6,2)", "-1.259", "", "-1.25"),
        ("date", "2020-03-01", "", "2020-03-01"),
        ("date", "03.01.2020", "DATEFORMAT 'MM.DD.YYYY'", "2020-03-01"),
        ("date", "Mar 1, 2020", "DATEFORMAT 'auto'", "2020-03-01"),
        ("date", "00/00/00", "DATEFORMAT 'auto' ACCEPTANYDATE", None),
        ("timestamp", "1583020800", "TIMEFORMAT 'epochsecs'", "2020-03-01 00:00:00"),
        ("timestamp", "1583020800.5", "TIMEFORMAT 'epochsecs'", "2020-03-01 00:00:00.5"),
        ("timestamp", "1583020800123", "TIMEFORMAT 'epochmillisecs'", "2020-03-01 00:00:00.123"),
        ("timestamp", "01/03/2020 04:05", "TIMEFORMAT 'DD/MM/YYYY HH24:MI'", "2020-03-01 04:05:00"),
        ("timestamp", "20200301 040506", "TIMEFORMAT 'auto'", "2020-03-01 04:05:06"),
        ("timestamp", "03/01/2020 04:05 PM", "TIMEFORMAT 'MM/DD/YYYY HH:MI AM'", "2020-03-01 16:05:00"),
        ("boolean", "y", "", "true"),
        ("char(3)", "ab ", "", "ab"),
        ("bigint", " 42 ", "", "42"),
        ("double precision", "1e3", "", "1000"),
        ("super", '{"a":[1,"x"]}', "", '{"a":[1,"x"]}'),
        ("varbyte", "6162", "", "6162"),
    ],
)  # fmt: skip
def test_each_type_is_read(place: Place, kind: str, text: str, options: str, expected: str | None) -> None:
    place.write("f", text + "\n")
    place.rows(f"CREATE TABLE t (v {kind})")
    place.rows(f"COPY t FROM 'file://f' {options}")
    shown = "json_serialize(v)" if kind == "super" else "CASE WHEN v THEN 'true' ELSE 'false' END" if kind == "boolean" else "v::varchar"
    shown = "from_varbyte(v, 'hex')" if kind == "varbyte" else shown
    assert place.rows(f"SELECT {shown} FROM t") == [(expected,)]


def test_a_column_list_a_default_and_an_identity(place: Place) -> None:
    place.write("f", "x,1\ny,2\n")
    place.rows("CREATE TABLE t (id bigint IDENTITY(10,5), a int DEFAULT 7, b varchar(5), c int)")
    place.rows("COPY t (b, c) FROM 'file://f' CSV")
    assert place.rows("SELECT a, b, c FROM t ORDER BY c") == [(7, "x", 1), (7, "y", 2)]
    assert place.rows("SELECT count(DISTINCT id), min(id) FROM t") == [(2, 10)]
    place.write("g", "99,5,z,3\n")
    assert "identity" in place.fails("COPY t (id, a, b, c) FROM 'file://g' CSV").message
    place.rows("COPY t (id, a, b, c) FROM 'file://g' CSV EXPLICIT_IDS")
    place.rows("COPY t FROM 'file://g' CSV EXPLICIT_IDS")
    assert place.rows("SELECT count(*) FROM t WHERE id = 99") == [(2,)]


def test_all_files_of_a_prefix_are_loaded_once(place: Place) -> None:
    for name in ("day/a.txt", "day/b.txt", "day/deep/c.txt", "days.txt"):
        place.write(name, f"{name}\n")
    place.rows("CREATE TABLE t (v varchar(20))")
    place.rows("COPY t FROM 'file://day/'")
    assert place.rows("SELECT v FROM t ORDER BY v") == [("day/a.txt",), ("day/b.txt",), ("day/deep/c.txt",)]
    assert place.notices == ["Load into table 't' completed, 3 record(s) loaded successfully."]
    assert place.rows("SELECT pg_last_copy_count()") == [(3,)]


def test_noload_checks_and_loads_nothing(place: Place) -> None:
    place.write("f", "1\n2\n")
    place.write("bad", "x\n")
    place.rows("CREATE TABLE t (a int)")
    place.rows("COPY t FROM 'file://f' NOLOAD")
    assert place.rows("SELECT count(*) FROM t") == [(0,)]
    assert "failed" in place.fails("COPY t FROM 'file://bad' NOLOAD").message


def test_rows_cross_the_pieces_of_a_large_file(place: Place) -> None:
    """Lines, quoted line feeds and irregular quotes, in a file of several pieces."""
    text = "".join(f'{n},"line {n}\n""second""",{"plain" if n % 1000 else "a b"}\n' for n in range(200_000))
    assert len(text) > 5_000_000
    place.write("f", text)
    place.rows("CREATE TABLE t (a int, b varchar(40), c varchar(10))")
    place.rows("COPY t FROM 'file://f' CSV")
    assert place.rows("SELECT count(*), count(DISTINCT a), sum(len(b)) FROM t") == [
        (200_000, 200_000, sum(len(f'line {n}\n"second"') for n in range(200_000)))
    ]


def test_a_load_into_a_temporary_table_and_in_a_block(place: Place) -> None:
    place.write("f", "1\n")
    place.rows("CREATE TEMP TABLE x (a int); COPY x FROM 'file://f'; COPY x FROM 'file://f'")
    assert place.rows("SELECT count(*) FROM x") == [(2,)]
    place.rows("CREATE TABLE t (a int)")
    place.rows("BEGIN; COPY t FROM 'file://f'; ROLLBACK")
    assert place.rows("SELECT count(*) FROM t") == [(0,)]
    assert place.rows("SELECT count(*) FROM sys_load_history WHERE table_name = 't' AND status = 'completed'") == [(1,)]
