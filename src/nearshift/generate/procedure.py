"""What the procedures of all loads begin and end with: refreshes, watermark, audit row, failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nearshift.generate.loads import Declarations, Load
from nearshift.generate.text import fill, literal

_FRAME: Final = """\
CREATE OR REPLACE PROCEDURE sp_load_@{name}() NONATOMIC
AS $$
DECLARE
  v_from timestamp;
  v_to timestamp;
  v_changes bigint := 0;
  v_staged bigint := 0;
  v_stale bigint := 0;
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

@steps
  UPDATE @audit_table
  SET status = 'Complete', finished_at = getdate(), watermark = greatest(watermark, v_to), run_count = run_count + 1,
      change_count = change_count + v_changes, stale_count = stale_count + v_stale,
      written_count = written_count + v_written, removed_count = removed_count + v_removed
  WHERE load_name = @load;
  COMMIT;
EXCEPTION WHEN OTHERS THEN
  UPDATE @audit_table SET status = 'Failed', finished_at = getdate(), error = left(SQLERRM, 500) WHERE load_name = @load;
  RAISE;
END;
$$ LANGUAGE plpgsql;
"""


# What tells items apart in joins and windows: as join columns, the key's texts would be read and hashed for every row of a table.
IDENTITY: Final = ("key_hash", "key_check")


def same(left: str, right: str) -> str:
    """Return the condition that two rows are of one item."""
    return " AND ".join(f"{left}.{key} = {right}.{key}" for key in IDENTITY)


def identity_of(alias: str) -> str:
    """Return the columns that tell items apart, of one row."""
    return ", ".join(f"{alias}.{key}" for key in IDENTITY)


def key_columns(declarations: Declarations) -> tuple[str, ...]:
    """Return the columns of an item's key that every table has."""
    return (*IDENTITY, *declarations.keys)


def keys_of(alias: str, declarations: Declarations) -> str:
    """Return the columns of an item's key, of one row."""
    return ", ".join(f"{alias}.{key}" for key in key_columns(declarations))


def places_of(load: Load, declarations: Declarations) -> dict[str, str]:
    """Return the places that the templates of all loads have."""
    return {
        "name": load.name,
        "load": literal(load.name),
        "view": load.view,
        "stage": load.stage,
        "tombstone": load.tombstone,
        "change_view": declarations.names.change_view,
        "stream_view": declarations.names.stream_view,
        "audit_table": declarations.names.audit_table,
        "keys": ", ".join(key_columns(declarations)),
        "e_keys": keys_of("e", declarations),
        "e_item": identity_of("e"),
    }


def procedure(comment: str, steps: str, places: Mapping[str, str]) -> str:
    """Return the procedure with its comment; `steps` count v_changes, v_staged, v_stale, v_written and v_removed."""
    return fill(comment, places) + fill(_FRAME, {**places, "steps": fill(steps, places).rstrip("\n") + "\n"})
