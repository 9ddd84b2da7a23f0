"""The seam between the server and the services: what a service is, and what a request tells it.

A service is an object with the attributes of `Service`. The server calls an operation as `operations[name](request, parameters)`:

- reads (`reads`) run outside a transaction; all others run inside `store.transaction()`, which is rolled back when the operation raises;
- `parameters` is the decoded body: what `decoders[name]` makes of the JSON text, else a plain dict. Members may be missing or of any type;
- the answer is a dict that msgspec can encode, or `bytes` that are JSON already;
- `AwsError` becomes an error of AWS's shape. Anything else is logged and answered with InternalFailure.

DynamoDB is made as `dynamodb.DynamoDb(store, clock, kinesis)`. Its capture puts a change record into a stream, inside the same transaction,
with `kinesis.capture(stream_arn, partition_key, payload)`, which also plays the duplicates and delays that the admin door asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, from where: the scope in which names of tables and streams are looked up."""

    operation: str
    account: str
    region: str
    request_id: str
    access_key: str = ""
    principal_arn: str = ""  # of the assumed role; empty for long-term credentials


Operation = Callable[[Request, Any], "dict[str, Any] | bytes"]
Decoder = Callable[[bytes], Any]


class Service(Protocol):
    """One AWS API of the JSON protocols."""

    @property
    def target(self) -> str:
        """The part of X-Amz-Target before the point, for example `DynamoDB_20120810`."""

    @property
    def json_version(self) -> str:
        """`1.0` or `1.1`: the end of the content type."""

    @property
    def error_namespace(self) -> str:
        """What stands before the code in `__type`: `com.amazonaws.dynamodb.v20120810#`, or nothing."""

    @property
    def has_crc32(self) -> bool:
        """Whether answers carry x-amz-crc32, which DynamoDB's clients check."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        """All operations by their name in the API."""

    @property
    def reads(self) -> frozenset[str]:
        """The operations that never write."""

    @property
    def decoders(self) -> Mapping[str, Decoder]:
        """Typed decoders of the JSON body for the operations that want one; msgspec's DecodeError becomes SerializationException."""

    def maintain(self) -> None:
        """Do what time makes due (expiry, trimming), in small portions; called about once a second inside a transaction."""
