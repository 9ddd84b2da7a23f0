"""The wire formats of AWS APIs: a body to parameters, an answer or an error to a body.

JSON 1.0 and 1.1, the CBOR that Amazon's Kinesis clients prefer, CloudWatch's smithy-rpc-v2-cbor, and the query protocol with its XML.
Services know none of them: they take and give dicts (or finished JSON), with times as seconds since 1970 or, in CloudWatch, as datetimes.
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import cbor2
import msgspec

from nearshift.localaws.errors import AwsError
from nearshift.localaws.service import Decoder
from nearshift.localaws.wire import Reply

_TIMESTAMP_TAG = 1
# Seconds since 1970 stay below this for three thousand years; what is above it are milliseconds.
_SECONDS_MAX = 100_000_000_000


class Format(Protocol):
    """One way to write requests and answers."""

    def decode(self, body: bytes, decoder: Decoder | None) -> Any:
        """Return the parameters; raises AwsError SerializationException."""

    def answer(self, operation: str, result: dict[str, Any] | bytes, request_id: str) -> Reply:
        """Return the reply of a call that succeeded."""

    def error(self, error: AwsError, request_id: str) -> Reply:
        """Return the reply of a call that failed."""


class JsonFormat:
    """JSON 1.0 and 1.1. With `has_datetimes` the answers of the service may hold datetimes, which are written as seconds."""

    def __init__(self, version: str, namespace: str, *, has_crc32: bool = False, has_datetimes: bool = False) -> None:
        self._content_type = f"application/x-amz-json-{version}"
        self._namespace = namespace
        self._has_crc32 = has_crc32
        self._has_datetimes = has_datetimes

    def decode(self, body: bytes, decoder: Decoder | None) -> Any:
        """Return the parameters; raises AwsError SerializationException."""
        return decode_json(body, decoder)

    def answer(self, operation: str, result: dict[str, Any] | bytes, request_id: str) -> Reply:  # noqa: ARG002 - the shape of Format
        """Return the reply of a call that succeeded. An answer without members has no body in JSON 1.1, as AWS has it."""
        if isinstance(result, bytes):
            body = result
        else:
            body = msgspec.json.encode(_map_times(result, datetime.timestamp) if self._has_datetimes else result)
        if body == b"{}" and not self._has_crc32:
            body = b""
        return self._reply(200, body, request_id, ())

    def error(self, error: AwsError, request_id: str) -> Reply:
        """Return the reply of a call that failed."""
        kind = f"{self._namespace}{error.code}"
        body = msgspec.json.encode({"__type": kind, "message": error.message, **error.members})
        return self._reply(error.status, body, request_id, (("x-amzn-errortype", error.code),))

    def _reply(self, status: int, body: bytes, request_id: str, headers: tuple[tuple[str, str], ...]) -> Reply:
        if self._has_crc32:
            headers = (*headers, ("x-amz-crc32", str(zlib.crc32(body))))
        return Reply(status, self._content_type, body, (("x-amzn-RequestId", request_id), *headers))


class CborFormat:
    """application/x-amz-cbor-1.1 of Kinesis: byte strings for blobs, tag 1 with milliseconds for times."""

    _CONTENT_TYPE = "application/x-amz-cbor-1.1"

    def decode(self, body: bytes, decoder: Decoder | None) -> Any:
        """Return the parameters; raises AwsError SerializationException."""
        parameters = decode_cbor(body)
        return parameters if decoder is None else decode_json(msgspec.json.encode(parameters), decoder)

    def answer(self, operation: str, result: dict[str, Any] | bytes, request_id: str) -> Reply:  # noqa: ARG002 - the shape of Format
        """Return the reply of a call that succeeded."""
        members = msgspec.json.decode(result) if isinstance(result, bytes) else result
        body = cbor2.dumps(_to_cbor(members)) if members else b""
        return Reply(200, self._CONTENT_TYPE, body, (("x-amzn-RequestId", request_id),))

    def error(self, error: AwsError, request_id: str) -> Reply:
        """Return the reply of a call that failed."""
        body = cbor2.dumps({"__type": error.code, "message": error.message, **error.members})
        return Reply(error.status, self._CONTENT_TYPE, body, (("x-amzn-RequestId", request_id), ("x-amzn-errortype", error.code)))


class RpcCborFormat:
    """smithy-rpc-v2-cbor ("Smithy RPC v2 CBOR protocol"): times are tag 1 with seconds."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def decode(self, body: bytes, decoder: Decoder | None) -> Any:  # noqa: ARG002 - the shape of Format
        """Return the parameters; raises AwsError SerializationException."""
        return decode_cbor(body) if body else {}

    def answer(self, operation: str, result: dict[str, Any] | bytes, request_id: str) -> Reply:  # noqa: ARG002 - the shape of Format
        """Return the reply of a call that succeeded."""
        members = msgspec.json.decode(result) if isinstance(result, bytes) else result
        tagged = _map_times(members, lambda instant: cbor2.CBORTag(_TIMESTAMP_TAG, instant.timestamp()))
        return self._reply(200, cbor2.dumps(tagged), request_id, ())

    def error(self, error: AwsError, request_id: str) -> Reply:
        """Return the reply of a call that failed."""
        body = cbor2.dumps({"__type": f"{self._namespace}{error.code}", "message": error.message})
        side = "Sender" if error.status < 500 else "Receiver"
        return self._reply(error.status, body, request_id, (("x-amzn-query-error", f"{error.code};{side}"),))

    def _reply(self, status: int, body: bytes, request_id: str, headers: tuple[tuple[str, str], ...]) -> Reply:
        fixed = (("smithy-protocol", "rpc-v2-cbor"), ("x-amzn-RequestId", request_id))
        return Reply(status, "application/cbor", body, (*fixed, *headers))


