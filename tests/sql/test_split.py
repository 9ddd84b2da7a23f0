"""Splitting: where statements end, what is refused, and that nothing is lost or slow."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearshift import limits
from nearshift.errors import InvalidSql, NearshiftError, Span
from nearshift.sql.split import Piece, split_script


def texts(script: str) -> list[str]:
    return [piece.text for piece in split_script(script)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ;; \n ; ", []),
        ("-- only a comment", []),
        ("/* a; /* b; */ c; */;", []),
        ("select 1", ["select 1"]),
        ("select 1;select 2 ; ", ["select 1", "select 2"]),
        ("select ';' ; select 2", ["select ';'", "select 2"]),
        ("select 'it''s; ok'; x", ["select 'it''s; ok'", "x"]),
        (r"select 'a\';b'; x", [r"select 'a\';b'", "x"]),
        (r"select E'a\';b'; x", [r"select E'a\';b'", "x"]),
        ('select "a;""b"; x', ['select "a;""b"', "x"]),
        ("select $$a;b$$; x", ["select $$a;b$$", "x"]),
        ("select $t$a;$$;$t$; x", ["select $t$a;$$;$t$", "x"]),
        ("values ($1,$2,$3); x", ["values ($1,$2,$3)", "x"]),
        ("select a$b$c; select d$b$e", ["select a$b$c", "select d$b$e"]),
        ("select a$1$b; x", ["select a$1$b", "x"]),
        ("select $1$$;$$; x", ["select $1$$;$$", "x"]),
        ("/* why; */ select 1 -- end; \n; x", ["/* why; */ select 1 -- end;", "x"]),
        ("create procedure p() as $$ begin a; b; end; $$ language plpgsql; x", [
            "create procedure p() as $$ begin a; b; end; $$ language plpgsql", "x"]),
    ],
)  # fmt: skip
def test_pieces(script: str, expected: list[str]) -> None:
    assert texts(script) == expected


@pytest.mark.parametrize(
    ("script", "start"),
    [("select 'a", 7), ('x; select "a', 10), ("x; /* /* */", 3), ("select $$ a $b$", 7), ("select $q$ a $$", 7), (r"select 'a\'", 7)],
)
def test_what_does_not_end_is_refused_with_its_place(script: str, start: int) -> None:
    with pytest.raises(InvalidSql) as caught:
        split_script(script)
    assert caught.value.sqlstate == "42601"
    assert caught.value.span is not None
    assert caught.value.span.start == start


def test_a_statement_above_sixteen_megabytes_is_refused() -> None:
    fits = "select '" + "x" * (limits.STATEMENT_BYTES_MAX - 9) + "'"
    assert texts(fits + ";") == [fits]
    for script in (fits + "x", "select 1; " + fits + "x", "select '" + "é" * (limits.STATEMENT_BYTES_MAX // 2) + "'"):
        with pytest.raises(InvalidSql) as caught:
            split_script(script)
        assert caught.value.sqlstate == "54001"


@pytest.mark.parametrize("unit", ["'", "''", '"', "$", "$a", "a$a$", "1$", "/*", "*/", "--", "a", "\\'", "$$", "/**/", "- ", "(", "é$"])
def test_garbage_costs_linear_time(unit: str) -> None:
    script = unit * (4 * limits.MIB // len(unit))
    began = time.process_time()
    with contextlib.suppress(NearshiftError):
        split_script(script)
    assert time.process_time() - began < 10


def test_a_hundred_megabytes_are_refused_early() -> None:
    began = time.process_time()
    with pytest.raises(InvalidSql):
        split_script("select a, b from c where d = 'e' and $f$ g $f$ /* h */ " * 2_000_000)
    assert time.process_time() - began < 10


ODD = st.lists(
    st.sampled_from(
        ["select 1", ";", "'", '"', "$$", "$t$", "$1", "--", "\n", "/*", "*/", "a$b", "é", "\\", "E'", " ", "it''s", "1", "\x00"]
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(ODD)
def test_split_then_join_gives_the_text(parts: list[str]) -> None:
    script = "".join(parts)
    refused: Span | None = None
    pieces: list[Piece] = []
    try:
        pieces = split_script(script)
    except NearshiftError as error:
        refused = error.span or Span(-1, -1)
    assert refused is None or 0 <= refused.start < refused.end <= len(script)
    if refused is not None:
        return
    end = 0
    for piece in pieces:
        assert script[piece.start : piece.start + len(piece.text)] == piece.text
        assert piece.start >= end
        assert piece.text.strip()
        end = piece.start + len(piece.text)
    assert texts("\n;\n".join(texts(script))) == texts(script)
