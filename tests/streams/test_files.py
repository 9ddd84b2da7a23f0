"""A folder of files as a stream."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nearshift import limits
from nearshift.clock import ManualClock
from nearshift.errors import Cancelled, StreamError
from nearshift.streams.file import FileSource
from nearshift.streams.reader import ShardReader
from nearshift.streams.record import OLDEST, ShardId, after, at_time

A = ShardId("a.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_bytes(b'{"n":1}\n\n{"n":2}\r\n  \n{"n":3}')
    (tmp_path / "b.jsonl").write_bytes(b"")
    (tmp_path / "other.txt").write_bytes(b"x\n")
    return tmp_path


def payloads(reader: ShardReader, limit: int = 100) -> list[bytes]:
    found: list[bytes] = reader.read(limit_records=limit).records.column("kinesis_data").to_pylist()
    return found


def test_each_file_is_a_shard_and_each_whole_line_a_record(folder: Path) -> None:
    source = FileSource(folder, clock=ManualClock())
    assert [shard.id for shard in source.shards()] == ["a.jsonl", "b.jsonl"]
    batch = source.open(A, OLDEST).read(limit_records=100)
    assert batch.records.column("kinesis_data").to_pylist() == [b'{"n":1}', b'{"n":2}']
    assert batch.records.column("partition_key").to_pylist() == [A, A]
    assert (batch.is_at_tip, batch.is_end, batch.payload_bytes) == (True, False, 14)
    assert payloads(source.open(ShardId("b.jsonl"), OLDEST)) == []


def test_a_restart_after_every_line_goes_on_and_growth_is_read(folder: Path) -> None:
    source = FileSource(folder, clock=ManualClock())
    found: list[bytes] = []
    position = OLDEST
    for _ in range(5):
        batch = source.open(A, position).read(limit_records=1)
        found += batch.records.column("kinesis_data").to_pylist()
        assert batch.overlap is None or batch.overlap.found == batch.overlap.expected
        position = batch.next
    with (folder / "a.jsonl").open("ab") as file:
        file.write(b"\nlast\n")
    assert found == [b'{"n":1}', b'{"n":2}']
    assert payloads(source.open(A, position)) == [b'{"n":3}', b"last"]


def test_a_batch_before_the_tip_says_so(folder: Path) -> None:
    batch = FileSource(folder).open(A, OLDEST).read(limit_records=1)
    assert not batch.is_at_tip
    assert batch.next == after("8")


def test_a_file_that_shrank_lacks_its_overlap_and_one_written_anew_is_an_error(folder: Path) -> None:
    source = FileSource(folder, clock=ManualClock())
    position = source.open(A, OLDEST).read(limit_records=100).next
    (folder / "a.jsonl").write_bytes(b"x\n")
    batch = source.open(A, position).read(limit_records=100)
    assert batch.overlap is not None
    assert (batch.overlap.found, batch.count, batch.is_at_tip) == (None, 0, True)
    (folder / "a.jsonl").write_bytes(b"y" * 500 + b"\n")
    with pytest.raises(StreamError, match="written anew"):
        source.open(A, position).read(limit_records=100)


def test_what_cannot_be_read_is_an_error(folder: Path) -> None:
    source = FileSource(folder, clock=ManualClock())
    with pytest.raises(StreamError, match="could not read file"):
        source.open(ShardId("none.jsonl"), OLDEST).read(limit_records=1)
    with pytest.raises(StreamError, match="from a time on"):
        source.open(A, at_time(datetime(2026, 1, 1, tzinfo=UTC))).read(limit_records=1)
    (folder / "b.jsonl").write_bytes(b"z" * (limits.GET_RECORDS_BYTES_MAX + 1))
    with pytest.raises(StreamError, match="a line of more than"):
        source.open(ShardId("b.jsonl"), OLDEST).read(limit_records=1)
    with pytest.raises(StreamError, match="cannot be read as a stream"):
        FileSource(folder / "absent").shards()
    reader = source.open(A, OLDEST)
    source.close()
    with pytest.raises(Cancelled):
        reader.read(limit_records=1)


def test_another_folder_under_the_same_path_is_another_stream(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    before = FileSource(folder).describe().identity
    folder.rename(tmp_path / "old")
    folder.mkdir()
    assert FileSource(folder).describe().identity != before
