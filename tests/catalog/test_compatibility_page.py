"""docs/compatibility.md is what the code's tables say, and what it calls refused is refused."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

import nearshift
from nearshift.errors import NotSupported

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = {
    "CREATE USER": "CREATE USER ann PASSWORD DISABLE", "CREATE GROUP": "CREATE GROUP staff", "CREATE ROLE": "CREATE ROLE reader",
    "ALTER USER": "ALTER USER ann CREATEDB", "ALTER GROUP": "ALTER GROUP staff ADD USER ann",
    "ALTER ROLE": "ALTER ROLE reader RENAME TO other", "UNLOAD": "UNLOAD ('SELECT 1') TO 's3://bucket/x' IAM_ROLE default",
}  # fmt: skip
RECORDED = {"VACUUM": "VACUUM", "ANALYZE": "ANALYZE", "ANALYSE": "ANALYSE", "CANCEL": "CANCEL 1", "DISCARD": "DISCARD ALL"}


@pytest.fixture(scope="module")
def writer() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "write_compatibility.py"))


def test_the_page_is_up_to_date(writer: dict[str, Any]) -> None:
    written = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    assert written == writer["text"](), f"docs/compatibility.md is out of date; renew it with: {writer['COMMAND']}"


def test_every_function_of_the_tables_is_named(writer: dict[str, Any]) -> None:
    text = writer["text"]()
    for name in ("listagg", "row_number", "json_parse", "array_agg"):
        assert f"| `{name}` |" in text


def test_what_is_called_refused_is_refused_and_what_is_recorded_is_accepted(writer: dict[str, Any]) -> None:
    assert set(SAMPLES) == set(writer["REFUSED_WHEN_RUN"])
    assert set(RECORDED) == set(writer["RECORDED"])
    with nearshift.connect() as connection:
        for statement in SAMPLES.values():
            with pytest.raises(NotSupported):
                connection.execute(statement)
        for statement in RECORDED.values():
            connection.execute(statement)
