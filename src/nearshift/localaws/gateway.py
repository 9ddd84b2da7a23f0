"""From a request to its service and back: which API is meant, in which format, for whom; transactions, injected faults and the admin
door.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from nearshift.localaws import cloudwatch, sts
from nearshift.localaws.admin import Admin
from nearshift.localaws.errors import AwsError
from nearshift.localaws.faults import Fault, Faults, Mishap
from nearshift.localaws.formats import CborFormat, Format, JsonFormat, QueryFormat, RpcCborFormat, decode_form
from nearshift.localaws.identity import Caller, Identities
from nearshift.localaws.service import Request, Service
from nearshift.localaws.store import Store
from nearshift.localaws.subscription import Subscription, Subscriptions
from nearshift.localaws.wire import HttpRequest, Reply

logger = logging.getLogger("nearshift.localaws")

_ADMIN_PATH = "/_admin"
_HEALTH_PATH = "/_health"
_INTERNAL = "The request could not be answered because of an internal error; see the server's log."


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a request gets: a reply or a subscription, and how its sending must go wrong.

    If the transaction that the reply was made in cannot be committed, `failure()` is sent instead.
    """

    format: Format
    request_id: str
    reply: Reply | None = None
    subscription: Subscription | None = None
    mishap: Mishap | None = None

    def failure(self) -> Reply:
        """Return the reply that says that nothing was kept."""
        message = "The store could not be written; nothing of this request was kept."
        return self.format.error(AwsError("InternalFailure", message, 500), self.request_id)


