"""kill -9 at random, of the warehouse and of the stream it reads, while a writer writes: all that was acknowledged is there once."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import IO, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nearshift.warehouse import Warehouse

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
SEED = 20260101
KILLS = 6
LOCAL_AWS_KILLS = (1, 3)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Program:
    """A process that says a word when it is ready, and is killed."""

    def __init__(self, *arguments: str, ready: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )  # fmt: skip
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if ready in line:
                break
        else:
            pytest.fail(f"{arguments} did not start")
        self._reader = threading.Thread(target=_drain, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """Send SIGKILL and wait."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(20)
        self._reader.join(20)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def lives_for(self, seconds: float) -> None:
        """Give it this long; it must not end by itself."""
        with pytest.raises(subprocess.TimeoutExpired):
            self._process.wait(seconds)


def _drain(lines: IO[str]) -> None:
    for _line in lines:
        pass


class Writer(threading.Thread):
    """Puts records with rising ids, again until each is acknowledged."""

    def __init__(self, kinesis: Any) -> None:
        super().__init__(daemon=True)
        self._kinesis = kinesis
        self.acknowledged = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        for number in itertools.count():
            data = json.dumps({"id": number}).encode() if number % 10 else b"no json"
            while not self.is_over.wait(0.002):
                try:
                    self._kinesis.put_record(StreamName="items", Data=data, PartitionKey=str(number))
                except (BotoCoreError, ClientError):
                    continue
                self.acknowledged = number + 1
                break
            if self.is_over.is_set():
                return


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> int:
    port = free_port()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return port


def stored(kinesis: Any) -> dict[tuple[str, str], bytes]:
    """Read the whole stream with boto3: payloads by shard and sequence number."""
    found = {}
    for shard in kinesis.list_shards(StreamName="items")["Shards"]:
        place = {"StreamName": "items", "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**place)["ShardIterator"]
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            for record in answer["Records"]:
                found[shard["ShardId"], record["SequenceNumber"]] = record["Data"]
            iterator = answer.get("NextShardIterator")
            if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                break
    return found


@pytest.mark.slow
def test_rows_equal_what_was_acknowledged(aws: int, tmp_path: Path) -> None:
    random = Random(SEED)

    def local_aws() -> Program:
        return Program("-m", "nearshift.localaws", "--dir", str(tmp_path / "aws"), "--port", str(aws), ready="ready at")

    def server(word: str) -> Program:
        return Program(str(HERE / "serving.py"), str(tmp_path / "w.duckdb"), ready=word)

    stream = local_aws()
    kinesis = boto3.client("kinesis", config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5))
    kinesis.create_stream(StreamName="items", ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName="items", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    writer = Writer(kinesis)
    writer.start()
    try:
        for kill in range(KILLS):
            program = server(random.choice(["ready", "stored", "stored"]))
            program.lives_for(random.uniform(0.01, 0.5))
            if kill in LOCAL_AWS_KILLS:
                stream.kill()
                program.lives_for(random.uniform(0.01, 0.3))
                stream = local_aws()
                program.lives_for(random.uniform(0.01, 0.5))
            program.kill()
        writer.is_over.set()
        writer.join(20)
        compare(tmp_path / "w.duckdb", stored(kinesis), writer.acknowledged)
    finally:
        writer.is_over.set()
        stream.kill()


def compare(file: Path, records: dict[tuple[str, str], bytes], acknowledged: int) -> None:
    """Open what the last kill left, bring it up to date, and compare it with the stream and with what the writer was told."""
    good = {key for key, data in records.items() if data.startswith(b"{")}
    told = {number for number in range(acknowledged) if number % 10}
    assert len(told) > 100
    assert told <= {json.loads(records[key])["id"] for key in good}, "the stand-in lost what it acknowledged"
    with Warehouse.open(file, threads=1) as warehouse:
        session = warehouse.session()
        before = session.execute("SELECT count(*) FROM item").rows()[0][0]
        assert before > 0, "it was killed before it read anything"
        for name in ("item", "id"):
            session.execute(f"REFRESH MATERIALIZED VIEW {name}")
        rows = session.execute("SELECT shard_id, sequence_number, p.id::int FROM item").rows()
        assert len(rows) == len({(shard, number) for shard, number, _id in rows})
        assert {(shard.strip(), number) for shard, number, _id in rows} == good
        above = session.execute("SELECT shard_id, sequence_number, id FROM id").rows()
        assert sorted(above) == sorted(rows)
        assert told <= {number for _shard, _sequence, number in rows}
        ledger = session.execute(
            "SELECT sum(read_rows), sum(stored_rows), sum(filtered_rows), bool_and(is_balanced) FROM sys_nearshift_ledger"
        ).rows()
        assert ledger == [(len(records), len(good), len(records) - len(good), True)]
        session.close()
