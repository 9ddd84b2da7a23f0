"""Whatever a request says, the answer is one of AWS's refusals or a success: never an internal error."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearshift.localaws.sequence import (
    POSITION_MAX,
    Positions,
    decode_iterator,
    decode_sequence,
    encode_iterator,
    encode_sequence,
)
from nearshift.localaws.sequence import Iterator as ShardIterator
from nearshift.localaws.server import LocalAws
from nearshift.localaws.wire import HttpRequest

_MEMBERS = (
    *("StreamName", "StreamARN", "ShardId", "ShardCount", "ShardIteratorType", "ShardIterator", "StartingSequenceNumber", "Timestamp"),
    *("Limit", "Records", "Data", "PartitionKey", "ExplicitHashKey", "NextToken", "ExclusiveStartShardId", "ShardFilter", "MaxResults"),
    *("RetentionPeriodHours", "StreamModeDetails", "Tags", "TagKeys", "ResourceARN", "ConsumerName", "ConsumerARN", "TargetShardCount"),
    *("ScalingType", "ShardToSplit", "NewStartingHashKey", "ShardToMerge", "AdjacentShardToMerge", "StartingPosition", "Type"),
    *("MetricDataQueries", "StartTime", "EndTime", "Period", "Statistics", "Namespace", "MetricName", "Dimensions", "Id", "MetricStat"),
)
_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ("s", _ARN, "0", "shardId-000000000000", "TRIM_HORIZON", "AT_TIMESTAMP", "LATEST", "AT_SEQUENCE_NUMBER", "eA==", "UNIFORM_SCALING",
         "AT_LATEST", "FROM_TIMESTAMP", "AFTER_SHARD_ID", encode_sequence(5, 0), "1", "AWS/Kinesis", "Sum", "PROVISIONED", "a")
    ),
)  # fmt: skip
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_MEMBERS) | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
_PARAMETERS = st.dictionaries(st.sampled_from(_MEMBERS), _VALUES, max_size=6)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """The services without sockets, with a stream `s`."""
    opened = LocalAws(Path(tmp_path_factory.mktemp("fuzz")), with_admin=True)
    request = json.dumps({"StreamName": "s", "ShardCount": 1}).encode()
    assert ask(opened, {"x-amz-target": "Kinesis_20131202.CreateStream"}, request) == 200
    yield opened
    opened.close()


def ask(local: LocalAws, headers: dict[str, str], body: bytes, path: str = "/") -> int:
    """Answer a request as the server does, without a socket, and return the status."""
    exchange = local._gateway.answer(HttpRequest("POST", path, headers, body, is_keep_alive=True))
    local.store.commit()
    return 200 if exchange.reply is None else exchange.reply.status


def operations(local: LocalAws, prefix: str) -> list[str]:
    return next(sorted(service.operations) for service in local.services if service.target == prefix)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), parameters=_PARAMETERS)
def test_kinesis_never_fails_inside(local: LocalAws, data: st.DataObject, parameters: dict[str, Any]) -> None:
    names = [name for name in operations(local, "Kinesis_20131202") if name != "DeleteStream"]
    name = data.draw(st.sampled_from([*names, "SubscribeToShard"]))
    if data.draw(st.booleans()):
        parameters.setdefault("StreamName", "s")
    headers = {"x-amz-target": f"Kinesis_20131202.{name}"}
    assert ask(local, headers, json.dumps(parameters).encode()) in (200, 400)
    assert ask(local, {**headers, "content-type": "application/x-amz-cbor-1.1"}, cbor2.dumps(parameters)) in (200, 400)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), parameters=_VALUES)
def test_cloudwatch_never_fails_inside(local: LocalAws, data: st.DataObject, parameters: Any) -> None:
    name = data.draw(st.sampled_from(operations(local, "GraniteServiceVersion20100801")))
    headers = {"x-amz-target": f"GraniteServiceVersion20100801.{name}"}
    assert ask(local, headers, json.dumps(parameters).encode()) in (200, 400)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60))
def test_bytes_never_fail_inside(local: LocalAws, body: bytes) -> None:
    for content_type in ("application/x-amz-json-1.1", "application/x-amz-cbor-1.1"):
        headers = {"x-amz-target": "Kinesis_20131202.PutRecords", "content-type": content_type}
        assert ask(local, headers, body) == 400
    assert ask(local, {}, body) == 400
    assert ask(local, {"smithy-protocol": "rpc-v2-cbor"}, body, "/service/GraniteServiceVersion20100801/operation/ListMetrics") in (
        200,
        400,
    )
    assert ask(local, {}, body, "/_admin") == 400


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.dictionaries(
        st.sampled_from(
            ("RoleArn", "RoleSessionName", "DurationSeconds", "MetricDataQueries.member.1.Id", "MetricDataQueries.member.x.Id")
        ),
        st.text(max_size=5) | st.sampled_from(("arn:aws:iam::111111111111:role/r", "name", "900", "2026-01-01T00:00:00Z")),
    ),
    action=st.sampled_from(("AssumeRole", "GetCallerIdentity", "GetMetricData", "GetMetricStatistics", "ListMetrics", "Other", "")),
    version=st.sampled_from(("2011-06-15", "2010-08-01")),
)
def test_forms_never_fail_inside(local: LocalAws, fields: dict[str, str], action: str, version: str) -> None:
    body = urllib.parse.urlencode({"Action": action, "Version": version, **fields}).encode()
    assert ask(local, {}, body) in (200, 400)


@given(position=st.integers(0, POSITION_MAX), index=st.integers(0, 2**32 - 1))
def test_sequence_numbers_round_trip_and_keep_order(position: int, index: int) -> None:
    text = encode_sequence(position, index)
    assert len(text) == 56
    assert decode_sequence(text) == (position, index)
    if position < POSITION_MAX:
        assert int(text) < int(encode_sequence(position + 1, 0))


@given(text=st.text(max_size=130) | st.integers(0, 10**130).map(str))
def test_other_texts_are_no_sequence_numbers(text: str) -> None:
    decoded = decode_sequence(text)
    assert decoded is None or encode_sequence(*decoded) == text


@given(key=st.integers(0, 2**62), position=st.integers(-1, POSITION_MAX), issued=st.integers(0, 2**62), flip=st.integers(0, 63))
def test_iterators_round_trip_and_damage_is_seen(key: int, position: int, issued: int, flip: int) -> None:
    text = encode_iterator(ShardIterator(key, position, issued))
    assert decode_iterator(text) == ShardIterator(key, position, issued)
    damaged = text[:flip] + ("A" if text[flip] != "A" else "B") + text[flip + 1 :]
    assert decode_iterator(damaged) is None


@given(times=st.lists(st.integers(0, 2**41), max_size=50))
def test_positions_always_grow(times: list[int]) -> None:
    positions = Positions()
    taken = [positions.take(now_ms) for now_ms in times]
    assert taken == sorted(set(taken))
