"""Records through unmodified boto3: what is put is what is read, from every kind of iterator, within AWS's limits."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.localaws.conftest import LocalServer

_names = itertools.count()


def make_stream(kinesis: Any, shards: int = 1) -> str:
    name = f"records-{next(_names)}"
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    return name


def read(kinesis: Any, stream: str, shard: str = "shardId-000000000000", kind: str = "TRIM_HORIZON", **more: Any) -> list[Any]:
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType=kind, **more)["ShardIterator"]
    records = []
    while True:
        page = kinesis.get_records(ShardIterator=iterator)
        records += page["Records"]
        iterator = page.get("NextShardIterator")
        if iterator is None or page["MillisBehindLatest"] == 0:
            return records


def test_a_record_comes_back_byte_for_byte(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    payload = bytes(range(256))
    key = 'quote " backslash \\ é 💶\n'
    put = kinesis.put_record(StreamName=stream, Data=payload, PartitionKey=key)
    (record,) = read(kinesis, stream)
    assert (record["Data"], record["PartitionKey"], record["SequenceNumber"]) == (payload, key, put["SequenceNumber"])
    assert len(put["SequenceNumber"]) == 56
    assert put["ShardId"] == "shardId-000000000000"


def test_sequence_numbers_grow_as_integers_in_the_order_of_the_puts(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    for start in range(0, 60, 20):
        kinesis.put_records(StreamName=stream, Records=[{"Data": b"%d" % n, "PartitionKey": "k"} for n in range(start, start + 20)])
    records = read(kinesis, stream)
    assert [record["Data"] for record in records] == [b"%d" % n for n in range(60)]
    numbers = [int(record["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))


def test_keys_go_to_the_shard_of_their_md5(kinesis: Any) -> None:
    stream = make_stream(kinesis, 4)
    answer = kinesis.put_records(StreamName=stream, Records=[{"Data": b"x", "PartitionKey": key} for key in ("a", "b", "c", "d")])
    # md5: a=0cc1..., b=92eb..., c=4a8a..., d=8277...
    assert [int(record["ShardId"][-1]) for record in answer["Records"]] == [0, 2, 1, 2]
    last = 2**128 - 1
    assert kinesis.put_record(StreamName=stream, Data=b"", PartitionKey="a", ExplicitHashKey=str(last))["ShardId"][-1] == "3"


def test_every_kind_of_iterator_starts_where_it_says(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    numbers = []
    for index in range(4):
        numbers.append(kinesis.put_record(StreamName=stream, Data=b"%d" % index, PartitionKey="k")["SequenceNumber"])
        time.sleep(0.01)
    arrivals = [record["ApproximateArrivalTimestamp"] for record in read(kinesis, stream)]

    def data(kind: str, **more: Any) -> list[bytes]:
        return [record["Data"] for record in read(kinesis, stream, kind=kind, **more)]

    assert data("TRIM_HORIZON") == [b"0", b"1", b"2", b"3"]
    assert data("AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == [b"1", b"2", b"3"]
    assert data("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == [b"2", b"3"]
    assert data("AT_TIMESTAMP", Timestamp=arrivals[2]) == [b"2", b"3"]
    assert data("LATEST") == []


def test_latest_sees_only_what_comes_after_it(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    kinesis.put_record(StreamName=stream, Data=b"before", PartitionKey="k")
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="LATEST")["ShardIterator"]
    kinesis.put_record(StreamName=stream, Data=b"after", PartitionKey="k")
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=iterator)["Records"]] == [b"after"]


def test_a_page_holds_ten_mebibytes_and_says_how_far_behind_it_is(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    blob = b"x" * 1_000_000
    for _ in range(3):
        kinesis.put_records(StreamName=stream, Records=[{"Data": blob, "PartitionKey": "k"} for _ in range(4)])
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    page = kinesis.get_records(ShardIterator=iterator)
    assert len(page["Records"]) == 10
    assert page["MillisBehindLatest"] > 0
    page = kinesis.get_records(ShardIterator=page["NextShardIterator"])
    assert (len(page["Records"]), page["MillisBehindLatest"]) == (2, 0)


def test_limit_cuts_a_page(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    kinesis.put_records(StreamName=stream, Records=[{"Data": b"%d" % n, "PartitionKey": "k"} for n in range(5)])
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    seen = []
    for _ in range(3):
        page = kinesis.get_records(ShardIterator=iterator, Limit=2)
        seen.append([record["Data"] for record in page["Records"]])
        iterator = page["NextShardIterator"]
    assert seen == [[b"0", b"1"], [b"2", b"3"], [b"4"]]


def test_the_same_iterator_may_be_used_again(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    pages = [kinesis.get_records(ShardIterator=iterator)["Records"] for _ in range(2)]
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([{"Data": b"x", "PartitionKey": "k"}] * 501, "ValidationException"),
        ([{"Data": b"x" * 1_048_576, "PartitionKey": "k"}], "ValidationException"),
        ([{"Data": b"x" * 1_000_000, "PartitionKey": "k"}] * 11, "InvalidArgumentException"),
    ],
)
def test_calls_above_the_limits_are_refused_whole(kinesis: Any, records: list[Any], code: str) -> None:
    stream = make_stream(kinesis)
    with pytest.raises(ClientError) as caught:
        kinesis.put_records(StreamName=stream, Records=[*records, {"Data": b"small", "PartitionKey": "k"}])
    assert caught.value.response["Error"]["Code"] == code
    assert read(kinesis, stream) == []


def test_a_record_of_exactly_one_mebibyte_with_its_key_is_taken(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    kinesis.put_record(StreamName=stream, Data=b"x" * (1_048_576 - 1), PartitionKey="k")
    assert len(read(kinesis, stream)[0]["Data"]) == 1_048_575


def test_a_stream_can_be_made_to_take_larger_records(kinesis: Any) -> None:
    stream = make_stream(kinesis)
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=4096)
    kinesis.put_record(StreamARN=arn, Data=b"x" * 3_000_000, PartitionKey="k")
    assert len(read(kinesis, stream)[0]["Data"]) == 3_000_000


def test_records_refused_on_purpose_are_reported_one_by_one(kinesis: Any, local_server: LocalServer) -> None:
    stream = make_stream(kinesis)
    local_server.admin("put-failures", every=3)
    answer = kinesis.put_records(StreamName=stream, Records=[{"Data": b"%d" % n, "PartitionKey": "k"} for n in range(5)])
    assert answer["FailedRecordCount"] == 2
    assert ["ErrorCode" in record for record in answer["Records"]] == [True, False, False, True, False]
    assert [record["Data"] for record in read(kinesis, stream)] == [b"1", b"2", b"4"]


def test_records_past_retention_cannot_be_read_and_come_back_never(kinesis: Any, local_server: LocalServer) -> None:
    stream = make_stream(kinesis)
    old = kinesis.put_record(StreamName=stream, Data=b"old", PartitionKey="k")["SequenceNumber"]
    local_server.admin("clock", advance=23 * 3600)
    kinesis.put_record(StreamName=stream, Data=b"new", PartitionKey="k")
    local_server.admin("clock", advance=2 * 3600)
    assert [record["Data"] for record in read(kinesis, stream)] == [b"new"]
    assert [record["Data"] for record in read(kinesis, stream, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=old)] == [b"new"]
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    assert [record["Data"] for record in read(kinesis, stream)] == [b"new"]


def test_a_shorter_retention_trims_at_once(kinesis: Any, local_server: LocalServer) -> None:
    stream = make_stream(kinesis)
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=72)
    kinesis.put_record(StreamName=stream, Data=b"old", PartitionKey="k")
    local_server.admin("clock", advance=30 * 3600)
    assert len(read(kinesis, stream)) == 1
    kinesis.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=24)
    assert read(kinesis, stream) == []


def test_order_holds_when_the_clock_goes_back(kinesis: Any, local_server: LocalServer) -> None:
    stream = make_stream(kinesis)
    kinesis.put_record(StreamName=stream, Data=b"1", PartitionKey="k")
    local_server.admin("clock", advance=-3600)
    kinesis.put_record(StreamName=stream, Data=b"2", PartitionKey="k")
    records = read(kinesis, stream)
    assert [record["Data"] for record in records] == [b"1", b"2"]
    assert int(records[0]["SequenceNumber"]) < int(records[1]["SequenceNumber"])
    assert records[0]["ApproximateArrivalTimestamp"] > records[1]["ApproximateArrivalTimestamp"]
