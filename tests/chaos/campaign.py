"""The campaign: a stream that is written to and resharded, a warehouse that is killed, and a network in between that loses and repeats.

    python tests/chaos/campaign.py [--records 1000000] [--kills 100] [--reshards 100] [--seed 1]

A stand-in for Kinesis, a proxy that disturbs, a writer that knows what was acknowledged, and one life of the warehouse after the other
(`life.py`), each ended by SIGKILL: at a random moment or at a named point inside a commit; some with a clock that is wrong, some with a
disk that is full. At the end what the warehouse has is held against what was written. Prints JSON; the exit status is 0 when nothing was
lost, doubled or out of order.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import Request, urlopen

import boto3

from nearshift.faults import POINTS
from nearshift.testing.fault_proxy import FaultProxy

LIFE = Path(__file__).parent / "life.py"
SOURCE = Path(__file__).parents[2] / "src"
STREAM = "chaos"
BATCH = 500
KEYS = 5_000
FILTERED_EVERY, BAD_EVERY = 499, 997  # records that the view's WHERE leaves out, and those that are not JSON
RETENTION_AND_SOME_SECONDS = 30 * 3600
POINTS_OF_LIVES = [point for point in POINTS if not point.startswith("replay.")]
READY_SECONDS_MAX, FINISH_SECONDS_MAX = 120.0, 1800.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    records: int
    kills: int
    reshards: int
    seed: int = 1
    life_seconds: float = 2.0
    disturbed: float = 0.08


@dataclass(slots=True)
class Written:
    """What the stream acknowledged."""

    good: int = 0
    filtered: int = 0
    bad: int = 0
    total: int = 0  # the sum of the numbers of good records
    latest: dict[int, tuple[int, int]] = field(default_factory=dict)  # by key: version and number

    @property
    def count(self) -> int:
        """All records."""
        return self.good + self.filtered + self.bad


class Writer:
    """Puts records in order, straight to the stand-in. A record that was refused would break its key's order, so that ends the campaign."""

    def __init__(self, kinesis: Any, random: Random) -> None:
        self._kinesis = kinesis
        self._random = random
        self.written = Written()

    def put(self, count: int) -> None:
        """Put so many more."""
        while count > 0:
            batch = [self._record(self.written.count + i) for i in range(min(count, BATCH))]
            answer = self._kinesis.put_records(StreamName=STREAM, Records=[{"Data": data, "PartitionKey": key} for data, key, _ in batch])
            assert answer["FailedRecordCount"] == 0, "the stand-in refuses nothing unless asked to"
            for _data, _key, account in batch:
                account()
            count -= len(batch)

    def _record(self, number: int) -> tuple[bytes, str, Any]:
        written = self.written
        if number % BAD_EVERY == BAD_EVERY - 1:
            return b"{ this is not JSON \xff", f"bad-{number}", lambda: setattr(written, "bad", written.bad + 1)
        if number % FILTERED_EVERY == FILTERED_EVERY - 1:
            return b'{"k": -1}', "nobody", lambda: setattr(written, "filtered", written.filtered + 1)
        key = self._random.randrange(KEYS)
        # Numbers of records are versions: they grow, whatever the key.
        data = json.dumps({"k": key, "v": number, "n": number, "pad": "x" * self._random.randrange(300)}).encode()

        def account() -> None:
            written.good += 1
            written.total += number
            written.latest[key] = (number, number)

        return data, f"key-{key}", account


