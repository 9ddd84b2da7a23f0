"""Hashes by their published definitions. Source pages: "Hash functions", "CRC32 function".

FNV-1a and CRC-32C (Castagnoli) are told by the examples of their pages, MurmurHash3 by Iceberg's "32-bit Hash Requirements", the
fingerprint by FarmHash (farmhashna, `Fingerprint64`).
"""

from __future__ import annotations

import hashlib
from typing import Final

_MASK: Final = 2**64 - 1
_MASK_32: Final = 2**32 - 1
FNV_SEED: Final = 14695981039346656037 - 2**64
_FNV_PRIME: Final = 1099511628211
_ALGORITHMS: Final = {0: "sha256", 224: "sha224", 256: "sha256", 384: "sha384", 512: "sha512"}


def _castagnoli_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _bit in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_CRC_TABLE: Final = _castagnoli_table()


def _signed(value: int, bits: int = 64) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def sha2(text: str, bits: int) -> str:
    """Return the digest in hexadecimal digits, and an empty string for a number of bits that SHA-2 does not have ("SHA2 function")."""
    name = _ALGORITHMS.get(bits)
    return "" if name is None else hashlib.new(name, text.encode()).hexdigest()


def crc32c(text: str) -> str:
    """Return the CRC-32C of the UTF-8 bytes as eight hexadecimal digits."""
    value = _MASK_32
    for byte in text.encode():
        value = (value >> 8) ^ _CRC_TABLE[(value ^ byte) & 255]
    return f"{value ^ _MASK_32:08x}"


def fnv_bytes(data: bytes, seed: int) -> int:
    """Return the 64-bit FNV-1a hash of bytes, going on from `seed`; both signed."""
    value = seed & _MASK
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & _MASK
    return _signed(value)


def fnv_integer(number: int, width: int, seed: int) -> int:
    """Return the hash of an integer as its `width` bytes, least significant first."""
    return fnv_bytes((number & ((1 << 8 * width) - 1)).to_bytes(width, "little"), seed)


