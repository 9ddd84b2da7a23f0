"""A process that dies between two statements of an atomic procedure leaves nothing of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb

import nearshift.errors

PROGRAM = """
import importlib.util, sys
import duckdb
spec = importlib.util.spec_from_file_location("duckdb_runner", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
runner = module.DuckRunner()
runner.connection = duckdb.connect(sys.argv[2])
runner.execute("create table t (a int)")
from nearshift import faults
runner.create("create procedure p() as $$ begin insert into t values (1); commit; "
              "insert into t values (2); call arm(); null; end; $$ language plpgsql")
runner.create("create procedure arm() as $$ begin perform 1; end; $$ language plpgsql")
original = runner.run
def run(sql, scope):
    if sql.strip().startswith("SELECT"):
        faults.arm("procedure.statement")
    return original(sql, scope)
runner.run = run
runner.call("call p()")
"""


def test_killed_between_two_statements(tmp_path: Path) -> None:
    database = tmp_path / "w.duckdb"
    source = str(Path(nearshift.errors.__file__).parents[1])
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).with_name("duckdb_runner.py")), str(database)]
    done = subprocess.run(command, timeout=60, check=False, capture_output=True, env={**os.environ, "PYTHONPATH": source})
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with duckdb.connect(str(database)) as connection:
        assert connection.execute("select a from t").fetchall() == [(1,)]
