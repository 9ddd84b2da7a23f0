"""Items and index entries as rows of SQLite. One connection, the caller's transaction.

An item is one row of `ddb_item`; its key is in a unique index of small rows, ordered as DynamoDB orders a scan: by a hash of the partition
key, the partition key, the sort key. So every page of a scan, segment or query is one range of that index, and large items do not widen
it. An index entry repeats that order with the index's keys; what it projects is taken from the item when it is read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from nearshift.localaws.dynamodb_tables import Index, Table
from nearshift.localaws.expressions_evaluate import ordered_bytes
from nearshift.localaws.items import Item

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS ddb_item (id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, hash INTEGER NOT NULL, pk BLOB NOT NULL, "
    "sk BLOB NOT NULL, size INTEGER NOT NULL, expires INTEGER, item BLOB NOT NULL)",
    "CREATE UNIQUE INDEX IF NOT EXISTS ddb_item_key ON ddb_item (table_id, hash, pk, sk)",
    "CREATE INDEX IF NOT EXISTS ddb_item_expires ON ddb_item (table_id, expires) WHERE expires IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS ddb_entry (key_id INTEGER NOT NULL, hash INTEGER NOT NULL, pk BLOB NOT NULL, sk BLOB NOT NULL, "
    "item_key BLOB NOT NULL, item_id INTEGER NOT NULL, PRIMARY KEY (key_id, hash, pk, sk, item_key)) WITHOUT ROWID",
)
_FIND = "SELECT id, size, item FROM ddb_item WHERE table_id = ? AND hash = ? AND pk = ? AND sk = ?"
_INSERT = "INSERT INTO ddb_item (table_id, hash, pk, sk, size, expires, item) VALUES (?, ?, ?, ?, ?, ?, ?)"
_UPDATE = "UPDATE ddb_item SET size = ?, expires = ?, item = ? WHERE id = ?"
_DELETE = "DELETE FROM ddb_item WHERE id = ?"
_INSERT_ENTRY = "INSERT INTO ddb_entry (key_id, hash, pk, sk, item_key, item_id) VALUES (?, ?, ?, ?, ?, ?)"
_DELETE_ENTRY = "DELETE FROM ddb_entry WHERE key_id = ? AND hash = ? AND pk = ? AND sk = ? AND item_key = ?"


@dataclass(frozen=True, slots=True)
class Key:
    """A primary key as bytes that sort as DynamoDB sorts; `hash` spreads partition keys over 2^32."""

    hash: int
    pk: bytes
    sk: bytes

    def as_bytes(self) -> bytes:
        """Return the key as one string of bytes, which no other key of the table has."""
        return len(self.pk).to_bytes(2, "big") + self.pk + self.sk


@dataclass(frozen=True, slots=True)
class Row:
    """A stored item: its row, its size as DynamoDB counts it, its canonical text."""

    id: int
    size: int
    text: bytes


def key_of(partition: bytes, sort: bytes) -> Key:
    """Return the key made of the bytes of a partition key and a sort key (empty if the table has none)."""
    return Key(crc32(partition), partition, sort)


def find_row(connection: sqlite3.Connection, table: Table, key: Key) -> Row | None:
    """Return the stored item with that key, or None."""
    found = connection.execute(_FIND, (table.id, key.hash, key.pk, key.sk)).fetchone()
    return Row(*found) if found is not None else None


def write_row(connection: sqlite3.Connection, table: Table, key: Key, old: Row | None, text: bytes, size: int, expires: int | None) -> int:
    """Put an item in place of `old`; return its row. The table's counts follow, and are dirty then."""
    table.is_dirty = True
    if old is not None:
        connection.execute(_UPDATE, (size, expires, text, old.id))
        table.item_bytes += size - old.size
        return old.id
    table.item_count += 1
    table.item_bytes += size
    cursor = connection.execute(_INSERT, (table.id, key.hash, key.pk, key.sk, size, expires, text))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def delete_row(connection: sqlite3.Connection, table: Table, old: Row) -> None:
    """Remove an item. The table's counts follow, and are dirty then."""
    table.is_dirty = True
    table.item_count -= 1
    table.item_bytes -= old.size
    connection.execute(_DELETE, (old.id,))


def entry_of(table: Table, index: Index, item: Item | None) -> tuple[int, bytes, bytes] | None:
    """Return hash, partition and sort key of an item's entry in an index; None when the item has not the index's keys (sparse index)."""
    if item is None:
        return None
    partition = item.get(index.partition)
    if partition is None or table.types[index.partition] not in partition:
        return None
    sort_bytes = b""
    if index.sort is not None:
        sort = item.get(index.sort)
        if sort is None or table.types[index.sort] not in sort:
            return None
        sort_bytes = ordered_bytes(sort)
    partition_bytes = ordered_bytes(partition)
    return crc32(partition_bytes), partition_bytes, sort_bytes


def move_entries(connection: sqlite3.Connection, table: Table, key: Key, row_id: int, old: Item | None, new: Item | None) -> None:
    """Bring the entries of one item in all indexes of its table from its old to its new keys."""
    item_key = key.as_bytes()
    for index in table.indexes:
        before, after = entry_of(table, index, old), entry_of(table, index, new)
        if before == after:
            continue
        if before is not None:
            connection.execute(_DELETE_ENTRY, (index.key_id, *before, item_key))
        if after is not None:
            connection.execute(_INSERT_ENTRY, (index.key_id, *after, item_key, row_id))


def fill_index(connection: sqlite3.Connection, index: Index, entries: Iterator[tuple[int, bytes, bytes, bytes, int]]) -> None:
    """Write all entries of a new index: hash, partition key, sort key, key of the item, row."""
    connection.executemany(_INSERT_ENTRY, ((index.key_id, *entry) for entry in entries))


def drop_index(connection: sqlite3.Connection, key_id: int) -> None:
    """Remove all entries of an index."""
    connection.execute("DELETE FROM ddb_entry WHERE key_id = ?", (key_id,))


def drop_table(connection: sqlite3.Connection, table: Table) -> None:
    """Remove all items and entries of a table."""
    connection.execute("DELETE FROM ddb_item WHERE table_id = ?", (table.id,))
    for index in table.indexes:
        drop_index(connection, index.key_id)


def count_entries(connection: sqlite3.Connection, index: Index) -> int:
    """Return the number of an index's entries."""
    found: int = connection.execute("SELECT count(*) FROM ddb_entry WHERE key_id = ?", (index.key_id,)).fetchone()[0]
    return found
