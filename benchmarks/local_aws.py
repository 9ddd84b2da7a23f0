"""How fast is the local DynamoDB and Kinesis, beside moto in the same run? JSON on stdout, less than a minute by default.

`raw` sends requests made beforehand over one kept connection: the server's own speed. `boto3` is what a program gets. Both servers are
processes of their own on this machine, measured one after the other; `cpu` divides by the server's processor time instead of the clock.

    python benchmarks/local_aws.py [--seconds 3] [--only nearshift|moto]
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

RECORD_BYTES = 967
RECORDS_PER_CALL = 500
SHARDS = 4
_AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A server process and ways to call it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def call(self, target: str, body: bytes) -> bytes:
        """Send one request and return the body of the answer."""
        service = "kinesis" if target.startswith("Kinesis") else "dynamodb"
        headers = {
            "X-Amz-Target": target,
            "Content-Type": f"application/x-amz-json-1.{1 if service == 'kinesis' else 0}",
            "Authorization": _AUTHORIZATION.format(service),
        }
        self._connection.request("POST", "/", body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            message = f"{target} was answered with {answer.status}: {content[:300]!r}"
            raise RuntimeError(message)
        return content

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )


@contextmanager
def nearshift_server() -> Iterator[Server]:
    """Start `python -m nearshift.localaws` on a fresh directory."""
    source = Path(__file__).resolve().parents[1] / "src"
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "nearshift.localaws", "--dir", directory, "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(source)})
        try:
            assert process.stdout is not None
            yield Server(process, int(process.stdout.readline().rpartition(":")[2]))
        finally:
            process.terminate()
            process.wait(timeout=20)


@contextmanager
def moto_server() -> Iterator[Server]:
    """Start moto's server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait(timeout=20)


def measure(server: Server, seconds: float, step: Callable[[int], float], unit: str) -> dict[str, float]:
    """Run `step(number)` for so long; it returns what it has done. Return the rates."""
    step(0)
    done, number = 0.0, 1
    cpu, start = server.cpu_seconds(), time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        done += step(number)
        number += 1
    used = max(server.cpu_seconds() - cpu, 1 / _TICKS)
    return {f"{unit}_per_second": round(done / elapsed, 1), f"{unit}_per_cpu_second": round(done / used, 1), "steps": number - 1}


def item_of(number: int) -> dict[str, Any]:
    """Return an item of about 600 bytes in DynamoDB JSON."""
    return {
        "pk": {"S": f"C#{number % 5000:08d}"},
        "sk": {"S": f"T#{number:012d}"},
        "amount": {"N": f"{number % 9973}.25"},
        "note": {"S": "x" * 480},
    }


def put_items(server: Server, seconds: float) -> dict[str, Any]:
    """Measure put_item."""
    server.call(
        "DynamoDB_20120810.CreateTable",
        json.dumps(
            {
                "TableName": "bench",
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            }
        ).encode(),
    )
    bodies = [json.dumps({"TableName": "bench", "Item": item_of(number)}).encode() for number in range(20_000)]

    def raw(number: int) -> float:
        server.call("DynamoDB_20120810.PutItem", bodies[number % len(bodies)])
        return 1

    client = server.client("dynamodb")

    def boto(number: int) -> float:
        client.put_item(TableName="bench", Item=item_of(number))
        return 1

    return {"raw": measure(server, seconds, raw, "items"), "boto3": measure(server, seconds, boto, "items")}


def put_and_get_records(server: Server, seconds: float) -> dict[str, Any]:
    """Measure PutRecords of 500 and then GetRecords of whole pages, of what was put."""
    server.call("Kinesis_20131202.CreateStream", json.dumps({"StreamName": "s", "ShardCount": SHARDS}).encode())
    payload = os.urandom(RECORD_BYTES)
    records = [{"Data": payload, "PartitionKey": f"key-{number}"} for number in range(RECORDS_PER_CALL)]
    encoded = [{**record, "Data": base64.b64encode(payload).decode()} for record in records]
    body = json.dumps({"StreamName": "s", "Records": encoded}).encode()
    client = server.client("kinesis")

    def put_raw(_: int) -> float:
        server.call("Kinesis_20131202.PutRecords", body)
        return RECORDS_PER_CALL

    def put_boto(_: int) -> float:
        client.put_records(StreamName="s", Records=records)
        return RECORDS_PER_CALL

    put = {"raw": measure(server, seconds, put_raw, "records"), "boto3": measure(server, seconds, put_boto, "records")}
    start = json.dumps({"StreamName": "s", "ShardId": "shardId-000000000001", "ShardIteratorType": "TRIM_HORIZON"}).encode()
    iterator = json.loads(server.call("Kinesis_20131202.GetShardIterator", start))["ShardIterator"]
    page_body = json.dumps({"ShardIterator": iterator}).encode()

    def get_raw(_: int) -> float:
        page = server.call("Kinesis_20131202.GetRecords", page_body)
        return page.count(b'"SequenceNumber"') * RECORD_BYTES / 1e6

    def get_boto(_: int) -> float:
        return len(client.get_records(ShardIterator=iterator)["Records"]) * RECORD_BYTES / 1e6

    get = {"raw": measure(server, seconds, get_raw, "megabytes"), "boto3": measure(server, seconds, get_boto, "megabytes")}
    return {"put_records": put, "get_records": get}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each of the six measurements of a server")
    parser.add_argument("--only", choices=("nearshift", "moto"))
    options = parser.parse_args()
    result: dict[str, Any] = {
        "record_bytes": RECORD_BYTES,
        "records_per_call": RECORDS_PER_CALL,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
    }
    for name, start in (("nearshift", nearshift_server), ("moto", moto_server)):
        if options.only in (None, name):
            with start() as server:
                result[name] = {"put_item": put_items(server, options.seconds), **put_and_get_records(server, options.seconds)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
