"""The admin door: every command does what it says, and what is no command changes nothing."""

from __future__ import annotations

import base64
import itertools
import json
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from nearshift.localaws.clock import Clock
from nearshift.localaws.faults import CaptureChaos, Faults
from nearshift.localaws.kinesis import Kinesis
from nearshift.localaws.service import Request
from nearshift.localaws.store import Store

if TYPE_CHECKING:
    from tests.localaws.conftest import LocalServer

_names = itertools.count()


@pytest.fixture
def stream(kinesis: Any) -> str:
    """A stream of two shards with four records in its first."""
    name = f"admin-{next(_names)}"
    kinesis.create_stream(StreamName=name, ShardCount=2)
    records = [{"Data": b"%d" % number, "PartitionKey": "k", "ExplicitHashKey": "0"} for number in range(4)]
    kinesis.put_records(StreamName=name, Records=records)
    return name


def iterator_of(kinesis: Any, stream: str) -> str:
    answer = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="TRIM_HORIZON")
    return str(answer["ShardIterator"])


def read(kinesis: Any, stream: str) -> list[bytes]:
    return [record["Data"] for record in kinesis.get_records(ShardIterator=iterator_of(kinesis, stream))["Records"]]


def test_a_throttled_operation_recovers_after_so_many_calls(kinesis: Any, local_server: LocalServer, stream: str) -> None:
    status = local_server.admin("throttle", operation="ListShards", times=2)
    assert status["faults"] == [{"operation": "ListShards", "mishap": "error", "remaining": 2}]
    for _ in range(2):
        with pytest.raises(kinesis.exceptions.ProvisionedThroughputExceededException):
            kinesis.list_shards(StreamName=stream)
    assert len(kinesis.list_shards(StreamName=stream)["Shards"]) == 2


@pytest.mark.parametrize(("status", "code"), [(500, "InternalFailure"), (503, "ServiceUnavailable")])
def test_a_failed_operation_did_nothing(kinesis: Any, local_server: LocalServer, stream: str, status: int, code: str) -> None:
    local_server.admin("fail", operation="PutRecord", status=status)
    with pytest.raises(ClientError) as caught:
        kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k", ExplicitHashKey="0")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert caught.value.response["Error"]["Code"] == code
    assert read(kinesis, stream) == [b"0", b"1", b"2", b"3"]


