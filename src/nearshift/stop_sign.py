"""How a session is stopped from outside: by a cancel, by `statement_timeout`, or for good; and how its statement says which it was."""

from __future__ import annotations

from collections.abc import Callable

from nearshift.errors import Cancelled
from nearshift.statement_timer import StatementTimer


class StopSign:
    """One per session. `show` and `end` may be called from any thread, the rest belongs to the session's own."""

    def __init__(self, interrupt: Callable[[], None], forget_interrupt: Callable[[], None]) -> None:
        """Stop the engine by `interrupt`; `forget_interrupt` makes it ready for the next statement."""
        self._interrupt = interrupt
        self._forget_interrupt = forget_interrupt
        self._timer = StatementTimer(self.show)
        self._is_shown = False
        self._message: str | None = None
        self.is_for_good = False

    def show(self, message: str | None = None) -> None:
        """Stop what runs; `message` tells its user more."""
        self._message = message
        self._is_shown = True
        self._interrupt()

    def end(self) -> None:
        """Stop what runs, and let no further statement begin."""
        self.is_for_good = True
        self.show()

    def take_down(self) -> None:
        """Forget an earlier stop before a statement. Raises Cancelled (57P01) when no further one may begin."""
        if self.is_for_good:
            raise self.explain(Cancelled(""))
        self._is_shown = False
        self._message = None
        self._timer.reset()
        self._forget_interrupt()

    def start_timer(self, milliseconds: int) -> None:
        """Stop what runs after so long; 0 means no limit."""
        self._timer.start(milliseconds)

    def stop_timer(self) -> None:
        """The statement has ended in time; harmless when nothing counts."""
        self._timer.stop()

    def check(self) -> None:
        """Raise Cancelled when the running statement was stopped."""
        if self._is_shown:
            raise self.explain(Cancelled("canceling statement due to user request"))

    def explain(self, error: Cancelled) -> Cancelled:
        """Say in an error why its statement was stopped."""
        if self.is_for_good:
            error.message, error.sqlstate = "terminating connection due to administrator command", "57P01"
        elif self._timer.has_expired:
            error.message = "canceling statement due to statement timeout"
        else:
            error.detail = error.detail or self._message
        error.args = (error.message,)
        return error
