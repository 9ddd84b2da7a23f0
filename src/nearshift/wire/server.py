"""The PostgreSQL server: the only sockets of the package. A thread accepts, one thread serves each connection.

Threads, not an event loop: encoding and the engine release the interpreter lock, `sendall` is the flow control, and a statement that runs
for minutes holds up nobody. A connection's thread waits in one place only, for bytes of its client or for the server's alarm, a socket that
becomes readable for all threads at once when the server stops. A session that is terminated wakes its thread alone, by closing the reading
side of the client's socket: a socket of its own for that would cost each connection two more descriptors.
"""

from __future__ import annotations

import ipaddress
import logging
import select
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from types import TracebackType

from nearshift import limits
from nearshift.clock import Clock, SystemClock
from nearshift.errors import Cancelled, ConfigurationError, InternalError, NearshiftError
from nearshift.wire.auth import Method
from nearshift.wire.conversation import TERMINATED, Conversation, Step
from nearshift.wire.gate import Gate, LoginWatch
from nearshift.wire.output import Buffer
from nearshift.wire.register import Register

_log = logging.getLogger("nearshift.wire")
_READ_BYTES = 64 * limits.KIB
# A peer that vanished without a word (half-open connection) is noticed after about two minutes.
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6))


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The certificate chain and the key that the server shows, in PEM."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return a context for the server side; raises ConfigurationError when the files cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as failure:
            message = f'could not load the certificate "{self.certificate}" with the key "{self.key}"'
            raise ConfigurationError(message, detail=str(failure), hint="Both must be PEM files that belong together.") from failure
        return context


class WireServer:
    """Serves a gate on one address. `start` once, `stop` once; or use it as a context manager."""

    def __init__(
        self,
        gate: Gate,
        host: str = "127.0.0.1",
        port: int = 5439,
        *,
        tls: TlsFiles | None = None,
        method: Method | None = None,
        connections_max: int = limits.WIRE_CONNECTIONS_MAX,
        login_seconds_max: float = limits.WIRE_LOGIN_SECONDS_MAX,
        clock: Clock | None = None,
        watch: LoginWatch | None = None,
    ) -> None:
        """Listen nowhere yet. Port 0 lets the machine choose; `method` is how passwords are asked for, None to choose by the client.

        `watch` limits attempts to log in and hears of logins.

        Raises ConfigurationError when the TLS files cannot be used.
        """
        self._gate = gate
        self._host = host
        self._port = port
        self._tls = tls.context() if tls is not None else None
        self._method = method
        self._watch = watch
        self._sockets_max = connections_max + limits.WIRE_CONNECTIONS_SPARE
        self._login_seconds_max = login_seconds_max
        self._clock = clock or SystemClock()
        self._register = Register(connections_max)
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._is_stopping = False
        self._alarm: socket.socket | None = None
        self._alarm_button: socket.socket | None = None

    @property
    def host(self) -> str:
        """The host name or address as given."""
        return self._host

    @property
    def port(self) -> int:
        """The port listened on; before `start`, the one asked for."""
        return self._port

    @property
    def connection_count(self) -> int:
        """Sockets open now, logged in or not."""
        with self._lock:
            return len(self._connections)

    def start(self) -> None:
        """Listen and serve; returns at once. Raises ConfigurationError when the address cannot be listened on."""
        assert self._listener is None, "a server starts once"
        self._listener = _listen(self._host, self._port)
        self._port = self._listener.getsockname()[1]
        self._alarm, self._alarm_button = socket.socketpair()
        self._accepting = threading.Thread(target=self._accept, name="wire-accept", daemon=True)
        self._accepting.start()

    def stop(self, seconds_max: float = limits.WIRE_STOP_SECONDS_MAX) -> None:
        """Take no more connections, interrupt what runs, tell every client (57P01) and wait for the threads, `seconds_max` at most.

        Connections that are not done by then are cut. May be called twice.
        """
        listener, accepting, alarm, button = self._listener, self._accepting, self._alarm, self._alarm_button
        if listener is None or accepting is None or alarm is None or button is None or self._is_stopping:
            return
        with self._lock:
            self._is_stopping = True
            connections = tuple(self._connections)
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        button.close()
        for connection in connections:
            connection.ask_to_end()
        deadline = self._clock.monotonic() + seconds_max
        for connection in connections:
            connection.join(max(0.0, deadline - self._clock.monotonic()))
        for connection in connections:
            connection.cut()
        for connection in connections:
            connection.join(1.0)
        accepting.join(seconds_max)
        if not self.connection_count:
            # A thread that did not end in time still looks at it.
            alarm.close()

    def __enter__(self) -> WireServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _accept(self) -> None:
        assert self._listener is not None
        while True:
            try:
                client, address = self._listener.accept()
            except OSError:
                if self._is_stopping:
                    return
                # Out of file descriptors, or the client is gone already: others may still be served.
                _log.warning("could not accept a connection", exc_info=True)
                self._clock.wait(threading.Event(), 0.05)
                continue
            self._admit(client, (address[0], address[1]))

    def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
        connection = _Connection(self, client, address)
        with self._lock:
            is_refused = self._is_stopping or len(self._connections) >= self._sockets_max
            if not is_refused:
                self._connections.add(connection)
                # Under the lock, so that whoever sees it can wait for its thread.
                connection.start()
        if is_refused:
            client.close()

    def _forget(self, connection: _Connection) -> None:
        with self._lock:
            self._connections.discard(connection)


