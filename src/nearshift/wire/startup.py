"""The packets before the first typed message: startup, and the requests for TLS, GSSAPI and cancellation.

"Start-up" and "Canceling Requests in Progress" of PostgreSQL's "Message Flow"; the extra keys are those that the public Redshift drivers
send. Redshift's drivers ask for protocol extensions by `client_protocol_version`; see `replies.RowDescription` for what they change.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nearshift.errors import NotSupported
from nearshift.wire.framing import ProtocolViolation
from nearshift.wire.messages import decode_text

PROTOCOL_3_0 = 3 << 16
_TLS = 80877103
_GSS = 80877104
_CANCEL = 80877102
# What drivers say about themselves; not settings, so sessions do not hear of them.
_DRIVER_KEYS = frozenset({
    "client_protocol_version", "driver_version", "os_version", "driver_discovery_version", "plugin_name", "idp_type", "provider_name",
    "identity_namespace", "idc_client_display_name", "token_type", "token", "user", "database", "options", "replication",
})  # fmt: skip
REDSHIFT_PROTOCOL_MAX = 2


@dataclass(frozen=True, slots=True)
class TlsRequest:
    """May we go on under TLS?"""

    CODE: ClassVar[int] = _TLS

    def encode(self) -> bytes:
        """Return the whole packet."""
        return struct.pack("!ii", 8, _TLS)


@dataclass(frozen=True, slots=True)
class GssRequest:
    """May we go on under GSSAPI? No."""

    def encode(self) -> bytes:
        """Return the whole packet."""
        return struct.pack("!ii", 8, _GSS)


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Stop what the connection with this key is doing."""

    process: int
    secret: int

    def encode(self) -> bytes:
        """Return the whole packet."""
        return struct.pack("!iiiI", 16, _CANCEL, self.process, self.secret)


@dataclass(frozen=True, slots=True)
class Startup:
    """Who wants in, to which database, speaking which version."""

    version: int
    parameters: Mapping[str, str]

    @property
    def user(self) -> str:
        """The user name, never empty."""
        return self.parameters["user"]

    @property
    def database(self) -> str:
        """The database; the user's name when none is given, as in PostgreSQL."""
        return self.parameters.get("database") or self.user

    @property
    def is_redshift_driver(self) -> bool:
        """Whether a Redshift driver calls, which knows Redshift's protocol and not SCRAM."""
        return "driver_version" in self.parameters or "client_protocol_version" in self.parameters

    @property
    def redshift_protocol(self) -> int | None:
        """The Redshift protocol version both sides know: 0, 1 or 2; None for a client that did not ask."""
        asked = self.parameters.get("client_protocol_version")
        if asked is None or not asked.isdigit():
            return None
        return min(int(asked), REDSHIFT_PROTOCOL_MAX)

    def unknown_options(self) -> tuple[str, ...]:
        """Return the protocol options (`_pq_.…`) asked for, none of which is known here."""
        return tuple(key for key in self.parameters if key.startswith("_pq_."))

    def settings(self) -> dict[str, str]:
        """Return the settings that the session starts with, from the keys and from `options` (`-c name=value`, `--name=value`)."""
        found = {key: value for key, value in self.parameters.items() if key not in _DRIVER_KEYS and not key.startswith("_pq_.")}
        return found | _switches(self.parameters.get("options", ""))

    def encode(self) -> bytes:
        """Return the whole packet."""
        body = b"".join(f"{key}\0{value}\0".encode() for key, value in self.parameters.items()) + b"\0"
        return struct.pack("!ii", len(body) + 8, self.version) + body


def _switches(text: str) -> dict[str, str]:
    """Read the command-line switches of `options`: words are parted by blanks, a backslash keeps the next character."""
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\s\\])+", text)]
    found: dict[str, str] = {}
    expects_value = False
    for word in words:
        if word == "-c":
            expects_value = True
            continue
        if not expects_value and not word.startswith(("-c", "--")):
            raise ProtocolViolation(f'invalid command-line argument for server process: "{word}"', sqlstate="42601")
        assignment = word if expects_value else word[2:]
        expects_value = False
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ProtocolViolation(f'-c "{name}" requires a value', sqlstate="42601")
        found[name.replace("-", "_")] = value
    return found


def decode_startup(body: bytes) -> TlsRequest | GssRequest | CancelRequest | Startup:
    """Read a packet of the time before the login; raises ProtocolViolation for one that has another shape or version."""
    code = int.from_bytes(body[:4], "big")
    if code == _TLS:
        return TlsRequest()
    if code == _GSS:
        return GssRequest()
    if code == _CANCEL:
        if len(body) != 12:
            raise ProtocolViolation("invalid length of cancel request packet")
        return CancelRequest(*struct.unpack("!iI", body[4:]))
    if code >> 16 != 3:
        message = f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}: server supports 3.0"
        raise ProtocolViolation(message, sqlstate="0A000")
    return Startup(code, _parameters(body[4:]))


def _parameters(body: bytes) -> dict[str, str]:
    parts = body.split(b"\0")
    # keys and values in turn, an empty key, nothing after it
    if len(parts) < 2 or len(parts) % 2 or parts[-1] or parts[-2]:
        raise ProtocolViolation("invalid startup packet layout: expected terminator as last byte")
    texts = [decode_text(part) for part in parts[:-2]]
    found = dict(zip(texts[::2], texts[1::2], strict=True))
    if "" in found:
        raise ProtocolViolation("invalid startup packet layout: expected terminator as last byte")
    if not found.get("user"):
        raise ProtocolViolation("no PostgreSQL user name specified in startup packet", sqlstate="28000")
    if found.get("replication", "false").lower() not in {"false", "off", "no", "0"}:
        raise NotSupported("replication connections are not supported", hint="Read the stream itself for changes.")
    return found
