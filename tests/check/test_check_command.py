"""`nearshift check` and `nearshift generate` as commands: what they write and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nearshift.cli.main import main

MANIFEST = 'name = "p"\n[source]\ntable = "t"\nstream = "s"\nsort_key = "sk"\n'
FACT = '[[facts]]\nname = "f"\ncolumns = [{ name = "a", type = "varchar(9)", path = "a.S" }]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sql").mkdir()
    (tmp_path / "nearshift.toml").write_text(MANIFEST + FACT)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_check_writes_place_error_hint_and_page_and_ends_with_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "sql" / "000.sql").write_text("CREATE TABLE t (status varchar(9));")
    (folder / "sql" / "a.sql").write_text('UPDATE t\nSET status = "Running";\n')
    assert run("check", str(folder), "--target", "redshift") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'sql/a.sql:2:14: error "Running" is a name, not a string [double-quotes]'
    assert lines[1].strip() == 'Redshift: column "running" does not exist'
    assert lines[-1] == "1 error, 0 warnings, 0 notes"
    assert run("check", str(folder), "--json") == 1
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["rule"], one["line"], one["severity"]) == ("double-quotes", 2, "error")


def test_check_is_content_with_warnings_unless_strict(folder: Path) -> None:
    (folder / "sql" / "a.sql").write_text("CREATE PROCEDURE p() AS $$ BEGIN TRUNCATE t; END; $$ LANGUAGE plpgsql;")
    assert run("check", str(folder)) == 0
    assert run("check", str(folder), "--strict") == 1


def test_check_knows_one_target(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", str(folder), "--target", "oracle") == 1
    assert 'no rules for target "oracle"' in capsys.readouterr().err


def test_generate_writes_then_keeps_and_check_mode_tells(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate", str(folder), "--check") == 1
    assert not list((folder / "sql").iterdir())
    assert run("generate", str(folder)) == 0
    assert "create  sql/200_f.sql" in capsys.readouterr().out
    assert run("generate", str(folder), "--check", "--json") == 0
    assert {one["verdict"] for one in json.loads(capsys.readouterr().out)} == {"keep"}
    assert run("check", str(folder), "--strict") == 0
