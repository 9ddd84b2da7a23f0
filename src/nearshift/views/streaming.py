"""One intake into one streaming view, in the caller's transaction: rows, positions, ledger and scan notes move together or not at all.

The view's SELECT runs over the records as DuckDB reads them from Arrow. A record on which it fails would fail the whole transaction, so
`screen` finds such records on a connection of its own, by halving; they go to the quarantine with their payload and the reason.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from nearshift import limits, storage
from nearshift.catalog import catalog
from nearshift.catalog.catalog import Rows
from nearshift.catalog.entities import RelationEntry, ViewState
from nearshift.engine import Connection, Engine
from nearshift.errors import DataError, NearshiftError
from nearshift.faults import crash_point
from nearshift.sql.relations import Lowered
from nearshift.streams.aggregate import count_aggregates
from nearshift.streams.checkpoint import Checkpoint
from nearshift.streams.record import RECORD_SCHEMA, ShardId, parse_position
from nearshift.transaction import Transaction
from nearshift.views.intake import Intake, ShardIntake

BATCH_TABLE = "nearshift_batch"
REFRESH_TIME = "refresh_time"

# SYS_STREAM_SCAN_ERRORS names no codes; these are ours.
ERROR_SELECT = 1
ERROR_TOO_LARGE = 2


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not stored: its row of the record table, why, and a code."""

    row: int
    reason: str
    code: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What one intake came to."""

    read: int = 0
    stored: int = 0
    quarantined: int = 0
    skipped: int = 0
    refresh_time: datetime | None = None

    def plus(self, other: Taken) -> Taken:
        """Return both together."""
        return Taken(
            self.read + other.read, self.stored + other.stored, self.quarantined + other.quarantined, self.skipped + other.skipped,
            other.refresh_time,
        )  # fmt: skip

    @property
    def dropped(self) -> int:
        """Records that were read and are not in the view because they could not be."""
        return self.quarantined + self.skipped


def checkpoints(connection: Rows, oid: int) -> dict[ShardId, Checkpoint]:
    """Return a view's checkpoints as the connection's transaction sees them."""
    found = connection.rows(
        "SELECT shard_id, position, stream_identity, caught_up_at FROM nearshift.checkpoints WHERE relation_oid = $1", [oid]
    )
    return {
        ShardId(shard): Checkpoint(ShardId(shard), parse_position(text), identity, at.replace(tzinfo=UTC) if at else None)
        for shard, text, identity, at in found
    }


def record_table(intake: Intake, refresh_time: datetime) -> pa.Table:
    """Return all records of an intake as one Arrow table: the stream's columns and refresh_time (UTC without a zone)."""
    batches = [batch.records for shard in intake.shards for batch in shard.batches]
    table = pa.Table.from_batches(batches, schema=batches[0].schema if batches else RECORD_SCHEMA)
    return table.append_column(
        pa.field(REFRESH_TIME, pa.timestamp("us")), pa.repeat(pa.scalar(refresh_time.replace(tzinfo=None), pa.timestamp("us")), len(table))
    )


def next_refresh_time(state: ViewState, now: datetime) -> datetime:
    """Return a refresh_time later than any before it in the view, though the clock may have gone backwards.

    A load may therefore use the largest refresh_time that it has read as its next watermark.
    """
    naive = now.replace(tzinfo=None)
    last = state.last_refresh_time
    return naive if last is None or naive > last else last + timedelta(microseconds=1)


def screen(engine: Engine, lowered: Lowered, records: pa.Table, width: int) -> list[Rejected]:
    """Return the records that the view cannot store: larger than `width` bytes, or failing in its SELECT."""
    rejected = oversize(records, width)
    large = {one.row for one in rejected}
    connection = engine.connect()
    try:
        _halve(connection, lowered, records, [row for row in range(len(records)) if row not in large], rejected)
    finally:
        connection.close()
    return sorted(rejected, key=lambda r: r.row)


