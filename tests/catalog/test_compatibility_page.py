"""docs/compatibility.md is what the code's tables say, and each of its rows names a test that is there."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

import nearshift

ROOT = Path(__file__).resolve().parents[2]
RECORDED = {"VACUUM": "VACUUM", "ANALYZE": "ANALYZE", "ANALYSE": "ANALYSE", "DISCARD": "DISCARD ALL"}


@pytest.fixture(scope="module")
def writer() -> dict[str, Any]:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return runpy.run_path(str(ROOT / "scripts" / "write_compatibility.py"))
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def page(writer: dict[str, Any]) -> Any:
    made = writer["Page"](writer["Proofs"]())
    made.written = made.text()
    return made


def test_the_page_is_up_to_date(writer: dict[str, Any], page: Any) -> None:
    kept = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    assert kept == page.written, f"docs/compatibility.md is out of date; renew it with: {writer['COMMAND']}"


def test_every_row_has_a_test(page: Any) -> None:
    assert page.missing == [], "write a record in tests/text for each, or note a pytest test in scripts/compatibility_proofs.py"


def test_every_function_of_the_tables_is_named(page: Any) -> None:
    for name in ("listagg", "row_number", "json_parse", "array_agg"):
        assert f"| `{name}` |" in page.written


def test_a_name_in_a_text_is_no_proof(writer: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.test").write_text("statement ok\nSELECT upper('x')\n\nquery T\nSELECT 'lower(x)'\n----\nlower(x)\n\n")
    proofs = writer["Proofs"](tmp_path)
    assert [one.record.verb for one in proofs.statements] == ["statement", "query"]
    assert proofs.function("upper") is None, "nothing is compared"
    assert proofs.function("lower") is None, "it is not called"
    assert proofs.statement(("DELETE",)) is None


def test_what_is_recorded_is_accepted(writer: dict[str, Any]) -> None:
    assert set(RECORDED) == set(writer["RECORDED"])
    with nearshift.connect() as connection:
        for statement in RECORDED.values():
            connection.execute(statement)
