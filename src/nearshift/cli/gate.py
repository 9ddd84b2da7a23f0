"""Who is let in by the wire, and what is written down about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from nearshift.access.attempts import Attempts
from nearshift.access.passwords import Credential
from nearshift.catalog.principals import UserEntry
from nearshift.clock import Clock
from nearshift.errors import PermissionDenied
from nearshift.house import ConnectionNote
from nearshift.warehouse import Warehouse
from nearshift.wire.gate import LoginAttempt


class WarehouseGate:
    """Lets users in by their passwords. Implements `wire.gate.Gate`.

    The administrator's password is the server's, else the one that ALTER USER gave. While there is none, the administrator is asked for
    none on this machine. Who has expired, has no password or does not exist is asked for one like everybody, and none fits.
    """

    def __init__(self, warehouse: Warehouse, password: str | None, clock: Clock) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._own = Credential.of_password(warehouse.admin, password) if password else None

    def password_of(self, user: str) -> Credential | None:
        """Return what proves that a client is `user`; None for the administrator without a password."""
        entry = self._warehouse.user(user)
        is_admin = user == self._warehouse.admin
        if is_admin and self._own is not None:
            return self._own
        if entry is None:
            if self._is_open():
                message = f'user "{user}" does not exist'
                raise PermissionDenied(message, sqlstate="28P01", hint=f'Connect as "{self._warehouse.admin}".')
            return Credential.of_nobody()
        if self._has_expired(entry):
            return Credential.of_nobody()
        if entry.credential is not None:
            return Credential.parse(entry.credential)
        return None if is_admin and not entry.is_password_disabled else Credential.of_nobody()

    def _is_open(self) -> bool:
        """Tell whether everybody on this machine may be the administrator: then names are no secret."""
        admin = self._warehouse.user(self._warehouse.admin)
        return self._own is None and admin is not None and admin.credential is None and not admin.is_password_disabled

    def _has_expired(self, entry: UserEntry) -> bool:
        return entry.valid_until is not None and entry.valid_until <= self._clock.now().astimezone(UTC).replace(tzinfo=None)

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> Any:
        """Return a new session of the user."""
        return self._warehouse.session(user, database, options=options)


class Watch:
    """Slows guessing down and notes logins for sys_connection_log. Implements `wire.gate.LoginWatch`."""

    def __init__(self, warehouse: Warehouse, clock: Clock) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._attempts = Attempts(clock.monotonic)

    def check(self, address: str) -> None:
        """Raise PermissionDenied (28000) when the address has failed too often."""
        self._attempts.check(address)

    def failed(self, attempt: LoginAttempt) -> None:
        """Note a wrong proof."""
        self._attempts.failed(attempt.address)
        self._note("authentication failure", attempt, None, 0)

    def entered(self, attempt: LoginAttempt, session: object) -> None:
        """Note a login."""
        self._attempts.succeeded(attempt.address)
        number = getattr(session, "number", None)
        self._note("authenticated", attempt, number, 0)
        self._note("initiating session", attempt, number, 0)

    def left(self, attempt: LoginAttempt, session: object, seconds: float) -> None:
        """Note the end of a session."""
        self._note("disconnecting session", attempt, getattr(session, "number", None), int(seconds * 1_000_000))

    def _note(self, event: str, attempt: LoginAttempt, session: int | None, duration: int) -> None:
        self._warehouse.note_connection(
            ConnectionNote(
                event, self._clock.now(), attempt.address, attempt.port, session, attempt.database, attempt.user, attempt.method, duration,
                attempt.is_encrypted, attempt.application,
            )
        )  # fmt: skip
