"""HTTP/1.1 requests from bytes, and answers to bytes; no sockets here ("HTTP/1.1", RFC 9112).

`RequestReader` is fed whatever arrives and gives whole requests, however the bytes were cut and however many requests were sent at once.
Bodies need a Content-Length: AWS's clients send one. A request that breaks the rules raises BadRequest, after which the connection must
be closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HEAD_BYTES_MAX = 64 * 1024
# PutRecords may carry 10 MiB and BatchWriteItem 16 MiB, in base64 or with escapes.
BODY_BYTES_MAX = 32 * 1024 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    411: b"Length Required",
    413: b"Content Too Large",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
    505: b"HTTP Version Not Supported",
}
_METHOD_BYTES_MAX = 16


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    is_keep_alive: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer with its whole body."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, *, is_keep_alive: bool) -> bytes:
        """Return head and body."""
        lines = [
            b"HTTP/1.1 %d %b" % (self.status, _REASONS.get(self.status, b"Error")),
            b"Content-Type: " + self.content_type.encode(),
            b"Content-Length: %d" % len(self.body),
        ]
        lines.extend(f"{name}: {value}".encode() for name, value in self.headers)
        if not is_keep_alive:
            lines.append(b"Connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


class BadRequest(Exception):
    """The bytes are no request that can be answered; `is_http` says whether it is worth telling the peer so."""

    def __init__(self, status: int, message: str, *, is_http: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.is_http = is_http


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    path: str
    headers: Mapping[str, str]
    body_start: int
    body_bytes: int
    is_keep_alive: bool


class RequestReader:
    """Collects bytes until they make a request."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: _Head | None = None
        self.wants_continue = False  # the peer waits for 100 Continue before it sends the body

    def feed(self, chunk: bytes) -> None:
        """Take bytes that have arrived."""
        self._buffer += chunk

    @property
    def buffered_bytes(self) -> int:
        """Return how many bytes wait."""
        return len(self._buffer)

    def next(self) -> HttpRequest | None:
        """Return the next whole request, or None if more bytes are needed; raises BadRequest."""
        head = self._head
        if head is None:
            head = self._read_head()
            if head is None:
                return None
            self._head = head
            self.wants_continue = head.headers.get("expect", "").lower() == "100-continue" and len(self._buffer) == head.body_start
        end = head.body_start + head.body_bytes
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[head.body_start : end])
        del self._buffer[:end]
        self._head = None
        self.wants_continue = False
        return HttpRequest(head.method, head.path, head.headers, body, head.is_keep_alive)

    def _read_head(self) -> _Head | None:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":
            del buffer[:2]
        if buffer == b"\r":
            return None
        if buffer and not (65 <= buffer[0] <= 90):
            message = "this is not HTTP"
            raise BadRequest(400, message, is_http=False)
        if len(buffer) > _METHOD_BYTES_MAX and b" " not in buffer[:_METHOD_BYTES_MAX]:
            message = "this is not HTTP"
            raise BadRequest(400, message, is_http=False)
        end = buffer.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX)
        if end < 0:
            if len(buffer) >= HEAD_BYTES_MAX:
                message = f"the request's head has more than {HEAD_BYTES_MAX} bytes"
                raise BadRequest(431, message)
            return None
        lines = buffer[:end].decode("latin-1").split("\r\n")
        method, path, version = _parse_request_line(lines[0])
        headers = _parse_headers(lines[1:])
        if "transfer-encoding" in headers:
            message = "a request needs a Content-Length; Transfer-Encoding is not supported"
            raise BadRequest(411, message)
        connection = headers.get("connection", "").lower()
        is_keep_alive = connection != "close" if version == "HTTP/1.1" else connection == "keep-alive"
        return _Head(method, path, headers, end + 4, _body_bytes(headers), is_keep_alive)


def _parse_request_line(line: str) -> tuple[str, str, str]:
    words = line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/") or not words[0].isalpha():
        message = "the request line is malformed"
        raise BadRequest(400, message, is_http=False)
    if words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        message = "only HTTP/1.1 is spoken here"
        raise BadRequest(505, message)
    return words[0], words[1], words[2]


def _parse_headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            message = "a header is malformed"
            raise BadRequest(400, message)
        name, value = name.lower(), value.strip()
        if name == "content-length" and headers.get(name, value) != value:
            message = "Content-Length is given twice"
            raise BadRequest(400, message)
        headers[name] = value
    return headers


def _body_bytes(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit():
        message = "Content-Length is not a number"
        raise BadRequest(400, message)
    if len(text) > 12 or int(text) > BODY_BYTES_MAX:
        message = f"the body has more than {BODY_BYTES_MAX} bytes"
        raise BadRequest(413, message)
    return int(text)
