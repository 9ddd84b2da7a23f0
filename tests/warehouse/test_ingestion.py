"""Quarantine, the ledger, deltas: whatever comes, every record is accounted for and a view kept by delta equals one computed anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearshift import limits
from nearshift.errors import StreamError
from nearshift.transaction import Transaction
from nearshift.views import refresh as refreshing
from nearshift.views.refresh import refresh_in_background

Script = list[tuple[str, Any, int]]
SETUP = """
SET enable_case_sensitive_identifier TO true;
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW whole AS SELECT shard_id, sequence_number, json_parse(kinesis_data) AS p FROM kds.s;
CREATE MATERIALIZED VIEW guarded AS
  SELECT shard_id, sequence_number, json_parse(kinesis_data) AS p FROM kds.s WHERE can_json_parse(kinesis_data);
CREATE MATERIALIZED VIEW kept AS
  SELECT g.sequence_number, g.p.id::int AS id, i.n::int AS n FROM guarded g LEFT JOIN g.p.items i ON true WHERE g.p.id IS NOT NULL;
CREATE MATERIALIZED VIEW above AS SELECT id, n * 2 AS twice FROM kept WHERE n > 1;
"""
ANEW = """
SELECT g.sequence_number, g.p.id::int AS id, i.n::int AS n FROM guarded g LEFT JOIN g.p.items i ON true WHERE g.p.id IS NOT NULL
ORDER BY 1, 2, 3
"""
LEDGER = "SELECT sum(read_rows), sum(stored_rows), sum(quarantined_rows + skipped_rows), bool_and(is_balanced) FROM sys_nearshift_ledger"

good = st.builds(
    lambda number, counts: json.dumps({"id": number, "items": [{"n": n} for n in counts]}).encode(),
    st.none() | st.integers(0, 5), st.lists(st.none() | st.integers(0, 3), max_size=3),
)  # fmt: skip
bad = st.sampled_from([b"", b"{", b"\xff\xfe", b'{"a":1,"a":2}', b"nothing", b"\x00\x01", b"[1,", b'"\\ud800"'])
odd = st.sampled_from([b"1", b"null", b'"text"', b"[]", b'{"id": "x"}', b'{"id": {"deep": 1}, "items": 7}'])
steps = st.one_of(
    st.tuples(st.just("put"), st.lists(st.one_of(good, good, bad, odd), min_size=1, max_size=5), st.integers(0, 9)),
    st.tuples(st.just("refresh"), st.sampled_from(["whole", "guarded", "kept", "above", "auto whole", "auto guarded"]), st.just(0)),
    st.tuples(st.just("reshard"), st.integers(1, 4), st.just(0)),
    st.tuples(st.just("undone"), st.sampled_from(["whole", "guarded", "kept"]), st.just(0)),
    st.tuples(st.just("advance"), st.integers(1, 100), st.just(0)),
)


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


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, max_size=12))
def test_every_record_is_accounted_for_and_deltas_equal_a_recompute(make_place: Callable[[], Any], script: Script) -> None:
    place = make_place()
    try:
        play(place, script)
    finally:
        place.warehouse.close()


def play(place: Any, script: Script) -> None:
    """Do what the script says, then bring all views up to date and compare."""
    stream = place.stream("s", shards=2)
    session = place.warehouse.session()
    place.rows(SETUP, session)
    put = 0
    for word, what, key in script:
        match word:
            case "put":
                for data in what:
                    stream.put(data, f"key-{key}")
                put += len(what)
            case "refresh" if what.startswith("auto "):
                auto(place, what.removeprefix("auto "))
            case "refresh":
                place.rows(f"REFRESH MATERIALIZED VIEW {what}", session)
            case "undone":
                place.rows(f"BEGIN; REFRESH MATERIALIZED VIEW {what}; ROLLBACK", session)
            case "reshard":
                stream.reshard(what)
            case "advance":
                place.clock.advance(what)
    for name in ("whole", "guarded", "kept", "above"):
        place.rows(f"REFRESH MATERIALIZED VIEW {name}", session)
    assert place.rows("SELECT sequence_number, id, n FROM kept ORDER BY 1, 2, 3", session) == place.rows(ANEW, session)
    twice = place.rows("SELECT id, twice FROM above ORDER BY 1, 2", session)
    assert twice == place.rows("SELECT id, n * 2 FROM kept WHERE n > 1 ORDER BY 1, 2", session)
    per_view = "SELECT view_name, sum(read_rows), bool_and(is_balanced) FROM sys_nearshift_ledger GROUP BY view_name ORDER BY 1"
    assert place.rows(per_view, session) == ([("guarded", put, True), ("whole", put, True)] if put else [])
    stored = place.rows("SELECT count(*), count(DISTINCT sequence_number) FROM whole", session)[0]
    quarantined = place.rows("SELECT count(*), count(DISTINCT sequence_number) FROM sys_nearshift_quarantine", session)[0]
    assert stored[0] == stored[1]
    assert quarantined[0] == quarantined[1]
    assert stored[0] + quarantined[0] == put


@pytest.fixture
def pipeline(place: Any) -> Any:
    place.stream("s", shards=1)
    place.rows(SETUP)
    return place


def test_bad_records_are_found_among_thousands(pipeline: Any) -> None:
    wrong = set(Random(7).sample(range(3000), 20))
    for i in range(3000):
        pipeline.streams["s"].put(b"{" if i in wrong else b'{"id": %d}' % i, "k")
    pipeline.rows("REFRESH MATERIALIZED VIEW whole")
    assert pipeline.rows(LEDGER) == [(3000, 2980, 20, True)]
    assert pipeline.rows("SELECT count(*) FROM sys_nearshift_quarantine WHERE payload_text = '{'") == [(20,)]
    assert pipeline.rows("SELECT count(*) FROM sys_stream_scan_errors") == [(20,)]


def test_a_record_that_is_too_large_is_skipped_with_its_reason(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "RECORD_BYTES_MAX", 100)
    pipeline.streams["s"].put(b'{"id": 1}', "k")
    pipeline.streams["s"].put(json.dumps({"id": 2, "text": "x" * 200}).encode(), "k")
    pipeline.rows("REFRESH MATERIALIZED VIEW whole")
    assert pipeline.rows("SELECT p.id::int FROM whole") == [(1,)]
    assert pipeline.rows("SELECT skipped_rows, is_balanced FROM sys_nearshift_ledger") == [(1, True)]
    assert "larger than 100 bytes" in pipeline.rows("SELECT reason FROM sys_nearshift_quarantine")[0][0]
    status = pipeline.rows("SELECT status FROM sys_mv_refresh_history WHERE mv_name = 'whole'")
    assert status == [("Refresh successfully updated MV incrementally. Some stream records were skipped",)]


def test_one_refresh_takes_in_more_than_one_transaction_may(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REFRESH_RECORDS_MAX", 50)
    for i in range(220):
        pipeline.streams["s"].put(b'{"id": %d}' % i, "k")
    pipeline.rows("REFRESH MATERIALIZED VIEW guarded")
    assert pipeline.rows("SELECT count(*), count(DISTINCT sequence_number) FROM guarded") == [(220, 220)]


def test_a_gap_is_refused_and_nothing_moves_until_it_is_accepted(pipeline: Any) -> None:
    stream = pipeline.streams["s"]
    stream.put(b'{"id": 1}', "k")
    pipeline.rows("REFRESH MATERIALIZED VIEW whole")
    pipeline.clock.advance(timedelta(hours=30).total_seconds())
    stream.put(b'{"id": 2}', "k")
    stream.put(b'{"id": 3}', "k")
    stream.trim(stream.list_shards()[0].id, keep=1)
    pipeline.warehouse._house.feeds.close()
    before = pipeline.rows("SELECT shard_id, position FROM sys_nearshift_checkpoint")
    with pytest.raises(StreamError, match="forgotten") as caught:
        pipeline.rows("REFRESH MATERIALIZED VIEW whole")
    assert caught.value.hint
    assert pipeline.rows("SELECT shard_id, position FROM sys_nearshift_checkpoint") == before


def test_rows_and_positions_are_undone_together(pipeline: Any) -> None:
    for i in range(10):
        pipeline.streams["s"].put(b'{"id": %d}' % i, "k")
    session = pipeline.warehouse.session()
    pipeline.rows("BEGIN; REFRESH MATERIALIZED VIEW whole; REFRESH MATERIALIZED VIEW guarded; REFRESH MATERIALIZED VIEW kept", session)
    assert pipeline.rows("SELECT count(*) FROM kept", session) == [(10,)]
    pipeline.rows("ROLLBACK", session)
    for table in ("whole", "kept", "sys_nearshift_checkpoint", "sys_nearshift_ledger", "sys_stream_scan_states"):
        assert pipeline.rows(f"SELECT count(*) FROM {table}", session) == [(0,)]
    pipeline.rows("REFRESH MATERIALIZED VIEW guarded; REFRESH MATERIALIZED VIEW kept", session)
    assert pipeline.rows("SELECT count(*) FROM kept", session) == [(10,)]


def test_refresh_time_rises_although_the_clock_goes_back(pipeline: Any) -> None:
    pipeline.rows("CREATE MATERIALIZED VIEW timed AS SELECT refresh_time, sequence_number FROM kds.s")
    start = pipeline.clock.now()
    for hours in (0, -5, -3, 1):
        pipeline.clock.set(start + timedelta(hours=hours))
        pipeline.streams["s"].put(b"{}", "k")
        pipeline.rows("REFRESH MATERIALIZED VIEW timed")
    times = [time for (time,) in pipeline.rows("SELECT refresh_time FROM timed ORDER BY sequence_number")]
    assert times == sorted(set(times))
    assert len(times) == 4
