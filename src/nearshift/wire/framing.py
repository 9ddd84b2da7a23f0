"""Bytes in, whole messages out: the outer shape of protocol 3, with a bound on what is kept.

"Message Flow" and "Message Formats", PostgreSQL documentation: a startup packet is a length and a body; every later message is a type byte,
a length that counts itself, and a body. A message above the bound is read past without being kept and reported as Oversized, so that the
client hears why its statement was refused instead of a closed connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from nearshift import limits
from nearshift.errors import NearshiftError

_HEADER = 5


class ProtocolViolation(NearshiftError):
    """The peer does not speak the protocol; the connection ends after the error has been sent (08P01)."""

    default_sqlstate = "08P01"


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole message: its type byte and its body."""

    type: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Oversized:
    """A message whose body was read past because it is longer than allowed."""

    type: bytes
    size: int


class FrameBuffer:
    """Collects bytes and gives back messages as soon as they are whole. Holds at most one message of the largest size and one read."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._start = 0
        self._discarding = 0
        self._oversized: Oversized | None = None

    def __len__(self) -> int:
        return len(self._bytes) - self._start

    def feed(self, data: bytes) -> None:
        """Add bytes as they came from the network."""
        if self._discarding:
            skipped = min(self._discarding, len(data))
            self._discarding -= skipped
            data = data[skipped:]
        if self._start:
            del self._bytes[: self._start]
            self._start = 0
        self._bytes += data

    def take_startup(self) -> bytes | None:
        """Return the body of the next startup packet (after its length), or None when it is not whole yet.

        Raises ProtocolViolation for a length that no startup packet has.
        """
        if len(self) < 4:
            return None
        length = int.from_bytes(self._bytes[self._start : self._start + 4], "big", signed=True)
        if not 8 <= length <= limits.WIRE_STARTUP_BYTES_MAX:
            raise ProtocolViolation("invalid length of startup packet")
        if len(self) < length:
            return None
        body = bytes(self._bytes[self._start + 4 : self._start + length])
        self._start += length
        return body

    def take(self, bytes_max: int) -> Frame | Oversized | None:
        """Return the next message, or None when it is not whole yet; one longer than `bytes_max` is skipped and reported.

        Raises ProtocolViolation for a length below 4 or above WIRE_DISCARD_BYTES_MAX.
        """
        if self._discarding:
            return None
        if self._oversized is not None:
            found, self._oversized = self._oversized, None
            return found
        if len(self) < _HEADER:
            return None
        start = self._start
        kind = bytes(self._bytes[start : start + 1])
        length = int.from_bytes(self._bytes[start + 1 : start + _HEADER], "big", signed=True)
        if not 4 <= length <= limits.WIRE_DISCARD_BYTES_MAX:
            raise ProtocolViolation("invalid message length")
        if length > bytes_max:
            return self._skip(kind, length)
        if len(self) < length + 1:
            return None
        self._start = start + length + 1
        return Frame(kind, bytes(self._bytes[start + _HEADER : self._start]))

    def _skip(self, kind: bytes, length: int) -> Oversized | None:
        here = min(len(self), length + 1)
        self._start += here
        self._discarding = length + 1 - here
        found = Oversized(kind, length)
        if not self._discarding:
            return found
        self._oversized = found
        return None
