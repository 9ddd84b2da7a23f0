"""Who may talk to the console: programs of this machine and pages that the console itself served.

The console runs SQL for whoever reaches it, and browsers will send requests for any page they show. Three checks stand before every route:

- *Host*: a page of another site can make its own name point to 127.0.0.1 (DNS rebinding); its requests then carry its name as Host. Only
  the names of this machine pass.
- *Origin*: a request that changes anything must say that it comes from the console's own page. Programs without a browser send the header
  themselves; a browser does not let a page forge it.
- *Content type*: such a request must be JSON, which a plain form of another site cannot send.

With a password (needed beyond loopback) any Host passes, since a rebinding page has no credentials to send.

The Data API shares the port and is for programs only. A page could send its requests neither as a form, which has no such content type
and header, nor by script, since a browser asks first (a preflight, which is refused) and adds Origin, which no SDK does.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nearshift.console.replies import describe_error, encode
from nearshift.errors import NearshiftError, PermissionDenied

_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD"})
# The libraries set style attributes, hence 'unsafe-inline' for styles; scripts come from files of ours only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses requests as the module says, and adds the security headers to every answer."""

    def __init__(self, app: ASGIApp, password: str | None = None) -> None:
        self._app = app
        self._password = password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = decide_refusal(scope["method"], Headers(scope=scope), self._password)
        if refusal is None:
            await self._app(scope, receive, send_guarded)
            return
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        status = 403
        if refusal.sqlstate == "28P01":
            status = 401
            headers.append((b"www-authenticate", b'Basic realm="nearshift", charset="UTF-8"'))
        await send_guarded({"type": "http.response.start", "status": status, "headers": headers})
        await send_guarded({"type": "http.response.body", "body": encode({"error": describe_error(refusal)})})


def decide_refusal(method: str, headers: Headers, password: str | None) -> NearshiftError | None:
    """Return why a request is refused, or None. With a password, 28P01 asks for it."""
    host = headers.get("host", "")
    if password is not None:
        if not _knows(headers.get("authorization", ""), password):
            return PermissionDenied("the console needs a password", sqlstate="28P01", hint="Log in with any user name and the password.")
    elif _name_of(host) not in _LOCAL_NAMES:
        hint = "Open the console at http://127.0.0.1 or http://localhost with its port."
        return PermissionDenied(f'the console does not answer to the name "{host}"', hint=hint)
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return PermissionDenied("requests from pages of other sites are not answered")
    if method in _SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if origin is None or urlsplit(origin).netloc != host or urlsplit(origin).scheme not in {"http", "https"}:
        hint = "Programs send the header Origin with the console's own address; for SQL from programs there are the wire and the Data API."
        return PermissionDenied("the request does not come from the console's own page", hint=hint)
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        return PermissionDenied("the request is not JSON", hint="Send Content-Type: application/json.")
    return None


def is_for_data_api(headers: Headers) -> bool:
    """Return whether a request names an operation of the Redshift Data API."""
    return headers.get("x-amz-target", "").startswith("RedshiftData.")


def decide_api_refusal(method: str, headers: Headers, *, has_password: bool) -> str | None:
    """Return why a request to the Data API is refused before it is looked at, or None; with a password its signature is checked later."""
    if not has_password and _name_of(headers.get("host", "")) not in _LOCAL_NAMES:
        return "The Data API answers to the names of this machine only."
    if headers.get("origin") is not None or headers.get("sec-fetch-site", "none") != "none":
        return "The Data API is not for pages in a browser."
    if method != "POST" or headers.get("content-type", "").split(";")[0].strip().lower() != "application/x-amz-json-1.1":
        return "Requests to the Data API are POSTs of application/x-amz-json-1.1."
    return None


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _knows(authorization: str, password: str) -> bool:
    scheme, _, encoded = authorization.partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True).partition(b":")[2] if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    return hmac.compare_digest(given, password.encode())
