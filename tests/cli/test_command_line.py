"""The frame: overview, exit codes, errors as one message, and that help does not load what it does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nearshift.cli.main import COMMANDS, main

SOURCE = Path(__file__).parents[2] / "src"
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "NO_COLOR": "1"}


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    program = "import sys; from nearshift.cli.main import main; main(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, input=text, timeout=60, check=False, env=_ENVIRONMENT
    )


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom nearshift.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('typer', 'rich', 'duckdb', 'pyarrow', 'boto3', 'sqlglot', 'numpy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=_ENVIRONMENT)
    assert found.stdout.splitlines()[-1] == "[]"


def test_an_unknown_command_is_a_usage_error_with_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["aply"])
    assert stop.value.code == 2
    assert 'Did you mean "apply"?' in capsys.readouterr().err


def test_no_command_shows_the_overview_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"local-aws"}))
def test_every_command_has_help(command: str) -> None:
    found = run(command, "--help")
    assert found.returncode == 0, found.stderr
    assert f"nearshift {command}" in found.stdout


def test_an_unknown_option_is_a_usage_error() -> None:
    assert run("status", "--nonsense").returncode == 2


def test_a_folder_that_is_none_is_one_clear_message(tmp_path: Path) -> None:
    found = run("status", str(tmp_path))
    assert found.returncode == 1
    assert found.stderr.startswith("nearshift: could not read")
    assert "HINT: Name a pipeline folder" in found.stderr
    assert "Traceback" not in found.stderr


def test_an_error_in_a_file_shows_the_line_and_a_caret(tmp_path: Path) -> None:
    (tmp_path / "nearshift.toml").write_text('name = "p"')
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "1.sql").write_text("CREATE TABLE a (x int);\nSELECT 1;\n")
    found = run("apply", str(tmp_path))
    assert found.returncode == 1
    assert "nearshift: sql/1.sql: this statement has no place in a pipeline folder" in found.stderr
    assert "LINE 2: SELECT 1" in found.stderr
    assert "        ^" in found.stderr


def test_init_makes_a_folder_that_is_a_pipeline(tmp_path: Path) -> None:
    folder = tmp_path / "my shop"
    found = run("init", str(folder))
    assert found.returncode == 0, found.stderr
    assert 'name = "my-shop"' in (folder / "nearshift.toml").read_text()
    again = run("init", str(folder))
    assert again.returncode == 1
    assert "is not empty" in again.stderr


def test_a_dry_run_in_json_lists_the_steps(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    assert run("init", str(folder)).returncode == 0
    found = run("apply", str(folder), "--dry-run", "--json")
    assert found.returncode == 0, found.stderr
    steps = json.loads(found.stdout)["steps"]
    assert [step["action"] for step in steps] == ["create"] * 4
    assert [step["name"] for step in steps][:2] == ["kds", "public.stream_vw"]
