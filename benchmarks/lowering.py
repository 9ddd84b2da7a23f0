"""How long a translation takes, and how close its plan comes to the best DuckDB text that we could write by hand.

Prints one JSON object: milliseconds per translation (warm median and first), and seconds of the unnest of change records, translated and by
hand, over ROWS records of about a kilobyte.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.desk import desk

from nearshift.sql.lower import lower
from nearshift.sql.relations import BindContext, Column, NameRules, Relation, RelationKind
from nearshift.types import SUPER, TIMESTAMP

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
IMAGE = '"payload"."dynamodb"."NewImage"'
UNNEST = f"""
SELECT split_part(a."payload"."dynamodb"."Keys"."pk"."S"::varchar, '#', 2) AS customer,
       a."payload"."dynamodb"."Keys"."sk"."S"::varchar AS sort_key,
       b."M"."sk"."S"::varchar AS dependent,
       a.{IMAGE}."limit"."N"::int AS limit_amount,
       a.{IMAGE}."percent"."N"::decimal(5,2) AS share,
       a.{IMAGE}."amount"."N"::int AS amount,
       a.{IMAGE}."provider"."S"::varchar AS provider,
       a.{IMAGE}."completed"."S"::timestamptz AS completed,
       a."payload"."eventName"::varchar AS event_name,
       a.approximate_arrival_timestamp
FROM stream_view a LEFT JOIN a.{IMAGE}."dependents"."L" b ON true
"""
BY_HAND = """
SELECT split_part(p[1], '#', 2) AS customer, p[2] AS sort_key, json_extract_string(e, '$."M"."sk"."S"') AS dependent,
       TRY_CAST(p[3] AS INTEGER) AS limit_amount, TRY_CAST(p[4] AS DECIMAL(5,2)) AS share, TRY_CAST(p[5] AS INTEGER) AS amount,
       p[6] AS provider, TRY_CAST(p[7] AS TIMESTAMPTZ) AS completed, p[8] AS event_name, approximate_arrival_timestamp
FROM (SELECT *, unnest(CASE WHEN len(l) > 0 THEN l ELSE [NULL] END) AS e FROM (
  SELECT *, json_extract_string(payload, ['$."dynamodb"."Keys"."pk"."S"', '$."dynamodb"."Keys"."sk"."S"',
    '$."dynamodb"."NewImage"."limit"."N"', '$."dynamodb"."NewImage"."percent"."N"', '$."dynamodb"."NewImage"."amount"."N"',
    '$."dynamodb"."NewImage"."provider"."S"', '$."dynamodb"."NewImage"."completed"."S"', '$."eventName"']) AS p,
    TRY_CAST(json_extract(payload, '$."dynamodb"."NewImage"."dependents"."L"') AS JSON[]) AS l FROM stream_view))
"""
RECORD = """
json_object('awsRegion', 'us-east-1', 'eventID', md5(CAST(i AS VARCHAR)), 'eventName', 'MODIFY', 'tableName', 'transactions',
 'recordFormat', 'application/json', 'userIdentity', NULL, 'eventSource', 'aws:dynamodb', 'dynamodb', json_object(
 'ApproximateCreationDateTime', 1700000000000 + i, 'SizeBytes', 694,
 'Keys', json_object('pk', json_object('S', 'CUSTOMER#' || i), 'sk', json_object('S', 'TRANSACTION#2024-01-01T00:00:00Z#' || i)),
 'NewImage', json_object('completed', json_object('S', '2024-01-01T00:00:00Z'), 'percent', json_object('N', '50.00'),
  'amount', json_object('N', CAST(i AS VARCHAR)), 'limit', json_object('N', CAST(2 * i AS VARCHAR)),
  'provider', json_object('S', 'PV-' || i % 100), 'note', json_object('S', repeat('x', 100)),
  'dependents', json_object('L', CASE WHEN i % 4 > 0 THEN json_array(
   json_object('M', json_object('sk', json_object('S', 'CUSTOMER#2024#A' || i), 'pk', json_object('S', 'CUSTOMER#' || i))),
   json_object('M', json_object('sk', json_object('S', 'CUSTOMER#2024#B' || i), 'pk', json_object('S', 'CUSTOMER#' || i)))) END))))
"""
SMALL = 'SELECT approximate_arrival_timestamp, count(*) FROM stream_view WHERE "payload"."eventName" = $1 GROUP BY 1 ORDER BY 2 LIMIT 5'


class OneRelation:
    """A catalog of one table."""

    def __init__(self, relation: Relation) -> None:
        self._relation = relation

    def find(self, schema: str | None, name: str) -> Relation | None:
        return self._relation if (schema or "public", name) == ("public", self._relation.name) else None


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return seconds


def main() -> None:
    columns = (Column("approximate_arrival_timestamp", TIMESTAMP), Column("payload", SUPER))
    relation = Relation("public", "stream_view", RelationKind.STREAMING_VIEW, columns, '"stream_view"')
    context = BindContext(OneRelation(relation), NameRules(case_sensitive_identifier=True))
    first = timed(lambda: lower(SMALL, context), 1)[0]
    small = statistics.median(timed(lambda: lower(SMALL, context), 200))
    large = statistics.median(timed(lambda: lower(UNNEST, context), 50))
    connection = desk()
    made = " ".join(("CREATE TABLE stream_view AS SELECT TIMESTAMP '2024-01-01' AS approximate_arrival_timestamp,", RECORD, "AS payload"))
    connection.execute(f"{made} FROM range({ROWS}) AS r(i)")
    translated = lower(UNNEST, context).sql
    forms = {"translated": translated, "by_hand": BY_HAND}
    seconds = {}
    for name, query in forms.items():
        statement = " ".join(("CREATE OR REPLACE TEMP TABLE result AS", query))
        seconds[name] = round(statistics.median(timed(lambda text=statement: connection.execute(text), 7)), 4)  # type: ignore[misc]
    same = connection.execute(f"SELECT count(*) FROM (({translated}) EXCEPT ALL ({BY_HAND}))").fetchone()
    report = {
        "small_ms": round(small * 1000, 3), "small_first_ms": round(first * 1000, 3), "unnest_ms": round(large * 1000, 3), "rows": ROWS,
        "seconds": seconds, "ratio": round(seconds["translated"] / seconds["by_hand"], 2), "rows_that_differ": same[0] if same else None,
    }  # fmt: skip
    print(json.dumps(report))


if __name__ == "__main__":
    main()