def test_any_refusal_can_be_asked_for(kinesis: Any, local_server: LocalServer, stream: str) -> None:
    local_server.admin("refuse", operation="GetRecords", code="AccessDeniedException", message="no")
    iterator = iterator_of(kinesis, stream)
    with pytest.raises(kinesis.exceptions.AccessDeniedException):
        kinesis.get_records(ShardIterator=iterator)
    local_server.admin("refuse", operation="AssumeRole", code="AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        local_server.client("sts").assume_role(RoleArn="arn:aws:iam::111111111111:role/r", RoleSessionName="name")


@pytest.mark.parametrize(("when", "is_done"), [("before", False), ("after", True)])
def test_a_connection_can_be_cut_before_and_after_the_deed(
    kinesis: Any, local_server: LocalServer, stream: str, when: str, *, is_done: bool
) -> None:
    local_server.admin("drop", operation="PutRecord", when=when)
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        kinesis.put_record(StreamName=stream, Data=b"cut", PartitionKey="k", ExplicitHashKey="0")
    assert (b"cut" in read(kinesis, stream)) is is_done


def test_an_answer_can_be_cut_in_its_middle(kinesis: Any, local_server: LocalServer, stream: str) -> None:
    local_server.admin("drop", operation="PutRecord", when="truncate")
    # Stock botocore takes half an answer for a whole one without members: whoever reads streams must check that there are some.
    answer = kinesis.put_record(StreamName=stream, Data=b"cut", PartitionKey="k", ExplicitHashKey="0")
    assert "SequenceNumber" not in answer
    assert b"cut" in read(kinesis, stream)


def test_iterators_expire_on_command(kinesis: Any, local_server: LocalServer, stream: str) -> None:
    old = iterator_of(kinesis, stream)
    local_server.admin("expire-iterators")
    with pytest.raises(kinesis.exceptions.ExpiredIteratorException):
        kinesis.get_records(ShardIterator=old)
    time.sleep(0.002)  # iterators are told apart by the millisecond
    assert len(read(kinesis, stream)) == 4
    local_server.admin("iterator-seconds", seconds=10)
    young = iterator_of(kinesis, stream)
    local_server.admin("clock", advance=11)
    with pytest.raises(kinesis.exceptions.ExpiredIteratorException, match="10000 milliseconds"):
        kinesis.get_records(ShardIterator=young)


def test_a_trimmed_shard_begins_later(kinesis: Any, local_server: LocalServer, stream: str) -> None:
    local_server.admin("trim", stream=stream, shard="shardId-000000000000", count=3)
    assert read(kinesis, stream) == [b"3"]
    local_server.admin("trim", stream=stream)
    assert read(kinesis, stream) == []
    kinesis.put_record(StreamName=stream, Data=b"new", PartitionKey="k", ExplicitHashKey="0")
    assert read(kinesis, stream) == [b"new"]


def test_empty_pages_come_before_the_records(kinesis: Any, local_server: LocalServer, stream: str) -> None:
    local_server.admin("empty-pages", times=2)
    iterator = iterator_of(kinesis, stream)
    for _ in range(2):
        page = kinesis.get_records(ShardIterator=iterator)
        assert page["Records"] == []
        assert page["MillisBehindLatest"] > 0
        iterator = page["NextShardIterator"]
    assert len(kinesis.get_records(ShardIterator=iterator)["Records"]) == 4


def test_the_clock_is_moved_stopped_and_reset(local_server: LocalServer) -> None:
    assert local_server.admin("clock", set=2_000_000_000)["clock"]["now"] == pytest.approx(2_000_000_000, abs=5)
    assert local_server.admin("clock", advance=-100)["clock"]["now"] == pytest.approx(1_999_999_900, abs=5)
    stopped = local_server.admin("clock", stop=True)["clock"]
    assert local_server.admin("status")["clock"]["now"] == stopped["now"]
    assert local_server.admin("clock", resume=True)["clock"]["is_stopped"] is False
    assert local_server.admin("clock", skew=60)["clock"]["offset_seconds"] == pytest.approx(60, abs=1)
    assert local_server.admin("reset")["clock"]["offset_seconds"] == pytest.approx(0, abs=1)


def test_limits_are_those_of_a_shard(kinesis: Any, local_server: LocalServer, stream: str) -> None:
    local_server.admin("clock", stop=True)
    local_server.admin("limits", enforce=True)
    records = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "0"}] * 500
    failed = [kinesis.put_records(StreamName=stream, Records=records)["FailedRecordCount"] for _ in range(3)]
    assert failed == [0, 0, 500]
    with pytest.raises(kinesis.exceptions.ProvisionedThroughputExceededException, match="Rate exceeded for shard"):
        kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k", ExplicitHashKey="0")
    kinesis.put_record(StreamName=stream, Data=b"other shard", PartitionKey="k", ExplicitHashKey=str(2**128 - 1))
    local_server.admin("clock", advance=1)
    kinesis.put_record(StreamName=stream, Data=b"x" * 1_000_000, PartitionKey="k", ExplicitHashKey="0")
    with pytest.raises(kinesis.exceptions.ProvisionedThroughputExceededException):
        kinesis.put_record(StreamName=stream, Data=b"x" * 100_000, PartitionKey="k", ExplicitHashKey="0")
    iterator = iterator_of(kinesis, stream)
    for _ in range(5):
        kinesis.get_records(ShardIterator=iterator, Limit=1)
    with pytest.raises(kinesis.exceptions.ProvisionedThroughputExceededException):
        kinesis.get_records(ShardIterator=iterator, Limit=1)
    local_server.admin("clock", advance=1)
    kinesis.get_records(ShardIterator=iterator)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"command":"explode"}',
        b'{"command":"status","more":1}',
        b'{"command":"throttle"}',
        b'{"command":"throttle","operation":"GetRecords","times":0}',
        b'{"command":"throttle","operation":"rm -rf","times":1}',
        b'{"command":"fail","operation":"GetRecords","status":200}',
        b'{"command":"clock"}',
        b'{"command":"clock","set":1,"skew":2}',
        b'{"command":"clock","set":1e300}',
        b'{"command":"trim","stream":"no-such-stream"}',
        b'{"command":"capture","stream":"s","duplicates":1.5}',
        b'{"command":"limits","enforce":"yes"}',
    ],
)
def test_what_is_no_command_is_refused_and_changes_nothing(local_server: LocalServer, body: bytes) -> None:
    before = local_server.admin("status")
    with pytest.raises(HTTPError) as caught:
        local_server.post("/_admin", body)
    with caught.value:
        assert caught.value.code == 400
        assert set(json.loads(caught.value.read())) == {"error", "message"}
    after = local_server.admin("status")
    before["clock"] = after["clock"]
    assert after == before


def test_captured_records_are_doubled_and_late_as_asked_and_none_is_lost(tmp_path: Path) -> None:

    store, clock, faults = Store(tmp_path), Clock(), Faults()
    kinesis = Kinesis(store, clock, faults)
    request = Request("CreateStream", "123456789012", "us-east-1", "id")
    with store.transaction():
        kinesis.operations["CreateStream"](request, {"StreamName": "s", "ShardCount": 1})
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
    clock.stop()
    faults.capture[arn] = CaptureChaos(0.3, 0.3, 500, Random(1))
    for number in range(200):
        with store.transaction():
            kinesis.capture(arn, "k", b"%d" % number)
            kinesis.release_held()
        clock.advance(0.01)
    assert kinesis.has_held
    store.commit()
    store.close()
    store = Store(tmp_path)
    kinesis = Kinesis(store, clock, Faults())
    clock.advance(1)
    with store.transaction():
        kinesis.release_held()
    store.commit()
    assert not kinesis.has_held
    stream = kinesis.find_stream(arn)
    page = kinesis.parts.records.read(stream, stream.open_shards[0], 0, 1000, 1 << 20, clock.now_ms())

    seen = [int(base64.b64decode(json.loads(fragment)["Data"])) for fragment in page.fragments]
    assert set(seen) == set(range(200))
    assert 230 < len(seen) < 290
    assert seen != sorted(seen)
    store.close()


def test_a_web_page_cannot_send_commands(local_server: LocalServer) -> None:
    with pytest.raises(HTTPError) as caught:
        local_server.post("/_admin", b'{"command":"limits","enforce":true}', {"Origin": "http://evil.example"})
    with caught.value:
        assert caught.value.code == 403
    assert local_server.admin("status")["limits_enforced"] is False
