"""Runs one statement on both sides and compares what they answer."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import psycopg
from psycopg.adapt import Loader

from nearshift.errors import NearshiftError
from nearshift.testing.text_bench import Bench

Row = tuple[str | None, ...]
_FLOAT_TOLERANCE = 1e-9


class _Text(Loader):
    def load(self, data: object) -> str:
        return bytes(data).decode()  # type: ignore[call-overload,no-any-return]


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows as text, or the SQLSTATE of the error."""

    rows: tuple[Row, ...] = ()
    sqlstate: str | None = None
    message: str = ""

    def __str__(self) -> str:
        return f"{self.sqlstate} {self.message}" if self.sqlstate else "\n".join(map(str, self.rows))


class Sides:
    """The two servers."""

    def __init__(self, bench: Bench, postgres: psycopg.Connection) -> None:
        self._bench = bench
        self._postgres = postgres
        self._oids: set[int] = set()

    def prepare(self, statement: str) -> None:
        """Run a statement that makes or fills a table on both sides."""
        self._bench.run(statement)
        self._postgres.execute(statement.encode())

    def ours(self, statement: str) -> Answer:
        """Return this project's answer."""
        try:
            return Answer(tuple(self._bench.run(statement).rows))
        except NearshiftError as error:
            return Answer(sqlstate=error.sqlstate, message=error.message)

    def theirs(self, statement: str) -> Answer:
        """Return PostgreSQL's answer."""
        try:
            cursor = self._postgres.execute(statement.encode())
            for column in cursor.description or ():
                if column.type_code not in self._oids:
                    self._oids.add(column.type_code)
                    self._postgres.adapters.register_loader(column.type_code, _Text)
                    return self.theirs(statement)
            return Answer(tuple(cursor.fetchall()))
        except psycopg.Error as error:
            return Answer(sqlstate=error.sqlstate or "?", message=str(error))

    def check(self, statement: str, *, theirs: str | None = None, is_ordered: bool = False) -> None:
        """Compare both answers to one statement; `theirs` is PostgreSQL's spelling where it has another."""
        ours, other = self.ours(statement), self.theirs(theirs or statement)
        told = f"\n{statement}\nours:\n{ours}\ntheirs:\n{other}"
        assert (ours.sqlstate is None) == (other.sqlstate is None), told
        if ours.sqlstate is not None:
            assert ours.sqlstate[:2] == str(other.sqlstate)[:2], told
            return
        left, right = list(ours.rows), list(other.rows)
        if not is_ordered:
            left, right = sorted(left, key=_key), sorted(right, key=_key)
        assert len(left) == len(right), told
        for one, two in zip(left, right, strict=True):
            assert len(one) == len(two), told
            assert all(map(_same, one, two)), told


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _key(row: Row) -> list[tuple[int, Decimal, str]]:
    keys = []
    for value in row:
        number = None if value is None else _number(value)
        if number is not None and number.is_finite():
            keys.append((1, number, ""))
        else:
            keys.append((0 if value is None else 2, Decimal(0), value or ""))
    return keys


def _same(one: str | None, two: str | None) -> bool:
    if one is None or two is None:
        return one is two
    if one == two:
        return True
    left, right = _number(one), _number(two)
    if left is None or right is None or not left.is_finite() or not right.is_finite():
        return False
    return left == right or abs(float(left) - float(right)) <= _FLOAT_TOLERANCE * max(abs(float(left)), abs(float(right)), 1e-3)


WORDS = (
    "", "a", "A", "abc", "aBc", "ab c", "hello world", "Hello-World 3rd", "x_y%z", "12", "-7", "3.50", "a,b,,c", "€x", "日本語", "~", "aaa",
    "%", "it's",
)  # fmt: skip
_DATES = (
    "1969-12-31", "1970-01-01", "1999-12-31", "2000-02-29", "2001-01-01", "2019-12-30", "2020-01-05", "2021-01-03", "2024-02-29",
    "2026-11-23",
)  # fmt: skip
_TIMES = ("00:00:00", "12:30:45", "23:59:59.999999", "01:02:03.004")


def _tables() -> list[str]:
    """Return the statements that make the tables: one of all types with NULLs, edges and repeats, and two to join."""
    chance = random.Random(20)
    made = [
        "CREATE TABLE mix (id int, s smallint, a int, b int, l bigint, p decimal(8,2), q decimal(12,4), f double precision, "
        "t varchar(40), u varchar(40), d date, ts timestamp, g boolean)",
        "CREATE TABLE one (k int, v varchar(10))",
        "CREATE TABLE two (k int, w varchar(10))",
    ]

    def maybe(*values: object) -> str:
        value = None if chance.random() < 0.15 else chance.choice(values)
        if value is None:
            return "NULL"
        if isinstance(value, int | float):
            return str(value)
        return "'" + str(value).replace("'", "''") + "'"

    for number in range(40):
        row = (
            str(number), maybe(-32768, -5, -1, 0, 1, 2, 7, 32767), maybe(-2147483648, -9, -1, 0, 1, 3, 10, 2147483647),
            maybe(-7, -2, 0, 1, 2, 5, 5), maybe(-9223372036854775807, -100, 0, 1, 4, 9223372036854775807),
            maybe("-999999.99", "-1.50", "-0.05", "0.00", "0.50", "2.25", "2.50", "123456.78"),
            maybe("-1.0001", "0.0000", "0.3333", "99.9999", "12345678.1234"), maybe(-1.5, 0.0, 0.1, 2.5, 1e10), maybe(*WORDS),
            maybe(*WORDS), maybe(*_DATES), maybe(*(f"{day} {time}" for day in _DATES for time in _TIMES)), maybe("t", "f"),
        )  # fmt: skip
        made.append(f"INSERT INTO mix VALUES ({', '.join(row)})")
    for table in ("one", "two"):
        rows = ", ".join(f"({maybe(0, 1, 2, 3, 4)}, {maybe('a', 'b', 'c', '')})" for _ in range(9))
        made.append(f"INSERT INTO {table} VALUES {rows}")
    return made


TABLES = _tables()
