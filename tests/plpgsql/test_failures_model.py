"""Random programs of inserts, errors, handlers, transactions and loops over queries keep the rows that a small model of them keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearshift.errors import NearshiftError

Program = list[Any]


class Failure(Exception):
    """An error on its way out; `escaped` is the handler that it came out of, which must not see it."""

    escaped: object | None = None


@dataclass
class Model:
    """The page about exceptions without savepoints, as a program: `docs/design/0003` says why each step is so."""

    is_atomic: bool
    kept: list[int] = field(default_factory=list)
    open_rows: list[int] = field(default_factory=list)
    is_open: bool = False
    cursor: object | None = None

    def insert(self, number: int) -> None:
        if self.is_open:
            self.open_rows.append(number)
        else:
            self.kept.append(number)
            self.cursor = None

    def end(self, *, is_commit: bool) -> None:
        if self.is_open:
            self.kept += self.open_rows if is_commit else []
            self.open_rows, self.cursor = [], None
            self.is_open = self.is_atomic

    def abandon(self) -> None:
        if self.is_open:
            self.open_rows, self.cursor, self.is_open = [], None, False

    def call(self, program: Program) -> bool:
        """Run a whole procedure and return whether it succeeded."""
        self.is_open = self.is_atomic
        try:
            self.statements(program, None)
        except Failure:
            self.abandon()
            return False
        self.end(is_commit=True)
        return True

    def statements(self, program: Program, continuing: Any) -> None:
        for node in program:
            try:
                self.statement(node, continuing)
            except Failure as failure:
                if continuing is None or failure.escaped is continuing:
                    raise
                self.handle(continuing, failure, None)

    def statement(self, node: Any, continuing: Any) -> None:
        match node:
            case ("insert", number):
                self.insert(number)
            case ("fail",):
                raise Failure
            case ("commit",) | ("rollback",):
                self.end(is_commit=node[0] == "commit")
            case ("start",):
                self.is_open = True
            case ("loop", count, body):
                self.loop(count, body, continuing)
            case ("guarded", _kind, body, _handler):
                self.guarded(node, body, continuing)

    def loop(self, count: int, body: Program, continuing: Any) -> None:
        if self.cursor is not None:
            raise Failure
        mine = self.cursor = object()
        try:
            for _ in range(count):
                self.statements(body, continuing)
                if self.cursor is not mine:
                    raise Failure
        finally:
            if self.cursor is mine:
                self.cursor = None

    def guarded(self, node: Any, body: Program, continuing: Any) -> None:
        is_continuing = node[1] == "continue_handler"
        try:
            self.statements(body, node if is_continuing else None)
        except Failure as failure:
            if is_continuing:
                raise
            self.handle(node, failure, continuing)

    def handle(self, node: Any, failure: Failure, continuing: Any) -> None:
        try:
            self.abandon()
            if not self.is_atomic:
                self.statements(node[3], continuing)
                return
            self.is_open = True
            self.statements(node[3], None)
            self.end(is_commit=True)
            raise failure
        except Failure as error:
            error.escaped = node
            raise


def render(program: Program) -> str:
    lines: list[str] = []
    for node in program:
        match node:
            case ("insert", number):
                lines.append(f"insert into log values ({number});")
            case ("fail",):
                lines.append("raise exception 'failed';")
            case ("start",):
                lines.append("start transaction;")
            case ("loop", count, body):
                lines.append(f"for r in select n from numbers where n <= {count} loop {render(body)} end loop;")
            case ("guarded", kind, body, handler):
                lines.append(f"begin {render(body)} exception {kind} when others then {render(handler)} end;")
            case (word,):
                lines.append(f"{word};")
    return "\n".join(lines) or "null;"


def programs(depth: int, *, is_atomic: bool) -> st.SearchStrategy[Program]:
    """Return lists of statements; START TRANSACTION and kinds of handlers are for NONATOMIC procedures."""
    choices: list[st.SearchStrategy[Any]] = [
        st.tuples(st.just("insert"), st.integers(1, 99)),
        st.tuples(st.sampled_from(["fail", "commit", "rollback"] if is_atomic else ["fail", "commit", "rollback", "start"])),
    ]
    if depth:
        inner = programs(depth - 1, is_atomic=is_atomic)
        kinds = [""] if is_atomic else ["", "exit_handler", "continue_handler"]
        choices += [
            st.tuples(st.just("loop"), st.integers(0, 2), inner),
            st.tuples(st.just("guarded"), st.sampled_from(kinds), inner, programs(depth - 1, is_atomic=is_atomic)),
        ]
    return st.lists(st.one_of(choices), max_size=4)


@pytest.mark.parametrize("is_atomic", [True, False], ids=["atomic", "nonatomic"])
def test_failing_programs_keep_the_rows_that_the_model_keeps(new_runner: Any, *, is_atomic: bool) -> None:
    @settings(max_examples=60, deadline=None)
    @given(program=programs(3, is_atomic=is_atomic))
    def agree(program: Program) -> None:
        model = Model(is_atomic)
        is_done = model.call(program)
        runner = new_runner()
        runner.execute("create table log (n int); create table numbers as select unnest([1, 2]) as n")
        mode = "" if is_atomic else "nonatomic"
        runner.create(f"create procedure p() {mode} as $$ declare r record; begin {render(program)} end; $$ language plpgsql")
        try:
            runner.call("call p()")
            was_done = True
        except NearshiftError:
            was_done = False
        kept = [n for (n,) in runner.execute("select n from log")]
        runner.connection.close()
        assert (was_done, sorted(kept)) == (is_done, sorted(model.kept))
        assert not runner.is_open

    agree()
