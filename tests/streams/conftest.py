"""A Kinesis endpoint of a few lines that answers what a test puts in its queue, so that boto3's own transport is under test."""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True)
class Answer:
    """One answer: status and body, of which the last `cut` bytes are not sent before the connection ends; status 0 is a reset."""

    status: int
    body: bytes
    cut: int = 0


SUMMARY = {
    "StreamDescriptionSummary": {
        "StreamName": "s",
        "StreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
        "StreamStatus": "ACTIVE",
        "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": 1657294923.614,
        "EnhancedMonitoring": [],
        "OpenShardCount": 1,
    }
}
DEFAULTS: dict[str, dict[str, Any]] = {"DescribeStreamSummary": SUMMARY, "GetShardIterator": {"ShardIterator": "first"}}


class Endpoint:
    """Queues of answers by operation; `asked` lists what came in. When a queue is empty, the default answers."""

    def __init__(self) -> None:
        self.queues: dict[str, deque[Answer]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.url = ""

    def _queue(self, operation: str, answer: Answer) -> None:
        self.queues.setdefault(operation, deque()).append(answer)

    def answers(self, operation: str, body: dict[str, Any], *, status: int = 200, cut: int = 0) -> None:
        self._queue(operation, Answer(status, json.dumps(body).encode(), cut))

    def forbids_role(self) -> None:
        error = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours to assume</Message></Error></ErrorResponse>"
        self._queue("AssumeRole", Answer(403, error.encode()))

    def resets(self, operation: str) -> None:
        self._queue(operation, Answer(0, b""))

    def fails(self, operation: str, code: str, message: str = "because", status: int = 400) -> None:
        self.answers(operation, {"__type": code, "message": message}, status=status)

    def gives(
        self, *payloads: bytes, following: str | None = "next", behind: int = 0, first: int = 1, cut: int = 0, **more: object
    ) -> None:
        """Queue a page of records, numbered from `first`, a second apart."""
        records = [
            {
                "SequenceNumber": str(first + index),
                "PartitionKey": f"key-{index}",
                "Data": base64.b64encode(data).decode(),
                "ApproximateArrivalTimestamp": 1657294923.614 + index,
                "EncryptionType": "NONE",
            }
            for index, data in enumerate(payloads)
        ]
        self.answers("GetRecords", {"Records": records, "NextShardIterator": following, "MillisBehindLatest": behind, **more}, cut=cut)

    def take(self, operation: str) -> Answer:
        waiting = self.queues.get(operation)
        if waiting:
            return waiting.popleft()
        if operation in DEFAULTS:
            return Answer(200, json.dumps(DEFAULTS[operation]).encode())
        return Answer(400, json.dumps({"__type": "ResourceNotFoundException", "message": f"nothing is queued for {operation}"}).encode())

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [body for name, body in self.asked if name == operation]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serve() as running:
        yield running


@contextmanager
def serve() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            target = self.headers.get("X-Amz-Target", "STS.AssumeRole")  # STS has forms and XML where Kinesis has JSON
            operation = target.rpartition(".")[2]
            endpoint.asked.append((operation, {} if operation == "AssumeRole" else json.loads(body)))
            answer = endpoint.take(operation)
            self.close_connection = answer.status == 0 or answer.cut > 0
            if answer.status == 0:
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) - answer.cut])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
