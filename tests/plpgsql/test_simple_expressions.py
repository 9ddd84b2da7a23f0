"""What the interpreter answers without SQL is what SQL answers."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearshift.errors import NearshiftError
from nearshift.plpgsql.runner import Value
from nearshift.plpgsql.simple import Binary, compute_integers, read_simple
from nearshift.types import BIGINT, BOOLEAN, INTEGER, SMALLINT, UNKNOWN, SqlType

EDGES = [0, 1, -1, 7, 2**15 - 1, -(2**15), 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), None]
TYPES = {"SMALLINT": (SMALLINT, 15), "INTEGER": (INTEGER, 31), "BIGINT": (BIGINT, 63)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", Value(INTEGER, 12)), ("3000000000", Value(BIGINT, 3_000_000_000)), (" 'it''s' ", Value(UNKNOWN, "it's")),
        ("TRUE", Value(BOOLEAN, value=True)), ("null", Value(UNKNOWN, None)), ("a", (("a", False),)),
        ('r."F"', (("r", False), ("F", True))),
        ("$1", (("$1", False),)),
        ("i + 1", Binary((("i", False),), "+", Value(INTEGER, 1))), ("1.5", None), ("a.", None), ("a b", None),
        ("-1", None), ("a + b + c", None),
        ("a / 2", None), ("f(a)", None), ("E'x'", None), ("", None), ("a = ", None),
        ("a <> b.c", Binary((("a", False),), "<>", (("b", False), ("c", False)))),
    ],
)  # fmt: skip
def test_what_is_simple(text: str, expected: object) -> None:
    assert read_simple(text) == expected


operand = st.tuples(st.sampled_from(sorted(TYPES)), st.one_of(st.sampled_from(EDGES), st.integers(-(2**63), 2**63 - 1)))


@given(operand, st.sampled_from(["+", "-", "*", "<", "<=", ">", ">=", "=", "<>"]), operand)
def test_integers_compute_as_in_sql(left: tuple[str, int | None], sign: str, right: tuple[str, int | None]) -> None:
    values = []
    for name, number in (left, right):
        kind, bits = TYPES[name]
        if number is not None and not -(1 << bits) <= number < 1 << bits:
            number = number % (1 << bits)
        values.append((name, number, Value(kind, number)))
    found = compute_integers(values[0][2], sign, values[1][2])
    sql = f"SELECT CAST($1 AS {values[0][0]}) {sign} CAST($2 AS {values[1][0]})"
    expected: Any = "error"
    answer: SqlType | None = None
    names = {"BOOLEAN": BOOLEAN, "SMALLINT": SMALLINT, "INTEGER": INTEGER, "BIGINT": BIGINT}
    try:
        cursor = duckdb.execute(sql, [values[0][1], values[1][1]])
        row = cursor.fetchone()
        assert row is not None
        expected, answer = row[0], names[str(cursor.description[0][1])]
    except duckdb.OutOfRangeException:
        pass
    assert found == (None if answer is None else Value(answer, expected))


def test_deep_recursion_is_an_error_of_ours(runner: Any) -> None:
    blocks = 55
    text = "begin " * blocks + "if n > 0 then call q(n - 1); end if; " + "end; " * blocks
    runner.create(f"create procedure q(n int) as $$ {text} $$ language plpgsql")
    with pytest.raises(NearshiftError, match=r"stack depth limit exceeded|nested too deeply") as caught:
        runner.call("call q(15)")
    assert caught.value.sqlstate == "54001"
    assert not runner.is_open
