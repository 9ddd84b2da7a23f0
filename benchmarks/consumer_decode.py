"""How many megabytes of payload per CPU second come out of GetRecords as Arrow: through boto3's own parser, and through nearshift's hook.

A server in another process gives the same answer of 10,000 change records again and again, so that only the consumer's CPU is counted.
Prints one JSON object. Usage: python benchmarks/consumer_decode.py [--pages N]
"""

from __future__ import annotations

import argparse
import base64
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import boto3
import pyarrow as pa

from nearshift.clock import ManualClock
from nearshift.streams.kinesis import Access, open_stream
from nearshift.streams.record import OLDEST, ShardId

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

RECORDS = 10_000
SUMMARY = {"StreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/s", "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24}


def change(index: int) -> bytes:
    """Return a change record of about 970 bytes, as DynamoDB writes it."""
    image = {
        "PK": {"S": f"CUSTOMER#{index % 997}"},
        "SK": {"S": f"TRANSACTION#{index}"},
        "CustomerName": {"S": f"Customer number {index % 997}"},
        "Amount": {"N": f"{index % 5000}.{index % 100:02}"},
        "Status": {"S": "PAID" if index % 3 else "SUBMITTED"},
        "Note": {"S": "x" * 180},
    }
    body = {
        "awsRegion": "us-east-1",
        "eventID": f"0f1e2d3c-4b5a-6978-8796-{index:012}",
        "eventName": "MODIFY",
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": "transactions",
        "dynamodb": {
            "ApproximateCreationDateTime": 1657294923614221 + index,
            "ApproximateCreationDateTimePrecision": "MICROSECOND",
            "Keys": {"PK": image["PK"], "SK": image["SK"]},
            "NewImage": image,
            "OldImage": {name: image[name] for name in ("PK", "SK", "Amount", "Status")},
            "SizeBytes": 420,
        },
        "eventSource": "aws:dynamodb",
    }
    return json.dumps(body, separators=(",", ":")).encode()


def answer(first: int) -> tuple[bytes, int]:
    """Return the JSON of a page whose sequence numbers begin at `first`, and the bytes of payload in it."""
    payloads = [change(index) for index in range(RECORDS)]
    records = [
        {
            "SequenceNumber": str(49 * 10**54 + first + index),
            "ApproximateArrivalTimestamp": 1657294923.614 + index / 1000,
            "Data": base64.b64encode(payload).decode(),
            "PartitionKey": f"{index * 2654435761 % 2**32:032X}",
        }
        for index, payload in enumerate(payloads)
    ]
    page = {"Records": records, "NextShardIterator": "A" * 224, "MillisBehindLatest": 60_000}
    return json.dumps(page, separators=(",", ":")).encode(), sum(map(len, payloads))


def serve(pipe: Connection) -> None:
    """Answer on a free port until killed; tell the port and the payload bytes through the pipe."""
    body, payload_bytes = answer(0)
    fixed = {
        "DescribeStreamSummary": json.dumps({"StreamDescriptionSummary": SUMMARY | {"StreamCreationTimestamp": 1}}).encode(),
        "GetShardIterator": json.dumps({"ShardIterator": "A" * 224}).encode(),
        "GetRecords": body,
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            found = fixed[self.headers["X-Amz-Target"].rpartition(".")[2]]
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    pipe.send((server.server_port, payload_bytes))
    server.serve_forever()


def measure(pages: int, read: Callable[[], int]) -> float:
    """Return the CPU seconds of one page, the first not counted."""
    assert read() == RECORDS
    before = time.process_time()
    for _ in range(pages):
        read()
    return (time.process_time() - before) / pages


def plain(url: str) -> Callable[[], int]:
    """Return a reader through boto3's parser."""
    client = boto3.client("kinesis", endpoint_url=url, region_name="us-east-1")

    def read() -> int:
        records = client.get_records(ShardIterator="A" * 224)["Records"]
        table = pa.table(
            {
                "approximate_arrival_timestamp": pa.array([r["ApproximateArrivalTimestamp"] for r in records]),
                "partition_key": pa.array([r["PartitionKey"] for r in records]),
                "sequence_number": pa.array([r["SequenceNumber"] for r in records]),
                "kinesis_data": pa.array([r["Data"] for r in records], pa.binary()),
            }
        )
        return int(table.num_rows)

    return read


def ours(url: str) -> Callable[[], int]:
    """Return a reader through nearshift, opened anew for each page since the server repeats itself."""
    source = open_stream("s", Access("us-east-1", endpoint_url=url), clock=ManualClock())

    def read() -> int:
        return source.open(ShardId("shardId-000000000000"), OLDEST).read(limit_records=RECORDS).count

    return read


def main() -> None:
    """Measure both and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=8)
    pages = parser.parse_args().pages
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        port, payload_bytes = here.recv()
        url = f"http://127.0.0.1:{port}"
        megabytes = payload_bytes / 1e6
        rates = {name: megabytes / measure(pages, make(url)) for name, make in (("boto3", plain), ("nearshift", ours))}
    finally:
        server.terminate()
        server.join()
    result = {"payload_mb_per_page": round(megabytes, 2)} | {f"{name}_mb_per_cpu_second": round(rate, 1) for name, rate in rates.items()}
    print(json.dumps(result | {"ratio": round(rates["nearshift"] / rates["boto3"], 2)}))


if __name__ == "__main__":
    main()
