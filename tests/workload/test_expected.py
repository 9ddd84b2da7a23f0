"""What the tables must hold for given items, and that a comparison finds every kind of difference."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice

from nearshift.workload.changes import Item, Oracle
from nearshift.workload.claims import Claims
from nearshift.workload.expected import COLUMNS, Row, differences, expected_rows

CLAIM: Item = {
    "pk": {"S": "CUSTOMER#C1"}, "sk": {"S": "TRANSACTION#2026-01-01T00:00:00Z#T9"}, "status": {"S": "PAID"}, "billedAmount": {"N": "12.5"},
    "Provider": {"NULL": True}, "ledgerNumber": {"N": "9" * 38}, "note": {"S": ""}, "completionDateTime": {"S": "2026-01-01T10:00:00Z"},
    "calculationRequirements": {"M": {"dependentIds": {"L": [{"M": {"pk": {"S": "CUSTOMER#C1"}, "sk": {"S": "CUSTOMER#t#D1"}}}]}}},
}  # fmt: skip


def test_a_transaction_becomes_a_fact_and_its_dependents() -> None:
    rows = expected_rows([CLAIM])
    fact = dict(zip(COLUMNS["customer_transaction_fact"], rows["customer_transaction_fact"][0], strict=True))
    assert fact["customer_id"] == "C1"
    assert fact["transaction_id"] == "T9"
    assert fact["billed_amount"] == Decimal("12.50")
    assert fact["ledger_number"] == Decimal("9" * 38)
    assert fact["note"] == ""
    assert fact["provider"] is None
    assert fact["outofpock_amount"] is None
    assert fact["completion_datetime"] == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert rows["customer_transaction_dependent"] == [("CUSTOMER#C1", CLAIM["sk"]["S"], "CUSTOMER#C1", "CUSTOMER#t#D1")]


def test_profiles_and_dependents_become_dimensions() -> None:
    key: Item = {"pk": {"S": "CUSTOMER#C1"}, "sk": {"S": "PROFILE"}}
    profile: Item = {**key, "email": {"NULL": True}, "planYear": {"N": "2026"}, "isActive": {"BOOL": True}}
    person: Item = {"pk": {"S": "CUSTOMER#C1"}, "sk": {"S": "CUSTOMER#t#D1"}, "name": {"S": "李"}}
    rows = expected_rows([profile, person])
    assert rows["customer_dim"] == [("CUSTOMER#C1", "PROFILE", "C1", None, 2026, None, None, None, True)]
    assert rows["dependent_dim"] == [("CUSTOMER#C1", "CUSTOMER#t#D1", "C1", "D1", "李", None, None)]


def test_equal_rows_have_no_differences() -> None:
    oracle = Oracle()
    oracle.apply(islice(Claims(1).changes(), 1500))
    for table, rows in expected_rows(oracle.items.values()).items():
        assert rows
        assert differences(table, rows, list(reversed(rows))) == []


def test_missing_extra_doubled_and_changed_rows_are_found() -> None:
    def row(key: str, email: str | None) -> Row:
        return ("P", key, "C", email, 2026, None, None, None, True)

    expected = [row("a", "x"), row("b", "x"), row("c", None)]
    found = [row("a", "x"), row("a", "x"), row("c", ""), row("d", "x")]
    wrong = [str(one) for one in differences("customer_dim", expected, found)]
    assert wrong == [
        "customer_dim (P, a): row should not be there",
        "customer_dim (P, c): email is '' instead of None",
        "customer_dim (P, d): row should not be there",
        "customer_dim (P, b): row is missing",
    ]
