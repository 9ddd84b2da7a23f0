"""Pages of items out of SQLite: each is one range of one index, read in its order until a limit is met.

Positions are half-open, too: forwards a page begins at the least key after the last one, which is that key and a zero byte;
backwards it ends before the last one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zlib import crc32

from nearshift.localaws.dynamodb_rows import Key
from nearshift.localaws.dynamodb_tables import Index, Table
from nearshift.localaws.items import Item, decode_item, encode_item
from nearshift.localaws.query_keys import KeyRange

PAGE_BYTES_MAX = 1024 * 1024
HASHES = 1 << 32

_QUERY_FORWARD = "SELECT size, item FROM ddb_item WHERE table_id = ? AND hash = ? AND pk = ? AND sk >= ? AND sk < ? ORDER BY sk LIMIT ?"
_QUERY_BACKWARD = (
    "SELECT size, item FROM ddb_item WHERE table_id = ? AND hash = ? AND pk = ? AND sk >= ? AND sk < ? ORDER BY sk DESC LIMIT ?"
)
_QUERY_INDEX_FORWARD = (
    "SELECT i.size, i.item FROM ddb_entry AS e CROSS JOIN ddb_item AS i ON i.id = e.item_id WHERE e.key_id = ? AND e.hash = ? AND e.pk = ? "
    "AND (e.sk, e.item_key) >= (?, ?) AND (e.sk, e.item_key) < (?, ?) ORDER BY e.sk, e.item_key LIMIT ?"
)
_QUERY_INDEX_BACKWARD = (
    "SELECT i.size, i.item FROM ddb_entry AS e CROSS JOIN ddb_item AS i ON i.id = e.item_id WHERE e.key_id = ? AND e.hash = ? AND e.pk = ? "
    "AND (e.sk, e.item_key) >= (?, ?) AND (e.sk, e.item_key) < (?, ?) ORDER BY e.sk DESC, e.item_key DESC LIMIT ?"
)
_SCAN = "SELECT size, item FROM ddb_item WHERE table_id = ? AND (hash, pk, sk) >= (?, ?, ?) AND hash < ? ORDER BY hash, pk, sk LIMIT ?"
_SCAN_INDEX = (
    "SELECT i.size, i.item FROM ddb_entry AS e CROSS JOIN ddb_item AS i ON i.id = e.item_id WHERE e.key_id = ? "
    "AND (e.hash, e.pk, e.sk, e.item_key) >= (?, ?, ?, ?) AND e.hash < ? ORDER BY e.hash, e.pk, e.sk, e.item_key LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Start:
    """Where the page before has ended: a table's key and, for an index, the sortable bytes of the index's keys."""

    key: Key
    index_partition: bytes = b""
    index_sort: bytes = b""


@dataclass(frozen=True, slots=True)
class Page:
    """Items of one page as texts, and where it has stopped; `last` is None at the end of the range."""

    texts: list[bytes]
    scanned_count: int
    size: int
    last: Item | None


Rows = Iterable[tuple[int, bytes]]


def query_rows(
    connection: sqlite3.Connection,
    table: Table,
    index: Index | None,
    wanted: KeyRange,
    start: Start | None,
    limit: int,
    *,
    is_forward: bool,
) -> Rows:
    """Return size and text of the items of a range, in the order of the sort key, `limit` at most (-1 for all)."""
    partition = (crc32(wanted.partition), wanted.partition)
    if index is None:
        low, high = wanted.low, wanted.high
        if start is not None:
            low, high = (start.key.sk + b"\0", high) if is_forward else (low, start.key.sk)
        return connection.execute(_QUERY_FORWARD if is_forward else _QUERY_BACKWARD, (table.id, *partition, low, high, limit))
    first, last = (wanted.low, b""), (wanted.high, b"")
    if start is not None:
        position = (start.index_sort, start.key.as_bytes())
        first, last = ((position[0], position[1] + b"\0"), last) if is_forward else (first, position)
    query = _QUERY_INDEX_FORWARD if is_forward else _QUERY_INDEX_BACKWARD
    return connection.execute(query, (index.key_id, *partition, *first, *last, limit))


def scan_rows(
    connection: sqlite3.Connection, table: Table, index: Index | None, segment: tuple[int, int], start: Start | None, limit: int
) -> Rows:
    """Return size and text of all items of segment i of n, in an order that is stable, `limit` at most (-1 for all)."""
    number, total = segment
    low, high = -(-number * HASHES // total), -(-(number + 1) * HASHES // total)
    if index is None:
        first = (low, b"", b"") if start is None else (start.key.hash, start.key.pk, start.key.sk + b"\0")
        return connection.execute(_SCAN, (table.id, *first, high, limit))
    position: tuple[int, bytes, bytes, bytes] = (low, b"", b"", b"")
    if start is not None:
        partition = start.index_partition
        position = (crc32(partition), partition, start.index_sort, start.key.as_bytes() + b"\0")
    return connection.execute(_SCAN_INDEX, (index.key_id, *position, high, limit))


def read_page(
    rows: Rows,
    limit: int | None,
    is_wanted: Callable[[Item], bool] | None,
    shape: Callable[[Item], Item] | None,
) -> Page:
    """Read rows until `limit` items or 1 MB were looked at; keep those that are wanted, in the shape that is wanted.

    Without a filter and a shape the texts are passed on unread.
    """
    texts: list[bytes] = []
    scanned = size = 0
    for item_size, text in rows:
        scanned += 1
        size += item_size
        if is_wanted is None and shape is None:
            texts.append(text)
        else:
            item = decode_item(text)
            if is_wanted is None or is_wanted(item):
                texts.append(text if shape is None else encode_item(shape(item)))
        if scanned == limit or size >= PAGE_BYTES_MAX:
            return Page(texts, scanned, size, decode_item(text))
    return Page(texts, scanned, size, None)
