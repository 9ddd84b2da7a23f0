"""Sessions that outlive a request: SessionKeepAliveSeconds and SessionId ("Amazon Redshift Data API session reuse", management guide).

A kept session serves one request at a time, and ends when it was idle for its time, or at the end of its day.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass

from nearshift import limits
from nearshift.clock import Clock
from nearshift.dataapi.failures import ApiFailure, invalid, missing
from nearshift.dataapi.gate import ApiSession


@dataclass(slots=True)
class KeptSession:
    """One session; `idle_since` is None while a request has it."""

    id: str
    user: str
    database: str
    session: ApiSession
    keep_seconds: int
    opened: float
    idle_since: float | None = None


class KeptSessions:
    """All of them. Safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[str, KeptSession] = {}

    def open(self, session: ApiSession, user: str, database: str, keep_seconds: int) -> KeptSession:
        """Keep a new session, which the caller has until `release`. Raises ActiveSessionsExceededException; the session is closed then."""
        self.close_idle()
        with self._lock:
            if len(self._found) < limits.DATA_API_SESSIONS_MAX:
                kept = KeptSession(str(uuid.uuid4()), user, database, session, keep_seconds, self._clock.monotonic())
                self._found[kept.id] = kept
                return kept
        session.close()
        message = f"The number of active sessions exceeds the limit of {limits.DATA_API_SESSIONS_MAX}."
        raise ApiFailure("ActiveSessionsExceededException", message)

    def claim(self, identifier: str, keep_seconds: int | None) -> KeptSession:
        """Return a session that is idle, for one request. Raises ResourceNotFoundException, ValidationException while it is busy."""
        self.close_idle()
        with self._lock:
            kept = self._found.get(identifier)
            if kept is None:
                raise missing("Session", identifier)
            if kept.idle_since is None:
                raise invalid(f"Session {identifier} is not available: it runs another statement.")
            kept.idle_since = None
            if keep_seconds is not None:
                kept.keep_seconds = keep_seconds
            return kept

    def release(self, kept: KeptSession) -> None:
        """Take it back; its time begins."""
        with self._lock:
            kept.idle_since = self._clock.monotonic()
        self.close_idle()

    def close_idle(self) -> None:
        """End those whose time is over."""
        now = self._clock.monotonic()
        with self._lock:
            over = [
                kept
                for kept in self._found.values()
                if kept.idle_since is not None
                and (now - kept.idle_since >= kept.keep_seconds or now - kept.opened >= limits.DATA_API_KEPT_SECONDS)
            ]
            for kept in over:
                del self._found[kept.id]
        for kept in over:
            kept.session.close()

    def close(self) -> None:
        """End all."""
        with self._lock:
            found, self._found = list(self._found.values()), {}
        for kept in found:
            kept.session.close()
