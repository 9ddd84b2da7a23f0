"""Streams as a whole: made, described, listed, kept longer or shorter, tagged, deleted ("Kinesis API reference", the operations of these
names).
"""

from __future__ import annotations

import re
from typing import Any

from nearshift.localaws.constraints import Kind, Member
from nearshift.localaws.errors import AwsError
from nearshift.localaws.kinesis_parts import (
    EITHER_STREAM,
    NEXT_TOKEN,
    REQUIRED_TAGS,
    SHARD_ID,
    STREAM_NAME,
    TAGS,
    Answer,
    OperationTable,
    Parts,
)
from nearshift.localaws.service import Request
from nearshift.localaws.shards import Stream, parse_shard_id

SHARD_LIMIT = 20_000
ON_DEMAND_STREAM_LIMIT = 50
RETENTION_HOURS_MIN = 24
RETENTION_HOURS_MAX = 8760
TAGS_MAX = 50
_ON_DEMAND_SHARDS = 4

_MODE = Member(Kind.STRING, is_required=True, choices=("PROVISIONED", "ON_DEMAND"))
_MODE_DETAILS = Member(Kind.STRUCTURE, members={"StreamMode": _MODE})
_REQUIRED_MODE_DETAILS = Member(Kind.STRUCTURE, is_required=True, members={"StreamMode": _MODE})
_HOURS = Member(Kind.INTEGER, is_required=True)
_RECORD_KIB = Member(Kind.INTEGER, minimum=1024, maximum=10_240)
_RESOURCE = Member(Kind.STRING, is_required=True, minimum=1, maximum=2048, pattern=r"arn:aws.*:kinesis:.*:\d{12}:.*stream/\S+")
_TAG_KEY = Member(Kind.STRING, minimum=1, maximum=128)
_TAG_KEYS = Member(Kind.LIST, is_required=True, minimum=1, maximum=50, element=_TAG_KEY)


def open_shard_count(parts: Parts, account: str, region: str) -> int:
    """Return the number of open shards in one account and region."""
    names = parts.catalog.names(account, region)
    return sum(len(parts.catalog.find(account, region, name).open_shards) for name in names)


def check_shard_limit(parts: Parts, account: str, region: str, additional: int) -> None:
    """Raise LimitExceededException if so many more shards are above the account's limit."""
    count = open_shard_count(parts, account, region)
    if count + additional > SHARD_LIMIT:
        message = (
            f"This request would exceed the shard limit for the account {account} in {region}. Current shard count for the account: "
            f"{count}. Limit: {SHARD_LIMIT}. Number of additional shards that would have resulted from this request: {additional}. "
            "Refer to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current "
            "limits and how to request higher limits."
        )
        raise AwsError("LimitExceededException", message)


