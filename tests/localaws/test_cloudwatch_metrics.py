"""CloudWatch over the streams: by boto3 as it is, and by the two other protocols that its clients may choose."""

from __future__ import annotations

import itertools
import re
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import cbor2
import pytest
from botocore.exceptions import ClientError

from nearshift.localaws.metrics import SECONDS_KEPT, Metrics

if TYPE_CHECKING:
    from tests.localaws.conftest import LocalServer

_names = itertools.count()


@pytest.fixture
def stream(kinesis: Any, local_server: LocalServer) -> str:
    """A stream into which three records of eleven bytes have been put, at a stopped clock 20 seconds into a minute, and read once."""
    local_server.admin("clock", stop=True)
    local_server.admin("clock", set=1_800_000_020)
    name = f"metrics-{next(_names)}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.put_record(StreamName=name, Data=b"0123456789", PartitionKey="k")
    local_server.admin("clock", advance=1)
    kinesis.put_records(StreamName=name, Records=[{"Data": b"0123456789", "PartitionKey": "k"}] * 2)
    iterator = kinesis.get_shard_iterator(StreamName=name, ShardId="0", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    local_server.admin("clock", advance=1)
    kinesis.get_records(ShardIterator=iterator, Limit=1)
    return name


def ask(client: Any, stream: str, metric: str, statistic: str = "Sum", period: int = 1) -> dict[int, float]:
    dimensions = [{"Name": "StreamName", "Value": stream}]
    answer = client.get_metric_data(
        MetricDataQueries=[
            {
                "Id": "a",
                "MetricStat": {
                    "Metric": {"Namespace": "AWS/Kinesis", "MetricName": metric, "Dimensions": dimensions},
                    "Period": period,
                    "Stat": statistic,
                },
            }
        ],
        StartTime=datetime.fromtimestamp(1_800_000_000, UTC),
        EndTime=datetime.fromtimestamp(1_800_000_060, UTC),
        ScanBy="TimestampAscending",
    )
    (result,) = answer["MetricDataResults"]
    assert result["StatusCode"] == "Complete"
    return {int(at.timestamp()) - 1_800_000_000: value for at, value in zip(result["Timestamps"], result["Values"], strict=True)}


def test_what_came_in_is_counted_by_the_second(local_server: LocalServer, stream: str) -> None:
    client = local_server.client("cloudwatch")
    assert ask(client, stream, "IncomingRecords") == {20: 1, 21: 2}
    assert ask(client, stream, "IncomingBytes") == {20: 11, 21: 22}
    assert ask(client, stream, "PutRecord.Success") == {20: 1}
    assert ask(client, stream, "PutRecords.SuccessfulRecords") == {21: 2}
    assert ask(client, stream, "IncomingRecords", period=60) == {0: 3}
    assert ask(client, stream, "IncomingRecords", "Average", 60) == {0: 1.5}
    assert ask(client, stream, "IncomingRecords", "Maximum", 60) == {0: 2}


def test_what_went_out_and_how_old_it_was(local_server: LocalServer, stream: str) -> None:
    client = local_server.client("cloudwatch")
    assert ask(client, stream, "GetRecords.Records") == {22: 1}
    assert ask(client, stream, "GetRecords.IteratorAgeMilliseconds", "Maximum") == {22: 1000}
    assert ask(client, stream, "NoSuchMetric") == {}


def test_throttled_calls_are_counted(local_server: LocalServer, kinesis: Any, stream: str) -> None:
    local_server.admin("limits", enforce=True)
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    refused = 0
    for _ in range(8):
        try:
            kinesis.get_records(ShardIterator=iterator, Limit=1)
        except kinesis.exceptions.ProvisionedThroughputExceededException:
            refused += 1
    assert refused > 0
    assert ask(local_server.client("cloudwatch"), stream, "ReadProvisionedThroughputExceeded") == {22: refused}


def test_statistics_come_as_data_points(local_server: LocalServer, stream: str) -> None:
    answer = local_server.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Kinesis",
        MetricName="IncomingBytes",
        Dimensions=[{"Name": "StreamName", "Value": stream}],
        StartTime=datetime.fromtimestamp(1_800_000_000, UTC),
        EndTime=datetime.fromtimestamp(1_800_000_000, UTC) + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum", "SampleCount"],
    )
    (point,) = answer["Datapoints"]
    assert (point["Sum"], point["SampleCount"], point["Unit"]) == (33, 2, "Bytes")


