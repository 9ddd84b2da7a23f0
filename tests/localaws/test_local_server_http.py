"""The door itself, spoken to with raw bytes: cuts, pipelines, garbage, bounds, and the formats that other SDKs speak."""

from __future__ import annotations

import json
import socket
import ssl
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cbor2
import pytest

from nearshift.localaws.wire import BODY_BYTES_MAX, HEAD_BYTES_MAX, BadRequest, RequestReader

if TYPE_CHECKING:
    from tests.localaws.conftest import LocalServer


@pytest.fixture
def raw(local_server: LocalServer) -> Iterator[socket.socket]:
    """A plain connection to the server."""
    with socket.create_connection(("127.0.0.1", local_server.port), timeout=10) as connection:
        yield connection


def frame(operation: str, parameters: Any, *headers: str) -> bytes:
    body = json.dumps(parameters).encode()
    return encode(body, f"X-Amz-Target: Kinesis_20131202.{operation}", "Content-Type: application/x-amz-json-1.1", *headers)


def encode(body: bytes, *headers: str, path: str = "/") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def receive(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one answer."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        chunk = connection.recv(65536)
        assert chunk, buffer
        buffer += chunk
    head, _, body = buffer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    assert len(body) == int(headers["content-length"])
    return int(lines[0].split()[1]), headers, body


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_request_cut_into_single_bytes_is_understood(raw: socket.socket) -> None:
    for byte in frame("ListStreams", {}):
        raw.sendall(bytes((byte,)))
    status, headers, body = receive(raw)
    assert (status, headers["content-type"]) == (200, "application/x-amz-json-1.1")
    assert "StreamNames" in json.loads(body)
    assert headers["x-amzn-requestid"]


def test_pipelined_requests_are_answered_in_their_order(raw: socket.socket) -> None:
    names = [f"pipeline-{number}" for number in range(5)]
    calls = [frame("CreateStream", {"StreamName": name, "ShardCount": 1}) for name in names]
    reads = [frame("DescribeStreamSummary", {"StreamName": name}) for name in names]
    mixed = [call for pair in zip(calls, reads, strict=True) for call in pair]
    raw.sendall(b"".join(mixed))
    raw.settimeout(10)
    reader = raw.makefile("rb")
    bodies = []
    for _ in mixed:
        assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
        length = 0
        while (line := reader.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        bodies.append(reader.read(length))
    reader.close()
    assert bodies[0::2] == [b""] * 5
    assert [json.loads(body)["StreamDescriptionSummary"]["StreamName"] for body in bodies[1::2]] == names


def test_a_peer_that_closes_its_side_still_gets_its_answer(raw: socket.socket) -> None:
    raw.sendall(frame("ListStreams", {}))
    raw.shutdown(socket.SHUT_WR)
    assert receive(raw)[0] == 200
    assert is_closed(raw)


def test_connection_close_is_obeyed(raw: socket.socket) -> None:
    raw.sendall(frame("ListStreams", {}, "Connection: close"))
    status, headers, _ = receive(raw)
    assert (status, headers["connection"]) == (200, "close")
    assert is_closed(raw)


def test_a_peer_that_waits_is_told_to_go_on(raw: socket.socket) -> None:
    request = frame("ListStreams", {}, "Expect: 100-continue")
    head, _, body = request.partition(b"\r\n\r\n")
    raw.sendall(head + b"\r\n\r\n")
    assert raw.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    raw.sendall(body)
    assert receive(raw)[0] == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        b"get / HTTP/1.1\r\n\r\n",
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        b"\xff" * 5000,
    ],
)
def test_what_is_not_http_is_closed_without_an_answer(raw: socket.socket, local_server: LocalServer, garbage: bytes) -> None:
    raw.sendall(garbage)
    assert is_closed(raw)
    assert local_server.client("kinesis").list_streams()["StreamNames"] is not None


def test_a_tls_client_is_closed_at_once(raw: socket.socket) -> None:
    context = ssl.create_default_context()
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        context.wrap_socket(raw, server_hostname="localhost")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1), 413),
        (b"POST / HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES_MAX, 431),
        (b"POST / HTTP/2.0\r\n\r\n", 505),
    ],
)
def test_a_request_that_breaks_the_rules_is_refused_and_closed(raw: socket.socket, request_bytes: bytes, status: int) -> None:
    raw.sendall(request_bytes)
    found, headers, _ = receive(raw)
    assert (found, headers["connection"]) == (status, "close")
    assert is_closed(raw)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"StreamName": "\\ud800"}', b"null", b"{} {}"])
@pytest.mark.parametrize("target", ["Kinesis_20131202.CreateStream", "DynamoDB_20120810.PutItem"])
def test_a_malformed_body_is_a_serialization_exception(raw: socket.socket, target: str, body: bytes) -> None:
    raw.sendall(encode(body, f"X-Amz-Target: {target}", "Content-Type: application/x-amz-json-1.1"))
    status, _, answer = receive(raw)
    found = json.loads(answer)
    assert status == 400
    assert found["__type"].rpartition("#")[2] in ("SerializationException", "ValidationException")
    assert "Traceback" not in answer.decode()


