"""What all loads of a folder share: stream, changes, audit table, rejected records, the purge of tombstones."""

from __future__ import annotations

from typing import Final

from nearshift.generate.loads import Declarations, Keeping
from nearshift.generate.text import fill, literal, quoted

_SCHEMA: Final = """\
-- The stream that DynamoDB writes the changes of its table to.
CREATE EXTERNAL SCHEMA @external_schema FROM KINESIS IAM_ROLE default;
"""

_STREAM: Final = """\
-- Every record of the stream. One that is not JSON is kept beside the others in failed_payload: it neither blocks the view nor disappears.
CREATE MATERIALIZED VIEW @stream_view AUTO REFRESH YES AS
SELECT approximate_arrival_timestamp,
       partition_key,
       shard_id,
       sequence_number,
       refresh_time,
       CASE WHEN can_json_parse(kinesis_data) THEN json_parse(kinesis_data) END AS payload,
       CASE WHEN NOT can_json_parse(kinesis_data) THEN kinesis_data END AS failed_payload
FROM @external_schema.@stream;
"""

_CHANGE: Final = """\
-- One row per change: of which item it is, where it stands in time, and the item's new image.
--
-- change_us orders the changes of an item, sequence_number breaks ties; arrival orders nothing. DynamoDB writes milliseconds or
-- microseconds as the streaming destination was set at that moment, and both may stand in one stream. Their size tells them apart: below
-- 10^14 it is milliseconds until the year 5138, above it microseconds since 1973.
-- key_hash and key_check are the two halves of one MD5 of the whole key: 120 bits that tell keys apart, so that loads join on two numbers
-- and never read the texts of the rows that they search.@key_note
-- is_expired: DynamoDB's time to live removed the item, not a request.
-- A record that cannot be placed has a reject_reason; its payload stays in @stream_view under the same shard_id and sequence_number.
CREATE MATERIALIZED VIEW @change_view AS
SELECT s.refresh_time,
       s.shard_id,
       s.sequence_number,
       s.payload."eventID"::varchar(64) AS event_id,
       s.payload."dynamodb"."ApproximateCreationDateTime"::bigint
         * CASE WHEN s.payload."dynamodb"."ApproximateCreationDateTime"::bigint < 100000000000000 THEN 1000 ELSE 1 END AS change_us,
       strtol(left(md5(@key_text), 15), 16) AS key_hash,
       strtol(substring(md5(@key_text), 16, 15), 16) AS key_check,
       @key_columns,
       nvl(upper(s.payload."eventName"::varchar(16)), '') = 'REMOVE' AS is_removed,
       nvl(upper(s.payload."eventName"::varchar(16)), '') = 'REMOVE'
         AND nvl(s.payload."userIdentity"."principalId"::varchar(64), '') = 'dynamodb.amazonaws.com' AS is_expired,
       s.payload."dynamodb"."NewImage" AS new_image,
       CASE WHEN s.payload IS NULL THEN 'not JSON'
            @key_reasons
            WHEN s.payload."dynamodb"."ApproximateCreationDateTime"::bigint IS NULL THEN 'no change time'
            WHEN s.payload."dynamodb"."NewImage" IS NULL
                 AND nvl(upper(s.payload."eventName"::varchar(16)), '') <> 'REMOVE' THEN 'no new image'
       END AS reject_reason
FROM @stream_view s;
"""

_AUDIT: Final = """\
-- One row per load: how it stands, how far it has read, and what it did since the table was made. watermark is a refresh_time that the
-- load has read, never the clock: refresh_time grows in the order of commits, so nothing can appear behind it.
CREATE TABLE @audit_table (
  load_name     varchar(127) NOT NULL,
  status        varchar(20) NOT NULL,
  started_at    timestamp,
  finished_at   timestamp,
  watermark     timestamp NOT NULL,
  run_count     bigint NOT NULL,
  change_count  bigint NOT NULL,
  stale_count   bigint NOT NULL,
  written_count bigint NOT NULL,
  removed_count bigint NOT NULL,
  error         varchar(2000)
);
"""

