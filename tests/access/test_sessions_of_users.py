"""Sessions of regular users in process: what another session does counts at their next statement; secrets; attempts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nearshift
from nearshift import limits
from nearshift.access.attempts import Attempts, Failures, wait_seconds
from nearshift.access.passwords import Credential, credential_of
from nearshift.access.redaction import redacted
from nearshift.errors import InvalidSql, PermissionDenied, UndefinedObject
from nearshift.session import Session
from nearshift.warehouse import Warehouse

Run = Callable[[str, str], list[tuple[Any, ...]]]


def rows(session: Session, text: str) -> list[tuple[Any, ...]]:
    return [row for result in session.execute_script(text) for row in (result.rows() if result.columns is not None else ())]


@pytest.fixture
def ann(warehouse: Warehouse, run: Run) -> Session:
    run("dev", "CREATE USER ann PASSWORD DISABLE; CREATE TABLE t (a INT); GRANT SELECT ON t TO ann")
    return warehouse.session("ann")


def test_a_revoke_counts_at_the_next_statement_of_another_session(ann: Session, run: Run) -> None:
    prepared = ann.prepare("SELECT a FROM t", ())
    assert ann.run(prepared, ()).rows() == []
    run("dev", "REVOKE SELECT ON t FROM ann")
    with pytest.raises(PermissionDenied, match="permission denied for relation t"):
        ann.run(prepared, ())
    run("dev", "GRANT SELECT ON t TO PUBLIC")
    assert ann.run(prepared, ()).rows() == []


def test_a_translation_that_a_superuser_made_does_not_open_the_door(ann: Session, run: Run, warehouse: Warehouse) -> None:
    run("dev", "CREATE TABLE hidden (a INT)")
    assert rows(warehouse.session(), "SELECT a FROM hidden") == []
    with pytest.raises(PermissionDenied):
        rows(ann, "SELECT a FROM hidden")


def test_a_user_who_was_dropped_may_do_nothing_more(ann: Session, run: Run) -> None:
    run("dev", "REVOKE SELECT ON t FROM ann; GRANT SELECT ON t TO PUBLIC; DROP USER ann")
    with pytest.raises(PermissionDenied, match='user "ann" does not exist'):
        rows(ann, "SELECT a FROM t")


def test_only_who_logged_in_as_a_superuser_may_become_another(ann: Session, run: Run) -> None:
    run("dev", "CREATE USER bob PASSWORD DISABLE")
    with pytest.raises(PermissionDenied, match="permission denied to set session authorization"):
        rows(ann, "SET SESSION AUTHORIZATION bob")
    assert rows(ann, "SET SESSION AUTHORIZATION DEFAULT; SELECT current_user") == [("ann",)]


def test_schemas_that_may_not_be_used_are_not_on_the_search_path(ann: Session, run: Run) -> None:
    run("dev", "CREATE SCHEMA closed; CREATE TABLE closed.u (a INT)")
    rows(ann, "SET search_path TO closed, public")
    with pytest.raises(UndefinedObject, match='relation "u" does not exist'):
        rows(ann, "SELECT a FROM u")
    assert rows(ann, "SELECT current_schema()") == [("public",)]


def test_an_owner_of_a_schema_may_drop_what_is_in_it(ann: Session, run: Run) -> None:
    run("dev", "CREATE SCHEMA hers AUTHORIZATION ann; CREATE TABLE hers.u (a INT)")
    rows(ann, "DROP TABLE hers.u; DROP SCHEMA hers")
    assert run("dev", "SELECT count(*) FROM pg_namespace WHERE nspname = 'hers'") == [(0,)]


def test_a_connection_in_process_has_the_privileges_of_its_user(tmp_path: Path) -> None:
    with nearshift.connect(tmp_path / "w.duckdb") as connection:
        connection.execute("CREATE USER ann PASSWORD DISABLE; CREATE TABLE t (a INT)")
    with nearshift.connect(tmp_path / "w.duckdb", user="ann") as connection:
        with pytest.raises(PermissionDenied):
            connection.execute("SELECT * FROM t")
        assert connection.execute("SELECT current_user").fetchall() == [("ann",)]
    with pytest.raises(UndefinedObject, match='user "nobody" does not exist'):
        nearshift.connect(tmp_path / "w.duckdb", user="nobody")


def test_memberships_and_grants_are_kept_in_the_file(tmp_path: Path) -> None:
    with nearshift.connect(tmp_path / "w.duckdb") as connection:
        connection.execute("CREATE USER ann PASSWORD DISABLE; CREATE ROLE r; GRANT ROLE r TO ann; CREATE TABLE t (a INT)")
        connection.execute("GRANT SELECT ON t TO ROLE r; ALTER TABLE t RENAME TO renamed")
    with nearshift.connect(tmp_path / "w.duckdb", user="ann") as connection:
        assert connection.execute("SELECT * FROM renamed").fetchall() == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("CREATE USER u PASSWORD 'secret'", "CREATE USER u PASSWORD '***'"),
        ("alter user u password\n  'se''cret' createdb", "alter user u password\n  '***' createdb"),
        ("ALTER USER u PASSWORD /* 'x' */ 'secret'", "ALTER USER u PASSWORD /* '***' */ '***'"),
        ("CREATE USER u 'secret'", "CREATE USER u '***'"),
        ("CREATE USER u PASSWORD 'secret", "CREATE USER u PASSWORD '***'"),
        ("-- a\nCREATE USER u PASSWORD $$secret$$", "-- a\nCREATE USER u PASSWORD '***'"),
        ("COPY t FROM 's3://b' ACCESS_KEY_ID 'secret' SECRET_ACCESS_KEY 'secret'", None),
        ("COPY t FROM 's3://b' CREDENTIALS 'aws_access_key_id=secret'", None),
        ("COPY t FROM 's3://b' CREDENTIALS AS 'secret' SESSION_TOKEN 'secret'", None),
        ("SELECT 'password' AS a, 'b' FROM t", "SELECT 'password' AS a, 'b' FROM t"),
        ("SELECT password FROM t WHERE name = 'x'", "SELECT password FROM t WHERE name = 'x'"),
    ],
)
def test_what_is_kept_of_a_statement_has_no_secret(text: str, kept: str | None) -> None:
    assert "secret" not in redacted(text)
    if kept is not None:
        assert redacted(text) == kept


def test_the_text_of_a_password_is_in_no_error() -> None:
    for password in ("short", "nouppercase1", "NOLOWERCASE1", "NoDigitHere", "Has@Sign1"):
        with pytest.raises(InvalidSql) as caught:
            credential_of("u", password)
        assert password not in caught.value.message + (caught.value.hint or "")


def test_a_digest_lets_in_only_the_password_it_was_made_from() -> None:
    kept = credential_of("u", "sha256|" + "ab" * 32 + "|00ff")
    assert Credential.parse(str(kept)) == kept
    assert not kept.matches("u", "Abcdefg1")
    assert "ab" * 32 not in repr(kept)


def test_the_wait_doubles_up_to_its_bound_and_runs_out() -> None:
    free = limits.LOGIN_FAILURES_FREE
    waits = [wait_seconds(Failures(count, 100.0), 100.0) for count in (free - 1, free, free + 1, free + 2, free + 50)]
    assert waits == [0.0, 1.0, 2.0, 4.0, limits.LOGIN_PAUSE_SECONDS_MAX]
    assert wait_seconds(Failures(free, 100.0), 101.5) == 0.0


def test_addresses_are_forgotten_when_there_are_too_many() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(limits.LOGIN_FAILURES_FREE):
        attempts.failed("first")
    with pytest.raises(PermissionDenied):
        attempts.check("first")
    for number in range(limits.LOGIN_ADDRESSES_MAX):
        attempts.failed(f"other {number}")
    attempts.check("first")
