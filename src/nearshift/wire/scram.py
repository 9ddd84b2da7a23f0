"""SCRAM-SHA-256 as a server speaks it: RFC 5802 and 7677. What it checks against is in `access.passwords`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from nearshift.access.passwords import Verifier
from nearshift.wire.framing import ProtocolViolation


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


class Dialogue:
    """One login: `first` answers the client's first message, `final` checks its proof."""

    def __init__(self, verifier: Verifier, nonce: str | None = None) -> None:
        self._verifier = verifier
        self._nonce = nonce or base64.b64encode(secrets.token_bytes(18)).decode()
        self._client_first_bare = ""
        self._server_first = ""
        self._binding = ""

    def first(self, message: str) -> str:
        """Take client-first-message, return server-first-message; raises ProtocolViolation for another shape."""
        flag, _, rest = message.partition(",")
        if flag.startswith("p="):
            raise ProtocolViolation("client requires SCRAM channel binding, but it was not offered")
        if flag not in {"n", "y"}:
            raise ProtocolViolation("malformed SCRAM message", detail="Unexpected channel-binding flag.")
        identity, _, bare = rest.partition(",")
        if identity:
            raise ProtocolViolation("client uses authorization identity, but it is not supported", sqlstate="0A000")
        attributes = _attributes(bare)
        if [name for name, _ in attributes[:2]] != ["n", "r"] or not attributes[1][1]:
            raise ProtocolViolation("malformed SCRAM message", detail="A nonce is missing.")
        self._binding = base64.b64encode(f"{flag},{identity},".encode()).decode()
        self._client_first_bare = bare
        self._nonce = attributes[1][1] + self._nonce
        salt = base64.b64encode(self._verifier.salt).decode()
        self._server_first = f"r={self._nonce},s={salt},i={self._verifier.iterations}"
        return self._server_first

    def final(self, message: str) -> str | None:
        """Take client-final-message; return server-final-message, or None when the proof is wrong."""
        without_proof, separator, proof_text = message.rpartition(",p=")
        attributes = dict(_attributes(without_proof))
        if not separator or attributes.get("c") != self._binding or attributes.get("r") != self._nonce:
            raise ProtocolViolation("malformed SCRAM message", detail="Binding, nonce or proof do not fit.")
        try:
            proof = base64.b64decode(proof_text, validate=True)
        except binascii.Error as failure:
            raise ProtocolViolation("malformed SCRAM message", detail="The proof is not base64.") from failure
        if len(proof) != 32:
            raise ProtocolViolation("malformed SCRAM message", detail="The proof has not 32 bytes.")
        signed = ",".join((self._client_first_bare, self._server_first, without_proof)).encode()
        signature = _hmac(self._verifier.stored_key, signed)
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), self._verifier.stored_key):
            return None
        return "v=" + base64.b64encode(_hmac(self._verifier.server_key, signed)).decode()


def _attributes(text: str) -> list[tuple[str, str]]:
    found = []
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if len(name) != 1 or not equals:
            raise ProtocolViolation("malformed SCRAM message", detail="An attribute is not of the form x=value.")
        found.append((name, value))
    return found
