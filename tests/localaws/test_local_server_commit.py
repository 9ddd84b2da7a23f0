"""Group commit: answers wait for the commit of their tick, and become errors if it fails."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from nearshift.localaws.connection import Connection
from nearshift.localaws.gateway import Exchange
from nearshift.localaws.server import LocalAws
from nearshift.localaws.wire import HttpRequest


class Recorder:
    """Stands where a connection does and keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Exchange] = []

    def send(self, exchange: Exchange) -> None:
        self.sent.append(exchange)

    @property
    def statuses(self) -> list[int]:
        return [exchange.reply.status for exchange in self.sent if exchange.reply is not None]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalAws]:
    """The services without sockets."""
    opened = LocalAws(tmp_path)
    yield opened
    opened.close()


def ask(local: LocalAws, recorder: Recorder, operation: str, parameters: Any) -> None:
    headers = {"x-amz-target": f"Kinesis_20131202.{operation}", "content-type": "application/x-amz-json-1.1"}
    request = HttpRequest("POST", "/", headers, json.dumps(parameters).encode(), is_keep_alive=True)
    local.serve(cast("Connection", recorder), request)


def put(local: LocalAws, recorder: Recorder, number: int) -> None:
    ask(local, recorder, "PutRecord", {"StreamName": "s", "Data": "eA==", "PartitionKey": str(number)})


def count(path: Path) -> int:
    """Count the records that another process would see."""
    with sqlite3.connect(path / "local-aws.sqlite") as reader:
        found = reader.execute("SELECT count(*) FROM kinesis_record").fetchone()[0]
    reader.close()
    return int(found)


def test_answers_of_one_tick_wait_for_one_commit(local: LocalAws, tmp_path: Path) -> None:
    async def run() -> None:
        recorder = Recorder()
        ask(local, recorder, "CreateStream", {"StreamName": "s", "ShardCount": 1})
        await asyncio.sleep(0)
        for number in range(5):
            put(local, recorder, number)
        ask(local, recorder, "ListStreams", {})  # a read that has seen what is not committed waits too
        assert (recorder.statuses, count(tmp_path)) == ([200], 0)
        await asyncio.sleep(0)
        assert (recorder.statuses, count(tmp_path)) == ([200] * 7, 5)
        ask(local, recorder, "ListStreams", {})
        assert len(recorder.sent) == 8

    asyncio.run(run())


def test_a_refused_request_does_not_hurt_its_neighbours(local: LocalAws, tmp_path: Path) -> None:
    async def run() -> None:
        recorder = Recorder()
        ask(local, recorder, "CreateStream", {"StreamName": "s", "ShardCount": 1})
        put(local, recorder, 1)
        ask(local, recorder, "CreateStream", {"StreamName": "s", "ShardCount": 1})
        put(local, recorder, 2)
        await asyncio.sleep(0)
        assert (recorder.statuses, count(tmp_path)) == ([200, 200, 400, 200], 2)

    asyncio.run(run())


def test_a_commit_that_fails_makes_all_answers_errors_and_the_server_goes_on(local: LocalAws, tmp_path: Path) -> None:
    connection = local.store.connection
    # A deferred foreign key is checked by COMMIT only: the one way to make SQLite refuse it at will.
    connection.execute("PRAGMA foreign_keys=ON")
    local.store.define(
        "CREATE TABLE parent(id INTEGER PRIMARY KEY)", "CREATE TABLE child(id REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
    )

    async def run() -> None:
        recorder = Recorder()
        ask(local, recorder, "CreateStream", {"StreamName": "s", "ShardCount": 1})
        await asyncio.sleep(0)
        put(local, recorder, 1)
        connection.execute("INSERT INTO child VALUES(7)")
        ask(local, recorder, "SplitShard", {"StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "1000"})
        await asyncio.sleep(0)
        assert (recorder.statuses, count(tmp_path)) == ([200, 500, 500], 0)
        put(local, recorder, 2)
        ask(local, recorder, "ListShards", {"StreamName": "s"})
        await asyncio.sleep(0)
        assert (recorder.statuses[3:], count(tmp_path)) == ([200, 200], 1)
        assert recorder.sent[4].reply is not None
        assert len(json.loads(recorder.sent[4].reply.body)["Shards"]) == 1

    asyncio.run(run())


def test_subscribers_are_told_only_what_is_committed(local: LocalAws) -> None:
    async def run() -> None:
        recorder = Recorder()
        ask(local, recorder, "CreateStream", {"StreamName": "s", "ShardCount": 1})
        stream = local.kinesis.find_stream("arn:aws:kinesis:us-east-1:123456789012:stream/s")
        ask(local, recorder, "RegisterStreamConsumer", {"StreamARN": stream.arn, "ConsumerName": "c"})
        await asyncio.sleep(0)
        (consumer,) = local.kinesis.parts.catalog.consumers
        start = {"ConsumerARN": consumer, "ShardId": "shardId-000000000000", "StartingPosition": {"Type": "TRIM_HORIZON"}}
        ask(local, recorder, "SubscribeToShard", start)
        subscription = recorder.sent[-1].subscription
        assert subscription is not None
        frames = aiter(subscription.frames())
        assert b"initial-response" in await anext(frames)
        assert b'{"Records":[]' in await anext(frames)
        with local.store.transaction():
            local.kinesis.append(stream, "k", b"told late")
        coming = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0)
        local._subscriptions.wakeups.wake({stream.open_shards[0].key})
        for _ in range(20):
            await asyncio.sleep(0)
        assert not coming.done()
        local.settle()
        assert b"dG9sZCBsYXRl" in await coming
        subscription.end()

    asyncio.run(run())
