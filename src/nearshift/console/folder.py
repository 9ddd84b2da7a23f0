"""The folder of dashboard files, read again when a file changes; a file that is broken stands beside those that are not."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from nearshift.console.definition import Dashboard
from nearshift.console.places import DashboardError
from nearshift.console.reading import read_dashboard


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its dashboard, or why there is none. `stamp` changes when the file does."""

    name: str
    stamp: tuple[int, int, int]
    dashboard: Dashboard | None
    error: DashboardError | None

    @property
    def title(self) -> str:
        """What the navigation shows."""
        return self.dashboard.title if self.dashboard else self.name

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands in the navigation."""
        return (self.dashboard.order if self.dashboard else 1_000_000, self.name)


class DashboardFolder:
    """The `*.yaml` and `*.yml` files of one folder, or of none. Safe to share between threads."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}

    def entries(self) -> list[Entry]:
        """Return all dashboards in the navigation's order, having read again what changed on disk."""
        with self._lock:
            found: dict[str, Entry] = {}
            for file in self._files():
                stamp = _stamp(file)
                if stamp is None or file.stem in found:
                    continue
                before = self._entries.get(file.stem)
                found[file.stem] = before if before is not None and before.stamp == stamp else _read(file, stamp)
            self._entries = found
            return sorted(found.values(), key=lambda entry: entry.order)

    def find(self, name: str) -> Entry | None:
        """Return the dashboard of that name as the file is now, or None."""
        return next((entry for entry in self.entries() if entry.name == name), None)

    def _files(self) -> list[Path]:
        if self._path is None or not self._path.is_dir():
            return []
        return sorted(file for file in self._path.iterdir() if file.suffix in {".yaml", ".yml"} and not file.name.startswith("."))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:  # removed between listing and looking
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(file: Path, stamp: tuple[int, int, int]) -> Entry:
    try:
        return Entry(file.stem, stamp, read_dashboard(file), None)
    except DashboardError as error:
        return Entry(file.stem, stamp, None, error)