@pytest.mark.parametrize("target", ["Kinesis_20131202.Nothing", "Nothing.Nothing", "DynamoDB_20120810.Nothing", "", "...."])
def test_an_unknown_operation_says_so(raw: socket.socket, target: str) -> None:
    raw.sendall(encode(b"{}", f"X-Amz-Target: {target}"))
    status, headers, answer = receive(raw)
    assert (status, headers["x-amzn-errortype"]) == (400, "UnknownOperationException")
    assert json.loads(answer)["__type"].endswith("UnknownOperationException")


def test_a_get_is_refused_and_health_is_told(raw: socket.socket) -> None:
    raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert receive(raw)[0] == 405
    raw.sendall(b"GET /_health HTTP/1.1\r\n\r\n")
    assert receive(raw)[2] == b'{"status":"ok"}'


def test_dynamodb_answers_carry_their_checksum(raw: socket.socket) -> None:
    raw.sendall(encode(b"{}", "X-Amz-Target: DynamoDB_20120810.ListTables", "Content-Type: application/x-amz-json-1.0"))
    _, headers, body = receive(raw)
    assert (headers["content-type"], int(headers["x-amz-crc32"])) == ("application/x-amz-json-1.0", zlib.crc32(body))


def test_kinesis_speaks_the_cbor_of_the_java_clients(raw: socket.socket) -> None:
    def call(operation: str, parameters: Any) -> Any:
        target = f"X-Amz-Target: Kinesis_20131202.{operation}"
        raw.sendall(encode(cbor2.dumps(parameters), target, "Content-Type: application/x-amz-cbor-1.1"))
        status, headers, body = receive(raw)
        assert headers["content-type"] == "application/x-amz-cbor-1.1"
        return status, cbor2.loads(body, semantic_decoders={1: lambda value, _: ("time", value)}) if body else None

    assert call("CreateStream", {"StreamName": "cbor", "ShardCount": 1}) == (200, None)
    status, put = call("PutRecord", {"StreamName": "cbor", "Data": b"\x00\xff", "PartitionKey": "k"})
    assert (status, len(put["SequenceNumber"])) == (200, 56)
    _, described = call("DescribeStreamSummary", {"StreamName": "cbor"})
    kind, created_ms = described["StreamDescriptionSummary"]["StreamCreationTimestamp"]
    assert (kind, isinstance(created_ms, int), created_ms > 1_700_000_000_000) == ("time", True, True)
    start = {"StreamName": "cbor", "ShardId": "shardId-000000000000", "ShardIteratorType": "AT_TIMESTAMP"}
    _, iterator = call("GetShardIterator", {**start, "Timestamp": cbor2.CBORTag(1, created_ms)})
    _, page = call("GetRecords", {"ShardIterator": iterator["ShardIterator"]})
    (record,) = page["Records"]
    assert (record["Data"], record["ApproximateArrivalTimestamp"][0]) == (b"\x00\xff", "time")
    assert call("DescribeStreamSummary", {"StreamName": "none"})[1]["__type"] == "ResourceNotFoundException"


@pytest.mark.parametrize("body", [b"\xff", b"\xbf", b"\xc1\x61a", b"\x9f" * 2000])
def test_malformed_cbor_is_a_serialization_exception(raw: socket.socket, body: bytes) -> None:
    raw.sendall(encode(body, "X-Amz-Target: Kinesis_20131202.PutRecord", "Content-Type: application/x-amz-cbor-1.1"))
    status, _, answer = receive(raw)
    assert (status, cbor2.loads(answer)["__type"]) == (400, "SerializationException")


def test_a_reader_gives_the_same_requests_however_bytes_are_cut() -> None:
    text = frame("A", {"x": 1}) + b"\r\n" + frame("B", {}) + encode(b"", "Connection: close")
    whole = RequestReader()
    whole.feed(text)
    expected = [whole.next(), whole.next(), whole.next()]
    assert [request is not None for request in expected] == [True, True, True]
    for size in (1, 2, 3, 7, 50, 1000):
        reader, found = RequestReader(), []
        for start in range(0, len(text), size):
            reader.feed(text[start : start + size])
            while (request := reader.next()) is not None:
                found.append(request)
        assert found == expected
        assert reader.buffered_bytes == 0


def test_a_reader_refuses_a_long_head_before_its_end() -> None:
    reader = RequestReader()
    reader.feed(b"POST / HTTP/1.1\r\nX: ")
    with pytest.raises(BadRequest) as caught:  # noqa: PT012 - the loop is what is tested
        for _ in range(100):
            reader.feed(b"x" * 1024)
            reader.next()
    assert caught.value.status == 431
