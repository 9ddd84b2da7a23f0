"""Facts carried from one warehouse to another: the same rows, the same hashes, and loads that go on where the others stopped."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import boto3
import pytest

from nearshift.cli.main import main
from nearshift.errors import ConfigurationError
from nearshift.generate.folder import plan_files, write
from nearshift.generate.moving import check_prefix, comparison, count_statement, find_tables, load_statements, unload_statement
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.folder import Pipeline, read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.plan import plan_changes
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.testfile import change_record
from nearshift.streams.memory import MemoryStream
from nearshift.warehouse import Warehouse

ORDERS = Path(__file__).parent / "orders"
LOADS = ("order_fact", "claim_fact", "customer_dim", "plan_dim")


class Side:
    """One warehouse with the folder applied."""

    def __init__(self, pipeline: Pipeline, files: Path) -> None:
        self.stream = MemoryStream("orders-stream")
        self._warehouse = Warehouse.open(None, sources=lambda _schema, _name: self.stream.source(), files=files)
        self._connection = SessionConnection(self._warehouse.session())
        for _ in carry_out(plan_changes(pipeline.definitions, ()), pipeline.name, WarehouseTarget(self._connection)):
            pass

    def run(self, text: str) -> Any:
        return self._connection.run(text)

    def load(self, records: list[bytes]) -> None:
        for record in records:
            self.stream.put(record)
        self.run("REFRESH MATERIALIZED VIEW stream_vw")
        for name in LOADS:
            self.run(f"CALL sp_load_{name}()")

    def close(self) -> None:
        self._connection.close()
        self._warehouse.close()


def records(source: random.Random) -> list[bytes]:
    found = []
    for second in range(1, 60):
        sk = source.choice(("ORDER#", "CLAIM#", "PLAN#")) + source.choice("12345")
        new = {"status": source.choice("XY"), "amount": second / 4, "tier": source.choice("PQ"), "isOpen": True, "lines": [{"n": second}]}
        new |= {"paidAt": "2026-01-01T10:00:00.123456+02:00"} if second % 2 else {"provider": "Zoë's"}
        gone = source.random() < 0.2
        event = {"at": 1767225600 + second, "event": "REMOVE" if gone else "MODIFY", "pk": "C#1", "sk": sk, "id": f"e{second}"}
        found.append(change_record(event if gone else event | {"new": new}, None))
    return found


def test_facts_arrive_whole_and_loads_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    shutil.copytree(ORDERS, folder)
    write(plan_files(folder))
    pipeline = read_folder(folder)
    tables = find_tables(pipeline, ())
    assert {table.folder for table in tables} >= {"order_fact", "order_fact_tombstone", "claim_fact_version", "plan_dim_history"}
    files = tmp_path / "files"
    files.mkdir()
    here, there = Side(pipeline, files), Side(pipeline, files)
    try:
        changes = records(random.Random(4))
        here.load(changes[:40])
        for table in tables:
            here.run(unload_statement(table, "file://out", "default", is_cleaning=False))
        for table in tables:
            if here.run(count_statement(table)).rows[0][0] > 0:
                for statement in load_statements(table, "file://out", "default", is_replacing=False):
                    there.run(statement)
        queries = list(comparison(tables))
        assert [list(here.run(query).rows) for query in queries] == [list(there.run(query).rows) for query in queries]
        assert sum(row[2] for query in queries for row in here.run(query).rows) > 20
        lines = "SELECT order_id, paid_at, json_serialize(lines) FROM order_fact ORDER BY 1"
        assert list(here.run(lines).rows) == list(there.run(lines).rows)
        # The stream of the other side begins a little earlier than the copy ended: nothing comes twice, nothing is lost.
        here.load(changes[40:])
        there.load(changes[25:])
        assert [list(here.run(query).rows) for query in queries] == [list(there.run(query).rows) for query in queries]
    finally:
        here.close()
        there.close()


def test_a_hash_differs_when_a_value_does(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    shutil.copytree(ORDERS, folder)
    side = Side(read_folder(folder), tmp_path)
    try:
        side.load(records(random.Random(4)))
        (query,) = comparison(find_tables(read_folder(folder), ["order_fact"]))
        before = list(side.run(query).rows)
        side.run("UPDATE order_fact SET amount = amount + 0.01 WHERE order_id = (SELECT min(order_id) FROM order_fact)")
        assert list(side.run(query).rows) != before
    finally:
        side.close()


def test_places_that_are_none() -> None:
    check_prefix("s3://bucket/a", is_local=False)
    check_prefix("file://out", is_local=True)
    for prefix, is_local in (("s3://", True), ("out", True), ("file://out", False)):
        with pytest.raises(ConfigurationError):
            check_prefix(prefix, is_local=is_local)


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_commands(tmp_path: Path, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "p"
    shutil.copytree(ORDERS, folder)
    boto3.client("kinesis", endpoint_url=endpoint).create_stream(StreamName="orders-stream", ShardCount=1)
    assert command("apply", str(folder)) == 0
    row = "INSERT INTO customer_dim VALUES (1, 2, 'C#1', 'PROFILE', 'C1', 'a@b', true, '2026-01-01', 1, '1', 'e', '2026-01-01')"
    assert command("sql", row, "--dir", str(folder)) == 0
    assert command("unload", str(folder), "--to", "file://out") == 0
    assert list((folder / "data" / "out" / "customer_dim").iterdir())
    assert command("unload", str(folder), "--to", "file://out") == 1
    assert command("unload", str(folder), "--to", "file://out", "--clean") == 0
    capsys.readouterr()
    assert command("load", str(folder), "--from", "file://out") == 1
    assert "there are rows in customer_dim" in capsys.readouterr().err
    assert command("load", str(folder), "--from", "file://out", "--table", "customer_dim", "--replace", "--json") == 0
    assert capsys.readouterr().out == '[{"table": "customer_dim", "rows": 1}]\n'
    assert command("unload", str(folder), "--comparison") == 0
    assert "FROM public.customer_dim GROUP BY 1, 2" in capsys.readouterr().out
    assert command("unload", str(folder), "--to", "s3://b/p", "--target", "redshift", "--dry-run") == 0
    assert "TO 's3://b/p/order_fact/'\nIAM_ROLE default\nFORMAT AS PARQUET;" in capsys.readouterr().out
    assert command("load", str(folder), "--from", "file://nowhere", "--replace") == 1
    assert 'there are no files under "file://nowhere"' in capsys.readouterr().err
    assert command("load", str(folder), "--from", "file://x", "--target", "redshift") == 1
    assert "Redshift reaches no files of this machine" in capsys.readouterr().err
    assert command("unload", str(folder), "--to", "s3://b", "--table", "nothing") == 1
    assert 'defines no table "public.nothing"' in capsys.readouterr().err
    assert command("unload", str(folder)) == 1
