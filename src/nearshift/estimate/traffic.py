"""What came through the streams: records, bytes and the busiest minute, from the scans that the warehouse keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from nearshift.errors import ConfigurationError

_MINUTE: Final = timedelta(minutes=1)
_SPREAD_MINUTES_MAX: Final = 7 * 24 * 60
# By the minutes of arrival: a record that waited for days was not read in the minute in which it came.
_SCANS: Final = """SELECT stream_name, mv_name, date_trunc('minute', stream_record_time_min) AS first_minute,
  date_trunc('minute', stream_record_time_max) AS last_minute, sum(scanned_rows), sum(scanned_bytes),
  min(stream_record_time_min), max(stream_record_time_max)
FROM sys_stream_scan_states WHERE scanned_rows > 0 AND stream_record_time_min IS NOT NULL GROUP BY 1, 2, 3, 4"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """One stream's. Averages are over the time from its first to its last record; the peak is the busiest minute, by arrival."""

    stream: str
    records: int
    bytes: int
    seconds: float
    peak_records_per_second: float
    peak_bytes_per_second: float

    @property
    def records_per_second(self) -> float:
        """The average."""
        return self.records / self.seconds

    @property
    def bytes_per_second(self) -> float:
        """The average."""
        return self.bytes / self.seconds

    @property
    def record_bytes(self) -> float:
        """The size of a record."""
        return self.bytes / self.records if self.records else 0.0


def read_traffic(run: Callable[[str], Any]) -> list[Traffic]:
    """Return each stream's traffic, by name. A stream that several views read counts once. `run` runs a query and returns an answer."""
    by_view: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for stream, view, *rest in run(_SCANS).rows:
        by_view[str(stream).strip(), str(view).strip()].append(tuple(rest))
    fullest: dict[str, Traffic] = {}
    for (stream, _), rows in sorted(by_view.items()):
        found = _traffic(stream, rows)
        if stream not in fullest or found.records > fullest[stream].records:
            fullest[stream] = found
    return list(fullest.values())


def _traffic(stream: str, rows: list[tuple[Any, ...]]) -> Traffic:
    records: dict[datetime, float] = defaultdict(float)
    sizes: dict[datetime, float] = defaultdict(float)
    for first, last, count, size, _, _ in rows:
        minutes = min(int((last - first) / _MINUTE) + 1, _SPREAD_MINUTES_MAX)
        for minute in range(minutes):
            records[first + minute * _MINUTE] += int(count) / minutes
            sizes[first + minute * _MINUTE] += int(size) / minutes
    total, size = sum(int(row[2]) for row in rows), sum(int(row[3]) for row in rows)
    seconds = max(1.0, (max(row[5] for row in rows) - min(row[4] for row in rows)).total_seconds())
    minute_seconds = min(60.0, seconds)
    peak = max(max(records.values()) / minute_seconds, total / seconds)
    return Traffic(stream, total, size, seconds, peak, max(max(sizes.values()) / minute_seconds, size / seconds))


def scaled(traffic: list[Traffic], records_per_second: float | None, record_bytes: int | None, stream: str) -> list[Traffic]:
    """Return the traffic with another rate, another record size, or both; what is not given stays as it was seen.

    The busiest minute keeps its ratio to the average. Raises ConfigurationError when nothing was seen and not both are given.
    """
    if not traffic:
        if records_per_second is None or record_bytes is None:
            hint = "Let the pipeline run (nearshift serve), or give both --records-per-second and --record-bytes."
            raise ConfigurationError("the warehouse has read no records yet", hint=hint)
        rate = records_per_second
        return [Traffic(stream, round(rate * 86_400), round(rate * 86_400) * record_bytes, 86_400.0, rate, rate * record_bytes)]
    total = sum(one.records_per_second for one in traffic)
    found = []
    for one in traffic:
        factor = 1.0 if records_per_second is None or not total else records_per_second / total
        size = one.record_bytes if record_bytes is None else float(record_bytes)
        records = round(one.records * factor)
        peak = one.peak_records_per_second * factor
        ratio = one.peak_bytes_per_second / (one.peak_records_per_second * one.record_bytes) if one.bytes else 1.0
        found.append(Traffic(one.stream, records, round(records * size), one.seconds, peak, peak * size * ratio))
    return found
