"""A gate over DuckDB in memory for the tests of the wire: enough SQL to drive real clients, none of Redshift's."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from nearshift import limits
from nearshift.errors import Cancelled, InvalidSql, NearshiftError, Span, UndefinedObject
from nearshift.results import Notice, Prepared, Result, Severity, TransactionStatus
from nearshift.sql.relations import Column
from nearshift.types import Kind, SqlType, from_duckdb
from nearshift.wire import Credential, WireServer
from nearshift.wire.conversation import Conversation, Step
from nearshift.wire.messages import Sendable, encode_message
from nearshift.wire.register import Register
from nearshift.wire.startup import PROTOCOL_3_0, Startup

_STAND_INS: dict[Kind, object] = {
    Kind.BOOLEAN: True, Kind.SMALLINT: 1, Kind.INTEGER: 1, Kind.BIGINT: 1 << 40, Kind.OID: 1, Kind.REAL: 1.5, Kind.DOUBLE: 1.5,
    Kind.DECIMAL: Decimal("1.5"), Kind.DATE: date(2000, 1, 1), Kind.TIME: time(1, 2),
    Kind.TIMESTAMP: datetime.fromisoformat("2000-01-01"),
    Kind.TIMESTAMPTZ: datetime(2000, 1, 1, tzinfo=UTC), Kind.VARBYTE: b"", Kind.VARCHAR: "",
}  # fmt: skip


class FakeSession:
    """One connection's cursor; transactions are only counted, `\\notice`, `\\sleep` and `\\wide` stand for what SQL cannot say here."""

    def __init__(self, gate: FakeGate, connection: duckdb.DuckDBPyConnection, settings: Mapping[str, str]) -> None:
        self.status = TransactionStatus.IDLE
        self.on_notice: Callable[[Notice], None] = lambda notice: None
        self.on_terminated: Callable[[], None] = lambda: None
        self.settings = {
            "server_version": "8.0.2", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC", "integer_datetimes": "on",
            "standard_conforming_strings": "on", "padb_revision": "1.0.12103",
        }  # fmt: skip
        self.options = dict(settings)
        self.is_interrupted = threading.Event()
        self.is_closed = False
        self.batches: list[bool] = []
        self._gate = gate
        self._connection = connection
        self._open: Iterator[Any] | None = None

    def parameter_status(self) -> dict[str, str]:
        return self.settings

    def execute_script(self, text: str) -> Iterator[Result]:
        for part in text.split(";"):
            if part.strip():
                yield self._run(part, None)

    def prepare(self, text: str, parameter_types: Sequence[SqlType | None]) -> Prepared:
        self._check()
        count = max((int(number) for number in re.findall(r"\$(\d+)", text)), default=0)
        given = [*parameter_types, *([None] * (count - len(parameter_types)))][:count]
        kinds = tuple(kind if kind is not None else from_duckdb("VARCHAR") for kind in given)
        relation = self._relation(text, [_STAND_INS[kind.kind] for kind in kinds])
        return Prepared(text, kinds, None if relation is None else _columns(relation))

    def run(self, prepared: Prepared, values: Sequence[object]) -> Result:
        return self._run(prepared.text, list(values))

    def run_in_batch(self, prepared: Prepared, values: Sequence[object]) -> Result:
        return self._run(prepared.text, list(values))

    def sync(self, *, is_commit: bool) -> None:
        self.batches.append(is_commit)

    def interrupt(self) -> None:
        self.is_interrupted.set()
        self._connection.interrupt()

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._gate.closed.append(self)
            self._connection.close()

    def _check(self) -> None:
        assert self._open is None, "a result is still open"

    def _run(self, text: str, values: list[object] | None) -> Result:
        self._check()
        self.is_interrupted.clear()
        word = text.split()[0].lower()
        if word in {"begin", "commit", "rollback"}:
            self.status = TransactionStatus.OPEN if word == "begin" else TransactionStatus.IDLE
            return Result(word.upper())
        try:
            return self._act(word, text, values)
        except NearshiftError:
            if self.status is TransactionStatus.OPEN:
                self.status = TransactionStatus.FAILED
            raise

    def _act(self, word: str, text: str, values: list[object] | None) -> Result:
        if word == "set":
            name, value = text.split(None, 1)[1].split("=")
            self.settings[name.strip()] = value.strip(" '")
            return Result("SET")
        if word == "notice":
            self.on_notice(Notice(Severity.INFO, text.split(None, 1)[1], hint="none"))
            return Result("CALL")
        if word == "hang":
            self._gate.hanging.set()
            assert self.is_interrupted.wait(20)
            raise Cancelled("canceling statement due to user request")
        if word == "crash":
            raise RuntimeError("a fault of the test")
        relation = self._relation(text, values)
        if relation is None:
            return Result(word.upper(), row_count=1)
        self._open = self._batches(relation)
        return Result("SELECT", _columns(relation), self._open)

    def _relation(self, text: str, values: list[Any] | None) -> duckdb.DuckDBPyRelation | None:
        if text.split()[0].lower() in {"begin", "commit", "rollback", "set", "notice", "hang", "crash"}:
            return None
        try:
            found: duckdb.DuckDBPyRelation | None = self._connection.sql(text, params=values or None)
        except duckdb.ParserException as failure:
            at = text.find("oops")
            raise InvalidSql("syntax error", span=Span(at, at + 4), hint="Write SQL.", detail=str(failure)[:20]) from failure
        except duckdb.CatalogException as failure:
            raise UndefinedObject("relation does not exist", context="PL/pgSQL function p() line 3") from failure
        except duckdb.Error as failure:
            raise NearshiftError(str(failure).splitlines()[0], sqlstate="22000") from failure
        return found

    def _batches(self, relation: duckdb.DuckDBPyRelation) -> Iterator[Any]:
        reader = relation.to_arrow_reader(limits.RESULT_BATCH_ROWS)
        self._gate.open_results += 1
        try:
            yield from reader
        except (duckdb.Error, OSError) as failure:
            kind = Cancelled if "INTERRUPT" in str(failure).upper() else NearshiftError
            raise kind("canceling statement due to user request" if kind is Cancelled else str(failure).splitlines()[0]) from failure
        finally:
            self._gate.open_results -= 1
            self._open = None
            reader.close()


