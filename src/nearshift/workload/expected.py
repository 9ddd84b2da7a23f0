"""What the tables of the example must hold when the DynamoDB table holds given items, worked out without SQL and compared row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from nearshift.workload.changes import AttributeValue, Item

Row = tuple[Any, ...]

# The columns that are compared, per table; the first `keys` of them identify a row. Versions and times of loading are not in an item.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customer_transaction_fact": (
        "pk", "sk", "customer_id", "transaction_id", "event_type", "status", "provider", "billed_amount", "outofpock_amount",
        "outofpock_max", "outofpock_percent", "ledger_number", "note", "completion_datetime", "last_calculation_datetime",
    ),
    "customer_transaction_dependent": ("pk", "sk", "dependent_pk", "dependent_sk"),
    "customer_dim": ("pk", "sk", "customer_id", "email", "plan_year", "outofpock_max", "zip", "state", "is_active"),
    "dependent_dim": ("pk", "sk", "customer_id", "dependent_id", "name", "relationship", "birth_year"),
}  # fmt: skip
KEYS: Mapping[str, int] = {"customer_transaction_fact": 2, "customer_transaction_dependent": 4, "customer_dim": 2, "dependent_dim": 2}


def expected_rows(items: Iterable[Item]) -> dict[str, list[Row]]:
    """Return the rows of each table in COLUMNS, in its columns' order."""
    rows: dict[str, list[Row]] = {table: [] for table in COLUMNS}
    for item in items:
        pk, sk = _text(item, "pk"), _text(item, "sk")
        if pk is None or sk is None:
            continue
        match sk.split("#")[0]:
            case "TRANSACTION":
                rows["customer_transaction_fact"].append(_transaction(item, pk, sk))
                rows["customer_transaction_dependent"] += [(pk, sk, *names) for names in _dependents(item)]
            case "PROFILE" if sk == "PROFILE":
                rows["customer_dim"].append(_profile(item, pk, sk))
            case "CUSTOMER":
                year = _number(item, "birthYear")
                names = (_text(item, "name"), _text(item, "relationship"), None if year is None else int(year))
                rows["dependent_dim"].append((pk, sk, _part(pk, 1), _part(sk, 2), *names))
    return rows


def _transaction(item: Item, pk: str, sk: str) -> Row:
    texts = (_text(item, name) for name in ("Event", "status", "Provider"))
    amounts = (_number(item, name) for name in ("billedAmount", "OutofPockAmount", "OutofPockMax", "OutofPockPercent", "ledgerNumber"))
    times = (_time(item, name) for name in ("completionDateTime", "lastCalculationDateTime"))
    return (pk, sk, _part(pk, 1), _part(sk, 2), *texts, *amounts, _text(item, "note"), *times)


def _dependents(item: Item) -> list[tuple[str | None, str | None]]:
    listed = _inner(_inner(item.get("calculationRequirements"), "M").get("dependentIds"), "L", [])
    people = [_inner(element, "M") for element in listed]
    return [(_text(person, "pk"), _text(person, "sk")) for person in people]


def _profile(item: Item, pk: str, sk: str) -> Row:
    address = _inner(item.get("address"), "M")
    year = _number(item, "planYear")
    active = item.get("isActive", {}).get("BOOL")
    head = (pk, sk, _part(pk, 1), _text(item, "email"), None if year is None else int(year), _number(item, "OutofPockMax"))
    return (*head, _text(address, "zip"), _text(address, "state"), active)


def _inner(value: AttributeValue | None, kind: str, default: Any = None) -> Any:
    return (value or {}).get(kind, {} if default is None else default)


def _text(item: Mapping[str, AttributeValue], name: str) -> str | None:
    found = item.get(name, {}).get("S")
    return None if found is None else str(found)


def _number(item: Mapping[str, AttributeValue], name: str) -> Decimal | None:
    found = item.get(name, {}).get("N")
    return None if found is None else Decimal(found)


def _time(item: Mapping[str, AttributeValue], name: str) -> datetime | None:
    found = _text(item, name)
    return None if found is None else datetime.fromisoformat(found)


def _part(key: str, index: int) -> str:
    parts = key.split("#")
    return parts[index] if index < len(parts) else ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that one side has and the other has not, or has otherwise; the missing side is None."""

    table: str
    expected: Row | None
    found: Row | None

    def __str__(self) -> str:
        row = self.expected or self.found or ()
        key = ", ".join(str(value) for value in row[: KEYS[self.table]])
        if self.found is None:
            return f"{self.table} ({key}): row is missing"
        if self.expected is None:
            return f"{self.table} ({key}): row should not be there"
        names = COLUMNS[self.table]
        pairs = zip(names, self.expected, self.found, strict=True)
        return f"{self.table} ({key}): " + ", ".join(f"{name} is {f!r} instead of {e!r}" for name, e, f in pairs if e != f)


def differences(table: str, expected: Sequence[Row], found: Sequence[Row]) -> list[Difference]:
    """Return what is wrong with the rows found, by key; every copy of a row counts, an equal table gives an empty list."""
    size = KEYS[table]
    wanted: dict[Row, list[Row]] = {}
    for row in expected:
        wanted.setdefault(row[:size], []).append(row)
    wrong: list[Difference] = []
    for row in found:
        same_key = wanted.get(row[:size], [])
        if row in same_key:
            same_key.remove(row)
        elif same_key:
            wrong.append(Difference(table, same_key.pop(0), row))
        else:
            wrong.append(Difference(table, None, row))
    wrong += [Difference(table, row, None) for rows in wanted.values() for row in rows]
    return wrong
