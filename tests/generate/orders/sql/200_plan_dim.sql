-- Written by nearshift generate (text c3c092fa08f3d890). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- The changes of plan_dim's items, typed. An attribute that is missing, or of another DynamoDB type than its path names, is NULL;
-- plan_dim_misfit shows the values that were there and did not fit.
CREATE MATERIALIZED VIEW mv_plan_dim_event AS
SELECT c.refresh_time, c.shard_id, c.sequence_number, c.event_id, c.change_us, c.key_hash, c.key_check, c.pk, c.sk, c.is_removed,
       dateadd(us, (c.change_us % 1000000)::integer, timestamp 'epoch' + (c.change_us / 1000000) * interval '1 second') AS changed_at,
       nullif(split_part(c.sk, '#', 2), '')::varchar(64) AS plan_id,
       c.new_image."tier"."S"::varchar(16) AS tier,
       c.new_image."price"."N"::decimal(18,2) AS price,
       c.new_image."isOpen"."BOOL"::boolean AS is_open,
       c.new_image."terms"."L" AS terms,
       NULL::varchar(140) AS reject_reason
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 5) = 'PLAN#';

-- Values that an item had and plan_dim's column could not take as they are: of another kind, out of range, or too long and cut.
CREATE VIEW plan_dim_misfit AS
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'tier' AS column_name, json_serialize(c.new_image."tier") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 5) = 'PLAN#' AND c.new_image."tier" IS NOT NULL AND c.new_image."tier"."NULL" IS NULL
  AND (c.new_image."tier"."S"::varchar(16) IS NULL OR octet_length(c.new_image."tier"."S"::varchar(65535)) > 16)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'price' AS column_name, json_serialize(c.new_image."price") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 5) = 'PLAN#' AND c.new_image."price" IS NOT NULL AND c.new_image."price"."NULL" IS NULL
  AND c.new_image."price"."N"::decimal(18,2) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'is_open' AS column_name, json_serialize(c.new_image."isOpen") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 5) = 'PLAN#' AND c.new_image."isOpen" IS NOT NULL AND c.new_image."isOpen"."NULL" IS NULL
  AND c.new_image."isOpen"."BOOL"::boolean IS NULL;