class Gateway:
    """Answers requests one by one on the server's loop."""

    def __init__(
        self,
        store: Store,
        services: Sequence[Service],
        identities: Identities,
        security: sts.Sts,
        subscriptions: Subscriptions,
        faults: Faults,
        admin: Admin | None,
    ) -> None:
        self._store = store
        self._services = {service.target: service for service in services}
        self._identities = identities
        self._security = security
        self._subscriptions = subscriptions
        self._faults = faults
        self._admin = admin
        self._json = {
            service.target: JsonFormat(
                service.json_version,
                service.error_namespace,
                has_crc32=service.has_crc32,
                has_datetimes=service.target == cloudwatch.CloudWatch.target,
            )
            for service in services
        }
        self._cbor = CborFormat()
        self._rpc = RpcCborFormat(cloudwatch.CloudWatch.error_namespace)
        self._cloudwatch_query = QueryFormat(cloudwatch.NAMESPACE)
        self._sts_query = QueryFormat(sts.NAMESPACE)
        self._plain = JsonFormat("1.1", "")

    def answer(self, http: HttpRequest) -> Exchange:
        """Do what a request asks for and say what it gets. Never raises."""
        request_id = str(uuid.uuid4())
        if http.path in (_ADMIN_PATH, _HEALTH_PATH):
            return Exchange(self._plain, request_id, self._own_door(http))
        if http.method != "POST":
            error = AwsError("UnknownOperationException", "Requests to this endpoint must be POST.", 405)
            return Exchange(self._plain, request_id, self._plain.error(error, request_id))
        target = http.headers.get("x-amz-target")
        if target is not None:
            prefix, _, operation = target.partition(".")
            is_cbor = http.headers.get("content-type", "").startswith("application/x-amz-cbor")
            form: Format = self._cbor if is_cbor else self._json.get(prefix, self._plain)
        elif http.headers.get("smithy-protocol") == "rpc-v2-cbor":
            words = http.path.split("?")[0].strip("/").split("/")
            prefix, operation = (words[-3], words[-1]) if len(words) >= 4 and words[-2] == "operation" else ("", "")
            form = self._rpc
        else:
            return self._answer_query(http, request_id)
        return self._answer_service(http, form, prefix, operation, request_id)

    def _answer_query(self, http: HttpRequest, request_id: str) -> Exchange:
        form = self._sts_query
        try:
            fields = decode_form(http.body)
        except AwsError as error:
            return Exchange(form, request_id, form.error(error, request_id))
        operation = fields.get("Action", "")
        if fields.get("Version") == cloudwatch.VERSION:
            return self._answer_service(http, self._cloudwatch_query, cloudwatch.CloudWatch.target, operation, request_id)
        fault = self._faults.take(operation)
        if fault is not None and fault.mishap is Mishap.DROP_BEFORE:
            return Exchange(form, request_id, mishap=fault.mishap)

        def run(caller: Caller) -> dict[str, Any]:
            run_operation = self._security.operations.get(operation)
            if run_operation is None:
                raise AwsError("InvalidAction", f"Could not find operation {operation} for version {fields.get('Version', 'NO_VERSION')}")
            if operation in self._security.reads:
                return run_operation(caller, fields)
            with self._store.transaction():
                return run_operation(caller, fields)

        reply = self._guard(http, form, operation, request_id, fault, run)
        return Exchange(form, request_id, reply, mishap=fault.mishap if fault else None)

    def _answer_service(self, http: HttpRequest, form: Format, prefix: str, operation: str, request_id: str) -> Exchange:
        fault = self._faults.take(operation)
        if fault is not None and fault.mishap is Mishap.DROP_BEFORE:
            return Exchange(form, request_id, mishap=fault.mishap)
        subscription: Subscription | None = None

        def run(caller: Caller) -> dict[str, Any] | bytes:
            nonlocal subscription
            service = self._services.get(prefix)
            if service is None:
                raise AwsError("UnknownOperationException", f"The target {prefix!r} is not served here.")
            request = Request(operation, caller.account, caller.region, request_id, caller.access_key, caller.principal_arn)
            is_subscription = operation == "SubscribeToShard" and prefix.startswith("Kinesis_")
            if operation not in service.operations and not is_subscription:
                raise AwsError("UnknownOperationException", f"The operation {operation!r} of {prefix} is not supported here.")
            parameters = form.decode(http.body, service.decoders.get(operation))
            if is_subscription:
                subscription = self._subscriptions.subscribe(request, parameters)
                return {}
            if operation in service.reads:
                return service.operations[operation](request, parameters)
            with self._store.transaction():
                return service.operations[operation](request, parameters)

        reply = self._guard(http, form, operation, request_id, fault, run)
        if subscription is not None and fault is None:
            return Exchange(form, request_id, subscription=subscription)
        if subscription is not None:
            subscription.end()
        return Exchange(form, request_id, reply, mishap=fault.mishap if fault else None)

    def _guard(self, http: HttpRequest, form: Format, operation: str, request_id: str, fault: Fault | None, run: Any) -> Reply:
        """Run a request for its caller and turn what goes wrong into an error of AWS's shape."""
        try:
            if fault is not None and fault.error is not None:
                raise fault.error
            return form.answer(operation, run(self._identities.identify(http.headers)), request_id)
        except AwsError as error:
            return form.error(error, request_id)
        except sqlite3.Error as error:
            logger.exception("%s failed in the store", operation)
            return form.error(AwsError("InternalFailure", f"The store could not be used: {error}", 500), request_id)
        except Exception:  # the outer loop of a request: logged, and answered without a trace
            logger.exception("%s failed", operation)
            return form.error(AwsError("InternalFailure", _INTERNAL, 500), request_id)

    def _own_door(self, http: HttpRequest) -> Reply:
        if http.path == _HEALTH_PATH:
            return Reply(200, "application/json", b'{"status":"ok"}')
        try:
            if self._admin is None:
                raise AwsError("AdminDoorClosed", "The server was not started with --admin.", 404)
            if http.method != "POST":
                raise AwsError("MethodNotAllowed", "Commands are sent by POST.", 405)
            if "origin" in http.headers:
                # A page of any site can make a browser send this; the APIs proper need a header that it cannot send without asking.
                raise AwsError("CrossOrigin", "Commands are not taken from web pages.", 403)
            with self._store.transaction():
                answer = self._admin.run(http.body)
        except AwsError as error:
            body = msgspec.json.encode({"error": error.code, "message": error.message})
            return Reply(error.status, "application/json", body)
        except Exception:  # the outer loop of a request
            logger.exception("an admin command failed")
            return Reply(500, "application/json", msgspec.json.encode({"error": "InternalFailure", "message": _INTERNAL}))
        return Reply(200, "application/json", msgspec.json.encode(answer))
