"""The table of functions: every row is well formed, and the values of the common ones are Redshift's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from nearshift.sql import functions_catalog
from nearshift.sql.functions import FUNCTIONS, REFUSALS, known_names
from nearshift.sql.functions_aggregate import AGGREGATES, WINDOWS


def stamp(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("len('abc  ')", "integer", 5),
        ("len('abc  '::char(5))", "integer", 3),
        ("octet_length('é')", "integer", 2),
        ("substring('abcdef', 0, 3)", "character varying(6)", "ab"),
        ("substring('abcdef', -1, 4)", "character varying(6)", "ab"),
        ("substring('abcdef', 3)", "character varying(6)", "cdef"),
        ("substring('abcdef', 10, 2)", "character varying(6)", ""),
        ("substring('abc' FROM 2 FOR 1)", "character varying(3)", "b"),
        ("left('abc', 2) || right('abc', 2)", "character varying(6)", "abbc"),
        ("lpad('a', 3)", "character varying", "  a"),
        ("lpad('abcdef', 3, 'x')", "character varying", "abc"),
        ("rpad('a', 4, 'xy')", "character varying", "axyx"),
        ("trim(BOTH 'x' FROM 'xax')", "character varying(3)", "a"),
        ("ltrim('xxa', 'x') || rtrim('a  ')", "character varying(6)", "aa"),
        ("split_part('a#b#c', '#', 2)", "character varying(5)", "b"),
        ("split_part('a', '#', 3)", "character varying(1)", ""),
        ("position('c' IN 'abc')", "integer", 3),
        ("charindex('z', 'abc')", "integer", 0),
        ("strpos('abc', 'b')", "integer", 2),
        ("translate('mint tea', 'inea', 'osin')", "character varying(8)", "most tin"),
        ("initcap('hello wORLD-foo 3rd')", "character varying(19)", "Hello World-Foo 3rd"),
        ("replace('aaa', 'a', 'b') || reverse('ab') || repeat('x', 2)", "character varying", "bbbbaxx"),
        ("concat('a', NULL)", "character varying", None),
        ("ascii('A') + 0", "integer", 65),
        ("chr(233)", "character varying(4)", "é"),
        ("strtol('ff', 16)", "bigint", 255),
        ("strtol('-0xff', 16)", "bigint", -255),
        ("strtol('7fffffffffffffff', 16)", "bigint", 2**63 - 1),
        ("strtol('1010', 2)", "bigint", 10),
        ("strtol('zz', 36)", "bigint", 1295),
        ("md5('a')", "character varying(32)", "0cc175b9c0f1b6a831c399e269772661"),
        ("sha1('a')", "character varying(40)", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("left(sha2('a', 256), 8)", "character varying(128)", "ca978112"),
        ("crc32('a')", "character varying(8)", "c1d04330"),
        ("fnv_hash('a')", "bigint", -5808556873153909620),
        ("regexp_replace('abcabc', 'b', 'x')", "character varying", "axcaxc"),
        ("regexp_replace('the fox', '(fox)', 'quick $1')", "character varying", "the quick fox"),
        ("regexp_substr('abc123', '[0-9]+')", "character varying(6)", "123"),
        ("regexp_substr('a1b2', '[0-9]', 1, 2)", "character varying(4)", "2"),
        ("regexp_count('aXbX', 'x', 1, 'i')", "integer", 2),
        ("regexp_instr('abc123', '[0-9]')", "integer", 4),
        ("quote_ident('Ab') || quote_literal('a''b')", "character varying", "\"Ab\"'a''b'"),
        ("to_hex('ab')", "character varying", "6162"),
        ("from_varbyte(to_varbyte('YWI=', 'base64'), 'utf-8')", "character varying", "ab"),
    ],
)
def test_strings(desk: Any, expression: str, kind: str, value: Any) -> None:
    assert desk.value(expression) == value
    assert str(desk.type_of(expression)) == kind


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("dateadd(day, 1, date '2020-01-31')", stamp("2020-02-01")),
        ("dateadd('month', 1, '2020-01-31')", stamp("2020-02-29")),
        ("dateadd(m, 5, timestamp '2020-01-01')", stamp("2020-01-01 00:05")),
        ("dateadd(week, -1, '2020-01-08')", stamp("2020-01-01")),
        ("dateadd(ms, 5, '2020-01-01')", stamp("2020-01-01 00:00:00.005")),
        ("datediff(hour, '2023-01-01', '2023-01-03 05:04:03')", 53),
        ("datediff(week, '2009-01-01', '2009-12-31')", 52),
        ("datediff(qtr, '2019-01-01', '2020-12-31')", 7),
        ("datediff(day, '2020-01-02', date '2020-01-01')", -1),
        ("date_trunc('week', timestamp '2020-01-05 10:00:00')", stamp("2019-12-30")),
        ("date_trunc('mon', date '2020-01-05')", stamp("2020-01-01")),
        ("extract(dow FROM date '2020-01-05')", 0),
        ("extract(epoch FROM timestamp '1970-01-01 00:00:01.5')", 1),
        ("extract(ms FROM timestamp '2020-01-01 00:00:01.5')", 500),
        ("date_part(s, timestamp '2020-01-01 00:00:01.5')", 1.5),
        ("date_part(decade, date '2019-05-05')", 202.0),
        ("date_part(week, date '2021-01-03')", 53.0),
        ("add_months('2008-04-30', 1)", stamp("2008-05-31")),
        ("add_months('2008-03-31', 1)", stamp("2008-04-30")),
        ("add_months('2008-01-15 10:00:00', -1)", stamp("2007-12-15 10:00")),
        ("last_day('2020-02-03')", date(2020, 2, 29)),
        ("next_day('2014-08-20', 'Tuesday')", date(2014, 8, 26)),
        ("months_between('1969-01-18', '1969-03-18')", -2.0),
        ("trunc(timestamp '2020-01-02 03:04:05')", date(2020, 1, 2)),
        ("convert_timezone('America/New_York', timestamp '2020-07-01 12:00:00')", stamp("2020-07-01 08:00")),
        ("convert_timezone('America/New_York', 'UTC', timestamp '2020-07-01 12:00:00')", stamp("2020-07-01 16:00")),
        ("timestamp '2020-07-01 12:00:00' AT TIME ZONE 'UTC'", datetime(2020, 7, 1, 12, tzinfo=UTC)),
        ("to_date('05/03/2020', 'DD/MM/YYYY')", date(2020, 3, 5)),
        ("to_timestamp('2020-03-05 14:05:09', 'YYYY-MM-DD HH24:MI:SS')", datetime(2020, 3, 5, 14, 5, 9, tzinfo=UTC)),
        ("date_cmp('2020-01-01', '2020-01-02')", -1),
        ("getdate()", stamp("2026-01-02 03:04:05")),
        ("sysdate", stamp("2026-01-02 03:04:05.000678")),
        ("current_date", date(2026, 1, 2)),
        ("current_user", "awsuser"),
        ("pg_backend_pid()", 7),
        ("to_char(timestamp '2020-03-05 14:05:09', 'YYYY-MM-DD HH24:MI:SS')", "2020-03-05 14:05:09"),
        ("to_char(timestamp '2020-03-05 14:05:09', 'MONTH|Mon|dy|FMDay|D|DDD|Q|HH12 AM')", "MARCH    |Mar|thu|Thursday|5|065|1|02 PM"),
        ("to_char(date '2020-03-05', 'DD \"of\" FMMonth')", "05 of March"),
    ],
)
def test_dates(desk: Any, expression: str, value: Any) -> None:
    assert desk.value(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("to_char(1234.5, '9999.99')", " 1234.50"), ("to_char(1234.5, '99,999.00')", "  1,234.50"), ("to_char(-5, '999')", "  -5"),
        ("to_char(5, 'FM000')", "005"), ("to_char(125.8, 'FM999D99')", "125.8"), ("to_char(0, '999')", "   0"),
        ("to_char(12345, '999')", " ###"), ("to_char(-12.5, '99.9MI')", "12.5-"), ("to_char(5, 'S99')", " +5"),
        ("to_char(1234567.891, 'FM$9,999,999.99')", "$1,234,567.89"), ("to_number('1,234.5', '9,999.9')", Decimal("1234.5")),
        ("round(2.567, 2)", Decimal("2.570")), ("round(-2.5)", Decimal(-3)), ("round(2.5::float)", 3.0),
        ("trunc(12.987, 2)", Decimal("12.980")),
        ("trunc(-12.987, 1)", Decimal("-12.900")), ("trunc(1234, -2)", 1200), ("ceil(1.2)", Decimal(2)), ("floor(-1.2)", Decimal(-2)),
        ("abs(-3)", 3), ("mod(-7, 2)", -1), ("power(2, 10)", 1024.0), ("sqrt(16)", 4.0), ("log(100)", 2.0), ("sign(-2.5)", Decimal(-1)),
        ("greatest(1, NULL, 3)", 3), ("least(2, 1.5)", Decimal("1.5")), ("nvl(NULL, 1)", 1), ("nvl2(1, 'a', 'b')", "a"),
        ("nullif(1, 2)", 1),
        ("decode(NULL, 1, 'one', NULL, 'none', 'other')", "none"), ("decode(2, 1, 'one', 2, 'two')", "two"), ("decode(3, 1, 'one')", None),
        ("coalesce(NULL, NULL)", None),
    ],
)  # fmt: skip
def test_numbers_and_conditions(desk: Any, expression: str, value: Any) -> None:
    assert desk.value(expression) == value


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_a_refused_function_says_why(desk: Any, name: str) -> None:
    text = f"SELECT {name}(1)"
    error = desk.refusal(text)
    assert error.sqlstate == "0A000"
    assert error.message.startswith(f'function "{name}" ')


def test_rows_are_well_formed() -> None:
    assert len(known_names()) > 190
    assert not set(REFUSALS) & known_names()
    for function in FUNCTIONS.values():
        assert function.page.endswith(".html"), function.name
        assert set(function.arguments) <= set("snifdtzbSvx*r?+p"), function.name
        least, most = function.bounds
        assert most is None or least <= most
        if isinstance(function.lowering, str):
            assert function.lowering.count("{") == function.lowering.count("}"), function.name
    assert not set(AGGREGATES) & set(WINDOWS)
    assert not (set(AGGREGATES) | set(WINDOWS)) & set(FUNCTIONS)


_SAMPLES = {
    "s": "'2020'", "i": "1", "n": "1", "f": "1.5", "d": "timestamp '2020-01-01'", "t": "getdate()", "z": "now()", "b": "TRUE",
    "S": "json_parse('[1]')", "v": "to_varbyte('61', 'hex')", "x": "'10'", "*": "1", "r": "1",
}  # fmt: skip
_SPECIAL = {
    "asin": "0.5", "acos": "0.5",
    "json_extract_path_text": "'{}', 'a'", "json_array_length": "'[1]'", "json_extract_array_element_text": "'[1]', 0", "object": "'a', 1",
    "from_varbyte": "to_varbyte('61', 'hex'), 'hex'", "to_varbyte": "'61', 'hex'", "to_date": "'2020', 'YYYY'", "sha2": "'a', 256",
    "to_timestamp": "'2020', 'YYYY'", "to_char": "1, '999'", "to_number": "'12', '99'", "next_day": "getdate(), 'Mon'", "json_parse": "'1'",
    "convert_timezone": "'UTC', getdate()", "timezone": "'UTC', getdate()", "extract": None, "strtol": "'10', 2", "decode": "1, 1, 'a'",
    "date_trunc": "month, getdate()", "date_part": "month, getdate()", "dateadd": "month, 1, getdate()", "date_add": "month, 1, getdate()",
    "datediff": "month, getdate(), getdate()", "date_diff": "month, getdate(), getdate()",
    "interval_cmp": "interval '1 day', interval '2 days'",
    "substring": "'abc', 1", "substr": "'abc', 1",
}  # fmt: skip


# Those of the catalog need one, and those about a session need a session: they are called in tests/catalog and in text tests.
_ELSEWHERE = {row.name for row in functions_catalog.FUNCTIONS} | {
    "current_setting", "pg_cancel_backend", "pg_terminate_backend", "pg_last_unload_count",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - _ELSEWHERE))
def test_every_function_runs_and_tells_its_type(desk: Any, name: str) -> None:
    function = FUNCTIONS[name]
    arguments = _SPECIAL.get(name, ", ".join(_SAMPLES[function.letter(index)] for index in range(function.bounds[0])))
    if arguments is None:
        return
    bare = {"sysdate", "current_date", "current_timestamp", "localtimestamp", "current_user", "user", "session_user", "current_user_id"}
    text = name if name in bare | {"current_schema"} else f"{name}({arguments})"
    session = ("current_database", "version", "last_user_query_id", "pg_last_query_id", "pg_last_copy_id", "pg_last_copy_count")
    if name in (*session, "session_user", "current_user_id", "current_schema", "pg_last_unload_id"):
        assert desk.lowered(f"SELECT {text}").parameters[0].source.value == "session"
        return
    desk.value(text)


@pytest.mark.parametrize(
    ("expression", "sqlstate"),
    [
        ("upper()", "42883"), ("upper('a', 'b')", "42883"), ("dateadd(blah, 1, getdate())", "22023"),
        ("split_part('a', 'b', 0)", "22023"), ("strtol('1', 40)", "22023"), ("add_months(1, 1)", "42883"), ("sqrt(TRUE)", "42846"),
        ("abs(DISTINCT 1)", "0A000"), ("to_char(getdate(), upper('x'))", "0A000"), ("to_char(1, '9.9EEEE')", "0A000"),
        ("to_date('x', 'IYYY')", "0A000"),
    ],
)  # fmt: skip
def test_wrong_calls(desk: Any, expression: str, sqlstate: str) -> None:
    assert desk.refusal(f"SELECT {expression}").sqlstate == sqlstate
