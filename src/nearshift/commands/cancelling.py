"""Stopping what another session runs: CANCEL, PG_CANCEL_BACKEND and PG_TERMINATE_BACKEND.

A process number is what PG_BACKEND_PID says in the session that is meant. Only a superuser may stop other users' statements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from nearshift.errors import PermissionDenied
from nearshift.house import House
from nearshift.results import Result, Severity
from nearshift.sql import statements as st

if TYPE_CHECKING:
    from nearshift.session import Session

# The function of the engine that the two SQL functions call; its arguments are the process, whether to end it, and who asks.
STOP_FUNCTION: Final = "nearshift_stop_process"
STOP_TYPES: Final = ("INTEGER", "BOOLEAN", "INTEGER")


def cancel(session: Session, statement: st.Cancel) -> Result:
    """Run CANCEL ("CANCEL"): the other session's statement fails, with the message as its detail.

    An unknown process is a warning. Raises PermissionDenied (42501) when the process is another user's.
    """
    target = _session(session.house, statement.process)
    if target is None:
        session.notice(Severity.WARNING, f"PID {statement.process} is not a server process")
        return Result("CANCEL")
    _require_right(session, target)
    target.interrupt(statement.message)
    return Result("CANCEL")


def stopper(house: House) -> Callable[[pa.Array, pa.Array, pa.Array], pa.Array]:
    """Return the function over arrays behind PG_CANCEL_BACKEND and PG_TERMINATE_BACKEND: 1 for what was stopped, 0 for no process."""

    def stop(processes: pa.Array, are_ended: pa.Array, callers: pa.Array) -> pa.Array:
        rows = zip(processes.to_pylist(), are_ended.to_pylist(), callers.to_pylist(), strict=True)
        return pa.array([_stopped(house, process, caller, is_end=is_end) for process, is_end, caller in rows], pa.int32())

    return stop


def _stopped(house: House, process: int | None, caller: int, *, is_end: bool) -> int | None:
    if process is None:
        return None
    target, asking = _session(house, process), _session(house, caller)
    if target is None or asking is None:
        return 0
    _require_right(asking, target)
    if is_end:
        target.terminate()
    else:
        target.interrupt()
    return 1


def _session(house: House, process: int) -> Session | None:
    return next((one for one in house.sessions() if one.number == process), None)


def _require_right(session: Session, target: Session) -> None:
    if target.session_user != session.session_user and not session.rights.has_system("CANCEL"):
        raise PermissionDenied("must be superuser to stop another user's statement", hint="Ask an administrator.")
