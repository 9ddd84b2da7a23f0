"""A warehouse that reads Kinesis by itself until it is killed: `python serving.py WAREHOUSE`.

It prints `ready` when it works, and `stored` after its first commit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nearshift.warehouse import Schedule, Warehouse

SETUP = """
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW item AUTO REFRESH YES AS
  SELECT shard_id, sequence_number, json_parse(kinesis_data) AS p FROM kds.items WHERE can_json_parse(kinesis_data);
CREATE MATERIALIZED VIEW id AS SELECT p.id::int AS id, shard_id, sequence_number FROM item;
"""


def say(word: str) -> None:
    """Tell whoever started this process."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the standard input ends."""
    with Warehouse.open(Path(sys.argv[1]), threads=1) as warehouse:
        session = warehouse.session()
        if session.execute("SELECT count(*) FROM svv_tables WHERE table_name = 'id'").rows() == [(0,)]:
            for result in session.execute_script(SETUP):
                result.rows()
        session.close()
        warehouse.set_schedules((Schedule("follow", "on refresh of public.item", "REFRESH MATERIALIZED VIEW id"),))
        subscription = warehouse.events.subscribe()
        warehouse.start()
        say("ready")
        while not any(event is not None and "public.item" in event.relations for event in [subscription.next(60.0)]):
            pass
        say("stored")
        sys.stdin.read()


if __name__ == "__main__":
    main()
