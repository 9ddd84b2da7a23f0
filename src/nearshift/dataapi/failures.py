"""Errors as the Data API sends them: a name that SDKs turn into a class, a message, sometimes one more member.

"Common Error Types" and the Errors of each action, Amazon Redshift Data API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class ApiFailure(Exception):
    """A request that is refused: `kind` is the name of the error, `status` that of HTTP."""

    def __init__(self, kind: str, message: str, *, status: int = HTTPStatus.BAD_REQUEST, members: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.members = dict(members or {})


def invalid(message: str) -> ApiFailure:
    """Return a ValidationException."""
    return ApiFailure("ValidationException", message)


def missing(what: str, identifier: str) -> ApiFailure:
    """Return the ResourceNotFoundException of a statement, session, table or other thing that is not there."""
    message = f"{what} doesn't exist: {identifier}"
    return ApiFailure("ResourceNotFoundException", message, members={"ResourceId": identifier})
