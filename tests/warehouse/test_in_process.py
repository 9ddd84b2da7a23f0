"""`nearshift.connect`: the DB-API, frames and Arrow tables; and the same engine without DuckDB's private calls."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

import nearshift
from nearshift import engine
from nearshift.errors import ConfigurationError, Conflict, InvalidSql, NearshiftError, NotSupported

SCRIPT = """
CREATE TABLE t (id int, name varchar(20), price decimal(8,2), data super);
INSERT INTO t VALUES (1, 'one', 1.5, json_parse('{"a": [1]}')), (2, NULL, NULL, NULL);
"""


@pytest.fixture(params=[True, False], ids=["private calls", "public calls"])
def calls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(engine, "HAS_PRIVATE_CALLS", engine.HAS_PRIVATE_CALLS and request.param)
    return bool(request.param)


def test_rows_frames_and_tables(calls: bool) -> None:
    with nearshift.connect() as connection:
        connection.execute(SCRIPT)
        cursor = connection.execute("SELECT id, name, price, data FROM t ORDER BY id")
        assert [column[0] for column in cursor.description or ()] == ["id", "name", "price", "data"]
        assert cursor.fetchone() == (1, "one", Decimal("1.50"), '{"a":[1]}')
        assert cursor.fetchmany(5) == [(2, None, None, None)]
        assert cursor.fetchone() is None
        table = connection.execute("SELECT id, name FROM t ORDER BY id").arrow()
        assert table.to_pydict() == {"id": [1, 2], "name": ["one", None]}
        assert list(connection.execute("SELECT id FROM t ORDER BY id").df()["id"]) == [1, 2]
        empty = connection.execute("SELECT id, name FROM t WHERE id > 9").arrow()
        assert (empty.num_rows, empty.column_names) == (0, ["id", "name"])
        assert empty.schema.field("id").type == pa.int32()


def test_parameters_of_both_styles(calls: bool) -> None:
    with nearshift.connect() as connection:
        connection.execute(SCRIPT)
        assert connection.execute("SELECT name FROM t WHERE id = %s AND name <> '%%s'", (1,)).fetchall() == [("one",)]
        assert connection.execute("SELECT $1::int + id FROM t WHERE name = $2", (10, "one")).fetchall() == [(11,)]
        cursor = connection.cursor().executemany("INSERT INTO t (id, price) VALUES (%s, %s)", [(3, Decimal("3.25")), (4, None)])
        assert cursor.rowcount == 1
        assert connection.execute("SELECT count(*), sum(price) FROM t").fetchall() == [(4, Decimal("4.75"))]
        with pytest.raises(InvalidSql, match="placeholders"):
            connection.execute("SELECT %s", (1, 2))


def test_large_results_stream(calls: bool) -> None:
    with nearshift.connect() as connection:
        connection.execute("CREATE TABLE n AS SELECT 1 AS a")
        for _doubling in range(15):
            connection.execute("INSERT INTO n SELECT a FROM n")
        assert connection.execute("SELECT a FROM n").arrow().num_rows == 1 << 15


def test_blocks_and_errors(calls: bool) -> None:
    with nearshift.connect() as connection:
        connection.execute(SCRIPT)
        connection.begin()
        connection.execute("DELETE FROM t")
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(2,)]
        with pytest.raises(NearshiftError) as caught:
            connection.execute("SELECT nme FROM t")
        assert (caught.value.sqlstate, caught.value.span and caught.value.span.start) == ("42703", 7)
        connection.begin()
        connection.execute("DELETE FROM t WHERE id = 1")
        connection.commit()
        assert connection.execute("SELECT id FROM t").fetchall() == [(2,)]
        connection.execute("DROP TABLE IF EXISTS nothing")
        assert [notice.message for notice in connection.notices] == ['Table "nothing" does not exist and will be skipped']


def test_a_file_keeps_what_was_committed(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    with nearshift.connect(file) as connection:
        connection.execute(SCRIPT)
    with nearshift.connect(str(file)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(2,)]


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NotSupported, match="in this process"):
        nearshift.connect("postgresql://127.0.0.1:5439/dev")
    (tmp_path / "text.duckdb").write_text("this is no database, only some text that is long enough to be looked at\n" * 100)
    with pytest.raises(ConfigurationError, match=r"text.duckdb.* could not be opened"):
        nearshift.connect(tmp_path / "text.duckdb")
    with pytest.raises(NearshiftError):
        nearshift.connect(tmp_path / "no" / "such" / "folder" / "w.duckdb")


def test_the_same_file_twice_in_this_process(tmp_path: Path) -> None:
    with nearshift.connect(tmp_path / "w.duckdb") as first:
        first.execute(SCRIPT)
        with pytest.raises(Conflict, match="in use") as caught:
            nearshift.connect(tmp_path / "w.duckdb")
        assert caught.value.sqlstate == "55006"
        assert first.execute("SELECT count(*) FROM t").fetchall() == [(2,)]
