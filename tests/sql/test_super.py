"""SUPER values: how they are made, compared, ordered, grouped, computed with and taken apart."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

MIXED = """(SELECT json_parse('[3,"b",true,[1],{"x":1},null,10,2.5,"a",1.0,1]') AS s) t"""


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("json_parse('1') = json_parse('1.0')", True),
        ("json_parse('1') = json_parse('1.00')", True),
        ("json_parse('10') > json_parse('9')", True),
        ("json_parse('-2.5') < json_parse('10')", True),
        ("json_parse('12345678901234567.8') < json_parse('12345678901234567.9')", True),
        ("json_parse('12345678901234567890123') < json_parse('12345678901234567890124')", True),
        ("json_parse('\"a\"') = json_parse('1')", False),
        ("json_parse('\"a\"') <> json_parse('1')", True),
        ("json_parse('\"a\"') < json_parse('1')", None),
        ("json_parse('\"a\"') < json_parse('\"b\"')", True),
        ("json_parse('[1,2]') = json_parse('[1,2]')", True),
        ("json_parse('{\"a\":1}') = json_parse('{\"a\":2}')", False),
        ("json_parse('null') = json_parse('null')", None),
        ("json_parse('true') = TRUE", True),
        ("json_parse('3') BETWEEN 1 AND 5", True),
        ("json_parse('3') IN (1, 3)", True),
        ("json_parse('\"x\"') IN ('x', 'y')", True),
        ("json_parse('1') + json_parse('2.5')", "3.5"),
        ("json_parse('\"a\"') + json_parse('\"b\"')", '"ab"'),
        ("json_parse('\"a\"') + 1", None),
        ("json_parse('7') / 2", "3"),
        ("json_parse('7') / 2.0", "3.5"),
        ("json_parse('3') * 1.5", "4.5"),
        ("json_parse('7') % 4", "3"),
        ("json_parse('3') - 0.5", "2.5"),
        ("- json_parse('3')", "-3"),
        ("abs(json_parse('-2.5'))", "2.5"),
        ("floor(json_parse('-2.5'))", "-3"),
        ("round(json_parse('\"x\"'))", None),
        ("json_parse('5')::bool", True),
        ("json_parse('5.0')::bool", None),
        ("json_parse('\"abc\"')::int", None),
        ("json_parse('2.5')::int", 3),
        ("json_parse('99999999999')::int", None),
        ("json_parse('12345678901234567890123456789012345678')::decimal(38,0)", Decimal("12345678901234567890123456789012345678")),
        ("json_parse('\"0.12345678901234567890123456789012345678\"')::decimal(38,37)", Decimal("0.1234567890123456789012345678901234568")),
        ("json_parse('true')::varchar", "true"),
        ("json_parse('1.50')::varchar", "1.50"),
        ("json_parse('50.00')", "50.00"),
        ("json_parse('[\"x 1.5,\",2.0]')", '["x 1.5,",2.0]'),
        ("json_extract_path_text('{\"a\":{\"b\":50.00}}', 'a', 'b')", "50.00"),
        ("json_parse('[1.50]') = array(1.50)", True),
        ("json_size(json_parse('{\"a\":1.50}'))", 10),
        ("array_concat(json_parse('[1.50]'), array(2.50))", "[1.50,2.50]"),
        ("json_parse('[1]')::varchar", None),
        ("json_parse('\"[1]\"')::varchar", "[1]"),
        ("json_parse('\"a\\\\u0041\\\\n\"')::varchar", "aA\n"),
        ("json_parse('\"éé\"')::varchar(3)", "é"),
        ("json_parse('\"2022-01-02\"')::date", date(2022, 1, 2)),
        ("json_parse('null')::int", None),
        ("TRY_CAST(json_parse('\"x\"') AS int)", None),
        ("1.50::super", "1.50"),
        ("-0.5::super", "-0.5"),
        ("0.5::varchar", "0.5"),
        ("'a\"b'::super", '"a\\"b"'),
        ("TRUE::super", "true"),
        ("NULL::super", None),
        ("coalesce(json_parse('null'), 3)", "3"),
        ("nvl2(json_parse('null'), 1, 2)", 2),
        ("CASE WHEN json_parse('true') THEN 1 ELSE 2 END", 1),
        ("CASE WHEN json_parse('1') THEN 1 ELSE 2 END", 2),
        ("json_parse(NULL)", None),
        ("json_parse('{\"b\": 1, \"a\" : [ 1 , 2 ]}')", '{"b":1,"a":[1,2]}'),
        ("array(1, 'a', TRUE, NULL, 2.50)", '[1,"a",true,null,2.50]'),
        ("object('a', 1, 'b', array(1, 2))", '{"a":1,"b":[1,2]}'),
        ("array()", "[]"),
        ("object()", "{}"),
        ("array_concat(array(1), array(2, 3))", "[1,2,3]"),
        ("array_concat(array(1), json_parse('2'))", None),
        ("array_flatten(array(1, array(2, array(3))))", "[1,2,3]"),
        ("get_array_length(array(1, 2))", 2),
        ("get_array_length(object())", None),
        ("split_to_array('a,b')", '["a","b"]'),
        ("split_to_array('a|b', '|')", '["a","b"]'),
        ("subarray(array('a', 'b', 'c'), 1, 2)", '["b","c"]'),
        ("subarray(array('a', 'b', 'c'), -2, 2)", '["b","c"]'),
        ("json_serialize(array(1, 'x'))", '[1,"x"]'),
        ("json_size(array(1, 2))", 5),
        ("json_serialize_to_varbyte(array(1))", b"[1]"),
    ],
)
def test_values(desk: Any, expression: str, value: Any) -> None:
    assert desk.value(expression) == value


@pytest.mark.parametrize(
    ("document", "kind", "true_for"),
    [
        ("1", "number", "scalar smallint integer bigint decimal"),
        ("70000", "number", "scalar integer bigint decimal"),
        ("5000000000", "number", "scalar bigint decimal"),
        ("12345678901234567890", "number", "scalar decimal"),
        ("1.5", "number", "scalar decimal"),
        ("1.0", "number", "scalar decimal"),
        ("true", "boolean", "scalar boolean"),
        ('"ab"', "string", "scalar varchar char"),
        ('"é"', "string", "scalar varchar"),
        ("[]", "array", "array"),
        ("{}", "object", "object"),
        ("null", "null", ""),
    ],
)
def test_kinds(desk: Any, document: str, kind: str, true_for: str) -> None:
    assert desk.value(f"json_typeof(json_parse('{document}'))") == kind
    names = ("array", "object", "scalar", "boolean", "varchar", "char", "smallint", "integer", "bigint", "decimal", "float")
    found = [name for name in names if desk.value(f"is_{name}(json_parse('{document}'))")]
    assert sorted(found) == sorted(true_for.split())


def test_order_by_goes_by_kind_then_value(desk: Any) -> None:
    values = [row[0] for row in desk.run(f"SELECT v FROM {MIXED}, t.s v ORDER BY v")]
    assert values[0] == "true"
    assert [float(one) for one in values[1:6]] == [1.0, 1.0, 2.5, 3.0, 10.0]
    assert values[6:] == ['"a"', '"b"', "[1]", '{"x":1}', None] or values[6:] == ['"a"', '"b"', "[1]", '{"x":1}', "null"]
    assert desk.run(f"SELECT max(v), min(v) FROM {MIXED}, t.s v") == [('{"x":1}', "true")]


def test_grouping_distinct_and_joins_go_by_value(desk: Any) -> None:
    doc = """(SELECT json_parse('[1,1.0,"a","a",{"b":1},{"b":1},null]') AS s) t"""
    assert desk.run(f"SELECT v, count(*) FROM {doc}, t.s v GROUP BY v ORDER BY v") == [("1", 2), ('"a"', 2), ('{"b":1}', 2), (None, 1)]
    assert desk.run(f"SELECT DISTINCT v FROM {doc}, t.s v ORDER BY 1") == [("1",), ('"a"',), ('{"b":1}',), (None,)]
    assert desk.run(f"SELECT count(v), count(DISTINCT v) FROM {doc}, t.s v") == [(6, 3)]
    assert desk.run(f"SELECT v FROM {doc}, t.s v UNION SELECT json_parse('1') ORDER BY 1 LIMIT 1") == [("1",)]
    assert desk.run(f"SELECT k FROM {doc} , t.s v JOIN (SELECT 1 AS k) x ON x.k = v") == [(1,), (1,)]
    assert desk.run(f"SELECT sum(v), avg(v) FROM {doc}, t.s v") == [("2", "1")]


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"a":1}', True), ("[1]", True), ("1", True), ('"x"', True), ("null", True), ("", False), ("x", False), ('{"a":1,}', False),
        ("[1, ]", False), ("NaN", False), ('{"a":NaN}', False), ("-Infinity", False), ('{"a":"x,]"}', True), ('{"a":"NaN"}', True),
        ('{"a":"\\\\"x,]"}', True), ('{"inf":1}', True), ("{'a':1}", False), ('{"a":1,"a":2}', False), ("[1] [2]", False), ("// x", False),
    ],
)  # fmt: skip
def test_what_is_json(desk: Any, text: str, valid: bool) -> None:
    quoted = text.replace("'", "''")
    assert desk.value(f"can_json_parse('{quoted}')") is valid
    if not valid:
        assert desk.failure(f"SELECT json_parse('{quoted}')").sqlstate == "22P02"


def test_parsing_obeys_its_settings(desk: Any) -> None:
    desk.settings["parse_super_null_on_error"] = "on"
    assert desk.value("json_parse('x')") is None
    desk.settings["json_parse_dedup_attributes"] = "on"
    assert desk.value("""json_parse('{"a":1,"a":2}')""") == '{"a":2}'
    desk.settings["parse_super_null_on_error"] = "off"
    assert desk.value("""json_parse('{"a":1,"a":2}')""") == '{"a":2}'


def test_bytes_are_parsed_as_text(desk: Any) -> None:
    desk.table("raw", "id int; kinesis_data varbyte")
    desk.connection.execute("INSERT INTO raw VALUES (1, '{\"a\":1}'::BLOB), (2, '\\xFF'::BLOB), (3, 'x'::BLOB), (4, NULL)")
    assert desk.run("SELECT id, is_utf8(kinesis_data), can_json_parse(kinesis_data) FROM raw ORDER BY id") == [
        (1, True, True), (2, False, False), (3, True, False), (4, None, None),
    ]  # fmt: skip
    assert desk.run("SELECT json_parse(kinesis_data) FROM raw WHERE can_json_parse(kinesis_data)") == [('{"a":1}',)]
    assert desk.failure("SELECT json_parse(kinesis_data) FROM raw WHERE id = 2").sqlstate == "22021"
    assert desk.run("SELECT from_varbyte(kinesis_data, 'utf-8'), from_varbyte(kinesis_data, 'hex') FROM raw WHERE id = 3") == [("x", "78")]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("""json_extract_path_text('{"f2":{"f3":1},"f4":{"f5":99,"f6":"star"}}', 'f4', 'f6')""", "star"),
        ("""json_extract_path_text('{"a":1}', 'b')""", None),
        ("""json_extract_path_text('{"a/b":{"c~d":5}}', 'a/b', 'c~d')""", "5"),
        ("json_extract_path_text('x', 'b', TRUE)", None),
        ("json_extract_array_element_text('[111,112,113]', 2)", "113"),
        ("json_extract_array_element_text('[111]', 5)", None),
        ("json_array_length('[1,2]')", 2),
        ("is_valid_json('{\"a\":1}')", True),
        ("is_valid_json('[1]')", False),
        ("is_valid_json_array('[1]')", True),
    ],
)
def test_json_text(desk: Any, expression: str, value: Any) -> None:
    assert desk.value(expression) == value


def test_json_text_that_is_none_is_an_error(desk: Any) -> None:
    assert desk.failure("SELECT json_extract_path_text('x', 'b')").sqlstate == "22P02"
    assert desk.failure("SELECT json_array_length('{}')").sqlstate == "22P02"
    assert desk.refusal("SELECT array(getdate())").sqlstate == "42846"
    assert desk.refusal("SELECT object('a', current_date)").message == "OBJECT could not convert type date to super"
    assert desk.refusal("SELECT is_array('x'::varchar)").sqlstate == "42883"
    assert desk.refusal("SELECT array_contains(1, 1)").sqlstate == "42883"


def test_fractions_stay_exact_on_every_road(desk: Any) -> None:
    document = '{"a":50.00,"l":[0.10,{"x":-1.200}],"o":{"p":12345678901234567890.123456789012345678}}'
    source = f"(SELECT json_parse('{document}') AS s) t"
    assert desk.run(f"SELECT t.s.a, t.s.l[1].x, t.s.o, t.s.o.p::decimal(38,18) FROM {source}") == [
        ("50.00", "-1.200", '{"p":12345678901234567890.123456789012345678}', Decimal("12345678901234567890.123456789012345678"))
    ]
    assert desk.run(f"SELECT e, e.x FROM {source}, t.s.l e") == [("0.10", None), ('{"x":-1.200}', "-1.200")]
    assert desk.run(f"SELECT k, v FROM {source}, UNPIVOT t.s AS v AT k WHERE k = 'a'") == [("a", "50.00")]
    assert desk.run(f"SELECT x.s.o.p FROM (SELECT DISTINCT s FROM {source}) x") == [("12345678901234567890.123456789012345678",)]
    desk.settings["json_parse_dedup_attributes"] = "on"
    assert desk.value("json_parse('{\"a\":1.50,\"a\":2.50}')") == '{"a":2.50}'


@pytest.mark.parametrize(
    ("text", "sqlstate"),
    [
        ("[" * 1000 + "]" * 1000, None),
        ("[" * 1001 + "]" * 1001, "54001"),
        ('{"a":' * 1001 + "1" + "}" * 1001, "54001"),
        ("[" + ",".join(["[]"] * 2000) + "]", None),
        ('["' + "[" * 3000 + "]" * 3000 + '"]', None),
        ("[1," + " " * 17_000_000 + "1]", None),
        ('["' + "x" * 17_000_000 + '"]', "54000"),
    ],
)
def test_limits_of_super(desk: Any, text: str, sqlstate: str | None) -> None:
    desk.table("t", "a varchar(max)")
    desk.connection.execute("INSERT INTO t VALUES (?)", [text])
    assert desk.run("SELECT can_json_parse(a) FROM t") == [(sqlstate is None,)]
    if sqlstate is not None:
        assert desk.failure("SELECT json_parse(a) FROM t").sqlstate == sqlstate
        desk.settings["parse_super_null_on_error"] = "on"
    assert desk.run("SELECT json_parse(a) IS NULL FROM t") == [(sqlstate is not None,)]
    desk.settings["json_parse_dedup_attributes"] = "on"
    assert desk.run("SELECT json_parse(a) IS NULL FROM t") == [(sqlstate is not None,)]


def test_constructors_may_nest_deeply(desk: Any) -> None:
    depth = 60
    text = "array(1.50, " * depth + "null" + ")" * depth
    assert desk.value(text) == "[1.50," * depth + "null" + "]" * depth
    pairs = "object('a', " * depth + "2.50" + ")" * depth
    assert desk.value(pairs) == '{"a":' * depth + "2.50" + "}" * depth
