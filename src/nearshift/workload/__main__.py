"""`python -m nearshift.workload`: a process that writes until its standard input ends, and says on standard output how far it is.

One JSON object per line: `{"written": 1234}` twice a second, and at the end `{"written": 1300, "is_done": true}` or `{"error": "…"}`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nearshift.workload.claims import Claims
from nearshift.workload.writer import SINGLE_RATE_MAX, Progress, Writer

_REPORT_SECONDS = 0.5
_LANES_MAX = 4


def main(arguments: list[str] | None = None) -> int:
    """Write changes until standard input ends or SIGTERM comes; return 0, or 1 after an error of the API."""
    parser = argparse.ArgumentParser(prog="python -m nearshift.workload", description="write changes of customer transactions")
    parser.add_argument("--table", required=True)
    parser.add_argument("--rate", type=float, default=200.0, help="changes per second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--customers", type=int, default=1000)
    options = parser.parse_args(arguments)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group of processes; the one that started us decides
    threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    lanes = 2 if options.rate <= 2 * SINGLE_RATE_MAX else _LANES_MAX
    progress = Progress()
    failures: list[str] = []
    threads = [
        threading.Thread(target=_write, args=(options, lane, lanes, progress, stop, failures), name=f"lane-{lane}") for lane in range(lanes)
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(_REPORT_SECONDS):
        _say({"written": progress.written})
    for thread in threads:
        thread.join()
    _say({"error": failures[0]} if failures else {"written": progress.written, "is_done": True})
    return 1 if failures else 0


def _write(options: argparse.Namespace, lane: int, lanes: int, progress: Progress, stop: threading.Event, failures: list[str]) -> None:
    client = boto3.client("dynamodb", config=Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=2))
    claims = Claims(options.seed, lane=lane, lanes=lanes, customers=options.customers)
    try:
        Writer(client, options.table, claims.changes(), progress).run(options.rate / lanes, stop)
    except (BotoCoreError, ClientError) as error:
        failures.append(str(error))
        stop.set()


def _stop_at_end_of_input(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
