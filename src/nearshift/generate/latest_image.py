"""A load that keeps each item as it is: facts of mode `latest-image`, dimensions of type 1."""

from __future__ import annotations

from typing import Final

from nearshift.generate.load_sql import VERSION_COLUMNS, key_definitions, own_definitions, table, tombstone_table
from nearshift.generate.loads import Declarations, Load
from nearshift.generate.text import fill, literal, wrapped

_PROCEDURE: Final = """\
-- Loads @name (the latest image of each item) and its tombstones.
--
-- What it costs follows the changes not yet read, not the history. Reading on from the watermark, it keeps the newest change per item,
-- drops the ones that are not newer than what the tables know, and replaces the rows of the rest: all in one transaction together with
-- the watermark, so a run that fails or is repeated does no harm. NONATOMIC lets others see 'Running', and 'Failed' with its reason.
-- REFRESH does not cascade, so the views on the way are refreshed here, lowest first; @stream_view refreshes itself.
CREATE OR REPLACE PROCEDURE sp_load_@{name}() NONATOMIC
AS $$
DECLARE
  v_from timestamp;
  v_to timestamp;
  v_changes bigint := 0;
  v_staged bigint := 0;
  v_stale bigint := 0;
  v_rows bigint := 0;
  v_written bigint := 0;
  v_removed bigint := 0;
BEGIN
  REFRESH MATERIALIZED VIEW @change_view;
  REFRESH MATERIALIZED VIEW @view;
  SELECT watermark INTO v_from FROM @audit_table WHERE load_name = @load;
  SELECT max(refresh_time) INTO v_to FROM @view WHERE refresh_time > v_from;
  IF v_to IS NULL THEN
    RETURN;
  END IF;
  UPDATE @audit_table SET status = 'Running', started_at = getdate(), error = NULL WHERE load_name = @load;
  START TRANSACTION;

  -- the newest change of each item among those not yet read
  SELECT count(*) INTO v_changes FROM @view WHERE refresh_time > v_from AND refresh_time <= v_to AND reject_reason IS NULL;
  DROP TABLE IF EXISTS @stage;
  CREATE TEMP TABLE @stage AS
  SELECT *
  FROM (SELECT e.*,
               row_number() OVER (PARTITION BY e.key_hash, @event_keys
                                  ORDER BY e.change_us DESC, lpad(e.sequence_number, 128, '0') DESC) AS place
        FROM @view e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to AND e.reject_reason IS NULL) ranked
  WHERE place = 1;
  SELECT count(*) INTO v_staged FROM @stage;

  -- a change that is not newer than what is known of its item came late or twice
  DELETE FROM @stage USING @name f
  WHERE @stage_fact
    AND (f.change_us > @stage.change_us
         OR (f.change_us = @stage.change_us AND lpad(f.sequence_number, 128, '0') >= lpad(@stage.sequence_number, 128, '0')));
  GET DIAGNOSTICS v_stale := ROW_COUNT;
  DELETE FROM @stage USING @tombstone t
  WHERE @stage_tombstone
    AND (t.change_us > @stage.change_us
         OR (t.change_us = @stage.change_us AND lpad(t.sequence_number, 128, '0') >= lpad(@stage.sequence_number, 128, '0')));
  GET DIAGNOSTICS v_rows := ROW_COUNT;
  v_stale := v_stale + v_rows;

  DELETE FROM @name USING @stage s
  WHERE @fact_stage;
  DELETE FROM @tombstone USING @stage s
  WHERE @tombstone_stage;
  INSERT INTO @name (
    @written, loaded_at)
  SELECT
    @written, getdate()
  FROM @stage
  WHERE NOT is_removed;
  GET DIAGNOSTICS v_written := ROW_COUNT;
  INSERT INTO @tombstone (@version)
  SELECT @version
  FROM @stage
  WHERE is_removed;
  GET DIAGNOSTICS v_removed := ROW_COUNT;

  UPDATE @audit_table
  SET status = 'Complete', finished_at = getdate(), watermark = greatest(watermark, v_to), run_count = run_count + 1,
      change_count = change_count + v_changes, stale_count = stale_count + v_changes - v_staged + v_stale,
      written_count = written_count + v_written, removed_count = removed_count + v_removed
  WHERE load_name = @load;
  COMMIT;
EXCEPTION WHEN OTHERS THEN
  UPDATE @audit_table SET status = 'Failed', finished_at = getdate(), error = left(SQLERRM, 500) WHERE load_name = @load;
  RAISE;
END;
$$ LANGUAGE plpgsql;
"""


def tables(load: Load, declarations: Declarations) -> str:
    """Return the fact or dimension table and its tombstones."""
    definitions = [*key_definitions(declarations), *own_definitions(load), ("changed_at", "timestamp NOT NULL"), *VERSION_COLUMNS]
    definitions += [("event_id", "varchar(64)"), ("loaded_at", "timestamp NOT NULL")]
    return f"-- Each item as it is now.\n{table(load.name, definitions)}\n{tombstone_table(load, declarations)}"


def procedure(load: Load, declarations: Declarations) -> str:
    """Return the procedure that loads them."""
    keys = ("key_hash", *declarations.keys)
    version = (*keys, "change_us", "sequence_number")
    names = [*keys, *(column.name for column in load.columns), "changed_at", "change_us", "sequence_number", "event_id"]

    def same(left: str, right: str) -> str:
        return " AND ".join(f"{left}.{key} = {right}.{key}" for key in keys)

    places = {
        "name": load.name,
        "load": literal(load.name),
        "view": load.view,
        "stage": load.stage,
        "tombstone": load.tombstone,
        "change_view": declarations.names.change_view,
        "stream_view": declarations.names.stream_view,
        "audit_table": declarations.names.audit_table,
        "event_keys": ", ".join(f"e.{key}" for key in declarations.keys),
        "stage_fact": same("f", load.stage),
        "stage_tombstone": same("t", load.stage),
        "fact_stage": same(load.name, "s"),
        "tombstone_stage": same(load.tombstone, "s"),
        "written": wrapped(names, "    ", 128),
        "version": ", ".join(version),
    }
    return fill(_PROCEDURE, places)
