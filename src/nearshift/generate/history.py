"""A load that keeps what its items were: dimensions of type 2."""

from __future__ import annotations

from typing import Final

from nearshift.generate.load_sql import VERSION_COLUMNS, key_definitions, own_definitions, table
from nearshift.generate.loads import Column, Declarations, Load
from nearshift.generate.procedure import identity_of, key_columns, places_of, same
from nearshift.generate.procedure import procedure as framed
from nearshift.generate.text import wrapped
from nearshift.types import Kind

_COMMENT: Final = """\
-- Loads @name: one row per item and time in which its columns stayed the same, from valid_from up to and without valid_to.
--
-- Every change of an item is kept in @{name}_history, and the rows of the items that changed are made anew from it: so a late change
-- takes its place in the past, and a doubled one changes nothing. What it costs follows the changes not yet read, and how often the items
-- they are of had changed. All in one transaction together with the watermark.
-- REFRESH does not cascade, so the views on the way are refreshed here, lowest first; @stream_view refreshes itself.
"""

_STEPS: Final = """\
  -- the changes not yet read, each once; image_hash tells whether an image differs from the one before
  SELECT count(*) INTO v_changes FROM @view WHERE refresh_time > v_from AND refresh_time <= v_to AND reject_reason IS NULL;
  DROP TABLE IF EXISTS @stage;
  CREATE TEMP TABLE @stage AS
  SELECT *
  FROM (SELECT e.*,
               CASE WHEN e.is_removed THEN 'removed'
                    ELSE md5(@hashed)
               END AS image_hash,
               row_number() OVER (PARTITION BY @e_item, nvl(e.event_id, e.sequence_number)
                                  ORDER BY lpad(e.sequence_number, 128, '0')) AS place
        FROM @view e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to AND e.reject_reason IS NULL) ranked
  WHERE place = 1;
  DROP TABLE IF EXISTS @{stage}_item;
  CREATE TEMP TABLE @{stage}_item AS
  SELECT DISTINCT @keys FROM @stage;
  DELETE FROM @stage USING @{name}_history h
  WHERE @h_stage
    AND (h.event_id = @stage.event_id OR h.sequence_number = @stage.sequence_number);
  SELECT count(*) INTO v_staged FROM @stage;
  v_stale := v_changes - v_staged;
  SELECT count(*) INTO v_removed FROM @stage WHERE is_removed;

  INSERT INTO @{name}_history (
    @kept)
  SELECT
    @kept
  FROM @stage;
  DELETE FROM @name USING @{stage}_item i
  WHERE @name_item;
  INSERT INTO @name (
    @written, valid_from, valid_to, is_current, loaded_at)
  SELECT
    @written, changed_at, valid_to, valid_to IS NULL, getdate()
  FROM (SELECT p.*,
               lead(p.changed_at) OVER (PARTITION BY @p_item
                                        ORDER BY p.change_us, lpad(p.sequence_number, 128, '0')) AS valid_to
        FROM (SELECT h.*,
                     lag(h.image_hash) OVER (PARTITION BY @h_item
                                             ORDER BY h.change_us, lpad(h.sequence_number, 128, '0')) AS hash_before
              FROM @{name}_history h
              JOIN @{stage}_item i ON @h_i) p
        WHERE p.hash_before IS NULL OR p.hash_before <> p.image_hash) v
  WHERE NOT is_removed;
  GET DIAGNOSTICS v_written := ROW_COUNT;
"""


def tables(load: Load, declarations: Declarations) -> str:
    """Return the dimension and the history that it is made from."""
    keys, own = key_definitions(declarations), own_definitions(load)
    nullable = [(column.name, column.type_text) for column in load.columns]
    rows = [*keys, *own, ("valid_from", "timestamp NOT NULL"), ("valid_to", "timestamp"), ("is_current", "boolean NOT NULL")]
    rows += [*VERSION_COLUMNS, ("event_id", "varchar(64)"), ("loaded_at", "timestamp NOT NULL")]
    kept = [*keys, *nullable, ("is_removed", "boolean NOT NULL"), ("image_hash", "varchar(32) NOT NULL")]
    kept += [("changed_at", "timestamp NOT NULL"), *VERSION_COLUMNS, ("event_id", "varchar(64)")]
    return (
        f"-- What each item was, and when: a row without valid_to is current.\n{table(load.name, rows)}\n"
        f"-- Every change of the items, from which the rows above are made.\n{table(load.name + '_history', kept)}"
    )


def procedure(load: Load, declarations: Declarations) -> str:
    """Return the procedure that loads them."""
    keys = key_columns(declarations)
    names = [column.name for column in load.columns]
    version = ["change_us", "sequence_number", "event_id"]
    places = places_of(load, declarations) | {
        "hashed": " ||\n                             ".join(_hashed(column) for column in load.columns),
        "h_stage": same("h", load.stage),
        "name_item": same(load.name, "i"),
        "h_i": same("h", "i"),
        "p_item": identity_of("p"),
        "h_item": identity_of("h"),
        "kept": wrapped([*keys, *names, "is_removed", "image_hash", "changed_at", *version], "    ", 128),
        "written": wrapped([*keys, *names, *version], "    ", 100),
    }
    return framed(_COMMENT, _STEPS, places)


def _hashed(column: Column) -> str:
    """Return a column as text in which no two values, nor two neighbours together, read the same: its length before it, '-' for NULL."""
    value = f"e.{column.name}"
    if column.type.kind is Kind.BOOLEAN:
        return f"CASE WHEN {value} IS NULL THEN '-' WHEN {value} THEN 't' ELSE 'f' END"
    text = f"json_serialize({value})" if column.type.kind is Kind.SUPER else f"{value}::varchar(65535)"
    return f"nvl(len({text})::varchar(8) || ':' || {text}, '-')"
