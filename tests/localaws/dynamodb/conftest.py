"""A boto3 client whose requests reach the DynamoDB service in this process, without sockets: what botocore sends and reads is real."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from nearshift.localaws.clock import Clock
from nearshift.localaws.dynamodb import DynamoDb
from nearshift.localaws.errors import AwsError
from nearshift.localaws.service import DEFAULT_ACCOUNT, DEFAULT_REGION, Request
from nearshift.localaws.store import Store

STREAM = f"arn:aws:kinesis:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:stream/changes"


class Streams:
    """Streams that keep what is captured, in memory; undone with the transaction as the real ones are."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.define("CREATE TABLE IF NOT EXISTS test_record (stream TEXT, partition_key TEXT, payload BLOB)")
        self.bytes_max = 1024 * 1024

    def capture_many(self, stream_arn: str, records: Iterable[tuple[str, bytes]]) -> int:
        self.find_stream(stream_arn)
        dropped = 0
        for partition_key, payload in records:
            if len(payload) + len(partition_key) > self.bytes_max:
                dropped += 1
            else:
                self._store.connection.execute("INSERT INTO test_record VALUES (?, ?, ?)", (stream_arn, partition_key, payload))
        return dropped

    def find_stream(self, arn: str) -> object:
        if not arn.endswith(":stream/changes"):
            raise AwsError("ResourceNotFoundException", f"Stream {arn} not found")
        return arn


class _Body:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.content


@dataclass
class Driver:
    store: Store
    clock: Clock
    streams: Streams
    service: DynamoDb

    def client(self, region: str = DEFAULT_REGION) -> Any:
        made = boto3.client(
            "dynamodb", region_name=region, aws_access_key_id="test", aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}, parameter_validation=False),
        )  # fmt: skip
        self._connect(made, region)
        return made

    def _connect(self, client: Any, region: str) -> None:
        client.meta.events.register("before-send.dynamodb", lambda request, **_: self.answer(request, region))

    def resource(self) -> Any:
        made: Any = boto3.resource("dynamodb", region_name=DEFAULT_REGION, aws_access_key_id="test", aws_secret_access_key="test")
        self._connect(made.meta.client, DEFAULT_REGION)
        return made

    def answer(self, sent: Any, region: str) -> AWSResponse:
        target = sent.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
        request = Request(operation, DEFAULT_ACCOUNT, region, "1")
        body = sent.body if isinstance(sent.body, bytes) else sent.body.encode()
        status, content = self.call(request, body)
        headers: Any = {"x-amzn-requestid": "1", "content-type": "application/x-amz-json-1.0"}
        return AWSResponse(sent.url, status, headers, _Body(content))

    def call(self, request: Request, body: bytes) -> tuple[int, bytes]:
        try:
            decode = self.service.decoders.get(request.operation, msgspec.json.decode)
            with self.store.transaction():
                answer = self.service.operations[request.operation](request, decode(body))
            self.store.commit()
        except msgspec.DecodeError as error:
            return 400, json.dumps({"__type": "SerializationException", "message": str(error)}).encode()
        except AwsError as error:
            members = {"__type": self.service.error_namespace + error.code, "message": error.message, **error.members}
            return error.status, msgspec.json.encode(members)
        return 200, answer if isinstance(answer, bytes) else msgspec.json.encode(answer)

    def records(self) -> list[dict[str, Any]]:
        """All records captured so far, decoded."""
        return [json.loads(row[0]) for row in self.store.connection.execute("SELECT payload FROM test_record ORDER BY rowid")]

    def partition_keys(self) -> list[str]:
        return [row[0] for row in self.store.connection.execute("SELECT partition_key FROM test_record ORDER BY rowid")]

    def maintain(self) -> None:
        with self.store.transaction():
            self.service.maintain()
        self.store.commit()


@contextmanager
def _open_driver(directory: Path) -> Iterator[Driver]:
    store = Store(directory)
    try:
        clock = Clock()
        streams = Streams(store)
        yield Driver(store, clock, streams, DynamoDb(store, clock, streams))
    finally:
        store.close()


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    with _open_driver(tmp_path / "aws") as opened:
        yield opened


@pytest.fixture(scope="session")
def open_driver() -> Callable[[Path], AbstractContextManager[Driver]]:
    """Open a driver on a directory, for tests that need several."""
    return _open_driver


@pytest.fixture
def client(driver: Driver) -> Any:
    return driver.client()


@pytest.fixture
def make_table(client: Any) -> Callable[..., None]:
    """Make a table with keys `pk` (S) and, unless it is None, `sk`."""
    return partial(_make_table, client)


def _make_table(client: Any, name: str = "orders", *, sort: str | None = "sk", sort_type: str = "S", **more: Any) -> None:
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}]
    attributes = [{"AttributeName": "pk", "AttributeType": "S"}]
    if sort is not None:
        schema.append({"AttributeName": sort, "KeyType": "RANGE"})
        attributes.append({"AttributeName": sort, "AttributeType": sort_type})
    attributes += more.pop("attributes", [])
    client.create_table(TableName=name, KeySchema=schema, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST", **more)
