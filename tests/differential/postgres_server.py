"""A PostgreSQL server for the tests: Debian's package, a data directory that is thrown away, a socket in it, no port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS_MAX = 60
_PLACES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt/postgresql")
_USERS = ("postgres", "nobody")


def programs() -> Path | None:
    """Return the directory with `initdb` and `postgres`, the newest version first, or None when there is no server."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    places = [path.parent for place in _PLACES for path in Path(place).glob("**/bin/initdb")]
    return max(places, key=lambda path: _version(path), default=None)


def _version(path: Path) -> int:
    digits = path.parent.name.split(".")[0]
    return int(digits) if digits.isdigit() else 0


def _user() -> str | None:
    """Return whom the server runs as; `postgres` refuses root, and None means ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _USERS if name in known)


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """Run a server and yield the directory of its socket; it is ended by its own process id."""
    user = _user()
    # A socket's path has at most 107 bytes, which directories of pytest come near.
    home = Path(tempfile.mkdtemp(prefix="ns-pg-"))
    try:
        if user is not None:
            shutil.chown(home, user)
        data = home / "data"
        subprocess.run(
            [directory / "initdb", "-D", data, "-U", "dev", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"],
            check=True, capture_output=True, user=user, cwd=home, timeout=_START_SECONDS_MAX,
        )  # fmt: skip
        options = {"listen_addresses": "", "unix_socket_directories": str(home), "fsync": "off", "timezone": "UTC", "jit": "off"}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen([directory / "postgres", "-D", data, *words], stdout=log, stderr=log, user=user, cwd=home)
        try:
            ready: list[str | Path] = [directory / "pg_isready", "-q", "-h", home, "-t", str(_START_SECONDS_MAX)]
            for _ in range(200):
                if subprocess.run(ready, check=False).returncode == 0:
                    break
                try:
                    server.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
                raise AssertionError((home / "log").read_text(encoding="utf-8"))
            yield str(home)
        finally:
            server.terminate()
            server.wait(_START_SECONDS_MAX)
    finally:
        shutil.rmtree(home, ignore_errors=True)
