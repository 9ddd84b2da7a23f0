"""A session of this process as a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from nearshift.pipeline.target import Answer
from nearshift.results import Notice, Result


class Session(Protocol):
    """What is used of a session."""

    on_notice: Callable[[Notice], None]

    def execute_script(self, text: str) -> Iterator[Result]:
        """Run the statements of a text."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class SessionConnection:
    """Owns the session and ends it. Implements `Connection`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._notices: list[Notice] = []
        session.on_notice = self._notices.append

    def run(self, text: str) -> Answer:
        """Run one statement (of a script: all; the last result counts) and return what it gives. Raises NearshiftError."""
        self._notices.clear()
        answer = Answer("")
        for result in self._session.execute_script(text):
            rows = result.rows()
            columns = tuple(column.name for column in result.columns or ())
            answer = Answer(result.tag(), columns, rows if result.columns is not None else ())
        return Answer(answer.tag, answer.columns, answer.rows, tuple(self._notices))

    def close(self) -> None:
        """End the session."""
        self._session.close()
