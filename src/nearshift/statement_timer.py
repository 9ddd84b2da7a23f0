"""The clock that runs beside a statement and stops it at `statement_timeout`."""

from __future__ import annotations

import threading
from collections.abc import Callable


class StatementTimer:
    """One per session; `interrupt` is called on a thread of its own when the time is over."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._timer: threading.Timer | None = None
        self.has_expired = False

    def reset(self) -> None:
        """Forget that an earlier statement took too long."""
        self.has_expired = False

    def start(self, milliseconds: int) -> None:
        """Begin to count; 0 means no limit."""
        if milliseconds > 0:
            self._timer = threading.Timer(milliseconds / 1000, self._expire)
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        """Stop counting; harmless when nothing counts."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self.has_expired = True
        self._interrupt()
