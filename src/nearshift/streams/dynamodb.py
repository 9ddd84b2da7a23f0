"""The items of a DynamoDB table, page by page, for COPY: "Loading data from an Amazon DynamoDB table".

boto3 does credentials and paging; its parser is replaced as for Kinesis, since only scalar strings and numbers are wanted. Numbers stay
text, so that 38 digits survive.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from botocore import exceptions

from nearshift.clock import Clock
from nearshift.errors import StreamError
from nearshift.streams.kinesis import Access
from nearshift.streams.roles import assume_roles

_BODY = "NearshiftBody"


class _Page(msgspec.Struct, gc=False):
    Items: list[dict[str, dict[str, msgspec.Raw]]]
    LastEvaluatedKey: dict[str, Any] | None = None
    ConsumedCapacity: dict[str, Any] | None = None


_DECODER = msgspec.json.Decoder(_Page)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an item: its DynamoDB type (S, N, BOOL, M, …) and, for S and N, its text; None for NULL and other types."""

    kind: str
    text: str | None


def scan_items(table: str, access: Access, read_ratio: int, clock: Clock) -> Iterator[list[dict[str, Attribute]]]:
    """Yield the pages of a Scan; items map attribute names to Attributes.

    `read_ratio` is the percentage of a provisioned table's read capacity that may be used ("READRATIO"); on-demand tables have no bound.
    Raises StreamError: 42704 for an unknown table, 42501 without the right to read it.
    """
    try:
        session = assume_roles(access.roles, access.region, sts_endpoint_url=access.sts_endpoint_url)
        client = session.client("dynamodb", endpoint_url=access.endpoint_url)
        client.meta.events.register("before-parse.dynamodb.Scan", _keep_body)
        provisioned = client.describe_table(TableName=table)["Table"].get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0)
        units_per_second = provisioned * read_ratio / 100
        start: dict[str, Any] = {}
        while True:
            answer: Any = client.scan(TableName=table, ReturnConsumedCapacity="TOTAL", **start)
            page = _DECODER.decode(answer[_BODY])
            yield [{name: _attribute(value) for name, value in item.items()} for item in page.Items]
            if not page.LastEvaluatedKey:
                return
            start = {"ExclusiveStartKey": page.LastEvaluatedKey}
            if units_per_second and page.ConsumedCapacity:
                clock.wait(threading.Event(), float(page.ConsumedCapacity.get("CapacityUnits", 0)) / units_per_second)
    except exceptions.ClientError as error:
        raise _refused(table, error) from error
    except exceptions.BotoCoreError as error:
        hint = "Check the endpoint and the credentials."
        raise StreamError(f'could not read DynamoDB table "{table}"', detail=str(error), hint=hint) from error
    except msgspec.DecodeError as error:
        raise StreamError(f'could not read DynamoDB table "{table}": an answer was cut off', detail=str(error)) from error


def _keep_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    if response_dict["status_code"] == 200:
        customized_response_dict[_BODY] = response_dict["body"]
        response_dict["body"] = b"{}"


def _attribute(value: dict[str, msgspec.Raw]) -> Attribute:
    kind, raw = next(iter(value.items()))
    return Attribute(kind, msgspec.json.decode(raw, type=str) if kind in {"S", "N"} else None)


def _refused(table: str, error: exceptions.ClientError) -> StreamError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message") or code)
    if code == "ResourceNotFoundException":
        return StreamError(f'DynamoDB table "{table}" does not exist', sqlstate="42704", detail=message, hint="Names are case sensitive.")
    if "AccessDenied" in code or "UnrecognizedClient" in code:
        return StreamError(f'no right to read DynamoDB table "{table}"', sqlstate="42501", detail=message, hint="Check the role.")
    return StreamError(f'could not read DynamoDB table "{table}"', detail=message)
