"""A served folder from outside: the commands go through the server, a second server is refused, a signal ends it cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearshift.cli.running import Running, find_running

SOURCE = Path(__file__).parents[2] / "src"
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "NO_COLOR": "1", "AWS_DEFAULT_REGION": "us-east-1"}
_PROGRAM = "import sys; from nearshift.cli.main import main; main(sys.argv[1:])"
SQL = """
CREATE TABLE item (n int, name varchar(20));
INSERT INTO item VALUES (1, 'one'), (2, NULL);
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS items FROM item;
CREATE PROCEDURE sp_add() AS $$ BEGIN INSERT INTO item VALUES (3, 'three'); END; $$ LANGUAGE plpgsql;
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False, env=_ENVIRONMENT, input=""
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "1.sql").write_text(SQL)
    (tmp_path / "nearshift.toml").write_text(
        'name = "p"\n[[schedules]]\nname = "add"\nstatement = "CALL sp_add()"\nlocal = "rate(1 hour)"\n'
    )
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, "serve", str(folder), "--port", "0", "--console-port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_ENVIRONMENT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("p is served: postgresql://")
    try:
        yield folder, process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def running(folder: Path) -> Running:
    found = find_running(folder)
    assert found is not None
    return found


def test_commands_go_through_the_server(served: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, process = served
    assert running(folder).pid == process.pid
    assert "Applied: 5 steps." in run("apply", str(folder)).stdout
    assert "Nothing to do" in run("apply", str(folder)).stdout
    found = run("sql", "SELECT n, name FROM item WHERE n < 3 ORDER BY n", "--json", "--dir", str(folder))
    assert json.loads(found.stdout) == {"columns": ["n", "name"], "rows": [[1, "one"], [2, None]], "tag": "SELECT 2"}
    assert "Materialized view total was" in run("refresh", "total", "--dir", str(folder)).stdout
    status = json.loads(run("status", str(folder), "--json").stdout)
    assert status["server"]["pid"] == process.pid
    assert [one["name"] for one in status["schedules"]] == ["add"]
    assert "item" in {one["name"] for one in status["objects"]}


def test_an_applied_schedule_runs(served: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, _ = served
    run("apply", str(folder))
    waiting = threading.Event()
    for _ in range(100):
        found = run("sql", "SELECT count(*) FROM item WHERE n = 3", "--json", "--dir", str(folder))
        if json.loads(found.stdout)["rows"] == [[1]]:
            return
        waiting.wait(0.1)
    pytest.fail("the schedule did not run")


def test_an_error_of_the_server_has_its_caret(served: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, _ = served
    found = run("sql", "SELECT 1 AS one;\nSELECT missing", "--dir", str(folder))
    assert found.returncode == 1
    assert found.stdout == "one\n1\n"
    assert 'column "missing" does not exist' in found.stderr
    assert "LINE 2: SELECT missing\n               ^" in found.stderr


def test_a_second_server_is_told_who_serves(served: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, process = served
    found = run("serve", str(folder), "--port", "0", "--console-port", "0")
    assert found.returncode == 1
    assert f"is in use by process {process.pid}" in found.stderr
    assert running(folder).pid == process.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_what_was_applied_stays(
    served: tuple[Path, subprocess.Popen[str]], number: signal.Signals
) -> None:
    folder, process = served
    run("apply", str(folder))
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert find_running(folder) is None
    assert not (folder / ".nearshift" / "server.json").exists()
    assert json.loads(run("sql", "SELECT count(*) > 1 FROM item", "--json", "--dir", str(folder)).stdout)["rows"] == [[True]]


def test_destroy_asks_first(folder: Path) -> None:
    assert run("apply", str(folder)).returncode == 0
    refused = run("destroy", str(folder))
    assert refused.returncode == 1
    assert "HINT: Say --yes." in refused.stderr
    assert "Destroyed: 5 objects." in run("destroy", str(folder), "--yes").stdout
    gone = run("sql", "SELECT * FROM item", "--dir", str(folder))
    assert gone.returncode == 1
    assert 'relation "item" does not exist' in gone.stderr


def test_a_port_in_use_is_a_clear_error_and_leaves_nothing(served: tuple[Path, subprocess.Popen[str]], tmp_path: Path) -> None:
    folder, _ = served
    other = tmp_path / "other"
    (other / "sql").mkdir(parents=True)
    (other / "nearshift.toml").write_text('name = "q"')
    found = run("serve", str(other), "--port", str(running(folder).port), "--console-port", "0")
    assert found.returncode == 1
    assert "could not listen" in found.stderr or "in use" in found.stderr
    assert "Traceback" not in found.stderr
    assert find_running(other) is None
