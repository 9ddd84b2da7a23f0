"""Kinesis through boto3: the parse hook, the decoder, and what each failure of the service or the wire becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearshift import limits
from nearshift.clock import ManualClock
from nearshift.errors import StreamError
from nearshift.streams.calls import CallFailed, FailureKind
from nearshift.streams.decode import decode_page
from nearshift.streams.kinesis import Access, classify_error, open_stream
from nearshift.streams.metrics import Metric, read_metrics
from nearshift.streams.polling import PolledSource
from nearshift.streams.record import END, OLDEST, RECORD_SCHEMA, Position, ShardId, after, at_time

if TYPE_CHECKING:
    from tests.streams.conftest import Endpoint

FIRST = ShardId("shardId-000000000000")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def source_of(endpoint: Endpoint, clock: ManualClock | None = None) -> PolledSource:
    access = Access(region="us-east-1", endpoint_url=endpoint.url)
    return open_stream("s", access, clock=clock or ManualClock(), random=Random(1))


def test_the_hook_hands_the_body_over_and_records_come_in_redshifts_columns(endpoint: Endpoint) -> None:
    endpoint.gives(b"one", b"\x00\xff", behind=5)
    batch = source_of(endpoint).open(FIRST, OLDEST).read(limit_records=10)
    assert batch.records.schema == RECORD_SCHEMA
    assert batch.records.to_pylist() == [
        {
            "approximate_arrival_timestamp": datetime(2022, 7, 8, 15, 42, 3, 614000),  # noqa: DTZ001
            "partition_key": "key-0",
            "shard_id": FIRST,
            "sequence_number": "1",
            "kinesis_data": b"one",
        },
        {
            "approximate_arrival_timestamp": datetime(2022, 7, 8, 15, 42, 4, 614000),  # noqa: DTZ001
            "partition_key": "key-1",
            "shard_id": FIRST,
            "sequence_number": "2",
            "kinesis_data": b"\x00\xff",
        },
    ]
    assert (batch.next, batch.millis_behind, batch.payload_bytes) == (after("2"), 5, 5)


def test_the_end_of_a_shard_names_its_children(endpoint: Endpoint) -> None:
    keys = {"StartingHashKey": "0", "EndingHashKey": "1"}
    children = [{"ShardId": "shardId-000000000001", "ParentShards": [FIRST], "HashKeyRange": keys}]
    endpoint.gives(b"last", following=None, ChildShards=children)
    batch = source_of(endpoint).open(FIRST, OLDEST).read(limit_records=10)
    assert (batch.next, batch.children, batch.count) == (END, (ShardId("shardId-000000000001"),), 1)


@pytest.mark.parametrize(
    ("position", "asked"),
    [
        (OLDEST, {"ShardIteratorType": "TRIM_HORIZON"}),
        (after("77"), {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "77"}),
        (at_time(datetime(2026, 1, 1, tzinfo=UTC)), {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1767225600}),
    ],
)
def test_a_position_becomes_an_iterator(endpoint: Endpoint, position: Position, asked: dict[str, object]) -> None:
    endpoint.gives()
    source_of(endpoint).open(FIRST, position).read(limit_records=10)
    assert endpoint.requests("GetShardIterator") == [{"StreamName": "s", "ShardId": FIRST, **asked}]


def test_the_stream_says_who_it_is_and_how_long_it_remembers(endpoint: Endpoint) -> None:
    found = source_of(endpoint).describe()
    assert found.identity == "arn:aws:kinesis:us-east-1:123456789012:stream/s@1657294923.614"
    assert found.retention == timedelta(hours=24)


def test_the_list_of_shards_is_read_through_its_pages(endpoint: Endpoint) -> None:
    keys = {"StartingHashKey": "0", "EndingHashKey": "9"}
    closed = {"ShardId": "a", "HashKeyRange": keys, "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "5"}}
    merged = {
        "ShardId": "c",
        "ParentShardId": "a",
        "AdjacentParentShardId": "b",
        "HashKeyRange": keys,
        "SequenceNumberRange": {"StartingSequenceNumber": "6"},
    }
    endpoint.answers("ListShards", {"Shards": [closed], "NextToken": "more"})
    endpoint.fails("ListShards", "ExpiredNextTokenException")
    endpoint.answers("ListShards", {"Shards": [closed], "NextToken": "again"})
    endpoint.answers("ListShards", {"Shards": [merged]})
    first, second = source_of(endpoint).shards()
    assert (first.is_closed, first.ending, first.parents) == (True, "5", ())
    assert (second.is_closed, second.ending, second.parents) == (False, None, ("a", "b"))
    assert endpoint.requests("ListShards") == [{"StreamName": "s"}, {"NextToken": "more"}, {"StreamName": "s"}, {"NextToken": "again"}]


def test_failures_of_the_wire_and_the_service_are_waited_out(endpoint: Endpoint) -> None:
    endpoint.resets("GetRecords")
    endpoint.gives(b"cut", cut=4)
    endpoint.fails("GetRecords", "InternalFailure", status=500)
    endpoint.fails("GetRecords", "ProvisionedThroughputExceededException")
    endpoint.fails("GetRecords", "ExpiredIteratorException")
    endpoint.answers("GetRecords", {"Records": "not a list"})
    endpoint.gives(b"whole")
    clock = ManualClock()
    batch = source_of(endpoint, clock).open(FIRST, OLDEST).read(limit_records=10)
    assert batch.records.column("kinesis_data").to_pylist() == [b"whole"]
    assert clock.monotonic() > 0
    assert len(endpoint.requests("GetShardIterator")) == 2


def test_a_trimmed_sequence_number_that_is_refused_leads_to_the_oldest_record(endpoint: Endpoint) -> None:
    endpoint.fails("GetShardIterator", "InvalidArgumentException")
    endpoint.gives(b"x", first=90)
    batch = source_of(endpoint).open(FIRST, after("77")).read(limit_records=10)
    assert [asked["ShardIteratorType"] for asked in endpoint.requests("GetShardIterator")] == ["AT_SEQUENCE_NUMBER", "TRIM_HORIZON"]
    assert batch.overlap is not None
    assert (batch.overlap.expected, batch.overlap.found, batch.count) == ("77", "90", 1)


def test_an_unknown_stream_and_a_forbidden_one_are_told_apart(endpoint: Endpoint) -> None:
    endpoint.fails("DescribeStreamSummary", "ResourceNotFoundException", "Stream s under account 1 not found.")
    with pytest.raises(StreamError, match='stream "s" does not exist') as missing:
        source_of(endpoint).describe()
    assert (missing.value.sqlstate, missing.value.detail) == ("42704", "Stream s under account 1 not found.")
    endpoint.fails("ListShards", "AccessDeniedException", "User: arn:aws:iam::1:user/u is not authorized", status=400)
    with pytest.raises(StreamError, match='permission denied for stream "s"') as denied:
        source_of(endpoint).shards()
    assert denied.value.sqlstate == "42501"
    assert "kinesis:GetRecords" in str(denied.value.hint)


def test_a_role_that_may_not_be_assumed_is_told_as_such_before_the_stream_is_asked(endpoint: Endpoint) -> None:
    endpoint.forbids_role()
    access = Access("us-east-1", ("arn:aws:iam::111111111111:role/other",), endpoint_url=endpoint.url, sts_endpoint_url=endpoint.url)
    source = open_stream("s", access, clock=ManualClock())
    with pytest.raises(StreamError, match='permission denied for stream "s"') as caught:
        source.describe()
    assert (caught.value.sqlstate, caught.value.detail) == ("42501", "Not yours to assume.")
    assert "role" in str(caught.value.hint)
    assert [operation for operation, _ in endpoint.asked] == ["AssumeRole"]


def test_a_deleted_stream_is_missing_although_it_still_answers(endpoint: Endpoint) -> None:
    summary = {"StreamARN": "a", "StreamName": "s", "StreamStatus": "DELETING", "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1}
    endpoint.answers("DescribeStreamSummary", {"StreamDescriptionSummary": summary})
    with pytest.raises(StreamError, match="does not exist"):
        source_of(endpoint).describe()


def test_without_credentials_the_hint_says_where_they_come_from(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StreamError, match="no credentials") as caught:
        source_of(endpoint).describe()
    assert "AWS_PROFILE" in str(caught.value.hint)
    assert endpoint.asked == []


def test_without_a_region_or_with_an_unknown_profile_the_stream_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StreamError, match="AWS is not configured"):
        open_stream("s", Access())
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StreamError, match="AWS is not configured"):
        open_stream("s", Access(region="us-east-1"))


def test_endpoint_variables_are_boto3s_own(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", endpoint.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert open_stream("s", Access(), clock=ManualClock()).describe().retention == timedelta(hours=24)


@pytest.mark.parametrize(
    ("code", "status", "operation", "kind"),
    [
        ("ProvisionedThroughputExceededException", 400, "GetRecords", FailureKind.THROTTLED),
        ("ExpiredIteratorException", 400, "GetRecords", FailureKind.ITERATOR_EXPIRED),
        ("InvalidArgumentException", 400, "GetRecords", FailureKind.ITERATOR_EXPIRED),
        ("InvalidArgumentException", 400, "GetShardIterator", FailureKind.POSITION_REFUSED),
        ("InvalidArgumentException", 400, "ListShards", FailureKind.REFUSED),
        ("AccessDenied", 403, "AssumeRole", FailureKind.DENIED),
        ("502", 502, "GetRecords", FailureKind.UNAVAILABLE),
        ("400", 400, "GetRecords", FailureKind.CUT_OFF),
        ("Whatever", 400, "GetRecords", FailureKind.REFUSED),
    ],
)
def test_error_codes_are_understood(code: str, status: int, operation: str, kind: FailureKind) -> None:
    assert classify_error(code, status, operation) is kind


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"Records":[{"Data":"!!"}]}', json.dumps({"Records": None}).encode()])
def test_a_body_that_is_no_page_counts_as_cut_off(body: bytes) -> None:
    with pytest.raises(CallFailed) as caught:
        decode_page(body, FIRST)
    assert caught.value.kind is FailureKind.CUT_OFF


def test_one_description_serves_for_a_while_and_a_suspicion_ends_that(endpoint: Endpoint) -> None:
    clock = ManualClock()
    source = source_of(endpoint, clock)
    source.describe()
    source.describe()
    assert len(endpoint.requests("DescribeStreamSummary")) == 1
    clock.advance(limits.STREAM_DESCRIPTION_SECONDS)
    source.describe()
    assert len(endpoint.requests("DescribeStreamSummary")) == 2
    another = {"StreamARN": "arn", "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1}
    endpoint.answers("DescribeStreamSummary", {"StreamDescriptionSummary": another})
    with pytest.raises(StreamError, match="deleted and created again"):
        source.open(FIRST, OLDEST).read(limit_records=1)
    source.describe()
    assert len(endpoint.requests("DescribeStreamSummary")) == 4


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_arrival_times_keep_every_millisecond(millis: int) -> None:
    record = {"ApproximateArrivalTimestamp": millis / 1000, "Data": "", "PartitionKey": "k", "SequenceNumber": "1"}
    page = decode_page(json.dumps({"Records": [record]}).encode(), FIRST)
    found = page.records.column("approximate_arrival_timestamp")[0].as_py()
    assert found == datetime(1970, 1, 1) + timedelta(milliseconds=millis)  # noqa: DTZ001


class _EndlessMetrics:
    """CloudWatch that always has another page, each with one value of the first metric."""

    def __init__(self, pages: int) -> None:
        self.pages = pages

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        assert [query["Id"] for query in request["MetricDataQueries"]] == [f"m{index}" for index in range(len(Metric))]
        self.pages -= 1
        at = request["StartTime"] + timedelta(minutes=self.pages)
        results = [{"Id": "m0", "Timestamps": [at], "Values": [2.0]}]
        return {"MetricDataResults": results} | ({"NextToken": "more"} if self.pages else {})


def test_metrics_are_put_together_from_their_pages_oldest_first_within_a_bound() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    span = {"start": start, "end": start + timedelta(hours=1)}
    client: Any = _EndlessMetrics(limits.METRIC_PAGES_MAX)
    found = read_metrics(client, "s", **span, period=timedelta(minutes=1))
    points = found.series[Metric.INCOMING_RECORDS].points
    assert [point.at for point in points] == [start + timedelta(minutes=minute) for minute in range(limits.METRIC_PAGES_MAX)]
    assert found.total(Metric.INCOMING_RECORDS) == 2 * limits.METRIC_PAGES_MAX
    assert found.latest(Metric.ITERATOR_AGE) is None
    client = _EndlessMetrics(limits.METRIC_PAGES_MAX + 1)
    with pytest.raises(CallFailed, match="pages of values"):
        read_metrics(client, "s", **span, period=timedelta(minutes=1))
