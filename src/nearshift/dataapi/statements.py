"""Statements that were submitted, from their request to the end of their day. All changes are made under one lock and wake who waits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from nearshift import limits
from nearshift.clock import Clock
from nearshift.dataapi.failures import ApiFailure, missing
from nearshift.dataapi.parameters import Numbered
from nearshift.dataapi.results import ResultShelf, StoredResult

if TYPE_CHECKING:
    from nearshift.dataapi.asked import Execution, Parameter
    from nearshift.dataapi.gate import ApiSession
    from nearshift.dataapi.sessions import KeptSession

DONE: Final = frozenset({"FINISHED", "FAILED", "ABORTED"})


@dataclass(slots=True)
class Part:
    """One SQL statement of a request; times are seconds of the clock's `monotonic`."""

    text: str
    numbered: Numbered
    created_at: datetime
    updated_at: datetime
    status: str = "SUBMITTED"
    error: str | None = None
    started: float | None = None
    ended: float | None = None
    rows: int = -1
    result: StoredResult | None = None
    query_id: int = 0

    @property
    def duration_ns(self) -> int:
        """How long it ran, -1 before its end."""
        return int((self.ended - self.started) * 1e9) if self.started is not None and self.ended is not None else -1


@dataclass(slots=True)
class Submitted:
    """One request and what became of it."""

    id: str
    asked: Execution
    user: str
    database: str
    created_at: datetime
    updated_at: datetime
    submitted: float
    parts: tuple[Part, ...]
    is_batch: bool
    is_transaction: bool
    kept: KeptSession | None = None
    status: str = "SUBMITTED"
    error: str | None = None
    pid: int = 0
    live: ApiSession | None = None
    is_cancelled: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in DONE

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The values that were given."""
        return self.asked.parameters or ()

    @property
    def has_result(self) -> bool:
        """Whether any part has a result set."""
        return any(part.result is not None for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Token:
    fingerprint: bytes
    id: str
    given: float


@dataclass(slots=True)
class Register:
    """The statements of a day, by id and by client token."""

    clock: Clock
    shelf: ResultShelf
    changed: threading.Condition = field(default_factory=threading.Condition)
    _found: OrderedDict[str, Submitted] = field(default_factory=OrderedDict)
    _tokens: OrderedDict[str, _Token] = field(default_factory=OrderedDict)

    def known(self, token: str, fingerprint: bytes) -> Submitted | None:
        """Return what the same request made before under the same token. Raises ValidationException when another request used the token."""
        with self.changed:
            self._forget_old()
            known = self._tokens.get(token)
            if known is None or known.id not in self._found:
                return None
            if known.fingerprint != fingerprint:
                raise ApiFailure("ValidationException", f"The client token {token} was used by a request with other parameters.")
            return self._found[known.id]

    def admit(self, statement: Submitted, token: str | None, fingerprint: bytes) -> Submitted:
        """Remember a new statement and return it, or the one that the same request has made under the same token meanwhile.

        Raises ApiFailure: ValidationException when another request used the token, ActiveStatementsExceededException at the limit.
        """
        with self.changed:
            known = self.known(token, fingerprint) if token is not None else None
            if known is not None:
                return known
            if sum(1 for one in self._found.values() if not one.is_done) >= limits.DATA_API_ACTIVE_MAX:
                message = f"The number of active statements exceeds the limit of {limits.DATA_API_ACTIVE_MAX}."
                raise ApiFailure("ActiveStatementsExceededException", message)
            self._found[statement.id] = statement
            if token is not None:
                self._tokens[token] = _Token(fingerprint, statement.id, self.clock.monotonic())
            return statement

    def find(self, identifier: str) -> tuple[Submitted, Part | None]:
        """Return a statement, and its part when the id names one. Raises ResourceNotFoundException."""
        base, _, number = identifier.partition(":")
        with self.changed:
            self._forget_old()
            statement = self._found.get(base)
        if statement is None or (number and not 1 <= int(number) <= len(statement.parts)):
            raise missing("Query", identifier)
        return statement, statement.parts[int(number) - 1] if number else None

    def all(self) -> list[Submitted]:
        """Return what is remembered, the newest first."""
        with self.changed:
            self._forget_old()
            return list(reversed(self._found.values()))

    def set(self, statement: Submitted, status: str, error: str | None = None) -> None:
        """Move a statement on; what is done stays done."""
        with self.changed:
            if not statement.is_done:
                statement.status, statement.error, statement.updated_at = status, error, self.clock.now()
            self.changed.notify_all()

    def wait(self, statement: Submitted, seconds: int | None) -> None:
        """Wait until a statement is done, at most so long."""
        if seconds is not None:
            with self.changed:
                self.changed.wait_for(lambda: statement.is_done, seconds)

    def _forget_old(self) -> None:
        now = self.clock.monotonic()
        for identifier, statement in list(self._found.items()):
            is_old = now - statement.submitted > limits.DATA_API_KEPT_SECONDS
            if not is_old and len(self._found) <= limits.DATA_API_STATEMENTS_KEPT_MAX:
                break
            if not statement.is_done:
                continue
            for part in statement.parts:
                if part.result is not None:
                    self.shelf.drop(part.result)
            del self._found[identifier]
        while self._tokens:
            first = next(iter(self._tokens))
            if now - self._tokens[first].given <= limits.DATA_API_TOKEN_SECONDS and self._tokens[first].id in self._found:
                break
            del self._tokens[first]