-- What each item was, and when: a row without valid_to is current.
CREATE TABLE plan_dim (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  plan_id         varchar(64),
  tier            varchar(16),
  price           decimal(18,2),
  is_open         boolean,
  terms           super,
  valid_from      timestamp NOT NULL,
  valid_to        timestamp,
  is_current      boolean NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL,
  event_id        varchar(64),
  loaded_at       timestamp NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- Every change of the items, from which the rows above are made.
CREATE TABLE plan_dim_history (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  plan_id         varchar(64),
  tier            varchar(16),
  price           decimal(18,2),
  is_open         boolean,
  terms           super,
  is_removed      boolean NOT NULL,
  image_hash      varchar(32) NOT NULL,
  changed_at      timestamp NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL,
  event_id        varchar(64)
) DISTKEY (key_hash) SORTKEY (key_hash);

-- A new table begins at the first change.
DELETE FROM load_audit WHERE load_name = 'plan_dim' AND (SELECT count(*) FROM plan_dim) = 0;
INSERT INTO load_audit (load_name, status, watermark, run_count, change_count, stale_count, written_count, removed_count)
SELECT 'plan_dim', 'Ready', '1970-01-01 00:00:00', 0, 0, 0, count(*), 0
FROM plan_dim
HAVING (SELECT count(*) FROM load_audit WHERE load_name = 'plan_dim') = 0;

-- Loads plan_dim: one row per item and time in which its columns stayed the same, from valid_from up to and without valid_to.
--
-- Every change of an item is kept in plan_dim_history, and the rows of the items that changed are made anew from it: so a late change
-- takes its place in the past, and a doubled one changes nothing. What it costs follows the changes not yet read, and how often the items
-- they are of had changed. All in one transaction together with the watermark.
-- REFRESH does not cascade, so the views on the way are refreshed here, lowest first; stream_vw refreshes itself.
CREATE OR REPLACE PROCEDURE sp_load_plan_dim() NONATOMIC
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
  REFRESH MATERIALIZED VIEW mv_item_change;
  REFRESH MATERIALIZED VIEW mv_plan_dim_event;
  SELECT watermark INTO v_from FROM load_audit WHERE load_name = 'plan_dim';
  SELECT max(refresh_time) INTO v_to FROM mv_plan_dim_event WHERE refresh_time > v_from;
  IF v_to IS NULL THEN
    RETURN;
  END IF;
  UPDATE load_audit SET status = 'Running', started_at = getdate(), error = NULL WHERE load_name = 'plan_dim';
  START TRANSACTION;

  -- the changes not yet read, each once; image_hash tells whether an image differs from the one before
  SELECT count(*) INTO v_changes FROM mv_plan_dim_event WHERE refresh_time > v_from AND refresh_time <= v_to AND reject_reason IS NULL;
  DROP TABLE IF EXISTS stage_plan_dim;
  CREATE TEMP TABLE stage_plan_dim AS
  SELECT *
  FROM (SELECT e.*,
               CASE WHEN e.is_removed THEN 'removed'
                    ELSE md5(nvl(len(e.plan_id::varchar(65535))::varchar(8) || ':' || e.plan_id::varchar(65535), '-') ||
                             nvl(len(e.tier::varchar(65535))::varchar(8) || ':' || e.tier::varchar(65535), '-') ||
                             nvl(len(e.price::varchar(65535))::varchar(8) || ':' || e.price::varchar(65535), '-') ||
                             CASE WHEN e.is_open IS NULL THEN '-' WHEN e.is_open THEN 't' ELSE 'f' END ||
                             nvl(len(json_serialize(e.terms))::varchar(8) || ':' || json_serialize(e.terms), '-'))
               END AS image_hash,
               row_number() OVER (PARTITION BY e.key_hash, e.key_check, nvl(e.event_id, e.sequence_number)
                                  ORDER BY lpad(e.sequence_number, 128, '0')) AS place
        FROM mv_plan_dim_event e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to AND e.reject_reason IS NULL) ranked
  WHERE place = 1;
  DROP TABLE IF EXISTS stage_plan_dim_item;
  CREATE TEMP TABLE stage_plan_dim_item AS
  SELECT DISTINCT key_hash, key_check, pk, sk FROM stage_plan_dim;
  DELETE FROM stage_plan_dim USING plan_dim_history h
  WHERE h.key_hash = stage_plan_dim.key_hash AND h.key_check = stage_plan_dim.key_check
    AND (h.event_id = stage_plan_dim.event_id OR h.sequence_number = stage_plan_dim.sequence_number);
  SELECT count(*) INTO v_staged FROM stage_plan_dim;
  v_stale := v_changes - v_staged;
  SELECT count(*) INTO v_removed FROM stage_plan_dim WHERE is_removed;

  INSERT INTO plan_dim_history (
    key_hash, key_check, pk, sk, plan_id, tier, price, is_open, terms, is_removed, image_hash, changed_at, change_us,
    sequence_number, event_id)
  SELECT
    key_hash, key_check, pk, sk, plan_id, tier, price, is_open, terms, is_removed, image_hash, changed_at, change_us,
    sequence_number, event_id
  FROM stage_plan_dim;
  DELETE FROM plan_dim USING stage_plan_dim_item i
  WHERE plan_dim.key_hash = i.key_hash AND plan_dim.key_check = i.key_check;
  INSERT INTO plan_dim (
    key_hash, key_check, pk, sk, plan_id, tier, price, is_open, terms, change_us, sequence_number,
    event_id, valid_from, valid_to, is_current, loaded_at)
  SELECT
    key_hash, key_check, pk, sk, plan_id, tier, price, is_open, terms, change_us, sequence_number,
    event_id, changed_at, valid_to, valid_to IS NULL, getdate()
  FROM (SELECT p.*,
               lead(p.changed_at) OVER (PARTITION BY p.key_hash, p.key_check
                                        ORDER BY p.change_us, lpad(p.sequence_number, 128, '0')) AS valid_to
        FROM (SELECT h.*,
                     lag(h.image_hash) OVER (PARTITION BY h.key_hash, h.key_check
                                             ORDER BY h.change_us, lpad(h.sequence_number, 128, '0')) AS hash_before
              FROM plan_dim_history h
              JOIN stage_plan_dim_item i ON h.key_hash = i.key_hash AND h.key_check = i.key_check) p
        WHERE p.hash_before IS NULL OR p.hash_before <> p.image_hash) v
  WHERE NOT is_removed;
  GET DIAGNOSTICS v_written := ROW_COUNT;

  UPDATE load_audit
  SET status = 'Complete', finished_at = getdate(), watermark = greatest(watermark, v_to), run_count = run_count + 1,
      change_count = change_count + v_changes, stale_count = stale_count + v_stale,
      written_count = written_count + v_written, removed_count = removed_count + v_removed
  WHERE load_name = 'plan_dim';
  COMMIT;
EXCEPTION WHEN OTHERS THEN
  UPDATE load_audit SET status = 'Failed', finished_at = getdate(), error = left(SQLERRM, 500) WHERE load_name = 'plan_dim';
  RAISE;
END;
$$ LANGUAGE plpgsql;
