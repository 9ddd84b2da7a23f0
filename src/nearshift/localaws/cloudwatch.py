"""CloudWatch for the streams: GetMetricData, GetMetricStatistics and ListMetrics of the namespace AWS/Kinesis ("CloudWatch API reference").

Metrics have the one dimension StreamName; without it they are those of all streams of the account and region. Periods of one second and
more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

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
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


def value_of(statistic: str, sample: Sample) -> float:
    """Return one statistic of a sample."""
    if statistic == "Average":
        return sample.total / sample.count
    return {"SampleCount": sample.count, "Sum": sample.total, "Minimum": sample.least, "Maximum": sample.greatest}[statistic]


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
        wanted_stream = next((one.get("Value") for one in parameters.get("Dimensions") or [] if one.get("Name") == "StreamName"), None)
        metrics = [
            {"Namespace": KINESIS, "MetricName": metric, "Dimensions": [{"Name": "StreamName", "Value": stream}]}
            for stream, metric in self._metrics.keys(request.account, request.region)
            if parameters.get("Namespace") in (None, KINESIS)
            and parameters.get("MetricName") in (None, metric)
            and wanted_stream in (None, stream)
        ]
        start = _whole(parameters.get("NextToken") or 0, "NextToken")
        answer: dict[str, Any] = {"Metrics": metrics[start : start + 500]}
        if len(metrics) > start + 500:
            answer["NextToken"] = str(start + 500)
        return answer

    def _get_metric_statistics(self, request: Request, parameters: Any) -> dict[str, Any]:
        for name in ("Namespace", "MetricName", "StartTime", "EndTime", "Period"):
            _require(parameters, name)
        statistics = parameters.get("Statistics") or []
        if not statistics or any(one not in _STATISTICS for one in statistics):
            raise AwsError("InvalidParameterValue", f"At least one of the statistics {', '.join(_STATISTICS)} must be given, and no other.")
        metric = {name: parameters.get(name) for name in ("Namespace", "MetricName", "Dimensions")}
        start, end, period = _span(parameters, parameters["Period"])
        if (end - start) / period > _POINTS_MAX:
            message = (
                f"You have requested up to {(end - start) // period} datapoints, which exceeds the limit of {_POINTS_MAX}. You may reduce "
                "the datapoints requested by increasing Period, or decreasing the time range."
            )
            raise AwsError("InvalidParameterCombination", message)
        unit = _unit_of(str(metric["MetricName"]))
        points = [
            {"Timestamp": _instant(at), "Unit": unit, **{name: value_of(name, sample) for name in statistics}}
            for at, sample in sorted(self._read(request, metric, start, end, period).items())
        ]
        return {"Label": metric["MetricName"], "Datapoints": points}

    def _get_metric_data(self, request: Request, parameters: Any) -> dict[str, Any]:
        for name in ("MetricDataQueries", "StartTime", "EndTime"):
            _require(parameters, name)
        queries = parameters["MetricDataQueries"]
        if not isinstance(queries, list) or len(queries) > _QUERIES_MAX:
            raise AwsError("ValidationError", f"MetricDataQueries must be a list of at most {_QUERIES_MAX}.")
        is_ascending = parameters.get("ScanBy") == "TimestampAscending"
        results = []
        seen: set[str] = set()
        for query in queries:
            identifier = str(query.get("Id", ""))
            if not _ID.fullmatch(identifier) or identifier in seen:
                raise AwsError(
                    "ValidationError", f"The value {identifier!r} for Id is not unique or does not begin with a lower-case letter."
                )
            seen.add(identifier)
            if query.get("Expression"):
                raise AwsError("ValidationError", "Expression is not supported here; ask for MetricStat.")
            result = self._query(request, parameters, query, is_ascending=is_ascending)
            if query.get("ReturnData") not in (False, "false"):
                results.append({"Id": identifier, **result})
        return {"MetricDataResults": results, "Messages": []}

    def _query(self, request: Request, parameters: Any, query: Any, *, is_ascending: bool) -> dict[str, Any]:
        wanted = query.get("MetricStat") or {}
        metric = wanted.get("Metric") or {}
        statistic = str(wanted.get("Stat", ""))
        if statistic not in _STATISTICS:
            raise AwsError("ValidationError", f"The statistic {statistic!r} is not supported here; use one of {', '.join(_STATISTICS)}.")
        start, end, period = _span(parameters, wanted.get("Period"))
        if (end - start) / period > _DATA_POINTS_MAX:
            raise AwsError("ValidationError", f"The request would give more than {_DATA_POINTS_MAX} data points.")
        samples = self._read(request, metric, start, end, period)
        times = sorted(samples, reverse=not is_ascending)
        return {
            "Label": query.get("Label") or metric.get("MetricName"),
            "Timestamps": [_instant(at) for at in times],
            "Values": [value_of(statistic, samples[at]) for at in times],
            "StatusCode": "Complete",
        }

    def _read(self, request: Request, metric: Mapping[str, Any], start: int, end: int, period: int) -> dict[int, Sample]:
        if metric.get("Namespace") != KINESIS:
            return {}
        stream = ""
        for dimension in metric.get("Dimensions") or []:
            if dimension.get("Name") != "StreamName":
                return {}
            stream = str(dimension.get("Value"))
        return self._metrics.read((request.account, request.region, stream, str(metric.get("MetricName"))), start, end, period)


def _unit_of(metric: str) -> str:
    if metric.endswith("Bytes"):
        return "Bytes"
    return "Milliseconds" if "Milli" in metric else "Count"


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _require(parameters: Any, name: str) -> None:
    if not isinstance(parameters, dict) or parameters.get(name) is None:
        raise AwsError("MissingParameter", f"The parameter {name} is required.")


def _span(parameters: Any, period_text: Any) -> tuple[int, int, int]:
    """Return start and end in seconds since 1970, the start at the beginning of its period, and the period."""
    period = _whole(period_text, "Period")
    if period < 1 or (period > 60 and period % 60):
        raise AwsError(
            "ValidationError", "The parameter Period must be 1, 5, 10, 30 or a multiple of 60 seconds; any below 60 is taken here."
        )
    start, end = _seconds(parameters["StartTime"], "StartTime"), _seconds(parameters["EndTime"], "EndTime")
    if start >= end:
        raise AwsError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    first = int(start) - int(start) % period
    return first, max(first + 1, int(-(-end // 1))), period


def _whole(text: Any, name: str) -> int:
    try:
        return int(text)
    except (TypeError, ValueError):
        raise AwsError("ValidationError", f"The parameter {name} must be a whole number.") from None


def _seconds(value: Any, name: str) -> float:
    """Return seconds since 1970 of a time in JSON or CBOR (a number) or in a form (ISO 8601)."""
    if isinstance(value, int | float):
        return float(value)
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        raise AwsError("ValidationError", f"The parameter {name} must be a time.") from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
