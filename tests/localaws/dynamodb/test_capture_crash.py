"""kill -9 in the middle of writes: every acknowledged item and its record are there, one record per change, none without the other."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"
WRITERS = 4
WRITES_BEFORE_THE_END = 250


@dataclass
class Writer:
    """Writes to items of its own, one call after the other, until a call fails; `acknowledged` is the last version per item."""

    client: Any
    number: int
    enough: threading.Event
    acknowledged: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def run(self) -> None:
        version = 0
        while True:
            version += 1
            sort = str(version % 7)
            key = {"pk": {"S": f"writer {self.number}"}, "sk": {"S": sort}}
            try:
                self.write(key, version)
            except (BotoCoreError, ClientError):
                return
            self.acknowledged[sort] = version
            self.count += 1
            if self.count == WRITES_BEFORE_THE_END:
                self.enough.set()

    def write(self, key: dict[str, Any], version: int) -> None:
        value = {"N": str(version)}
        kind = version % 4
        if kind == 0:
            self.client.update_item(TableName="orders", Key=key, UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": value})
        elif kind == 1:
            twin = {"pk": {"S": f"twin of {self.number}"}, "sk": key["sk"]}
            items = [{"Put": {"TableName": "orders", "Item": {**found, "v": value}}} for found in (key, twin)]
            self.client.transact_write_items(TransactItems=items)
        elif kind == 2:
            self.client.batch_write_item(RequestItems={"orders": [{"PutRequest": {"Item": {**key, "v": value}}}]})
        else:
            self.client.put_item(TableName="orders", Item={**key, "v": value})


def all_records(client: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for shard in client.list_shards(StreamName="changes")["Shards"]:
        iterator = client.get_shard_iterator(StreamName="changes", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        while True:
            page = client.get_records(ShardIterator=iterator)
            found += [json.loads(record["Data"]) for record in page["Records"]]
            iterator = page["NextShardIterator"]
            if page["MillisBehindLatest"] == 0:
                break
    return found


def write_until_killed(server: Any) -> list[Writer]:
    enough = threading.Event()
    writers = [Writer(server.client("dynamodb"), number, enough) for number in range(WRITERS)]
    threads = [threading.Thread(target=writer.run) for writer in writers]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    os.kill(server.pid, signal.SIGKILL)
    for thread in threads:
        thread.join(30)
    return writers


@pytest.mark.parametrize("chaos", [False, True], ids=["in order", "duplicated and delayed"])
def test_nothing_acknowledged_is_lost_and_nothing_is_told_that_did_not_happen(start_server: Callable[..., Any], chaos: bool) -> None:
    server = start_server("--admin")
    kinesis, dynamodb = server.client("kinesis"), server.client("dynamodb")
    kinesis.create_stream(StreamName="changes", ShardCount=3)
    kinesis.get_waiter("stream_exists").wait(StreamName="changes", WaiterConfig={"Delay": 1})
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    dynamodb.create_table(TableName="orders", KeySchema=schema, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST")
    precision = {"ApproximateCreationDateTimePrecision": "MICROSECOND"}
    dynamodb.enable_kinesis_streaming_destination(TableName="orders", StreamArn=ARN, EnableKinesisStreamingConfiguration=precision)
    if chaos:
        server.admin("capture", stream="changes", duplicates=0.3, delays=0.5, delay_ms_max=2000, seed=7)
    writers = write_until_killed(server)
    server.stop(signal.SIGKILL)
    server.start()
    server.admin("clock", advance=10)
    server.admin("maintain")
    items = {
        (item["pk"]["S"], item["sk"]["S"]): item
        for page in server.client("dynamodb").get_paginator("scan").paginate(TableName="orders")
        for item in page["Items"]
    }
    for writer in writers:
        for sort, version in writer.acknowledged.items():
            assert int(items[f"writer {writer.number}", sort]["v"]["N"]) >= version
    records = all_records(server.client("kinesis"))
    changes: dict[tuple[str, str], dict[int, Any]] = {}
    copies = renamed = 0
    identities: dict[tuple[str, str, int], str] = {}
    for record in records:
        body = record["dynamodb"]
        key = (body["Keys"]["pk"]["S"], body["Keys"]["sk"]["S"])
        moment = body["ApproximateCreationDateTime"]
        known = changes.setdefault(key, {}).setdefault(moment, body)
        assert known == body
        identity = identities.setdefault((*key, moment), record["eventID"])
        copies += known is not body
        renamed += identity != record["eventID"]
    assert changes.keys() == items.keys()
    for key, by_time in changes.items():
        last: Any = None
        for moment in sorted(by_time):
            assert by_time[moment].get("OldImage") == last
            last = by_time[moment]["NewImage"]
        assert last == items[key]
    if chaos:
        assert 0 < renamed < copies
    else:
        assert copies == 0
        assert sum(map(len, changes.values())) >= sum(writer.count for writer in writers)
