"""Who serves a pipeline folder: one process at a time, held by a lock that ends with the process, and where it listens, in a small file."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import IO, Final

import msgspec

from nearshift.clock import SystemClock
from nearshift.errors import ConfigurationError, Conflict

STATE_FOLDER: Final = ".nearshift"
WAREHOUSE_FILE: Final = "warehouse.duckdb"
_ATTEMPTS: Final = 5
_ATTEMPT_SECONDS: Final = 0.05


class Running(msgspec.Struct, frozen=True):
    """What `.nearshift/server.json` says of the process that serves the folder."""

    pid: int
    host: str
    port: int
    console_port: int
    user: str
    database: str

    @property
    def console_url(self) -> str:
        """The console's address."""
        return f"http://{self.host}:{self.console_port}"

    @property
    def dsn(self) -> str:
        """What psql and other clients take."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"


def state_folder(folder: Path) -> Path:
    """Return the folder of a pipeline's state, made if need be. Raises ConfigurationError when it cannot be made."""
    path = folder / STATE_FOLDER
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f'could not make "{path}": {(error.strerror or "unknown reason").lower()}') from error
    return path


class FolderLock:
    """The right to open a folder's warehouse. The operating system takes it back when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises Conflict (55006), which names the process that has it."""
        self._path = state_folder(folder) / "lock"
        self._file: IO[str] = self._path.open("a+", encoding="ascii")
        try:
            _lock_patiently(self._file)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            message = f'the warehouse of "{folder}" is in use by process {holder}'
            hint = "Stop that process, or talk to it: nearshift status, nearshift sql."
            raise Conflict(message, sqlstate="55006", hint=hint) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Give the lock back. A second call does nothing."""
        if not self._file.closed:
            self._file.truncate(0)
            self._file.close()


def _lock_patiently(file: IO[str]) -> None:
    """Lock the file; a look by `is_locked`, which takes no time, is waited out. Raises OSError when somebody keeps it."""
    never, clock = threading.Event(), SystemClock()
    for _ in range(_ATTEMPTS):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            clock.wait(never, _ATTEMPT_SECONDS)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(folder: Path) -> bool:
    """Tell whether some process has the folder's warehouse open."""
    path = folder / STATE_FOLDER / "lock"
    if not path.exists():
        return False
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def note_running(folder: Path, running: Running) -> None:
    """Write where the server listens, at once and whole."""
    path = state_folder(folder) / "server.json"
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(running))
    draft.replace(path)


def forget_running(folder: Path) -> None:
    """Remove the note, if it is there."""
    (folder / STATE_FOLDER / "server.json").unlink(missing_ok=True)


def find_running(folder: Path) -> Running | None:
    """Return where the folder's server listens, or None when no process has the folder."""
    path = folder / STATE_FOLDER / "server.json"
    if not path.exists() or not is_locked(folder):
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None
