"""How AWS is called and what its refusals become: one clear message with the next step each. Pure but for the caller that is handed in."""

from __future__ import annotations

from typing import Any, Final, Protocol

from nearshift.errors import NearshiftError, TargetError


class Caller(Protocol):
    """The APIs of AWS in one region, as whoever deploys."""

    region: str

    def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
        """Return the answer of an operation, named as boto3 names it. Raises Refusal, and TargetError when nobody answered."""
        ...


class Refusal(TargetError):
    """AWS answered with an error; `code` is its name."""

    def __init__(self, code: str, message: str, *, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, detail=detail, hint=hint)
        self.code = code


_DENIED: Final = frozenset({
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException", "AuthorizationError",
})  # fmt: skip
_KEYS: Final = frozenset({
    "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature",
    "MissingAuthenticationToken", "MissingAuthenticationTokenException", "AuthFailure",
})  # fmt: skip
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_THROTTLED: Final = frozenset({
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
    "RequestLimitExceeded", "LimitExceededException", "ProvisionedThroughputExceededException",
})  # fmt: skip
AGAIN: Final = "Run the command again: it goes on where it stopped."


def explain(service: str, operation: str, code: str, message: str, status: int = 400) -> Refusal:
    """Return the error for what AWS refused; `operation` is the API's own name, such as CreateChangeSet."""
    action = f"{service}:{operation}"
    if code in _DENIED:
        resource = _resource(message)
        line = f'{{"Effect": "Allow", "Action": "{_action(message) or action}", "Resource": "{resource or "*"}"}}'
        hint = f"Add to the policy of who deploys: {line}. {AGAIN}"
        return Refusal(code, f'AWS does not allow "{_action(message) or action}"', detail=message, hint=hint)
    if code in _KEYS:
        hint = "Look at AWS_PROFILE and: aws sts get-caller-identity"
        return Refusal(code, "AWS does not know these credentials", detail=message, hint=hint)
    if code in _EXPIRED:
        return Refusal(code, "the AWS credentials have expired", detail=message, hint=f"Log in anew. {AGAIN}")
    if code in _THROTTLED:
        return Refusal(code, f'AWS asks to call "{action}" less often', detail=message, hint=f"Wait a minute. {AGAIN}")
    if code in {"OptInRequired", "SubscriptionRequiredException"}:
        return Refusal(code, f'the account may not use "{service}"', detail=message, hint="Subscribe to the service in the console of AWS.")
    if status >= 500:
        return Refusal(code, f'AWS could not answer "{action}"', detail=message, hint=AGAIN)
    return Refusal(code, f'AWS refused "{action}"', detail=f"{code}: {message}")




def _action(message: str) -> str | None:
    """Return the action that AWS names: "… is not authorized to perform: iam:CreateRole on resource: …"."""
    _, found, rest = message.partition("not authorized to perform: ")
    return rest.split(" ")[0].rstrip(".,") if found else None


def _resource(message: str) -> str | None:
    _, found, rest = message.partition("on resource: ")
    return rest.split(" ")[0].rstrip(".,") if found else None


def no_credentials() -> NearshiftError:
    """Return the error for a machine that has no keys for AWS."""
    return TargetError("there are no AWS credentials", hint="Set AWS_PROFILE, or log in with: aws configure (or aws sso login)")


def no_region() -> NearshiftError:
    """Return the error when nobody says which region is meant."""
    return TargetError("no AWS region is named", hint='Set region in [targets.redshift] of nearshift.toml, such as region = "eu-west-1".')


def wrong_region(region: str) -> NearshiftError:
    """Return the error for a name that is no region."""
    return TargetError(f'"{region}" is not a region of AWS', hint="Correct region in [targets.redshift] of nearshift.toml.")


def unreachable(service: str, reason: str) -> NearshiftError:
    """Return the error for a connection that could not be made or broke."""
    return TargetError(f'could not reach "{service}" of AWS', detail=reason, hint=f"Look at the network and the region. {AGAIN}")
