"""AssumeRole and GetCallerIdentity ("AWS Security Token Service API reference"): enough for role chains and for reading across accounts.

Roles need not exist: whoever may reach the port may assume any role, and then stands in the role's account.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from nearshift.localaws.clock import Clock
from nearshift.localaws.errors import AwsError
from nearshift.localaws.identity import Caller, Identities

VERSION = "2011-06-15"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/([\w+=,.@/-]+)")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
_DURATION_DEFAULT = 3600
_DURATION_MIN = 900
_DURATION_MAX = 43_200
_CHAINED_DURATION_MAX = 3600


class Sts:
    """The Security Token Service; its operations take the fields of a form."""

    def __init__(self, identities: Identities, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock
        self.operations: dict[str, Callable[[Caller, dict[str, Any]], dict[str, Any]]] = {
            "AssumeRole": self._assume_role,
            "GetCallerIdentity": self._get_caller_identity,
        }
        self.reads = frozenset(("GetCallerIdentity",))

    def _assume_role(self, caller: Caller, fields: dict[str, Any]) -> dict[str, Any]:
        role_arn, session_name = str(fields.get("RoleArn", "")), str(fields.get("RoleSessionName", ""))
        match = _ROLE.fullmatch(role_arn)
        if match is None:
            raise AwsError("ValidationError", f"{role_arn} is invalid" if role_arn else _null_problem("roleArn"))
        if not _SESSION_NAME.fullmatch(session_name):
            pattern = r"[\w+=,.@-]*"
            message = (
                f"1 validation error detected: Value '{session_name}' at 'roleSessionName' failed to satisfy constraint: "
                f"Member must satisfy regular expression pattern: {pattern} and have length between 2 and 64"
            )
            raise AwsError("ValidationError", message if session_name else _null_problem("roleSessionName"))
        duration = self._checked_duration(fields.get("DurationSeconds"), is_chained=":assumed-role/" in caller.principal_arn)
        partition, account, role_path = match.groups()
        principal_arn = f"arn:{partition}:sts::{account}:assumed-role/{role_path.rpartition('/')[2]}/{session_name}"
        role_id = "AROA" + hashlib.sha256(role_arn.encode()).hexdigest()[:17].upper()
        expires_ms = self._clock.now_ms() + duration * 1000
        session = self._identities.add_session(account, principal_arn, role_id, session_name, expires_ms)
        return {
            "Credentials": {
                "AccessKeyId": session.access_key,
                "SecretAccessKey": secrets.token_urlsafe(30),
                "SessionToken": secrets.token_urlsafe(120),
                "Expiration": datetime.fromtimestamp(expires_ms // 1000, UTC),
            },
            "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": principal_arn},
        }

    def _checked_duration(self, text: Any, *, is_chained: bool) -> int:
        if text is None:
            return _DURATION_DEFAULT
        if not str(text).isdigit():
            raise AwsError("MalformedInput", "DurationSeconds is not a number")
        duration = int(text)
        if not _DURATION_MIN <= duration <= _DURATION_MAX:
            bound = f"greater than or equal to {_DURATION_MIN}" if duration < _DURATION_MIN else f"less than or equal to {_DURATION_MAX}"
            message = (
                f"1 validation error detected: Value '{duration}' at 'durationSeconds' failed to satisfy constraint: "
                f"Member must have value {bound}"
            )
            raise AwsError("ValidationError", message)
        if is_chained and duration > _CHAINED_DURATION_MAX:
            message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
            raise AwsError("ValidationError", message)
        return duration

    def _get_caller_identity(self, caller: Caller, fields: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - it has no fields
        return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.principal_arn}


def _null_problem(name: str) -> str:
    return f"1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
