"""Tables: what is stored about each, and the form in which the operations on items use it.

`Definition` is stored as JSON in `ddb_table` and holds AWS's own shapes. `Table` is made of it and of the counts beside it.
The catalog in memory is read again whenever a transaction is undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from nearshift.localaws.dynamodb_errors import resource_missing, table_missing
from nearshift.localaws.service import Request
from nearshift.localaws.store import Store

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS ddb_table (id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, "
    "definition BLOB NOT NULL, item_count INTEGER NOT NULL DEFAULT 0, item_bytes INTEGER NOT NULL DEFAULT 0, "
    "last_change_us INTEGER NOT NULL DEFAULT 0, dropped_count INTEGER NOT NULL DEFAULT 0, UNIQUE (account, region, name))",
)
_SELECT = "SELECT id, account, region, name, definition, item_count, item_bytes, last_change_us, dropped_count FROM ddb_table"
_UPDATE_COUNTS = "UPDATE ddb_table SET item_count = ?, item_bytes = ?, last_change_us = ?, dropped_count = ? WHERE id = ?"


class Destination(msgspec.Struct):
    """A Kinesis stream that a table's changes go to."""

    stream_arn: str
    status: str
    precision: str
    changed_us: int


class Definition(msgspec.Struct):
    """All that is stored about a table; lists and dicts are in the shapes of DescribeTable."""

    table_id: str
    created_us: int
    key_schema: list[dict[str, str]]
    attributes: dict[str, str]
    billing_mode: str
    read_units: int = 0
    write_units: int = 0
    global_indexes: list[dict[str, Any]] = []
    local_indexes: list[dict[str, Any]] = []
    stream_specification: dict[str, Any] | None = None
    table_class: str | None = None
    is_protected: bool = False
    sse: dict[str, Any] | None = None
    tags: dict[str, str] = {}
    ttl_attribute: str | None = None
    destinations: list[Destination] = []


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index. `key_id` names its entries in `ddb_entry`."""

    name: str
    key_id: int
    partition: str
    sort: str | None
    is_local: bool
    # Names of projected attributes; None when all are.
    projected: frozenset[str] | None


@dataclass(slots=True)
class Table:
    """A table as the operations use it."""

    id: int
    account: str
    region: str
    name: str
    definition: Definition
    partition: str
    sort: str | None
    types: dict[str, str]
    indexes: tuple[Index, ...]
    destinations: tuple[Destination, ...]
    item_count: int
    item_bytes: int
    # Creation times of changes strictly increase per table.
    last_change_us: int
    # Change records that were too large for their stream and were dropped, as AWS drops them.
    dropped_count: int
    is_dirty: bool = False

    @property
    def arn(self) -> str:
        """The table's Amazon resource name."""
        return f"arn:aws:dynamodb:{self.region}:{self.account}:table/{self.name}"

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names of the primary key's attributes, partition key first."""
        return (self.partition,) if self.sort is None else (self.partition, self.sort)

    def index(self, name: str) -> Index | None:
        """Return the index of that name, if the table has it."""
        return next((index for index in self.indexes if index.name == name), None)


_Row = tuple[int, str, str, str, bytes, int, int, int, int]


def _table(row: _Row) -> Table:
    table_id, account, region, name, text, item_count, item_bytes, last_change_us, dropped_count = row
    definition = msgspec.json.decode(text, type=Definition)
    partition, sort = _keys_of(definition.key_schema)
    keys = {partition} | ({sort} if sort else set())
    indexes = tuple(
        _index(described, table_id, keys, is_local=is_local)
        for is_local, group in ((False, definition.global_indexes), (True, definition.local_indexes))
        for described in group
    )
    return Table(
        table_id, account, region, name, definition, partition, sort, definition.attributes, indexes,
        tuple(destination for destination in definition.destinations if destination.status == "ACTIVE"),
        item_count, item_bytes, last_change_us, dropped_count,
    )  # fmt: skip


def _keys_of(schema: list[dict[str, str]]) -> tuple[str, str | None]:
    names = {element["KeyType"]: element["AttributeName"] for element in schema}
    return names["HASH"], names.get("RANGE")


