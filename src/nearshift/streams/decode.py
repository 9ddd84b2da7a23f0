"""One answer of GetRecords, from its bytes into Arrow columns, without a Python dictionary per record.

msgspec decodes the typed JSON, base64 included, in C; `benchmarks/consumer_decode.py` measures what that saves against boto3's own parser.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa

from nearshift.streams.calls import CallFailed, FailureKind, Page
from nearshift.streams.record import RECORD_SCHEMA, ShardId


class _Record(msgspec.Struct, gc=False):
    ApproximateArrivalTimestamp: float  # seconds since 1970
    Data: bytes
    PartitionKey: str
    SequenceNumber: str


class _Child(msgspec.Struct, gc=False):
    ShardId: str


class _Answer(msgspec.Struct, gc=False):
    Records: list[_Record]
    NextShardIterator: str | None = None
    MillisBehindLatest: int | None = None
    ChildShards: list[_Child] | None = None


_DECODER = msgspec.json.Decoder(_Answer)


def decode_page(body: bytes, shard: ShardId) -> Page:
    """Return the page that the JSON body of a GetRecords answer holds ("GetRecords", Kinesis API reference).

    Raises CallFailed (CUT_OFF) when the body is not such an answer, as when a connection ends within it.
    """
    try:
        answer = _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise CallFailed(FailureKind.CUT_OFF, str(error)) from error
    records = answer.Records
    seconds = np.fromiter((r.ApproximateArrivalTimestamp for r in records), dtype=np.float64, count=len(records))
    micros = np.rint(seconds * 1e6).astype(np.int64)
    columns = [
        pa.array(micros, pa.int64()).cast(pa.timestamp("us")),
        pa.array([r.PartitionKey for r in records], pa.string()),
        pa.array([shard] * len(records), pa.string()),
        pa.array([r.SequenceNumber for r in records], pa.string()),
        pa.array([r.Data for r in records], pa.binary()),
    ]
    return Page(
        records=pa.RecordBatch.from_arrays(columns, schema=RECORD_SCHEMA),
        next_iterator=answer.NextShardIterator,
        millis_behind=answer.MillisBehindLatest or 0,
        children=tuple(ShardId(child.ShardId) for child in answer.ChildShards or ()),
    )
