"""What CloudWatch says about a stream: written, read, refused, and how old the oldest unread record is.

The names and units are those of "Monitoring the Amazon Kinesis Data Streams service with Amazon CloudWatch", stream-level metrics. AWS
keeps them per minute, so a shorter period finds nothing there; the local stand-in has them per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from nearshift import limits
from nearshift.streams.calls import CallFailed, FailureKind

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.literals import StatisticType
    from mypy_boto3_cloudwatch.type_defs import GetMetricDataInputTypeDef, MetricDataQueryTypeDef


class Metric(Enum):
    """A metric by its CloudWatch name."""

    INCOMING_RECORDS = "IncomingRecords"
    INCOMING_BYTES = "IncomingBytes"
    PUT_RECORD_SUCCESS = "PutRecord.Success"
    PUT_RECORDS_SUCCESSFUL = "PutRecords.SuccessfulRecords"
    PUT_RECORDS_FAILED = "PutRecords.FailedRecords"
    PUT_RECORDS_THROTTLED = "PutRecords.ThrottledRecords"
    GET_RECORDS = "GetRecords.Records"
    GET_RECORDS_BYTES = "GetRecords.Bytes"
    GET_RECORDS_SUCCESS = "GetRecords.Success"
    ITERATOR_AGE = "GetRecords.IteratorAgeMilliseconds"
    READ_THROTTLED = "ReadProvisionedThroughputExceeded"
    WRITE_THROTTLED = "WriteProvisionedThroughputExceeded"


# Most metrics are counted up over a period; a share of successes is averaged, an age is worst at its greatest.
_STATISTICS: Mapping[Metric, StatisticType] = {
    Metric.PUT_RECORD_SUCCESS: "Average",
    Metric.GET_RECORDS_SUCCESS: "Average",
    Metric.ITERATOR_AGE: "Maximum",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One value: for the period that begins at `at` (aware, UTC)."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one stream over time, oldest first; periods without a value are absent. Bytes, counts, shares of 1 or milliseconds."""

    metric: Metric
    statistic: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class StreamMetrics:
    """All metrics of one stream for one span."""

    stream: str
    period: timedelta
    series: Mapping[Metric, Series]

    def latest(self, metric: Metric) -> Point | None:
        """Return the newest point of a metric, or None when there is none."""
        points = self.series[metric].points
        return points[-1] if points else None

    def total(self, metric: Metric) -> float:
        """Return the sum of a metric's points: meaningful for what is counted."""
        return sum(point.value for point in self.series[metric].points)


def read_metrics(client: CloudWatchClient, stream: str, *, start: datetime, end: datetime, period: timedelta) -> StreamMetrics:
    """Return every metric of the stream in [start, end), both aware, by GetMetricData (one call for all, and its further pages).

    Raises CallFailed when the answer never ends; botocore's exceptions come through. `kinesis.stream_metrics` makes the client and turns
    all of them into StreamError.
    """
    found: dict[str, list[Point]] = {}
    request: GetMetricDataInputTypeDef = {
        "MetricDataQueries": [_query(stream, index, metric, period) for index, metric in enumerate(Metric)],
        "StartTime": start,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }
    for _ in range(limits.METRIC_PAGES_MAX):
        answer = client.get_metric_data(**request)
        for result in answer["MetricDataResults"]:
            pairs = zip(result["Timestamps"], result["Values"], strict=True)
            found.setdefault(result["Id"], []).extend(Point(at, value) for at, value in pairs)
        if not answer.get("NextToken"):
            break
        request["NextToken"] = answer["NextToken"]
    else:
        raise CallFailed(FailureKind.REFUSED, f"it has more than {limits.METRIC_PAGES_MAX} pages of values for this span")
    series = {
        metric: Series(metric, _STATISTICS.get(metric, "Sum"), tuple(sorted(found.get(f"m{index}", []), key=lambda point: point.at)))
        for index, metric in enumerate(Metric)
    }
    return StreamMetrics(stream, period, series)


def _query(stream: str, index: int, metric: Metric, period: timedelta) -> MetricDataQueryTypeDef:
    return {
        "Id": f"m{index}",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/Kinesis",
                "MetricName": metric.value,
                "Dimensions": [{"Name": "StreamName", "Value": stream}],
            },
            "Period": int(period.total_seconds()),
            "Stat": _STATISTICS.get(metric, "Sum"),
        },
    }
