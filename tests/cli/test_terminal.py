"""How errors and values are written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from nearshift.cli.show_plan import plan_as_json, write_plan
from nearshift.cli.terminal import cell, report, write_json, write_table
from nearshift.errors import InvalidSql, Span
from nearshift.pipeline.definitions import Kind
from nearshift.pipeline.plan import Action, Applied, Plan, Step, plan_removal


def test_an_error_has_a_caret_detail_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    text = "SELECT 1;\nSELECT nothing"
    report(InvalidSql("column does not exist", span=Span(17, 24), detail="D.", hint="H."), text)
    assert capsys.readouterr().err == (
        "nearshift: column does not exist\nLINE 2: SELECT nothing\n               ^\nDETAIL: D.\nHINT: H.\n"
    )


def test_cells_are_what_clients_show() -> None:
    values = (None, True, 1, Decimal("1.50"), "x", b"\x01\xff", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert [cell(value) for value in values] == ["", "t", "1", "1.50", "x", "01ff", "2026-01-02 03:04:05+00:00"]


def test_a_table_without_a_terminal_is_tab_separated_and_stays_one_line_per_row(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(["a", "b"], [(1, "x\ty"), (None, "p\nq\\")])
    assert capsys.readouterr().out == "a\tb\n1\tx\\ty\n\tp\\nq\\\\\n"


def test_json_keeps_the_digits_of_decimals(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"n": Decimal("99999999999999999999999999999999999999"), "s": "é"})
    assert json.loads(capsys.readouterr().out) == {"n": "9" * 38, "s": "é"}


def test_a_plan_is_shown_with_reasons_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    kept = Step(Action.KEEP, Kind.VIEW, "public.v", "it is as written")
    plan = Plan((Step(Action.CREATE, Kind.TABLE, "public.t", "it is not there"), kept))
    write_plan(plan)
    shown = capsys.readouterr().out
    assert "+ create  table" in shown
    assert "(it is not there)" in shown
    assert "public.v" not in shown
    assert "Plan: 1 to create, 1 to keep." in shown
    assert plan_as_json(plan)["steps"][1] == {"action": "keep", "kind": "view", "name": "public.v", "reason": "it is as written"}


def test_an_empty_plan_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    write_plan(Plan(()))
    assert capsys.readouterr().out == "Nothing to do: no objects.\n"
    assert not plan_removal([Applied(Kind.TABLE, "public.t", "f", 0)]).is_empty
