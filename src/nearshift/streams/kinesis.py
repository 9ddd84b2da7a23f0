"""Amazon Kinesis Data Streams as a source: the only module that knows boto3's client.

boto3 does credentials, signing, endpoints (AWS_ENDPOINT_URL_KINESIS and the like are its own) and profiles. Two of its parts are replaced:
its parser, by a documented event hook and `decode.py`, since it makes eight Python objects per record; and its retries, by `patience.py`,
since it sleeps where nobody can wake it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, cast

from botocore import exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError

from nearshift import limits
from nearshift.clock import Clock
from nearshift.errors import StreamError
from nearshift.streams.calls import CallFailed, FailureKind, Page, ShardPage
from nearshift.streams.decode import decode_page
from nearshift.streams.metrics import StreamMetrics, read_metrics
from nearshift.streams.patience import explain
from nearshift.streams.polling import PolledSource
from nearshift.streams.reader import Description
from nearshift.streams.record import Place, Position, SequenceNumber, Shard, ShardId
from nearshift.streams.roles import assume_roles

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import ShardTypeDef

T = TypeVar("T")
_BODY = "NearshiftBody"


@dataclass(frozen=True, slots=True)
class Access:
    """With which credentials and where streams are read: the clauses of an external schema.

    `roles` come from `roles.parse_roles`. None leaves region and endpoints to boto3's own configuration; they are given in tests and where
    one process speaks to several stand-ins.
    """

    region: str | None = None
    roles: tuple[str, ...] = ()
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None


def open_stream(name: str, access: Access, *, clock: Clock | None = None, random: Random | None = None) -> PolledSource:
    """Return the stream as a source. Asks AWS nothing yet; raises StreamError when no region is configured or a profile does not exist."""
    return PolledSource(name, KinesisCalls(name, _client(name, access)), clock=clock, random=random)


def stream_metrics(name: str, access: Access, *, start: datetime, end: datetime, period: timedelta) -> StreamMetrics:
    """Return what CloudWatch says of the stream in [start, end), both aware.

    Asks with the credentials that read the stream, which need cloudwatch:GetMetricData; raises StreamError. `endpoint_url` is that of
    CloudWatch here; AWS_ENDPOINT_URL_CLOUDWATCH is boto3's own way to say it.
    """
    part = f'the metrics of stream "{name}"'
    try:
        session = assume_roles(access.roles, access.region, sts_endpoint_url=access.sts_endpoint_url)
        client = session.client("cloudwatch", endpoint_url=access.endpoint_url)
    except exceptions.BotoCoreError as error:
        raise _unconfigured(part, error) from error
    try:
        return _call(lambda: read_metrics(client, name, start=start, end=end, period=period))
    except CallFailed as failure:
        raise explain(failure, part, needs="cloudwatch:GetMetricData") from failure
    finally:
        client.close()


def _client(name: str, access: Access) -> KinesisClient:
    config = Config(
        connect_timeout=limits.STREAM_CONNECT_SECONDS_MAX,
        read_timeout=limits.STREAM_ANSWER_SECONDS_MAX,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=limits.STREAM_CONNECTIONS_MAX,
    )
    try:
        session = assume_roles(access.roles, access.region, sts_endpoint_url=access.sts_endpoint_url)
        client = session.client("kinesis", endpoint_url=access.endpoint_url, config=config)
    except exceptions.BotoCoreError as error:
        raise _unconfigured(f'stream "{name}"', error) from error
    client.meta.events.register("before-parse.kinesis.GetRecords", keep_body)
    return client


def _unconfigured(part: str, error: exceptions.BotoCoreError) -> StreamError:
    hint = "Give the external schema a REGION or set AWS_DEFAULT_REGION; check AWS_PROFILE and the AWS configuration file."
    return StreamError(f"could not read {part}: AWS is not configured", detail=f"{_words(error)}.", hint=hint)


def keep_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Keep the bytes of a successful answer from boto3's parser: an event handler for `before-parse.kinesis.GetRecords`."""
    if response_dict["status_code"] == 200:
        customized_response_dict[_BODY] = response_dict["body"]
        response_dict["body"] = b"{}"


