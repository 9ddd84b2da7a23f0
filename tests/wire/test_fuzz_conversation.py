"""Conversations damaged at random: every one ends in an answer or an end, never in a fault, and nothing leaks."""

from __future__ import annotations

import random
from typing import Any

import pytest

from nearshift.wire.messages import Bind, Close, Describe, Execute, Flush, Parse, Query, Sendable, Sync, encode_message
from nearshift.wire.startup import PROTOCOL_3_0, Startup

START = Startup(PROTOCOL_3_0, {"user": "ada", "database": "dev", "options": "-c a=b"}).encode()
SCRIPT: list[Sendable] = [
    Query("select 1; select 'two'"), Parse("s", "select $1::int, $2::varchar", (23, 0)), Describe("S", "s"),
    Bind("p", "s", (1, 0), (b"\0\0\0\7", b"x"), (1,)), Describe("P", "p"), Execute("p", 1), Execute("p"), Flush(), Close("P", "p"), Sync(),
    Query("begin"), Parse("", "select i from range(9) t(i)"), Bind("q", ""), Execute("q", 4), Query("select 2"), Execute("q"), Sync(),
    Query("commit"),
]  # fmt: skip


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Flip, cut, double or insert a few bytes."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(4):
            case 0 if at < len(found):
                found[at] = chance.randrange(256)
            case 1:
                del found[at : at + chance.randint(1, 8)]
            case 2:
                found[at:at] = found[at : at + chance.randint(1, 40)]
            case _:
                found[at:at] = chance.randbytes(chance.randint(1, 8))
    return bytes(found)


@pytest.mark.parametrize("seed", range(150))
def test_a_damaged_conversation_ends_well(new_talk: Any, gate: Any, seed: int) -> None:
    chance = random.Random(seed)
    stream = START + b"".join(encode_message(message) for message in SCRIPT)
    damaged = mutate(stream, chance) if seed % 3 else START + mutate(stream[len(START) :], chance)
    talk = new_talk()
    at = 0
    while at < len(damaged) and talk.step.name == "GO_ON":
        size = chance.randint(1, 200)
        # splits the replies into whole messages, and so checks them
        talk.put(damaged[at : at + size])
        at += size
    talk.conversation.close()
    assert gate.open_results == 0
    assert gate.closed == gate.opened
    assert len(talk.register) == 0
