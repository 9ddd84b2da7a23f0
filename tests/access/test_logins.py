"""Logins over the wire by the users of the warehouse: passwords, ends, limits, guessing, and what is written down."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from nearshift import limits
from nearshift.cli.gate import WarehouseGate, Watch
from nearshift.clock import ManualClock
from nearshift.warehouse import Warehouse
from nearshift.wire import WireServer

PASSWORD = "Abcdefg1"
Run = Callable[[str, str], list[tuple[Any, ...]]]


@pytest.fixture
def port(warehouse: Warehouse, clock: ManualClock) -> Iterator[int]:
    with WireServer(WarehouseGate(warehouse, None, clock), port=0, watch=Watch(warehouse, clock)) as server:
        yield server.port


def rows(port: int, user: str, text: str, password: str | None = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(
        host="127.0.0.1", port=port, user=user, dbname="dev", password=password, autocommit=True, application_name="test"
    ) as connection:
        cursor = connection.execute(text)
        return list(cursor.fetchall()) if cursor.description else []


def refusal(port: int, user: str, password: str | None = None) -> str:
    with pytest.raises(psycopg.OperationalError) as caught:
        rows(port, user, "SELECT 1", password)
    return str(caught.value)


def test_the_administrator_needs_no_password_on_this_machine(port: int) -> None:
    assert rows(port, "dev", "SELECT current_user") == [("dev",)]


def test_a_user_needs_the_password_also_on_this_machine(port: int, run: Run) -> None:
    run("dev", f"CREATE USER ann PASSWORD '{PASSWORD}'")
    assert rows(port, "ann", "SELECT current_user, session_user", PASSWORD) == [("ann", "ann")]
    assert "password authentication failed" in refusal(port, "ann", "Wrong1234")
    assert "password" in refusal(port, "ann")


def test_a_user_is_held_to_privileges_over_the_wire(port: int, run: Run) -> None:
    run("dev", f"CREATE USER ann PASSWORD '{PASSWORD}'; CREATE TABLE t (a INT)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for relation t"):
        rows(port, "ann", "SELECT * FROM t", PASSWORD)


def test_forms_of_a_password_that_were_made_elsewhere_fit(port: int, run: Run) -> None:
    md5 = "md5" + hashlib.md5(b"Abcdefg1bob", usedforsecurity=False).hexdigest()
    digest = hashlib.sha256(b"Abcdefg1" + bytes.fromhex("00ff")).hexdigest()
    run("dev", f"CREATE USER bob PASSWORD '{md5}'")
    run("dev", f"CREATE USER carl PASSWORD 'sha256|{digest}|00ff'; CREATE USER dora PASSWORD 'sha256|{PASSWORD}'")
    for user in ("bob", "carl", "dora"):
        assert rows(port, user, "SELECT current_user", PASSWORD) == [(user,)]
        assert "password authentication failed" in refusal(port, user, "Wrong1234")


def test_nobody_gets_in_without_a_password_after_its_end_or_with_a_disabled_one(port: int, run: Run, clock: ManualClock) -> None:
    run("dev", f"CREATE USER ann PASSWORD DISABLE; CREATE USER bob PASSWORD '{PASSWORD}' VALID UNTIL '{clock.now():%Y-%m-%d %H:%M:%S}'")
    assert "password authentication failed" in refusal(port, "ann", PASSWORD)
    assert "password authentication failed" in refusal(port, "bob", PASSWORD)


def test_a_new_password_and_a_drop_count_at_once(port: int, run: Run) -> None:
    run("dev", f"CREATE USER ann PASSWORD '{PASSWORD}'")
    run("dev", "ALTER USER ann PASSWORD 'Hijklmn2'")
    assert "password authentication failed" in refusal(port, "ann", PASSWORD)
    assert rows(port, "ann", "SELECT 1", "Hijklmn2") == [(1,)]
    run("dev", "DROP USER ann")
    assert 'user "ann" does not exist' in refusal(port, "ann", "Hijklmn2")


def test_strangers_are_not_told_apart_once_the_administrator_has_a_password(port: int, run: Run) -> None:
    run("dev", f"ALTER USER dev PASSWORD '{PASSWORD}'")
    assert "password authentication failed" in refusal(port, "nobody", PASSWORD)
    assert rows(port, "dev", "SELECT 1", PASSWORD) == [(1,)]


def test_a_user_has_no_more_connections_than_allowed(port: int, run: Run) -> None:
    run("dev", f"CREATE USER ann PASSWORD '{PASSWORD}' CONNECTION LIMIT 1")
    with psycopg.connect(host="127.0.0.1", port=port, user="ann", dbname="dev", password=PASSWORD):
        assert 'too many connections for user "ann"' in refusal(port, "ann", PASSWORD)


def test_an_address_that_guesses_must_wait(port: int, run: Run, clock: ManualClock) -> None:
    run("dev", f"CREATE USER ann PASSWORD '{PASSWORD}'")
    for _ in range(limits.LOGIN_FAILURES_FREE):
        assert "password authentication failed" in refusal(port, "ann", "Wrong1234")
    assert "too many failed login attempts" in refusal(port, "ann", PASSWORD)
    clock.advance(limits.LOGIN_PAUSE_SECONDS_MAX)
    assert rows(port, "ann", "SELECT 1", PASSWORD) == [(1,)]


def test_sessions_begin_with_the_settings_of_their_user(port: int, run: Run) -> None:
    run("dev", f"CREATE USER ann PASSWORD '{PASSWORD}'")
    run("dev", "ALTER USER ann SET timezone TO 'Europe/Berlin'")
    assert rows(port, "ann", "SHOW timezone", PASSWORD) == [("Europe/Berlin",)]


def test_logins_are_written_down_and_shown_to_superusers_only(port: int, run: Run, warehouse: Warehouse) -> None:
    run("dev", f"CREATE USER ann PASSWORD '{PASSWORD}'")
    rows(port, "ann", "SELECT 1", PASSWORD)
    refusal(port, "ann", "Wrong1234")
    warehouse.scheduler.write_notes()
    columns = "trim(event), trim(remote_host), trim(auth_method), trim(application_name)"
    shown = run("dev", f"SELECT {columns} FROM sys_connection_log WHERE user_name = 'ann'")
    assert ("authenticated", "127.0.0.1", "scram-sha-256", "test") in shown
    assert {event for event, *_ in shown} >= {"authenticated", "initiating session", "authentication failure"}
    assert run("dev", "SELECT count(*) FROM stl_connection_log WHERE username = 'ann'") == [(len(shown),)]
    assert run("ann", "SELECT count(*) FROM sys_connection_log") == [(0,)]


def test_passwords_and_keys_are_in_no_view(run: Run, warehouse: Warehouse) -> None:
    run("dev", f"CREATE USER ann PASSWORD '{PASSWORD}'")
    run("dev", "ALTER USER ann /* a */ PASSWORD 'Secret22'")
    warehouse.scheduler.write_notes()
    texts = [str(row) for row in run("dev", "SELECT query_text, error_message FROM sys_query_history")]
    assert any("CREATE USER ann PASSWORD '***'" in text for text in texts)
    assert not any(PASSWORD in text or "Secret22" in text for text in texts)
    stored = [str(row) for row in run("dev", "SELECT * FROM pg_user") + run("dev", "SELECT * FROM pg_roles")]
    assert not any("SCRAM" in text or "md5" in text for text in stored)
