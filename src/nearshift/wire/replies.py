"""The messages that the server sends, as functions from their parts to bytes ("Message Formats", PostgreSQL documentation)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from nearshift.errors import NearshiftError
from nearshift.results import Notice, TransactionStatus
from nearshift.sql.relations import Column
from nearshift.types import Kind, decimal

NO_TLS = b"N"
TLS = b"S"


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Return a whole message: type, length, body."""
    return kind + struct.pack("!i", len(body) + 4) + body


PARSE_COMPLETE = message(b"1")
BIND_COMPLETE = message(b"2")
CLOSE_COMPLETE = message(b"3")
NO_DATA = message(b"n")
PORTAL_SUSPENDED = message(b"s")
EMPTY_QUERY = message(b"I")
AUTHENTICATION_OK = message(b"R", struct.pack("!i", 0))
AUTHENTICATION_CLEARTEXT = message(b"R", struct.pack("!i", 3))


def _zero(text: str) -> bytes:
    # A zero byte would end the string early and let a name or a message forge the rest of the message.
    return text.replace("\0", "").encode("utf-8", "replace") + b"\0"


def authentication_md5(salt: bytes) -> bytes:
    """Return AuthenticationMD5Password with its four bytes of salt."""
    return message(b"R", struct.pack("!i", 5) + salt)


def authentication_sasl(mechanisms: Sequence[str]) -> bytes:
    """Return AuthenticationSASL."""
    return message(b"R", struct.pack("!i", 10) + b"".join(_zero(name) for name in mechanisms) + b"\0")


def authentication_sasl_continue(text: str) -> bytes:
    """Return AuthenticationSASLContinue."""
    return message(b"R", struct.pack("!i", 11) + text.encode())


def authentication_sasl_final(text: str) -> bytes:
    """Return AuthenticationSASLFinal."""
    return message(b"R", struct.pack("!i", 12) + text.encode())


def negotiate_protocol_version(options: Sequence[str]) -> bytes:
    """Return NegotiateProtocolVersion: we speak 3.0 and know none of `options`."""
    return message(b"v", struct.pack("!ii", 3 << 16, len(options)) + b"".join(_zero(option) for option in options))


def parameter_status(name: str, value: str) -> bytes:
    """Return ParameterStatus."""
    return message(b"S", _zero(name) + _zero(value))


def backend_key_data(process: int, secret: int) -> bytes:
    """Return BackendKeyData, the key to CancelRequest."""
    return message(b"K", struct.pack("!iI", process, secret))


def ready_for_query(status: TransactionStatus) -> bytes:
    """Return ReadyForQuery."""
    return message(b"Z", status.value.encode())


def command_complete(tag: str) -> bytes:
    """Return CommandComplete."""
    return message(b"C", _zero(tag))


def parameter_description(oids: Sequence[int]) -> bytes:
    """Return ParameterDescription."""
    return message(b"t", struct.pack(f"!H{len(oids)}I", len(oids), *oids))


_NULLABLE = 1 << 0
_SEARCHABLE = 1 << 12


def row_description(columns: Sequence[Column], formats: Sequence[int], redshift_protocol: int) -> bytes:
    """Return RowDescription.

    From Redshift protocol 1 on, each field is followed by the names of schema, table, column and catalog, here empty, and 16 bits of flags:
    0 nullable, 4 identity, 8 read only, 12 searchable (redshift_connector, `handle_ROW_DESCRIPTION`).
    """
    parts = [struct.pack("!H", len(columns))]
    for column, form in zip(columns, formats, strict=True):
        kind = column.type
        modifier = kind.modifier
        if redshift_protocol >= 2 and kind.kind is Kind.DECIMAL and modifier == -1:
            # Redshift's binary NUMERIC is a scaled integer: without a modifier a driver could not tell its scale.
            modifier = decimal().modifier
        parts.append(_zero(column.name) + struct.pack("!ihIhih", 0, 0, kind.oid, kind.width, modifier, form))
        if redshift_protocol >= 1:
            parts.append(b"\0\0\0\0" + struct.pack("!h", _SEARCHABLE | (_NULLABLE if column.is_nullable else 0)))
    return message(b"T", b"".join(parts))


def error_response(error: NearshiftError, severity: str = "ERROR") -> bytes:
    """Return ErrorResponse; the position counts characters from 1 in the text that the client sent ("Error and Notice Message Fields")."""
    fields = [("S", severity), ("V", severity), ("C", error.sqlstate), ("M", error.message)]
    if error.detail:
        fields.append(("D", error.detail))
    if error.hint:
        fields.append(("H", error.hint))
    if error.span is not None:
        fields.append(("P", str(error.span.start + 1)))
    if error.context:
        fields.append(("W", error.context))
    return message(b"E", b"".join(name.encode() + _zero(value) for name, value in fields) + b"\0")


def notice_response(notice: Notice) -> bytes:
    """Return NoticeResponse."""
    severity = notice.severity.value
    fields = [("S", severity), ("V", severity), ("C", notice.sqlstate), ("M", notice.message)]
    if notice.hint:
        fields.append(("H", notice.hint))
    return message(b"N", b"".join(name.encode() + _zero(value) for name, value in fields) + b"\0")
