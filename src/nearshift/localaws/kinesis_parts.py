"""What the groups of Kinesis operations share: the parts of the service, and the members that many requests have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nearshift.localaws.clock import Clock
from nearshift.localaws.constraints import Kind, Member
from nearshift.localaws.faults import Faults
from nearshift.localaws.kinesis_catalog import Catalog
from nearshift.localaws.kinesis_records import RecordLog
from nearshift.localaws.metrics import Metrics
from nearshift.localaws.service import Request
from nearshift.localaws.shards import Stream
from nearshift.localaws.throughput import Throughput


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that Kinesis is made of."""

    clock: Clock
    catalog: Catalog
    records: RecordLog
    faults: Faults
    metrics: Metrics
    throughput: Throughput

    def note(self, stream: Stream, values: Mapping[str, float]) -> None:
        """Give values of a stream to the metrics."""
        self.metrics.add(self.clock.now_ms(), stream.account, stream.region, stream.name, values)


Answer = dict[str, Any]
Run = Callable[[Parts, Request, dict[str, Any]], "Answer | bytes"]
# The operations of one module: the members that are checked, and the function to call then.
OperationTable = Mapping[str, tuple[Mapping[str, Member], Run]]

_NAME_PATTERN = "[a-zA-Z0-9_.-]+"

STREAM_NAME = Member(Kind.STRING, minimum=1, maximum=128, pattern=_NAME_PATTERN)
STREAM_ARN = Member(Kind.STRING, minimum=1, maximum=2048, pattern=r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+")
CONSUMER_ARN = Member(
    Kind.STRING,
    minimum=1,
    maximum=2048,
    pattern=r"^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+",
)
CONSUMER_NAME = Member(Kind.STRING, minimum=1, maximum=128, pattern=_NAME_PATTERN)
SHARD_ID = Member(Kind.STRING, minimum=1, maximum=128, pattern=_NAME_PATTERN)
REQUIRED_SHARD_ID = Member(Kind.STRING, is_required=True, minimum=1, maximum=128, pattern=_NAME_PATTERN)
HASH_KEY = Member(Kind.STRING, pattern=r"0|([1-9]\d{0,38})")
SEQUENCE_NUMBER = Member(Kind.STRING, pattern=r"0|([1-9]\d{0,128})")
NEXT_TOKEN = Member(Kind.STRING, minimum=1, maximum=1_048_576)
TIMESTAMP = Member(Kind.TIMESTAMP)
TAGS = Member(Kind.MAP, minimum=1, maximum=200, element=Member(Kind.STRING, maximum=256))
REQUIRED_TAGS = Member(Kind.MAP, is_required=True, minimum=1, maximum=200, element=Member(Kind.STRING, maximum=256))
ITERATOR_TYPES = ("AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON")

EITHER_STREAM = {"StreamName": STREAM_NAME, "StreamARN": STREAM_ARN}


def milliseconds_of(timestamp: Any) -> int:
    """Return milliseconds since 1970 of a timestamp in a request: seconds in JSON, a datetime or milliseconds in CBOR."""
    if isinstance(timestamp, datetime):
        return round(timestamp.timestamp() * 1000)
    return round(float(timestamp) * 1000)
