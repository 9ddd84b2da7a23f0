"""JSON as the console answers it: one encoder, one shape of error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from starlette.responses import Response

from nearshift.console.places import DashboardError
from nearshift.errors import (
    ConfigurationError,
    Conflict,
    InternalError,
    NearshiftError,
    PermissionDenied,
    UndefinedObject,
)

_ENCODER = msgspec.json.Encoder(decimal_format="string")
_STATUS: tuple[tuple[type[NearshiftError], int], ...] = (
    (PermissionDenied, 403), (UndefinedObject, 404), (Conflict, 409), (ConfigurationError, 422), (InternalError, 500),
)  # fmt: skip


def encode(value: object) -> bytes:
    """Return compact JSON; Decimals become text."""
    return _ENCODER.encode(value)


def iso(instant: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC, to the millisecond."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def describe_error(error: NearshiftError, text: str | None = None) -> dict[str, object]:
    """Return what a client is told of an error.

    `position` and `end` count characters from 1 and from the start of `text`; `line` and `column` count from 1. Keys without a value are
    null, so that the shape is always the same.
    """
    shape: dict[str, object] = {
        "message": error.message, "sqlstate": error.sqlstate, "detail": error.detail, "hint": error.hint, "context": error.context,
        "position": None, "end": None, "line": None, "column": None, "file": None, "key": None,
    }  # fmt: skip
    if isinstance(error, DashboardError):
        shape.update(file=error.file, key=error.key, line=error.line)
    elif error.span is not None:
        shape.update(position=error.span.start + 1, end=error.span.end + 1)
        if text is not None:
            start = min(error.span.start, len(text))
            shape.update(line=text.count("\n", 0, start) + 1, column=start - text.rfind("\n", 0, start))
    return shape


class JsonReply(Response):
    """A JSON answer that no cache keeps."""

    media_type = "application/json"

    def __init__(self, value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(encode(value), status, {"Cache-Control": "no-store", **(headers or {})})


def error_reply(error: NearshiftError, text: str | None = None) -> JsonReply:
    """Return the answer for an error: `{"error": {…}}` with the HTTP status that its kind means."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
    return JsonReply({"error": describe_error(error, text)}, status)
