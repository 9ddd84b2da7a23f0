"""A pipeline that is killed: two files as a stream, a streaming view, a view over it, a load, and a schedule that runs the load.

Run as a program it does everything once and ends: `python scenario.py WAREHOUSE STREAM_FOLDER`. Each part goes on where the file says.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from nearshift.streams.file import FileSource
from nearshift.warehouse import Schedule, Warehouse

SETUP = """
CREATE EXTERNAL SCHEMA files FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW line AS
  SELECT shard_id, sequence_number, refresh_time, json_parse(kinesis_data) AS p FROM files.lines WHERE can_json_parse(kinesis_data);
CREATE MATERIALIZED VIEW entry AS
  SELECT p.id::int AS id, p.amount::decimal(10,2) AS amount, shard_id, sequence_number, refresh_time FROM line;
CREATE TABLE fact (id int, amount decimal(10,2), entries bigint);
CREATE TABLE audit (watermark timestamp, runs int);
INSERT INTO audit VALUES ('1970-01-01', 0);
CREATE PROCEDURE load_fact() AS $$
DECLARE
  v_from timestamp;
  v_to timestamp;
BEGIN
  SELECT INTO v_from watermark FROM audit;
  REFRESH MATERIALIZED VIEW line;
  REFRESH MATERIALIZED VIEW entry;
  SELECT INTO v_to coalesce(max(refresh_time), v_from) FROM entry;
  DELETE FROM fact WHERE id IN (SELECT id FROM entry WHERE refresh_time > v_from AND refresh_time <= v_to);
  INSERT INTO fact SELECT id, sum(amount), count(*) FROM entry
    WHERE id IN (SELECT id FROM entry WHERE refresh_time > v_from AND refresh_time <= v_to) GROUP BY id;
  UPDATE audit SET watermark = v_to, runs = runs + 1;
END;
$$ LANGUAGE plpgsql;
"""


def open_warehouse(file: Path, folder: Path) -> Warehouse:
    """Open the warehouse over the folder as its stream."""
    return Warehouse.open(file, sources=lambda _schema, _name: FileSource(folder), threads=1)


def rows(warehouse: Warehouse, text: str) -> list[tuple[Any, ...]]:
    """Run a script in a session of its own and return the rows of its last statement."""
    session = warehouse.session()
    try:
        found: list[tuple[Any, ...]] = []
        for result in session.execute_script(text):
            found = result.rows()
        return found
    finally:
        session.close()


def work(warehouse: Warehouse) -> None:
    """Refresh by hand, load by hand, then by a schedule, once."""
    rows(warehouse, "REFRESH MATERIALIZED VIEW line")
    rows(warehouse, "REFRESH MATERIALIZED VIEW entry")
    rows(warehouse, "CALL load_fact()")
    before = rows(warehouse, "SELECT count(*) FROM sys_nearshift_schedule_run")
    subscription = warehouse.events.subscribe()
    warehouse.set_schedules((Schedule("load", "rate(1 hour)", "CALL load_fact()"),))
    warehouse.start()
    waiting = threading.Event()
    while rows(warehouse, "SELECT count(*) FROM sys_nearshift_schedule_run") == before:
        subscription.next(0.05)
        waiting.wait(0.01)


def main() -> None:
    """Do the work once."""
    with open_warehouse(Path(sys.argv[1]), Path(sys.argv[2])) as warehouse:
        work(warehouse)


if __name__ == "__main__":
    main()
