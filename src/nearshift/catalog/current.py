"""The committed catalog as all sessions share it, and its version."""

from __future__ import annotations

import threading

from nearshift.catalog import catalog
from nearshift.catalog.entities import Snapshot
from nearshift.engine import Engine


class CurrentCatalog:
    """Holds the newest committed Snapshot. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._version = 0
        self._snapshot = Snapshot(0)

    @property
    def snapshot(self) -> Snapshot:
        """The newest committed snapshot."""
        return self._snapshot

    def next_version(self) -> int:
        """Return a version number that no snapshot had before."""
        with self._lock:
            self._version += 1
            return self._version

    def reload(self) -> None:
        """Read the committed catalog again; called after each commit that changed it."""
        connection = self._engine.connect()
        try:
            connection.begin()
            snapshot = catalog.load(connection, self.next_version())
            connection.commit()
        finally:
            connection.close()
        with self._lock:
            if snapshot.version > self._snapshot.version:
                self._snapshot = snapshot