def test_metrics_are_listed_for_their_account(local_server: LocalServer, stream: str) -> None:
    dimensions = [{"Name": "StreamName", "Value": stream}]
    found = local_server.client("cloudwatch").list_metrics(Namespace="AWS/Kinesis", Dimensions=dimensions)["Metrics"]
    assert {"IncomingRecords", "PutRecord.Success", "GetRecords.Bytes"} <= {metric["MetricName"] for metric in found}
    other = local_server.client("cloudwatch", access_key="999999999999")
    assert other.list_metrics(Namespace="AWS/Kinesis")["Metrics"] == []


def test_a_percentile_is_refused(local_server: LocalServer, stream: str) -> None:
    with pytest.raises(ClientError, match="not supported here"):
        ask(local_server.client("cloudwatch"), stream, "IncomingBytes", "p99")


def test_smithy_rpc_clients_get_cbor(local_server: LocalServer, stream: str) -> None:
    parameters = {
        "Namespace": "AWS/Kinesis",
        "MetricName": "IncomingRecords",
        "Dimensions": [{"Name": "StreamName", "Value": stream}],
        "StartTime": cbor2.CBORTag(1, 1_800_000_000),
        "EndTime": cbor2.CBORTag(1, 1_800_000_060.0),
        "Period": 60,
        "Statistics": ["Sum"],
    }
    request = urllib.request.Request(
        f"{local_server.endpoint}/service/GraniteServiceVersion20100801/operation/GetMetricStatistics",
        cbor2.dumps(parameters),
        {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["smithy-protocol"] == "rpc-v2-cbor"
        (point,) = cbor2.loads(answer.read())["Datapoints"]
    assert point == {"Timestamp": datetime.fromtimestamp(1_800_000_000, UTC), "Unit": "Count", "Sum": 3}


def test_query_clients_get_xml(local_server: LocalServer, stream: str) -> None:
    form = {
        "Action": "GetMetricData",
        "Version": "2010-08-01",
        "StartTime": "2027-01-15T08:00:00Z",
        "EndTime": "2027-01-15T08:01:00Z",
        "MetricDataQueries.member.1.Id": "a",
        "MetricDataQueries.member.1.MetricStat.Metric.Namespace": "AWS/Kinesis",
        "MetricDataQueries.member.1.MetricStat.Metric.MetricName": "IncomingBytes",
        "MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name": "StreamName",
        "MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value": stream,
        "MetricDataQueries.member.1.MetricStat.Period": "60",
        "MetricDataQueries.member.1.MetricStat.Stat": "Sum",
    }
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(urllib.request.Request(local_server.endpoint, body), timeout=10) as answer:
        text = answer.read().decode()
    assert re.search(r"<Timestamps><member>2027-01-15T08:00:00Z</member></Timestamps><Values><member>33(\.0)?</member></Values>", text)


def test_old_seconds_are_forgotten_and_minutes_stay() -> None:
    metrics = Metrics()
    key = ("1", "r", "s", "m")
    for second in (0, 59, 61):
        metrics.add(second * 1000, "1", "r", "s", {"m": 1})
    metrics.forget((SECONDS_KEPT + 62) * 1000)
    assert {at: sample.total for at, sample in metrics.read(key, 0, 600, 60).items()} == {0: 2, 60: 1}
    assert metrics.read(key, 0, 600, 1) == {}
    metrics.forget(10_000_000_000)
    assert metrics.keys("1", "r") == []
