"""Whether the tables are right: rows of the warehouse against the items of DynamoDB, without any code of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nearshift.pipeline.target import Connection
from nearshift.workload.changes import Item
from nearshift.workload.expected import COLUMNS, Difference, Row, differences, expected_rows

_QUERIES = {table: "SELECT " + ", ".join(columns) + " FROM " + table for table, columns in COLUMNS.items()}  # noqa: S608 - our constants
# What has been read of the stream, by kind of item, against the watermarks of the loads.
_CAUGHT_UP = """SELECT load_name, status FROM etl_audit WHERE status NOT IN ('Complete', 'Ready')
UNION ALL SELECT load_name, 'behind' FROM etl_audit WHERE load_name = 'customer_transaction_fact'
  AND watermark < (SELECT max(refresh_time) FROM mv_item_change WHERE reject_reason IS NULL AND split_part(sk, '#', 1) = 'TRANSACTION')
UNION ALL SELECT load_name, 'behind' FROM etl_audit WHERE load_name = 'customer_dim'
  AND watermark < (SELECT max(refresh_time) FROM mv_item_change WHERE reject_reason IS NULL AND sk = 'PROFILE')
UNION ALL SELECT load_name, 'behind' FROM etl_audit WHERE load_name = 'dependent_dim'
  AND watermark < (SELECT max(refresh_time) FROM mv_item_change WHERE reject_reason IS NULL AND split_part(sk, '#', 1) = 'CUSTOMER')
UNION ALL SELECT 'mv_item_change', 'behind' FROM demo_stream_vw HAVING count(*) <> (SELECT count(*) FROM mv_item_change)"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison of all tables. `rows` are those expected, by table."""

    rows: dict[str, int]
    wrong: tuple[Difference, ...]

    @property
    def matches(self) -> bool:
        """Whether nothing is missing, nothing is too much and every column is equal."""
        return not self.wrong


def compare(connection: Connection, items: list[Item]) -> Verdict:
    """Compare every table of the example with the items."""
    expected = expected_rows(items)
    wrong: list[Difference] = []
    for table, query in _QUERIES.items():
        found = [tuple(_comparable(value) for value in row) for row in connection.run(query).rows]
        wrong += differences(table, expected[table], found)
    return Verdict({table: len(rows) for table, rows in expected.items()}, tuple(wrong))


def _comparable(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo is not None else value


def find_laggards(connection: Connection) -> list[Row]:
    """Return what has not caught up with the records that the warehouse has read: (name, how it stands)."""
    return list(connection.run(_CAUGHT_UP).rows)
