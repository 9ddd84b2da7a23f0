"""One client connection: bytes in, requests out; answers and event streams back, in order and no faster than the peer reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import msgspec

from nearshift.localaws.faults import Mishap
from nearshift.localaws.gateway import Exchange
from nearshift.localaws.subscription import Subscription
from nearshift.localaws.wire import BODY_BYTES_MAX, CONTINUE, BadRequest, HttpRequest, Reply, RequestReader

logger = logging.getLogger("nearshift.localaws")

# Each may hold one request of BODY_BYTES_MAX; a program's pools have tens.
CONNECTIONS_MAX = 500
_WRITE_HIGH_WATER = 4 * 1024 * 1024
# A body and the head of the next request: what may wait while an answer is under way.
_READ_AHEAD_MAX = BODY_BYTES_MAX + 1024 * 1024
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nx-amzn-RequestId: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
)


class Connection(asyncio.Protocol):
    """Reads requests and gives them to `serve`, one at a time; `send` brings the answer and lets the next one be read."""

    def __init__(self, serve: Callable[[Connection, HttpRequest], None], connections: set[Connection]) -> None:
        self._serve = serve
        self._connections = connections
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._is_busy = False  # a request is being answered
        self._is_serving = False  # inside `_serve_waiting`
        self._is_keep_alive = True
        self._is_peer_slow = False
        self._is_peer_done = False
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._stream: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)
        if len(self._connections) >= CONNECTIONS_MAX:
            body = b'{"__type":"ServiceUnavailable","message":"Too many connections."}'
            transport.write(Reply(503, "application/json", body).encode(is_keep_alive=False))
            transport.close()
            return
        self._transport = transport
        transport.set_write_buffer_limits(high=_WRITE_HIGH_WATER)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the shape of asyncio.Protocol
        """Forget everything."""
        self._connections.discard(self)
        self._transport = None
        self._may_write.set()
        if self._stream is not None:
            self._stream.cancel()

    def pause_writing(self) -> None:
        """The peer does not read: answer nothing more until it does."""
        self._is_peer_slow = True
        self._may_write.clear()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._is_peer_slow = False
        self._may_write.set()
        self._serve_waiting()

    def data_received(self, data: bytes) -> None:
        """Take bytes and serve what is whole."""
        self._reader.feed(data)
        if self._reader.buffered_bytes > _READ_AHEAD_MAX and self._transport is not None:
            self._transport.pause_reading()
        self._serve_waiting()

    def eof_received(self) -> bool:
        """Answer what has been asked, then close; a subscriber that says no more has gone."""
        self._is_peer_done = True
        return self._is_busy and self._stream is None

    def _serve_waiting(self) -> None:
        if self._is_serving:
            return
        self._is_serving = True
        try:
            while self._transport is not None and not self._transport.is_closing() and not self._is_busy and not self._is_peer_slow:
                try:
                    request = self._reader.next()
                except BadRequest as error:
                    self._refuse(error)
                    return
                if request is None:
                    if self._reader.wants_continue:
                        self._reader.wants_continue = False
                        self._transport.write(CONTINUE)
                    if not self._transport.is_reading():
                        self._transport.resume_reading()
                    return
                self._is_busy = True
                self._is_keep_alive = request.is_keep_alive
                self._serve(self, request)
        finally:
            self._is_serving = False

    def _refuse(self, error: BadRequest) -> None:
        transport = self._transport
        assert transport is not None
        if error.is_http:
            body = msgspec.json.encode({"__type": "SerializationException", "message": error.message})
            transport.write(Reply(error.status, "application/json", body).encode(is_keep_alive=False))
        transport.close()

    def send(self, exchange: Exchange) -> None:
        """Send the answer of the request being served; goes nowhere if the peer has gone."""
        transport = self._transport
        subscription = exchange.subscription
        if transport is None or transport.is_closing():
            if subscription is not None:
                subscription.end()
            return
        if subscription is not None:
            transport.write(_STREAM_HEAD % exchange.request_id.encode())
            self._stream = asyncio.get_running_loop().create_task(self._send_stream(subscription))
            self._stream.add_done_callback(lambda _: subscription.end())
            return
        if exchange.mishap in (Mishap.DROP_BEFORE, Mishap.DROP_AFTER):
            transport.abort()
            return
        assert exchange.reply is not None
        encoded = exchange.reply.encode(is_keep_alive=self._is_keep_alive)
        if exchange.mishap is Mishap.TRUNCATE:
            transport.write(encoded[: len(encoded) - max(1, len(exchange.reply.body) // 2)])
            transport.close()
            return
        transport.write(encoded)
        self._finish()

    def _finish(self) -> None:
        self._is_busy = False
        transport = self._transport
        if transport is None:
            return
        if not self._is_keep_alive or (self._is_peer_done and self._reader.buffered_bytes == 0):
            transport.close()
        else:
            self._serve_waiting()

    async def _send_stream(self, subscription: Subscription) -> None:
        try:
            frames: AsyncIterator[bytes] = subscription.frames()
            async with aclosing(frames):  # type: ignore[type-var]
                async for frame in frames:
                    await self._may_write.wait()
                    if self._transport is None:
                        return
                    self._transport.write(b"%x\r\n%b\r\n" % (len(frame), frame))
            if self._transport is not None:
                self._transport.write(b"0\r\n\r\n")
                self._stream = None
                self._finish()
        except Exception:  # the outer loop of a subscription
            logger.exception("a subscription failed")
            self.close()

    def close(self) -> None:
        """Send what is waiting and close."""
        if self._stream is not None:
            self._stream.cancel()
        if self._transport is not None:
            self._transport.close()
