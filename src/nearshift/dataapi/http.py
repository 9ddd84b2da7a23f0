"""The Data API over HTTP: JSON 1.1 of the AWS SDKs ("AWS JSON 1.1 protocol", Smithy), the operation named by `X-Amz-Target`."""

from __future__ import annotations

import logging
import uuid

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nearshift import limits
from nearshift.dataapi.failures import ApiFailure
from nearshift.dataapi.service import DataApi
from nearshift.dataapi.signatures import check_signature

log = logging.getLogger("nearshift.dataapi")
_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "RedshiftData."


class DataApiApp:
    """The service as an ASGI application; whether a request may come at all is decided before it."""

    def __init__(self, api: DataApi) -> None:
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        identifier = str(uuid.uuid4())
        try:
            response = await self._answer(request)
        except ApiFailure as failure:
            members = {"__type": failure.kind, "Message": failure.message, **failure.members}
            response = _response(members, failure.status)
            response.headers["x-amzn-ErrorType"] = failure.kind
        except Exception:
            log.exception("a request to the Data API failed")
            members = {"__type": "InternalServerException", "Message": "The request could not be answered."}
            response = _response(members, 500)
        response.headers["x-amzn-RequestId"] = identifier
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limits.DATA_API_REQUEST_BYTES_MAX:
                raise ApiFailure("RequestEntityTooLargeException", "The request is too long.", status=413)
        secret = self._api.gate.secret
        if secret is not None:
            check_signature(request.headers, bytes(body), self._api.gate.administrator, secret, self._api.clock.now())
        operation = request.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
        return _response(await run_in_threadpool(self._api.answer, operation, bytes(body)), 200)


def _response(members: object, status: int) -> Response:
    return Response(msgspec.json.encode(members), status, media_type=_TYPE)
