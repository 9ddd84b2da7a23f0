"""Named places where a process may die, for tests that prove nothing is lost when it does.

`crash_point(name)` costs one set lookup. It acts only when the environment variable NEARSHIFT_CRASH_AT names the point at import time, or a
test has armed it: the process then ends at once, as by kill -9, with no cleanup.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "refresh.read",       # records fetched, nothing written
    "refresh.rows",       # rows appended, positions not moved
    "refresh.positions",  # positions moved, not committed
    "refresh.committed",  # committed, nobody told
    "replay.rows",        # quarantined records appended to their view, and still in the quarantine
    "replay.moved",       # out of the quarantine and in the ledger, not committed
    "replay.committed",
    "delta.rows",         # rows of a derived view appended, its mark not moved
    "delta.committed",
    "procedure.statement",  # between two statements of a procedure
    "schedule.ran",       # a scheduled statement has committed, its run is not noted
)

_armed: set[str] = set(filter(None, os.environ.get("NEARSHIFT_CRASH_AT", "").split(",")))


def arm(name: str) -> None:
    """Make the next pass of the named point end this process by SIGKILL."""
    if name not in POINTS:
        message = f"no crash point is called {name!r}"
        raise ValueError(message)
    _armed.add(name)


def crash_point(name: str) -> None:
    """End this process by SIGKILL if the named point is armed; do nothing otherwise."""
    if name in _armed:
        os.kill(os.getpid(), signal.SIGKILL)
