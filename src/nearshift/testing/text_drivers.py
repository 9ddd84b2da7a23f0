"""How a text test reaches a warehouse: conversations through a Driver; here those in the process itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from nearshift.session import Session
from nearshift.testing.text_records import LETTERS
from nearshift.warehouse import Warehouse
from nearshift.wire.encode_arrow import RowEncoder


@dataclass(slots=True)
class Answer:
    """What one statement gave: type letters and rows as text for a query, None otherwise; notices as `SEVERITY: message`."""

    types: str | None = None
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


class Client(Protocol):
    """One conversation with the warehouse."""

    def run(self, text: str) -> Answer:
        """Run one statement. Raises NearshiftError with the fields that a client is shown."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Driver(Protocol):
    """A way to reach a warehouse; `name` is what `only` lines call it."""

    name: str

    def attach(self, warehouse: Warehouse) -> None:
        """Use this warehouse from now on; called again after each reopening."""
        ...

    def client(self) -> Client:
        """Return a new conversation."""
        ...

    def detach(self) -> None:
        """Let the warehouse go; its clients are closed before."""
        ...


class _SessionClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._notices: list[str] = []
        session.on_notice = lambda notice: self._notices.append(f"{notice.severity.value}: {notice.message}")

    def run(self, text: str) -> Answer:
        self._notices.clear()
        answer = Answer()
        for result in self._session.execute_script(text):
            if result.columns is None:
                continue
            answer.types = "".join(LETTERS[column.type.kind] for column in result.columns)
            encoder = RowEncoder(result.columns, (0,) * len(result.columns), self._session.settings.get("timezone"))
            answer.rows = [row for batch in result.batches for piece in encoder.encode(batch) for row in data_rows(bytes(piece))]
        answer.notices = list(self._notices)
        return answer

    def close(self) -> None:
        self._session.close()


def data_rows(piece: bytes) -> Iterator[tuple[str | None, ...]]:
    """Return the values of DataRow messages in text format ("Message formats", PostgreSQL)."""
    at = 0
    while at < len(piece):
        count = int.from_bytes(piece[at + 5 : at + 7], "big")
        at += 7
        values: list[str | None] = []
        for _column in range(count):
            length = int.from_bytes(piece[at : at + 4], "big", signed=True)
            at += 4
            values.append(None if length < 0 else piece[at : at + length].decode())
            at += max(length, 0)
        yield tuple(values)


class InProcess:
    """Sessions of the warehouse itself."""

    name = "in-process"

    def __init__(self) -> None:
        self._warehouse: Warehouse | None = None

    def attach(self, warehouse: Warehouse) -> None:
        """Use this warehouse."""
        self._warehouse = warehouse

    def client(self) -> Client:
        """Return a new session."""
        assert self._warehouse is not None, "attached first"
        return _SessionClient(self._warehouse.session())

    def detach(self) -> None:
        """Do nothing: sessions end with their warehouse."""
