-- Written by nearshift generate (text cd3bf130d6f77f9a). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- The changes of customer_dim's items, typed. An attribute that is missing, or of another DynamoDB type than its path names, is NULL;
-- customer_dim_misfit shows the values that were there and did not fit.
CREATE MATERIALIZED VIEW mv_customer_profile_event AS
SELECT c.refresh_time, c.shard_id, c.sequence_number, c.event_id, c.change_us, c.key_hash, c.key_check, c.pk, c.sk, c.is_removed,
       dateadd(us, (c.change_us % 1000000)::integer, timestamp 'epoch' + (c.change_us / 1000000) * interval '1 second') AS changed_at,
       nullif(split_part(c.pk, '#', 2), '')::varchar(2048) AS customer_id,
       c.new_image."email"."S"::varchar(320) AS email,
       c.new_image."planYear"."N"::integer AS plan_year,
       c.new_image."OutofPockMax"."N"::decimal(18,2) AS outofpock_max,
       c.new_image."address"."M"."zip"."S"::varchar(16) AS zip,
       c.new_image."address"."M"."state"."S"::varchar(16) AS state,
       c.new_image."isActive"."BOOL"::boolean AS is_active,
       NULL::varchar(140) AS reject_reason
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND c.sk = 'PROFILE';

-- Values that an item had and customer_dim's column could not take as they are: of another kind, out of range, or too long and cut.
CREATE VIEW customer_dim_misfit AS
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'email' AS column_name, json_serialize(c.new_image."email") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND c.sk = 'PROFILE' AND c.new_image."email" IS NOT NULL AND c.new_image."email"."NULL" IS NULL
  AND (c.new_image."email"."S"::varchar(320) IS NULL OR octet_length(c.new_image."email"."S"::varchar(65535)) > 320)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'plan_year' AS column_name, json_serialize(c.new_image."planYear") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND c.sk = 'PROFILE' AND c.new_image."planYear" IS NOT NULL AND c.new_image."planYear"."NULL" IS NULL
  AND c.new_image."planYear"."N"::integer IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'outofpock_max' AS column_name, json_serialize(c.new_image."OutofPockMax") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND c.sk = 'PROFILE' AND c.new_image."OutofPockMax" IS NOT NULL AND c.new_image."OutofPockMax"."NULL" IS NULL
  AND c.new_image."OutofPockMax"."N"::decimal(18,2) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'zip' AS column_name, json_serialize(c.new_image."address"."M"."zip") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND c.sk = 'PROFILE' AND c.new_image."address"."M"."zip" IS NOT NULL AND c.new_image."address"."M"."zip"."NULL" IS NULL
  AND (c.new_image."address"."M"."zip"."S"::varchar(16) IS NULL OR octet_length(c.new_image."address"."M"."zip"."S"::varchar(65535)) > 16)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'state' AS column_name, json_serialize(c.new_image."address"."M"."state") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND c.sk = 'PROFILE' AND c.new_image."address"."M"."state" IS NOT NULL AND c.new_image."address"."M"."state"."NULL" IS NULL
  AND (c.new_image."address"."M"."state"."S"::varchar(16) IS NULL OR octet_length(c.new_image."address"."M"."state"."S"::varchar(65535)) > 16)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'is_active' AS column_name, json_serialize(c.new_image."isActive") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND c.sk = 'PROFILE' AND c.new_image."isActive" IS NOT NULL AND c.new_image."isActive"."NULL" IS NULL
  AND c.new_image."isActive"."BOOL"::boolean IS NULL;

