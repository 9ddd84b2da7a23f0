"""A DynamoDB table as `nearshift init` looks at it: its keys, where its changes go, and some of its items.

What Scan reads counts against the table's capacity, so no more items are asked for than wanted, spread over segments: in one segment,
items of one partition stand together, and a sample would be of few of them ("Working with scans in DynamoDB", parallel scan).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from nearshift.errors import ConfigurationError, NearshiftError, StreamError

KeyKind = Literal["S", "N", "B"]
_SEGMENTS: Final = 8
_PAGE_ITEMS_MAX: Final = 500
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_BAD_CREDENTIALS: Final = frozenset({
    "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId",
    "MissingAuthenticationTokenException", "IncompleteSignatureException",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableShape:
    """What DescribeTable says, and the name of the Kinesis stream that the table's changes go to already, if any."""

    name: str
    partition_key: str
    partition_key_type: KeyKind
    sort_key: str | None
    sort_key_type: KeyKind
    stream: str | None
    item_count: int


def open_table(endpoint_url: str | None) -> Any:
    """Return a DynamoDB client under boto3's own settings. Raises ConfigurationError when those are not usable."""
    try:
        retries: Any = {"mode": "standard", "max_attempts": 4}
        return boto3.client("dynamodb", endpoint_url=endpoint_url, config=Config(retries=retries, connect_timeout=5, read_timeout=30))
    except NoRegionError as error:
        raise ConfigurationError("no AWS region is set", hint="Set AWS_DEFAULT_REGION, or choose a profile with AWS_PROFILE.") from error
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError("could not make a client for DynamoDB", detail=str(error), hint="Check --endpoint-url.") from error


def describe(client: Any, table: str) -> TableShape:
    """Return the table's shape. Raises ConfigurationError for no such table or missing rights, StreamError when the API does not answer."""
    found = _ask(lambda: client.describe_table(TableName=table)["Table"], client, table, "dynamodb:DescribeTable")
    keys = {one["KeyType"]: one["AttributeName"] for one in found["KeySchema"]}
    kinds = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
    sort_key = keys.get("RANGE")
    return TableShape(
        table, keys["HASH"], kinds[keys["HASH"]], sort_key, kinds[sort_key] if sort_key else "S", _stream_of(client, table),
        found.get("ItemCount", 0),
    )  # fmt: skip


def _stream_of(client: Any, table: str) -> str | None:
    """Return the stream of an active capture; None also without the right to ask, since a stream of our own naming will do."""
    try:
        found = client.describe_kinesis_streaming_destination(TableName=table)["KinesisDataStreamDestinations"]
    except (BotoCoreError, ClientError):
        return None
    names = [str(one["StreamArn"]).rpartition("/")[2] for one in found if one["DestinationStatus"] in {"ACTIVE", "ENABLING", "UPDATING"}]
    return names[0] if names else None


def sample(client: Any, table: str, count: int, note: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    """Yield at most `count` items in DynamoDB's JSON, from all segments alike; `note` is told how many were read after each page.

    Raises ConfigurationError for missing rights, StreamError when the API fails.
    """
    segments: list[dict[str, Any]] = [{"Segment": number, "TotalSegments": _SEGMENTS} for number in range(_SEGMENTS)]
    left = count
    while segments and left > 0:
        share = max(1, min(_PAGE_ITEMS_MAX, -(-left // len(segments))))
        for segment in list(segments):
            if left <= 0:
                return
            limit = min(share, left)
            page = _ask(lambda s=segment, n=limit: client.scan(TableName=table, Limit=n, **s), client, table, "dynamodb:Scan")  # type: ignore[misc]
            items = page.get("Items", [])
            left -= len(items)
            note(count - left)
            yield from items
            if "LastEvaluatedKey" in page:
                segment["ExclusiveStartKey"] = page["LastEvaluatedKey"]
            else:
                segments.remove(segment)


def _ask(call: Callable[[], Any], client: Any, table: str, right: str) -> Any:
    try:
        return call()
    except NoCredentialsError as error:
        hint = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        raise ConfigurationError("there are no AWS credentials", hint=hint) from error
    except ClientError as error:
        raise _explain(error, client, table, right) from error
    except EndpointConnectionError as error:
        hint = "Check --endpoint-url and AWS_ENDPOINT_URL_DYNAMODB, or the network."
        raise StreamError(f'could not reach "{client.meta.endpoint_url}"', detail=str(error), hint=hint) from error
    except BotoCoreError as error:
        raise StreamError(f'could not read table "{table}"', detail=str(error), hint="Try again; check the AWS settings.") from error


def _explain(error: ClientError, client: Any, table: str, right: str) -> NearshiftError:
    code, text = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    if code == "ResourceNotFoundException":
        message = f'there is no table "{table}" in region "{client.meta.region_name}"'
        hint = "Check the name, AWS_DEFAULT_REGION and AWS_PROFILE, or --endpoint-url."
        return ConfigurationError(message, detail=text or None, hint=hint)
    if code in _DENIED:
        message = f'the right {right} on table "{table}" is missing'
        return ConfigurationError(message, detail=text or None, hint=f"Allow {right}, or use another profile.")
    if code in _BAD_CREDENTIALS:
        return ConfigurationError("AWS refused the credentials", detail=text or None, hint="Renew them, or choose another AWS_PROFILE.")
    if code == "ValidationException":
        return ConfigurationError(f'"{table}" cannot be the name of a table', detail=text or None, hint="Name it as DynamoDB lists it.")
    hint = "Try again, with a smaller --sample if it is throttled."
    return StreamError(f'could not read table "{table}"', detail=f"{code}: {text}", hint=hint)
