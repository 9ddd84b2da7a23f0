"""One process per folder, and how others find it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nearshift.cli.running import FolderLock, Running, find_running, forget_running, is_locked, note_running
from nearshift.errors import Conflict

HERE = Running(os.getpid(), "127.0.0.1", 5439, 8439, "dev", "dev")
SOURCE = Path(__file__).parents[2] / "src"


def test_a_second_process_is_told_who_has_the_folder(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    try:
        with pytest.raises(Conflict, match=f"in use by process {os.getpid()}"):
            FolderLock(tmp_path)
    finally:
        lock.release()
    FolderLock(tmp_path).release()


def test_the_note_counts_only_while_the_lock_is_held(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    note_running(tmp_path, HERE)
    assert find_running(tmp_path) == HERE
    lock.release()
    assert find_running(tmp_path) is None
    forget_running(tmp_path)
    forget_running(tmp_path)
    assert not is_locked(tmp_path)


def test_a_process_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    program = f"""
import os, pathlib, signal
from nearshift.cli.running import FolderLock
lock = FolderLock(pathlib.Path({str(tmp_path)!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False, timeout=30, env={**os.environ, "PYTHONPATH": str(SOURCE)})
    assert (tmp_path / ".nearshift" / "lock").exists()
    assert not is_locked(tmp_path)
    FolderLock(tmp_path).release()
