"""The server on real sockets: TLS, cancellation, garbage, vanished clients, the end."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from nearshift import limits
from nearshift.errors import ConfigurationError
from nearshift.wire import Credential, Method, TlsFiles, WireServer
from nearshift.wire.messages import Query, encode_message
from nearshift.wire.startup import PROTOCOL_3_0, CancelRequest, Startup, TlsRequest

SECONDS = 20.0
HELLO = Startup(PROTOCOL_3_0, {"user": "ada", "database": "dev"}).encode()


class Wire:
    """A client on a plain socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def message(self) -> tuple[str, bytes]:
        """Return the next message; EOFError when the server has closed."""
        head = self._exactly(5)
        return head[:1].decode(), self._exactly(int.from_bytes(head[1:], "big") - 4)

    def until(self, kind: str) -> list[tuple[str, bytes]]:
        found = [self.message()]
        while found[-1][0] != kind:
            found.append(self.message())
        return found

    def rest(self) -> bytes:
        """Read to the end of the connection."""
        found, self.buffer = self.buffer, b""
        while piece := self.socket.recv(65536):
            found += piece
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError
            self.buffer += piece
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found


@pytest.fixture
def dial(server: WireServer) -> Iterator[Callable[[], Wire]]:
    made: list[Wire] = []

    def make() -> Wire:
        made.append(Wire(server.port))
        return made[-1]

    yield make
    for one in made:
        one.socket.close()


def eventually(server: WireServer, count: int) -> bool:
    """Wait until `count` connections are left."""
    tick = threading.Event()
    return any(server.connection_count == count or tick.wait(0.01) for _ in range(int(SECONDS * 100)))


def dsn(server: WireServer, **more: object) -> str:
    parts = {"host": "127.0.0.1", "port": server.port, "user": "ada", "dbname": "dev", "connect_timeout": int(SECONDS), **more}
    return " ".join(f"{key}={value}" for key, value in parts.items())


def serving() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "wire-connection"]


def fields(body: bytes) -> dict[str, str]:
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def test_a_port_in_use_is_a_matter_of_configuration(server: WireServer, gate: Any) -> None:
    with pytest.raises(ConfigurationError, match=f'could not listen on "127.0.0.1" port {server.port}') as caught:
        WireServer(gate, port=server.port).start()
    assert caught.value.hint == "Choose another port, or stop the program that uses this one."


def test_certificates_that_cannot_be_read_are_a_matter_of_configuration(gate: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="could not load the certificate"):
        WireServer(gate, tls=TlsFiles(tmp_path / "none.pem", tmp_path / "none.key"))


def test_a_cancel_request_stops_the_statement_and_the_connection_goes_on(dial: Callable[[], Wire], gate: Any) -> None:
    client = dial()
    client.send(HELLO)
    key = next(body for kind, body in client.until("Z") if kind == "K")
    client.send(encode_message(Query("hang")))
    assert gate.hanging.wait(SECONDS)
    wrong = dial()
    process, secret = struct.unpack("!iI", key)
    wrong.send(CancelRequest(process, secret ^ 1).encode())
    assert wrong.rest() == b""
    assert not gate.opened[0].is_interrupted.is_set()
    right = dial()
    right.send(CancelRequest(process, secret).encode())
    assert right.rest() == b""
    error, ready = client.until("Z")
    assert fields(error[1])["C"] == "57014"
    assert ready == ("Z", b"I")
    client.send(encode_message(Query("select 1")))
    assert [kind for kind, _ in client.until("Z")] == ["T", "D", "C", "Z"]


def test_a_cancel_request_for_an_idle_connection_does_nothing(dial: Callable[[], Wire], gate: Any) -> None:
    client = dial()
    client.send(HELLO)
    key = next(body for kind, body in client.until("Z") if kind == "K")
    other = dial()
    other.send(CancelRequest(*struct.unpack("!iI", key)).encode())
    assert other.rest() == b""
    client.send(encode_message(Query("select 1")))
    assert [kind for kind, _ in client.until("Z")] == ["T", "D", "C", "Z"]
    assert not gate.opened[0].is_interrupted.is_set()


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\0\1\0\1\xfc\3\3", b"\0\0\0\0", b"\xff" * 5000])
def test_garbage_on_the_port_is_answered_by_an_error_and_the_end(dial: Callable[[], Wire], server: WireServer, data: bytes) -> None:
    client = dial()
    client.send(data)
    kind, body = client.message()
    assert (kind, fields(body)["C"]) == ("E", "08P01")
    assert client.rest() == b""
    client.socket.close()
    assert eventually(server, 0)


