"""One life of a warehouse in the campaign: it reads its stream and loads its facts by itself until it is killed.

    python life.py WAREHOUSE [--skew S] [--file-bytes N] [--die-at POINT --die-after S] [--finish ANSWER]

The clock may be wrong by `--skew` seconds; no file may grow beyond `--file-bytes`, as on a full disk; at `--die-after` seconds a crash
point is armed. With `--finish` everything is brought up to date, and what there is goes to ANSWER as JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nearshift import faults
from nearshift.clock import SystemClock
from nearshift.warehouse import Schedule, Warehouse

SETUP = """
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW change AUTO REFRESH YES AS
  SELECT shard_id, sequence_number, refresh_time, json_parse(kinesis_data) AS p FROM kds.chaos
  WHERE partition_key <> 'nobody';
CREATE MATERIALIZED VIEW whole AUTO REFRESH YES AS SELECT sequence_number, partition_key FROM kds.chaos;
CREATE MATERIALIZED VIEW version AS
  SELECT p.k::int AS k, p.v::int AS v, p.n::int AS n, shard_id, sequence_number, refresh_time FROM change;
CREATE TABLE fact (k int, v int, n int);
CREATE TABLE audit (watermark timestamp, runs int);
INSERT INTO audit VALUES ('1970-01-01', 0);
CREATE PROCEDURE load_fact() AS $$
DECLARE
  v_from timestamp;
  v_to timestamp;
BEGIN
  SELECT INTO v_from watermark FROM audit;
  REFRESH MATERIALIZED VIEW version;
  SELECT INTO v_to coalesce(max(refresh_time), v_from) FROM version;
  CREATE TEMP TABLE news AS
    SELECT k, v, n FROM version WHERE refresh_time > v_from AND refresh_time <= v_to
    QUALIFY row_number() OVER (PARTITION BY k ORDER BY v DESC) = 1;
  DELETE FROM fact USING news WHERE fact.k = news.k;
  INSERT INTO fact SELECT k, v, n FROM news;
  DROP TABLE news;
  UPDATE audit SET watermark = v_to, runs = runs + 1;
END;
$$ LANGUAGE plpgsql;
"""
# A key's versions in the order in which they were taken in; sequence numbers have more digits than a number may.
DISORDER = """
SELECT count(*) FROM (
  SELECT v, lag(v) OVER (PARTITION BY k ORDER BY refresh_time, len(sequence_number), sequence_number) AS before FROM version
) WHERE v <= before
"""
LEDGER = """
SELECT view_name, sum(read_rows), sum(stored_rows), sum(filtered_rows), sum(quarantined_rows), sum(skipped_rows), bool_and(is_balanced)
FROM sys_nearshift_ledger GROUP BY 1 ORDER BY 1
"""


class SkewedClock(SystemClock):
    """A clock that is wrong by some seconds."""

    def __init__(self, seconds: float) -> None:
        self._off = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._off


def rows(warehouse: Warehouse, text: str) -> list[tuple[Any, ...]]:
    """Run a script and return the rows of its last statement."""
    session = warehouse.session()
    try:
        found: list[tuple[Any, ...]] = []
        for result in session.execute_script(text):
            found = result.rows()
        return found
    finally:
        session.close()


def finish(warehouse: Warehouse) -> dict[str, Any]:
    """Bring everything up to date and say what there is."""
    rows(warehouse, "REFRESH MATERIALIZED VIEW change; REFRESH MATERIALIZED VIEW whole; CALL load_fact()")
    counts = rows(warehouse, "SELECT count(*), count(DISTINCT n), sum(n) FROM version")[0]
    raw = rows(warehouse, "SELECT count(*), count(DISTINCT sequence_number) FROM whole")[0]
    quarantined = rows(warehouse, "SELECT count(*), count(DISTINCT sequence_number) FROM sys_nearshift_quarantine")[0]
    return {
        "stored": counts[0],
        "distinct": counts[1],
        "sum": int(counts[2] or 0),
        "raw": raw[0],
        "raw_distinct": raw[1],
        "quarantined": quarantined[0],
        "quarantined_distinct": quarantined[1],
        "disorder": rows(warehouse, DISORDER)[0][0],
        "ledger": [[row[0], *map(int, row[1:6]), row[6]] for row in rows(warehouse, LEDGER)],
        "gaps": [list(row) for row in rows(warehouse, "SELECT view_name, shard_id, reason FROM sys_nearshift_gap ORDER BY 1, 2")],
        "fact": [list(row) for row in rows(warehouse, "SELECT k, v, n FROM fact ORDER BY k")],
        "loads": rows(warehouse, "SELECT runs FROM audit")[0][0],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("warehouse", type=Path)
    parser.add_argument("--skew", type=float, default=0.0)
    parser.add_argument("--file-bytes", type=int)
    parser.add_argument("--die-at", choices=faults.POINTS)
    parser.add_argument("--die-after", type=float, default=0.0)
    parser.add_argument("--on-gap", choices=["fail", "record"], default="fail")
    parser.add_argument("--finish", type=Path)
    options = parser.parse_args()
    if options.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.file_bytes, options.file_bytes))
    clock = SkewedClock(options.skew)
    with Warehouse.open(options.warehouse, clock=clock, threads=1, accepts_gaps=options.on_gap == "record") as warehouse:
        if not rows(warehouse, "SELECT 1 FROM svv_tables WHERE table_name = 'audit'"):
            rows(warehouse, f"BEGIN; {SETUP}; COMMIT")
        if options.finish is not None:
            options.finish.write_text(json.dumps(finish(warehouse)))
            return
        warehouse.set_schedules((Schedule("load", "on refresh of public.change", "CALL load_fact()"),))
        warehouse.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        if options.die_at is not None:
            threading.Timer(options.die_after, faults.arm, [options.die_at]).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
