"""The generator: seeded, with lanes that share no key, and with the traps that it promises."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from nearshift.workload.changes import Delete, Oracle, Put, Together, Update, key_of, singles
from nearshift.workload.claims import Claims


def take(count: int, *, lane: int = 0, lanes: int = 1, seed: int = 7) -> list[Put | Update | Delete]:
    return [one for change in islice(Claims(seed, lane=lane, lanes=lanes).changes(), count) for one in singles(change)]


def test_the_same_seed_gives_the_same_changes() -> None:
    assert take(500) == take(500)
    assert take(500) != take(500, seed=8)


def test_lanes_share_no_item() -> None:
    lanes = [{key_of(one) for one in take(2000, lane=lane, lanes=3)} for lane in range(3)]
    assert not lanes[0] & lanes[1]
    assert not lanes[0] & lanes[2]
    assert not lanes[1] & lanes[2]


def test_every_kind_of_change_and_trap_occurs() -> None:
    changes = list(islice(Claims(7).changes(), 4000))
    found = Counter(type(one) for change in changes for one in singles(change))
    assert any(isinstance(change, Together) for change in changes)
    assert found[Put] > found[Update] > found[Delete] > 40
    items = [one.item for change in changes for one in singles(change) if isinstance(one, Put)]
    ledgers = [item["ledgerNumber"]["N"].lstrip("-") for item in items if "ledgerNumber" in item]
    assert max(len(number) for number in ledgers) == 38
    assert any(item.get("Provider") == {"NULL": True} for item in items)
    assert any("Provider" not in item for item in items if "status" in item)
    assert any(not item["pk"]["S"].isascii() for item in items)
    assert any(one.removed for change in changes for one in singles(change) if isinstance(one, Update))


def test_some_items_are_deleted_and_written_again() -> None:
    deleted: set[tuple[str, str]] = set()
    again = 0
    for one in take(4000):
        key = key_of(one)
        if isinstance(one, Delete):
            deleted.add(key)
        elif isinstance(one, Put) and key in deleted:
            again += 1
    assert again > 10


def test_updates_and_deletes_are_of_items_that_are_there() -> None:
    oracle = Oracle()
    for change in islice(Claims(3).changes(), 4000):
        for one in singles(change):
            if isinstance(one, Update) and key_of(one)[1].startswith("TRANSACTION"):
                assert key_of(one) in oracle.items
        oracle.apply([change])
    assert len(oracle.items) > 1000


def test_claims_keep_coming_in_a_long_run() -> None:
    changes = list(islice(Claims(2).changes(), 60_000))
    late = [one for change in changes[-5000:] for one in singles(change)]
    submitted = [one for one in late if isinstance(one, Put) and one.item["sk"]["S"].startswith("TRANSACTION")]
    assert len(submitted) > 1500
