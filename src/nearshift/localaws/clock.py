"""The time as the stand-in sees it: the machine's, unless the admin door has moved it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Wall time in UTC that can be skewed, advanced or stopped. Not thread safe: the server's loop owns it."""

    def __init__(self) -> None:
        self._offset_us = 0
        self._stopped_us: int | None = None

    def now_us(self) -> int:
        """Return microseconds since 1970."""
        if self._stopped_us is not None:
            return self._stopped_us
        return time.time_ns() // 1000 + self._offset_us

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return self.now_us() // 1000

    def now(self) -> float:
        """Return seconds since 1970, with the precision of a millisecond as AWS prints times."""
        return self.now_us() // 1000 / 1000

    def instant(self) -> datetime:
        """Return the time as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.now_us() / 1_000_000, UTC)

    @property
    def offset_seconds(self) -> float:
        """Say how far the clock is from the machine's, in seconds; positive when ahead."""
        return (self.now_us() - time.time_ns() // 1000) / 1_000_000

    @property
    def is_stopped(self) -> bool:
        """Say whether the clock stands still."""
        return self._stopped_us is not None

    def set(self, seconds: float) -> None:
        """Make the clock show `seconds` since 1970 now; it goes on from there unless it is stopped."""
        self.advance(seconds - self.now_us() / 1_000_000)

    def skew(self, seconds: float) -> None:
        """Run `seconds` ahead of the machine's clock (behind it when negative), whatever was set before."""
        self._stopped_us = None
        self._offset_us = round(seconds * 1_000_000)

    def advance(self, seconds: float) -> None:
        """Jump by `seconds`, forwards or backwards."""
        jump_us = round(seconds * 1_000_000)
        if self._stopped_us is not None:
            self._stopped_us += jump_us
        else:
            self._offset_us += jump_us

    def stop(self) -> None:
        """Stand still at the present moment."""
        self._stopped_us = self.now_us()

    def resume(self) -> None:
        """Go on from the moment at which the clock was stopped; nothing happens if it is running."""
        if self._stopped_us is not None:
            self._offset_us = self._stopped_us - time.time_ns() // 1000
            self._stopped_us = None
