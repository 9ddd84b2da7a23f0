"""Deep statements get room on Python's stack for as long as they are read, and no longer."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from nearshift.errors import InvalidSql
from nearshift.limits import STATEMENT_DEPTH_MAX
from nearshift.sql.stack_room import room_for


def test_a_deep_statement_leaves_the_limit_as_it_was(desk: Any) -> None:
    before = sys.getrecursionlimit()
    depth = STATEMENT_DEPTH_MAX - 10
    assert desk.value("(" * depth + "1" + ")" * depth) == 1
    assert desk.value("abs(" * 300 + "-1" + ")" * 300) == 1
    assert sys.getrecursionlimit() == before


def test_one_level_too_many_is_an_error_with_its_place(desk: Any) -> None:
    before = sys.getrecursionlimit()
    depth = STATEMENT_DEPTH_MAX + 1
    error = desk.refusal("SELECT " + "(" * depth + "1" + ")" * depth)
    assert error.sqlstate == "54001"
    assert error.span.start == 7 + STATEMENT_DEPTH_MAX
    assert sys.getrecursionlimit() == before


def test_an_error_inside_gives_the_room_back() -> None:
    before = sys.getrecursionlimit()
    raised: list[int] = []

    def fail() -> None:
        with room_for(300):
            raised.append(sys.getrecursionlimit())
            raise InvalidSql("no")

    with pytest.raises(InvalidSql):
        fail()
    assert raised[0] > before
    assert sys.getrecursionlimit() == before


def test_the_last_of_several_threads_gives_the_room_back() -> None:
    before = sys.getrecursionlimit()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with room_for(350):
            entered.set()
            leave.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    assert entered.wait(10)
    with room_for(100):
        pass
    assert sys.getrecursionlimit() > before
    leave.set()
    other.join(10)
    assert sys.getrecursionlimit() == before
