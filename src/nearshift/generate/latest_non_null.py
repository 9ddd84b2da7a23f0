"""A load that keeps, per column, the latest value that was not NULL: facts of mode `latest-non-null`."""

from __future__ import annotations

from typing import Final

from nearshift.generate.load_sql import VERSION_COLUMNS, key_definitions, own_definitions, table, tombstone_table
from nearshift.generate.loads import Declarations, Load
from nearshift.generate.procedure import identity_of, key_columns, keys_of, places_of, same
from nearshift.generate.procedure import procedure as framed
from nearshift.generate.text import wrapped

_COMMENT: Final = """\
-- Loads @name: per column the latest value that was not NULL since the item was last removed.
--
-- What it costs follows the changes not yet read, not the history. The values that are known of the items that changed, each with the
-- version that brought it (@{name}_version), stand beside the changes not yet read; per column the highest version wins. So it does
-- not matter in which order, in how many runs or how often changes arrive. All in one transaction together with the watermark.
-- REFRESH does not cascade, so the views on the way are refreshed here, lowest first; @stream_view refreshes itself.
"""

_STEPS: Final = """\
  -- the changes not yet read; a version is text that sorts as the changes of an item happened
  DROP TABLE IF EXISTS @stage;
  CREATE TEMP TABLE @stage AS
  SELECT e.*, lpad(e.change_us::varchar(20), 20, '0') || lpad(e.sequence_number, 128, '0') AS version
  FROM @view e
  WHERE e.refresh_time > v_from AND e.refresh_time <= v_to AND e.reject_reason IS NULL;
  SELECT count(*) INTO v_changes FROM @stage;

  -- the newest removal of each item is kept as long as a late change may come, also when the item is there again
  DELETE FROM @tombstone USING @stage s
  WHERE @tombstone_stage
    AND s.is_removed AND s.version > lpad(@tombstone.change_us::varchar(20), 20, '0') || lpad(@tombstone.sequence_number, 128, '0');
  INSERT INTO @tombstone (@keys, change_us, sequence_number)
  SELECT @r_keys, r.change_us, r.sequence_number
  FROM (SELECT @e_keys, e.change_us, e.sequence_number,
               row_number() OVER (PARTITION BY @e_item ORDER BY e.version DESC) AS place
        FROM @stage e
        WHERE e.is_removed) r
  LEFT JOIN @tombstone t ON @t_r
  WHERE r.place = 1 AND t.key_hash IS NULL;
  GET DIAGNOSTICS v_removed := ROW_COUNT;

  -- the items that changed, and up to which version what is known of them does not count any more
  DROP TABLE IF EXISTS @{stage}_item;
  CREATE TEMP TABLE @{stage}_item AS
  SELECT @i_keys, nvl(max(lpad(t.change_us::varchar(20), 20, '0') || lpad(t.sequence_number, 128, '0')), '') AS cut_version
  FROM @stage i
  LEFT JOIN @tombstone t ON @t_i
  GROUP BY @i_keys;
  DELETE FROM @stage USING @{stage}_item i
  WHERE @i_stage
    AND (@stage.is_removed OR @stage.version <= i.cut_version);
  SELECT count(*) INTO v_staged FROM @stage;
  v_stale := v_changes - v_staged - v_removed;

  -- what is known and what is new, each value with the version that brought it
  DROP TABLE IF EXISTS @{stage}_value;
  CREATE TEMP TABLE @{stage}_value AS
  SELECT @s_keys, s.version, s.changed_at, s.change_us, s.sequence_number, s.event_id,
         @new_values
  FROM @stage s
  UNION ALL
  SELECT @f_keys, lpad(f.change_us::varchar(20), 20, '0') || lpad(f.sequence_number, 128, '0'),
         f.changed_at, f.change_us, f.sequence_number, f.event_id,
         @known_values
  FROM @name f
  JOIN @{name}_version v ON @v_f
  JOIN @{stage}_item i ON @i_f
  WHERE lpad(f.change_us::varchar(20), 20, '0') || lpad(f.sequence_number, 128, '0') > i.cut_version;
  DROP TABLE IF EXISTS @{stage}_merged;
  CREATE TEMP TABLE @{stage}_merged AS
  SELECT *
  FROM (SELECT @e_keys, e.changed_at, e.change_us, e.sequence_number, e.event_id,
               @merged_values,
               row_number() OVER (PARTITION BY @e_item ORDER BY e.version DESC) AS place
        FROM @{stage}_value e) ranked
  WHERE place = 1;

  DELETE FROM @name USING @{stage}_item i
  WHERE @i_name;
  DELETE FROM @{name}_version USING @{stage}_item i
  WHERE @i_version;
  INSERT INTO @name (
    @written, loaded_at)
  SELECT
    @written, getdate()
  FROM @{stage}_merged;
  GET DIAGNOSTICS v_written := ROW_COUNT;
  INSERT INTO @{name}_version (
    @versions)
  SELECT
    @versions
  FROM @{stage}_merged;

"""

_MERGED: Final = (
    "first_value(e.{0} IGNORE NULLS) OVER (PARTITION BY {1} ORDER BY e.{0}_version DESC NULLS LAST\n"
    "                                            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS {0},\n"
    "               max(e.{0}_version) OVER (PARTITION BY {1}) AS {0}_version"
)


def tables(load: Load, declarations: Declarations) -> str:
    """Return the fact table, the versions of its values, and its tombstones."""
    definitions = [*key_definitions(declarations), *own_definitions(load), ("changed_at", "timestamp NOT NULL"), *VERSION_COLUMNS]
    definitions += [("event_id", "varchar(64)"), ("loaded_at", "timestamp NOT NULL")]
    versions = [*key_definitions(declarations), *((f"{column.name}_version", "varchar(148)") for column in load.columns)]
    return (
        f"-- Per column the latest value that was not NULL; the change of the row is the latest of all.\n{table(load.name, definitions)}\n"
        f"-- Which change brought each value.\n{table(load.name + '_version', versions)}\n{tombstone_table(load, declarations)}"
    )


def procedure(load: Load, declarations: Declarations) -> str:
    """Return the procedure that loads them."""
    keys = key_columns(declarations)
    names = [column.name for column in load.columns]
    apart = ",\n         "
    places = places_of(load, declarations) | {
        "tombstone_stage": same(load.tombstone, "s"),
        "t_r": same("t", "r"),
        "t_i": same("t", "i"),
        "i_stage": same("i", load.stage),
        "v_f": same("v", "f"),
        "i_f": same("i", "f"),
        "i_name": same(load.name, "i"),
        "i_version": same(f"{load.name}_version", "i"),
        **{f"{alias}_keys": keys_of(alias, declarations) for alias in "risf"},
        "new_values": apart.join(f"s.{name}, CASE WHEN s.{name} IS NOT NULL THEN s.version END AS {name}_version" for name in names),
        "known_values": apart.join(
            f"CASE WHEN v.{name}_version > i.cut_version THEN f.{name} END,{apart[1:]}"
            f"CASE WHEN v.{name}_version > i.cut_version THEN v.{name}_version END"
            for name in names
        ),
        "merged_values": ",\n               ".join(_MERGED.format(name, identity_of("e")) for name in names),
        "written": wrapped([*keys, *names, "changed_at", "change_us", "sequence_number", "event_id"], "    ", 128),
        "versions": wrapped([*keys, *(f"{name}_version" for name in names)], "    ", 128),
    }
    return framed(_COMMENT, _STEPS, places)
