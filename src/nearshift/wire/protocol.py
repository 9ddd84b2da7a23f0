"""The receiving half of protocol 3 as a table: bytes in, requests out; nothing here waits, sends or runs anything.

Theory of operation. A connection is always in one Phase, and `LEGAL` says for each phase what each message means:

    STARTUP   untyped packets: TLS and GSSAPI requests, then Startup or CancelRequest
    LOGIN     answers to the login exchange (`p`), nothing else
    READY     queries and the extended messages
    SKIPPING  an extended message failed: everything up to Sync is dropped, so that a client which has sent a whole batch ahead
              (pipelining) never has the rest of it run after a failure ("Extended Query", "Pipelining")
    CLOSED    nothing

The phase changes at four places only: `began_login` and `let_in` are called by the conversation, `failed` by it when a request could not
be done, and Sync, Terminate or CancelRequest are seen here. A message that the phase does not know ends the connection, as PostgreSQL does,
because after it nobody can say where the next message begins or what it belongs to. A message whose *body* is wrong is an ordinary error:
its length was good, so the next one is found. So is a message that is too long: `framing` reads past it and what arrives here is Oversized.

A message is decoded only when it is asked for. The conversation asks until None comes back, and only then sends what it has to say: that is
what makes a pipelined batch one write.

Rejected: one table entry per (phase, message) with the name of the next phase, in the manner of an HTTP library. Almost every entry would
have been READY to READY; the two exceptions are plainer as code.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from nearshift import limits
from nearshift.errors import NearshiftError
from nearshift.wire import messages as m
from nearshift.wire.framing import Frame, FrameBuffer, Oversized, ProtocolViolation
from nearshift.wire.startup import CancelRequest, GssRequest, Startup, TlsRequest, decode_startup


class Phase(Enum):
    """Where a connection stands."""

    STARTUP = auto()
    LOGIN = auto()
    READY = auto()
    SKIPPING = auto()
    CLOSED = auto()


class Treatment(Enum):
    """What to do with a message in a phase."""

    REQUEST = auto()  # hand it on
    IGNORE = auto()   # read past it


_EXTENDED = (b"P", b"B", b"D", b"E", b"C", b"H")
LEGAL: Mapping[Phase, Mapping[bytes, Treatment]] = {
    Phase.STARTUP: {},
    Phase.LOGIN: {b"p": Treatment.REQUEST, b"X": Treatment.REQUEST},
    Phase.READY: {
        **dict.fromkeys((*_EXTENDED, b"Q", b"S", b"X", b"F"), Treatment.REQUEST),
        **dict.fromkeys((b"d", b"c", b"f"), Treatment.IGNORE),
    },
    Phase.SKIPPING: {
        **dict.fromkeys((*_EXTENDED, b"Q", b"F", b"d", b"c", b"f"), Treatment.IGNORE),
        **dict.fromkeys((b"S", b"X"), Treatment.REQUEST),
    },
    Phase.CLOSED: {},
}

# Of these an error is answered by skipping to Sync; Query and FunctionCall are answered by ReadyForQuery.
EXTENDED_MESSAGES = frozenset(_EXTENDED)

Request = m.Message | TlsRequest | GssRequest | CancelRequest | Startup


class StatementTooLong(NearshiftError):
    """A message above the bound was read past (54000)."""

    default_sqlstate = "54000"


class Receiver:
    """Turns bytes into requests, phase by phase."""

    def __init__(self) -> None:
        self.phase = Phase.STARTUP
        self.current = b""
        self._frames = FrameBuffer()

    @property
    def has_unread(self) -> bool:
        """Whether bytes are here that no request has been made of yet."""
        return len(self._frames) > 0

    def feed(self, data: bytes) -> None:
        """Add bytes as they came."""
        self._frames.feed(data)

    def next(self) -> Request | None:
        """Return the next request, or None until more bytes come; `current` is then its type byte.

        Raises ProtocolViolation when the connection cannot go on, InvalidMessage or StatementTooLong when it can.
        """
        while True:
            if self.phase is Phase.CLOSED:
                return None
            if self.phase is Phase.STARTUP:
                return self._next_startup()
            frame = self._frames.take(limits.WIRE_STARTUP_BYTES_MAX if self.phase is Phase.LOGIN else limits.WIRE_MESSAGE_BYTES_MAX)
            if frame is None:
                return None
            request = self._classify(frame)
            if request is not None:
                return request

    def began_login(self) -> None:
        """Expect the answers of a login exchange from now on."""
        assert self.phase is Phase.STARTUP
        self.phase = Phase.LOGIN

    def let_in(self) -> None:
        """Expect queries from now on."""
        assert self.phase in {Phase.STARTUP, Phase.LOGIN}
        self.phase = Phase.READY

    def failed(self) -> None:
        """Drop what was sent ahead up to the next Sync if the request that failed was an extended one."""
        if self.phase is Phase.READY and self.current in EXTENDED_MESSAGES:
            self.phase = Phase.SKIPPING

    def close(self) -> None:
        """Expect nothing any more."""
        self.phase = Phase.CLOSED

    def _next_startup(self) -> Request | None:
        body = self._frames.take_startup()
        if body is None:
            return None
        request = decode_startup(body)
        if isinstance(request, CancelRequest):
            self.phase = Phase.CLOSED
        return request

    def _classify(self, frame: Frame | Oversized) -> Request | None:
        treatment = LEGAL[self.phase].get(frame.type)
        if treatment is None:
            raise ProtocolViolation(f"invalid frontend message type {frame.type[0]}")
        if treatment is Treatment.IGNORE:
            return None
        self.current = frame.type
        if isinstance(frame, Oversized):
            return self._refuse(frame)
        request = m.DECODERS[frame.type](frame.body)
        if isinstance(request, m.Sync):
            self.phase = Phase.READY
        elif isinstance(request, m.Terminate):
            self.phase = Phase.CLOSED
        elif isinstance(request, m.Query | m.Parse) and len(frame.body) > limits.STATEMENT_BYTES_MAX:
            # Counted only when it may matter: the body has names beside the text.
            size = len(request.text.encode())
            if size > limits.STATEMENT_BYTES_MAX:
                raise _too_long(size)
        return request

    def _refuse(self, frame: Oversized) -> Request | None:
        if self.phase is Phase.LOGIN or frame.type in {b"S", b"X"}:
            raise ProtocolViolation("invalid message length")
        raise _too_long(frame.size)


def _too_long(size: int) -> StatementTooLong:
    return StatementTooLong(
        "statement is too large",
        detail=f"It has {size} bytes; a statement may have {limits.STATEMENT_BYTES_MAX}.",
        hint="Load rows in several statements, or put them into the stream.",
    )
