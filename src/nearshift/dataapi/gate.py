"""What the Data API needs of the rest: sessions for the users that requests name.

Privileges are the session's own affair: whatever the session of a user may not do, a request in that user's name fails to do.
"""

from __future__ import annotations

from typing import Protocol

from nearshift.wire.gate import Session


class ApiSession(Session, Protocol):
    """A session of the wire that also says what it is called in the system views."""

    number: int
    last_query_id: int


class Gate(Protocol):
    """The warehouse as the Data API sees it. Calls come from many threads."""

    @property
    def administrator(self) -> str:
        """Who runs statements for which no user is named."""
        ...

    @property
    def secret(self) -> str | None:
        """The secret key that requests must be signed with, under the administrator's name as access key; None when none is asked for."""
        ...

    def open_session(self, user: str, database: str) -> ApiSession:
        """Return a new session. Raises UndefinedObject for a user (28000) or database (3D000) that does not exist."""
        ...
