"""Every defect of the published pipeline: the scenario in which its load is wrong, and ours, over the same records, is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.generate.exhibit_bench import OURS, Exhibit, exhibit_benches

from nearshift.clock import ManualClock
from nearshift.errors import NearshiftError
from nearshift.pipeline.bench import Benches

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Benches, ManualClock]]:
    with exhibit_benches(tmp_path_factory.mktemp("defects") / "exhibit") as benches:
        yield benches


@pytest.fixture
def exhibit(made: tuple[Benches, ManualClock]) -> Iterator[Exhibit]:
    benches, clock = made
    bench = benches.open()
    yield Exhibit(bench, clock)
    bench.close()


def d1_watermark_is_the_clock(e: Exhibit) -> None:
    e.put(1, sk="TRANSACTION#T1", amount=1)
    e.refresh(20)
    e.put(24, sk="TRANSACTION#T2", amount=2)
    e.call(28)
    e.load(60)


def d2_backlog_before_the_audit_row(e: Exhibit) -> None:
    e.put(-100, amount=1)
    e.load(10)


def d3_removed(e: Exhibit) -> None:
    e.put(1, amount=1)
    e.put(2, "REMOVE")
    e.load(10)


def d4_arrival_orders(e: Exhibit) -> None:
    e.put(9, "MODIFY", created=9, amount=9)
    e.put(10, created=3, amount=3)
    e.load(20)


def d4b_late_in_a_later_batch(e: Exhibit) -> None:
    e.put(9, "MODIFY", created=9, amount=9)
    e.load(10)
    e.put(11, created=3, amount=3)
    e.load(20)


def d6_ties(e: Exhibit) -> None:
    e.put(5, created=1, amount=900, provider="PV-10")
    e.put(5, "MODIFY", created=2, amount=1000, provider="PV-9")
    e.load(10)


def d7_sort_key_alone(e: Exhibit) -> None:
    e.put(1, pk="CUSTOMER#C1", amount=1)
    e.put(2, pk="CUSTOMER#C2", amount=2)
    e.load(10)


def d10_integer_amounts(e: Exhibit) -> None:
    e.put(1, sk="TRANSACTION#T1", amount=Decimal("1000.50"))
    e.put(1, sk="TRANSACTION#T2", amount=99999999999)
    e.load(10)


def d11_doubles(e: Exhibit) -> None:
    e.put(1, amount=1, event_id="e1")
    e.put(2, "MODIFY", amount=2, event_id="e2")
    e.put(3, created=1, amount=1, event_id="e1")
    e.load(10)


def d15_refresh_does_not_cascade(e: Exhibit) -> None:
    e.put(1, amount=1)
    e.bench.run("REFRESH MATERIALIZED VIEW stream_vw")  # the view that refreshes itself; the published one does not
    e.call(10)


def d17_no_event_name(e: Exhibit) -> None:
    keys = {"pk": {"S": "CUSTOMER#C1"}, "sk": {"S": "TRANSACTION#T1"}}
    change = {"ApproximateCreationDateTime": 1767225601000000, "Keys": keys, "NewImage": keys | {"amount": {"N": "1"}}}
    e.put_raw(1, {"eventID": "e1", "dynamodb": change})
    e.load(10)


_ONE = Decimal("1.00")
_WHO = "customer_id, replace(transaction_id, 'TRANSACTION#', '')"
# What to do, the columns to compare, what the published load says, what is right.
CASES: list[tuple[Callable[[Exhibit], None], str, Rows, Rows]] = [
    (d1_watermark_is_the_clock, f"{_WHO}, amount", [("C1", "T1", 1)], [("C1", "T1", _ONE), ("C1", "T2", Decimal(2))]),
    (d2_backlog_before_the_audit_row, f"{_WHO}, amount", [], [("C1", "T1", _ONE)]),
    (d3_removed, f"{_WHO}, amount", [("C1", "T1", 1)], []),
    (d4_arrival_orders, "amount", [(3,)], [(Decimal(9),)]),
    (d4b_late_in_a_later_batch, "amount", [(3,)], [(Decimal(9),)]),
    (d6_ties, "amount, provider", [(900, "PV-10")], [(Decimal(1000), "PV-9")]),
    (d7_sort_key_alone, f"{_WHO}, amount", [("C2", "T1", 2)], [("C1", "T1", _ONE), ("C2", "T1", Decimal(2))]),
    (d10_integer_amounts, "transaction_id, amount", [("TRANSACTION#T1", 1001), ("TRANSACTION#T2", None)],
     [("T1", Decimal("1000.50")), ("T2", Decimal(99999999999))]),
    (d11_doubles, "amount", [(1,)], [(Decimal(2),)]),
    (d15_refresh_does_not_cascade, "amount", [], [(_ONE,)]),
    (d17_no_event_name, "amount", [], [(_ONE,)]),
]  # fmt: skip


@pytest.mark.parametrize(("scenario", "columns", "published", "right"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_the_published_load_is_wrong_and_ours_are_right(
    exhibit: Exhibit, scenario: Callable[[Exhibit], None], columns: str, published: Rows, right: Rows
) -> None:
    scenario(exhibit)
    assert exhibit.rows("published_fact", columns) == published
    for table in OURS:
        assert exhibit.rows(table, columns) == right, table


def test_d5_a_later_change_does_not_forget_what_it_leaves_out(exhibit: Exhibit) -> None:
    exhibit.put(1, amount=1, provider="PV-1", percent=50)
    exhibit.load(10)
    exhibit.put(11, "MODIFY", amount=2)
    exhibit.load(20)
    columns = "amount, provider, percent_paid"
    assert exhibit.rows("published_fact", columns) == [(2, None, None)]
    assert exhibit.rows("value_fact", columns) == [(Decimal(2), "PV-1", Decimal(50))]
    # The latest image is the item as it is: an attribute that is gone is gone.
    assert exhibit.rows("image_fact", columns) == [(Decimal(2), None, None)]


def test_d8_records_without_a_key_pile_up_or_are_rejected(exhibit: Exhibit) -> None:
    change = {"ApproximateCreationDateTime": 1767225601000000, "NewImage": {"amount": {"N": "1"}}}
    for second in (1, 11):
        exhibit.put_raw(second, {"eventID": f"e{second}", "eventName": "INSERT", "dynamodb": change})
        exhibit.load(second + 5)
    assert exhibit.rows("published_fact", "amount") == [(1,), (1,)]
    for table in OURS:
        assert exhibit.rows(table, "amount") == []
    assert exhibit.bench.run("SELECT reject_reason, count(*) FROM rejected_record GROUP BY 1").rows == [("no partition key", 2)]


def test_d9_an_item_written_again_inherits_nothing(exhibit: Exhibit) -> None:
    exhibit.put(1, amount=1, provider="PV-1")
    exhibit.put(2, "REMOVE")
    exhibit.put(3, amount=2)
    exhibit.load(10)
    assert exhibit.rows("published_fact", "amount, provider") == [(2, "PV-1")]
    for table in OURS:
        assert exhibit.rows(table, "amount, provider") == [(Decimal(2), None)]


def test_d12_a_failed_run_leaves_its_trace(exhibit: Exhibit) -> None:
    exhibit.put(1, amount=1)
    exhibit.refresh(5)
    for table, load in (("published_fact", "published"), ("image_fact", "image_fact")):
        exhibit.bench.run(f"ALTER TABLE {table} RENAME TO hidden_{load}")
        with pytest.raises(NearshiftError):
            exhibit.bench.run(f"CALL sp_load_{load}()")
    assert exhibit.bench.run("SELECT status FROM published_audit").rows == [("Ready",)]
    found = exhibit.bench.run("SELECT status, len(error) > 0 FROM load_audit WHERE load_name = 'image_fact'").rows
    assert list(found) == [("Failed", True)]


def test_d13_the_parts_of_a_key(exhibit: Exhibit) -> None:
    exhibit.put(1, amount=1)
    exhibit.load(10)
    assert exhibit.rows("published_fact", "transaction_id") == [("TRANSACTION#T1",)]
    for table in OURS:
        assert exhibit.rows(table, "transaction_id") == [("T1",)]


def test_d14_strings_in_double_quotes(exhibit: Exhibit) -> None:
    with pytest.raises(NearshiftError, match='column "running" does not exist'):
        exhibit.bench.run('UPDATE published_audit SET status = "Running" WHERE job_name = "load"')


def test_d16_an_instant_keeps_its_zone(exhibit: Exhibit) -> None:
    exhibit.put(1, completed="2022-07-08T23:59:59Z", amount=1)
    exhibit.bench.run("SET timezone TO 'America/New_York'")
    exhibit.load(10)
    kinds = "SELECT table_name, data_type FROM information_schema.columns WHERE column_name = 'completed_at' AND table_name LIKE '%_fact'"
    assert set(exhibit.bench.run(kinds).rows) == {
        ("published_fact", "timestamp without time zone"),  # the wall clock of whoever calls the load
        ("image_fact", "timestamp with time zone"),
        ("value_fact", "timestamp with time zone"),
    }
    for table in ("image_fact", "value_fact"):
        ((found,),) = exhibit.bench.run(f"SELECT completed_at = timestamptz '2022-07-08 23:59:59+00' FROM {table}").rows
        assert found is True


def test_d18_one_change_is_one_row_however_long_its_list(exhibit: Exhibit) -> None:
    exhibit.put(1, amount=1, dependents=[{"sk": "D1"}, {"sk": "D2"}])
    exhibit.load(10)
    assert exhibit.bench.run("SELECT count(*) FROM published_unnested").rows == [(2,)]
    assert exhibit.bench.run("SELECT count(*) FROM mv_image_fact_event").rows == [(1,)]


def test_d19_the_clock_has_whole_seconds(exhibit: Exhibit) -> None:
    exhibit.put(5.4, amount=1)
    exhibit.load(5.6)
    exhibit.load(30)
    assert exhibit.bench.run("SELECT count(*) FROM published_stage").rows == [(1,)]  # read again, though nothing was new
    assert exhibit.bench.run("SELECT change_count FROM load_audit WHERE load_name = 'image_fact'").rows == [(1,)]


def test_one_record_that_is_not_json_does_not_stop_ours(exhibit: Exhibit) -> None:
    exhibit.at(1)
    exhibit.bench.put(b"this is not JSON")
    exhibit.put(2, amount=1)
    exhibit.load(10)
    assert exhibit.bench.run("SELECT count(*) FROM sys_nearshift_quarantine WHERE view_name LIKE '%published_stream_vw'").rows == [(1,)]
    assert exhibit.bench.run("SELECT reject_reason FROM rejected_record").rows == [("not JSON",)]
    assert exhibit.rows("image_fact", "amount") == [(_ONE,)]
