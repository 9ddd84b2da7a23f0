"""All benchmarks, one after the other, each in a process of its own; one JSON object per line on standard output.

Small by default, so that it ends within minutes on two cores; `--full` takes the sizes of docs/performance.md.

    python benchmarks/run.py [--full] [--only NAME,…]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_SMALL_SECONDS_MAX = 180.0
_FULL_SECONDS_MAX = 3_600.0


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A program of this folder, with its arguments in both sizes."""

    name: str
    small: str = ""
    full: str = ""


BENCHMARKS = (
    Benchmark("lowering"),
    Benchmark("consumer_decode", "--pages 3", "--pages 20"),
    Benchmark("local_aws", "--seconds 1", "--seconds 5"),
    Benchmark("wire_rows", "--rows 100000 --rounds 2", "--rows 1000000 --rounds 5"),
    Benchmark("idle_shards", "--shards 100 --seconds 5", "--shards 1000 --seconds 50"),
    Benchmark("road", "--records 40000", "--records 500000"),
    Benchmark("cycle", "--history 0,100000 --records 1000 --cycles 20", "--history 0,1000000,10000000 --records 1000,10000 --cycles 100"),
    Benchmark("freshness", "--rate 200 --seconds 10 --warm-up 3", "--rate 1000 --seconds 60 --warm-up 10"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the sizes of docs/performance.md; takes most of an hour")
    parser.add_argument("--only", default="", help="names of benchmarks, with commas")
    options = parser.parse_args()
    names = [one.name for one in BENCHMARKS]
    only = [name for name in options.only.split(",") if name]
    if unknown := sorted(set(only) - set(names)):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(names)}")
    failed = [one.name for one in BENCHMARKS if (not only or one.name in only) and not run(one, is_full=options.full)]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def run(benchmark: Benchmark, *, is_full: bool) -> bool:
    """Run one benchmark and print what it measured, or why it did not; return whether it ended well."""
    arguments = (benchmark.full if is_full else benchmark.small).split()
    command = [sys.executable, "-m", f"benchmarks.{benchmark.name}", *arguments]
    began = time.perf_counter()
    report: dict[str, Any] = {"benchmark": benchmark.name, "arguments": " ".join(arguments), "machine": platform.machine()}
    try:
        bound = _FULL_SECONDS_MAX if is_full else _SMALL_SECONDS_MAX
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT, timeout=bound, check=False)
        code = ended.returncode
        report["result"] = json.loads(ended.stdout) if ended.stdout else None
    except subprocess.TimeoutExpired as error:
        code = -1
        report["error"] = f"not ready after {error.timeout:.0f} seconds"
    except json.JSONDecodeError as error:
        code = -1
        report["error"] = f"its output is no JSON: {error}"
    report |= {"exit": code, "seconds": round(time.perf_counter() - began, 1)}
    print(json.dumps(report), flush=True)
    return code == 0


if __name__ == "__main__":
    main()
