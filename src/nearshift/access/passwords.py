"""What a user's password is checked against, and what a password must be.

Kept are PostgreSQL's SCRAM-SHA-256 verifier (RFC 5802 and 7677, SASLprep of RFC 4013), the MD5 text that Redshift's drivers can answer,
or the salted SHA-256 digest that CREATE USER accepts; never the password. Comparisons take the same time whatever differs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata
from dataclasses import dataclass, replace
from typing import Final

from nearshift.errors import InvalidSql

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 4096
_SALT_BYTES = 16
_VERIFIER = re.compile(r"^SCRAM-SHA-256\$(\d{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$")
_DIGEST = re.compile(r"^sha256\|([0-9A-Fa-f]{64})\|((?:[0-9A-Fa-f]{2})+)$")
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


@dataclass(frozen=True, slots=True)
class Digest:
    """The form `sha256|digest|salt` of CREATE USER: SHA-256 of the password followed by the salt, both in hexadecimal digits."""

    digest: str
    salt: str

    @classmethod
    def parse(cls, text: str) -> Digest | None:
        """Read the text form, or return None when it is not one."""
        parts = _DIGEST.match(text)
        return cls(parts[1].lower(), parts[2].lower()) if parts else None

    def __str__(self) -> str:
        return f"sha256|{self.digest}|{self.salt}"

    def __repr__(self) -> str:
        return "Digest(…)"

    def matches(self, password: str) -> bool:
        """Whether `password` is the one that this was made from."""
        salted = password.encode() + bytes.fromhex(self.salt)
        return hmac.compare_digest(hashlib.sha256(salted).hexdigest(), self.digest)


@dataclass(frozen=True, slots=True)
class Credential:
    """What is kept of a user's password: PostgreSQL's MD5 text, its SCRAM verifier, or both; or a salted digest. None lets one read it.

    With both, every client can log in by the strongest method it knows; with a digest only those that send the password itself. With
    nothing, nobody can.
    """

    md5: str | None = None
    verifier: Verifier | None = None
    digest: Digest | None = None

    @classmethod
    def of_password(cls, user: str, password: str) -> Credential:
        """Derive both forms from a password."""
        return cls(md5_text(user, password), Verifier.of(password))

    @classmethod
    def of_nobody(cls) -> Credential:
        """Return a credential that no password fits, so that a stranger cannot tell which users exist."""
        verifier = Verifier(ITERATIONS, secrets.token_bytes(16), secrets.token_bytes(32), secrets.token_bytes(32))
        return cls("md5" + secrets.token_hex(16), verifier)

    @classmethod
    def parse(cls, text: str) -> Credential:
        """Read one or both forms, parted by a blank, as `str` writes them; parts of another form are left out."""
        found = cls()
        for part in text.split():
            if part.startswith("md5") and len(part) == 35:
                found = replace(found, md5=part)
            elif (verifier := Verifier.parse(part)) is not None:
                found = replace(found, verifier=verifier)
            elif (digest := Digest.parse(part)) is not None:
                found = replace(found, digest=digest)
        return found

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.md5, self.verifier, self.digest) if part is not None)

    def __repr__(self) -> str:
        # A verifier is a secret too: it must not reach a log by way of a traceback.
        parts = {"md5": self.md5, "scram": self.verifier, "sha256": self.digest}
        shown = (f"{name}={'no' if part is None else 'yes'}" for name, part in parts.items())
        return f"Credential({', '.join(shown)})"

    def matches(self, user: str, password: str) -> bool:
        """Whether `password` is the user's."""
        if self.verifier is not None:
            return self.verifier.matches(password)
        if self.digest is not None:
            return self.digest.matches(password)
        return self.md5 is not None and hmac.compare_digest(md5_text(user, password), self.md5)


def md5_text(user: str, password: str) -> str:
    """Return `md5` and the digest of password and user name, as PostgreSQL and Redshift keep it ("CREATE USER")."""
    return "md5" + hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()

PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 64
_RULES: Final = (
    (re.compile(r"[A-Z]"), "an uppercase letter"), (re.compile(r"[a-z]"), "a lowercase letter"), (re.compile(r"[0-9]"), "a number"),
)  # fmt: skip


def credential_of(user: str, text: str) -> Credential:
    """Return what is kept of the text after PASSWORD: a password, or `md5…`, `sha256|digest|salt` or `sha256|password` ("CREATE USER").

    Raises InvalidSql (22023) for a password that is too easy or has characters that Redshift does not take; the text is not in the error.
    """
    if re.fullmatch(r"md5[0-9a-f]{32}", text):
        return Credential(md5=text)
    if (digest := Digest.parse(text)) is not None:
        return Credential(digest=digest)
    password = text.removeprefix("sha256|")
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise InvalidSql(
            f"password must be {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters long", sqlstate="22023",
            hint="Choose another password.",
        )  # fmt: skip
    for pattern, what in _RULES:
        if not pattern.search(password):
            raise InvalidSql(f"password must contain {what}", sqlstate="22023", hint="Choose another password.")
    if any(not "!" <= letter <= "~" or letter in "'\"\\/@" for letter in password):
        raise InvalidSql(
            "password has a character that is not allowed", sqlstate="22023",
            hint="Use letters, digits and signs of ASCII, without quotes, blanks, \\, / and @.",
        )  # fmt: skip
    return Credential.of_password(user, password)
