"""Login: which proof is asked of a client, and whether what it answers is one.

Nobody is asked on this machine while a user has no password; nobody without a password gets in from elsewhere. Drivers of Redshift are
asked for MD5 ("Authentication methods" of the public drivers: their SCRAM splits the list of mechanisms wrongly and fails), everybody
else for SCRAM-SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from nearshift.access.passwords import MECHANISM, Credential
from nearshift.errors import PermissionDenied
from nearshift.wire import replies, scram
from nearshift.wire.framing import ProtocolViolation
from nearshift.wire.messages import Body


class Method(Enum):
    """How a client proves who it is."""

    TRUST = "trust"
    CLEARTEXT = "password"
    MD5 = "md5"
    SCRAM = "scram-sha-256"


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of a client before it logs in."""

    user: str
    is_local: bool
    is_encrypted: bool
    is_redshift_driver: bool


def decide_method(credential: Credential | None, caller: Caller, wanted: Method | None = None) -> Method:
    """Return how `caller` must prove who it is; `wanted` is the server's setting, None to choose.

    Raises PermissionDenied (28000) when there is no acceptable way.
    """
    if credential is None:
        if caller.is_local:
            return Method.TRUST
        raise PermissionDenied(
            f'no password is set for user "{caller.user}"',
            sqlstate="28000",
            hint="Set one; without a password only clients on the same machine are let in.",
        )
    if wanted is not None and wanted is not Method.TRUST:
        method = wanted
    elif caller.is_redshift_driver or credential.verifier is None:
        method = Method.MD5 if credential.md5 is not None else Method.CLEARTEXT
    else:
        method = Method.SCRAM
    if method is Method.MD5 and credential.md5 is None:
        method = Method.CLEARTEXT
    if method is Method.SCRAM and credential.verifier is None:
        raise _refused(caller.user)
    if method is Method.CLEARTEXT and not (caller.is_encrypted or caller.is_local):
        raise PermissionDenied("passwords are not taken over an unencrypted connection", sqlstate="28000", hint="Connect with TLS.")
    return method


def _refused(user: str) -> PermissionDenied:
    return PermissionDenied(f'password authentication failed for user "{user}"', sqlstate="28P01")


class Exchange(Protocol):
    """One login in progress."""

    def challenge(self) -> bytes:
        """Return the first message to the client."""
        ...

    def answer(self, body: bytes) -> tuple[bytes, bool]:
        """Take the client's answer; return what to send and whether it is let in. Raises PermissionDenied (28P01) for a wrong proof."""
        ...


class CleartextExchange:
    """The password itself."""

    def __init__(self, user: str, credential: Credential) -> None:
        self._user = user
        self._credential = credential

    def challenge(self) -> bytes:
        """Return AuthenticationCleartextPassword."""
        return replies.AUTHENTICATION_CLEARTEXT

    def answer(self, body: bytes) -> tuple[bytes, bool]:
        """Take the password."""
        if not self._credential.matches(self._user, Body(body).text()):
            raise _refused(self._user)
        return b"", True


class Md5Exchange:
    """The digest of the kept digest and four bytes of salt."""

    def __init__(self, user: str, credential: Credential, salt: bytes | None = None) -> None:
        assert credential.md5 is not None
        self._user = user
        self._kept = credential.md5
        self._salt = salt or secrets.token_bytes(4)

    def challenge(self) -> bytes:
        """Return AuthenticationMD5Password."""
        return replies.authentication_md5(self._salt)

    def answer(self, body: bytes) -> tuple[bytes, bool]:
        """Take the digest."""
        wanted = "md5" + hashlib.md5(self._kept[3:].encode() + self._salt, usedforsecurity=False).hexdigest()
        if not hmac.compare_digest(Body(body).text().encode(), wanted.encode()):
            raise _refused(self._user)
        return b"", True


class ScramExchange:
    """SCRAM-SHA-256 inside SASL."""

    def __init__(self, user: str, credential: Credential) -> None:
        assert credential.verifier is not None
        self._user = user
        self._dialogue = scram.Dialogue(credential.verifier)
        self._is_begun = False

    def challenge(self) -> bytes:
        """Return AuthenticationSASL."""
        return replies.authentication_sasl([MECHANISM])

    def answer(self, body: bytes) -> tuple[bytes, bool]:
        """Take SASLInitialResponse, then SASLResponse."""
        if not self._is_begun:
            self._is_begun = True
            reader = Body(body)
            if reader.text() != MECHANISM:
                raise ProtocolViolation("client selected an invalid SASL authentication mechanism")
            first = _utf8(reader.take(reader.int32()))
            reader.end()
            return replies.authentication_sasl_continue(self._dialogue.first(first)), False
        final = self._dialogue.final(_utf8(body))
        if final is None:
            raise _refused(self._user)
        return replies.authentication_sasl_final(final), True


def _utf8(part: bytes) -> str:
    # The user name inside SCRAM may be any UTF-8; PostgreSQL ignores it, and so do we.
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError as failure:
        raise ProtocolViolation("malformed SCRAM message") from failure


def open_exchange(method: Method, user: str, credential: Credential) -> Exchange:
    """Return the exchange of a method that asks for proof."""
    if method is Method.SCRAM:
        return ScramExchange(user, credential)
    if method is Method.MD5:
        return Md5Exchange(user, credential)
    assert method is Method.CLEARTEXT
    return CleartextExchange(user, credential)
