"""Navigation into SUPER and unnesting in FROM, on records shaped as DynamoDB changes are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from nearshift.sql.lower import analyse
from nearshift.sql.relations import NameRules

DEFAULT = NameRules()
IDENTIFIER = NameRules(case_sensitive_identifier=True)
ATTRIBUTE = NameRules(case_sensitive_super_attribute=True)
BOTH = NameRules(case_sensitive_identifier=True, case_sensitive_super_attribute=True)
KEYS = {"pk": {"S": "CUSTOMER#C1"}, "sk": {"S": "ORDER#1"}}
LINES = {"L": [{"M": {"sk": {"S": "LINE#1"}}}, {"M": {"sk": {"S": "LINE#2"}}}]}
WITH_LINES = {
    "eventName": "INSERT", "userIdentity": None,
    "dynamodb": {
        "Keys": KEYS, "SizeBytes": 694,
        "NewImage": {
            "Amount": {"N": 1000}, "Share": {"N": "50.00"}, "Provider": {"S": "PV-1"}, "Lines": LINES,
            "done": {"S": "2022-07-08T23:59:59Z"},
        },
    },
}  # fmt: skip
WITHOUT = {"eventName": "MODIFY", "dynamodb": {"Keys": KEYS, "NewImage": {"Amount": {"N": "1000"}, "Share": {"N": 50.00}}}}
IMAGE = 'payload."dynamodb"."NewImage"'
LINES_PATH = f'v.{IMAGE}."Lines"."L"'


@pytest.fixture
def stream(desk: Any) -> Any:
    """The desk with a table of two records, one with lines and one without."""
    desk.table("v", "id int; payload super")
    for number, record in enumerate((WITH_LINES, WITHOUT), 1):
        desk.connection.execute("INSERT INTO v VALUES (?, ?)", [number, json.dumps(record, separators=(",", ":"))])
    return desk


@pytest.mark.parametrize(
    ("rules", "path", "value"),
    [
        (DEFAULT, 'payload.dynamodb."NewImage"', None),
        (DEFAULT, 'payload."dynamodb"."NewImage"."Provider"."S"::varchar', None),
        (IDENTIFIER, f'{IMAGE}."Provider"."S"::varchar', "PV-1"),
        (IDENTIFIER, "payload.dynamodb.NewImage", None),
        (ATTRIBUTE, "payload.dynamodb.NewImage.Provider.S::varchar", "PV-1"),
        (ATTRIBUTE, f'{IMAGE}."Provider"."S"::varchar', "PV-1"),
        (BOTH, f'{IMAGE}."Provider"."S"::varchar', "PV-1"),
        (BOTH, "payload.dynamodb.newimage", None),
        (IDENTIFIER, f'{IMAGE}."Amount"."N"::int', 1000),
        (IDENTIFIER, f'{IMAGE}."Share"."N"::decimal(5,2)', Decimal("50.00")),
        (IDENTIFIER, 'payload."dynamodb"."Keys"::varchar', None),
        (IDENTIFIER, 'json_serialize(payload."dynamodb"."Keys")', '{"pk":{"S":"CUSTOMER#C1"},"sk":{"S":"ORDER#1"}}'),
        (IDENTIFIER, "payload.\"eventName\" = 'INSERT'", True),
        (IDENTIFIER, "payload.\"dynamodb\".\"SizeBytes\" = '694'", False),
        (IDENTIFIER, "payload.\"dynamodb\".\"SizeBytes\" < '694'", None),
        (IDENTIFIER, 'payload."dynamodb"."SizeBytes" < 700', True),
        (IDENTIFIER, f'{IMAGE}."done"."S"::timestamptz', datetime(2022, 7, 8, 23, 59, 59, tzinfo=UTC)),
        (IDENTIFIER, f'{IMAGE}."Lines"."L"[1]."M"."sk"."S"::varchar', "LINE#2"),
        (IDENTIFIER, f'{IMAGE}."Lines"."L"[2]."M"', None),
        (IDENTIFIER, f'{IMAGE}."Lines"."L"."M"', None),
        (IDENTIFIER, f'{IMAGE}."Provider"[0]', None),
        (IDENTIFIER, 'payload."userIdentity" IS NULL', True),
        (IDENTIFIER, 'json_typeof(payload."userIdentity")', "null"),
        (IDENTIFIER, 'json_typeof(payload."nothing")', None),
        (IDENTIFIER, 'payload."nothing" IS NULL', True),
        (IDENTIFIER, 'v.payload."eventName"', '"INSERT"'),
        (IDENTIFIER, 'public.v.payload."eventName"::varchar(3)', "INS"),
        (IDENTIFIER, f'{IMAGE}."Provider"."S"::int', None),
        (IDENTIFIER, f'{IMAGE}."Share"."N"::varchar::decimal(5,1)', Decimal("50.0")),
    ],
)
def test_navigation(stream: Any, rules: NameRules, path: str, value: Any) -> None:
    assert stream.run(f"SELECT {path} FROM v WHERE id = 1", rules) == [(value,)]


def test_numbers_and_strings_of_digits_cast_alike(stream: Any) -> None:
    text = f'SELECT {IMAGE}."Amount"."N"::int, {IMAGE}."Share"."N"::decimal(5,2) FROM v ORDER BY id'
    assert stream.run(text, IDENTIFIER) == [(1000, Decimal("50.00"))] * 2


def test_all_paths_of_a_column_are_one_extraction(stream: Any) -> None:
    paths = ", ".join(f'{IMAGE}."{name}"."N"::int AS a{name}' for name in ("Amount", "Share", "x", "y", "z"))
    sql = stream.lowered(f'SELECT {paths} FROM v WHERE payload."eventName" = \'INSERT\' ORDER BY {IMAGE}."Amount"', IDENTIFIER).sql
    assert sql.count("super_paths(") == 1


LEFT_JOIN = f"LEFT JOIN {LINES_PATH} b ON true"


@pytest.mark.parametrize(
    ("tail", "rows"),
    [
        (LEFT_JOIN, [(1, "LINE#1"), (1, "LINE#2"), (2, None)]),
        (f"LEFT OUTER JOIN {LINES_PATH} AS b ON TRUE", [(1, "LINE#1"), (1, "LINE#2"), (2, None)]),
        (f", {LINES_PATH} b", [(1, "LINE#1"), (1, "LINE#2")]),
        (f", {LINES_PATH} AS b", [(1, "LINE#1"), (1, "LINE#2")]),
        (f"CROSS JOIN {LINES_PATH} b", [(1, "LINE#1"), (1, "LINE#2")]),
        (f"INNER JOIN {LINES_PATH} b ON b.\"M\".\"sk\".\"S\" = 'LINE#2'", [(1, "LINE#2")]),
        (f"LEFT JOIN {LINES_PATH} b ON b.\"M\".\"sk\".\"S\" = 'LINE#2'", [(1, "LINE#2"), (2, None)]),
        (f", UNNEST({LINES_PATH}) AS u(b)", [(1, "LINE#1"), (1, "LINE#2")]),
        (f", {LINES_PATH} b WHERE b.\"M\".\"sk\".\"S\"::varchar LIKE '%1'", [(1, "LINE#1")]),
    ],
)
def test_unnest(stream: Any, tail: str, rows: list[tuple[int, str | None]]) -> None:
    assert stream.run(f'SELECT v.id, b."M"."sk"."S"::varchar FROM v {tail} ORDER BY 1, 2', IDENTIFIER) == rows


def test_unnest_with_index_and_chained(desk: Any) -> None:
    text = '{"o":[{"x":1,"l":[10,20]},{"x":2,"l":[]},{"x":3}],"m":[[1,2],[3]],"e":{"a":1,"b":"z"}}'
    doc = f"(SELECT 1 AS id, json_parse('{text}') AS s) t"
    assert desk.run(f"SELECT a.x::int, i FROM {doc}, t.s.o AS a AT i ORDER BY i") == [(1, 0), (2, 1), (3, 2)]
    assert desk.run(f"SELECT a.x::int, l::int, j FROM {doc}, t.s.o a, a.l l AT j ORDER BY 2") == [(1, 10, 0), (1, 20, 1)]
    assert desk.run(f"SELECT a.x::int, l::int FROM {doc}, t.s.o a LEFT JOIN a.l l ON true ORDER BY 1, 2") == [
        (1, 10), (1, 20), (2, None), (3, None),
    ]  # fmt: skip
    assert desk.run(f"SELECT e::int FROM {doc}, t.s.m AS r, r AS e ORDER BY 1") == [(1,), (2,), (3,)]
    assert desk.run(f"SELECT a.x::int, b.x::int FROM {doc}, t.s.o a, t.s.o b WHERE a.x < b.x ORDER BY 1, 2") == [(1, 2), (1, 3), (2, 3)]
    assert desk.run(f"SELECT k, v FROM {doc}, UNPIVOT t.s.e AS v AT k ORDER BY k") == [("a", "1"), ("b", '"z"')]
    assert desk.run(f"SELECT e, o FROM {doc}, UNNEST(t.s.m) WITH OFFSET AS u(e, o) ORDER BY o") == [("[1,2]", 0), ("[3]", 1)]
    assert desk.run(f"SELECT l.x::int, offset_col FROM {doc}, UNNEST(t.s.o) WITH OFFSET AS l ORDER BY 2 LIMIT 1") == [(1, 0)]
    assert desk.run(f"SELECT * FROM {doc}, t.s.m[1] e AT i") == [(1, desk.run(f"SELECT s FROM {doc}")[0][0], "3", 0)]
    assert desk.run(f"SELECT e FROM {doc}, t.s.e.b e") == []


def test_unnest_in_subqueries_over_the_outer_row(desk: Any) -> None:
    doc = "(SELECT 1 AS id, json_parse('[1,2,3]') AS s UNION ALL SELECT 2, json_parse('[5]')) t"
    assert desk.run(f"SELECT id, (SELECT count(*) FROM t.s e WHERE e > 1) FROM {doc} ORDER BY 1") == [(1, 2), (2, 1)]
    assert desk.run(f"SELECT id FROM {doc} WHERE 2 IN (SELECT e FROM t.s e)") == [(1,)]
    assert desk.run(f"SELECT id FROM {doc} WHERE EXISTS (SELECT 1 FROM t.s e WHERE e = 5)") == [(2,)]
    assert desk.run(f"SELECT id FROM {doc} WHERE NOT EXISTS (SELECT 1 FROM t.s AS e AT i WHERE i = 1) ORDER BY 1") == [(2,)]


def test_unnest_beside_joins(stream: Any) -> None:
    stream.table("names", "id int; label varchar(5)")
    stream.connection.execute("INSERT INTO names VALUES (1, 'one'), (3, 'three')")
    text = f'SELECT n.label, b."M"."sk"."S"::varchar FROM v {LEFT_JOIN} LEFT JOIN names n ON n.id = v.id ORDER BY v.id, 2'
    assert stream.run(text, IDENTIFIER) == [("one", "LINE#1"), ("one", "LINE#2"), (None, None)]
    text = f'SELECT n.label, b."M"."sk"."S"::varchar FROM names n LEFT JOIN v ON n.id = v.id LEFT JOIN {LINES_PATH} b ON true ORDER BY 1, 2'
    assert stream.run(text, IDENTIFIER) == [("one", "LINE#1"), ("one", "LINE#2"), ("three", None)]
    text = f'SELECT n.label, b."M"."sk"."S"::varchar FROM names n LEFT JOIN v ON n.id = v.id, {LINES_PATH} b ORDER BY 1, 2'
    assert stream.run(text, IDENTIFIER) == [("one", "LINE#1"), ("one", "LINE#2")]
    assert stream.refusal(f"SELECT 1 FROM v, {LINES_PATH} b RIGHT JOIN names n ON n.id = v.id", IDENTIFIER).sqlstate == "0A000"
    assert stream.refusal(f"SELECT 1 FROM v RIGHT JOIN {LINES_PATH} b ON true", IDENTIFIER).sqlstate == "0A000"


@pytest.mark.parametrize(
    ("text", "sqlstate", "place"),
    [
        ("SELECT id.x FROM v", "42809", "x"),
        ("SELECT payload[id] FROM v", "0A000", "id"),
        ("SELECT payload['a'] FROM v", "0A000", "'a'"),
        ("SELECT json_parse('{}').a FROM v", "0A000", None),
        ("SELECT 1 FROM v, w.a.b.c.d x", "42P01", None),
        ("SELECT 1 FROM v, v.id x", "42809", None),
        ("SELECT json_parse('{}') AS j, j.a FROM v", "42809", "j"),
        ("UPDATE v SET payload.a = 1", "0A000", None),
        ("SELECT payload || 'x' FROM v", "42804", None),
        ("SELECT upper(payload.a) FROM v", "42804", None),
    ],
)
def test_refused_paths(stream: Any, text: str, sqlstate: str, place: str | None) -> None:
    error = stream.refusal(text)
    assert error.sqlstate == sqlstate
    if place is not None:
        assert text[error.span.start : error.span.end] == place


def test_keys_with_quotes_dots_and_stars_are_only_keys(desk: Any) -> None:
    record = json.dumps({'a"b': 1, "c.d": 2, "*": 3, "e[0]": 4, "f'g": 5, "h\\i": 6, "$": 7})
    desk.connection.execute("INSERT INTO sales (id, doc) VALUES (100, ?)", [record])
    paths = ", ".join(f'doc."{key}"::int' for key in ('a""b', "c.d", "*", "e[0]", "f'g", "h\\i", "$"))
    assert desk.run(f"SELECT {paths} FROM sales WHERE id = 100", IDENTIFIER) == [(1, 2, 3, 4, 5, 6, 7)]


def test_strict_casts_raise(stream: Any) -> None:
    stream.settings["cast_super_null_on_error"] = "off"
    assert stream.run(f'SELECT {IMAGE}."Amount"."N"::int FROM v WHERE id = 1', IDENTIFIER) == [(1000,)]
    assert "cannot cast SUPER value to integer" in str(_failure(stream, f'SELECT {IMAGE}."Provider"."S"::int FROM v'))


def test_strict_navigation_fails_where_a_step_is_missing(stream: Any) -> None:
    stream.settings["navigate_super_null_on_error"] = "off"
    provider = f'{IMAGE}."Provider"."S"::varchar'
    assert stream.run(f"SELECT {provider} FROM v WHERE id = 1", IDENTIFIER) == [("PV-1",)]
    assert 'there is no attribute "Provider"' in str(_failure(stream, f"SELECT {provider} FROM v"))
    assert 'there is no attribute "x"' in str(_failure(stream, 'SELECT payload."eventName"."x" FROM v'))
    assert "there is no element 2" in str(_failure(stream, f'SELECT {IMAGE}."Lines"."L"[2] FROM v WHERE id = 1'))
    assert "there is no element 0" in str(_failure(stream, 'SELECT payload."dynamodb"[0] FROM v'))
    assert stream.run("SELECT CASE WHEN id = 1 THEN " + provider + " END FROM v ORDER BY id", IDENTIFIER) == [("PV-1",), (None,)]
    # Below null there is nothing to miss, and NULL stays NULL.
    assert stream.run('SELECT payload."userIdentity"."type" FROM v WHERE id = 1', IDENTIFIER) in ([(None,)], [("null",)])
    assert stream.run("SELECT x.d.a FROM (SELECT CAST(NULL AS super) AS d) x", IDENTIFIER) == [(None,)]


def test_strict_navigation_unnests_groups_and_keeps_fractions(stream: Any) -> None:
    stream.settings["navigate_super_null_on_error"] = "off"
    lines = f'SELECT l."M"."sk"."S"::varchar, i FROM v, {LINES_PATH} AS l AT i WHERE v.id = 1 ORDER BY i'
    assert stream.run(lines, IDENTIFIER) == [("LINE#1", 0), ("LINE#2", 1)]
    assert 'there is no attribute "Lines"' in str(_failure(stream, f"SELECT id FROM v, {LINES_PATH} AS l"))
    grouped = 'SELECT payload."eventName", count(*) FROM v GROUP BY payload."eventName" ORDER BY payload."eventName"'
    assert stream.run(grouped, IDENTIFIER) == [('"INSERT"', 1), ('"MODIFY"', 1)]
    source = """(SELECT json_parse('{"a":{"b":[50.00,{"c":"é]"}]}}') AS s) t"""
    assert stream.run(f"SELECT t.s.a, t.s.a.b[0], t.s.a.b[1].c FROM {source}") == [('{"b":[50.00,{"c":"é]"}]}', "50.00", '"é]"')]


def _failure(stream: Any, text: str) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - DuckDB's class is not the matter, its text is
        stream.run(text, IDENTIFIER)
    return caught.value


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (f"SELECT id, payload.a::int, b FROM v LEFT JOIN {LINES_PATH} b ON true WHERE id > 1", ()),
        ("SELECT * FROM (SELECT id FROM v WHERE id > 1) x", ()),
        ("WITH q AS (SELECT id FROM v) SELECT id + 1 AS n FROM q", ()),
        ("SELECT a.id FROM v a JOIN v b ON a.id = b.id", ("it joins relations",)),
        ("SELECT a.id FROM v a LEFT JOIN v b ON a.id = b.id", ("it has an outer join", "it joins relations")),
        ("SELECT id, count(*) FROM v GROUP BY id", ("it aggregates or groups",)),
        ("SELECT DISTINCT id FROM v", ("it removes duplicates",)),
        ("SELECT row_number() OVER (ORDER BY id) FROM v", ("it has a window function",)),
        ("SELECT id FROM v UNION ALL SELECT id FROM v", ("it has a set operator", "it reads relations more than once")),
        ("SELECT id FROM v ORDER BY id LIMIT 1", ("it has ORDER BY", "it has LIMIT, OFFSET or TOP")),
        ("SELECT id FROM v WHERE id IN (SELECT 1)", ("it has a subquery in an expression",)),
        ("SELECT id FROM v WHERE getdate() > '2020-01-01'", ("it uses getdate",)),
        ("SELECT id, random() FROM v", ("it uses random",)),
        ("SELECT 1", ("it reads no relation",)),
    ],
)
def test_the_shape_tells_whether_a_delta_is_possible(stream: Any, text: str, reasons: tuple[str, ...]) -> None:
    shape = analyse(text, stream.context())
    assert shape.reasons == reasons
    assert shape.delta_base == (None if reasons else ("public", "v"))
