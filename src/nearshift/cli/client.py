"""A connection to a running server over PostgreSQL's protocol 3: simple queries, text values, and no driver to install.

"Message Flow" and "Error and Notice Message Fields", PostgreSQL documentation.
"""

from __future__ import annotations

import hashlib
import socket
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from nearshift import limits
from nearshift.errors import NearshiftError, PermissionDenied, Span, TargetError
from nearshift.pipeline.target import Answer
from nearshift.results import Notice, Severity
from nearshift.wire.framing import Frame, FrameBuffer
from nearshift.wire.messages import Body, Query, Terminate
from nearshift.wire.startup import PROTOCOL_3_0, Startup

_CONNECT_SECONDS: Final = 5.0
_READ_BYTES: Final = 256 * 1024
_DECODERS: Final[dict[int, Callable[[str], Any]]] = {
    16: lambda text: text == "t", 20: int, 21: int, 23: int, 26: int, 700: float, 701: float, 1700: Decimal,
}  # fmt: skip


class WireConnection:
    """One conversation with a server. Implements `pipeline.target.Connection`; one thread at a time."""

    def __init__(self, host: str, port: int, user: str, database: str, password: str | None = None) -> None:
        """Connect and log in. Raises TargetError when nobody answers, PermissionDenied when the login is refused."""
        try:
            self._socket = socket.create_connection((host, port), _CONNECT_SECONDS)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            hint = "Start it with: nearshift serve"
            raise TargetError(f"could not connect to {host}:{port}: {reason}", hint=hint) from error
        self._socket.settimeout(None)
        self._frames = FrameBuffer()
        self._user = user
        self._password = password
        self._is_closed = False
        # driver_version makes the server ask for MD5, as it asks Redshift's drivers; SCRAM would be the only other proof it takes.
        options = {"user": user, "database": database, "application_name": "nearshift", "driver_version": "nearshift"}
        self._send(Startup(PROTOCOL_3_0, options).encode())
        try:
            self._log_in()
        except BaseException:
            self.close()
            raise

    def run(self, text: str) -> Answer:
        """Run one statement (of a script: all; the last result counts) and return what it gives.

        Raises NearshiftError as the server told it, TargetError when the connection breaks.
        """
        self._send_message(Query.TYPE, Query(text).encode())
        answer = _AnswerBuilder()
        failure: NearshiftError | None = None
        while True:
            frame = self._receive()
            match frame.type:
                case b"E":
                    failure = _read_error(frame.body)
                case b"Z":
                    break
                case _:
                    answer.take(frame)
        if failure is not None:
            raise failure
        return answer.build()

    def close(self) -> None:
        """Say good-bye and hang up. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._send_message(Terminate.TYPE, b"")
        except TargetError:
            pass  # it has hung up first, which is what closing wants
        finally:
            self._socket.close()

    def _log_in(self) -> None:
        failure: NearshiftError | None = None
        while True:
            frame = self._receive()
            if frame.type == b"E":
                failure = _read_error(frame.body)
                raise failure
            if frame.type == b"R":
                self._prove(frame.body)
            if frame.type == b"Z":
                return

    def _prove(self, body: bytes) -> None:
        (method,) = struct.unpack_from("!i", body)
        if method == 0:
            return
        if method not in {3, 5}:
            raise PermissionDenied("the server asks for a proof that this client does not know", sqlstate="28000")
        if self._password is None:
            hint = "Set NEARSHIFT_PASSWORD."
            raise PermissionDenied(f'the server asks for the password of user "{self._user}"', sqlstate="28P01", hint=hint)
        proof = self._password
        if method == 5:
            inner = hashlib.md5((self._password + self._user).encode(), usedforsecurity=False).hexdigest()
            proof = "md5" + hashlib.md5(inner.encode() + body[4:8], usedforsecurity=False).hexdigest()
        self._send_message(b"p", proof.encode() + b"\0")

    def _send_message(self, kind: bytes, body: bytes) -> None:
        self._send(kind + struct.pack("!i", len(body) + 4) + body)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _broken(error) from error

    def _receive(self) -> Frame:
        while True:
            frame = self._frames.take(limits.WIRE_DISCARD_BYTES_MAX)
            if isinstance(frame, Frame):
                return frame
            try:
                data = self._socket.recv(_READ_BYTES)
            except OSError as error:
                raise _broken(error) from error
            if not data:
                raise _broken(None)
            self._frames.feed(data)


def _broken(error: OSError | None) -> TargetError:
    reason = (error.strerror or str(error)).lower() if error is not None else "it closed the connection"
    return TargetError(f"the server is gone: {reason}", hint="Look whether it still runs: nearshift status")


class _AnswerBuilder:
    def __init__(self) -> None:
        self._columns: tuple[str, ...] = ()
        self._decoders: list[Callable[[str], Any]] = []
        self._rows: list[tuple[Any, ...]] = []
        self._notices: list[Notice] = []
        self._tag = ""

    def take(self, frame: Frame) -> None:
        """Take one message of the answer; those that say nothing here are passed over."""
        match frame.type:
            case b"T":
                self._describe(Body(frame.body))
            case b"D":
                values = Body(frame.body).values()
                pairs = zip(self._decoders, values, strict=True)
                self._rows.append(tuple(None if value is None else decode(value.decode()) for decode, value in pairs))
            case b"C":
                self._tag = Body(frame.body).text()
            case b"N":
                self._notices.append(_read_notice(frame.body))
            case _:
                pass

    def _describe(self, body: Body) -> None:
        names: list[str] = []
        self._decoders, self._rows = [], []
        for _ in range(body.int16()):
            names.append(body.text())
            body.take(6)
            oid = body.int32()
            body.take(8)
            self._decoders.append(_DECODERS.get(oid, str))
        self._columns = tuple(names)

    def build(self) -> Answer:
        """Return the answer."""
        return Answer(self._tag, self._columns, self._rows, tuple(self._notices))


def _read_fields(body: bytes) -> dict[str, str]:
    return {field[:1].decode(): field[1:].decode("utf-8", "replace") for field in body.split(b"\0") if field}


def _read_error(body: bytes) -> NearshiftError:
    fields = _read_fields(body)
    place = int(fields["P"]) - 1 if "P" in fields else None
    return NearshiftError(
        fields.get("M", "unknown error"), sqlstate=fields.get("C"), span=Span(place, place + 1) if place is not None else None,
        detail=fields.get("D"), hint=fields.get("H"), context=fields.get("W"),
    )  # fmt: skip


def _read_notice(body: bytes) -> Notice:
    fields = _read_fields(body)
    known = {severity.value: severity for severity in Severity}
    return Notice(known.get(fields.get("S", ""), Severity.NOTICE), fields.get("M", ""), fields.get("C", "00000"), fields.get("H"))
