"""What a thousand idle shards cost: the CPU seconds per second of a warehouse whose one streaming view reads them all by itself.

The stand-in for Kinesis is a process of its own and not counted. After SHARD_IDLE_SECONDS the shards count as idle; then it is measured. At
the end one record is put, to see how long it takes to be noticed. JSON on standard output.

    python -m benchmarks.idle_shards [--shards 1000] [--seconds 20]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path

import boto3

from nearshift import limits
from nearshift.cli.demo_parts import LocalAwsProcess, point_boto_here
from nearshift.warehouse import Warehouse

SETUP = """
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW v AUTO REFRESH YES AS SELECT sequence_number, kinesis_data FROM kds.idle;
"""
_WAIT_SECONDS_MAX = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nearshift-idle-") as name:
        local_aws = LocalAwsProcess(Path(name) / "aws")
        try:
            point_boto_here(local_aws.address)
            found = measure(Path(name), options.shards, options.seconds)
            print(json.dumps({"benchmark": "idle_shards", "shards": options.shards, **found}))
        finally:
            local_aws.end()


def measure(folder: Path, shards: int, seconds: float) -> dict[str, float]:
    """Return what was seen."""
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="idle", ShardCount=shards)
    wait = threading.Event().wait
    with Warehouse.open(folder / "w.duckdb", threads=2) as warehouse:
        session = warehouse.session()
        for result in session.execute_script(SETUP):
            result.rows()
        warehouse.start()
        began = time.monotonic()
        while session.execute("SELECT count(*) FROM sys_nearshift_checkpoint").rows()[0][0] < shards:
            assert time.monotonic() - began < _WAIT_SECONDS_MAX, "not all shards were read"
            wait(0.5)
        first_sweep = time.monotonic() - began
        wait(limits.SHARD_IDLE_SECONDS + 2.0)
        cpu, wall = time.process_time(), time.monotonic()
        wait(seconds)
        used = (time.process_time() - cpu) / (time.monotonic() - wall)
        put = time.monotonic()
        kinesis.put_record(StreamName="idle", PartitionKey="k", Data=b"{}")
        while session.execute("SELECT count(*) FROM v").rows()[0][0] == 0:
            assert time.monotonic() - put < _WAIT_SECONDS_MAX, "the record was not noticed"
            wait(0.05)
        noticed = time.monotonic() - put
        session.close()
    return {
        "cpu_seconds_per_second": round(used, 3),
        "first_sweep_seconds": round(first_sweep, 1),
        "noticed_after_seconds": round(noticed, 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main()