def test_clients_that_vanish_leave_nothing_behind(dial: Callable[[], Wire], server: WireServer, gate: Any) -> None:
    silent, half, ready, reading = dial(), dial(), dial(), dial()
    half.send(HELLO[:9])
    ready.send(HELLO)
    ready.until("Z")
    reading.send(HELLO)
    reading.until("Z")
    reading.send(encode_message(Query("select i, repeat('x', 200) from range(5000000) t(i)")))
    reading.until("D")
    # a reset instead of a polite end, in the middle of a result
    reading.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for client in (silent, half, ready, reading):
        client.socket.close()
    assert eventually(server, 0)
    assert gate.open_results == 0
    assert len(gate.closed) == len(gate.opened) == 2
    with psycopg.connect(dsn(server)) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_many_connections_come_and_go_and_their_threads_end(server: WireServer, gate: Any) -> None:
    def use(number: int) -> None:
        with psycopg.connect(dsn(server)) as connection:
            assert connection.execute("select %s::int", (number,)).fetchone() == (number,)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert eventually(server, 0)
    assert len(gate.opened) == len(gate.closed) == 60
    tick = threading.Event()
    assert any(not serving() or tick.wait(0.01) for _ in range(500))


def test_one_connection_too_many_is_told_so(gate: Any) -> None:
    with WireServer(gate, port=0, connections_max=2) as server:
        held = [psycopg.connect(dsn(server)) for _ in range(2)]
        with pytest.raises(psycopg.OperationalError, match="too many clients already"):
            psycopg.connect(dsn(server))
        held[0].close()
        assert eventually(server, 1)
        psycopg.connect(dsn(server)).close()
        held[1].close()


def test_a_login_that_does_not_come_is_given_up(gate: Any) -> None:
    with WireServer(gate, port=0, login_seconds_max=0.05) as server:
        client = Wire(server.port)
        kind, body = client.message()
        assert (kind, fields(body)["M"]) == ("E", "canceling authentication due to timeout")
        assert client.rest() == b""
        client.socket.close()
        gate.passwords["ada"] = Credential.of_password("ada", "x")
        slow = Wire(server.port)
        slow.send(HELLO)
        assert [kind for kind, _ in slow.until("E")] == ["R", "E"]
        slow.socket.close()


def test_stopping_tells_idle_clients_and_interrupts_busy_ones(gate: Any) -> None:
    server = WireServer(gate, port=0)
    server.start()
    idle, busy, new = Wire(server.port), Wire(server.port), Wire(server.port)
    for client in (idle, busy):
        client.send(HELLO)
        client.until("Z")
    busy.send(encode_message(Query("hang")))
    assert gate.hanging.wait(SECONDS)
    server.stop()
    server.stop()
    assert fields(idle.message()[1])["C"] == "57P01"
    assert [fields(body).get("C") for kind, body in busy.until("E") if kind == "E"] == ["57014"]
    assert fields(busy.until("E")[-1][1])["C"] == "57P01"
    assert fields(new.message()[1])["C"] == "57P01"
    for client in (idle, busy, new):
        assert client.rest() == b""
        client.socket.close()
    assert server.connection_count == 0
    assert len(gate.closed) == 2
    with pytest.raises(OSError, match="refused"):
        Wire(server.port)


def test_stopping_does_not_wait_for_a_client_that_does_not_read(gate: Any) -> None:
    server = WireServer(gate, port=0)
    server.start()
    client = Wire(server.port)
    client.send(HELLO)
    client.until("Z")
    client.send(encode_message(Query("select i, repeat('x', 200) from range(50000000) t(i)")))
    client.until("D")
    server.stop(0.2)
    assert server.connection_count == 0
    assert gate.open_results == 0
    client.socket.close()


