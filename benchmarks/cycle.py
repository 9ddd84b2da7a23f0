"""What one cycle of new records costs beside the history that is there: the stream's view, the views above it, the load of the facts.

A cycle is REFRESH of the stream's view, REFRESH of the three views that the load reads, CALL of the load; each is timed apart, with commit.
Keys are drawn so that about two changes in three replace a fact that is there. The log is folded between cycles where the upkeep thread
would do it; that counts as `upkeep`. The ratios compare with history 0 of the same run: medians of the clock, and of processor time, which
stays comparable when other programs are busy. JSON on standard output.

    python -m benchmarks.cycle [--history 0,1000000,10000000] [--records 1000,10000] [--cycles 200]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.canned import CannedSource
from benchmarks.history import build_history, facts_of
from benchmarks.pipeline_files import apply_example
from benchmarks.records import change_record, get_records_answer

from nearshift.session import Session
from nearshift.warehouse import Warehouse

PARTS = {
    "stream_view": ("REFRESH MATERIALIZED VIEW demo_stream_vw",),
    "derived_views": tuple(
        f"REFRESH MATERIALIZED VIEW {view}" for view in ("mv_item_change", "mv_customer_transaction_event")
    ),
    "facts": ("CALL sp_load_customer_transaction_fact()",),
}
_WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=_numbers, default=[0, 1_000_000, 10_000_000], help="changes that were read before, with commas")
    parser.add_argument("--records", type=_numbers, default=[1_000, 10_000], help="new records of a cycle, with commas")
    parser.add_argument("--cycles", type=int, default=200, help="cycles of each kind")
    options = parser.parse_args()
    results = [result for history in options.history for result in measure_history(history, options.records, options.cycles)]
    empty = {result["records"]: result for result in results if result["history"] == 0}
    for result in results:
        if result["records"] in empty:
            for figure in ("p50_ms", "cpu_ms"):
                result[f"{figure.removesuffix('_ms')}_ratio_to_empty"] = {
                    part: round(result[part][figure] / empty[result["records"]][part][figure], 2) for part in (*PARTS, "cycle")
                }
    print(json.dumps({"benchmark": "cycle", "cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "results": results}))


def measure_history(history: int, sizes: list[int], cycles: int) -> list[dict[str, Any]]:
    """Return the costs of cycles of each size over one history."""
    source = CannedSource(4)
    with tempfile.TemporaryDirectory() as folder, Warehouse.open(Path(folder) / "w.duckdb", sources=lambda _s, _n: source) as warehouse:
        session = warehouse.session()
        apply_example(session)
        began = time.perf_counter()
        build_history(warehouse, history)
        built = time.perf_counter() - began
        maker = ChangeMaker(source, facts_of(history))
        found = [measure_cycles(warehouse, session, maker, size, cycles) for size in sizes]
        check(session, maker, history)
    return [{"history": history, "history_seconds": round(built, 1)} | result for result in found]


class ChangeMaker:
    """Puts new changes into the source's shards, in turn."""

    def __init__(self, source: CannedSource, facts: int) -> None:
        self._source = source
        self._random = Random(11)
        self._facts = facts
        self._at = 1_780_000_000_000_000
        self.count = 0
        self.keys: set[int] = set()

    def put(self, count: int) -> None:
        """Let the next refresh find `count` new changes."""
        shards = list(self._source.answers)
        span = (self._facts + self.count + count) * 3 // 2
        keys = [self._random.randrange(span) for _ in range(count)]
        changes = [change_record(self._random, key, self._at + i, "MODIFY") for i, key in enumerate(keys)]
        self._at += count
        self.keys.update(key for key in keys if key >= self._facts)
        each = -(-count // len(shards))
        for i, shard in enumerate(shards):
            self._source.answers[shard].append(get_records_answer(changes[i * each : (i + 1) * each], 10**55 + self.count + i * each))
        self.count += count


def measure_cycles(warehouse: Warehouse, session: Session, maker: ChangeMaker, records: int, cycles: int) -> dict[str, Any]:
    """Run cycles and return the milliseconds of their parts."""
    taken: dict[str, list[tuple[float, float]]] = {part: [] for part in (*PARTS, "cycle", "upkeep")}
    flushes = 0
    for cycle in range(_WARM_UP + cycles):
        maker.put(records)
        marks = [_now()]
        for statements in PARTS.values():
            for statement in statements:
                for result in session.execute_script(statement):
                    result.rows()
            marks.append(_now())
        flushes += warehouse._house.engine.flush_if_due()
        marks.append(_now())
        spans = dict(zip((*PARTS, "upkeep"), itertools.pairwise(marks), strict=True)) | {"cycle": (marks[0], marks[len(PARTS)])}
        if cycle >= _WARM_UP:
            for part, (began, ended) in spans.items():
                taken[part].append((ended[0] - began[0], ended[1] - began[1]))
    summary = {part: _summary(values) for part, values in taken.items()}
    return {"records": records, "cycles": cycles, "flushes": flushes, **summary}


def check(session: Session, maker: ChangeMaker, history: int) -> None:
    """End with an error unless the facts are those of the history and of the changes."""
    facts, dependents = (
        session.execute(f"SELECT count(*) FROM {table}").rows()[0][0]
        for table in ("customer_transaction_fact", "customer_transaction_dependent")
    )
    expected = facts_of(history) + len(maker.keys)
    if (facts, dependents) != (expected, 2 * expected):
        message = f"{facts} facts with {dependents} dependents instead of {expected} with twice as many"
        raise SystemExit(message)


def _now() -> tuple[float, float]:
    """Return the clock and the processor time of this process, in milliseconds."""
    return time.perf_counter() * 1000, time.process_time() * 1000


def _summary(values: list[tuple[float, float]]) -> dict[str, float]:
    taken, used = zip(*values, strict=True)
    p99 = statistics.quantiles(taken, n=100, method="inclusive")[98]
    figures = {"p50_ms": statistics.median(taken), "p99_ms": p99, "max_ms": max(taken), "cpu_ms": statistics.median(used)}
    return {name: round(value, 2) for name, value in figures.items()}


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
