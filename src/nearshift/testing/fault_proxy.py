"""A proxy between an AWS client and a stand-in on which answers get lost, come twice, are cut off or are errors, by chance and seeded.

It listens on a free port of the loopback interface. What it does to a request is drawn anew for each; counts of what it did are kept, so
that a test can show that it was disturbed at all. Of the protocols of AWS it knows JSON with X-Amz-Target.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import sys
import threading
from collections import Counter, OrderedDict
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import urlsplit

_JSON = {"Content-Type": "application/x-amz-json-1.1"}
_OF_ONE_HOP = frozenset({"content-length", "connection", "transfer-encoding"})
_NEXT = re.compile(rb'"NextShardIterator":\s*"([^"]+)"')
_PAGES_KEPT_MAX = 64
_ANSWER_SECONDS_MAX = 30.0


class Disturbance(Enum):
    """What can happen to one request."""

    RESET_BEFORE = "reset before"  # the connection breaks, and the service has not seen the request
    RESET_AFTER = "reset after"  # the service has acted, and the answer is lost
    TRUNCATED = "truncated"  # the answer breaks off in the middle
    REPLAYED = "replayed"  # the page that came with this iterator comes a second time
    BROKEN = "broken"  # status 500
    THROTTLED = "throttled"
    TOKEN_EXPIRED = "token expired"  # the iterator is refused as too old


_ERRORS = {
    Disturbance.BROKEN: (500, "InternalFailure"),
    Disturbance.THROTTLED: (400, "ProvisionedThroughputExceededException"),
    Disturbance.TOKEN_EXPIRED: (400, "ExpiredIteratorException"),
}
_OF_READS = frozenset({Disturbance.REPLAYED, Disturbance.THROTTLED, Disturbance.TOKEN_EXPIRED})


class FaultProxy:
    """Forwards to `target` (an http address) until closed, and disturbs `rate` (0 to 1; may be changed) of the requests."""

    def __init__(self, target: str, random: Random, *, rate: float = 0.0) -> None:
        address = urlsplit(target)
        assert address.hostname is not None, "a target is an address"
        assert address.port is not None, "a target has a port"
        self.rate = rate
        self.done: Counter[Disturbance] = Counter()
        self._host, self._port = address.hostname, address.port
        self._random = random
        self._lock = threading.Lock()
        self._pages: OrderedDict[bytes, bytes] = OrderedDict()  # by the iterator that came with the page
        proxy = self

        class Handler(_Forwarding):
            owner = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="fault proxy", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to give to a client as its endpoint."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection to the target."""
        return http.client.HTTPConnection(self._host, self._port, timeout=_ANSWER_SECONDS_MAX)

    def draw(self, operation: str) -> Disturbance | None:
        """Return what shall happen to a request, if anything."""
        with self._lock:
            if self._random.random() >= self.rate:
                return None
            found = self._random.choice(list(Disturbance))
            if found in _OF_READS and operation != "GetRecords":
                found = Disturbance.BROKEN
            self.done[found] += 1
            return found

    def keep_page(self, answer: bytes) -> None:
        """Remember a page of records, so that it can come again."""
        found = _NEXT.search(answer)
        if found is not None:
            with self._lock:
                self._pages[found[1]] = answer
                while len(self._pages) > _PAGES_KEPT_MAX:
                    self._pages.popitem(last=False)

    def page_before(self, body: bytes) -> bytes | None:
        """Return the page that came with the iterator of a request."""
        iterator = str(json.loads(body).get("ShardIterator", "")).encode()
        with self._lock:
            return self._pages.get(iterator)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that died, as those of these tests do."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Forwarding(BaseHTTPRequestHandler):
    owner: FaultProxy
    protocol_version = "HTTP/1.1"
    _upstream: http.client.HTTPConnection | None = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        disturbance = self.owner.draw(operation)
        if disturbance in _ERRORS:
            status, code = _ERRORS[disturbance]
            self._answer(status, _JSON, json.dumps({"__type": code, "message": "by chance"}).encode())
            return
        if disturbance is Disturbance.RESET_BEFORE:
            self._reset()
            return
        if disturbance is Disturbance.REPLAYED and (page := self.owner.page_before(body)) is not None:
            self._answer(200, _JSON, page)
            return
        status, headers, answer = self._forward(body)
        if operation == "GetRecords" and status == 200:
            self.owner.keep_page(answer)
        if disturbance is Disturbance.RESET_AFTER:
            self._reset()
            return
        self._answer(status, headers, answer, cut=disturbance is Disturbance.TRUNCATED)

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._upstream is None:
            self._upstream = self.owner.connect()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
        self._upstream.request("POST", self.path, body, headers)
        answer = self._upstream.getresponse()
        content = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_ONE_HOP}
        return answer.status, kept, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True

    def _reset(self) -> None:
        """Break the connection so that the client's next read fails, as when a machine in between restarts."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def finish(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what happens is counted."""