class KinesisCalls:
    """StreamCalls over a boto3 client whose GetRecords answers go through `keep_body`."""

    def __init__(self, name: str, client: KinesisClient) -> None:
        self._name = name
        self._client = client

    def describe(self) -> Description:
        """Return ARN with creation time, and retention, by DescribeStreamSummary."""
        found = _call(lambda: self._client.describe_stream_summary(StreamName=self._name)["StreamDescriptionSummary"])
        if found["StreamStatus"] == "DELETING":
            raise CallFailed(FailureKind.MISSING, "the stream is being deleted")
        created = found["StreamCreationTimestamp"].timestamp()
        return Description(f"{found['StreamARN']}@{created:.3f}", timedelta(hours=found["RetentionPeriodHours"]))

    def list_shards(self, token: str | None) -> ShardPage:
        """Return one page of ListShards: all shards whose records may still be there, closed ones too."""
        which: dict[str, Any] = {"StreamName": self._name} if token is None else {"NextToken": token}

        def ask() -> ShardPage:
            answer = self._client.list_shards(**which)
            return ShardPage([_shard(shard) for shard in answer["Shards"]], answer.get("NextToken"))

        return _call(ask)

    def iterator(self, shard: ShardId, position: Position) -> str:
        """Return an iterator by GetShardIterator, AT_SEQUENCE_NUMBER for an AFTER position."""
        where: dict[str, Any] = {"StreamName": self._name, "ShardId": shard}
        match position.place:
            case Place.OLDEST:
                where["ShardIteratorType"] = "TRIM_HORIZON"
            case Place.AFTER:
                where |= {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": position.sequence_number}
            case Place.AT_TIME:
                where |= {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": position.instant}
            case Place.END:
                raise AssertionError("nothing is read at the end of a shard")
        return _call(lambda: self._client.get_shard_iterator(**where)["ShardIterator"])

    def records(self, shard: ShardId, iterator: str, limit: int) -> Page:
        """Return one page of GetRecords."""
        answer = _call(lambda: self._client.get_records(ShardIterator=iterator, Limit=limit))
        return decode_page(cast("dict[str, Any]", answer)[_BODY], shard)

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()


def _shard(shard: ShardTypeDef) -> Shard:
    parents = tuple(ShardId(p) for p in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId")) if p)
    numbers = shard["SequenceNumberRange"]
    ending = numbers.get("EndingSequenceNumber")
    return Shard(
        id=ShardId(shard["ShardId"]),
        parents=parents,
        is_closed=ending is not None,
        starting=SequenceNumber(numbers["StartingSequenceNumber"]),
        ending=None if ending is None else SequenceNumber(ending),
    )


def _call(call: Callable[[], T]) -> T:
    try:
        return call()
    except exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        kind = classify_error(code, status, error.operation_name)
        raise CallFailed(kind, str(error.response.get("Error", {}).get("Message") or code)) from error
    except exceptions.BotoCoreError as error:
        raise CallFailed(_classify_local(error), _words(error)) from error
    except (ResponseParserError, KeyError) as error:  # boto3 takes JSON that breaks off for an answer without members
        raise CallFailed(FailureKind.CUT_OFF, "the answer is not what Kinesis answers") from error


_CODES = {
    "ProvisionedThroughputExceededException": FailureKind.THROTTLED,
    "LimitExceededException": FailureKind.THROTTLED,
    "ThrottlingException": FailureKind.THROTTLED,
    "Throttling": FailureKind.THROTTLED,
    "RequestLimitExceeded": FailureKind.THROTTLED,
    "KMSThrottlingException": FailureKind.THROTTLED,
    "ExpiredIteratorException": FailureKind.ITERATOR_EXPIRED,
    "ExpiredNextTokenException": FailureKind.TOKEN_EXPIRED,
    "ResourceNotFoundException": FailureKind.MISSING,
    "AccessDeniedException": FailureKind.DENIED,
    "AccessDenied": FailureKind.DENIED,
    "KMSAccessDeniedException": FailureKind.DENIED,
    "KMSDisabledException": FailureKind.DENIED,
    "KMSInvalidStateException": FailureKind.DENIED,
    "KMSNotFoundException": FailureKind.DENIED,
    "KMSOptInRequired": FailureKind.DENIED,
    "UnrecognizedClientException": FailureKind.DENIED,
    "InvalidClientTokenId": FailureKind.DENIED,
    "InvalidSignatureException": FailureKind.DENIED,
    "SignatureDoesNotMatch": FailureKind.DENIED,
    "IncompleteSignature": FailureKind.DENIED,
    "MissingAuthenticationTokenException": FailureKind.DENIED,
    "ExpiredTokenException": FailureKind.DENIED,
    "ExpiredToken": FailureKind.DENIED,
    "OptInRequired": FailureKind.DENIED,
    "InternalFailure": FailureKind.UNAVAILABLE,
    "InternalFailureException": FailureKind.UNAVAILABLE,
    "ServiceUnavailable": FailureKind.UNAVAILABLE,
    "ServiceUnavailableException": FailureKind.UNAVAILABLE,
    "RequestTimeout": FailureKind.UNAVAILABLE,
}


def classify_error(code: str, status: int, operation: str) -> FailureKind:
    """Return what an error answer means: by its code, then by its HTTP status ("Common Errors" and each action, Kinesis API reference).

    InvalidArgumentException is two things: a sequence number that the shard does not have any more, or an iterator it never gave. boto3
    puts the status in place of a code that it could not read: the answer was cut off, or is not Kinesis's own.
    """
    if code == "InvalidArgumentException" and operation == "GetShardIterator":
        return FailureKind.POSITION_REFUSED
    if code == "InvalidArgumentException" and operation == "GetRecords":
        return FailureKind.ITERATOR_EXPIRED
    if code.isdigit() and status < 500:
        return FailureKind.CUT_OFF
    known = _CODES.get(code)
    if known is not None:
        return known
    return FailureKind.UNAVAILABLE if status >= 500 else FailureKind.REFUSED


_WITHOUT_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
    exceptions.RefreshWithMFAUnsupportedError,
)


def _classify_local(error: exceptions.BotoCoreError) -> FailureKind:
    if isinstance(error, _WITHOUT_CREDENTIALS):
        return FailureKind.NO_CREDENTIALS
    if isinstance(error, exceptions.HTTPClientError):
        return FailureKind.UNAVAILABLE
    if isinstance(error, (exceptions.ResponseStreamingError, exceptions.IncompleteReadError)):
        return FailureKind.CUT_OFF
    return FailureKind.REFUSED


def _words(error: exceptions.BotoCoreError) -> str:
    return " ".join(str(error).split()).rstrip(".")
