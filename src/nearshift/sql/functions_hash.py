"""Hash functions. Source pages: "Hash functions", "CRC32 function"."""

from __future__ import annotations

from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call, Function, Refusal
from nearshift.sql.native_hashes import FNV_SEED
from nearshift.types import BIGINT, INTEGER, INTEGERS, STRINGS, Kind, varchar

_WIDTHS = {Kind.SMALLINT: 2, Kind.INTEGER: 4, Kind.BIGINT: 8}


def _octets(value: Value) -> str:
    """Return the bytes of a string or VARBYTE."""
    return value.sql if value.type.kind is Kind.VARBYTE else f"encode({value.sql})"


def _is_text(value: Value) -> bool:
    return value.type.kind in STRINGS | {Kind.VARBYTE, Kind.UNKNOWN}


def _sha2(call: Call) -> Value:
    text, bits = call.values
    if bits.integer in {0, 256}:
        return Value(f"sha256({text.sql})", varchar(128))
    return Value(f"nearshift_sha2({text.sql}, CAST({bits.sql} AS INTEGER))", varchar(128))


def _fnv(call: Call) -> Value:
    value = call.values[0]
    seed = call.values[1].sql if len(call.values) > 1 else f"CAST({FNV_SEED} AS BIGINT)"
    if value.type.kind in INTEGERS:
        return Value(f"nearshift_fnv_integer(CAST({value.sql} AS BIGINT), {_WIDTHS[value.type.kind]}, {seed})", BIGINT)
    if not _is_text(value):
        hint = "Cast the value to VARCHAR; Redshift's result for this type is another."
        raise call.binder.unsupported(call.node, f"FNV_HASH of {value.type.kind.value} is not supported", hint=hint)
    return Value(f"nearshift_fnv_bytes({_octets(value)}, {seed})", BIGINT)


def _murmur(call: Call) -> Value:
    if len(call.values) > 1:
        hint = "Hash the concatenation of the columns; how Redshift joins a seed is not published."
        raise call.binder.unsupported(call.node, "MURMUR3_32_HASH with a seed is not supported", hint=hint)
    value, kind = call.values[0], call.values[0].type.kind
    if kind in INTEGERS:
        return Value(f"nearshift_murmur_integer(CAST({value.sql} AS BIGINT), 0)", INTEGER)
    if kind is Kind.DECIMAL:
        return Value(f"nearshift_murmur_digits(replace(CAST({value.sql} AS VARCHAR), '.', ''), 0)", INTEGER)
    if kind is Kind.DATE:
        return Value(f"nearshift_murmur_integer(CAST({value.sql} - DATE '1970-01-01' AS BIGINT), 0)", INTEGER)
    if kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ}:
        return Value(f"nearshift_murmur_integer(epoch_us({value.sql}), 0)", INTEGER)
    if not _is_text(value):
        raise call.binder.unsupported(call.node, f"MURMUR3_32_HASH of {kind.value} is not supported", hint="Cast the value to VARCHAR.")
    return Value(f"nearshift_murmur_bytes({_octets(value)}, 0)", INTEGER)


def _farm(call: Call) -> Value:
    return Value(f"nearshift_farmhash({_octets(call.values[0])})", BIGINT)


FUNCTIONS = (
    Function("md5", "s", varchar(32), "md5({0})", "r_MD5.html"),
    Function("sha", "s", varchar(40), "sha1({0})", "SHA.html"),
    Function("sha1", "s", varchar(40), "sha1({0})", "SHA1.html"),
    Function("func_sha1", "s", varchar(40), "sha1({0})", "FUNC_SHA1.html"),
    Function("sha2", "si", varchar(128), _sha2, "SHA2.html"),
    Function("crc32", "s", varchar(8), "nearshift_crc32c({0})", "crc32-function.html"),
    Function("fnv_hash", "*?i", BIGINT, _fnv, "r_FNV_HASH.html"),
    Function("murmur3_32_hash", "*?i", INTEGER, _murmur, "MURMUR3_32_HASH.html"),
    Function("farmfingerprint64", "x", BIGINT, _farm, "r_FARMFINGERPRINT64.html"),
)
REFUSALS = (Refusal("checksum", "has no published definition", "Use FNV_HASH or FARMFINGERPRINT64, here and on Redshift."),)
