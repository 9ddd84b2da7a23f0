"""The DynamoDB table and the Kinesis stream that a manifest names: made where they are missing, read for comparison."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from nearshift.clock import Clock
from nearshift.errors import StreamError
from nearshift.pipeline.manifest import Source

_WAIT_SECONDS_MAX = 300.0
_LOOK_SECONDS = 0.1


def prepare_source(source: Source, clock: Clock) -> None:
    """Make the stream and the table if they are missing, and let the table's changes go to the stream in microseconds; wait until they do.

    Harmless when all is there. Raises StreamError when the API refuses or takes too long.
    """
    try:
        _prepare(source, clock)
    except (BotoCoreError, ClientError) as error:
        message = f'could not prepare table "{source.table}" and stream "{source.stream}"'
        hint = "Check the AWS settings: AWS_PROFILE, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL."
        raise StreamError(message, detail=str(error), hint=hint) from error


def _prepare(source: Source, clock: Clock) -> None:
    kinesis = boto3.client("kinesis")
    dynamodb = boto3.client("dynamodb")
    try:
        kinesis.describe_stream_summary(StreamName=source.stream)
    except kinesis.exceptions.ResourceNotFoundException:
        kinesis.create_stream(StreamName=source.stream, ShardCount=source.shards)
    summary = _wait(
        lambda: kinesis.describe_stream_summary(StreamName=source.stream)["StreamDescriptionSummary"],
        lambda found: found["StreamStatus"] == "ACTIVE",
        f'stream "{source.stream}"',
        clock,
    )
    try:
        dynamodb.describe_table(TableName=source.table)
    except dynamodb.exceptions.ResourceNotFoundException:
        keys = [(source.partition_key, "HASH"), *([(source.sort_key, "RANGE")] if source.sort_key else [])]
        dynamodb.create_table(
            TableName=source.table,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],  # type: ignore[typeddict-item]
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    _wait(
        lambda: dynamodb.describe_table(TableName=source.table)["Table"],
        lambda found: found["TableStatus"] == "ACTIVE",
        f'table "{source.table}"',
        clock,
    )
    _enable_capture(dynamodb, source, summary["StreamARN"], clock)


def _enable_capture(dynamodb: Any, source: Source, stream_arn: str, clock: Clock) -> None:
    def state() -> str:
        found = dynamodb.describe_kinesis_streaming_destination(TableName=source.table)["KinesisDataStreamDestinations"]
        return next((one["DestinationStatus"] for one in found if one["StreamArn"] == stream_arn), "DISABLED")

    if state() in {"DISABLED", "ENABLE_FAILED"}:
        dynamodb.enable_kinesis_streaming_destination(
            TableName=source.table,
            StreamArn=stream_arn,
            EnableKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
        )
    _wait(state, lambda found: found == "ACTIVE", f'the capture of table "{source.table}"', clock)


def _wait(look: Callable[[], Any], is_there: Callable[[Any], bool], what: str, clock: Clock) -> Any:
    never = threading.Event()
    deadline = clock.monotonic() + _WAIT_SECONDS_MAX
    while not is_there(found := look()):
        if clock.monotonic() > deadline:
            raise StreamError(f"{what} did not become active within {_WAIT_SECONDS_MAX:.0f} seconds")
        clock.wait(never, _LOOK_SECONDS)
    return found


def scan_items(table: str) -> Iterator[dict[str, Any]]:
    """Yield all items of a table in DynamoDB's JSON, read consistently page by page. Raises StreamError."""
    try:
        for page in boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            yield from page["Items"]
    except (BotoCoreError, ClientError) as error:
        raise StreamError(f'could not read table "{table}"', detail=str(error)) from error
