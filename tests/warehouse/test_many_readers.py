"""Many views on one stream, many shards under one view: read together, bounded, and each record in each view once."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from nearshift import limits
from nearshift.streams.aggregate import MAGIC
from nearshift.streams.memory import Fault, MemorySource
from nearshift.transaction import Transaction
from nearshift.views.refresh import refresh_in_background

SCHEMA = "CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default"
VIEW = "CREATE MATERIALIZED VIEW {} AS SELECT shard_id, sequence_number, partition_key, kinesis_data FROM kds.s"


def auto(place: Any, name: str) -> None:
    """Do one round of auto refresh."""
    session = place.warehouse.session()
    house = session.house
    tx = Transaction(house.engine.connect(), house.current, house.events, house.clock)
    try:
        refresh_in_background(house.refresher, tx, session.names.find(None, name))
    finally:
        tx.connection.close()
        session.close()


def test_ten_views_read_one_stream_together(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = place.stream("s", shards=3)
    sources: list[MemorySource] = []
    make = stream.source

    def counted() -> MemorySource:
        sources.append(make())
        return sources[-1]

    monkeypatch.setattr(stream, "source", counted)
    names = [f"v{number}" for number in range(10)]
    place.rows(";".join([SCHEMA, *(VIEW.format(name) for name in names)]))
    put = 0
    for round_number in range(6):
        for number in range(40):
            stream.put(str(put).encode(), f"key-{number % 7}")
            put += 1
        if round_number == 3:
            stream.reshard(5)
        for name in names[round_number % 3 :: 2]:
            auto(place, name)
        place.clock.advance(1)
    for name in names:
        place.rows(f"REFRESH MATERIALIZED VIEW {name}")
        assert place.rows(f"SELECT count(*), count(DISTINCT kinesis_data) FROM {name}") == [(put, put)]
    assert len(sources) == 1, "the stream was opened once"
    assert place.rows("SELECT bool_and(is_balanced), count(DISTINCT view_name) FROM sys_nearshift_ledger") == [(True, 10)]


def test_when_there_is_no_room_for_all_shards_the_next_look_begins_with_those_left_out(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GET_RECORDS_COUNT_MAX", 4)
    monkeypatch.setattr("nearshift.views.intake.Budget.__init__.__defaults__", (12, 1 << 20))
    stream = place.stream("s", shards=8)
    for number in range(400):
        stream.put(b"{}", f"key-{number}")
    place.rows(f"{SCHEMA}; {VIEW.format('v')}")
    for _ in range(16):  # without taking turns the last shard would be reached after 29
        auto(place, "v")
    per_shard = place.rows("SELECT shard_id, count(*) FROM v GROUP BY 1")
    assert len(per_shard) == 8, "no shard was passed over"
    place.rows("REFRESH MATERIALIZED VIEW v")
    assert place.rows("SELECT count(*), count(DISTINCT sequence_number) FROM v") == [(400, 400)]


def test_one_shard_that_cannot_be_read_fails_the_look_and_costs_no_record(place: Any) -> None:
    stream = place.stream("s", shards=4)
    place.rows(f"{SCHEMA}; {VIEW.format('v')}")
    for number in range(60):
        stream.put(b"{}", f"key-{number}")
    stream.inject(Fault.FAIL, shard=stream.list_shards()[2].id)
    with pytest.raises(Exception, match="a fault was injected"):
        auto(place, "v")
    auto(place, "v")
    assert place.rows("SELECT count(*), count(DISTINCT sequence_number) FROM v") == [(60, 60)]


def test_many_quiet_shards_seldom_need_a_commit_and_wake_at_once_for_a_refresh(place: Any) -> None:
    stream = place.stream("s", shards=120)
    place.rows(f"{SCHEMA}; {VIEW.format('v')}")
    auto(place, "v")
    before = place.rows("SELECT DISTINCT record_time FROM sys_nearshift_checkpoint")
    for _ in range(int(limits.SHARD_IDLE_SECONDS) + 20):
        place.clock.advance(1)
        auto(place, "v")
    assert place.rows("SELECT DISTINCT record_time FROM sys_nearshift_checkpoint") == before, "nothing happened, so nothing was written"
    place.clock.advance(0.1)
    stream.put(b"{}", "k")
    place.rows("REFRESH MATERIALIZED VIEW v")
    assert place.rows("SELECT count(*) FROM v") == [(1,)]
    for _ in range(30):
        place.clock.advance(1)
        auto(place, "v")
    moments = place.rows("SELECT count(DISTINCT record_time), count(*) FROM sys_nearshift_checkpoint")[0]
    assert moments[1] == 120
    assert moments[0] <= 3, "the caught-up times of quiet shards are written together"


def test_checkpoints_of_shards_that_are_long_gone_are_deleted(place: Any) -> None:
    stream = place.stream("s", retention=timedelta(hours=24))
    place.rows(f"{SCHEMA}; {VIEW.format('v')}")
    stream.put(b"{}", "k")
    auto(place, "v")
    stream.reshard(2)
    auto(place, "v")
    assert place.rows("SELECT count(*) FROM sys_nearshift_checkpoint") == [(3,)]
    for _ in range(5):
        place.clock.advance(12 * 3600)
        auto(place, "v")
    assert place.rows("SELECT count(*) FROM sys_nearshift_checkpoint WHERE position = 'END'") == [(0,)]
    assert place.rows("SELECT count(*) FROM v") == [(1,)]


def test_records_of_the_producer_library_are_one_row_each_and_counted(place: Any) -> None:
    stream = place.stream("s")
    place.rows(f"{SCHEMA}; {VIEW.format('v')}")
    message = b"\x0a\x01k" + b"\x1a\x03one" + b"\x1a\x03two"
    stream.put(MAGIC + message + hashlib.md5(message).digest(), "k")
    stream.put(MAGIC + b"is not enough", "k")
    stream.put(b"{}", "k")
    place.rows("REFRESH MATERIALIZED VIEW v")
    assert place.rows("SELECT stored_rows, aggregate_rows, user_records, is_balanced FROM sys_nearshift_ledger") == [(3, 1, 2, True)]
