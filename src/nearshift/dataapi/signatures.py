"""Whether a request was signed with the secret it must be signed with.

"Create a signed AWS API request" (Signature Version 4), AWS Identity and Access Management user guide. On loopback without a password
nothing is checked, since every client of the SDKs signs with whatever keys it has.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from nearshift.dataapi.failures import ApiFailure

_HEADER = re.compile(
    r"^AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})$"
)
_SKEW_SECONDS = 300
_MUST_BE_SIGNED = frozenset({"host", "x-amz-date", "x-amz-target"})


def check_signature(headers: Mapping[str, str], body: bytes, access_key: str, secret: str, now: datetime) -> None:
    """Raise ApiFailure unless a POST to `/` was signed by `access_key` with `secret` within five minutes.

    The names of `headers` are in lower case.
    """
    found = _HEADER.match(headers.get("authorization", ""))
    if found is None:
        raise ApiFailure("MissingAuthenticationTokenException", "The request is not signed.", status=403)
    key, day, region, service, names, signature = found.groups()
    if not hmac.compare_digest(key.encode(), access_key.encode()):
        raise ApiFailure("UnrecognizedClientException", "The security token included in the request is invalid.", status=403)
    stamp = headers.get("x-amz-date", "")
    signed = names.split(";")
    if not _is_fresh(stamp, now) or not stamp.startswith(day) or not set(signed) >= _MUST_BE_SIGNED:
        raise ApiFailure("InvalidSignatureException", "The signature has expired or does not cover the request.", status=403)
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed]
    canonical = "\n".join(["POST", "/", "", *lines, "", names, hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    digest = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        digest = hmac.digest(digest, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.new(digest, text.encode(), hashlib.sha256).hexdigest(), signature):
        raise ApiFailure("InvalidSignatureException", "The request signature does not match.", status=403)


def _is_fresh(stamp: str, now: datetime) -> bool:
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs((now - signed_at).total_seconds()) <= _SKEW_SECONDS