def create_stream(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """CreateStream; the stream is ACTIVE at once."""
    mode = (parameters.get("StreamModeDetails") or {}).get("StreamMode", "PROVISIONED")
    shard_count = parameters.get("ShardCount")
    if mode == "PROVISIONED" and shard_count is None:
        raise AwsError("ValidationException", "ShardCount must be specified when StreamMode is PROVISIONED.")
    if mode == "ON_DEMAND" and shard_count is not None:
        raise AwsError("ValidationException", "Requests to create a stream in ON_DEMAND mode must not specify ShardCount.")
    count = shard_count or _ON_DEMAND_SHARDS
    check_shard_limit(parts, request.account, request.region, count)
    if mode == "ON_DEMAND" and _on_demand_count(parts, request) >= ON_DEMAND_STREAM_LIMIT:
        raise AwsError("LimitExceededException", f"The account has {ON_DEMAND_STREAM_LIMIT} streams in ON_DEMAND mode, which is the limit.")
    tags = parameters.get("Tags") or {}
    _check_tags(tags)
    parts.catalog.create(request, parameters["StreamName"], count, mode, parameters.get("MaxRecordSizeInKiB") or 1024, dict(tags))
    return {}


def _on_demand_count(parts: Parts, request: Request) -> int:
    names = parts.catalog.names(request.account, request.region)
    return sum(parts.catalog.find(request.account, request.region, name).mode == "ON_DEMAND" for name in names)


def delete_stream(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """DeleteStream; the name is free at once."""
    stream = parts.catalog.resolve(request, parameters)
    if parts.catalog.consumers_of(stream) and not parameters.get("EnforceConsumerDeletion"):
        message = f"Stream {stream.name} under account {stream.account} has registered consumers; set EnforceConsumerDeletion to delete it."
        raise AwsError("ResourceInUseException", message)
    parts.catalog.delete(stream)
    return {}


def _summary(stream: Stream) -> Answer:
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": stream.mode},
        "StreamCreationTimestamp": stream.created_ms / 1000,
    }


def _description(stream: Stream) -> Answer:
    monitoring: list[Answer] = [{"ShardLevelMetrics": []}]
    details = {"RetentionPeriodHours": stream.retention_hours, "EnhancedMonitoring": monitoring, "EncryptionType": "NONE"}
    return {**_summary(stream), **details}


def describe_stream_summary(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """DescribeStreamSummary."""
    stream = parts.catalog.resolve(request, parameters)
    counts = {"OpenShardCount": len(stream.open_shards), "ConsumerCount": len(parts.catalog.consumers_of(stream))}
    return {"StreamDescriptionSummary": {**_description(stream), **counts, "MaxRecordSizeInKiB": stream.record_kib_max}}


def describe_stream(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """DescribeStream, with a page of shards."""
    stream = parts.catalog.resolve(request, parameters)
    shards = stream.visible_shards(parts.clock.now_ms())
    after = parameters.get("ExclusiveStartShardId")
    if after is not None:
        index = parse_shard_id(after)
        if index is None:
            raise AwsError("InvalidArgumentException", f"ExclusiveStartShardId {after} is not the name of a shard.")
        shards = [shard for shard in shards if shard.index > index]
    limit = parameters.get("Limit") or 100
    page = [shard.describe() for shard in shards[:limit]]
    return {"StreamDescription": {**_description(stream), "HasMoreShards": len(shards) > limit, "Shards": page}}


def list_streams(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """ListStreams of the caller's account and region, by name."""
    after = parameters.get("NextToken") or parameters.get("ExclusiveStartStreamName") or ""
    names = [name for name in parts.catalog.names(request.account, request.region) if name > after]
    limit = parameters.get("Limit") or 100
    page = names[:limit]
    summaries = [_summary(parts.catalog.find(request.account, request.region, name)) for name in page]
    answer: Answer = {"StreamNames": page, "HasMoreStreams": len(names) > limit, "StreamSummaries": summaries}
    if len(names) > limit:
        answer["NextToken"] = page[-1]
    return answer


def increase_retention(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """IncreaseStreamRetentionPeriod; what is gone already does not come back."""
    stream, hours = parts.catalog.resolve(request, parameters), _checked_hours(parameters)
    if hours < stream.retention_hours:
        message = (
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be shorter than existing retention period "
            f"({stream.retention_hours} hours). Use DecreaseRetentionPeriod API."
        )
        raise AwsError("InvalidArgumentException", message)
    parts.records.trim(stream, parts.clock.now_ms())
    stream.retention_hours = hours
    parts.catalog.save(stream)
    return {}


def decrease_retention(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """DecreaseStreamRetentionPeriod; records that are older now are gone at once."""
    stream, hours = parts.catalog.resolve(request, parameters), _checked_hours(parameters)
    if hours > stream.retention_hours:
        message = (
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be longer than existing retention period "
            f"({stream.retention_hours} hours). Use IncreaseRetentionPeriod API."
        )
        raise AwsError("InvalidArgumentException", message)
    stream.retention_hours = hours
    parts.catalog.save(stream)
    parts.records.trim(stream, parts.clock.now_ms())
    return {}


def _checked_hours(parameters: dict[str, Any]) -> int:
    hours = int(parameters["RetentionPeriodHours"])
    if hours < RETENTION_HOURS_MIN:
        message = (
            f"Minimum allowed retention period is {RETENTION_HOURS_MIN} hours. Requested retention period ({hours} hours) is too short."
        )
        raise AwsError("InvalidArgumentException", message)
    if hours > RETENTION_HOURS_MAX:
        message = (
            f"Maximum allowed retention period is {RETENTION_HOURS_MAX} hours. Requested retention period ({hours} hours) is too long."
        )
        raise AwsError("InvalidArgumentException", message)
    return hours


def update_stream_mode(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """UpdateStreamMode; the shards stay as they are."""
    stream = parts.catalog.resolve(request, parameters)
    mode = parameters["StreamModeDetails"]["StreamMode"]
    if mode == "ON_DEMAND" and stream.mode != mode and _on_demand_count(parts, request) >= ON_DEMAND_STREAM_LIMIT:
        raise AwsError("LimitExceededException", f"The account has {ON_DEMAND_STREAM_LIMIT} streams in ON_DEMAND mode, which is the limit.")
    stream.mode = mode
    parts.catalog.save(stream)
    return {}


def update_max_record_size(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """UpdateMaxRecordSize."""
    stream = parts.catalog.resolve(request, parameters)
    stream.record_kib_max = parameters["MaxRecordSizeInKiB"]
    parts.catalog.save(stream)
    return {}


def describe_limits(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:  # noqa: ARG001 - the shape of a Run
    """DescribeLimits of the caller's account and region."""
    return {
        "ShardLimit": SHARD_LIMIT,
        "OpenShardCount": open_shard_count(parts, request.account, request.region),
        "OnDemandStreamCount": _on_demand_count(parts, request),
        "OnDemandStreamCountLimit": ON_DEMAND_STREAM_LIMIT,
    }


def _check_tags(tags: dict[str, Any]) -> None:
    for key, value in tags.items():
        if not isinstance(value, str):
            raise AwsError("SerializationException", "Expected the value of a tag to be a string")
        if not 1 <= len(key) <= 128:
            raise AwsError("ValidationException", "Map keys must satisfy constraint: [Member must have length less than or equal to 128]")
        for text in (key, value):
            if not re.fullmatch(r"[\w\s.:/=+\-@%]*", text):
                message = (
                    "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @ and :"
                )
                raise AwsError("InvalidArgumentException", message)


def add_tags(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """AddTagsToStream and TagResource."""
    stream = _tagged(parts, request, parameters)
    _check_tags(parameters["Tags"])
    tags = {**stream.tags, **parameters["Tags"]}
    if len(tags) > TAGS_MAX:
        message = (
            f"Failed to add tags to stream {stream.name} under account {stream.account} because a given stream cannot have more than "
            f"{TAGS_MAX} tags associated with it."
        )
        raise AwsError("InvalidArgumentException", message)
    stream.tags = tags
    parts.catalog.save(stream)
    return {}


def remove_tags(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """RemoveTagsFromStream and UntagResource; keys that are not there are no error."""
    stream = _tagged(parts, request, parameters)
    gone = set(parameters["TagKeys"])
    stream.tags = {key: value for key, value in stream.tags.items() if key not in gone}
    parts.catalog.save(stream)
    return {}


def list_tags(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """ListTagsForStream, a page by key."""
    stream = parts.catalog.resolve(request, parameters)
    after = parameters.get("ExclusiveStartTagKey") or ""
    tags = [{"Key": key, "Value": value} for key, value in sorted(stream.tags.items()) if key > after]
    limit = parameters.get("Limit") or TAGS_MAX
    return {"Tags": tags[:limit], "HasMoreTags": len(tags) > limit}


def list_resource_tags(parts: Parts, request: Request, parameters: dict[str, Any]) -> Answer:
    """ListTagsForResource, all of them."""
    stream = _tagged(parts, request, parameters)
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(stream.tags.items())]}


def _tagged(parts: Parts, request: Request, parameters: dict[str, Any]) -> Stream:
    resource = parameters.get("ResourceARN")
    return parts.catalog.find_arn(resource) if resource else parts.catalog.resolve(request, parameters)


_REQUIRED_NAME = Member(Kind.STRING, is_required=True, minimum=1, maximum=128, pattern=STREAM_NAME.pattern)
_LIMIT = Member(Kind.INTEGER, minimum=1, maximum=10_000)

OPERATIONS: OperationTable = {
    "CreateStream": (
        {
            "StreamName": _REQUIRED_NAME,
            "ShardCount": Member(Kind.INTEGER, minimum=1),
            "StreamModeDetails": _MODE_DETAILS,
            "Tags": TAGS,
            "MaxRecordSizeInKiB": _RECORD_KIB,
        },
        create_stream,
    ),
    "DeleteStream": ({**EITHER_STREAM, "EnforceConsumerDeletion": Member(Kind.BOOLEAN)}, delete_stream),
    "DescribeStream": ({**EITHER_STREAM, "Limit": _LIMIT, "ExclusiveStartShardId": SHARD_ID}, describe_stream),
    "DescribeStreamSummary": (EITHER_STREAM, describe_stream_summary),
    "ListStreams": ({"Limit": _LIMIT, "ExclusiveStartStreamName": STREAM_NAME, "NextToken": NEXT_TOKEN}, list_streams),
    "IncreaseStreamRetentionPeriod": ({**EITHER_STREAM, "RetentionPeriodHours": _HOURS}, increase_retention),
    "DecreaseStreamRetentionPeriod": ({**EITHER_STREAM, "RetentionPeriodHours": _HOURS}, decrease_retention),
    "UpdateStreamMode": ({**EITHER_STREAM, "StreamModeDetails": _REQUIRED_MODE_DETAILS}, update_stream_mode),
    "UpdateMaxRecordSize": (
        {**EITHER_STREAM, "MaxRecordSizeInKiB": Member(Kind.INTEGER, is_required=True, minimum=1024, maximum=10_240)},
        update_max_record_size,
    ),
    "DescribeLimits": ({}, describe_limits),
    "AddTagsToStream": ({**EITHER_STREAM, "Tags": REQUIRED_TAGS}, add_tags),
    "RemoveTagsFromStream": ({**EITHER_STREAM, "TagKeys": _TAG_KEYS}, remove_tags),
    "ListTagsForStream": (
        {**EITHER_STREAM, "ExclusiveStartTagKey": _TAG_KEY, "Limit": Member(Kind.INTEGER, minimum=1, maximum=50)},
        list_tags,
    ),
    "TagResource": ({"ResourceARN": _RESOURCE, "Tags": REQUIRED_TAGS}, add_tags),
    "UntagResource": ({"ResourceARN": _RESOURCE, "TagKeys": _TAG_KEYS}, remove_tags),
    "ListTagsForResource": ({"ResourceARN": _RESOURCE}, list_resource_tags),
}
READS = frozenset(
    ("DescribeStream", "DescribeStreamSummary", "ListStreams", "DescribeLimits", "ListTagsForStream", "ListTagsForResource"),
)
