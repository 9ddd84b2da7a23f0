"""A warehouse file of an earlier version is brought to this one when it is opened, and what it kept can be used."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator
from pathlib import Path

from nearshift.clock import ManualClock
from nearshift.engine import Engine
from nearshift.streams.memory import MemoryStream
from nearshift.warehouse import Warehouse

SQL = """
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW v AS SELECT from_varbyte(kinesis_data, 'utf-8') AS text FROM kds.events;
"""


def test_a_quarantine_from_before_kafka_is_replayed(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    stream = MemoryStream("events", clock=ManualClock())
    with Warehouse.open(file, sources=lambda _schema, _name: stream.source()) as warehouse:
        session = warehouse.session()
        for result in session.execute_script(SQL):
            result.rows()
        session.close()
    _make_old(file)
    with Warehouse.open(file, sources=lambda _schema, _name: stream.source()) as warehouse:
        session = warehouse.session()
        assert session.execute("SELECT payload_text, reason FROM sys_nearshift_quarantine").rows() == [("kept", "old")]
        assert session.execute("CALL sys_nearshift_replay('v')").rows()[0][:4] == (1, 1, 0, 0)
        assert session.execute("SELECT text FROM v").rows() == [("kept",)]
        session.close()


def _make_old(file: Path) -> None:
    """Take back what the migrations after the first added, last first, and put a record into the quarantine as the first version did."""
    later = sorted(p.name for p in importlib.resources.files("nearshift.catalog.migrations").iterdir() if p.name[:4].isdigit())[1:]
    engine = Engine.open(file)
    connection = engine.connect()
    for name in reversed(later):
        for undone in reversed(list(_undoing(importlib.resources.files("nearshift.catalog.migrations").joinpath(name).read_text()))):
            connection.execute(undone)
    connection.execute("DELETE FROM nearshift.migrations WHERE number > 1")
    ((oid,),) = connection.rows("SELECT oid FROM nearshift.relations WHERE name = 'v'")
    now = ManualClock().now().replace(tzinfo=None)
    connection.execute(
        "INSERT INTO nearshift.quarantine VALUES ($1, $2, 'events', 's', '7', $1, 'k', 'old', 1, $3)", [now, oid, b"kept"]
    )
    connection.execute("INSERT INTO nearshift.ledger VALUES ($1, 's', 1, 0, 0, 1, 0, 4)", [oid])
    connection.close()
    engine.close()


def _undoing(migration: str) -> Iterator[str]:
    made = r"^CREATE (TABLE|SEQUENCE) (nearshift\.\w+)|^(ALTER TABLE nearshift\.\w+ ADD COLUMN \w+)"
    for kind, name, added in re.findall(made, migration, re.MULTILINE):
        yield f"DROP {kind} {name}" if kind else added.replace("ADD COLUMN", "DROP COLUMN")
