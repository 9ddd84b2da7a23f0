"""Statements of our own text tests, broken: each is understood or refused with one of our errors that points into it, and soon.

`make fuzz` runs the same with more examples; NEARSHIFT_FUZZ_EXAMPLES says how many.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearshift.errors import NearshiftError
from nearshift.results import TransactionStatus
from nearshift.session import Session
from nearshift.sql.parse import parse_statement
from nearshift.sql.split import split_script
from nearshift.testing.text_records import parse_records
from nearshift.warehouse import Warehouse

EXAMPLES = int(os.environ.get("NEARSHIFT_FUZZ_EXAMPLES", "300"))
SECONDS_MAX = 10
TEXT_TESTS = Path(__file__).resolve().parents[1] / "text"
RECORDS = [record for path in sorted(TEXT_TESTS.rglob("*.test")) for record in parse_records(path.read_text(encoding="utf-8"))]
SEEDS = sorted({record.body for record in RECORDS if record.verb in ("statement", "query") and len(record.body) < 3000})
QUERIES = sorted({record.body for record in RECORDS if record.verb == "query" and len(record.body) < 3000})
TABLES = [record.body for record in RECORDS if record.body.startswith("CREATE TABLE") and record.error() is None]
TOKEN = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"[^\"]*\"|\$\w*\$|\w+|<>|>=|<=|::|\|\||\s+|.", re.DOTALL)
PIECES = (
    "(", ")", ",", ".", ";", "'", '"', "$$", "--", "/*", "*/", "::", "[", "]", "NULL", "NOT", "SELECT", "FROM", "AS", "ON", "(+)", "AT",
    "INTERVAL '1 day'", "OVER ()", "PIVOT (count(*) FOR x IN (1))", "CASE WHEN", "END", "1e400", "9" * 40, "''", "é", "\x00", "$1", "*",
    "QUALIFY", "UNPIVOT", "GROUP BY ALL", "LIMIT -1", "#t", "x.y.z", "{", "EXCLUDE",
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, seeds: list[str]) -> str:
    """A text test's statement with some of its tokens left out, doubled, exchanged, or replaced by ours or another statement's."""
    tokens = TOKEN.findall(draw(st.sampled_from(seeds)))
    other = TOKEN.findall(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        if not tokens:
            break
        at = draw(st.integers(0, len(tokens) - 1))
        match draw(st.integers(0, 5)):
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[draw(st.integers(0, len(tokens) - 1))])
            case 2:
                to = draw(st.integers(0, len(tokens) - 1))
                tokens[at], tokens[to] = tokens[to], tokens[at]
            case 3:
                tokens[at] = draw(st.sampled_from(PIECES))
            case 4:
                start = draw(st.integers(0, max(len(other) - 1, 0)))
                tokens[at:at] = other[start : start + draw(st.integers(1, 12))]
            case _:
                tokens = tokens[:at]
    return "".join(tokens)


@settings(max_examples=EXAMPLES, deadline=None)
@given(mutated(SEEDS))
def test_a_broken_statement_is_split_and_parsed_or_refused(text: str) -> None:
    started = time.monotonic()
    try:
        pieces = split_script(text)
    except NearshiftError as error:
        check(error, text)
        return
    for piece in pieces:
        assert text[piece.start : piece.start + len(piece.text)] == piece.text
        try:
            parse_statement(piece.text)
        except NearshiftError as error:
            check(error, piece.text)
    assert time.monotonic() - started < SECONDS_MAX


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """A session over the tables that the text tests make."""
    with Warehouse.open(threads=1) as warehouse:
        made = warehouse.session()
        for text in TABLES:
            try:
                for _result in made.execute_script(text):
                    pass
            except NearshiftError:
                continue  # made before, in another file
        yield made
        made.close()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=mutated(QUERIES))
def test_a_broken_query_is_translated_or_refused(session: Session, text: str) -> None:
    started = time.monotonic()
    try:
        session.prepare(text, ())
    except NearshiftError as error:
        check(error, text)
    assert session.status is not TransactionStatus.FAILED
    assert time.monotonic() - started < SECONDS_MAX


def check(error: NearshiftError, text: str) -> None:
    """Assert that the error is no fault of ours and points into the text."""
    assert error.sqlstate != "XX000", error.message
    assert error.span is None or 0 <= error.span.start <= error.span.end <= len(text)


NESTED = (
    ("(", ")"), ("abs(", ")"), ("(SELECT ", ")"), ("CASE WHEN true THEN ", " END"), ("array(", ")"), ("NOT ", ""), ("- ", ""),
    ("CAST(", " AS int)"),
)  # fmt: skip


@pytest.mark.parametrize(("opening", "closing"), NESTED)
@pytest.mark.parametrize("depth", [5_000, 20_000])
def test_what_is_nested_too_deeply_is_refused_soon(session: Session, opening: str, closing: str, depth: int) -> None:
    started = time.monotonic()
    with pytest.raises(NearshiftError) as caught:
        session.prepare(f"SELECT {opening * depth}1{closing * depth}", ())
    check(caught.value, f"SELECT {opening * depth}1{closing * depth}")
    assert time.monotonic() - started < SECONDS_MAX


@pytest.mark.parametrize(("opening", "closing"), NESTED)
def test_what_is_nested_as_people_nest_is_translated(session: Session, opening: str, closing: str) -> None:
    innermost = "true" if opening == "NOT " else "1"
    assert session.prepare(f"SELECT {opening * 50}{innermost}{closing * 50}", ()).columns is not None