class QueryFormat:
    """The query protocol of STS and of older CloudWatch clients: a form in, XML out."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def decode(self, body: bytes, decoder: Decoder | None) -> Any:  # noqa: ARG002 - the shape of Format
        """Return the parameters with their lists and structures put together; all leaves are texts."""
        return nest_form(decode_form(body))

    def answer(self, operation: str, result: dict[str, Any] | bytes, request_id: str) -> Reply:
        """Return the reply of a call that succeeded."""
        members = msgspec.json.decode(result) if isinstance(result, bytes) else result
        text = (
            f'<{operation}Response xmlns="{self._namespace}"><{operation}Result>{_to_xml(members)}</{operation}Result>'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
        )
        return Reply(200, "text/xml", text.encode(), (("x-amzn-RequestId", request_id),))

    def error(self, error: AwsError, request_id: str) -> Reply:
        """Return the reply of a call that failed."""
        side = "Sender" if error.status < 500 else "Receiver"
        text = (
            f'<ErrorResponse xmlns="{self._namespace}"><Error><Type>{side}</Type><Code>{escape(error.code)}</Code>'
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Reply(error.status, "text/xml", text.encode(), (("x-amzn-RequestId", request_id),))


def decode_json(body: bytes, decoder: Decoder | None) -> Any:
    """Return what a JSON body says; an empty body is an object without members. Raises AwsError SerializationException."""
    try:
        return (decoder or msgspec.json.decode)(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AwsError("SerializationException", f"The body of the request cannot be read: {error}") from None


def decode_cbor(body: bytes) -> Any:
    """Return what a CBOR body says, times as seconds since 1970. Raises AwsError SerializationException."""
    if not body:
        return {}
    try:
        return cbor2.loads(body, semantic_decoders={_TIMESTAMP_TAG: _decode_time})
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise AwsError("SerializationException", f"The body of the request cannot be read: {error}") from None


def _decode_time(value: Any, _: bool) -> float:  # noqa: FBT001 - the shape that cbor2 calls
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = "a time is not a number"
        raise TypeError(message)
    return value / 1000 if abs(value) > _SECONDS_MAX else float(value)


def _to_cbor(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _to_cbor(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_to_cbor(inner) for inner in value]
    if name == "Data" and isinstance(value, str):
        return b64decode(value)
    if name.endswith("Timestamp") and isinstance(value, int | float):
        return cbor2.CBORTag(_TIMESTAMP_TAG, round(value * 1000))
    return value


def _map_times(value: Any, convert: Callable[[datetime], Any]) -> Any:
    """Return `value` with every datetime converted."""
    if isinstance(value, datetime):
        return convert(value)
    if isinstance(value, dict):
        return {key: _map_times(inner, convert) for key, inner in value.items()}
    if isinstance(value, list):
        return [_map_times(inner, convert) for inner in value]
    return value


def decode_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form. Raises AwsError MalformedQueryString."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=10_000))
    except ValueError as error:
        raise AwsError("MalformedQueryString", f"The body of the request cannot be read: {error}") from None


def nest_form(fields: dict[str, str]) -> dict[str, Any]:
    """Return `A.member.1.B=x` as `{"A": [{"B": "x"}]}`; the numbers order the list and need not be dense."""
    root: dict[str, Any] = {}
    for path, text in fields.items():
        node = root
        words = path.split(".")
        for word in words[:-1]:
            inner = node.setdefault(word, {})
            if not isinstance(inner, dict):
                raise AwsError("MalformedQueryString", f"The field {path} contradicts another one.")
            node = inner
        node[words[-1]] = text
    return {name: _fold_lists(value) for name, value in root.items()}


def _fold_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {"member"} and isinstance(value["member"], dict) and all(key.isdigit() for key in value["member"]):
        return [_fold_lists(inner) for _, inner in sorted(value["member"].items(), key=lambda pair: int(pair[0]))]
    return {name: _fold_lists(inner) for name, inner in value.items()}


def _to_xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_to_xml(inner)}</{name}>" for name, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return "".join(f"<member>{_to_xml(inner)}</member>" for inner in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return escape(str(value))
