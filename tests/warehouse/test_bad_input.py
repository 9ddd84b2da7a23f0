"""Bad input and a bad machine: one clear error each, the server goes on, nothing committed is lost."""

from __future__ import annotations

import os
import resource
import socket
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from nearshift.errors import ConfigurationError, Conflict, NearshiftError
from nearshift.streams.roles import parse_roles
from nearshift.warehouse import Warehouse
from nearshift.wire import Credential, WireServer

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


class _Gate:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def password_of(self, user: str) -> Credential | None:
        return None if user != "guarded" else Credential.of_password(user, "secret")

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> Any:
        return self._warehouse.session(user, database, options=options)


@pytest.fixture
def server() -> Iterator[WireServer]:
    with Warehouse.open(threads=1) as warehouse:
        session = warehouse.session()
        session.execute("CREATE TABLE kept AS SELECT 1 AS a")
        session.close()
        with WireServer(_Gate(warehouse), port=0) as found:
            yield found


def connect(server: WireServer, **more: Any) -> psycopg.Connection[Any]:
    given = {"host": "127.0.0.1", "port": server.port, "user": "dev", "dbname": "dev", "autocommit": True, "connect_timeout": 20, **more}
    return psycopg.connect(**given)


def still_works(server: WireServer) -> None:
    with connect(server) as connection:
        assert connection.execute("SELECT a FROM kept").fetchall() == [(1,)]


def test_pg_terminate_backend_closes_the_connection(server: WireServer) -> None:
    with connect(server) as busy, connect(server) as idle, connect(server) as asking:
        idle.autocommit = False
        idle.execute("INSERT INTO kept VALUES (2)")
        busy_id, idle_id = (one.execute("SELECT pg_backend_pid()").fetchone() for one in (busy, idle))
        assert asking.execute("SELECT pg_terminate_backend(%s)", idle_id).fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="terminating connection due to administrator command"):
            idle.execute("SELECT 1")
        assert idle.closed
        with pytest.raises(psycopg.OperationalError, match="terminating connection due to administrator command") as raised:
            busy.execute("SELECT pg_terminate_backend(%s)", busy_id)
        assert raised.value.sqlstate == "57P01"
        assert busy.closed
    still_works(server)


