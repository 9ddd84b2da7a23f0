"""Capacity units that requests consume ("DynamoDB read and write operations", Developer Guide). Units of indexes are not added."""

from __future__ import annotations

import msgspec

from nearshift.localaws.dynamodb_tables import Table

_WRITE_UNIT_BYTES = 1024
_READ_UNIT_BYTES = 4096


def write_units(size: int, *, is_transactional: bool = False) -> float:
    """Return the units of writing an item of `size` bytes, at least one; a transaction writes twice."""
    return max(1, -(-size // _WRITE_UNIT_BYTES)) * (2.0 if is_transactional else 1.0)


def read_units(size: int, *, is_consistent: bool = False, is_transactional: bool = False) -> float:
    """Return the units of reading `size` bytes: half for an eventually consistent read, double in a transaction."""
    return max(1, -(-size // _READ_UNIT_BYTES)) * (2.0 if is_transactional else 1.0 if is_consistent else 0.5)


def consumed(wanted: str | None, table: Table, units: float) -> bytes | None:
    """Return ConsumedCapacity as JSON if the request asked for it."""
    if wanted not in ("TOTAL", "INDEXES"):
        return None
    found: dict[str, object] = {"TableName": table.name, "CapacityUnits": units}
    if wanted == "INDEXES":
        found["Table"] = {"CapacityUnits": units}
    return msgspec.json.encode(found)


def consumed_raw(wanted: str | None, table: Table, units: float) -> msgspec.Raw | None:
    """Return ConsumedCapacity as a member of an answer that is encoded later."""
    found = consumed(wanted, table, units)
    return msgspec.Raw(found) if found is not None else None