_REJECTED: Final = """\
-- Changes that a load could not use, with the reason; load_name is NULL where none could. The payload is in @stream_view.
CREATE VIEW @rejected_view AS
SELECT NULL::varchar(127) AS load_name, refresh_time, shard_id, sequence_number, event_id, reject_reason
FROM @change_view
WHERE reject_reason IS NOT NULL@others;
"""

_REJECTED_LOAD: Final = """

UNION ALL
SELECT @load AS load_name, refresh_time, shard_id, sequence_number, event_id, reject_reason
FROM @view
WHERE reject_reason IS NOT NULL"""

_PURGE: Final = """\
-- Forgets tombstones older than keep_days. A stream keeps records for 365 days at most: choose no fewer days than your stream's
-- retention, and no late change can come back to life.
CREATE OR REPLACE PROCEDURE sp_purge_tombstones(keep_days integer)
AS $$
DECLARE
  v_before bigint;
BEGIN
  v_before := date_part(epoch, dateadd(day, -keep_days, getdate()))::bigint * 1000000;
@deletes
END;
$$ LANGUAGE plpgsql;
"""

_PURGE_ONE: Final = "  DELETE FROM @tombstone WHERE change_us < v_before;"

CASE_SENSITIVE: Final = "SET enable_case_sensitive_identifier TO true;\n"


def external_schema(declarations: Declarations) -> str:
    """Return the statement that makes the stream's schema."""
    return fill(_SCHEMA, {"external_schema": declarations.names.external_schema})


def stream_view(declarations: Declarations) -> str:
    """Return the view that keeps the stream's records."""
    names = declarations.names
    places = {
        "stream_view": names.stream_view,
        "external_schema": names.external_schema,
        "stream": quoted(declarations.source.stream),
    }
    return fill(_STREAM, places)


def change_view(declarations: Declarations) -> str:
    """Return the view with one placed row per change."""
    source = declarations.source
    keys = [("pk", _key(source.partition_key, source.partition_key_type, 2048), "no partition key")]
    if source.sort_key is not None:
        keys.append(("sk", _key(source.sort_key, source.sort_key_type, 1024), "no sort key"))
    places = {
        "change_view": declarations.names.change_view,
        "stream_view": declarations.names.stream_view,
        "key_text": _key_text([expression for _, expression, _ in keys]),
        "key_note": _KEY_NOTE if len(keys) > 1 else "",
        "key_columns": ",\n       ".join(f"{expression} AS {name}" for name, expression, _ in keys),
        "key_reasons": "\n            ".join(f"WHEN {expression} IS NULL THEN {literal(reason)}" for _, expression, reason in keys),
    }
    return fill(_CHANGE, places)


_KEY_NOTE: Final = "\n-- The partition key goes in as an MD5 of its own, which keeps the keys a|b, c and a, b|c apart."


def _key_text(expressions: list[str]) -> str:
    """Return the text that stands for a whole key: no two keys have the same."""
    if len(expressions) == 1:
        return expressions[0]
    first, second = expressions
    return f"md5({first}) ||\n                       {second}"


def _key(name: str, kind: str, size: int) -> str:
    """Return how a key attribute is read; one of type B is Base64, a third longer than its bytes ("Naming rules and data types")."""
    return f's.payload."dynamodb"."Keys".{quoted(name)}."{kind}"::varchar({size * 2 if kind == "B" else size})'


def audit_table(declarations: Declarations) -> str:
    """Return the table of the loads' runs."""
    return fill(_AUDIT, {"audit_table": declarations.names.audit_table})


def rejected_view(declarations: Declarations) -> str:
    """Return the view of what no load could use."""
    names = declarations.names
    others = [
        fill(_REJECTED_LOAD, {"load": literal(load.name), "view": load.view})
        for load in declarations.loads
        if any(column.is_required for column in load.columns)
    ]
    places = {"rejected_view": names.rejected_view, "change_view": names.change_view, "stream_view": names.stream_view}
    return fill(_REJECTED, places | {"others": "".join(others)})


def purge_procedure(declarations: Declarations) -> str:
    """Return the procedure that forgets old tombstones."""
    deletes = [fill(_PURGE_ONE, {"tombstone": load.tombstone}) for load in declarations.loads if load.keeping is not Keeping.HISTORY]
    return fill(_PURGE, {"deletes": "\n".join(deletes)})