def murmur_bytes(data: bytes, seed: int) -> int:
    """Return MurmurHash3 (x86, 32 bits) of bytes as a signed number."""
    value = seed & _MASK_32
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        value ^= _murmur_mixed(int.from_bytes(data[at : at + 4], "little"))
        value = (((value << 13) | (value >> 19)) & _MASK_32) * 5 + 0xE6546B64 & _MASK_32
    if whole < len(data):
        value ^= _murmur_mixed(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    value = (value ^ (value >> 16)) * 0x85EBCA6B & _MASK_32
    value = (value ^ (value >> 13)) * 0xC2B2AE35 & _MASK_32
    return _signed(value ^ (value >> 16), 32)


def _murmur_mixed(block: int) -> int:
    block = block * 0xCC9E2D51 & _MASK_32
    return ((block << 15) | (block >> 17)) * 0x1B873593 & _MASK_32


def murmur_integer(number: int, seed: int) -> int:
    """Return the hash of an integer as eight bytes, as Iceberg widens it."""
    return murmur_bytes((number & _MASK).to_bytes(8, "little"), seed)


def murmur_digits(digits: str, seed: int) -> int:
    """Return the hash of a DECIMAL given as its unscaled digits: the fewest big-endian bytes in two's complement."""
    number = int(digits)
    width = ((number if number >= 0 else ~number).bit_length() + 8) // 8
    return murmur_bytes(number.to_bytes(width, "big", signed=True), seed)


_K0: Final = 0xC3A5C85C97CB3127
_K1: Final = 0xB492B66FBE98F273
_K2: Final = 0x9AE16A3B2F90404F


def farm_fingerprint(data: bytes) -> int:
    """Return FarmHash's Fingerprint64 as a signed number."""
    size = len(data)
    if size <= 16:
        return _signed(_farm_short(data, size))
    if size <= 32:
        return _signed(_farm_to_32(data, size))
    if size <= 64:
        return _signed(_farm_to_64(data, size))
    return _signed(_farm_long(data, size))


def _at(data: bytes, place: int, width: int = 8) -> int:
    return int.from_bytes(data[place : place + width], "little")


def _turned(value: int, by: int) -> int:
    value &= _MASK
    return (value >> by) | (value << (64 - by)) & _MASK


def _mixed(value: int) -> int:
    return value ^ (value >> 47)


def _joined(one: int, two: int, factor: int) -> int:
    first = ((one ^ two) & _MASK) * factor & _MASK
    first = _mixed(first)
    second = ((two ^ first) & _MASK) * factor & _MASK
    return _mixed(second) * factor & _MASK


def _farm_short(data: bytes, size: int) -> int:
    factor = _K2 + size * 2
    if size >= 8:
        a, b = _at(data, 0) + _K2, _at(data, size - 8)
        return _joined((_turned(b, 37) * factor + a) & _MASK, ((_turned(a, 25) + b) & _MASK) * factor & _MASK, factor)
    if size >= 4:
        return _joined((size + (_at(data, 0, 4) << 3)) & _MASK, _at(data, size - 4, 4), factor)
    if size > 0:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[size - 1] << 2)
        return _mixed((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _farm_to_32(data: bytes, size: int) -> int:
    factor = _K2 + size * 2
    a, b = _at(data, 0) * _K1 & _MASK, _at(data, 8)
    c, d = _at(data, size - 8) * factor & _MASK, _at(data, size - 16) * _K2 & _MASK
    return _joined((_turned(a + b, 43) + _turned(c, 30) + d) & _MASK, (a + _turned(b + _K2, 18) + c) & _MASK, factor)


def _farm_to_64(data: bytes, size: int) -> int:
    factor = _K2 + size * 2
    a, b = _at(data, 0) * _K2 & _MASK, _at(data, 8)
    c, d = _at(data, size - 8) * factor & _MASK, _at(data, size - 16) * _K2 & _MASK
    y = (_turned(a + b, 43) + _turned(c, 30) + d) & _MASK
    z = _joined(y, (a + _turned(b + _K2, 18) + c) & _MASK, factor)
    e, f = _at(data, 16) * factor & _MASK, _at(data, 24)
    g, h = (y + _at(data, size - 32)) * factor & _MASK, (z + _at(data, size - 24)) * factor & _MASK
    return _joined((_turned(e + f, 43) + _turned(g, 30) + h) & _MASK, (e + _turned(f + a, 18) + g) & _MASK, factor)


def _weak(data: bytes, place: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_at(data, place + 8 * index) for index in range(4))
    a = (a + w) & _MASK
    b = _turned(b + a + z, 21)
    c = a
    a = (a + x + y) & _MASK
    b = (b + _turned(a, 44)) & _MASK
    return (a + z) & _MASK, (b + c) & _MASK


def _farm_round(
    data: bytes, at: int, x: int, y: int, z: int, v: tuple[int, int], w: tuple[int, int], factor: int, by: int
) -> tuple[int, ...]:
    x = _turned(x + y + v[0] + _at(data, at + 8), 37) * factor & _MASK
    y = _turned(y + v[1] + _at(data, at + 48), 42) * factor & _MASK
    x ^= w[1] * by & _MASK
    y = (y + v[0] * by + _at(data, at + 40)) & _MASK
    z = _turned(z + w[0], 33) * factor & _MASK
    v = _weak(data, at, v[1] * factor & _MASK, (x + w[0]) & _MASK)
    w = _weak(data, at + 32, (z + w[1]) & _MASK, (y + _at(data, at + 16)) & _MASK)
    return z, y, x, *v, *w


def _farm_long(data: bytes, size: int) -> int:
    seed = 81
    x, y = seed, (seed * _K1 + 113) & _MASK
    z = _mixed((y * _K2 + 113) & _MASK) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _at(data, 0)) & _MASK
    for at in range(0, (size - 1) // 64 * 64, 64):
        x, y, z, v0, v1, w0, w1 = _farm_round(data, at, x, y, z, v, w, _K1, 1)
        v, w = (v0, v1), (w0, w1)
    factor = (_K1 + ((z & 0xFF) << 1)) & _MASK
    w = ((w[0] + ((size - 1) & 63)) & _MASK, w[1])
    v = ((v[0] + w[0]) & _MASK, v[1])
    w = ((w[0] + v[0]) & _MASK, w[1])
    x, y, z, v0, v1, w0, w1 = _farm_round(data, size - 64, x, y, z, v, w, factor, 9)
    first = (_joined(v0, w0, factor) + _mixed(y) * _K0 + z) & _MASK
    return _joined(first, (_joined(v1, w1, factor) + x) & _MASK, factor)