@pytest.mark.parametrize("seed", range(10))
def test_garbage_on_the_port(server: WireServer, seed: int) -> None:
    random = Random(seed)
    starts = [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", struct.pack("!II", 8, 80877103), b"\xff" * 8]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(random.choice(starts) + random.randbytes(random.randrange(1, 5000)))
        client.shutdown(socket.SHUT_WR)
        with pytest.MonkeyPatch.context():
            try:
                while client.recv(65_536):
                    pass
            except ConnectionResetError:
                pass
    still_works(server)


def test_a_statement_of_a_hundred_megabytes(server: WireServer) -> None:
    text = b"SELECT '" + b"x" * (100 * 1024 * 1024) + b"'"
    with connect(server) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(text)
        assert caught.value.sqlstate in {"54000", "54001"}
        assert connection.execute("SELECT a FROM kept").fetchall() == [(1,)], "the same connection goes on"


def test_text_that_is_not_utf8_and_nul_bytes(server: WireServer) -> None:
    with connect(server) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(b"SELECT '\xff\xfe'")
        assert caught.value.sqlstate == "22021"
        assert connection.execute("SELECT a FROM kept").fetchall() == [(1,)]


def test_deep_nesting_is_refused(server: WireServer) -> None:
    with connect(server) as connection:
        for text in ("SELECT " + "(" * 20_000 + "1" + ")" * 20_000, "SELECT " + " - " * 20_000 + "1", "SELECT 1" + " + 1" * 50_000):
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(text.encode())
            assert caught.value.sqlstate in {"54001", "54000", "42601"}, caught.value
        assert connection.execute("SELECT a FROM kept").fetchall() == [(1,)]


def test_deep_json_breaks_nothing(server: WireServer) -> None:
    with connect(server) as connection:
        connection.execute("CREATE TABLE deep (p super)")
        insert = "INSERT INTO deep SELECT json_parse(%s)"
        connection.execute(insert, ("[" * 900 + "]" * 900,))
        with pytest.raises(psycopg.errors.StatementTooComplex, match="at most 1000 levels"):
            connection.execute(insert, ("[" * 50_000 + "]" * 50_000,))
        assert connection.execute("SELECT count(*) FROM deep d, d.p a, a b WHERE json_typeof(d.p) = 'array'").fetchone() == (1,)
        assert connection.execute("SELECT a FROM kept").fetchall() == [(1,)]


def test_wrong_names_at_login(server: WireServer) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "other" does not exist'):
        connect(server, dbname="other")
    with pytest.raises(psycopg.OperationalError, match='user "stranger" does not exist'):
        connect(server, user="stranger")
    still_works(server)


def test_a_port_in_use(server: WireServer) -> None:
    with Warehouse.open(threads=1) as warehouse, pytest.raises(ConfigurationError, match=str(server.port)) as caught:
        WireServer(_Gate(warehouse), port=server.port).start()
    assert caught.value.hint
    still_works(server)


def test_a_warehouse_file_in_use_by_another_process(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from nearshift.warehouse import Warehouse
        with Warehouse.open(Path(sys.argv[1])) as warehouse:
            print("open", flush=True)
            sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(Conflict, match=f"in use by another process.*{process.pid}") as caught:
            Warehouse.open(file)
        assert caught.value.sqlstate == "55006"
        process.communicate("", timeout=20)
    Warehouse.open(file).close()


@pytest.mark.parametrize("text", ["", "default,arn:aws:iam::1:role/a", "not an arn", "arn:aws:iam::123456789012:user/u"])
def test_a_role_that_is_none(place: Any, text: str) -> None:
    with pytest.raises(NearshiftError):
        parse_roles(text)
    with pytest.raises(NearshiftError):
        place.rows(f"CREATE EXTERNAL SCHEMA k FROM KINESIS IAM_ROLE '{text}'")


def test_an_unknown_stream_leaves_nothing_behind(place: Any) -> None:
    place.rows("CREATE EXTERNAL SCHEMA k FROM KINESIS IAM_ROLE default")
    with pytest.raises(NearshiftError, match='stream "nothing" does not exist') as caught:
        place.rows("CREATE MATERIALIZED VIEW v AS SELECT * FROM k.nothing")
    assert caught.value.sqlstate == "42704"
    assert place.rows("SELECT count(*) FROM svv_tables") == [(0,)]
    place.stream("nothing")
    place.rows("CREATE MATERIALIZED VIEW v AS SELECT * FROM k.nothing; REFRESH MATERIALIZED VIEW v")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from nearshift.errors import NearshiftError
from nearshift.streams.memory import MemoryStream
from nearshift.warehouse import Warehouse

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file, stream = Path(sys.argv[1]), MemoryStream("s")
warehouse = Warehouse.open(file, sources=lambda schema, name: stream.source(), threads=1)
session = warehouse.session()
session.execute("CREATE EXTERNAL SCHEMA k FROM KINESIS IAM_ROLE default")
session.execute("CREATE MATERIALIZED VIEW v AS SELECT sequence_number, kinesis_data FROM k.s")
stored = 0
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (3 * 1024 * 1024, before[1]))
failure = None
for number in range(200):
    for record in range(10):
        stream.put(bytes([number, record]) * 5000, str(record))
    try:
        session.execute("REFRESH MATERIALIZED VIEW v")
    except NearshiftError as error:
        failure = error
        break
    stored += 10
assert failure is not None
print(failure.sqlstate, stored, len(session.execute("SELECT sequence_number FROM v").rows()), flush=True)
try:
    session.execute("REFRESH MATERIALIZED VIEW v")
except NearshiftError as error:
    print(error.sqlstate, error.message, "|", error.hint, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, before)
try:
    session.execute("REFRESH MATERIALIZED VIEW v")
    print("again", len(session.execute("SELECT sequence_number FROM v").rows()), flush=True)
except NearshiftError as error:
    print(error.sqlstate, error.message, "|", error.detail, flush=True)
import os
os._exit(0)
"""


def test_a_full_disk_is_told_and_costs_nothing_that_was_committed(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    assert resource.RLIMIT_FSIZE
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(file)], capture_output=True, text=True, timeout=100, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    state, stored, seen = first.split()
    assert state == "53100", done.stdout + done.stderr
    assert int(stored) == int(seen) > 0
    assert second.startswith("53100 could not write"), second
    assert third == f"again {int(stored) + 10}", "there is room again, and refreshing goes on"
    rows = int(stored) + 10
    with Warehouse.open(file, threads=1) as warehouse:
        session = warehouse.session()
        assert session.execute("SELECT count(*), count(DISTINCT sequence_number) FROM v").rows() == [(rows, rows)]
        assert session.execute("SELECT sum(stored_rows), bool_and(is_balanced) FROM sys_nearshift_ledger").rows() == [(rows, True)]
        session.execute("CREATE TABLE more AS SELECT 1 AS a")
