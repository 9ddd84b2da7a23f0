"""Death by SIGKILL at every named point: reopened, the same work gives the same rows; nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nearshift import faults

PROGRAM = Path(__file__).parent / "scenario.py"
SCENARIO = runpy.run_path(str(PROGRAM))
SOURCE = Path(__file__).parents[2] / "src"


def write(folder: Path, seed: int, count: int) -> None:
    """Append lines to the two files, every seventh of them no JSON."""
    random = Random(seed)
    for name in ("one.jsonl", "two.jsonl"):
        with (folder / name).open("a") as file:
            for i in range(count):
                entry = {"id": random.randrange(5), "amount": random.randrange(1000) / 4}
                file.write("no json\n" if i % 7 == 6 else json.dumps(entry) + "\n")


def expected(folder: Path) -> tuple[list[tuple[int, Decimal, int]], int, int]:
    """Return the facts that the lines mean, and how many lines are JSON and how many are not."""
    amounts: Counter[int] = Counter()
    entries: Counter[int] = Counter()
    good = bad = 0
    for line in [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]:
        if line.startswith("{"):
            found = json.loads(line)
            amounts[found["id"]] += int(found["amount"] * 100)
            entries[found["id"]] += 1
            good += 1
        else:
            bad += 1
    return [(key, Decimal(amounts[key]) / 100, entries[key]) for key in sorted(amounts)], good, bad


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the pipeline in it, and a first load done."""
    place = tmp_path_factory.mktemp("prepared")
    (place / "lines").mkdir()
    write(place / "lines", 1, 20)
    with SCENARIO["open_warehouse"](place / "w.duckdb", place / "lines") as warehouse:
        SCENARIO["rows"](warehouse, SCENARIO["SETUP"])
        SCENARIO["work"](warehouse)
    return place


# Those of a replay are passed where replays are tested, since a pipeline has none of its own.
POINTS = [point for point in faults.POINTS if not point.startswith("replay.")]


@pytest.mark.parametrize("point", POINTS)
def test_death_at_a_named_point_loses_and_doubles_nothing(point: str, prepared: Path, tmp_path: Path) -> None:
    place = tmp_path / "copy"
    shutil.copytree(prepared, place)
    # The folder is the stream's identity: a copy would be another stream, so the copy reads the folder that was prepared, as it grows.
    folder = prepared / "lines"
    write(folder, 2 + POINTS.index(point), 20)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(place / "w.duckdb"), str(folder)], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "NEARSHIFT_CRASH_AT": point, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    write(folder, 100 + POINTS.index(point), 5)
    with SCENARIO["open_warehouse"](place / "w.duckdb", folder) as warehouse:
        SCENARIO["work"](warehouse)
        check(warehouse, folder)


def check(warehouse: Any, folder: Path) -> None:
    """Compare everything that the warehouse holds with the lines."""
    facts, good, bad = expected(folder)
    rows = SCENARIO["rows"]
    assert rows(warehouse, "SELECT id, amount, entries FROM fact ORDER BY id") == facts
    assert rows(warehouse, "SELECT count(*), count(DISTINCT shard_id || sequence_number) FROM line") == [(good, good)]
    assert rows(warehouse, "SELECT count(*), count(DISTINCT shard_id || sequence_number) FROM entry") == [(good, good)]
    ledger = "SELECT sum(read_rows), sum(stored_rows), sum(filtered_rows), bool_and(is_balanced) FROM sys_nearshift_ledger"
    assert rows(warehouse, ledger) == [(good + bad, good, bad, True)]
    assert rows(warehouse, "SELECT count(*) FROM sys_nearshift_gap") == [(0,)]


def test_every_point_is_passed_somewhere() -> None:
    text = "\n".join(path.read_text() for path in (SOURCE / "nearshift").rglob("*.py") if path.name != "faults.py")
    assert [point for point in faults.POINTS if f'crash_point("{point}")' not in text] == []
