"""The exhibit folder on a bench: changes arrive at chosen seconds, all loads run over the same records."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nearshift.clock import ManualClock
from nearshift.generate.folder import plan_files, write
from nearshift.pipeline.bench import Bench, Benches
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.testfile import change_record

EXHIBIT = Path(__file__).parent / "exhibit"
APPLIED = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = 1767225600  # APPLIED
OURS = ("image_fact", "value_fact", "history_dim")
_REFRESHES = ("stream_vw", "published_stream_vw")


class Exhibit:
    """A bench of the exhibit; seconds count from when the folder was applied."""

    def __init__(self, bench: Bench, clock: ManualClock) -> None:
        self.bench = bench
        self._clock = clock

    def at(self, second: float) -> None:
        """Set the clock."""
        self._clock.set(APPLIED + timedelta(seconds=second))

    def put(
        self, arrives: float, event: str = "INSERT", *, created: float | None = None, pk: str = "CUSTOMER#C1", sk: str = "TRANSACTION#T1",
        event_id: str | None = None, **new: Any,
    ) -> None:  # fmt: skip
        """Let a change arrive; `created` is when it happened, the same second unless given."""
        self.at(arrives)
        when = SECOND + (arrives if created is None else created)
        given: dict[str, Any] = {"at": when, "event": event, "pk": pk, "sk": sk}
        given |= {"id": event_id} if event_id else {}
        self.bench.put(change_record(given | ({} if event == "REMOVE" else {"new": new}), None))

    def put_raw(self, arrives: float, record: dict[str, Any]) -> None:
        """Let a record arrive as it stands."""
        self.at(arrives)
        self.bench.put(json.dumps(record).encode())

    def refresh(self, second: float) -> None:
        """Refresh the views of the stream."""
        self.at(second)
        for view in _REFRESHES:
            self.bench.run(f"REFRESH MATERIALIZED VIEW {view}")

    def call(self, second: float) -> None:
        """Run all loads."""
        self.at(second)
        for name in ("published", *OURS):
            self.bench.run(f"CALL sp_load_{name}()")

    def load(self, second: float) -> None:
        """Refresh the views of the stream and run all loads."""
        self.refresh(second)
        self.call(second)

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Return the columns of a fact, in order."""
        current = " WHERE is_current" if table == "history_dim" else ""
        return [tuple(row) for row in self.bench.run(f"SELECT {columns} FROM {table}{current} ORDER BY {columns}").rows]


@contextmanager
def exhibit_benches(folder: Path) -> Iterator[tuple[Benches, ManualClock]]:
    """Yield benches of the exhibit, applied at second 0."""
    shutil.copytree(EXHIBIT, folder)
    write(plan_files(folder))
    clock = ManualClock(APPLIED)
    with Benches(read_folder(folder), clock) as benches:
        yield benches, clock
