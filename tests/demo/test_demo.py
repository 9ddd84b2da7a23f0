"""The demo as a user runs it; and that its comparison is worth something: loads that are wrong make it say no."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
EXAMPLE = SOURCE / "nearshift" / "examples" / "customer-transactions"
# AWS settings of the user, which the demo must not follow.
_ENVIRONMENT = {
    **os.environ, "PYTHONPATH": str(SOURCE), "NO_COLOR": "1", "AWS_PROFILE": "mine", "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:1",
}  # fmt: skip
_PROGRAM = "import sys; from nearshift.cli.main import main; main(sys.argv[1:])"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, "demo", "--port", "0", "--console-port", "0", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=110, check=False, env=_ENVIRONMENT)


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that mention the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


@pytest.mark.slow
def test_the_facts_match_and_nothing_is_left_running(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    found = run("--seconds", "6", "--rate", "100", "--dir", str(folder), "--json")
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert report["facts_match"] is True
    assert report["difference_count"] == 0
    assert report["changes_written"] > 200
    assert report["rows"]["customer_transaction_fact"] > 30
    assert report["freshness_ms"]["count"] > 100
    assert 0 < report["freshness_ms"]["p50"] <= report["freshness_ms"]["p99"]
    assert processes_of(folder) == []
    assert not (folder / ".nearshift" / "server.json").exists()


def _without_removes(sql: str) -> str:
    return sql.replace("WHERE NOT is_removed;", "WHERE true;").replace("WHERE is_removed;", "WHERE false;")


def _takes_the_oldest(sql: str) -> str:
    return sql.replace("ORDER BY e.change_us DESC", "ORDER BY e.change_us ASC")


def _lets_late_changes_win(sql: str) -> str:
    other = "stage_customer_transaction_fact.change_us"
    return sql.replace(f"(f.change_us > {other}", f"(f.change_us < {other}")


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [_without_removes, _takes_the_oldest, _lets_late_changes_win])
def test_a_load_that_is_wrong_is_found_out(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    folder = tmp_path / "d"
    shutil.copytree(EXAMPLE, folder)
    load = folder / "sql" / "200_customer_transaction_fact.sql"
    right = load.read_text()
    load.write_text(spoil(right))
    assert load.read_text() != right
    found = run("--seconds", "7", "--rate", "150", "--dir", str(folder))
    assert found.returncode == 1, found.stdout + found.stderr
    assert "facts match DynamoDB:  no" in found.stdout
    assert "customer_transaction_fact (CUSTOMER#" in found.stdout


@pytest.mark.slow
def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    process = subprocess.Popen(command("--dir", str(folder)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_ENVIRONMENT)
    assert process.stderr is not None
    line = ""
    while "written" not in line:
        line = process.stderr.readline()
        assert line, "it ended too early"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert processes_of(folder) == []


@pytest.mark.slow
def test_a_demo_that_is_killed_takes_its_processes_along(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    process = subprocess.Popen(command("--dir", str(folder)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_ENVIRONMENT)
    assert process.stderr is not None
    while "written" not in process.stderr.readline():
        pass
    process.kill()
    process.communicate(timeout=30)
    waiting = threading.Event()
    for _ in range(300):
        if processes_of(folder) == []:
            return
        waiting.wait(0.1)
    pytest.fail("processes are left: " + "; ".join(processes_of(folder)))


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    found = run("--seconds", "1", "--dir", str(tmp_path))
    assert found.returncode == 1
    assert "is not empty and no pipeline folder" in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
