"""Recognising what the Kinesis Producer Library packs together."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearshift.streams.aggregate import MAGIC, count_user_records


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def aggregate(*payloads: bytes) -> bytes:
    message = field(1, b"a-key") + b"".join(field(3, b"\x08\x00" + field(3, payload)) for payload in payloads)
    return MAGIC + message + hashlib.md5(message).digest()


def test_an_aggregate_tells_how_many_records_it_holds() -> None:
    assert count_user_records(aggregate(b"one")) == 1
    assert count_user_records(aggregate(b"", b"x" * 300, b"\xff" * 70_000)) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"a":1}',
        MAGIC,
        MAGIC + b"0" * 16,
        aggregate(b"one")[:-1],
        aggregate(b"one")[:-1] + b"\x00",
        aggregate(),
        MAGIC + b"\x1a\xff\xff" + hashlib.md5(b"\x1a\xff\xff").digest(),
        MAGIC + b"\x18\x01" + hashlib.md5(b"\x18\x01").digest(),
    ],
)
def test_anything_else_is_one_record(data: bytes) -> None:
    assert count_user_records(data) is None


@given(st.binary(max_size=200))
def test_no_bytes_behind_the_magic_break_it(noise: bytes) -> None:
    found = count_user_records(MAGIC + noise + hashlib.md5(noise).digest())
    assert found is None or found > 0
