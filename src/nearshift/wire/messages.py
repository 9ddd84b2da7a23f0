"""The messages that a client sends: a dataclass per message, reading beside writing.

Section "Message Formats" of the PostgreSQL documentation. `decode` takes the body (after type and length) and raises InvalidMessage when
the body is not of that shape; `encode` returns the body again. Texts are UTF-8, as `client_encoding` says.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from nearshift.errors import DataError, NearshiftError


class InvalidMessage(NearshiftError):
    """A message whose body is not what its type promises; the connection goes on after the next Sync (08P01)."""

    default_sqlstate = "08P01"


class Body:
    """Reads the parts of a message body in order."""

    __slots__ = ("_bytes", "_next")

    def __init__(self, body: bytes) -> None:
        self._bytes = body
        self._next = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        end = self._next + size
        if size < 0 or end > len(self._bytes):
            raise InvalidMessage("insufficient data left in message")
        part = self._bytes[self._next : end]
        self._next = end
        return part

    def int16(self) -> int:
        """Return the next signed 16-bit number."""
        return int.from_bytes(self.take(2), "big", signed=True)

    def int32(self) -> int:
        """Return the next signed 32-bit number."""
        return int.from_bytes(self.take(4), "big", signed=True)

    def int16s(self) -> tuple[int, ...]:
        """Return a counted list of 16-bit numbers."""
        count = self._count()
        return struct.unpack(f"!{count}h", self.take(2 * count))

    def oids(self) -> tuple[int, ...]:
        """Return a counted list of OIDs."""
        count = self._count()
        return struct.unpack(f"!{count}I", self.take(4 * count))

    def values(self) -> tuple[bytes | None, ...]:
        """Return a counted list of values, None where the length is -1."""
        found: list[bytes | None] = []
        for _ in range(self._count()):
            size = self.int32()
            found.append(None if size == -1 else self.take(size))
        return tuple(found)

    def text(self) -> str:
        """Return the next string that ends with a zero byte."""
        end = self._bytes.find(b"\0", self._next)
        if end < 0:
            raise InvalidMessage("invalid string in message")
        part = self._bytes[self._next : end]
        self._next = end + 1
        return decode_text(part)

    def end(self) -> None:
        """Check that nothing is left."""
        if self._next != len(self._bytes):
            raise InvalidMessage("invalid message format")

    def _count(self) -> int:
        # The count is an unsigned 16-bit number, so that a statement may have 65,535 parameters.
        return int.from_bytes(self.take(2), "big")


def decode_text(part: bytes) -> str:
    """Return UTF-8 bytes as text; raises DataError (22021) for bytes that are not, as PostgreSQL does."""
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError as failure:
        wrong = part[failure.start : failure.start + 1].hex()
        raise DataError(f'invalid byte sequence for encoding "UTF8": 0x{wrong}', sqlstate="22021") from failure


def _zero(text: str) -> bytes:
    return text.encode("utf-8") + b"\0"


@dataclass(frozen=True, slots=True)
class Query:
    """Run a script of zero or more statements (simple query)."""

    TYPE: ClassVar[bytes] = b"Q"
    text: str

    @classmethod
    def decode(cls, body: bytes) -> Query:
        """Read the body."""
        reader = Body(body)
        found = cls(reader.text())
        reader.end()
        return found

    def encode(self) -> bytes:
        """Return the body."""
        return _zero(self.text)


@dataclass(frozen=True, slots=True)
class Parse:
    """Prepare one statement; OID 0 leaves a parameter's type open."""

    TYPE: ClassVar[bytes] = b"P"
    name: str
    text: str
    parameter_oids: tuple[int, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Parse:
        """Read the body."""
        reader = Body(body)
        found = cls(reader.text(), reader.text(), reader.oids())
        reader.end()
        return found

    def encode(self) -> bytes:
        """Return the body."""
        count = len(self.parameter_oids)
        return _zero(self.name) + _zero(self.text) + struct.pack(f"!H{count}I", count, *self.parameter_oids)


@dataclass(frozen=True, slots=True)
class Bind:
    """Make a portal from a prepared statement and values."""

    TYPE: ClassVar[bytes] = b"B"
    portal: str
    statement: str
    parameter_formats: tuple[int, ...] = ()
    values: tuple[bytes | None, ...] = ()
    result_formats: tuple[int, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Bind:
        """Read the body."""
        reader = Body(body)
        found = cls(reader.text(), reader.text(), reader.int16s(), reader.values(), reader.int16s())
        reader.end()
        return found

    def encode(self) -> bytes:
        """Return the body."""
        parts = [_zero(self.portal), _zero(self.statement), _int16s(self.parameter_formats), struct.pack("!H", len(self.values))]
        parts += [b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value for value in self.values]
        return b"".join([*parts, _int16s(self.result_formats)])


def _int16s(numbers: tuple[int, ...]) -> bytes:
    return struct.pack(f"!H{len(numbers)}h", len(numbers), *numbers)


@dataclass(frozen=True, slots=True)
class _Named:
    """The shared shape of Describe and Close: what is meant, `S` or `P`, and its name."""

    kind: str
    name: str

    def encode(self) -> bytes:
        """Return the body."""
        return self.kind.encode() + _zero(self.name)


def _read_named(body: bytes, message: str) -> tuple[str, str]:
    reader = Body(body)
    kind, name = reader.take(1), reader.text()
    reader.end()
    if kind not in {b"S", b"P"}:
        raise InvalidMessage(f"invalid {message} message subtype {kind[0]}")
    return kind.decode(), name


@dataclass(frozen=True, slots=True)
class Describe(_Named):
    """Tell about a statement or a portal."""

    TYPE: ClassVar[bytes] = b"D"

    @classmethod
    def decode(cls, body: bytes) -> Describe:
        """Read the body."""
        return cls(*_read_named(body, "DESCRIBE"))


@dataclass(frozen=True, slots=True)
class Close(_Named):
    """Forget a statement or a portal."""

    TYPE: ClassVar[bytes] = b"C"

    @classmethod
    def decode(cls, body: bytes) -> Close:
        """Read the body."""
        return cls(*_read_named(body, "CLOSE"))


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a portal, or go on with it; at most `rows_max` rows, 0 for all."""

    TYPE: ClassVar[bytes] = b"E"
    portal: str
    rows_max: int = 0

    @classmethod
    def decode(cls, body: bytes) -> Execute:
        """Read the body."""
        reader = Body(body)
        found = cls(reader.text(), reader.int32())
        reader.end()
        return found

    def encode(self) -> bytes:
        """Return the body."""
        return _zero(self.portal) + struct.pack("!i", self.rows_max)


@dataclass(frozen=True, slots=True)
class _Plain:
    """A message without a body."""

    def encode(self) -> bytes:
        """Return the body."""
        return b""


def _check_empty(body: bytes) -> None:
    Body(body).end()


@dataclass(frozen=True, slots=True)
class Sync(_Plain):
    """The end of a batch of extended messages."""

    TYPE: ClassVar[bytes] = b"S"

    @classmethod
    def decode(cls, body: bytes) -> Sync:
        """Read the body."""
        _check_empty(body)
        return cls()


@dataclass(frozen=True, slots=True)
class Flush(_Plain):
    """Send what you have."""

    TYPE: ClassVar[bytes] = b"H"

    @classmethod
    def decode(cls, body: bytes) -> Flush:
        """Read the body."""
        _check_empty(body)
        return cls()


@dataclass(frozen=True, slots=True)
class Terminate(_Plain):
    """Good-bye."""

    TYPE: ClassVar[bytes] = b"X"

    @classmethod
    def decode(cls, body: bytes) -> Terminate:  # noqa: ARG003 - whatever follows, the client is gone
        """Read the body."""
        return cls()


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The old fast path to functions, which is refused."""

    TYPE: ClassVar[bytes] = b"F"
    body: bytes

    @classmethod
    def decode(cls, body: bytes) -> FunctionCall:
        """Keep the body unread."""
        return cls(body)

    def encode(self) -> bytes:
        """Return the body."""
        return self.body


@dataclass(frozen=True, slots=True)
class CopyPart:
    """CopyData, CopyDone or CopyFail outside a COPY, which PostgreSQL ignores ("COPY Operations")."""

    body: bytes

    @classmethod
    def decode(cls, body: bytes) -> CopyPart:
        """Keep the body unread."""
        return cls(body)


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """A password or a step of SASL; the exchange knows how to read it."""

    TYPE: ClassVar[bytes] = b"p"
    body: bytes

    @classmethod
    def decode(cls, body: bytes) -> LoginAnswer:
        """Keep the body for the exchange."""
        return cls(body)

    def encode(self) -> bytes:
        """Return the body."""
        return self.body


Message = Query | Parse | Bind | Describe | Execute | Close | Sync | Flush | Terminate | FunctionCall | CopyPart | LoginAnswer

DECODERS: dict[bytes, Callable[[bytes], Message]] = {
    b"Q": Query.decode, b"P": Parse.decode, b"B": Bind.decode, b"D": Describe.decode, b"E": Execute.decode, b"C": Close.decode,
    b"S": Sync.decode, b"H": Flush.decode, b"X": Terminate.decode, b"F": FunctionCall.decode, b"d": CopyPart.decode, b"c": CopyPart.decode,
    b"f": CopyPart.decode, b"p": LoginAnswer.decode,
}  # fmt: skip


Sendable = Query | Parse | Bind | Describe | Execute | Close | Sync | Flush | Terminate | FunctionCall | LoginAnswer


def encode_message(message: Sendable) -> bytes:
    """Return a whole message: type, length, body."""
    body = message.encode()
    return message.TYPE + struct.pack("!i", len(body) + 4) + body
