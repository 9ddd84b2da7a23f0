"""SubscribeToShard: records pushed to a registered consumer as an event stream ("SubscribeToShard", Kinesis API reference).

AWS documents HTTP/2; stock botocore reads the same frames over HTTP/1.1 with chunks, which is what is sent here. A subscription ends
after five minutes, at the end of its shard, when its consumer is deregistered, or when a second call for the same consumer and shard
takes it over.
"""

from __future__ import annotations

import asyncio
import struct
from binascii import crc32
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from nearshift.localaws.constraints import Kind, Member, check_members
from nearshift.localaws.consumers import find_consumer
from nearshift.localaws.errors import AwsError
from nearshift.localaws.kinesis_parts import CONSUMER_ARN, ITERATOR_TYPES, REQUIRED_SHARD_ID, SEQUENCE_NUMBER, TIMESTAMP, Parts
from nearshift.localaws.kinesis_read import starting_position
from nearshift.localaws.sequence import encode_sequence
from nearshift.localaws.service import Request

SUBSCRIPTION_SECONDS = 300
TAKE_OVER_SECONDS = 5
_EVENT_RECORDS_MAX = 10_000
_EVENT_BYTES_MAX = 2 << 20
# How long nothing is said when there are no records: AWS sends empty events about as often.
_SILENCE_SECONDS = 1.0

_MEMBERS = {
    "ConsumerARN": Member(Kind.STRING, is_required=True, minimum=1, maximum=2048, pattern=CONSUMER_ARN.pattern),
    "ShardId": REQUIRED_SHARD_ID,
    "StartingPosition": Member(
        Kind.STRUCTURE,
        is_required=True,
        members={
            "Type": Member(Kind.STRING, is_required=True, choices=ITERATOR_TYPES),
            "SequenceNumber": SEQUENCE_NUMBER,
            "Timestamp": TIMESTAMP,
        },
    ),
}