def _index(described: dict[str, Any], table_id: int, table_keys: set[str], *, is_local: bool) -> Index:
    partition, sort = _keys_of(described["KeySchema"])
    kind = described["Projection"]["ProjectionType"]
    projected = None
    if kind != "ALL":
        extra = described["Projection"].get("NonKeyAttributes", []) if kind == "INCLUDE" else []
        projected = frozenset(table_keys | {partition} | ({sort} if sort else set()) | set(extra))
    return Index(described["IndexName"], table_id * 100 + described["Number"], partition, sort, is_local, projected)


class Tables:
    """The catalog of all tables of all accounts and regions."""

    def __init__(self, store: Store) -> None:
        """Read the catalog; the tables in `store` are made if they are missing."""
        self._store = store
        store.define(*SCHEMA)
        self._tables: dict[tuple[str, str, str], Table] = {}
        self.read()
        store.on_rollback.append(self.read)

    def read(self) -> None:
        """Read the catalog again: what is in memory may belong to a transaction that was undone."""
        rows = self._store.connection.execute(_SELECT)
        before = self._tables
        self._tables = {}
        for row in rows:
            table = _table(row)
            self._tables[table.account, table.region, table.name] = table
            known = before.get((table.account, table.region, table.name))
            if known is not None and known.id == table.id:
                # A time may be skipped, never given twice.
                table.last_change_us = max(table.last_change_us, known.last_change_us)

    def find(self, request: Request, name: str) -> Table | None:
        """Return the table of that name or ARN in the request's account and region."""
        if name.startswith("arn:"):
            parts = name.split(":", 5)
            if len(parts) != 6 or not parts[5].startswith("table/"):
                return None
            return self._tables.get((parts[4], parts[3], parts[5].removeprefix("table/")))
        return self._tables.get((request.account, request.region, name))

    def named(self, request: Request, name: str) -> Table:
        """Return the table for an operation on tables; raises ResourceNotFoundException naming it."""
        table = self.find(request, name)
        if table is None:
            raise table_missing(name)
        return table

    def holding(self, request: Request, name: str) -> Table:
        """Return the table for an operation on items; raises ResourceNotFoundException in the words used there."""
        table = self._tables.get((request.account, request.region, name)) or self.find(request, name)
        if table is None:
            raise resource_missing()
        return table

    def all(self) -> list[Table]:
        """Return every table of every account and region."""
        return list(self._tables.values())

    def names(self, request: Request) -> list[str]:
        """Return the names in the request's account and region, sorted."""
        return sorted(name for account, region, name in self._tables if (account, region) == (request.account, request.region))

    def add(self, request: Request, name: str, definition: Definition) -> Table:
        """Store a new table; it must not exist."""
        arguments = (request.account, request.region, name, msgspec.json.encode(definition))
        connection = self._store.connection
        cursor = connection.execute("INSERT INTO ddb_table (account, region, name, definition) VALUES (?, ?, ?, ?)", arguments)
        assert cursor.lastrowid is not None
        table = _table((cursor.lastrowid, *arguments, 0, 0, 0, 0))
        self._tables[request.account, request.region, name] = table
        return table

    def save(self, table: Table, definition: Definition) -> Table:
        """Store a changed definition and return the table made of it, which takes the place of `table`."""
        text = msgspec.json.encode(definition)
        self._store.connection.execute("UPDATE ddb_table SET definition = ? WHERE id = ?", (text, table.id))
        counts = (table.item_count, table.item_bytes, table.last_change_us, table.dropped_count)
        renewed = _table((table.id, table.account, table.region, table.name, text, *counts))
        renewed.is_dirty = table.is_dirty
        self._tables[table.account, table.region, table.name] = renewed
        return renewed

    def editable(self, table: Table) -> Definition:
        """Return a copy of a table's definition to change and save; what fails on the way leaves the table as it was."""
        return msgspec.json.decode(msgspec.json.encode(table.definition), type=Definition)

    def flush(self, table: Table) -> None:
        """Store a table's counts if they have changed; every operation that writes items does so before it ends."""
        if table.is_dirty:
            counts = (table.item_count, table.item_bytes, table.last_change_us, table.dropped_count, table.id)
            self._store.connection.execute(_UPDATE_COUNTS, counts)
            table.is_dirty = False

    def remove(self, table: Table) -> None:
        """Forget a table; its items are the caller's to remove."""
        self._store.connection.execute("DELETE FROM ddb_table WHERE id = ?", (table.id,))
        del self._tables[table.account, table.region, table.name]
