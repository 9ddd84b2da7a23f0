"""A load that keeps each item as it is: facts of mode `latest-image`, dimensions of type 1."""

from __future__ import annotations

from typing import Final

from nearshift.generate.load_sql import VERSION_COLUMNS, key_definitions, own_definitions, table, tombstone_table
from nearshift.generate.loads import Declarations, Load
from nearshift.generate.procedure import key_columns, places_of, same
from nearshift.generate.procedure import procedure as framed
from nearshift.generate.text import wrapped

_COMMENT: Final = """\
-- Loads @name (the latest image of each item) and its tombstones.
--
-- What it costs follows the changes not yet read, not the history. Reading on from the watermark, it keeps the newest change per item,
-- drops the ones that are not newer than what the tables know, and replaces the rows of the rest: all in one transaction together with
-- the watermark, so a run that fails or is repeated does no harm. NONATOMIC lets others see 'Running', and 'Failed' with its reason.
-- REFRESH does not cascade, so the views on the way are refreshed here, lowest first; @stream_view refreshes itself.
"""

_STEPS: Final = """\
  -- the newest change of each item among those not yet read
  SELECT count(*) INTO v_changes FROM @view WHERE refresh_time > v_from AND refresh_time <= v_to AND reject_reason IS NULL;
  DROP TABLE IF EXISTS @stage;
  CREATE TEMP TABLE @stage AS
  SELECT *
  FROM (SELECT e.*,
               row_number() OVER (PARTITION BY @e_item
                                  ORDER BY e.change_us DESC, lpad(e.sequence_number, 128, '0') DESC) AS place
        FROM @view e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to AND e.reject_reason IS NULL) ranked
  WHERE place = 1;

  -- a change that is not newer than what is known of its item came late or twice
  DELETE FROM @stage USING @name f
  WHERE @stage_fact
    AND (f.change_us > @stage.change_us
         OR (f.change_us = @stage.change_us AND lpad(f.sequence_number, 128, '0') >= lpad(@stage.sequence_number, 128, '0')));
  DELETE FROM @stage USING @tombstone t
  WHERE @stage_tombstone
    AND (t.change_us > @stage.change_us
         OR (t.change_us = @stage.change_us AND lpad(t.sequence_number, 128, '0') >= lpad(@stage.sequence_number, 128, '0')));
  SELECT count(*) INTO v_staged FROM @stage;
  v_stale := v_changes - v_staged;

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

"""


def tables(load: Load, declarations: Declarations) -> str:
    """Return the fact or dimension table and its tombstones."""
    definitions = [*key_definitions(declarations), *own_definitions(load), ("changed_at", "timestamp NOT NULL"), *VERSION_COLUMNS]
    definitions += [("event_id", "varchar(64)"), ("loaded_at", "timestamp NOT NULL")]
    return f"-- Each item as it is now.\n{table(load.name, definitions)}\n{tombstone_table(load, declarations)}"


def procedure(load: Load, declarations: Declarations) -> str:
    """Return the procedure that loads them."""
    keys = key_columns(declarations)
    names = [*keys, *(column.name for column in load.columns), "changed_at", "change_us", "sequence_number", "event_id"]
    places = places_of(load, declarations) | {
        "stage_fact": same("f", load.stage),
        "stage_tombstone": same("t", load.stage),
        "fact_stage": same(load.name, "s"),
        "tombstone_stage": same(load.tombstone, "s"),
        "written": wrapped(names, "    ", 128),
        "version": ", ".join((*keys, "change_us", "sequence_number")),
    }
    return framed(_COMMENT, _STEPS, places)