def test_a_fault_ends_its_connection_and_not_the_server(
    dial: Callable[[], Wire], server: WireServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = dial()
    client.send(HELLO)
    client.until("Z")
    client.send(encode_message(Query("crash")))
    kind, body = client.message()
    assert (kind, fields(body)["C"], fields(body)["S"]) == ("E", "XX000", "FATAL")
    assert "a fault of the test" not in body.decode()
    assert client.rest() == b""
    assert [record.exc_text is not None for record in caplog.records if record.levelname == "ERROR"] == [True]
    psycopg.connect(dsn(server)).close()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    folder = tmp_path_factory.mktemp("tls")
    files = TlsFiles(folder / "cert.pem", folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(files.key), "-out", str(files.certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return files


@pytest.mark.parametrize("method", [None, Method.CLEARTEXT, Method.MD5])
def test_tls_with_verification_and_a_password(gate: Any, tls: TlsFiles, method: Method | None) -> None:
    gate.passwords["ada"] = Credential.of_password("ada", "secret")
    with WireServer(gate, port=0, tls=tls, method=method) as server:
        where = dsn(server, host="localhost", hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=tls.certificate)
        with psycopg.connect(where, password="secret") as connection:
            assert connection.pgconn.ssl_in_use
            assert connection.execute("select count(*) from range(300000)").fetchone() == (300_000,)
            assert len(connection.execute("select i from range(300000) t(i)").fetchall()) == 300_000
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(where, password="wrong")
        with psycopg.connect(dsn(server, sslmode="disable"), password="secret") as plain:
            assert not plain.pgconn.ssl_in_use


def test_stopping_says_good_bye_under_tls_too(gate: Any, tls: TlsFiles) -> None:
    server = WireServer(gate, port=0, tls=tls)
    server.start()
    client = Wire(server.port)
    client.send(TlsRequest().encode())
    assert client.socket.recv(1) == b"S"
    context = ssl.create_default_context(cafile=str(tls.certificate))
    client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
    client.send(HELLO)
    client.until("Z")
    server.stop()
    assert fields(client.message()[1])["C"] == "57P01"
    client.socket.close()


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "tls"])
def test_the_connection_of_a_terminated_session_is_told_and_closed(gate: Any, tls: TlsFiles, is_encrypted: bool) -> None:
    with WireServer(gate, port=0, tls=tls) as server:
        client, other = Wire(server.port), Wire(server.port)
        if is_encrypted:
            client.send(TlsRequest().encode())
            assert client.socket.recv(1) == b"S"
            client.socket = ssl.create_default_context(cafile=str(tls.certificate)).wrap_socket(client.socket, server_hostname="localhost")
        for one in (client, other):
            one.send(HELLO)
            one.until("Z")
        gate.opened[0].on_terminated()
        told = fields(client.message()[1])
        assert (told["S"], told["C"], told["M"]) == ("FATAL", "57P01", "terminating connection due to administrator command")
        assert client.rest() == b""
        other.send(encode_message(Query("select 1")))
        assert other.until("Z")[-1][0] == "Z"
        assert [session.is_closed for session in gate.opened] == [True, False]
        for one in (client, other):
            one.socket.close()


def test_a_client_that_does_not_speak_tls_after_all_is_dropped(gate: Any, tls: TlsFiles) -> None:
    with WireServer(gate, port=0, tls=tls) as server:
        client = Wire(server.port)
        client.send(TlsRequest().encode())
        assert client.socket.recv(1) == b"S"
        client.send(HELLO)
        with client.socket, suppress(ConnectionResetError):
            client.rest()
        assert eventually(server, 0)


def test_a_slow_reader_is_not_read_ahead_of(dial: Callable[[], Wire], gate: Any) -> None:
    client = dial()
    client.send(HELLO)
    client.until("Z")
    client.send(encode_message(Query("select i, repeat('x', 1000) from range(1000000) t(i)")))
    client.until("D")
    # A gigabyte of rows: had the server not stopped at full socket buffers, the result would be closed by now.
    assert gate.open_results == 1
    assert limits.WIRE_ENCODE_BYTES_MAX < 64 * limits.MIB
