"""Quarantined records put through their streaming view once more, in the caller's transaction.

What the view's SELECT takes now is appended like the records of a refresh, under a new refresh_time, so that views above and loads with a
watermark see it. It leaves the quarantine, and the ledger counts it as stored or filtered, in the same commit. The rest stays, with the
reason of today.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from nearshift import limits, storage
from nearshift.catalog import catalog
from nearshift.catalog.entities import RelationEntry
from nearshift.engine import Connection, Engine
from nearshift.faults import crash_point
from nearshift.sql.relations import Lowered
from nearshift.streams.record import KAFKA_SCHEMA, RECORD_SCHEMA
from nearshift.transaction import Transaction
from nearshift.views import streaming
from nearshift.views.streaming import ERROR_TOO_LARGE, Rejected

# In the order of each shard; sequence numbers are numbers in text, so the shorter comes first.
_FIND = (
    "SELECT rowid, coalesce(octet_length(payload), 0) FROM nearshift.quarantine WHERE relation_oid = $1"
    " AND ($2::VARCHAR IS NULL OR shard_id = $2) AND ($3::VARCHAR IS NULL OR sequence_number = $3)"
    " AND ($4::TIMESTAMP IS NULL OR arrived_at >= $4) AND ($5::TIMESTAMP IS NULL OR arrived_at < $5)"
    " ORDER BY shard_id, length(sequence_number), sequence_number, rowid LIMIT $6"
)
_TAKE = (
    "SELECT arrived_at AS approximate_arrival_timestamp, coalesce(partition_key, '') AS partition_key, shard_id, sequence_number,"
    " payload AS kinesis_data, kafka_timestamp_type, kafka_key, kafka_headers, rowid AS place, error_code FROM nearshift.quarantine"
    " WHERE rowid IN (SELECT unnest($1::BIGINT[])) ORDER BY shard_id, length(sequence_number), sequence_number, rowid"
)
_MOVE = (
    "UPDATE nearshift.ledger SET stored_rows = stored_rows + $3, filtered_rows = filtered_rows + $4,"
    " quarantined_rows = quarantined_rows + $5, skipped_rows = skipped_rows + $6 WHERE relation_oid = $1 AND shard_id = $2"
)
_NO_LIMIT = 2**62


@dataclass(frozen=True, slots=True)
class Choice:
    """Which quarantined records of a view: None leaves a bound out. Times are when a record arrived in the stream."""

    shard: str | None = None
    sequence_number: str | None = None
    arrived_from: datetime | None = None
    arrived_before: datetime | None = None
    limit: int | None = None

    def values(self) -> list[object]:
        """Return the bounds as the statement takes them; times in UTC without a zone."""
        times = [_naive(one) for one in (self.arrived_from, self.arrived_before)]
        return [self.shard, self.sequence_number, *times, _NO_LIMIT if self.limit is None else self.limit]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: `tried` = `stored` + `filtered` + `kept`; `kept` are still in the quarantine."""

    tried: int = 0
    stored: int = 0
    filtered: int = 0
    kept: int = 0
    refresh_time: datetime | None = None  # of the stored rows, UTC without a zone


@dataclass(slots=True)
class _Part:
    """Some quarantined records in memory: as the view's SELECT reads them, their rows in the quarantine, the codes noted with them."""

    records: pa.Table
    places: list[int]
    codes: list[int]


