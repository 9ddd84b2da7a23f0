"""Registered consumers: RegisterStreamConsumer and its kin ("Kinesis API reference"); `subscription.py` pushes to them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Any

from nearshift.localaws.constraints import Kind, Member
from nearshift.localaws.errors import AwsError
from nearshift.localaws.kinesis_catalog import Consumer
from nearshift.localaws.kinesis_parts import (
    CONSUMER_ARN,
    CONSUMER_NAME,
    NEXT_TOKEN,
    STREAM_ARN,
    TIMESTAMP,
    Answer,
    OperationTable,
    Parts,
)
from nearshift.localaws.service import Request

CONSUMERS_MAX = 20


def register_consumer(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """RegisterStreamConsumer; ACTIVE at once."""
    stream = parts.catalog.resolve(request, parameters)
    name = parameters["ConsumerName"]
    present = parts.catalog.consumers_of(stream)
    if any(one.name == name for one in present):
        message = f"Consumer {name} under stream {stream.name} already exists for account {stream.account}."
        raise AwsError("ResourceInUseException", message)
    if len(present) >= CONSUMERS_MAX:
        message = f"Stream {stream.name} under account {stream.account} has {CONSUMERS_MAX} registered consumers, which is the limit."
        raise AwsError("LimitExceededException", message)
    now_ms = parts.clock.now_ms()
    consumer = Consumer(f"{stream.arn}/consumer/{name}:{now_ms // 1000}", stream.key, name, now_ms)
    parts.catalog.add_consumer(consumer)
    return {"Consumer": consumer.describe()}


def find_consumer(parts: Parts, request: Request, parameters: dict[str, Any]) -> Consumer:
    """Return the consumer that a request means by ConsumerARN, or by StreamARN and ConsumerName; raises ResourceNotFoundException."""
    arn = parameters.get("ConsumerARN")
    if arn is not None:
        consumer = parts.catalog.consumers.get(arn)
        if consumer is None:
            raise AwsError("ResourceNotFoundException", f"Consumer with ARN {arn} not found.")
        return consumer
    name = parameters.get("ConsumerName")
    if not parameters.get("StreamARN") or not name:
        raise AwsError("InvalidArgumentException", "Either ConsumerARN or both StreamARN and ConsumerName must be specified.")
    stream = parts.catalog.resolve(request, parameters)
    for consumer in parts.catalog.consumers_of(stream):
        if consumer.name == name:
            return consumer
    raise AwsError("ResourceNotFoundException", f"Consumer {name}, stream {stream.name} under account {stream.account} not found.")


def describe_consumer(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """DescribeStreamConsumer."""
    consumer = find_consumer(parts, request, parameters)
    return {"ConsumerDescription": {**consumer.describe(), "StreamARN": parts.catalog.streams_by_key[consumer.stream].arn}}


def deregister_consumer(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """DeregisterStreamConsumer; its subscriptions end."""
    parts.catalog.remove_consumer(find_consumer(parts, request, parameters))
    return {}


def list_consumers(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """ListStreamConsumers, a page by name."""
    stream = parts.catalog.resolve(request, parameters)
    after = _decode_token(parameters["NextToken"]) if parameters.get("NextToken") else ""
    consumers = [one for one in parts.catalog.consumers_of(stream) if one.name > after]
    limit = parameters.get("MaxResults") or 100
    answer: Answer = {"Consumers": [one.describe() for one in consumers[:limit]]}
    if len(consumers) > limit:
        answer["NextToken"] = b64encode(consumers[limit - 1].name.encode()).decode()
    return answer


def _decode_token(token: str) -> str:
    try:
        return b64decode(token, validate=True).decode()
    except (Base64Error, ValueError):
        raise AwsError("InvalidArgumentException", "The NextToken is invalid.") from None


_REQUIRED_ARN = Member(Kind.STRING, is_required=True, minimum=1, maximum=2048, pattern=STREAM_ARN.pattern)
_REQUIRED_NAME = Member(Kind.STRING, is_required=True, minimum=1, maximum=128, pattern=CONSUMER_NAME.pattern)
_EITHER_CONSUMER = {"StreamARN": STREAM_ARN, "ConsumerName": CONSUMER_NAME, "ConsumerARN": CONSUMER_ARN}

OPERATIONS: OperationTable = {
    "RegisterStreamConsumer": ({"StreamARN": _REQUIRED_ARN, "ConsumerName": _REQUIRED_NAME}, register_consumer),
    "DeregisterStreamConsumer": (_EITHER_CONSUMER, deregister_consumer),
    "DescribeStreamConsumer": (_EITHER_CONSUMER, describe_consumer),
    "ListStreamConsumers": (
        {
            "StreamARN": _REQUIRED_ARN,
            "NextToken": NEXT_TOKEN,
            "MaxResults": Member(Kind.INTEGER, minimum=1, maximum=10_000),
            "StreamCreationTimestamp": TIMESTAMP,
        },
        list_consumers,
    ),
}
READS = frozenset(("DescribeStreamConsumer", "ListStreamConsumers"))
