"""What each operation is asked, checked as AWS checks it: "Actions", Amazon Redshift Data API reference. Unknown members are ignored."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from nearshift.dataapi.failures import ApiFailure, invalid

_NAME: TypeAlias = Annotated[str, Meta(max_length=2048)]
_TOKEN: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
_CLUSTER: TypeAlias = Annotated[str, Meta(min_length=1, max_length=63, pattern="^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
_WORKGROUP: TypeAlias = Annotated[str, Meta(min_length=3, max_length=192, pattern="^([a-z0-9-]{3,64}|arn:aws[a-z-]*:.+)$")]
_ID: TypeAlias = Annotated[str, Meta(pattern="^[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}(:\\d{0,2})?$")]
_WAIT: TypeAlias = Annotated[int, Meta(ge=1, le=30)]
_PAGE: TypeAlias = Annotated[int, Meta(ge=0, le=1000)]
Format: TypeAlias = Literal["JSON", "CSV"]
Status: TypeAlias = Literal["SUBMITTED", "PICKED", "STARTED", "FINISHED", "ABORTED", "FAILED", "ALL"]


class Parameter(Struct, frozen=True):
    """A named value; the type comes from where it stands in the statement."""

    name: str
    value: str


class Place(Struct, frozen=True, rename="pascal"):
    """Which warehouse is meant, and as whom: the members that all operations but those on a statement share."""

    cluster_identifier: _CLUSTER | None = None
    workgroup_name: _WORKGROUP | None = None
    secret_arn: str | None = None
    db_user: str | None = None
    database: str | None = None


class Execution(Place, frozen=True, rename="pascal", kw_only=True):
    """What the two operations that run SQL have in common."""

    statement_name: _NAME | None = None
    with_event: bool = False
    client_token: _TOKEN | None = None
    result_format: Format = "JSON"
    session_id: _ID | None = None
    session_keep_alive_seconds: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    wait_time_seconds: _WAIT | None = None
    parameters: Annotated[tuple[Parameter, ...], Meta(min_length=1)] | None = None


class ExecuteStatement(Execution, frozen=True, rename="pascal", kw_only=True):
    """One statement."""

    sql: str


class BatchExecuteStatement(Execution, frozen=True, rename="pascal", kw_only=True):
    """Several statements, one transaction or each its own."""

    sqls: Annotated[tuple[str, ...], Meta(min_length=1, max_length=40)]
    execution_mode: Literal["TRANSACTION", "AUTO_COMMIT"] = "TRANSACTION"


class OneStatement(Struct, frozen=True, rename="pascal"):
    """DescribeStatement, GetStatementResult, GetStatementResultV2 and CancelStatement."""

    id: _ID
    next_token: str | None = None
    wait_time_seconds: _WAIT | None = None


class ListStatements(Struct, frozen=True, rename="pascal"):
    """Which of the statements of the last day."""

    next_token: str | None = None
    max_results: Annotated[int, Meta(ge=0, le=100)] = 100
    statement_name: _NAME | None = None
    status: Status = "ALL"
    role_level: bool = True
    database: str | None = None
    cluster_identifier: str | None = None
    workgroup_name: str | None = None


class Listing(Place, frozen=True, rename="pascal", kw_only=True):
    """ListDatabases, ListSchemas, ListTables and DescribeTable; patterns are those of LIKE."""

    connected_database: str | None = None
    schema_pattern: str | None = None
    table_pattern: str | None = None
    schema: str | None = None
    table: str | None = None
    next_token: str | None = None
    max_results: _PAGE = 1000


T = TypeVar("T", bound=Struct)
_MEMBER: Final = re.compile(r" - at `\$\.?([^`]*)`$")


def read(body: bytes, kind: type[T]) -> T:
    """Return what a request asks. Raises ApiFailure: SerializationException for what is no JSON, ValidationException for a wrong member."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise invalid(_explain(str(error))) from error
    except msgspec.DecodeError as error:
        raise ApiFailure("SerializationException", "The request body is not JSON.") from error


def _explain(text: str) -> str:
    place = _MEMBER.search(text)
    reason = _MEMBER.sub("", text).replace("`", "'")
    return f"Invalid value for {place[1]}: {reason}" if place else reason
