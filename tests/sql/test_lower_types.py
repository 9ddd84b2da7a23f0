"""Types and values where Redshift and DuckDB differ: arithmetic, casts, comparisons, the order of NULL."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("7 / 2", "integer", 3),
        ("-7 / 2", "integer", -3),
        ("7 % -2", "integer", 1),
        ("1::smallint + 1::smallint", "smallint", 2),
        ("1::smallint + 1", "integer", 2),
        ("3000000000", "bigint", 3000000000),
        ("10000000000000000000000", "numeric(23,0)", Decimal(10**22)),
        ("1.50 * 2.5", "numeric(6,3)", Decimal("3.750")),
        ("1::decimal(8,2) / 3::smallint", "numeric(14,8)", Decimal("0.33333333")),
        ("2::decimal(8,2) / 3::smallint", "numeric(14,8)", Decimal("0.66666666")),
        ("-2::decimal(8,2) / 3::smallint", "numeric(14,8)", Decimal("-0.66666666")),
        ("1::decimal(5,0) + 0.25", "numeric(8,2)", Decimal("1.25")),
        ("1::decimal(38,10) * 1::decimal(38,10)", "numeric(38,4)", Decimal("1.0000")),
        ("1 + 1::float4", "double precision", 2.0),
        ("5.5 % 2", "numeric(12,1)", Decimal("1.5")),
        ("'5' + 3", "integer", 8),
        ("date '2020-01-05' - date '2020-01-01'", "bigint", 4),
        ("date '2020-01-05' + 1", "date", date(2020, 1, 6)),
        ("timestamp '2020-01-05' + interval '1 day'", "timestamp without time zone", datetime(2020, 1, 6)),  # noqa: DTZ001
        ("2 ^ 3", "double precision", 8.0),
        ("6 & 3", "integer", 2),
        ("CASE WHEN TRUE THEN 1 ELSE 2.5 END", "numeric(11,1)", Decimal("1.0")),
        ("coalesce(NULL, 3::smallint, 4)", "integer", 3),
        ("coalesce(NULL, 'abc', 'de')", "character varying(3)", "abc"),
        ("nullif(5, 5)", "integer", None),
        ("'a' || 'bc'", "character varying(3)", "abc"),
        ("'a' || NULL || 'b'", "character varying", None),
        ("1 IN (1, 2.5)", "boolean", True),
        ("'x'", "character varying(1)", "x"),
        ("NULL", "character varying", None),
        ("TRUE", "boolean", True),
    ],
)
def test_expressions(desk: Any, expression: str, kind: str, value: Any) -> None:
    assert str(desk.type_of(expression)) == kind
    assert desk.value(expression) == value


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("'abcdef'::varchar(3)", "character varying(3)", "abc"),
        ("'aéé'::varchar(4)", "character varying(4)", "aé"),
        ("'日本'::varchar(5)", "character varying(5)", "日"),
        ("12345::varchar(3)", "character varying(3)", "123"),
        ("'ab  '::char(4)", "character(4)", "ab"),
        ("repeat('x', 300)::varchar", "character varying(256)", "x" * 256),
        ("2.5::int", "integer", 3),
        ("(-2.5)::int", "integer", -3),
        ("1.5::numeric", "numeric(18,0)", Decimal(2)),
        ("' 12 '::int", "integer", 12),
        ("'t'::bool", "boolean", True),
        ("0::bool", "boolean", False),
        ("TRUE::int", "integer", 1),
        ("1.0::float8::varchar", "character varying(256)", "1"),
        ("CONVERT(varchar(2), 'abc')", "character varying(2)", "ab"),
        ("TRY_CAST('x' AS int)", "integer", None),
        ("TRY_CAST('1' || 'x' AS int)", "integer", None),
        ("('1' || '2')::int", "integer", 12),
        ("'2020-01-01'::timestamp::date", "date", date(2020, 1, 1)),
        ("CAST('1.005' AS decimal(5,2))", "numeric(5,2)", Decimal("1.01")),
        ("timestamp '2020-01-01 12:00:00'::varchar", "character varying(256)", "2020-01-01 12:00:00"),
        ("3::float", "double precision", 3.0),
        ("3::float(10)", "real", 3.0),
    ],
)
def test_casts(desk: Any, expression: str, kind: str, value: Any) -> None:
    assert str(desk.type_of(expression)) == kind
    assert desk.value(expression) == value


@pytest.mark.parametrize(
    ("expression", "sqlstate", "message"),
    [
        ("'abc'::int", "22P02", 'invalid input syntax for integer: "abc"'),
        ("'1.5'::int", "22P02", 'invalid input syntax for integer: "1.5"'),
        ("coalesce(NULL, 'text', 12)", "22P02", 'invalid input syntax for integer: "text"'),
        ("1.5::decimal(3,1)::boolean", "42846", "cannot cast type numeric to boolean"),
        ("getdate()::super", "42846", "cannot cast type timestamp without time zone to super"),
        ("TRUE + 1", "42883", "operator does not exist: boolean + integer"),
        ("CASE WHEN 1 = 1 THEN date '2020-01-01' ELSE TRUE END", "42804", "CASE types"),
        ("interval '1 day'::int", "42846", "cannot cast type interval to integer"),
        ("1::decimal(50,2)", "22023", "precision"),
        ("1::varchar(70000)", "22023", "length"),
    ],
)
def test_refused_expressions(desk: Any, expression: str, sqlstate: str, message: str) -> None:
    error = desk.refusal(f"SELECT {expression}")
    assert (error.sqlstate, message in error.message) == (sqlstate, True)


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        ("SELECT 1 / (id - 1) FROM sales", "22012", "division by zero"),
        ("SELECT 1.0::float / (id - 1) FROM sales", "22012", "division by zero"),
        ("SELECT 1.0 / (id - 1) FROM sales", "22012", "division by zero"),
        ("SELECT 1 % (id - 1) FROM sales", "22012", "division by zero"),
        ("SELECT name::int FROM sales", "22P02", 'invalid input syntax for integer: "x"'),
        ("SELECT name::decimal(5,2) FROM sales", "22P02", 'invalid input syntax for type numeric: "x"'),
        ("SELECT name::boolean FROM sales WHERE id = 1", "22P02", 'invalid input syntax for type boolean: "x"'),
        ("INSERT INTO sales (name) VALUES ('elevenchars')", "22001", "value too long for type character varying(10)"),
        ("UPDATE sales SET code = name || 'toolong'", "22001", "value too long for type character(4)"),
        ("SELECT json_parse('{\"a\":')", "22P02", "JSON parsing error"),
    ],
)
def test_errors_at_run_time_carry_their_sqlstate(desk: Any, text: str, sqlstate: str, message: str) -> None:
    error = desk.failure(text)
    assert (error.sqlstate, error.message) == (sqlstate, message)


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("sum(id)", "bigint", 8),
        ("sum(big)", "numeric(38,0)", Decimal(30)),
        ("sum(price)", "numeric(38,2)", Decimal("14.00")),
        ("avg(id)", "bigint", 4),
        ("avg(price)", "numeric(38,2)", Decimal("4.67")),
        ("avg(id::float)", "double precision", 4.0),
        ("count(*)", "bigint", 3),
        ("count(DISTINCT name)", "bigint", 2),
        ("max(price)", "numeric(8,2)", Decimal("10.25")),
        ("min(name)", "character varying(10)", "x"),
        ("median(price)", "numeric(8,2)", Decimal("2.25")),
        ("percentile_cont(0.5) WITHIN GROUP (ORDER BY id)", "double precision", 4.0),
        ("percentile_cont(0.25) WITHIN GROUP (ORDER BY id DESC)", "double precision", 5.5),
        ("listagg(name, ',') WITHIN GROUP (ORDER BY id DESC)", "character varying", "yy,x"),
        ("listagg(DISTINCT name) WITHIN GROUP (ORDER BY name)", "character varying", "xyy"),
        ("bool_or(id > 1)", "boolean", True),
        ("APPROXIMATE COUNT(DISTINCT id)", "bigint", 2),
        ("any_value(small)", "smallint", 1),
    ],
)
def test_aggregates(desk: Any, expression: str, kind: str, value: Any) -> None:
    assert str(desk.type_of(f"{expression} FROM sales")) == kind
    assert desk.run(f"SELECT {expression} FROM sales") == [(value,)]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("id = '1'", [1]), ("price = '1.50'", [1]), ("name = 1", []), ("at = '2020-01-31'", [1]), ("at < date '2020-02-01'", [1]),
        ("id BETWEEN '1' AND 6.5", [1]), ("id IN (1, '7')", [1, 7]), ("id NOT IN (1)", [7]), ("name LIKE 'x%'", [1]),
        ("name NOT LIKE 'x%'", [7]),
        ("name ILIKE 'Y%'", [7]), ("name ~ '^y'", [7]), ("name !~* '^Y'", [1]), ("name SIMILAR TO '(x|z)'", [1]),
        ("id IS NULL OR id = 7", [7, None]),
        ("NOT id = 7", [1]), ("(id > 5) IS NOT TRUE", [1, None]), ("id = ANY (SELECT 7)", [7]), ("id <> ALL (SELECT 7)", [1]),
        ("(id, name) IN (SELECT 1, 'x')", [1]), ("(id, name) = (1, 'x')", [1]),
        ("EXISTS (SELECT 1 FROM sales)", [1, 7, None]), ("id", [1, 7]),
        ("code = 'ab'", [1]), ("'a%b' LIKE 'a!%b' ESCAPE '!' AND id = 1", [1]), ("'axb' LIKE 'a\\\\_b'", []),
    ],
)  # fmt: skip
def test_conditions(desk: Any, condition: str, found: list[int | None]) -> None:
    assert [row[0] for row in desk.run(f"SELECT id FROM sales WHERE {condition} ORDER BY id")] == found


def test_null_is_the_largest_value(desk: Any) -> None:
    assert [row[0] for row in desk.run("SELECT id FROM sales ORDER BY id")] == [1, 7, None]
    assert [row[0] for row in desk.run("SELECT id FROM sales ORDER BY id DESC")] == [None, 7, 1]
    assert [row[0] for row in desk.run("SELECT id FROM sales ORDER BY id DESC NULLS LAST")] == [7, 1, None]
    assert desk.run("SELECT id, row_number() OVER (ORDER BY id DESC) FROM sales ORDER BY 2") == [(None, 1), (7, 2), (1, 3)]
    assert [row[0] for row in desk.run("SELECT TOP 1 id FROM sales ORDER BY id DESC")] == [None]


def test_set_operators_unify_types_and_know_minus(desk: Any) -> None:
    assert desk.run("SELECT id FROM sales UNION SELECT 2.5 ORDER BY 1 LIMIT 2") == [(Decimal("1.0"),), (Decimal("2.5"),)]
    assert desk.run("SELECT id FROM sales MINUS SELECT 1 ORDER BY id") == [(7,), (None,)]
    assert desk.run("SELECT 1 AS a UNION ALL SELECT 2 INTERSECT SELECT 2") == [(1,), (2,)]
    assert desk.refusal("SELECT 1 EXCEPT ALL SELECT 2").sqlstate == "0A000"
    assert desk.refusal("SELECT 1, 2 UNION SELECT 1").sqlstate == "42601"
    assert desk.refusal("SELECT 1 UNION SELECT date '2020-01-01'").sqlstate == "42804"


def test_the_old_outer_join_keeps_rows(desk: Any) -> None:
    text = "SELECT a.id, b.id FROM sales a, sales b WHERE a.id + 6 = b.id(+) AND a.id IS NOT NULL ORDER BY 1"
    assert desk.run(text) == [(1, 7), (7, None)]


def test_grouping_by_ordinal_alias_expression_and_sets(desk: Any) -> None:
    desk.connection.execute("INSERT INTO sales (id, name) VALUES (1, 'y')")
    assert desk.run("SELECT id, count(*) FROM sales GROUP BY 1 ORDER BY 1") == [(1, 2), (7, 1), (None, 1)]
    assert desk.run("SELECT id / 2 AS half, count(*) FROM sales GROUP BY half ORDER BY 1") == [(0, 2), (3, 1), (None, 1)]
    assert desk.run("SELECT id % 2, count(*) FROM sales GROUP BY id % 2 HAVING count(*) > 1") == [(1, 3)]
    assert desk.run("SELECT id, name, count(*) FROM sales GROUP BY ALL ORDER BY 1, 2 LIMIT 1") == [(1, "x", 1)]
    assert desk.run("SELECT id, count(*), grouping(id) FROM sales GROUP BY ROLLUP (id) ORDER BY 3 DESC, 1 LIMIT 1") == [(None, 4, 1)]
    assert len(desk.run("SELECT id, name, sum(big) FROM sales GROUP BY GROUPING SETS ((id), (name), ())")) == 8
    assert len(desk.run("SELECT id, name, sum(big) FROM sales GROUP BY CUBE (id, name)")) == 12


def test_window_functions(desk: Any) -> None:
    text = """SELECT id, lag(id) OVER (ORDER BY id), sum(id) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING),
       last_value(name IGNORE NULLS) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING),
       ratio_to_report(id) OVER (), ntile(2) OVER (ORDER BY id), avg(id) OVER (PARTITION BY 1)
       FROM sales ORDER BY id"""
    assert desk.run(text) == [(1, None, 1, "yy", 0.125, 1, 4), (7, 1, 8, "yy", 0.875, 1, 4), (None, 7, 8, "yy", None, 2, 4)]
    assert desk.run("SELECT id FROM sales s QUALIFY row_number() OVER (ORDER BY id DESC NULLS LAST) = 1") == [(7,)]
    assert desk.run("SELECT id, rank() OVER (ORDER BY id) AS r FROM sales s QUALIFY r = 2") == [(7, 2)]
    assert desk.refusal("SELECT sum(id) OVER (ORDER BY id) FROM sales").sqlstate == "42P20"
    assert desk.refusal("SELECT first_value(id) OVER (ORDER BY id) FROM sales").sqlstate == "42P20"
    assert desk.refusal("SELECT rank() FROM sales").sqlstate == "42809"
    assert desk.refusal("SELECT sum(DISTINCT id) OVER () FROM sales").sqlstate == "0A000"
    assert desk.refusal("SELECT sum(id) OVER (ORDER BY id RANGE UNBOUNDED PRECEDING) FROM sales").sqlstate == "0A000"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('x')", "SELECT read_text('x')", "SELECT DISTINCT ON (id) id FROM sales", "SELECT id INTO x FROM sales",
        "SELECT id FROM sales FOR UPDATE", "SELECT id FROM sales TABLESAMPLE (10 ROWS)", "SELECT array_agg(id) FROM sales",
        "SELECT count(*) FILTER (WHERE id > 1) FROM sales", "SELECT id FROM sales FETCH FIRST 1 ROW ONLY", "SELECT [1, 2]",
        "SELECT id IS DISTINCT FROM 1 FROM sales", "SELECT * FROM (VALUES (1)) v", "PRAGMA version", "COPY sales TO 'x'",
        "INSTALL httpfs", "ATTACH 'x'", "SELECT * FROM sales PIVOT (median(id) FOR name IN ('x'))", "SELECT id -> 'x' FROM sales",
        "SELECT $$x$$", "EXPLAIN SELECT 1", "SELECT getvariable('x')", "SELECT id FROM sales WINDOW w AS ()",
        "INSERT INTO sales VALUES (1) RETURNING id", "INSERT INTO sales VALUES (1) ON CONFLICT DO NOTHING",
        "SELECT id FROM sales ORDER BY ALL", "SELECT COLUMNS(*) FROM sales", "FROM sales", "SELECT id FROM 'file.csv'",
        "SELECT * FROM sales, LATERAL (SELECT 1) x", "SELECT CAST(id AS varchar FORMAT 'x') FROM sales",
        "SELECT id FROM sales USING SAMPLE 5",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(desk: Any, text: str) -> None:
    desk.refusal(text)
