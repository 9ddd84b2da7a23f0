"""Traffic and schedules into shards, storage and money. All amounts are per day; a month has 30 days."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from nearshift.estimate.prices import Prices
from nearshift.estimate.traffic import Traffic

MONTH_DAYS: Final = 30
_DAY_SECONDS: Final = 86_400
_GB: Final = 1_000_000_000
# "Quotas and limits" of Kinesis Data Streams: what a shard takes.
_SHARD_BYTES: Final = 1 << 20
_SHARD_RECORDS: Final = 1_000
_PUT_UNIT_BYTES: Final = 25_600
_RUN_SECONDS_MIN: Final = 60  # Serverless bills at least so much after it was idle ("Billing for Amazon Redshift Serverless")
_RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS: Final = {"minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: so many units at a price each. `choice` groups lines of which one gets only one set."""

    item: str
    quantity: float
    unit: str
    price: float
    page: str
    choice: str | None = None

    @property
    def per_day(self) -> float:
        """What it costs in a day."""
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Estimate:
    """All of it."""

    traffic: tuple[Traffic, ...]
    shards: dict[str, int]
    records_per_day: float
    stored_gb_per_day: float
    busy_hours_per_day: float
    lines: tuple[Line, ...]

    def per_day(self, choices: frozenset[str]) -> float:
        """Return the sum of what is common and of the chosen sets."""
        return sum(line.per_day for line in self.lines if line.choice is None or line.choice in choices)


def shards_for(traffic: Traffic) -> int:
    """Return how many shards take the busiest minute; keys that crowd in one shard need more."""
    return max(1, math.ceil(traffic.peak_bytes_per_second / _SHARD_BYTES), math.ceil(traffic.peak_records_per_second / _SHARD_RECORDS))


def busy_hours(expressions: list[str], *, is_streaming: bool) -> tuple[float, float]:
    """Return for how many hours a day the schedules keep Serverless busy, and how often they start something.

    Schedules that start together are counted as one; `cron` counts as once a day. A view with AUTO REFRESH YES over a stream keeps it busy
    whenever records come.
    """
    runs = []
    for expression in expressions:
        rate = _RATE.fullmatch(expression)
        runs.append(_DAY_SECONDS / (int(rate[1]) * _SECONDS[rate[2]]) if rate else 1.0)
    hours = 24.0 if is_streaming else min(24.0, max(runs, default=0.0) * _RUN_SECONDS_MIN / 3_600)
    return hours, sum(runs)


def estimate(traffic: list[Traffic], expressions: list[str], prices: Prices, *, retention_hours: int, is_streaming: bool) -> Estimate:
    """Return the estimate for one day of such traffic."""
    shards = {one.stream: shards_for(one) for one in traffic}
    records = sum(one.records_per_second for one in traffic) * _DAY_SECONDS
    rounded_gb = put_units = capture_units = read_gb = 0.0
    for one in traffic:
        each, daily = one.record_bytes, one.records_per_second * _DAY_SECONDS
        rounded_gb += daily * math.ceil(each / 1024) * 1024 / _GB
        put_units += daily * max(1, math.ceil(each / _PUT_UNIT_BYTES))
        capture_units += daily * max(1, math.ceil(each / 1024))
        read_gb += daily * each / _GB
    hours, invocations = busy_hours(expressions, is_streaming=is_streaming)
    stored = read_gb * prices.redshift.compression
    kinesis, redshift = prices.kinesis, prices.redshift
    count = sum(shards.values())
    lines = [
        Line("Kinesis provisioned: shards", count * 24, "shard hours", kinesis.shard_hour, kinesis.page, "provisioned"),
        Line(
            "Kinesis provisioned: writes", put_units / 1e6, "million units of 25 KB", kinesis.million_put_units, kinesis.page, "provisioned"
        ),
    ]
    if retention_hours > 24:
        price = kinesis.extended_shard_hour
        lines.append(Line("Kinesis provisioned: retention above a day", count * 24, "shard hours", price, kinesis.page, "provisioned"))
    lines += [
        Line("Kinesis on demand: streams", len(traffic) * 24, "stream hours", kinesis.on_demand_stream_hour, kinesis.page, "on-demand"),
        Line("Kinesis on demand: in", rounded_gb, "GB", kinesis.on_demand_gb_in, kinesis.page, "on-demand"),
        Line("Kinesis on demand: out", rounded_gb, "GB", kinesis.on_demand_gb_out, kinesis.page, "on-demand"),
        Line(
            "DynamoDB: capture", capture_units / 1e6, "million units of 1 KB", prices.dynamodb.million_capture_units, prices.dynamodb.page
        ),
        Line("Redshift Serverless", hours * redshift.base_rpu, "RPU hours", redshift.rpu_hour, redshift.page, "serverless"),
        Line("Redshift cluster", 24.0 * redshift.nodes, "node hours", redshift.node_hour, redshift.page, "cluster"),
        Line("Redshift storage, per day kept", stored, "GB", redshift.managed_gb_month / MONTH_DAYS, redshift.page),
        Line(
            "EventBridge Scheduler", invocations / 1e6, "million invocations", prices.scheduler.million_invocations, prices.scheduler.page
        ),
    ]
    return Estimate(tuple(traffic), shards, records, stored, hours, tuple(lines))
