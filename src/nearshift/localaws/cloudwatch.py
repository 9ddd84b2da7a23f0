"""CloudWatch for the streams: GetMetricData, GetMetricStatistics and ListMetrics of the namespace AWS/Kinesis ("CloudWatch API reference").

Metrics have the one dimension StreamName; without it they are those of all streams of the account and region. Periods of one second and
more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any, TypeVar

import msgspec

from nearshift.localaws.errors import AwsError
from nearshift.localaws.metrics import Metrics, Sample
from nearshift.localaws.service import Decoder, Operation, Request

VERSION = "2010-08-01"
NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"
KINESIS = "AWS/Kinesis"
_STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_QUERIES_MAX = 500
_POINTS_MAX = 1440
_DATA_POINTS_MAX = 100_800
_LISTED_MAX = 500
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


class _Dimension(msgspec.Struct, rename="pascal"):
    name: str
    value: str | None = None


class _Metric(msgspec.Struct, rename="pascal"):
    namespace: str
    metric_name: str
    dimensions: list[_Dimension] = []


class _MetricStat(msgspec.Struct, rename="pascal"):
    metric: _Metric
    period: int
    stat: str


class _Query(msgspec.Struct, rename="pascal"):
    id: str
    metric_stat: _MetricStat | None = None
    expression: str | None = None
    label: str | None = None
    return_data: bool = True


class _GetMetricData(msgspec.Struct, rename="pascal"):
    metric_data_queries: list[_Query]
    start_time: datetime
    end_time: datetime
    scan_by: str = "TimestampDescending"


class _GetMetricStatistics(msgspec.Struct, rename="pascal"):
    namespace: str
    metric_name: str
    start_time: datetime
    end_time: datetime
    period: int
    statistics: list[str] = []
    dimensions: list[_Dimension] = []


class _ListMetrics(msgspec.Struct, rename="pascal"):
    namespace: str | None = None
    metric_name: str | None = None
    dimensions: list[_Dimension] = []
    next_token: int = 0


_Parameters = TypeVar("_Parameters", bound=msgspec.Struct)


def _read_parameters(parameters: Any, kind: type[_Parameters]) -> _Parameters:
    """Return the parameters as a struct. A form brings texts for numbers and times, JSON and CBOR bring seconds since 1970."""
    try:
        return msgspec.convert(parameters, kind, strict=False)
    except msgspec.ValidationError as error:
        raise AwsError("ValidationError", f"The parameters are not valid: {error}") from None


def value_of(statistic: str, sample: Sample) -> float:
    """Return one statistic of a sample."""
    if statistic == "Average":
        return sample.total / sample.count
    values = {"SampleCount": sample.count, "Sum": sample.total, "Minimum": sample.least, "Maximum": sample.greatest}
    return float(values[statistic])


class CloudWatch:
    """CloudWatch over what the streams have counted. A `Service`."""

    target = "GraniteServiceVersion20100801"
    json_version = "1.0"
    error_namespace = "com.amazonaws.cloudwatch#"
    has_crc32 = False
    reads = frozenset(("GetMetricData", "GetMetricStatistics", "ListMetrics"))
    decoders: Mapping[str, Decoder] = {}

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.operations: dict[str, Operation] = {
            "GetMetricData": self._get_metric_data,
            "GetMetricStatistics": self._get_metric_statistics,
            "ListMetrics": self._list_metrics,
        }

    def maintain(self) -> None:
        """Do nothing: whoever counts also forgets."""

    def _list_metrics(self, request: Request, parameters: Any) -> dict[str, Any]:
        wanted = _read_parameters(parameters, _ListMetrics)
        streams = {one.value for one in wanted.dimensions if one.name == "StreamName" and one.value is not None}
        metrics = [
            {"Namespace": KINESIS, "MetricName": metric, "Dimensions": [{"Name": "StreamName", "Value": stream}]}
            for stream, metric in self._metrics.keys(request.account, request.region)
            if wanted.namespace in (None, KINESIS)
            and wanted.metric_name in (None, metric)
            and (not streams or stream in streams)
            and all(one.name == "StreamName" for one in wanted.dimensions)
        ]
        start = max(0, wanted.next_token)
        answer: dict[str, Any] = {"Metrics": metrics[start : start + _LISTED_MAX]}
        if len(metrics) > start + _LISTED_MAX:
            answer["NextToken"] = str(start + _LISTED_MAX)
        return answer

    def _get_metric_statistics(self, request: Request, parameters: Any) -> dict[str, Any]:
        wanted = _read_parameters(parameters, _GetMetricStatistics)
        if not wanted.statistics or any(one not in _STATISTICS for one in wanted.statistics):
            raise AwsError("InvalidParameterValue", f"At least one of the statistics {', '.join(_STATISTICS)} must be given, and no other.")
        start, end = _span(wanted.start_time, wanted.end_time, wanted.period)
        if (end - start) / wanted.period > _POINTS_MAX:
            message = (
                f"You have requested up to {(end - start) // wanted.period} datapoints, which exceeds the limit of {_POINTS_MAX}. You may "
                "reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
            raise AwsError("InvalidParameterCombination", message)
        unit = _unit_of(wanted.metric_name)
        metric = _Metric(wanted.namespace, wanted.metric_name, wanted.dimensions)
        points = [
            {"Timestamp": _instant(at), "Unit": unit, **{name: value_of(name, sample) for name in wanted.statistics}}
            for at, sample in sorted(self._read(request, metric, start, end, wanted.period).items())
        ]
        return {"Label": wanted.metric_name, "Datapoints": points}

    def _get_metric_data(self, request: Request, parameters: Any) -> dict[str, Any]:
        wanted = _read_parameters(parameters, _GetMetricData)
        if len(wanted.metric_data_queries) > _QUERIES_MAX:
            raise AwsError("ValidationError", f"MetricDataQueries has more than {_QUERIES_MAX} members.")
        results = []
        seen: set[str] = set()
        for query in wanted.metric_data_queries:
            if not _ID.fullmatch(query.id) or query.id in seen:
                raise AwsError("ValidationError", f"The Id {query.id!r} is not unique or does not begin with a lower-case letter.")
            seen.add(query.id)
            result = self._query(request, wanted, query)
            if query.return_data:
                results.append({"Id": query.id, **result})
        return {"MetricDataResults": results, "Messages": []}

    def _query(self, request: Request, wanted: _GetMetricData, query: _Query) -> dict[str, Any]:
        stat = query.metric_stat
        if stat is None:
            raise AwsError("ValidationError", "Only queries with a MetricStat are supported here, not expressions.")
        if stat.stat not in _STATISTICS:
            raise AwsError("ValidationError", f"The statistic {stat.stat!r} is not supported here; use one of {', '.join(_STATISTICS)}.")
        start, end = _span(wanted.start_time, wanted.end_time, stat.period)
        if (end - start) / stat.period > _DATA_POINTS_MAX:
            raise AwsError("ValidationError", f"The request would give more than {_DATA_POINTS_MAX} data points.")
        samples = self._read(request, stat.metric, start, end, stat.period)
        times = sorted(samples, reverse=wanted.scan_by != "TimestampAscending")
        return {
            "Label": query.label or stat.metric.metric_name,
            "Timestamps": [_instant(at) for at in times],
            "Values": [value_of(stat.stat, samples[at]) for at in times],
            "StatusCode": "Complete",
        }

    def _read(self, request: Request, metric: _Metric, start: int, end: int, period: int) -> dict[int, Sample]:
        if metric.namespace != KINESIS or any(one.name != "StreamName" for one in metric.dimensions):
            return {}
        stream = (metric.dimensions[0].value or "") if metric.dimensions else ""
        return self._metrics.read((request.account, request.region, stream, metric.metric_name), start, end, period)


def _unit_of(metric: str) -> str:
    if metric.endswith("Bytes"):
        return "Bytes"
    return "Milliseconds" if "Milli" in metric else "Count"


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _span(start_time: datetime, end_time: datetime, period: int) -> tuple[int, int]:
    """Return start and end in seconds since 1970, the start at the beginning of its period."""
    if period < 1 or (period > 60 and period % 60):
        raise AwsError("ValidationError", "The parameter Period must be below 60 seconds or a multiple of 60 seconds.")
    start, end = _seconds(start_time), _seconds(end_time)
    if start >= end:
        raise AwsError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    first = int(start) - int(start) % period
    return first, max(first + 1, ceil(end))


def _seconds(instant: datetime) -> float:
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