def put_through(
    engine: Engine, tx: Transaction, view: RelationEntry, lowered: Lowered, choice: Choice, width: int, now: datetime, *, is_dry_run: bool
) -> Replayed:
    """Replay the chosen records in the open transaction `tx`, which has the lane; a dry run only says what would come of it.

    `lowered` is the view's query over `streaming.BATCH_TABLE`, `width` the bytes that a record may have. Memory is bounded by what one
    refresh may take in. Raises NearshiftError when the disk or the engine fails; the transaction can then only be rolled back.
    """
    connection = tx.connection
    state = catalog.view_state(connection, view.oid)
    refresh_time = streaming.next_refresh_time(state, now)
    batch = state.last_batch + 1
    schema = RECORD_SCHEMA if tx.snapshot.schemas[view.bases[0][0]].is_kinesis else KAFKA_SCHEMA
    total = Replayed()
    for places in _parts(connection.rows(_FIND, [view.oid, *choice.values()])):
        part = _take(connection, places, refresh_time, schema)
        rejected = streaming.screen(engine, lowered, part.records, width)
        kept = streaming.without(part.records, rejected)
        filtered = streaming.filtered_by_shard(connection, lowered, kept) if len(kept) else Counter()
        if not is_dry_run:
            _store(connection, view, lowered, kept, batch, filtered)
            _settle(connection, view, part, rejected, filtered)
        left_out = sum(filtered.values())
        total = Replayed(
            total.tried + len(part.places), total.stored + len(kept) - left_out, total.filtered + left_out, total.kept + len(rejected)
        )
    if not total.stored:
        return total
    if not is_dry_run:
        tx.touch(view.schema, view.name)
        catalog.set_view_state(connection, view.oid, dataclasses.replace(state, last_batch=batch, last_refresh_time=refresh_time))
    crash_point("replay.moved")
    return dataclasses.replace(total, refresh_time=refresh_time)


def _naive(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def _parts(found: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Part rows of the quarantine into as many as one refresh may take in."""
    places: list[int] = []
    size = 0
    for place, length in found:
        if places and (len(places) >= limits.REFRESH_RECORDS_MAX or size + length > limits.REFRESH_BYTES_MAX):
            yield places
            places, size = [], 0
        places.append(place)
        size += length
    if places:
        yield places


def _take(connection: Connection, places: list[int], refresh_time: datetime, schema: pa.Schema) -> _Part:
    table = pa.Table.from_batches(list(connection.stream(_TAKE, [places])))
    time = pa.scalar(refresh_time.replace(tzinfo=None), pa.timestamp("us"))
    records = table.select(schema.names).cast(schema)
    records = records.append_column(pa.field(streaming.REFRESH_TIME, pa.timestamp("us")), pa.repeat(time, len(table)))
    return _Part(records, table["place"].to_pylist(), table["error_code"].to_pylist())


def _store(
    connection: Connection, view: RelationEntry, lowered: Lowered, kept: pa.Table, batch: int, filtered: Counter[str]
) -> None:
    if not len(kept):
        return
    assert view.storage is not None, "a materialized view has storage"
    with connection.registered(streaming.BATCH_TABLE, kept):
        stored = connection.execute(storage.append_query(view.storage, lowered.sql, batch))
    assert stored == len(kept) - sum(filtered.values()), "a streaming view keeps or filters each record"
    crash_point("replay.rows")


def _settle(connection: Connection, view: RelationEntry, part: _Part, rejected: list[Rejected], filtered: Counter[str]) -> None:
    """Take the records that are through out of the quarantine, note why the others are not, and move the ledger by as much."""
    still = {one.row: one for one in rejected}
    shards = part.records["shard_id"].to_pylist()
    done = [place for row, place in enumerate(part.places) if row not in still]
    connection.execute("DELETE FROM nearshift.quarantine WHERE rowid IN (SELECT unnest($1::BIGINT[]))", [done])
    stored: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for row, (shard, code) in enumerate(zip(shards, part.codes, strict=True)):
        (skipped if code == ERROR_TOO_LARGE else bad)[shard] -= 1
        now = still.get(row)
        if now is None:
            stored[shard] += 1
            continue
        (skipped if now.code == ERROR_TOO_LARGE else bad)[shard] += 1
        connection.execute(
            "UPDATE nearshift.quarantine SET reason = $2, error_code = $3 WHERE rowid = $1 AND (reason <> $2 OR error_code <> $3)",
            [part.places[row], now.reason, now.code],
        )
    for shard in sorted(set(shards)):
        moved = connection.execute(
            _MOVE, [view.oid, shard, stored[shard] - filtered[shard], filtered[shard], bad[shard], skipped[shard]]
        )
        assert moved == 1, "a quarantined record's shard has a ledger"
