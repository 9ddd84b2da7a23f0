"""The one open cursor of a session, explicit or hidden in a FOR loop ("Limits and differences for stored procedure support")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nearshift.errors import InvalidSql
from nearshift.sql.relations import Column


@dataclass(frozen=True, slots=True)
class OpenCursor:
    """A cursor's name and what it has not given yet; a hidden one belongs to a FOR loop."""

    name: str
    columns: tuple[Column, ...]
    rows: Iterator[tuple[object, ...]]
    is_hidden: bool = False


class Cursors:
    """The open cursor of one top-level CALL and of the calls inside it."""

    def __init__(self) -> None:
        self._open: OpenCursor | None = None
        self._portal_count = 0

    @property
    def opened(self) -> OpenCursor | None:
        """What is open now."""
        return self._open

    def portal_name(self) -> str:
        """Return a name for a cursor that was given none."""
        self._portal_count += 1
        return f"<unnamed portal {self._portal_count}>"

    def check_free(self, name: str) -> None:
        """Raise InvalidSql when a cursor is open already: 42P03 for the same name, 24000 otherwise."""
        if self._open is None:
            return
        if self._open.name == name:
            raise InvalidSql(f'cursor "{name}" is already in use', sqlstate="42P03", hint="Close it first.")
        message = f'cursor "{name}" cannot be opened while cursor "{self._open.name}" is open'
        detail = "A session can have one open cursor, explicit or of a FOR loop over a query."
        raise InvalidSql(message, sqlstate="24000", detail=detail, hint="Close the other, or put its rows into a temporary table.")

    def open(self, cursor: OpenCursor) -> None:
        """Make it the open one."""
        self._open = cursor

    def find(self, name: str) -> OpenCursor:
        """Return the open cursor of that name. Raises InvalidSql (34000) when there is none."""
        if self._open is None or self._open.name != name:
            raise InvalidSql(f'cursor "{name}" does not exist', sqlstate="34000")
        return self._open

    def close(self, name: str) -> None:
        """Close it. Raises InvalidSql (34000) when it is not open."""
        self.find(name)
        self._open = None

    def release(self, cursor: OpenCursor) -> None:
        """Close exactly this one if it is still open."""
        if self._open is cursor:
            self._open = None

    def close_all(self) -> None:
        """Close whatever is open: cursors end with their transaction."""
        self._open = None