def _halve(connection: Connection, lowered: Lowered, records: pa.Table, rows: list[int], rejected: list[Rejected]) -> None:
    pending = [rows]
    while pending:
        some = pending.pop()
        if not some:
            continue
        error = _try(connection, lowered, records.take(pa.array(some, pa.int64())))
        if error is None:
            continue
        if len(some) == 1:
            rejected.append(Rejected(some[0], error.message, ERROR_SELECT))
        else:
            pending += [some[: len(some) // 2], some[len(some) // 2 :]]


def _try(connection: Connection, lowered: Lowered, records: pa.Table) -> NearshiftError | None:
    try:
        with connection.registered(BATCH_TABLE, records):
            for _batch in connection.stream(lowered.sql):
                pass
    except DataError as error:
        return error
    return None


def oversize(records: pa.Table, width: int) -> list[Rejected]:
    """Return the records that are larger than the view's column: Redshift skips them ("SYS_STREAM_SCAN_ERRORS")."""
    large = pc.indices_nonzero(pc.greater(pc.binary_length(records["kinesis_data"]), width)).to_pylist()
    return [Rejected(row, f"the record is larger than {width} bytes", ERROR_TOO_LARGE) for row in large]


def store(
    tx: Transaction,
    view: RelationEntry,
    lowered: Lowered,
    intake: Intake,
    records: pa.Table,
    rejected: list[Rejected],
    state: ViewState,
    now: datetime,
) -> Taken:
    """Append what the view keeps of an intake and move its positions, ledger and notes, all in the open transaction `tx`.

    `records` are the intake's as `record_table` gives them. Raises DataError when the SELECT fails on a record that `rejected` does not
    name; the transaction can then only be rolled back.
    """
    crash_point("refresh.read")
    connection = tx.connection
    stream = view.bases[0]
    refresh_time = next_refresh_time(state, now)
    kept = without(records, rejected)
    stored = 0
    batch = state.last_batch + 1
    filtered: Counter[str] = Counter()
    if len(kept):
        assert view.storage is not None, "a materialized view has storage"
        with connection.registered(BATCH_TABLE, kept):
            stored = connection.execute(storage.append_query(view.storage, lowered.sql, batch))
        if stored != len(kept):
            filtered = filtered_by_shard(connection, lowered, kept)
    crash_point("refresh.rows")
    if stored:
        tx.touch(view.schema, view.name)
    catalog.set_view_state(
        connection, view.oid, dataclasses.replace(state, last_batch=batch if stored else state.last_batch, last_refresh_time=refresh_time)
    )
    _quarantine(connection, view, stream[1], records, rejected, now)
    bad = Counter(records["shard_id"][r.row].as_py() for r in rejected if r.code != ERROR_TOO_LARGE)
    skipped = Counter(records["shard_id"][r.row].as_py() for r in rejected if r.code == ERROR_TOO_LARGE)
    for gone in intake.forgotten:
        connection.execute("DELETE FROM nearshift.checkpoints WHERE relation_oid = $1 AND shard_id = $2", [view.oid, gone])
    for shard in intake.shards:
        counts = (filtered[shard.shard], bad[shard.shard], skipped[shard.shard])
        _move(connection, view, stream, intake.identity, shard, counts, tx.number, now)
    crash_point("refresh.positions")
    return Taken(len(records), stored, sum(bad.values()), sum(skipped.values()), refresh_time)


def without(records: pa.Table, rejected: list[Rejected]) -> pa.Table:
    """Return the records that are not rejected."""
    if not rejected:
        return records
    mask = [True] * len(records)
    for one in rejected:
        mask[one.row] = False
    return records.filter(pa.array(mask))


def filtered_by_shard(connection: Connection, lowered: Lowered, kept: pa.Table) -> Counter[str]:
    """Count per shard the records that the view's WHERE leaves out."""
    filtered: Counter[str] = Counter()
    for shard in pc.unique(kept["shard_id"]).to_pylist():
        some = kept.filter(pc.equal(kept["shard_id"], shard))
        with connection.registered(BATCH_TABLE, some):
            filtered[shard] = len(some) - int(connection.rows(storage.count_query(lowered.sql))[0][0])
    return filtered


def _quarantine(connection: Rows, view: RelationEntry, stream: str, records: pa.Table, rejected: list[Rejected], now: datetime) -> None:
    for one in rejected:
        record = records.slice(one.row, 1).to_pylist()[0]
        payload = record["kinesis_data"]
        connection.execute(
            "INSERT INTO nearshift.quarantine VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            [
                now.replace(tzinfo=None), view.oid, stream, record["shard_id"], record["sequence_number"],
                record["approximate_arrival_timestamp"], record["partition_key"], one.reason, one.code,
                payload[: limits.SUPER_BYTES_MAX] if payload is not None else None,
                record.get("kafka_timestamp_type"), record.get("kafka_key"), record.get("kafka_headers"),
            ],
        )  # fmt: skip


def _move(
    connection: Rows,
    view: RelationEntry,
    stream: tuple[str, str],
    identity: str,
    shard: ShardIntake,
    counts: tuple[int, int, int],
    transaction: int,
    now: datetime,
) -> None:
    """Move one shard's checkpoint and ledger, and note the scan and the gap if there was one."""
    assert shard.next is not None, "a read shard has a next position"
    filtered, bad, skipped = counts
    naive = now.replace(tzinfo=None)
    caught = shard.caught_up_at.replace(tzinfo=None) if shard.caught_up_at else None
    values = [view.oid, identity, shard.shard, shard.next.text(), " ".join(shard.parents), caught, naive]
    if not connection.execute(
        "UPDATE nearshift.checkpoints SET stream_identity = $2, position = $4, parents = $5, caught_up_at = coalesce($6, caught_up_at),"
        " record_time = $7 WHERE relation_oid = $1 AND shard_id = $3",
        values,
    ):
        connection.execute("INSERT INTO nearshift.checkpoints VALUES ($1, $2, $3, $4, $5, $6, $7)", values)
    if shard.gap is not None and shard.after is not None:
        connection.execute(
            "INSERT INTO nearshift.gaps VALUES ($1, $2, $3, $4, $5, $6, $7)",
            [
                naive, view.oid, stream[1], shard.shard, shard.after.text(), shard.next.text(),
                shard.gap.reason.value if shard.gap.reason else "the stream was deleted and made again under its name",
            ],
        )  # fmt: skip
    if not shard.count:
        return
    found = count_aggregates(pa.chunked_array([batch.records["kinesis_data"] for batch in shard.batches]))
    entry = [
        view.oid, shard.shard, shard.count, shard.count - filtered - bad - skipped, filtered, bad, skipped, shard.payload_bytes,
        found.rows, found.user_records,
    ]  # fmt: skip
    if not connection.execute(
        "UPDATE nearshift.ledger SET read_rows = read_rows + $3, stored_rows = stored_rows + $4, filtered_rows = filtered_rows + $5,"
        " quarantined_rows = quarantined_rows + $6, skipped_rows = skipped_rows + $7, read_bytes = read_bytes + $8,"
        " aggregate_rows = aggregate_rows + $9, user_records = user_records + $10"
        " WHERE relation_oid = $1 AND shard_id = $2",
        entry,
    ):
        connection.execute("INSERT INTO nearshift.ledger VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", entry)
    arrivals = pa.chunked_array([batch.records["approximate_arrival_timestamp"] for batch in shard.batches])
    span = pc.min_max(arrivals).as_py()
    connection.execute(
        "INSERT INTO nearshift.scans VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        [
            view.oid, stream[0], stream[1], view.name, transaction, naive, shard.shard, shard.next.text().removeprefix("AFTER "),
            shard.count, bad + skipped, shard.payload_bytes, span["min"], span["max"], shard.millis_behind,
        ],
    )  # fmt: skip
