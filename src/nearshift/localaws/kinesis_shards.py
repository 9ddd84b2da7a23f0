"""Shards listed and resharded: ListShards, SplitShard, MergeShards, UpdateShardCount ("Kinesis API reference")."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import msgspec

from nearshift.localaws.constraints import Kind, Member
from nearshift.localaws.errors import AwsError
from nearshift.localaws.kinesis_parts import (
    EITHER_STREAM,
    HASH_KEY,
    NEXT_TOKEN,
    REQUIRED_SHARD_ID,
    SHARD_ID,
    TIMESTAMP,
    Answer,
    OperationTable,
    Parts,
    milliseconds_of,
)
from nearshift.localaws.kinesis_streams import check_shard_limit
from nearshift.localaws.service import Request
from nearshift.localaws.shards import Shard, Split, Stream, parse_shard_id, plan_uniform_scaling

_TOKEN_MS_MAX = 300_000
_FILTERS = ("AFTER_SHARD_ID", "AT_TIMESTAMP", "FROM_TRIM_HORIZON", "FROM_TIMESTAMP", "AT_TRIM_HORIZON", "AT_LATEST")


class _Token(msgspec.Struct, forbid_unknown_fields=True):
    """What ListShards needs to go on; `filter_ms` is fixed on the first page."""

    stream: int
    after: int
    filter_type: str
    filter_index: int
    filter_ms: int
    issued_ms: int


def list_shards(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """ListShards, paged and filtered; a token is good for 300 seconds."""
    token = parameters.get("NextToken")
    now_ms = parts.clock.now_ms()
    state = _decode_token(token, parameters, now_ms) if token else _first_token(parts, request, parameters, now_ms)
    stream = parts.catalog.streams_by_key.get(state.stream)
    if stream is None:
        raise AwsError("ResourceNotFoundException", "The stream of the NextToken has been deleted.")
    shards = [shard for shard in _filtered(stream, state, now_ms) if shard.index > state.after]
    limit = parameters.get("MaxResults") or 1000
    answer: Answer = {"Shards": [shard.describe() for shard in shards[:limit]]}
    if len(shards) > limit:
        onward = msgspec.structs.replace(state, after=shards[limit - 1].index, issued_ms=now_ms)
        answer["NextToken"] = b64encode(msgspec.json.encode(onward)).decode()
    return answer


def _first_token(parts: Parts, request: Request, parameters: dict[str, Any], now_ms: int) -> _Token:
    stream = parts.catalog.resolve(request, parameters)
    created = parameters.get("StreamCreationTimestamp")
    if created is not None and abs(milliseconds_of(created) - stream.created_ms) >= 1000:
        raise AwsError("ResourceNotFoundException", f"Stream {stream.name} under account {stream.account} not found.")
    condition = parameters.get("ShardFilter") or {}
    kind = condition.get("Type", "FROM_TRIM_HORIZON")
    if kind in ("AT_TIMESTAMP", "FROM_TIMESTAMP") and condition.get("Timestamp") is None:
        raise AwsError("InvalidArgumentException", f"Timestamp must be specified for the shard filter type {kind}.")
    if kind == "AFTER_SHARD_ID" and condition.get("ShardId") is None:
        raise AwsError("InvalidArgumentException", f"ShardId must be specified for the shard filter type {kind}.")
    filter_ms = milliseconds_of(condition["Timestamp"]) if kind.endswith("_TIMESTAMP") else 0
    filter_index = _index_of(condition["ShardId"]) if kind == "AFTER_SHARD_ID" else -1
    after = parameters.get("ExclusiveStartShardId")
    return _Token(stream.key, -1 if after is None else _index_of(after), kind, filter_index, filter_ms, now_ms)


def _index_of(name: str) -> int:
    index = parse_shard_id(name)
    if index is None:
        raise AwsError("InvalidArgumentException", f"{name} is not the name of a shard.")
    return index


def _decode_token(token: str, parameters: dict[str, Any], now_ms: int) -> _Token:
    for name in ("StreamName", "StreamARN", "ShardFilter", "ExclusiveStartShardId", "StreamCreationTimestamp"):
        if parameters.get(name) is not None:
            raise AwsError("InvalidArgumentException", f"NextToken and {name} cannot be provided together.")
    try:
        state = msgspec.json.decode(b64decode(token, validate=True), type=_Token)
    except (ValueError, msgspec.DecodeError):
        raise AwsError("InvalidArgumentException", "The NextToken is invalid.") from None
    if now_ms - state.issued_ms > _TOKEN_MS_MAX:
        raise AwsError("ExpiredNextTokenException", "The NextToken has expired; it is valid for 300 seconds.")
    return state


def _filtered(stream: Stream, state: _Token, now_ms: int) -> list[Shard]:
    shards = stream.visible_shards(now_ms)
    kind = state.filter_type
    if kind == "AT_LATEST":
        return [shard for shard in shards if shard.is_open]
    if kind == "AFTER_SHARD_ID":
        return [shard for shard in shards if shard.index > state.filter_index]
    if kind == "FROM_TRIM_HORIZON":
        return shards
    at_ms = max(stream.cut_ms(now_ms), stream.created_ms) if kind == "AT_TRIM_HORIZON" else state.filter_ms
    if kind == "FROM_TIMESTAMP":
        return [shard for shard in shards if shard.closed_ms is None or shard.closed_ms >= at_ms]
    return [shard for shard in shards if shard.created_ms <= at_ms and (shard.closed_ms is None or shard.closed_ms > at_ms)]


def split_shard(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """SplitShard; the children are open at once."""
    stream = _provisioned(parts, request, parameters)
    shard = _open_shard(parts, stream, parameters["ShardToSplit"])
    at = int(parameters["NewStartingHashKey"])
    if not shard.low + 1 < at < shard.high:
        message = (
            f"NewStartingHashKey {at} used in SplitShard() on shard {shard.id} in stream {stream.name} under account {stream.account} is "
            f"not both greater than one plus the shard's StartingHashKey {shard.low} and less than the shard's EndingHashKey {shard.high}."
        )
        raise AwsError("InvalidArgumentException", message)
    check_shard_limit(parts, stream.account, stream.region, 1)
    parts.catalog.split(stream, shard, at)
    return {}


def merge_shards(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """MergeShards; the child is open at once."""
    stream = _provisioned(parts, request, parameters)
    shard = _open_shard(parts, stream, parameters["ShardToMerge"])
    adjacent = _open_shard(parts, stream, parameters["AdjacentShardToMerge"])
    if shard.high + 1 != adjacent.low and adjacent.high + 1 != shard.low:
        message = (
            f"Shards {shard.id} and {adjacent.id} in stream {stream.name} under account {stream.account} "
            "are not an adjacent pair of shards eligible for merging."
        )
        raise AwsError("InvalidArgumentException", message)
    parts.catalog.merge(stream, shard, adjacent)
    return {}


def update_shard_count(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """UpdateShardCount: to even ranges, by splits and merges, at once."""
    stream = _provisioned(parts, request, parameters)
    current, target = len(stream.open_shards), int(parameters["TargetShardCount"])
    if target > current * 2:
        raise AwsError("LimitExceededException", _scaling_problem("up over double", current, target))
    if target * 2 < current:
        raise AwsError("LimitExceededException", _scaling_problem("down below half", current, target))
    check_shard_limit(parts, stream.account, stream.region, max(0, target - current))
    for step in plan_uniform_scaling([(shard.low, shard.high) for shard in stream.open_shards], target):
        upper = stream.route(step.at)
        if isinstance(step, Split):
            parts.catalog.split(stream, upper, step.at)
        else:
            parts.catalog.merge(stream, stream.route(step.at - 1), upper)
    return {"StreamName": stream.name, "CurrentShardCount": current, "TargetShardCount": target, "StreamARN": stream.arn}


def _scaling_problem(how: str, current: int, target: int) -> str:
    return (
        f"UpdateShardCount cannot scale {how} your current open shard count. "
        f"Current open shard count: {current} Target shard count: {target}"
    )


def _provisioned(parts: Parts, request: Request, parameters: dict[str, Any]) -> Stream:
    stream = parts.catalog.resolve(request, parameters)
    if stream.mode == "ON_DEMAND":
        message = f"Request is invalid. Stream {stream.name} under account {stream.account} is in On-Demand mode."
        raise AwsError("ValidationException", message)
    return stream


def _open_shard(parts: Parts, stream: Stream, name: str) -> Shard:
    shard = parts.catalog.shard(stream, name)
    if not shard.is_open:
        message = (
            f"Shard {shard.id} in stream {stream.name} under account {stream.account} has already been merged or split, "
            "and thus is not eligible for merging or splitting."
        )
        raise AwsError("ResourceInUseException", message)
    return shard


_FILTER = Member(
    Kind.STRUCTURE,
    members={"Type": Member(Kind.STRING, is_required=True, choices=_FILTERS), "ShardId": SHARD_ID, "Timestamp": TIMESTAMP},
)
_REQUIRED_HASH_KEY = Member(Kind.STRING, is_required=True, pattern=HASH_KEY.pattern)

OPERATIONS: OperationTable = {
    "ListShards": (
        {
            **EITHER_STREAM,
            "NextToken": NEXT_TOKEN,
            "ExclusiveStartShardId": SHARD_ID,
            "MaxResults": Member(Kind.INTEGER, minimum=1, maximum=10_000),
            "StreamCreationTimestamp": TIMESTAMP,
            "ShardFilter": _FILTER,
        },
        list_shards,
    ),
    "SplitShard": ({**EITHER_STREAM, "ShardToSplit": REQUIRED_SHARD_ID, "NewStartingHashKey": _REQUIRED_HASH_KEY}, split_shard),
    "MergeShards": ({**EITHER_STREAM, "ShardToMerge": REQUIRED_SHARD_ID, "AdjacentShardToMerge": REQUIRED_SHARD_ID}, merge_shards),
    "UpdateShardCount": (
        {
            **EITHER_STREAM,
            "TargetShardCount": Member(Kind.INTEGER, is_required=True, minimum=1),
            "ScalingType": Member(Kind.STRING, is_required=True, choices=("UNIFORM_SCALING",)),
        },
        update_shard_count,
    ),
}
READS = frozenset(("ListShards",))
