"""How old is a change when its fact can be read? From its creation in DynamoDB to the commit of the load that covers it, p50 and p99.

The local DynamoDB and Kinesis and the writer are processes of their own; the warehouse of the example pipeline is served in this one, with
its wire, console, auto refresh and schedules. Changes of the first seconds are not counted. Every later one is: its freshness ends when
another session has seen the commit. `read` is the part up to the refresh that stored the change. At the end every table is compared with
the items of the DynamoDB table. JSON on standard output.

    python -m benchmarks.freshness [--rate 1000] [--seconds 30] [--warm-up 5]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from nearshift.cli.demo_parts import LocalAwsProcess, WorkloadProcess, point_boto_here
from nearshift.cli.demo_verdict import compare, find_laggards
from nearshift.cli.demo_watch import FreshnessWatch
from nearshift.cli.server import Listening, PipelineServer
from nearshift.clock import SystemClock
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.plan import plan_changes
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.source import prepare_source, scan_items

_READ = """SELECT date_diff('microsecond', timestamp 'epoch', e.refresh_time) - e.change_us
FROM (SELECT change_us, min(refresh_time) AS refresh_time FROM mv_customer_transaction_event GROUP BY change_us) e WHERE e.change_us >= """
_CATCH_UP_SECONDS_MAX = 120.0
_QUIET_SECONDS = 1.0
_CLOCK = SystemClock()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=1_000.0, help="changes per second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long is measured")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds before that")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nearshift-freshness-") as name, ExitStack() as stack:
        found = measure(Path(name) / "pipeline", stack, options.rate, options.seconds, options.warm_up)
    machine = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    print(json.dumps({"benchmark": "freshness", "rate": options.rate, "seconds": options.seconds, **machine, **found}))
    if not found["tables_match"]:
        raise SystemExit(1)


def measure(folder: Path, stack: ExitStack, rate: float, seconds: float, warm_up: float) -> dict[str, Any]:
    """Run the whole pipeline and return what was seen."""
    with resources.as_file(resources.files("nearshift") / "examples" / "customer-transactions") as example:
        shutil.copytree(example, folder)
    pipeline = read_folder(folder)
    source = pipeline.manifest.source
    assert source is not None, "the example has a source"
    local_aws = LocalAwsProcess(folder / ".nearshift" / "local-aws")
    stack.callback(local_aws.end)
    point_boto_here(local_aws.address)
    prepare_source(source, _CLOCK)
    server = stack.enter_context(PipelineServer(pipeline, Listening("127.0.0.1", 0, 0)))
    connection = SessionConnection(server.warehouse.session())
    stack.callback(connection.close)
    target = WarehouseTarget(connection)
    for _ in carry_out(plan_changes(pipeline.definitions, target.found(pipeline.name)), pipeline.name, target):
        pass
    watch = FreshnessWatch(server.warehouse.events, SessionConnection(server.warehouse.session(is_read_only=True)), _CLOCK)
    watch.start()
    stack.callback(watch.stop)
    workload = WorkloadProcess(source.table, rate, 1, folder / ".nearshift" / "workload.log")
    stack.callback(workload.end)
    wait = threading.Event().wait
    wait(warm_up)
    workload.check()
    began, cpu, written = time.perf_counter(), time.process_time(), workload.written
    since_us = int(_CLOCK.now().timestamp() * 1_000_000)
    wait(seconds)
    workload.check()
    elapsed, used, done = time.perf_counter() - began, time.process_time() - cpu, workload.written - written
    end_us = int(_CLOCK.now().timestamp() * 1_000_000)
    workload.end()
    settled = _settle(connection)
    items = list(scan_items(source.table))
    verdict = compare(connection, items)
    changes = [(int(change), at) for change, at in connection.run(_CHANGES + str(since_us)).rows if int(change) < end_us]
    read = np.array([float(row[0]) / 1000 for row in connection.run(_READ + str(since_us)).rows])
    return {
        "written_per_second": round(done / elapsed, 1),
        "changes_measured": len(changes),
        "freshness": _percentiles(watch.of(changes)),
        "read": _percentiles(read),
        "cpu_seconds_per_second": round(used / elapsed, 2),
        "caught_up_seconds": round(settled, 1),
        "wal_megabytes": round(server.warehouse._house.engine.wal_bytes / 1e6, 1),
        "items": len(items),
        "tables_match": verdict.matches,
    }


_CHANGES = "SELECT change_us, min(refresh_time) FROM mv_customer_transaction_event GROUP BY change_us HAVING change_us >= "


def _settle(connection: SessionConnection) -> float:
    """Wait until nothing new has come for a second and all that came is loaded; return the seconds to the last of it.

    Records are not compared with changes: a change that changes nothing has no record. Raises RuntimeError when the loads do not get there.
    """
    began = last = time.perf_counter()
    ingested = -1
    while (now := time.perf_counter()) - began < _CATCH_UP_SECONDS_MAX:
        ((found,),) = connection.run("SELECT count(*) FROM demo_stream_vw").rows
        if found != ingested or find_laggards(connection):
            ingested, last = found, now
        elif now - last > _QUIET_SECONDS:
            return last - began
        threading.Event().wait(0.1)
    message = f"the loads have not caught up after {_CATCH_UP_SECONDS_MAX} seconds"
    raise RuntimeError(message)


def _percentiles(milliseconds: Any) -> dict[str, float]:
    if not len(milliseconds):
        return {}
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {"p50_ms": round(float(p50)), "p99_ms": round(float(p99)), "max_ms": round(float(milliseconds.max()))}


if __name__ == "__main__":
    main()
