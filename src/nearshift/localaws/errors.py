"""The one error that a service raises, and how AWS shapes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """An answer that says no: `code` is the shape's name in the service's model, `message` the words the client shows.

    `status` is the HTTP status, 400 unless the model says otherwise. `members` are further members of the error's shape (for example
    `CancellationReasons`). Raised inside `Store.transaction()` it undoes what the request has written.
    """

    def __init__(self, code: str, message: str, status: int = 400, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members: Mapping[str, Any] = members or {}


class StartError(Exception):
    """The server cannot start; the message is one line for the person at the terminal."""
