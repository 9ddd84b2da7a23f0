"""A folder of text files as a stream: one shard per file, one record per line, which is what logs, exports and fixtures are.

A sequence number is the count of bytes up to and with the line's end, so a Position is where to go on in the file. A last line without its
end is still being written and is left alone. Files may grow and join; nothing closes a shard. Lines without any text are passed over.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from nearshift import limits
from nearshift.clock import Clock, SystemClock
from nearshift.errors import Cancelled, StreamError
from nearshift.streams.reader import Description, ShardReader
from nearshift.streams.record import RECORD_SCHEMA, Batch, Overlap, Place, Position, SequenceNumber, Shard, ShardId, after

# Files forget nothing; a century stands for that where a span is needed.
_FOR_EVER = timedelta(days=36_500)


class FileSource:
    """The files of one folder whose names match a pattern. The partition key of every record is its file's name."""

    def __init__(self, folder: Path, pattern: str = "*.jsonl", *, clock: Clock | None = None) -> None:
        self._folder = folder
        self._pattern = pattern
        self._clock = clock or SystemClock()
        self._is_closed = False

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._folder.name

    def describe(self) -> Description:
        """Return the folder as the file system knows it: another folder under the same path is another stream."""
        try:
            found = self._folder.stat()
        except OSError as error:
            message = f'folder "{self._folder}" cannot be read as a stream'
            detail = f"{error.strerror}."
            raise StreamError(message, sqlstate="42704", detail=detail, hint="Make the folder, or name another.") from error
        return Description(f"file:{self._folder.resolve()}@{found.st_dev}:{found.st_ino}", _FOR_EVER)

    def shards(self) -> list[Shard]:
        """Return the files."""
        self.describe()
        return [Shard(ShardId(path.name)) for path in sorted(self._folder.glob(self._pattern)) if path.is_file()]

    def open(self, shard: ShardId, position: Position) -> ShardReader:
        """Return a reader of one file; AT_TIME positions are refused by its first read, since lines have no times."""
        return _FileReader(self, self._folder / shard, shard, position, self._clock)

    def close(self) -> None:
        """End the readers of this source."""
        self._is_closed = True

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed


class _FileReader:
    def __init__(self, source: FileSource, path: Path, shard: ShardId, position: Position, clock: Clock) -> None:
        self._source = source
        self._path = path
        self._shard = shard
        self._position = position
        self._clock = clock
        self._is_unproven = position.place is Place.AFTER
        self._is_closed = False

    def read(self, *, limit_records: int) -> Batch:
        if self._is_closed or self._source.is_closed:
            message = f'the reader of "{self._path}" was closed'
            raise Cancelled(message)
        if self._position.place is Place.AT_TIME:
            message = f'file "{self._path}" cannot be read from a time on'
            raise StreamError(message, sqlstate="0A000", hint="Read it from its start.")
        try:
            with self._path.open("rb") as file:
                return self._read_from(file, limit_records)
        except OSError as error:
            message = f'could not read file "{self._path}"'
            raise StreamError(message, detail=f"{error.strerror}.", hint="Put the file back, or refresh again.") from error

    def _read_from(self, file: IO[bytes], limit: int) -> Batch:
        asked_at = self._clock.now()
        state = os.fstat(file.fileno())
        start = int(self._position.sequence_number or 0)
        overlap = self._prove(file, start, state.st_size) if self._is_unproven else None
        lines, end = self._lines(file, start, limit)
        if end > start:
            self._position = after(str(end))
        return Batch(
            records=self._to_arrow(lines, datetime.fromtimestamp(state.st_mtime, UTC)),
            next=self._position,
            millis_behind=self._millis_behind(file, end, state, asked_at),
            asked_at=asked_at,
            payload_bytes=sum(len(line) for _, line in lines),
            overlap=overlap,
        )

    def _prove(self, file: IO[bytes], start: int, size: int) -> Overlap:
        expected = SequenceNumber(str(start))
        if size < start:
            return Overlap(expected, None)
        file.seek(start - 1)
        if file.read(1) != b"\n":
            message = f'file "{self._path}" was written anew: no line ends where the last one read did'
            raise StreamError(message, hint="Give a new file a new name; it is then read from its start.")
        self._is_unproven = False
        return Overlap(expected, expected)

    def _lines(self, file: IO[bytes], start: int, limit: int) -> tuple[list[tuple[int, bytes]], int]:
        """Return up to `limit` lines with the place after each, and the place after all that was read, blank lines too."""
        file.seek(start)
        found: list[tuple[int, bytes]] = []
        place = start
        while len(found) < min(limit, limits.GET_RECORDS_COUNT_MAX) and place - start < limits.GET_RECORDS_BYTES_MAX:
            line = file.readline(limits.GET_RECORDS_BYTES_MAX + 1)
            if not line.endswith(b"\n"):
                if len(line) > limits.GET_RECORDS_BYTES_MAX:
                    message = f'file "{self._path}" has a line of more than {limits.GET_RECORDS_BYTES_MAX} bytes'
                    raise StreamError(message, sqlstate="54000", hint="Split the line: a record of Kinesis cannot be longer either.")
                break
            place += len(line)
            if line.strip():
                found.append((place, line.rstrip(b"\r\n")))
        return found, place

    def _millis_behind(self, file: IO[bytes], end: int, state: os.stat_result, now: datetime) -> int:
        file.seek(end)
        if not file.readline(limits.GET_RECORDS_BYTES_MAX + 1).endswith(b"\n"):
            return 0
        return max(1, int((now.timestamp() - state.st_mtime) * 1000))

    def _to_arrow(self, lines: list[tuple[int, bytes]], written_at: datetime) -> pa.RecordBatch:
        count = len(lines)
        columns = [
            pa.array([written_at.replace(tzinfo=None)] * count, pa.timestamp("us")),
            pa.array([self._shard] * count, pa.string()),
            pa.array([self._shard] * count, pa.string()),
            pc.cast(pa.array([place for place, _ in lines], pa.int64()), pa.string()),
            pa.array([line for _, line in lines], pa.binary()),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=RECORD_SCHEMA)

    def close(self) -> None:
        self._is_closed = True
