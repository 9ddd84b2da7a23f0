"""The metadata calls of Amazon's Python driver, by the real driver over the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from nearshift.warehouse import Warehouse
from nearshift.wire import Credential, WireServer

redshift_connector = pytest.importorskip("redshift_connector")


class _Gate:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def password_of(self, user: str) -> Credential | None:
        return Credential.of_password(user, "secret")

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> Any:
        return self._warehouse.session(user, database, options=options)


@pytest.fixture(scope="module")
def cursor() -> Iterator[Any]:
    with Warehouse.open(threads=1) as warehouse, WireServer(_Gate(warehouse), port=0) as server:
        connection = redshift_connector.connect(
            host="127.0.0.1", port=server.port, user="dev", password="secret", database="dev", ssl=False
        )
        connection.autocommit = True
        with connection.cursor() as found:
            found.execute("CREATE TABLE orders (id int NOT NULL PRIMARY KEY, name varchar(20), price decimal(8,2))")
            found.execute("CREATE VIEW cheap AS SELECT id FROM orders")
            yield found
        connection.close()


def test_schemas_and_catalogs(cursor: Any) -> None:
    assert "public" in [row[0] for row in cursor.get_schemas()]
    assert [list(row) for row in cursor.get_catalogs()] == [["dev"]]


def test_tables(cursor: Any) -> None:
    tables = {row[2]: row[3] for row in cursor.get_tables(schema_pattern="public")}
    assert tables == {"orders": "TABLE", "cheap": "VIEW"}
    assert [row[2] for row in cursor.get_tables(types=["TABLE"], table_name_pattern="ord%")] == ["orders"]


def test_columns_with_their_types(cursor: Any) -> None:
    rows = [tuple(row) for row in cursor.get_columns(schema_pattern="public", tablename_pattern="orders")]
    assert [(row[3], row[5], row[6], row[8], row[10]) for row in rows] == [
        ("id", "int4", 10, 0, 0), ("name", "varchar", 20, 0, 1), ("price", "numeric", 8, 2, 1),
    ]  # fmt: skip
