"""The records of all shards: one SQLite row each, kept as the very JSON text that GetRecords answers with, so that a page is a join of
blobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from nearshift.localaws.kinesis_catalog import Catalog
from nearshift.localaws.sequence import POSITION_MAX, encode_sequence, position_of_ms
from nearshift.localaws.shards import Shard, Stream
from nearshift.localaws.store import Store

_TABLES = (
    """CREATE TABLE IF NOT EXISTS kinesis_record(shard INTEGER NOT NULL, position INTEGER NOT NULL, arrival_ms INTEGER NOT NULL,
       bytes INTEGER NOT NULL, fragment BLOB NOT NULL, PRIMARY KEY(shard, position)) WITHOUT ROWID""",
)
_DROPPED_PER_TURN = 20_000
_INSERT = "INSERT INTO kinesis_record(shard, position, arrival_ms, bytes, fragment) VALUES(?,?,?,?,?)"


class Entry(NamedTuple):
    """A record to append: its payload in base64, its partition key, its 128-bit hash key and the bytes it counts for."""

    payload: bytes
    partition_key: str
    hash_key: int
    size: int


class Appended(NamedTuple):
    """Where a record went."""

    sequence_number: str
    shard: Shard


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a shard. `position` is where the next page begins; `is_end` says that the shard is closed and this was the last of it."""

    fragments: list[bytes]
    position: int
    payload_bytes: int
    behind_ms: int
    is_end: bool


class RecordLog:
    """Appends to shards and reads pages of them."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._appended: set[int] = set()
        store.define(*_TABLES)
        self._load_last_position()
        store.on_rollback.append(self._load_last_position)

    def _load_last_position(self) -> None:
        positions = self._catalog.positions
        read = self._store.connection.execute
        for key in self._catalog.shards_by_key:
            newest = read("SELECT position FROM kinesis_record WHERE shard=? ORDER BY position DESC LIMIT 1", (key,)).fetchone()
            if newest is not None:
                positions.last = max(positions.last, newest[0])

    def append(self, stream: Stream, entries: Iterable[Entry], arrival_ms: int) -> list[Appended]:
        """Put records into the open shards that their hash keys belong to, in their order; inside the caller's transaction."""
        rows = []
        answers = []
        take, encode = self._catalog.positions.take, msgspec.json.encode
        arrival = b"%d.%03d" % divmod(arrival_ms, 1000)
        for payload, partition_key, hash_key, size in entries:
            shard = stream.route(hash_key)
            position = take(arrival_ms)
            sequence_number = encode_sequence(position, shard.index)
            fragment = b'{"SequenceNumber":"%b","ApproximateArrivalTimestamp":%b,"Data":"%b","PartitionKey":%b}' % (
                sequence_number.encode(),
                arrival,
                payload,
                encode(partition_key),
            )
            rows.append((shard.key, position, arrival_ms, size, fragment))
            answers.append(Appended(sequence_number, shard))
            self._appended.add(shard.key)
        self._store.connection.executemany(_INSERT, rows)
        return answers

    @property
    def is_settled(self) -> bool:
        """Say whether all that can be read has been committed."""
        return not self._store.is_in_transaction

    def take_appended(self) -> set[int]:
        """Return the keys of the shards that got records since the last call."""
        appended, self._appended = self._appended, set()
        return appended

    def read(self, stream: Stream, shard: Shard, position: int, count_max: int, bytes_max: int, now_ms: int) -> Page:
        """Return the records above `position` that are within retention: at most `count_max`, and `bytes_max` of payload but at least
        one.
        """
        rows = self._store.connection.execute(
            """SELECT position, arrival_ms, bytes, fragment FROM kinesis_record
               WHERE shard=? AND position>? AND arrival_ms>=? ORDER BY position LIMIT ?""",
            (shard.key, max(position, shard.horizon), stream.cut_ms(now_ms), count_max + 1),
        )
        fragments: list[bytes] = []
        payload_bytes = 0
        next_arrival_ms: int | None = None
        for row_position, arrival_ms, size, fragment in rows:
            if len(fragments) == count_max or (fragments and payload_bytes + size > bytes_max):
                next_arrival_ms = arrival_ms
                break
            fragments.append(fragment)
            payload_bytes += size
            position = row_position
        behind_ms = 0 if next_arrival_ms is None else max(1, now_ms - next_arrival_ms)
        is_end = next_arrival_ms is None and not shard.is_open
        return Page(fragments, position, payload_bytes, behind_ms, is_end)

    def age_ms(self, stream: Stream, shard: Shard, position: int, now_ms: int) -> int:
        """Return how long the oldest record above `position` has been there; 0 if there is none."""
        page = self.read(stream, shard, position, 1, 1, now_ms)
        if not page.fragments:
            return 0
        query = "SELECT arrival_ms FROM kinesis_record WHERE shard=? AND position=?"
        return max(1, now_ms - int(self._store.connection.execute(query, (shard.key, page.position)).fetchone()[0]))

    def position_before(self, shard: Shard, instant_ms: int) -> int:
        """Return the position just before the first record that arrived at `instant_ms` or later; the end if there is none."""
        # A record's position is never below that of its arrival, so nothing before this bound can match.
        row = self._store.connection.execute(
            "SELECT position FROM kinesis_record WHERE shard=? AND position>=? AND arrival_ms>=? ORDER BY position LIMIT 1",
            (shard.key, position_of_ms(instant_ms), instant_ms),
        ).fetchone()
        return self._catalog.positions.last if row is None else row[0] - 1

    def position_of_oldest(self, shard: Shard, count: int) -> int | None:
        """Return the position of the `count`-th oldest readable record, or of the last one if there are fewer; None if there is none."""
        row = self._store.connection.execute(
            """SELECT max(position) FROM
               (SELECT position FROM kinesis_record WHERE shard=? AND position>? ORDER BY position LIMIT ?)""",
            (shard.key, shard.horizon, count),
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def trim(self, stream: Stream, now_ms: int) -> None:
        """Remove the records of a stream that are past retention or below the horizon of their shard; inside the caller's transaction."""
        cut_ms = stream.cut_ms(now_ms)
        write = self._store.connection.execute
        for shard in stream.shards.values():
            kept = write(
                """SELECT position FROM kinesis_record WHERE shard=? AND position>? AND arrival_ms>=? ORDER BY position LIMIT 1""",
                (shard.key, shard.horizon, cut_ms),
            ).fetchone()
            last_gone = write(
                "SELECT position FROM kinesis_record WHERE shard=? AND position<? ORDER BY position DESC LIMIT 1",
                (shard.key, POSITION_MAX if kept is None else kept[0]),
            ).fetchone()
            if last_gone is not None:
                write("DELETE FROM kinesis_record WHERE shard=? AND position<=?", (shard.key, last_gone[0]))
                # The horizon keeps positions growing over a restart though the records that had them are gone.
                self._catalog.set_horizon(shard, max(shard.horizon, last_gone[0]))

    def drop(self) -> None:
        """Remove a portion of the records whose shards are gone; inside the caller's transaction."""
        write = self._store.connection.execute
        for (key,) in write("SELECT shard FROM kinesis_dropped LIMIT 1").fetchall():
            found = write(
                """DELETE FROM kinesis_record WHERE shard=?1 AND position <= coalesce(
                   (SELECT position FROM kinesis_record WHERE shard=?1 ORDER BY position LIMIT 1 OFFSET ?2), ?3)""",
                (key, _DROPPED_PER_TURN, POSITION_MAX),
            ).rowcount
            if found <= _DROPPED_PER_TURN:
                write("DELETE FROM kinesis_dropped WHERE shard=?", (key,))
