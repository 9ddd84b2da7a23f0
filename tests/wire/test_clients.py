"""Real clients against the fake gate: psql, psycopg and redshift_connector."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redshift_connector

from nearshift import limits
from nearshift.wire import Credential, WireServer

VALUES = """select 1::smallint a, 2::int b, 3::bigint c, 1.5::float d, 2.5::double e, 12.50::decimal(10,2) f, true g, 'é' h,
    date '2020-01-02' i, time '01:02:03.5' j, timestamp '2020-01-02 03:04:05.12' k, timestamptz '2020-01-02 03:04:05+00' l,
    null::int m, -1234567890123456789.5::decimal(38,1) n"""
ROW = (
    1, 2, 3, 1.5, 2.5, Decimal("12.50"), True, "é", date(2020, 1, 2), time(1, 2, 3, 500_000),
    datetime.fromisoformat("2020-01-02T03:04:05.120000"), datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), None,
    Decimal("-1234567890123456789.5"),
)  # fmt: skip


def connect(server: WireServer, **more: Any) -> psycopg.Connection[Any]:
    return psycopg.connect(host="127.0.0.1", port=server.port, user="ada", dbname="dev", connect_timeout=20, **more)


def connect_redshift(server: WireServer, **more: Any) -> Any:
    given = {"user": "ada", "password": "none", "ssl": False, **more}
    return redshift_connector.connect(host="127.0.0.1", port=server.port, database="dev", **given)


def psql(server: WireServer, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("psql")
    if program is None:
        pytest.skip("psql is not installed")
    variables = {**os.environ, "PGCONNECT_TIMEOUT": "20", "PGUSER": "ada", "PGDATABASE": "dev", **environment}
    command = [program, "-X", "-h", "127.0.0.1", "-p", str(server.port), *arguments]
    return subprocess.run(command, input=stdin, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_psql_shows_rows(server: WireServer) -> None:
    done = psql(server, "-At", "-F", "|", "-c", VALUES)
    assert done.stderr == ""
    assert done.stdout == (
        "1|2|3|1.5|2.5|12.50|t|é|2020-01-02|01:02:03.5|2020-01-02 03:04:05.12|2020-01-02 03:04:05+00||-1234567890123456789.5\n"
    )


def test_psql_shows_errors_with_a_caret_and_notices(server: WireServer) -> None:
    done = psql(server, "-v", "VERBOSITY=verbose", "-f", "-", stdin="notice hello;\nselect oops from;\nselect 7 as seven;\n")
    lines = done.stderr.splitlines()
    assert lines[0].endswith("INFO:  00000: hello")
    assert lines[2].endswith("ERROR:  42601: syntax error")
    assert lines[3:5] == ["LINE 1: select oops from;", "               ^"]
    assert "seven" in done.stdout


def test_psql_reads_with_a_fetch_count_and_in_a_transaction(server: WireServer) -> None:
    done = psql(server, "-At", "-f", "-", stdin="begin;\nselect count(*) from range(10);\ncommit;\n\\echo :SERVER_VERSION_NAME :ENCODING\n")
    assert done.stdout == "BEGIN\n10\nCOMMIT\n8.0.2 UTF8\n"


def test_psql_logs_in_by_scram(server: WireServer, gate: Any) -> None:
    gate.passwords["ada"] = Credential.of_password("ada", "sécret")
    assert psql(server, "-Atc", "select 1", PGPASSWORD="sécret").stdout == "1\n"
    refused = psql(server, "-Atc", "select 1", PGPASSWORD="wrong")
    assert 'password authentication failed for user "ada"' in refused.stderr


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_reads_every_type(server: WireServer, binary: bool) -> None:
    with connect(server) as connection:
        cursor = connection.cursor(binary=binary)
        assert cursor.execute(VALUES).fetchone() == ROW
        assert [column.name for column in cursor.description or ()] == list("abcdefghijklmn")
        assert [column.precision for column in cursor.description or ()][5] == 10


@pytest.mark.parametrize(
    ("value", "cast"),
    [
        (True, "boolean"), (7, "int"), (2**40, "bigint"), (1.25, "double"), (Decimal("-12.34"), "decimal(10,2)"), ("é'\"\\", "varchar"),
        (b"\0\xff", "blob"), (date(1999, 12, 31), "date"), (time(1, 2, 3), "time"),
        (datetime.fromisoformat("1999-12-31T01:02:03.000004"), "timestamp"),
        (datetime(2020, 1, 2, tzinfo=timezone(timedelta(hours=2))), "timestamptz"), (None, "int"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["%s", "%t", "%b"])
def test_psycopg_sends_every_type(server: WireServer, value: object, cast: str, form: str) -> None:
    with connect(server) as connection:
        found = connection.execute(f"select {form}::{cast}".encode(), (value,)).fetchone()
    assert found == (value.hex() if isinstance(value, bytes) else value,)


def test_psycopg_pipelines_and_recovers(server: WireServer) -> None:
    with connect(server, autocommit=True) as connection:
        with connection.pipeline():
            cursors = [connection.execute("select %s::int", (number,)) for number in range(50)]
        assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(50)]
        with pytest.raises(psycopg.errors.UndefinedTable), connection.pipeline():
            connection.execute("select * from nowhere")
        assert connection.execute("select 1").fetchone() == (1,)


def test_psycopg_sees_the_state_of_the_transaction(server: WireServer) -> None:
    with connect(server) as connection:
        connection.execute("select 1")
        assert connection.info.transaction_status.name == "INTRANS"
        with pytest.raises(psycopg.errors.SyntaxError) as caught:
            connection.execute("select oops from")
        assert caught.value.diag.statement_position == "8"
        assert connection.info.transaction_status.name == "INERROR"
        connection.rollback()
        assert connection.info.transaction_status.name == "IDLE"
        assert connection.info.parameter_status("padb_revision") == "1.0.12103"


def test_psycopg_prepares_streams_and_cancels(server: WireServer, gate: Any) -> None:
    with connect(server, autocommit=True, prepare_threshold=1) as connection:
        for number in range(5):
            assert connection.execute("select %s::int + 1", (number,)).fetchone() == (number + 1,)
        rows = 2 * limits.RESULT_BATCH_ROWS + 1
        cursor = connection.cursor()
        assert sum(number for (number,) in cursor.stream(f"select i from range({rows}) t(i)".encode())) == rows * (rows - 1) // 2
        received: list[str | None] = []
        connection.add_notice_handler(lambda diagnostic: received.append(diagnostic.message_primary))
        connection.execute("notice hello")
        assert received == ["hello"]


def test_redshift_connector_reads_every_type_in_its_binary_protocol(server: WireServer) -> None:
    with connect_redshift(server) as connection, connection.cursor() as cursor:
        assert connection._client_protocol_version == 2
        assert tuple(cursor.execute(VALUES).fetchone()) == ROW


@pytest.mark.parametrize("version", [0, 1])
def test_redshift_connector_reads_every_type_in_older_protocols(server: WireServer, version: int) -> None:
    with connect_redshift(server, client_protocol_version=version) as connection, connection.cursor() as cursor:
        assert connection._client_protocol_version == version
        assert tuple(cursor.execute(VALUES).fetchone()) == ROW


def test_redshift_connector_sends_parameters_and_reads_intervals(server: WireServer) -> None:
    with connect_redshift(server) as connection, connection.cursor() as cursor:
        sent = (1, 70000, 2**40, 1.5, "é", True, None, date(2020, 1, 2), datetime.fromisoformat("2020-01-02T03:04:05"), Decimal("1.50"))
        casts = ("int", "int", "bigint", "double", "varchar", "boolean", "int", "date", "timestamp", "decimal(5,2)")
        found = cursor.execute("select " + ", ".join(f"%s::{cast}" for cast in casts), sent).fetchone()
        assert tuple(found) == sent
        assert cursor.execute("select interval '2 days 03:00:00' a").fetchone() == [timedelta(days=2, hours=3)]
        cursor.execute("select interval '14 months' a")
        assert cursor.fetchone()[0].months == 14


def test_redshift_connector_gets_errors_and_goes_on(server: WireServer) -> None:
    with connect_redshift(server) as connection, connection.cursor() as cursor:
        with pytest.raises(redshift_connector.error.ProgrammingError) as caught:
            cursor.execute("select oops from")
        assert caught.value.args[0]["C"] == "42601"
        connection.rollback()
        assert cursor.execute("select i from range(20000) t(i)").fetchall()[-1] == [19_999]


def test_redshift_connector_logs_in_by_md5(server: WireServer, gate: Any) -> None:
    gate.passwords["ada"] = Credential.of_password("ada", "secret")
    with connect_redshift(server, password="secret") as connection, connection.cursor() as cursor:
        assert cursor.execute("select 1").fetchone() == [1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_redshift_connector_is_refused_with_a_wrong_password(server: WireServer, gate: Any) -> None:
    gate.passwords["ada"] = Credential.of_password("ada", "secret")
    with pytest.raises(redshift_connector.error.ProgrammingError, match="28P01"):
        connect_redshift(server, password="wrong")
    # The driver leaves its socket open when it is refused: let the warning about it come here.
    gc.collect()


def test_the_page_on_clients_shows_what_is_tested() -> None:
    page = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
    assert all(name in page for name in ("psql", "psycopg", "redshift_connector"))
