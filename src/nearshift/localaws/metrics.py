"""What CloudWatch would know of the streams: sums per second, in memory, for one hour; per minute for three days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SECONDS_KEPT = 3600
MINUTES_KEPT = 3 * 24 * 60

Key = tuple[str, str, str, str]  # account, region, stream, metric


@dataclass(slots=True)
class Sample:
    """Count, sum, least and greatest of the values of one metric in one span of time."""

    count: float
    total: float
    least: float
    greatest: float

    def add(self, other: Sample) -> None:
        """Fold another span into this one."""
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)


class Metrics:
    """Samples by second and by minute. Nothing is kept over a restart."""

    def __init__(self) -> None:
        self._seconds: dict[int, dict[Key, Sample]] = {}
        self._minutes: dict[int, dict[Key, Sample]] = {}
        self._keys: dict[Key, int] = {}  # when each was last seen for the first time in a second
        self._shared: dict[Key, Key] = {}  # one object for each key, however many spans have it

    def add(self, now_ms: int, account: str, region: str, stream: str, values: Mapping[str, float]) -> None:
        """Note one value for each of the named metrics of a stream."""
        second = now_ms // 1000
        keys = [(account, region, stream, metric) for metric in values]
        for table, start in ((self._seconds, second), (self._minutes, second - second % 60)):
            samples = table.setdefault(start, {})
            for key, value in zip(keys, values.values(), strict=True):
                sample = samples.get(key)
                if sample is None:
                    samples[self._shared.setdefault(key, key)] = Sample(1, value, value, value)
                    self._keys[key] = second
                else:
                    sample.count += 1
                    sample.total += value
                    sample.least = min(sample.least, value)
                    sample.greatest = max(sample.greatest, value)

    def forget(self, now_ms: int) -> None:
        """Drop what is too old, and the metrics that nobody has fed for as long."""
        second = now_ms // 1000
        for table, kept_seconds in ((self._seconds, SECONDS_KEPT), (self._minutes, MINUTES_KEPT * 60)):
            for start in [start for start in table if start < second - kept_seconds]:
                del table[start]
        for key in [key for key, seen in self._keys.items() if seen < second - MINUTES_KEPT * 60]:
            del self._keys[key], self._shared[key]

    def keys(self, account: str, region: str) -> list[tuple[str, str]]:
        """Return stream and metric of everything known in one account and region, sorted."""
        return sorted((stream, metric) for owner, place, stream, metric in self._keys if (owner, place) == (account, region))

    def read(self, key: Key, start: int, end: int, period: int) -> dict[int, Sample]:
        """Return samples by the second at which their period begins, for the periods that begin in [start, end), in seconds since 1970.

        A key with an empty stream means all streams together. Periods are aligned to multiples of `period`, as those of CloudWatch are;
        spans that lie wholly before the seconds that are kept come from the minutes.
        """
        oldest_second = min(self._seconds, default=end)
        table = self._seconds if period % 60 or start >= oldest_second else self._minutes
        answer: dict[int, Sample] = {}
        for at in sorted(table):
            period_start = at - at % period
            if not start <= period_start < end:
                continue
            for found, sample in table[at].items():
                if found == key or (not key[2] and (found[0], found[1], found[3]) == (key[0], key[1], key[3])):
                    present = answer.get(period_start)
                    if present is None:
                        answer[period_start] = Sample(sample.count, sample.total, sample.least, sample.greatest)
                    else:
                        present.add(sample)
        return answer
