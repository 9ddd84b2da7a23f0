"""The APIs of AWS by boto3: the only module of this part that knows it.

Credentials, profiles, endpoints and retries are boto3's own; throttled calls are tried again, with longer and longer pauses, up to eight
times.
"""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)

from nearshift.deploy.calls import explain, no_credentials, no_region, unreachable, wrong_region
from nearshift.errors import NearshiftError, TargetError

_ATTEMPTS = 8


class Aws:
    """Implements `calls.Caller`; `region` None takes the one of boto3's configuration."""

    def __init__(self, region: str | None) -> None:
        """Reach nobody yet. Raises TargetError for a profile or region that does not exist."""
        try:
            self._session = boto3.Session(region_name=region)
        except ProfileNotFound as error:
            raise TargetError("the AWS profile does not exist", detail=str(error), hint="Correct AWS_PROFILE.") from error
        if self._session.region_name is None:
            raise no_region()
        self.region: str = self._session.region_name
        # STS is in every region, and its model is the smallest to read.
        known = {name for part in self._session.get_available_partitions() for name in self._session.get_available_regions("sts", part)}
        if self.region not in known:
            raise wrong_region(self.region)
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return boto3's client of a service."""
        if service not in self._clients:
            config = Config(retries={"mode": "standard", "total_max_attempts": _ATTEMPTS}, connect_timeout=10, read_timeout=60)
            self._clients[service] = self._session.client(service, config=config)  # type: ignore[call-overload]
        return self._clients[service]

    def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
        """Return the answer of an operation. Raises Refusal, and TargetError when nobody answered."""
        try:
            answer: dict[str, Any] = getattr(self.client(service), operation)(**members)
        except ClientError as error:
            told = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
            name = error.operation_name
            raise explain(service, name, told.get("Code", "Unknown"), told.get("Message", ""), status) from error
        except BotoCoreError as error:
            raise _explain_local(service, error, self.region) from error
        return answer


def _explain_local(service: str, error: BotoCoreError, region: str) -> NearshiftError:
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return no_credentials()
        case NoRegionError():
            return no_region()
        case InvalidRegionError():
            return wrong_region(region)
        case EndpointConnectionError() | ConnectionError() | HTTPClientError():
            return unreachable(service, str(error))
        case ParamValidationError():
            return TargetError(f'a request to "{service}" is not well formed', detail=str(error))
        case _:
            return TargetError(f'could not call "{service}" of AWS', detail=str(error), hint="Look at the AWS configuration.")
