"""INSERT, UPDATE, DELETE and MERGE."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest


@pytest.fixture
def target(desk: Any) -> Any:
    """The desk with an empty table `t` of a few types, one column hidden."""
    desk.table("t", "a int; b varchar(5); c decimal(6,2); d timestamp; s super; f boolean", hidden='"$row" BIGINT DEFAULT 9')
    return desk


def _all(desk: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = desk.run("SELECT a, b, c, d, s, f FROM t ORDER BY a, b")
    return rows


def test_values_are_converted_to_their_columns(target: Any) -> None:
    target.run("INSERT INTO t VALUES (1, 'abc', 1.005, '2020-01-02', '{\"x\":1}', 't'), ('2', 22, '3.5', getdate(), json_parse('[1]'), 0)")
    assert _all(target) == [
        (1, "abc", Decimal("1.01"), datetime(2020, 1, 2), '"{\\"x\\":1}"', True),  # noqa: DTZ001
        (2, "22", Decimal("3.50"), datetime(2026, 1, 2, 3, 4, 5), "[1]", False),  # noqa: DTZ001
    ]


def test_fewer_values_fill_the_first_columns_and_the_rest_is_null(target: Any) -> None:
    target.run("INSERT INTO t VALUES (1, 'x'), (2, DEFAULT)")
    target.run("INSERT INTO t (b, a) VALUES ('y', 3)")
    target.run("INSERT INTO t (a) SELECT 4")
    target.run("INSERT INTO t (a, b) SELECT 5, name FROM sales WHERE id IS NULL")
    assert [row[:2] for row in _all(target)] == [(1, "x"), (2, None), (3, "y"), (4, None), (5, None)]


def test_only_blanks_may_be_cut_from_a_string(target: Any) -> None:
    target.run("INSERT INTO t (a, b) VALUES (1, 'abc       ')")
    target.run("INSERT INTO t (a, b) VALUES (2, 'abcdefgh'::varchar(5))")
    assert [row[1] for row in _all(target)] == ["abc  ", "abcde"]
    assert target.failure("INSERT INTO t (a, b) SELECT 3, repeat('é', 3)").message == "value too long for type character varying(5)"
    assert target.failure("INSERT INTO t (b) VALUES ('abcdef')").sqlstate == "22001"


def test_a_column_that_is_short_enough_is_not_checked(target: Any) -> None:
    sql = target.lowered("INSERT INTO t (b) SELECT name::varchar(5) FROM sales").sql
    assert "fit_text" not in sql
    assert "fit_text" in target.lowered("INSERT INTO t (b) SELECT name FROM sales").sql


def test_insert_from_queries(target: Any) -> None:
    target.run("INSERT INTO t (a, b, d) SELECT id, name, at FROM sales WHERE id IS NOT NULL")
    target.run("INSERT INTO t (a) WITH q AS (SELECT 50 AS n UNION ALL SELECT 60) SELECT n FROM q")
    target.run("INSERT INTO t SELECT * FROM t WHERE a = 1")
    assert [row[0] for row in _all(target)] == [1, 1, 7, 50, 60]
    lowered = target.lowered("INSERT INTO t (a) SELECT id FROM sales")
    assert (lowered.reads, lowered.writes, lowered.columns) == (frozenset({("public", "sales")}), frozenset({("public", "t")}), ())


def test_update_with_expressions_defaults_and_other_tables(target: Any) -> None:
    target.run("INSERT INTO t (a, b, s) VALUES (1, 'x', json_parse('{\"n\":5}')), (7, 'y', NULL)")
    target.run("UPDATE t SET b = upper(b), c = a * 2, d = getdate() WHERE a = 1")
    target.run("UPDATE t x SET c = s.price, b = DEFAULT FROM sales s WHERE s.id = x.a AND s.id = 7")
    assert [row[:3] for row in _all(target)] == [(1, "X", Decimal("2.00")), (7, None, Decimal("10.25"))]
    target.run("UPDATE t SET a = t.s.n::int WHERE t.s.n = 5")
    target.run("WITH q AS (SELECT 7 AS k) UPDATE t SET b = 'q' FROM q WHERE t.a = q.k")
    assert [row[:2] for row in _all(target)] == [(5, "X"), (7, "q")]


def test_delete_with_and_without_from_and_with_using(target: Any) -> None:
    target.run("INSERT INTO t (a) VALUES (1), (2), (7), (9)")
    target.run("DELETE t WHERE a = 9")
    target.run("DELETE FROM t USING sales s WHERE s.id = t.a AND s.id = 7")
    target.run("DELETE FROM public.t WHERE a IN (SELECT id FROM sales)")
    assert [row[0] for row in _all(target)] == [2]
    target.run("DELETE FROM t")
    assert _all(target) == []


def test_merge_updates_inserts_and_deletes(target: Any) -> None:
    target.run("INSERT INTO t (a, b) VALUES (1, 'old'), (2, 'kept')")
    matched = "WHEN MATCHED THEN UPDATE SET b = s.name, c = s.price"
    missing = "WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.id, s.name)"
    target.run(f"MERGE INTO t USING sales s ON t.a = s.id {matched} {missing}")
    assert [row[:3] for row in _all(target)] == [(1, "x", Decimal("1.50")), (2, "kept", None), (7, "yy", None), (None, None, None)]
    target.run(f"MERGE INTO t USING (SELECT id, name FROM sales) s ON t.a = s.id WHEN MATCHED THEN DELETE {missing}")
    assert [row[0] for row in _all(target)] == [2, None, None]


def test_a_load_of_latest_values_runs_as_written(target: Any) -> None:
    """The shape of a fact load: rank, stage, delete, insert, note."""
    target.table("changes", "k varchar(20); amount int; kind varchar(10); at timestamp")
    target.table("audit", "job varchar(20); started timestamp; status varchar(10)")
    target.run("INSERT INTO audit VALUES ('load', current_timestamp, 'Ready')")
    target.run("""INSERT INTO changes VALUES ('p', 1, 'INSERT', '2025-01-01'), ('p', NULL, 'MODIFY', '2025-01-03'),
                  ('p', 2, 'MODIFY', '2025-01-02'), ('q', 5, 'REMOVE', '2025-01-01'), ('r', 6, 'INSERT', '2025-01-05')""")
    target.run("UPDATE audit SET status = 'Running', started = getdate() WHERE job = 'load'")
    stage = """
      SELECT m.k, min(CASE WHEN m.r = 1 THEN m.amount END) amount FROM (
        SELECT *, rank() OVER (PARTITION BY k ORDER BY CASE WHEN c.amount IS NOT NULL THEN 1 END, at DESC) r FROM changes c
        WHERE upper(c.kind) <> 'REMOVE' AND c.at > (SELECT min(a.started) - interval '2 years' FROM audit a WHERE a.job = 'load')) m
      GROUP BY m.k ORDER BY m.k"""
    assert target.run(stage) == [("p", 2), ("r", 6)]
    target.run(f"INSERT INTO t (b, a) {stage}")
    target.run("DELETE FROM t WHERE b IN (SELECT c.k FROM changes c WHERE c.kind = 'REMOVE')")
    assert [row[:2] for row in _all(target)] == [(2, "p"), (6, "r")]


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        ("INSERT INTO t (a, zz) VALUES (1, 2)", "42703", 'column "zz" of relation "t" does not exist'),
        ("INSERT INTO t (a, a) VALUES (1, 2)", "42701", "column specified more than once"),
        ("INSERT INTO t (a, b) VALUES (1)", "42601", "INSERT has more target columns than expressions"),
        ("INSERT INTO t (a) VALUES (1, 2)", "42601", "INSERT has more expressions than target columns"),
        ("INSERT INTO t VALUES (1, 2), (3)", "42601", "VALUES lists must all be the same length"),
        ("INSERT INTO t (a) VALUES ('x')", "22P02", 'invalid input syntax for integer: "x"'),
        ("INSERT INTO t (a) SELECT name FROM sales", "42804", 'column "a" is of type integer but expression is of type character varying'),
        ("INSERT INTO t (d) SELECT id FROM sales", "42804", "is of type timestamp without time zone but expression is of type integer"),
        ("INSERT INTO t (a) VALUES ((SELECT 1), 2)", "42601", "INSERT has more expressions than target columns"),
        ("UPDATE t SET a = 1, a = 2", "42601", 'multiple assignments to same column "a"'),
        ("UPDATE t SET zz = 1", "42703", 'column "zz" of relation "t" does not exist'),
        ('UPDATE t SET b = "Running"', "42703", 'column "running" does not exist'),
        ("UPDATE t SET s.x = 1", "0A000", "a path or a qualified name cannot be assigned to"),
        ("DELETE FROM nothing", "42P01", 'relation "nothing" does not exist'),
        (
            "MERGE INTO t USING t ON t.a = t.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)",
            "0A000",
            "Source view/subquery",
        ),
        ("MERGE INTO t USING sales s ON t.a = s.id WHEN MATCHED THEN DELETE", "42601", "MERGE needs WHEN MATCHED and WHEN NOT MATCHED"),
        ("INSERT INTO t (a) VALUES (1) RETURNING a", "0A000", "RETURNING"),
        ("UPDATE t SET a = sum(a)", "42803", "aggregates not allowed in UPDATE"),
    ],
)
def test_refused(target: Any, text: str, sqlstate: str, message: str) -> None:
    error = target.refusal(text)
    assert (error.sqlstate, message in error.message) == (sqlstate, True), error.message


def test_views_take_no_rows(target: Any) -> None:
    from dataclasses import replace

    target.relations[("public", "seen")] = replace(target.relations[("public", "t")], name="seen", target=None)
    for text in ("INSERT INTO seen (a) VALUES (1)", "UPDATE seen SET a = 1", "DELETE FROM seen"):
        assert target.refusal(text).sqlstate == "42809"
