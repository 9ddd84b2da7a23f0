"""Positions in a shard, and the sequence numbers by which clients know them.

A position is a 63-bit integer that grows over the whole store: milliseconds since 1970, then 21 bits of a counter. As it never goes back
even when the clock does, a child shard starts above the end of its parents. A sequence number is a decimal text of 56 digits that holds
position and shard, so that a number used on the wrong shard can be named; compare sequence numbers as integers.
"""

from __future__ import annotations

import hashlib
import struct
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass

_HEAD = 2 << 184  # makes 56 digits that begin with 49, as those of AWS do
_POSITION_SHIFT = 100
_SHARD_SHIFT = 4
_SHARD_MASK = (1 << 32) - 1
_VERSION = 2
_COUNTER_BITS = 21

POSITION_MAX = (1 << 63) - 1


class Positions:
    """Hands out positions, each above the one before."""

    def __init__(self, last: int = 0) -> None:
        self.last = last

    def take(self, now_ms: int) -> int:
        """Return the next position at `now_ms`; above every earlier one even if the clock has gone back."""
        position = now_ms << _COUNTER_BITS
        self.last = position if position > self.last else self.last + 1
        return self.last


def position_of_ms(instant_ms: int) -> int:
    """Return the lowest position that a record arriving at `instant_ms` can have."""
    return min(max(instant_ms, 0) << _COUNTER_BITS, POSITION_MAX)


def encode_sequence(position: int, shard_index: int) -> str:
    """Return the sequence number of a position in a shard."""
    return str(_HEAD + (position << _POSITION_SHIFT) + (shard_index << _SHARD_SHIFT) + _VERSION)


def decode_sequence(text: str) -> tuple[int, int] | None:
    """Return position and shard index of a sequence number, or None if it is none of ours."""
    if not text.isascii() or not text.isdigit() or len(text) > 128:
        return None
    rest = int(text) - _HEAD
    if rest < 0:
        return None
    position = rest >> _POSITION_SHIFT
    shard_index = (rest >> _SHARD_SHIFT) & _SHARD_MASK
    if position > POSITION_MAX or encode_sequence(position, shard_index) != text:
        return None
    return position, shard_index


@dataclass(frozen=True, slots=True)
class Iterator:
    """What a shard iterator holds: read records of shard `shard_key` above `position`; issued at `issued_ms`."""

    shard_key: int
    position: int
    issued_ms: int


_LAYOUT = struct.Struct(">QQqQ")


def encode_iterator(iterator: Iterator) -> str:
    """Return the opaque text for a client. It is sealed against accidents, not against forgery."""
    body = _LAYOUT.pack(1, iterator.shard_key, iterator.position, iterator.issued_ms)
    return b64encode(body + _seal(body)).decode()


def decode_iterator(text: str) -> Iterator | None:
    """Return what `encode_iterator` was given, or None for any other text."""
    try:
        raw = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None
    body = raw[: _LAYOUT.size]
    if len(body) < _LAYOUT.size or raw[_LAYOUT.size :] != _seal(body):
        return None
    _, shard_key, position, issued_ms = _LAYOUT.unpack(body)
    return Iterator(shard_key, position, issued_ms)


def _seal(body: bytes) -> bytes:
    return hashlib.blake2s(body, digest_size=16, person=b"iterator").digest()