-- Each item as it is now.
CREATE TABLE customer_dim (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  customer_id     varchar(2048),
  email           varchar(320),
  plan_year       integer,
  outofpock_max   decimal(18,2),
  zip             varchar(16),
  state           varchar(16),
  is_active       boolean,
  changed_at      timestamp NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL,
  event_id        varchar(64),
  loaded_at       timestamp NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- The version at which an item was removed, so that an older change that arrives late does not bring it back.
CREATE TABLE customer_dim_tombstone (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- A new table begins at the first change.
DELETE FROM etl_audit WHERE load_name = 'customer_dim' AND (SELECT count(*) FROM customer_dim) = 0;
INSERT INTO etl_audit (load_name, status, watermark, run_count, change_count, stale_count, written_count, removed_count)
SELECT 'customer_dim', 'Ready', '1970-01-01 00:00:00', 0, 0, 0, count(*), 0
FROM customer_dim
HAVING (SELECT count(*) FROM etl_audit WHERE load_name = 'customer_dim') = 0;

-- Loads customer_dim (the latest image of each item) and its tombstones.
--
-- What it costs follows the changes not yet read, not the history. Reading on from the watermark, it keeps the newest change per item,
-- drops the ones that are not newer than what the tables know, and replaces the rows of the rest: all in one transaction together with
-- the watermark, so a run that fails or is repeated does no harm. NONATOMIC lets others see 'Running', and 'Failed' with its reason.
-- REFRESH does not cascade, so the views on the way are refreshed here, lowest first; demo_stream_vw refreshes itself.
CREATE OR REPLACE PROCEDURE sp_load_customer_dim() NONATOMIC
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
  REFRESH MATERIALIZED VIEW mv_customer_profile_event;
  SELECT watermark INTO v_from FROM etl_audit WHERE load_name = 'customer_dim';
  SELECT max(refresh_time) INTO v_to FROM mv_customer_profile_event WHERE refresh_time > v_from;
  IF v_to IS NULL THEN
    RETURN;
  END IF;
  UPDATE etl_audit SET status = 'Running', started_at = getdate(), error = NULL WHERE load_name = 'customer_dim';
  START TRANSACTION;

  -- the newest change of each item among those not yet read
  SELECT count(*) INTO v_changes FROM mv_customer_profile_event WHERE refresh_time > v_from AND refresh_time <= v_to AND reject_reason IS NULL;
  DROP TABLE IF EXISTS stage_customer_dim;
  CREATE TEMP TABLE stage_customer_dim AS
  SELECT *
  FROM (SELECT e.*,
               row_number() OVER (PARTITION BY e.key_hash, e.key_check
                                  ORDER BY e.change_us DESC, lpad(e.sequence_number, 128, '0') DESC) AS place
        FROM mv_customer_profile_event e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to AND e.reject_reason IS NULL) ranked
  WHERE place = 1;

  -- a change that is not newer than what is known of its item came late or twice
  DELETE FROM stage_customer_dim USING customer_dim f
  WHERE f.key_hash = stage_customer_dim.key_hash AND f.key_check = stage_customer_dim.key_check
    AND (f.change_us > stage_customer_dim.change_us
         OR (f.change_us = stage_customer_dim.change_us AND lpad(f.sequence_number, 128, '0') >= lpad(stage_customer_dim.sequence_number, 128, '0')));
  DELETE FROM stage_customer_dim USING customer_dim_tombstone t
  WHERE t.key_hash = stage_customer_dim.key_hash AND t.key_check = stage_customer_dim.key_check
    AND (t.change_us > stage_customer_dim.change_us
         OR (t.change_us = stage_customer_dim.change_us AND lpad(t.sequence_number, 128, '0') >= lpad(stage_customer_dim.sequence_number, 128, '0')));
  SELECT count(*) INTO v_staged FROM stage_customer_dim;
  v_stale := v_changes - v_staged;

  DELETE FROM customer_dim USING stage_customer_dim s
  WHERE customer_dim.key_hash = s.key_hash AND customer_dim.key_check = s.key_check;
  DELETE FROM customer_dim_tombstone USING stage_customer_dim s
  WHERE customer_dim_tombstone.key_hash = s.key_hash AND customer_dim_tombstone.key_check = s.key_check;
  INSERT INTO customer_dim (
    key_hash, key_check, pk, sk, customer_id, email, plan_year, outofpock_max, zip, state, is_active, changed_at, change_us,
    sequence_number, event_id, loaded_at)
  SELECT
    key_hash, key_check, pk, sk, customer_id, email, plan_year, outofpock_max, zip, state, is_active, changed_at, change_us,
    sequence_number, event_id, getdate()
  FROM stage_customer_dim
  WHERE NOT is_removed;
  GET DIAGNOSTICS v_written := ROW_COUNT;
  INSERT INTO customer_dim_tombstone (key_hash, key_check, pk, sk, change_us, sequence_number)
  SELECT key_hash, key_check, pk, sk, change_us, sequence_number
  FROM stage_customer_dim
  WHERE is_removed;
  GET DIAGNOSTICS v_removed := ROW_COUNT;

  UPDATE etl_audit
  SET status = 'Complete', finished_at = getdate(), watermark = greatest(watermark, v_to), run_count = run_count + 1,
      change_count = change_count + v_changes, stale_count = stale_count + v_stale,
      written_count = written_count + v_written, removed_count = removed_count + v_removed
  WHERE load_name = 'customer_dim';
  COMMIT;
EXCEPTION WHEN OTHERS THEN
  UPDATE etl_audit SET status = 'Failed', finished_at = getdate(), error = left(SQLERRM, 500) WHERE load_name = 'customer_dim';
  RAISE;
END;
$$ LANGUAGE plpgsql;
