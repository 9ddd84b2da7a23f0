"""A warehouse of the example pipeline as it stands after so many changes, made by bulk inserts instead of by reading them.

Every change has a row in the stream's view and in the views above it; facts are those of 7 changes in 10 (the others were overtaken or
removed), with two dependents each, and 1 in 20 left a tombstone. Payloads of the stream's view are short: no cycle reads them again.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from nearshift.catalog import catalog
from nearshift.engine import Connection
from nearshift.warehouse import Warehouse

FACTS_IN_TEN: Final = 7
CHANGES_PER_BATCH: Final = 1_000
FIRST_CHANGE_US: Final = 1_700_000_000_000_000
_ROWS_PER_INSERT: Final = 1_000_000

# $1 is the first row, $2 the row behind the last one; the key of row i is that of `records.change_record` for i.
_ROWS: Final = f"""
  (SELECT i, 'CUSTOMER#CUST_' || (i % 50000) AS pk, 'TRANSACTION#2026-07-08T23:59:59Z#TX_' || i AS sk,
     md5(md5(pk) || sk) AS digest, ('0x' || digest[:15])::BIGINT AS h, ('0x' || digest[16:30])::BIGINT AS k,
     i // {CHANGES_PER_BATCH} + 1 AS batch,
     TIMESTAMP '2024-01-01' + (i // {CHANGES_PER_BATCH}) * INTERVAL '200 milliseconds' AS refreshed, {FIRST_CHANGE_US} + i AS change_us,
     (1000000000000000000000000000000 + i::HUGEINT)::VARCHAR AS number, md5(i::VARCHAR) AS event_id,
     'shardId-00000000000' || (i % 4) AS shard
   FROM range($1, $2) AS numbers(i))"""
_CHANGE: Final = "event_id, change_us, h, k, pk, sk, false"
_EVENT: Final = """pk.split_part('#', 2), 'TX_' || i, 'CLAIM', 'PAID', 'PV-' || (i % 97), (i % 500000) / 50, (i % 500000) / 100, 2000, 50,
  NULL, NULL, TIMESTAMPTZ '2026-07-08 23:59:59+00', TIMESTAMPTZ '2026-07-08 00:00:00+00',
  json('[{"M":{"sk":{"S":"D1"},"pk":{"S":"C"}}},{"M":{"sk":{"S":"D2"},"pk":{"S":"C"}}}]')"""
_CHANGED: Final = "make_timestamp(change_us)"
_VIEW_ROWS: Final = {
    "demo_stream_vw": "refreshed, 'k', shard, number, refreshed, json('{\"eventID\":\"' || event_id || '\"}'), NULL, batch",
    "mv_item_change": f"refreshed, shard, number, {_CHANGE}, false, json('{{\"status\":{{\"S\":\"PAID\"}}}}'), NULL, batch",
    "mv_customer_transaction_event": f"refreshed, shard, number, {_CHANGE}, {_CHANGED}, {_EVENT}, NULL, batch",
}
_TABLE_ROWS: Final = {
    "customer_transaction_fact": f"h, k, pk, sk, {_EVENT}, {_CHANGED}, change_us, number, event_id, refreshed",
    "customer_transaction_fact_tombstone": "xor(h, 1), k, pk, sk || '#gone', change_us, number",
}


def facts_of(changes: int) -> int:
    """Return how many facts a history of so many changes leaves; their keys are those below this number."""
    return changes * FACTS_IN_TEN // 10


def build_history(warehouse: Warehouse, changes: int) -> None:
    """Fill a warehouse in which the example pipeline is applied and nothing was read yet."""
    if not changes:
        return
    house = warehouse._house
    connection = house.engine.connect()
    for view, columns in _VIEW_ROWS.items():
        _insert(connection, f'public."mv_tbl__{view}__0"', columns, changes)
    facts = facts_of(changes)
    for table, columns in _TABLE_ROWS.items():
        count = changes // 20 if "tombstone" in table else facts
        _insert(connection, f"public.{table}", columns, count)
    batch = (changes - 1) // CHANGES_PER_BATCH + 1
    ((newest,),) = connection.rows('SELECT max(refresh_time) FROM public."mv_tbl__demo_stream_vw__0"')
    connection.begin(takes_lane=True)
    for view in _VIEW_ROWS:
        entry = house.current.snapshot.relations["public", view]
        marks = {f"{schema}.{name}": (0, batch) for schema, name in entry.bases if name in _VIEW_ROWS}
        state = catalog.view_state(connection, entry.oid)
        catalog.set_view_state(
            connection, entry.oid, dataclasses.replace(state, last_batch=batch, last_refresh_time=newest, base_marks=marks)
        )
    connection.execute("UPDATE public.etl_audit SET watermark = $1", [newest])
    connection.commit()
    connection.execute("CHECKPOINT")
    connection.close()


def _insert(connection: Connection, storage: str, columns: str, count: int) -> None:
    for first in range(0, count, _ROWS_PER_INSERT):
        connection.execute(
            f"INSERT INTO {storage} SELECT {columns} FROM {_ROWS} AS changes", [first, min(count, first + _ROWS_PER_INSERT)]
        )
