"""`nearshift replay` in this process and through a server, and what nearshift.toml says of bad and lost records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearshift.cli.main import main
from nearshift.cli.running import WAREHOUSE_FILE, state_folder
from nearshift.cli.server import Listening, PipelineServer
from nearshift.clock import ManualClock, SystemClock
from nearshift.errors import NearshiftError
from nearshift.house import Feeds
from nearshift.pipeline.folder import read_folder
from nearshift.streams.memory import MemoryStream
from nearshift.streams.record import ShardId
from nearshift.warehouse import Warehouse

SQL = """
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
SET enable_case_sensitive_identifier TO true;
CREATE SCHEMA "Mixed";
CREATE MATERIALIZED VIEW "Mixed"."Events" AS SELECT from_varbyte(kinesis_data, 'utf-8')::int AS n FROM kds.events;
"""
VIEW = '"Mixed"."Events"'
SHARD = ShardId("shardId-000000000000")


def refresh(warehouse: Warehouse) -> None:
    session = warehouse.session()
    try:
        for result in session.execute_script(f"SET enable_case_sensitive_identifier TO true; REFRESH MATERIALIZED VIEW {VIEW}"):
            result.rows()
    finally:
        session.close()


def rows(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    session = warehouse.session()
    try:
        session.execute("SET enable_case_sensitive_identifier TO true")
        return session.execute(query).rows()
    finally:
        session.close()


@pytest.fixture
def clock() -> ManualClock:
    """The stream's; the warehouse has the real one."""
    return ManualClock()


@pytest.fixture
def stream(clock: ManualClock) -> MemoryStream:
    return MemoryStream("events", clock=clock)


@pytest.fixture
def folder(tmp_path: Path, stream: MemoryStream) -> Path:
    """A folder whose warehouse has two records in quarantine; the view was changed since so that one of them would work."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "nearshift.toml").write_text('name = "p"')
    for data in (b"1", b"one", b"two"):
        stream.put(data)
    file = state_folder(tmp_path) / WAREHOUSE_FILE
    with Warehouse.open(file, sources=lambda _schema, _name: stream.source()) as warehouse:
        session = warehouse.session()
        for result in session.execute_script(SQL):
            result.rows()
        refresh(warehouse)
        connection = session.house.engine.connect()
        text = "from_varbyte(kinesis_data, 'utf-8')"
        changed = [text, f"replace({text}, 'one', '11')"]
        connection.execute("UPDATE nearshift.relations SET definition = replace(definition, $1, $2)", changed)
        connection.close()
        session.close()
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[Path]:
    with PipelineServer(read_folder(folder), Listening("127.0.0.1", 0, 0)):
        yield folder


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    shown = capsys.readouterr()
    return int(stop.value.code or 0), shown.out, shown.err


@pytest.mark.parametrize("road", ["folder", "served"])
def test_what_works_now_is_stored_and_the_rest_stays(
    road: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(request.getfixturevalue(road))
    query = f"SELECT n FROM {VIEW} ORDER BY n"
    script = f"SET enable_case_sensitive_identifier TO true; {query}"
    dry = call(capsys, "replay", VIEW, "--dry-run", "--dir", place)
    assert dry[:2] == (0, "2 records tried: 1 would be stored, 0 would be filtered, 1 would stay in the quarantine\n")
    assert call(capsys, "replay", VIEW, "--shard", "shardId-7", "--dir", place)[1].startswith("0 records tried")
    code, out, _ = call(capsys, "replay", VIEW, "--shard", SHARD, "--limit", "5", "--since", "2020-01-01", "--json", "--dir", place)
    found = json.loads(out)
    assert code == 0
    assert found.pop("refresh_time").startswith("20")
    assert found == {"view": VIEW, "dry_run": False, "tried": 2, "stored": 1, "filtered": 0, "kept": 1}
    shown = call(capsys, "sql", script, "--json", "--dir", place)[1].splitlines()
    assert json.loads(shown[-1])["rows"] == [[1], [11]]
    again = call(capsys, "replay", VIEW, "--dir", place)
    assert again[1] == "1 records tried: 0 stored, 0 filtered, 1 stay in the quarantine\n"


def test_an_unknown_view_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, errors = call(capsys, "replay", "it's", "--dir", str(folder))
    assert (code, out) == (1, "")
    assert "is not valid" in errors
    code, out, errors = call(capsys, "replay", "nothing", "--dir", str(folder))
    assert (code, out) == (1, "")
    assert 'relation "public.nothing" does not exist' in errors


def served_with(folder: Path, stream: MemoryStream, settings: str) -> PipelineServer:
    (folder / "nearshift.toml").write_text(f'name = "p"\n[targets.local]\n{settings}\n')
    server = PipelineServer(read_folder(folder), Listening("127.0.0.1", 0, 0))
    server.start()
    session = server.warehouse.session()
    session.house.feeds = Feeds(lambda _schema, _name: stream.source(), SystemClock())
    session.close()
    return server


def test_a_lost_record_is_an_error_unless_the_folder_says_otherwise(folder: Path, stream: MemoryStream, clock: ManualClock) -> None:
    clock.advance(25 * 3600)
    stream.put(b"7")
    stream.put(b"8")
    stream.trim(SHARD, keep=1)
    server = served_with(folder, stream, "")
    try:
        with pytest.raises(NearshiftError) as caught:
            refresh(server.warehouse)
        assert caught.value.sqlstate == "58030"
        assert "[targets.local]" in (caught.value.hint or "")
    finally:
        server.stop()
    server = served_with(folder, stream, 'on_gap = "record"')
    try:
        refresh(server.warehouse)
        assert rows(server.warehouse, f"SELECT n FROM {VIEW} ORDER BY n") == [(1,), (8,)]
        assert rows(server.warehouse, "SELECT count(*) FROM sys_nearshift_gap") == [(1,)]
    finally:
        server.stop()


def test_a_bad_record_fails_the_refresh_where_the_folder_says_so(folder: Path, stream: MemoryStream) -> None:
    stream.put(b"9")
    stream.put(b"bad")
    server = served_with(folder, stream, 'streaming_errors = "fail"')
    try:
        with pytest.raises(NearshiftError, match="bad"):
            refresh(server.warehouse)
        assert rows(server.warehouse, f"SELECT n FROM {VIEW} ORDER BY n") == [(1,)]
    finally:
        server.stop()
    server = served_with(folder, stream, 'streaming_errors = "quarantine"')
    try:
        refresh(server.warehouse)
        assert rows(server.warehouse, f"SELECT n FROM {VIEW} ORDER BY n") == [(1,), (9,)]
    finally:
        server.stop()


def test_a_command_on_its_own_reads_the_folder_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "nearshift.toml").write_text('name = "p"\n[targets.local]\non_gap = "ignore"\n')
    code, _, errors = call(capsys, "sql", "SELECT 1", "--dir", str(folder))
    assert code == 1
    assert 'key "targets.local.on_gap"' in errors
