"""Statements of the extended protocol before one Sync are one transaction, as in PostgreSQL's pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest

from nearshift.errors import NearshiftError
from nearshift.warehouse import Warehouse
from nearshift.wire import Credential, WireServer


class _Gate:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def password_of(self, user: str) -> Credential | None:
        return None

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> Any:
        return self._warehouse.session(user, database, options=options)


@pytest.fixture
def server(place: Any) -> Iterator[WireServer]:
    with WireServer(_Gate(place.warehouse), port=0) as running:
        yield running


@pytest.fixture
def client(server: WireServer) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(host="127.0.0.1", port=server.port, user="dev", dbname="dev", autocommit=True, connect_timeout=20) as connection:
        connection.execute("CREATE TABLE t (a int)")
        yield connection


def test_a_batch_is_undone_whole_by_its_error(client: psycopg.Connection[Any], place: Any) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), client.pipeline():  # noqa: PT012 - the error comes at the batch's end
        client.execute("INSERT INTO t VALUES (1)")
        client.execute("INSERT INTO missing VALUES (2)")
        client.execute("INSERT INTO t VALUES (3)")
    assert place.rows("SELECT count(*) FROM t") == [(0,)]
    client.execute("INSERT INTO t VALUES (4)")
    assert place.rows("SELECT a FROM t") == [(4,)]


def test_a_batch_is_seen_by_others_only_after_its_sync(client: psycopg.Connection[Any], place: Any) -> None:
    with client.pipeline() as pipeline:
        client.execute("INSERT INTO t VALUES (1)")
        found = client.execute("SELECT count(*) FROM t")
        client.pgconn.send_flush_request()
        client.pgconn.flush()
        assert found.fetchone() == (1,)
        assert place.rows("SELECT count(*) FROM t") == [(0,)]
        pipeline.sync()
        assert place.rows("SELECT count(*) FROM t") == [(1,)]


def test_two_batches_of_one_pipeline_are_two_transactions(client: psycopg.Connection[Any], place: Any) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), client.pipeline() as pipeline:  # noqa: PT012 - the error comes at the batch's end
        client.execute("INSERT INTO t VALUES (1)")
        pipeline.sync()
        client.execute("INSERT INTO t VALUES (2)")
        client.execute("SELECT * FROM missing")
    assert place.rows("SELECT a FROM t") == [(1,)]


def test_begin_in_a_batch_keeps_the_transaction_open_after_the_sync(client: psycopg.Connection[Any], place: Any) -> None:
    with client.pipeline():
        client.execute("INSERT INTO t VALUES (1)")
        client.execute("BEGIN")
        client.execute("INSERT INTO t VALUES (2)")
    assert client.info.transaction_status is psycopg.pq.TransactionStatus.INTRANS
    client.execute("ROLLBACK")
    assert place.rows("SELECT count(*) FROM t") == [(0,)]


def test_a_call_that_commits_runs_alone_and_not_after_others(client: psycopg.Connection[Any], place: Any) -> None:
    client.execute("CREATE PROCEDURE p() AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; END; $$ LANGUAGE plpgsql")
    with client.pipeline():
        client.execute("CALL p()")
    assert place.rows("SELECT count(*) FROM t") == [(1,)]
    with pytest.raises(psycopg.DatabaseError, match="atomic context"), client.pipeline():  # noqa: PT012 - the error comes at the batch's end
        client.execute("INSERT INTO t VALUES (5)")
        client.execute("CALL p()")
    assert place.rows("SELECT count(*) FROM t") == [(1,)]


def test_a_statement_after_commit_in_a_script_begins_a_new_implicit_block(place: Any) -> None:
    session = place.warehouse.session()
    text = "CREATE TABLE u (a int); BEGIN; INSERT INTO u VALUES (1); COMMIT; INSERT INTO u VALUES (2); SELECT * FROM missing"
    with pytest.raises(NearshiftError, match="missing"):
        place.rows(text, session)
    assert place.rows("SELECT a FROM u") == [(1,)]
    session.close()
