"""The writer against the local DynamoDB: what it wrote is what the oracle says, one by one and in batches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import boto3
import pytest

from nearshift.cli.demo_parts import LocalAwsProcess
from nearshift.clock import ManualClock
from nearshift.pipeline.source import scan_items
from nearshift.workload.changes import Oracle
from nearshift.workload.claims import Claims
from nearshift.workload.writer import Progress, Writer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process = LocalAwsProcess(tmp_path_factory.mktemp("aws") / "local-aws")
    yield process.address
    process.end()


@pytest.fixture
def client(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    for name, value in {
        "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    found = boto3.client("dynamodb")
    yield found
    found.close()


def make_table(client: DynamoDBClient, name: str) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.mark.parametrize("bundle", [1, 60])
def test_the_table_holds_what_the_oracle_says(client: DynamoDBClient, bundle: int) -> None:
    table = f"table-{bundle}"
    make_table(client, table)
    progress, oracle, written = Progress(), Oracle(), 0
    taken = []

    def noted() -> Iterator[object]:
        for change in Claims(5).changes():
            taken.append(change)
            yield change

    writer = Writer(client, table, noted(), progress)  # type: ignore[arg-type]
    while written < 900:
        written += writer.write(bundle)
    assert progress.written == written
    oracle.apply(taken)
    found = {(item["pk"]["S"], item["sk"]["S"]): item for item in scan_items(table)}
    assert found.keys() == oracle.items.keys()
    assert [key for key in found if found[key] != oracle.items[key]] == []


class CountingWriter(Writer):
    """Counts instead of writing; stops after a hundred calls."""

    def __init__(self, clock: ManualClock, stop: threading.Event, *, delay: float) -> None:
        super().__init__(None, "t", iter(()), Progress(), clock)  # type: ignore[arg-type]
        self.calls: list[int] = []
        self._manual, self._stop, self._delay = clock, stop, delay

    def write(self, count: int) -> int:
        self.calls.append(count)
        self._manual.advance(self._delay)
        if len(self.calls) == 100:
            self._stop.set()
        return count


def test_a_slow_rate_is_kept_by_single_changes() -> None:
    clock, stop = ManualClock(), threading.Event()
    writer = CountingWriter(clock, stop, delay=0.0)
    writer.run(50.0, stop)
    assert set(writer.calls) == {1}
    assert clock.monotonic() == pytest.approx(2.0, rel=0.05)


def test_a_fast_rate_goes_in_batches_and_is_kept() -> None:
    clock, stop = ManualClock(), threading.Event()
    writer = CountingWriter(clock, stop, delay=0.005)
    writer.run(2000.0, stop)
    assert sum(writer.calls) / clock.monotonic() == pytest.approx(2000.0, rel=0.05)
    assert max(writer.calls) <= 100


def test_a_writer_that_fell_behind_does_not_make_up_for_more_than_a_second() -> None:
    clock, stop = ManualClock(), threading.Event()
    writer = CountingWriter(clock, stop, delay=0.1)
    writer.run(100.0, stop)
    assert set(writer.calls) == {1}
    assert list(islice(writer.calls, 3)) == [1, 1, 1]