class Life:
    """One process of the warehouse."""

    def __init__(self, file: Path, log: Path, environment: dict[str, str], *options: str) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, str(LIFE), str(file), *options],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip

    def await_ready(self) -> bool:
        """Wait until it works; return False if it has ended before."""
        found: queue.Queue[bytes] = queue.Queue()
        assert self._process.stdout is not None, "its output is a pipe"
        threading.Thread(target=lambda out=self._process.stdout: found.put(out.readline()), daemon=True).start()
        return found.get(timeout=READY_SECONDS_MAX) == b"ready\n"

    def live(self, seconds: float) -> bool:
        """Let it work for so long, or until it dies; return whether it lives."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def end(self, seconds: float) -> int:
        """Wait for it to end by itself; return its exit status."""
        try:
            return self._process.wait(seconds)
        finally:
            self.kill()

    def kill(self) -> bool:
        """Kill it if it lives; return whether it died by SIGKILL, also before."""
        self._process.kill()
        status = self._process.wait(30)
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                pipe.close()
        return status == -signal.SIGKILL


class Campaign:
    """See the module."""

    def __init__(self, plan: Plan, folder: Path, stack: ExitStack) -> None:
        self.plan = plan
        self.random = Random(plan.seed)
        self.done: Counter[str] = Counter()
        self._folder = folder
        self._file = folder / "w.duckdb"
        self._url = start_stand_in(folder, stack)
        self._kinesis = client(self._url)
        self._kinesis.create_stream(StreamName=STREAM, ShardCount=3)
        self._proxy = FaultProxy(self._url, Random(plan.seed + 1), rate=plan.disturbed)
        stack.callback(self._proxy.close)
        self.writer = Writer(client(self._url), Random(plan.seed + 2))
        self._environment = os.environ | {
            "PYTHONPATH": str(SOURCE), "AWS_ENDPOINT_URL": self._proxy.url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip

    def run(self, say: Any) -> dict[str, Any]:
        """Go through with it and return the figures; `say` is told how it goes."""
        began = time.monotonic()
        failed: list[Exception] = []
        writing = threading.Thread(target=self._write, args=(failed,), daemon=True)
        writing.start()
        while self.done["kills"] < self.plan.kills or self.done["reshards"] < self.plan.reshards or writing.is_alive():
            self._live_once()
            if failed:
                raise failed[0]
            say(
                f"{time.monotonic() - began:5.0f} s  {self.writer.written.count} of {self.plan.records} records, "
                f"{self.done['kills']} of {self.plan.kills} kills, {self.done['reshards']} of {self.plan.reshards} reshards, "
                f"{self._proxy.done.total()} disturbances"
            )
        self._proxy.rate = 0.0
        self._admin({"command": "reset"})
        verdict = judge(self.writer.written, self._finish())
        trimmed = self._trim()
        return {
            "benchmark": "chaos",
            "seed": self.plan.seed,
            "seconds": round(time.monotonic() - began, 1),
            "records": self.writer.written.count,
            **self.done,
            "disturbances": {kind.value: count for kind, count in sorted(self._proxy.done.items(), key=lambda item: item[0].value)},
            **verdict,
            "after_trimming": trimmed,
            "holds": not any(verdict["wrong"].values()) and trimmed["holds"],
        }

    def _write(self, failed: list[Exception]) -> None:
        """Write at an even pace, so that every life has something to do."""
        lives = max(self.plan.kills, 1)
        portion = max(BATCH, self.plan.records // (4 * lives))
        try:
            while self.writer.written.count < self.plan.records:
                before = self.done["lives"]
                self.writer.put(min(portion, self.plan.records - self.writer.written.count))
                while self.writer.written.count > (before + 1) * 4 * portion and self.done["lives"] == before:
                    time.sleep(0.01)
        except Exception as error:  # noqa: BLE001 - the campaign raises it
            failed.append(error)

    def _live_once(self) -> None:
        options: list[str] = []
        kind = self.random.choice(["moment", "moment", "point", "point", "skew", "full disk"])
        if kind == "point":
            after = self.random.uniform(0, self.plan.life_seconds / 2)
            options = ["--die-at", self.random.choice(POINTS_OF_LIVES), "--die-after", str(after)]
        elif kind == "skew":
            options = ["--skew", str(self.random.randrange(-7200, 7200))]
        elif kind == "full disk" and self._file.exists():
            sizes = [path.stat().st_size for path in self._folder.glob("w.duckdb*") if path.is_file()]
            options = ["--file-bytes", str(max(sizes) + self.random.randrange(1 << 12, 1 << 20))]
        if self.done["reshards"] * self.plan.kills < self.plan.reshards * (self.done["kills"] + 1):
            self._reshard()
        life = Life(self._file, self._folder / "life.log", self._environment, *options)
        try:
            is_ready = life.await_ready()
        except queue.Empty:
            life.kill()
            raise
        if is_ready:
            until = time.monotonic() + self.random.uniform(0.1, self.plan.life_seconds)
            while life.live(min(0.3, max(0.0, until - time.monotonic()))) and time.monotonic() < until:
                self._do_something()
        else:
            assert kind == "full disk", f"a life did not begin: see {self._folder / 'life.log'}"
        self.done["kills"] += life.kill()
        self.done["lives"] += 1
        self.done[f"lives: {kind}"] += 1

    def _do_something(self) -> None:
        what = self.random.choice(["reshard", "reshard", "throttle", "empty", "expire", "list", "nothing", "nothing"])
        match what:
            case "reshard" if self.done["reshards"] < self.plan.reshards:
                self._reshard()
            case "throttle":
                self._admin({"command": "throttle", "operation": "GetRecords", "times": self.random.randrange(1, 4)})
            case "empty":
                self._admin({"command": "empty-pages", "times": self.random.randrange(1, 4)})
            case "expire":
                self._admin({"command": "expire-iterators"})
            case "list":
                self._admin({"command": "fail", "operation": "ListShards", "times": 1, "status": 503})
            case _:
                return
        self.done[what] += what != "reshard"

    def _reshard(self) -> None:
        shards = self._kinesis.list_shards(StreamName=STREAM, ShardFilter={"Type": "AT_LATEST"})["Shards"]
        shards.sort(key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
        if len(shards) < 8 and (len(shards) < 2 or self.random.random() < 0.5):
            chosen = self.random.choice(shards)
            low, high = (int(chosen["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
            middle = str(self.random.randrange(low + 1, high))
            self._kinesis.split_shard(StreamName=STREAM, ShardToSplit=chosen["ShardId"], NewStartingHashKey=middle)
        elif self.random.random() < 0.8:
            left = self.random.randrange(len(shards) - 1)
            self._kinesis.merge_shards(
                StreamName=STREAM, ShardToMerge=shards[left]["ShardId"], AdjacentShardToMerge=shards[left + 1]["ShardId"]
            )
        else:
            target = max(2, (len(shards) + 1) // 2)  # it may not be less than half
            self._kinesis.update_shard_count(StreamName=STREAM, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
        self.done["reshards"] += 1

    def _finish(self, *options: str) -> dict[str, Any]:
        answer = self._folder / "answer.json"
        life = Life(self._file, self._folder / "life.log", self._environment, "--finish", str(answer), *options)
        assert life.end(FINISH_SECONDS_MAX) == 0, f"the last life failed: see {self._folder / 'life.log'}"
        found: dict[str, Any] = json.loads(answer.read_text())
        return found

    def _trim(self) -> dict[str, Any]:
        """Lose records on purpose: the refresh fails at first, goes on when told to, and says where the gaps are. Nothing else is lost."""
        before = self.writer.written.count
        self.writer.put(2_000)
        lost = self.writer.written.count - before
        self._admin({"command": "clock", "advance": RETENTION_AND_SOME_SECONDS})
        self._admin({"command": "maintain"})
        self.writer.put(2_000)
        late = ("--skew", str(RETENTION_AND_SOME_SECONDS))
        answer = self._folder / "answer.json"
        refused = Life(self._file, self._folder / "life.log", self._environment, "--finish", str(answer), *late)
        is_refused = refused.end(FINISH_SECONDS_MAX) != 0
        found = self._finish("--on-gap", "record", *late)
        read = {row[0]: row[1] for row in found["ledger"]}
        balanced = all(row[-1] for row in found["ledger"])
        told = len(found["gaps"])
        holds = is_refused and balanced and told > 0 and all(count == before + 2_000 for count in read.values())
        return {"lost_on_purpose": lost, "refused_at_first": is_refused, "gaps_told": told, "read": read, "holds": holds}

    def _admin(self, command: dict[str, Any]) -> None:
        with urlopen(Request(f"{self._url}/_admin", json.dumps(command).encode(), method="POST"), timeout=10) as answer:
            answer.read()


def judge(written: Written, found: dict[str, Any]) -> dict[str, Any]:
    """Hold what the warehouse has against what was written; every number under `wrong` must be 0."""
    fact = {key: (version, number) for key, version, number in found["fact"]}
    expected = {
        "change": [written.count, written.good, written.filtered, written.bad, 0, True],
        "whole": [written.count, written.count, 0, 0, 0, True],
    }
    ledger = {row[0]: row[1:] for row in found["ledger"]}
    return {
        "stored": found["stored"],
        "filtered": ledger["change"][2],
        "quarantined": found["quarantined"],
        "loads": found["loads"],
        "wrong": {
            "lost": written.good - found["distinct"] + (written.count - found["raw_distinct"]),
            "doubled": found["stored"] - found["distinct"] + (found["raw"] - found["raw_distinct"]),
            "others": abs(written.total - found["sum"]),
            "quarantine": abs(written.bad - found["quarantined"]) + abs(found["quarantined"] - found["quarantined_distinct"]),
            "out_of_order": found["disorder"],
            "ledger": sum(ledger[view] != row for view, row in expected.items()),
            "gaps": len(found["gaps"]),
            "facts": sum(fact.get(key) != latest for key, latest in written.latest.items()) + len(set(fact) - set(written.latest)),
        },
    }


def client(url: str) -> Any:
    """Return a Kinesis client of the stand-in."""
    return boto3.client("kinesis", endpoint_url=url, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")


def start_stand_in(folder: Path, stack: ExitStack) -> str:
    """Start the stand-in as a process of its own and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "nearshift.localaws", "--dir", str(folder / "aws"), "--port", str(port), "--admin"]
    process = stack.enter_context(
        subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(SOURCE)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    )
    stack.callback(process.terminate)
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the stand-in ended"
            assert time.monotonic() < deadline, "the stand-in did not listen"
            time.sleep(0.05)
        else:
            return f"http://127.0.0.1:{port}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--reshards", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--life-seconds", type=float, default=2.0)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    options = parser.parse_args()
    plan = Plan(options.records, options.kills, options.reshards, options.seed, options.life_seconds)
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nearshift-chaos-")))
        folder.mkdir(parents=True, exist_ok=True)

        def say(line: str) -> None:
            sys.stderr.write(f"\r{line}\x1b[K" if sys.stderr.isatty() else f"{line}\n")
            sys.stderr.flush()

        found = Campaign(plan, folder, stack).run(say)
    print(json.dumps(found))
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
