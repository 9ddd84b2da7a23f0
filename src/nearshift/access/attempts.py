"""How often an address may try to log in: after some failures it must wait, longer each time; nobody sleeps meanwhile.

A refused attempt is not counted, so that an honest user behind the same address gets in once the time is over. The addresses that are
remembered are bounded: the one that failed longest ago is forgotten first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from nearshift import limits
from nearshift.errors import PermissionDenied


@dataclass(frozen=True, slots=True)
class Failures:
    """The failed attempts of one address: how many in a row, and the time of the last, in seconds of a clock that only goes on."""

    count: int
    last_at: float


def wait_seconds(failures: Failures, now: float) -> float:
    """Return how long an address must still wait: not at all for the first failures, then 1, 2, 4, … seconds after each, up to a bound."""
    over = failures.count - limits.LOGIN_FAILURES_FREE
    if over < 0:
        return 0.0
    pause = min(2.0**over, limits.LOGIN_PAUSE_SECONDS_MAX)
    return max(0.0, failures.last_at + pause - now)


class Attempts:
    """See the module. Safe to share between threads; `now` gives seconds of a clock that only goes on."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, Failures] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise PermissionDenied (28000) when the address has to wait."""
        with self._lock:
            failures = self._failures.get(address)
        left = wait_seconds(failures, self._now()) if failures is not None else 0.0
        if left > 0:
            raise PermissionDenied(
                "too many failed login attempts from this address", sqlstate="28000", hint=f"Wait {int(left) + 1} seconds, then try again."
            )

    def failed(self, address: str) -> None:
        """Count a failed attempt."""
        now = self._now()
        with self._lock:
            before = self._failures.pop(address, None)
            is_old = before is None or now - before.last_at > limits.LOGIN_FAILURES_SECONDS
            self._failures[address] = Failures(1 if before is None or is_old else before.count + 1, now)
            while len(self._failures) > limits.LOGIN_ADDRESSES_MAX:
                self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        with self._lock:
            self._failures.pop(address, None)