def _columns(relation: duckdb.DuckDBPyRelation) -> tuple[Column, ...]:
    return tuple(Column(name, from_duckdb(str(kind))) for name, kind in zip(relation.columns, relation.types, strict=True))


@dataclass
class FakeGate:
    """Lets everybody in; those in `passwords` only with theirs."""

    passwords: dict[str, Credential] = field(default_factory=dict)
    opened: list[FakeSession] = field(default_factory=list)
    closed: list[FakeSession] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    open_results: int = 0
    database: duckdb.DuckDBPyConnection = field(default_factory=lambda: duckdb.connect(":memory:", config={"threads": "2"}))

    def password_of(self, user: str) -> Credential | None:
        return self.passwords.get(user)

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> FakeSession:
        if database == "nowhere":
            raise UndefinedObject('database "nowhere" does not exist', sqlstate="3D000")
        session = FakeSession(self, self.database.cursor(), options)
        self.opened.append(session)
        return session


class Talk:
    """A client without a socket: it writes messages into a conversation and reads the replies as (type, body)."""

    def __init__(self, gate: FakeGate, **options: Any) -> None:
        self.register = Register(3)
        self.sent: list[bytes] = []
        self.step = Step.GO_ON
        self.conversation = Conversation(gate, self.register, lambda data: self.sent.append(bytes(data)), **options)

    def put(self, data: bytes) -> list[tuple[str, bytes]]:
        """Hand over bytes and return the replies to them."""
        self.sent.clear()
        self.step = self.conversation.receive(data)
        return split_replies(b"".join(self.sent))

    def say(self, *parts: Sendable) -> list[tuple[str, bytes]]:
        """Hand over messages and return the replies to them."""
        return self.put(b"".join(encode_message(part) for part in parts))

    def begin(self, **parameters: str) -> list[tuple[str, bytes]]:
        """Send a startup packet and return the replies to it."""
        return self.put(Startup(PROTOCOL_3_0, {"user": "ada", **parameters}).encode())


def split_replies(stream: bytes) -> list[tuple[str, bytes]]:
    """Read whole messages of the server."""
    found, at = [], 0
    while at < len(stream):
        end = at + 1 + int.from_bytes(stream[at + 1 : at + 5], "big")
        found.append((stream[at : at + 1].decode(), stream[at + 5 : end]))
        at = end
    assert at == len(stream)
    return found


def error_fields(body: bytes) -> dict[str, str]:
    """Read the fields of an ErrorResponse or NoticeResponse."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


@pytest.fixture
def talk(gate: FakeGate) -> Iterator[Talk]:
    """A conversation that has been let in."""
    found = Talk(gate)
    found.begin()
    yield found
    found.conversation.close()


@pytest.fixture
def new_talk(gate: FakeGate) -> Iterator[Callable[..., Talk]]:
    """A maker of conversations that have not begun."""
    made: list[Talk] = []

    def make(**options: Any) -> Talk:
        made.append(Talk(gate, **options))
        return made[-1]

    yield make
    for one in made:
        one.conversation.close()


@pytest.fixture
def gate() -> FakeGate:
    return FakeGate()


@pytest.fixture
def server(gate: FakeGate) -> Iterator[WireServer]:
    with WireServer(gate, port=0) as running:
        yield running
