"""SCRAM-SHA-256 as a server does it: RFC 5802 and 7677, with PostgreSQL's verifier text and SASLprep (RFC 4013)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata
from dataclasses import dataclass

from nearshift.wire.framing import ProtocolViolation

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 4096
_SALT_BYTES = 16
_VERIFIER = re.compile(r"^SCRAM-SHA-256\$(\d{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$")
_PROHIBITED = (
    stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4, stringprep.in_table_c5,
    stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8, stringprep.in_table_c9,
)  # fmt: skip


def saslprep(password: str) -> str:
    """Return the password as both sides hash it; one that RFC 4013 prohibits is used as it is, as PostgreSQL does."""
    if password.isascii():
        return password
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c))
    normal = unicodedata.normalize("NFKC", mapped)
    if not normal or any(prohibited(c) for c in normal for prohibited in _PROHIBITED):
        return password
    if any(stringprep.in_table_d1(c) for c in normal):
        ends_right = stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1])
        if not ends_right or any(stringprep.in_table_d2(c) for c in normal):
            return password
    return normal


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a server keeps instead of a password; `str` is PostgreSQL's `rolpassword` text."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    @classmethod
    def of(cls, password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> Verifier:
        """Derive the verifier of a password, with a fresh salt unless one is given."""
        salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
        salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
        client_key = _hmac(salted, b"Client Key")
        return cls(iterations, salt, hashlib.sha256(client_key).digest(), _hmac(salted, b"Server Key"))

    @classmethod
    def parse(cls, text: str) -> Verifier | None:
        """Read the text form, or return None when it is not one."""
        parts = _VERIFIER.match(text)
        if parts is None:
            return None
        try:
            salt, stored_key, server_key = (base64.b64decode(part, validate=True) for part in parts.group(2, 3, 4))
        except binascii.Error:
            return None
        if len(stored_key) != 32 or len(server_key) != 32:
            return None
        return cls(int(parts[1]), salt, stored_key, server_key)

    def __str__(self) -> str:
        salt, stored, server = (base64.b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key))
        return f"{MECHANISM}${self.iterations}:{salt}${stored}:{server}"

    def matches(self, password: str) -> bool:
        """Whether `password` is the one that this was derived from."""
        return hmac.compare_digest(Verifier.of(password, self.salt, self.iterations).stored_key, self.stored_key)


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
