"""Time to live: which items expire when ("Using time to live (TTL) in DynamoDB", Developer Guide).

On AWS an expired item is deleted within days; here at the next sweep, about a second later. Until it is deleted it can be read, as on AWS.
"""

from __future__ import annotations

import sqlite3
from decimal import Decimal

from nearshift.localaws.dynamodb_rows import Key, Row
from nearshift.localaws.dynamodb_tables import Table
from nearshift.localaws.items import Item, decode_item

# "An item with an expiry more than five years in the past is not deleted."
AGE_SECONDS_MAX = 5 * 365 * 86_400
# One sweep deletes at most so many items, so that other requests get their turn.
SWEEP_ITEMS_MAX = 2000
_SECONDS_MAX = 2**53

_DUE = (
    "SELECT hash, pk, sk, id, size, item FROM ddb_item WHERE table_id = ? AND expires IS NOT NULL AND expires < ? AND expires >= ? "
    "ORDER BY expires LIMIT ?"
)


def expiry_of(attribute: str | None, item: Item) -> int | None:
    """Return the second at which a normalised item expires; None without TTL or without a usable number in its attribute."""
    if attribute is None:
        return None
    value = item.get(attribute)
    if value is None or "N" not in value:
        return None
    seconds = Decimal(value["N"])
    return int(seconds) if 0 <= seconds <= _SECONDS_MAX else None


def due_items(connection: sqlite3.Connection, table: Table, now_seconds: int, count_max: int) -> list[tuple[Key, Row]]:
    """Return up to `count_max` expired items of a table, the longest expired first."""
    found = connection.execute(_DUE, (table.id, now_seconds, now_seconds - AGE_SECONDS_MAX, count_max))
    return [(Key(row[0], row[1], row[2]), Row(row[3], row[4], row[5])) for row in found.fetchall()]


def renew_expiry(connection: sqlite3.Connection, table: Table, attribute: str | None) -> None:
    """Write the expiry of all items of a table anew, after its TTL attribute was set or removed."""
    if attribute is None:
        connection.execute("UPDATE ddb_item SET expires = NULL WHERE table_id = ? AND expires IS NOT NULL", (table.id,))
        return
    last = 0
    while True:
        query = "SELECT id, item FROM ddb_item WHERE table_id = ? AND id > ? ORDER BY id LIMIT 1000"
        rows = connection.execute(query, (table.id, last)).fetchall()
        if not rows:
            return
        expiries = [(expiry_of(attribute, decode_item(text)), row_id) for row_id, text in rows]
        connection.executemany("UPDATE ddb_item SET expires = ? WHERE id = ?", expiries)
        last = rows[-1][0]
