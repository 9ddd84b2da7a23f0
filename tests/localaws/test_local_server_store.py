"""The store alone: savepoints, group commit, and what a failed commit does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearshift.localaws.clock import Clock
from nearshift.localaws.errors import AwsError, StartError
from nearshift.localaws.faults import Faults
from nearshift.localaws.kinesis import Kinesis
from nearshift.localaws.service import Request
from nearshift.localaws.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store with a table `note`."""
    opened = Store(tmp_path)
    opened.define("CREATE TABLE note(text TEXT)")
    yield opened
    opened.close()


def notes(store: Store) -> list[str]:
    return [text for (text,) in store.connection.execute("SELECT text FROM note ORDER BY rowid")]


def write(store: Store, text: str) -> None:
    store.connection.execute("INSERT INTO note VALUES(?)", (text,))


def test_a_request_that_fails_leaves_the_others_of_its_tick(store: Store) -> None:
    reloads: list[int] = []
    store.on_rollback.append(lambda: reloads.append(1))
    with store.transaction():
        write(store, "one")
    with pytest.raises(AwsError), store.transaction():  # noqa: PT012 - the block is what is undone
        write(store, "two")
        raise AwsError("X", "no")
    with pytest.raises(AwsError), store.transaction():
        raise AwsError("X", "nothing was written, so nothing is read again")
    store.commit()
    assert (notes(store), reloads) == (["one"], [1])


def test_inner_blocks_are_part_of_outer_ones(store: Store) -> None:
    with pytest.raises(AwsError), store.transaction():  # noqa: PT012 - the block is what is undone
        with store.transaction():
            write(store, "inner")
        raise AwsError("X", "no")
    store.commit()
    assert notes(store) == []


def test_what_is_not_committed_is_not_seen_by_another_reader(store: Store, tmp_path: Path) -> None:
    with store.transaction():
        write(store, "one")
    with sqlite3.connect(tmp_path / "local-aws.sqlite") as other:
        assert other.execute("SELECT count(*) FROM note").fetchone() == (0,)
        store.commit()
        assert other.execute("SELECT count(*) FROM note").fetchone() == (1,)
    other.close()


def test_a_full_disk_undoes_the_whole_tick_and_says_so(store: Store) -> None:
    reloads: list[int] = []
    store.on_rollback.append(lambda: reloads.append(1))
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count={pages + 2}")
    with store.transaction():
        write(store, "one")
    with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction():
        write(store, "x" * 1_000_000)
    if store.connection.in_transaction:
        store.rollback()
    else:
        assert store.is_in_transaction
        with pytest.raises(sqlite3.OperationalError):
            store.commit()
    assert notes(store) == []
    assert reloads
    with store.transaction():
        write(store, "after")
    store.commit()
    assert notes(store) == ["after"]


def test_a_second_opening_is_refused_until_the_first_is_closed(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="in use by another process"):
        Store(tmp_path)
    store.close()
    again = Store(tmp_path)
    assert notes(again) == []
    again.close()


def test_a_stream_made_in_a_request_that_fails_does_not_exist(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kinesis = Kinesis(store, Clock())
    request = Request("CreateStream", "123456789012", "us-east-1", "id")
    parameters = {"StreamName": "s", "ShardCount": 2}
    with pytest.raises(AwsError, match="no"), store.transaction():  # noqa: PT012 - the block is what is undone
        kinesis.operations["CreateStream"](request, parameters)
        raise AwsError("X", "no")
    with store.transaction():
        kinesis.operations["CreateStream"](request, parameters)
    store.commit()
    assert len(kinesis.find_stream("arn:aws:kinesis:us-east-1:123456789012:stream/s").open_shards) == 2
    store.close()


def test_a_record_and_another_row_commit_together_or_not_at_all(store: Store) -> None:
    kinesis = Kinesis(store, Clock(), Faults())
    request = Request("CreateStream", "123456789012", "us-east-1", "id")
    with store.transaction():
        kinesis.operations["CreateStream"](request, {"StreamName": "s", "ShardCount": 1})
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
    with store.transaction():
        write(store, "item")
        assert kinesis.capture(arn, "key", b"change")
    with pytest.raises(AwsError), store.transaction():  # noqa: PT012 - the block is what is undone
        write(store, "item 2")
        kinesis.capture(arn, "key", b"change 2")
        raise AwsError("ConditionalCheckFailedException", "no")
    store.commit()
    count = store.connection.execute("SELECT count(*) FROM kinesis_record").fetchone()[0]
    assert (notes(store), count) == (["item"], 1)
    assert kinesis.capture(arn, "key", b"x" * 1_048_576) is False


def test_a_file_of_a_later_version_is_refused_and_stays(tmp_path: Path) -> None:
    opened = Store(tmp_path)
    opened.connection.execute("PRAGMA user_version=99")
    opened.close()
    with pytest.raises(StartError, match="its format is 99"):
        Store(tmp_path)
    with pytest.raises(StartError, match="its format is 99"):  # the directory is not left locked
        Store(tmp_path)


def test_pages_are_large_enough_for_records(store: Store) -> None:
    assert store.connection.execute("PRAGMA page_size").fetchone() == (32768,)
    assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
