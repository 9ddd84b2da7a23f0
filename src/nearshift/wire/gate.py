"""What the wire needs of the rest: a gate that lets users in, and the session that each of them gets.

`wire` imports neither the session nor the warehouse; whoever has these methods can be served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nearshift.access.passwords import Credential
from nearshift.results import Notice, Prepared, Result, TransactionStatus
from nearshift.types import SqlType


class Session(Protocol):
    """One client's conversation with the warehouse. All calls but `interrupt` come from the connection's own thread.

    `on_terminated` is called from any thread when somebody ends the session (PG_TERMINATE_BACKEND): statements raise 57P01 after it.
    """

    on_notice: Callable[[Notice], None]
    on_terminated: Callable[[], None]

    @property
    def status(self) -> TransactionStatus:
        """Where the session's transaction stands."""
        ...

    def parameter_status(self) -> dict[str, str]:
        """Return the settings that a client is told of at the start and whenever one changes (ParameterStatus)."""
        ...

    def execute_script(self, text: str) -> Iterator[Result]:
        """Run the statements of `text` and yield one Result each; nothing for a text without a statement. Raises NearshiftError.

        A Result is read to its end or closed before the next one is asked for.
        """
        ...

    def prepare(self, text: str, parameter_types: Sequence[SqlType | None]) -> Prepared:
        """Return what Describe tells about one statement, without running it; None stands for a type the client left open."""
        ...

    def run(self, prepared: Prepared, values: Sequence[object]) -> Result:
        """Run a prepared statement.

        Values are None, bool, int, float, Decimal, str, bytes, date, time or datetime by the parameter's type. An interval comes as text,
        and so does a date or time that Python cannot hold or that is not spelled as ISO 8601: it is to be converted as a literal would be.
        """
        ...

    def run_in_batch(self, prepared: Prepared, values: Sequence[object]) -> Result:
        """Run a prepared statement as `run` does, as a part of the transaction that `sync` ends."""
        ...

    def sync(self, *, is_commit: bool) -> None:
        """End the batch of the statements since the last Sync: commit it, or undo it after an error. Raises what a commit raises."""
        ...

    def interrupt(self) -> None:
        """Stop the running statement, which then raises Cancelled. May be called from any thread; does nothing when none runs."""
        ...

    def close(self) -> None:
        """Roll back what is open and free everything. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """Who tried to log in, from where, and how they were asked for their proof."""

    user: str
    database: str
    address: str
    port: int
    method: str
    is_encrypted: bool
    application: str


class LoginWatch(Protocol):
    """Who limits attempts to log in, and writes down what came of them. Calls come from many threads."""

    def check(self, address: str) -> None:
        """Raise PermissionDenied (28000) when this address has to wait before its next attempt."""
        ...

    def failed(self, attempt: LoginAttempt) -> None:
        """Take note that the proof was wrong."""
        ...

    def entered(self, attempt: LoginAttempt, session: object) -> None:
        """Take note that the client was let in."""
        ...

    def left(self, attempt: LoginAttempt, session: object, seconds: float) -> None:
        """Take note that a client who had been let in is gone."""
        ...


class Gate(Protocol):
    """The warehouse as the server sees it. Calls come from many threads."""

    def password_of(self, user: str) -> Credential | None:
        """Return what proves that a client is `user`, or None when no password is needed; then only clients on this machine get in.

        For a user that does not exist `Credential.of_nobody()` keeps to itself that there is none; PermissionDenied (28P01) may be raised.
        """
        ...

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> Session:
        """Return a new session. `options` are settings from the startup packet; those that are no setting are to be ignored.

        Raises UndefinedObject (3D000) for a database that does not exist.
        """
        ...