class _News(Enum):
    """What a connection's thread has waited for."""

    BYTES = auto()
    ALARM = auto()
    LATE = auto()


class _PeerGone(Exception):
    """The client is gone or never spoke TLS; there is nobody left to tell."""


class _Connection:
    """A client's socket and the thread that serves it."""

    def __init__(self, server: WireServer, client: socket.socket, address: tuple[str, int]) -> None:
        self._server = server
        self._socket = client
        self._conversation = Conversation(
            server._gate,
            server._register,
            self._send,
            is_local=_is_loopback(address[0]),
            has_tls=server._tls is not None,
            method=server._method,
            watch=server._watch,
            address=address,
            now=server._clock.monotonic,
            wake=self._wake,
        )
        self._is_terminated = False
        self._thread = threading.Thread(target=self._serve, name="wire-connection", daemon=True)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the thread."""
        self._thread.join(seconds)

    def ask_to_end(self) -> None:
        """Interrupt what runs; the thread sees the alarm next and says good-bye. From any thread."""
        self._conversation.cancel()

    def _wake(self) -> None:
        """Let the thread say good-bye, since its session was terminated; from any thread."""
        self._is_terminated = True
        with suppress(OSError):
            # The plain socket's method also under TLS, which the last message still needs.
            socket.socket.shutdown(self._socket, socket.SHUT_RD)

    def cut(self) -> None:
        """End the connection without a word; from any thread."""
        with suppress(OSError):
            # The plain socket's method also under TLS: nothing is to be said any more.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _serve(self) -> None:
        try:
            self._talk()
        except _PeerGone:
            _log.debug("connection lost", exc_info=True)
        except Exception:  # noqa: BLE001 - the outer loop of a connection: a fault ends it, not the server
            _log.exception("connection ended by a fault")
            with suppress(_PeerGone):
                self._conversation.end(InternalError("internal error", hint="See the server's log."))
        finally:
            self._finish()

    def _finish(self) -> None:
        try:
            self._conversation.close()
        except Exception:  # noqa: BLE001 - as above
            _log.exception("session could not be closed")
        self._hang_up()
        self._server._forget(self)

    def _talk(self) -> None:
        _tune(self._socket)
        clock = self._server._clock
        deadline = clock.monotonic() + self._server._login_seconds_max
        while True:
            left = None if self._conversation.is_logged_in else max(0.001, deadline - clock.monotonic())
            self._socket.settimeout(left)
            news = self._wait(left)
            if news is _News.ALARM or self._is_terminated:
                self._socket.settimeout(limits.WIRE_STOP_SECONDS_MAX)
                self._conversation.end(Cancelled("terminating connection due to administrator command", sqlstate=TERMINATED))
                return
            if news is _News.LATE:
                self._socket.settimeout(1.0)
                self._conversation.end(NearshiftError("canceling authentication due to timeout", sqlstate="57014"))
                return
            try:
                data = self._socket.recv(_READ_BYTES)
            except OSError as failure:
                raise _PeerGone from failure
            if not data:
                return
            step = self._conversation.receive(data)
            if step is Step.END:
                return
            if step is Step.START_TLS:
                self._start_tls()

    def _wait(self, seconds: float | None) -> _News:
        """Wait for bytes, the alarm or the time."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return _News.BYTES
        alarm = self._server._alarm
        assert alarm is not None
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(alarm, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)}
        if alarm.fileno() in ready:
            return _News.ALARM
        return _News.BYTES if ready else _News.LATE

    def _start_tls(self) -> None:
        context = self._server._tls
        assert context is not None
        try:
            self._socket = context.wrap_socket(self._socket, server_side=True)
        except OSError as failure:
            raise _PeerGone from failure
        self._conversation.began_tls()

    def _send(self, data: Buffer) -> None:
        try:
            self._socket.sendall(data)
        except OSError as failure:
            raise _PeerGone from failure

    def _hang_up(self) -> None:
        """Close so that a last message arrives: closing with unread bytes would reset the connection and throw the message away."""
        with suppress(OSError, ssl.SSLError):
            socket.socket.shutdown(self._socket, socket.SHUT_WR)
            self._socket.settimeout(0.2)
            for _ in range(16):
                if not socket.socket.recv(self._socket, _READ_BYTES):
                    break
        self._socket.close()


def _tune(client: socket.socket) -> None:
    with suppress(OSError):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            option = getattr(socket, name, None)
            if option is not None:
                client.setsockopt(socket.IPPROTO_TCP, option, value)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = sorted(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
        return socket.create_server((str(address[0]), port), family=family, backlog=128)
    except OSError as failure:
        raise ConfigurationError(
            f'could not listen on "{host}" port {port}',
            detail=f"{failure.strerror or failure}.",
            hint="Choose another port, or stop the program that uses this one.",
        ) from failure


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
