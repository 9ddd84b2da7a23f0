"""A warehouse file of an earlier version is brought to this one when it is opened, and what it kept can be used."""

from __future__ import annotations

import importlib.resources
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
    """Give the file the quarantine of the first version, with a record, and forget the later migrations."""
    first = importlib.resources.files("nearshift.catalog.migrations").joinpath("0001_catalog.sql").read_text()
    start = first.index("CREATE TABLE nearshift.quarantine")
    engine = Engine.open(file)
    connection = engine.connect()
    connection.execute("DROP TABLE nearshift.quarantine")
    connection.execute(first[start : first.index(";", start)])
    connection.execute("DELETE FROM nearshift.migrations WHERE number > 1")
    ((oid,),) = connection.rows("SELECT oid FROM nearshift.relations WHERE name = 'v'")
    now = ManualClock().now().replace(tzinfo=None)
    connection.execute(
        "INSERT INTO nearshift.quarantine VALUES ($1, $2, 'events', 's', '7', $1, 'k', 'old', 1, $3)", [now, oid, b"kept"]
    )
    connection.execute("INSERT INTO nearshift.ledger VALUES ($1, 's', 1, 0, 0, 1, 0, 4)", [oid])
    connection.close()
    engine.close()
