"""How commands reach a folder's warehouse: through the server that has it open, else in this process."""

from __future__ import annotations

import os
from pathlib import Path

from nearshift.cli.client import WireConnection
from nearshift.cli.running import WAREHOUSE_FILE, FolderLock, find_running, state_folder
from nearshift.pipeline.manifest import FILE_NAME, LocalTarget, read_manifest
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.target import Answer, Connection


class OwnWarehouse:
    """The folder's warehouse opened here, for commands while no server runs. Implements `Connection`."""

    def __init__(self, folder: Path) -> None:
        """Open it. Raises Conflict when another process has it, ConfigurationError when the folder's manifest cannot be read."""
        from nearshift.warehouse import Warehouse

        manifest = folder / FILE_NAME
        local = read_manifest(manifest).targets.local if manifest.exists() else LocalTarget()
        self._lock = FolderLock(folder)
        try:
            self._warehouse = Warehouse.open(
                state_folder(folder) / WAREHOUSE_FILE, accepts_gaps=local.accepts_gaps, strict=local.is_strict,
                files=local.files_below(folder) or folder / "data",
            )  # fmt: skip
        except BaseException:
            self._lock.release()
            raise
        self._connection = SessionConnection(self._warehouse.session())

    def run(self, text: str) -> Answer:
        """Run one statement."""
        return self._connection.run(text)

    def close(self) -> None:
        """Close the warehouse and give the folder back."""
        self._connection.close()
        self._warehouse.close()
        self._lock.release()


def open_connection(folder: Path) -> Connection:
    """Return a connection to the folder's warehouse. Raises NearshiftError when it cannot be reached."""
    running = find_running(folder)
    if running is None:
        return OwnWarehouse(folder)
    password = os.environ.get("NEARSHIFT_PASSWORD") or os.environ.get("PGPASSWORD")
    return WireConnection(running.host, running.port, running.user, running.database, password)