def encode_message(headers: dict[str, str], payload: bytes) -> bytes:
    """Return one frame of the encoding application/vnd.amazon.eventstream."""
    block = b"".join(
        struct.pack(">B", len(name)) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    head = prelude + struct.pack(">I", crc32(prelude)) + block
    message = head + payload
    return message + struct.pack(">I", crc32(payload, crc32(head)))


def encode_event(kind: str, payload: bytes, content_type: str = "application/json") -> bytes:
    """Return the frame of one event."""
    return encode_message({":message-type": "event", ":event-type": kind, ":content-type": content_type}, payload)


def encode_exception(error: AwsError) -> bytes:
    """Return the frame that ends a stream with an error."""
    headers = {":message-type": "exception", ":exception-type": error.code, ":content-type": "application/json"}
    return encode_message(headers, msgspec.json.encode({"message": error.message}))


class Wakeups:
    """Tells the waiters of a shard that records have been committed to it."""

    def __init__(self) -> None:
        self._waiters: dict[int, set[asyncio.Event]] = {}

    async def wait(self, shard_key: int, seconds: float) -> None:
        """Wait until `wake` names the shard, at most so long."""
        event = asyncio.Event()
        waiters = self._waiters.setdefault(shard_key, set())
        waiters.add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            waiters.discard(event)
            if not waiters:
                self._waiters.pop(shard_key, None)

    def wake(self, shard_keys: set[int]) -> None:
        """Wake the waiters of these shards."""
        for key in shard_keys & self._waiters.keys():
            for event in self._waiters[key]:
                event.set()


class Subscription:
    """One accepted SubscribeToShard; `frames()` gives its event stream."""

    def __init__(self, subscriptions: Subscriptions, consumer_arn: str, shard_key: int, position: int, started_us: int) -> None:
        self._subscriptions = subscriptions
        self.slot = (consumer_arn, shard_key)
        self.started_us = started_us
        self.is_taken_over = False
        self._position = position

    def end(self) -> None:
        """Let others subscribe: nobody reads this one any more. May be called twice."""
        self._subscriptions.end(self)

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the frames until the subscription is over; the caller ends it then, and when the peer has gone."""
        yield encode_event("initial-response", b"{}", "application/x-amz-json-1.1")
        is_idle = False
        while not self._is_over():
            while not self._subscriptions.parts.records.is_settled:
                await asyncio.sleep(0)  # what is not committed yet must not be told
            frame, is_last, is_idle = self._next_frame()
            yield frame
            if is_last:
                return
            if is_idle:
                await self._subscriptions.wakeups.wait(self.slot[1], _SILENCE_SECONDS)
            else:
                await asyncio.sleep(0)

    def _is_over(self) -> bool:
        elapsed_us = self._subscriptions.parts.clock.now_us() - self.started_us
        return elapsed_us >= SUBSCRIPTION_SECONDS * 1_000_000

    def _next_frame(self) -> tuple[bytes, bool, bool]:
        """Return a frame, whether it is the last, and whether the subscriber has caught up."""
        parts = self._subscriptions.parts
        consumer_arn, shard_key = self.slot
        found = parts.catalog.shards_by_key.get(shard_key)
        if self.is_taken_over:
            error = AwsError("ResourceInUseException", "Another call to SubscribeToShard has taken over this subscription.")
            return encode_exception(error), True, False
        if found is None or consumer_arn not in parts.catalog.consumers:
            error = AwsError("ResourceNotFoundException", "The consumer or the shard of this subscription does not exist any more.")
            return encode_exception(error), True, False
        stream, shard = found
        page = parts.records.read(stream, shard, self._position, _EVENT_RECORDS_MAX, _EVENT_BYTES_MAX, parts.clock.now_ms())
        self._position = page.position
        continuation = encode_sequence(max(page.position, shard.start), shard.index).encode()
        tail = b',"ChildShards":' + msgspec.json.encode(stream.children_of(shard)) if page.is_end else b""
        event = b'{"Records":[%b],"ContinuationSequenceNumber":"%b","MillisBehindLatest":%d%b}' % (
            b",".join(page.fragments),
            continuation,
            page.behind_ms,
            tail,
        )
        values = {"SubscribeToShardEvent.Records": len(page.fragments), "SubscribeToShardEvent.Bytes": page.payload_bytes}
        parts.note(stream, {**values, "SubscribeToShardEvent.MillisBehindLatest": page.behind_ms})
        return encode_event("SubscribeToShardEvent", event), page.is_end, page.behind_ms == 0


class Subscriptions:
    """The running subscriptions, at most one for each consumer and shard."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.wakeups = Wakeups()
        self._running: dict[tuple[str, int], Subscription] = {}

    def subscribe(self, request: Request, parameters: Any) -> Subscription:
        """Accept a SubscribeToShard or raise AwsError."""
        check_members(parameters, _MEMBERS)
        parts = self.parts
        consumer = find_consumer(parts, request, {"ConsumerARN": parameters["ConsumerARN"]})
        stream = parts.catalog.streams_by_key[consumer.stream]
        shard = parts.catalog.shard(stream, parameters["ShardId"])
        start = parameters["StartingPosition"]
        position = starting_position(parts, stream, shard, start["Type"], start.get("SequenceNumber"), start.get("Timestamp"))
        now_us = parts.clock.now_us()
        previous = self._running.get((consumer.arn, shard.key))
        if previous is not None:
            if now_us - previous.started_us < TAKE_OVER_SECONDS * 1_000_000:
                message = f"Another active subscription exists for this consumer: {stream.account}:{stream.name}:{shard.id}:{consumer.name}"
                raise AwsError("ResourceInUseException", message)
            previous.is_taken_over = True
            self.wakeups.wake({shard.key})
        subscription = Subscription(self, consumer.arn, shard.key, position, now_us)
        self._running[subscription.slot] = subscription
        return subscription

    def end(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        if self._running.get(subscription.slot) is subscription:
            del self._running[subscription.slot]
