"""A declared column is added later: the table is made anew, and its load begins at the first change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nearshift.generate.folder import plan_files, write
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.plan import plan_changes
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.testfile import change_record
from nearshift.streams.memory import MemoryStream
from nearshift.warehouse import Warehouse

ORDERS = Path(__file__).parent / "orders"
CASES = [
    ("order_fact", "ORDER#1", 'name = "status", type = "varchar(16)", path = "status.S", required = true'),
    ("claim_fact", "CLAIM#1", 'name = "provider", type = "varchar(64)", path = "provider.S"'),
    ("plan_dim", "PLAN#1", 'name = "tier", type = "varchar(16)", path = "tier.S"'),
]


@pytest.mark.parametrize(("table", "key", "column"), CASES)
def test_a_table_made_anew_is_filled_again(tmp_path: Path, table: str, key: str, column: str) -> None:
    folder = tmp_path / "orders"
    shutil.copytree(ORDERS, folder)
    stream = MemoryStream("orders-stream")
    with Warehouse.open(None, sources=lambda _schema, _name: stream.source()) as warehouse:
        connection = SessionConnection(warehouse.session())
        target = WarehouseTarget(connection)

        def apply(*allowed: str) -> None:
            write(plan_files(folder))
            pipeline = read_folder(folder)
            plan = plan_changes(pipeline.definitions, target.found(pipeline.name), frozenset(allowed))
            assert list(carry_out(plan, pipeline.name, target))

        apply()
        new = {"status": "A", "tier": "A", "provider": "A", "more": "M"}
        given = {"at": 1767225601, "event": "INSERT", "pk": "C#1", "sk": key, "new": new}
        stream.put(change_record(given, None))
        connection.run("REFRESH MATERIALIZED VIEW stream_vw")
        connection.run(f"CALL sp_load_{table}()")
        toml = (folder / "nearshift.toml").read_text()
        assert f"{{ {column} }}" in toml
        more = '{ name = "more", type = "varchar(9)", path = "more.S" }'
        (folder / "nearshift.toml").write_text(toml.replace(f"{{ {column} }}", f"{{ {column} }}, {more}"))
        apply(table, f"public.{table}", f"public.{table}_version", f"public.{table}_history")
        connection.run(f"CALL sp_load_{table}()")
        assert connection.run(f"SELECT more FROM {table}").rows == [("M",)]
        assert connection.run(f"SELECT count(*) FROM load_audit WHERE load_name = '{table}'").rows == [(1,)]
