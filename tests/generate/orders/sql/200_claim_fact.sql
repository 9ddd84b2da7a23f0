-- Written by nearshift generate (text a1f0a45be3ca4644). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- The changes of claim_fact's items, typed. An attribute that is missing, or of another DynamoDB type than its path names, is NULL;
-- claim_fact_misfit shows the values that were there and did not fit.
CREATE MATERIALIZED VIEW mv_claim_fact_event AS
SELECT c.refresh_time, c.shard_id, c.sequence_number, c.event_id, c.change_us, c.key_hash, c.key_check, c.pk, c.sk, c.is_removed,
       dateadd(us, (c.change_us % 1000000)::integer, timestamp 'epoch' + (c.change_us / 1000000) * interval '1 second') AS changed_at,
       nullif(split_part(c.sk, '#', 2), '')::varchar(64) AS claim_id,
       c.new_image."status"."S"::varchar(16) AS status,
       c.new_image."amount"."N"::decimal(18,2) AS amount,
       c.new_image."provider"."S"::varchar(64) AS provider,
       NULL::varchar(140) AS reject_reason
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'CLAIM#';

-- Values that an item had and claim_fact's column could not take as they are: of another kind, out of range, or too long and cut.
CREATE VIEW claim_fact_misfit AS
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'status' AS column_name, json_serialize(c.new_image."status") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'CLAIM#' AND c.new_image."status" IS NOT NULL AND c.new_image."status"."NULL" IS NULL
  AND (c.new_image."status"."S"::varchar(16) IS NULL OR octet_length(c.new_image."status"."S"::varchar(65535)) > 16)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'amount' AS column_name, json_serialize(c.new_image."amount") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'CLAIM#' AND c.new_image."amount" IS NOT NULL AND c.new_image."amount"."NULL" IS NULL
  AND c.new_image."amount"."N"::decimal(18,2) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'provider' AS column_name, json_serialize(c.new_image."provider") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'CLAIM#' AND c.new_image."provider" IS NOT NULL AND c.new_image."provider"."NULL" IS NULL
  AND (c.new_image."provider"."S"::varchar(64) IS NULL OR octet_length(c.new_image."provider"."S"::varchar(65535)) > 64);

-- Per column the latest value that was not NULL; the change of the row is the latest of all.
CREATE TABLE claim_fact (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  claim_id        varchar(64),
  status          varchar(16),
  amount          decimal(18,2),
  provider        varchar(64),
  changed_at      timestamp NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL,
  event_id        varchar(64),
  loaded_at       timestamp NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- Which change brought each value.
CREATE TABLE claim_fact_version (
  key_hash         bigint NOT NULL,
  key_check        bigint NOT NULL,
  pk               varchar(2048) NOT NULL,
  sk               varchar(1024) NOT NULL,
  claim_id_version varchar(148),
  status_version   varchar(148),
  amount_version   varchar(148),
  provider_version varchar(148)
) DISTKEY (key_hash) SORTKEY (key_hash);

-- The version at which an item was removed, so that an older change that arrives late does not bring it back.
CREATE TABLE claim_fact_tombstone (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- A new table begins at the first change.
DELETE FROM load_audit WHERE load_name = 'claim_fact' AND (SELECT count(*) FROM claim_fact) = 0;
INSERT INTO load_audit (load_name, status, watermark, run_count, change_count, stale_count, written_count, removed_count)
SELECT 'claim_fact', 'Ready', '1970-01-01 00:00:00', 0, 0, 0, count(*), 0
FROM claim_fact
HAVING (SELECT count(*) FROM load_audit WHERE load_name = 'claim_fact') = 0;

-- Loads claim_fact: per column the latest value that was not NULL since the item was last removed.
--
-- What it costs follows the changes not yet read, not the history. The values that are known of the items that changed, each with the
-- version that brought it (claim_fact_version), stand beside the changes not yet read; per column the highest version wins. So it does
-- not matter in which order, in how many runs or how often changes arrive. All in one transaction together with the watermark.
-- REFRESH does not cascade, so the views on the way are refreshed here, lowest first; stream_vw refreshes itself.
CREATE OR REPLACE PROCEDURE sp_load_claim_fact() NONATOMIC
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
  REFRESH MATERIALIZED VIEW mv_claim_fact_event;
  SELECT watermark INTO v_from FROM load_audit WHERE load_name = 'claim_fact';
  SELECT max(refresh_time) INTO v_to FROM mv_claim_fact_event WHERE refresh_time > v_from;
  IF v_to IS NULL THEN
    RETURN;
  END IF;
  UPDATE load_audit SET status = 'Running', started_at = getdate(), error = NULL WHERE load_name = 'claim_fact';
  START TRANSACTION;

  -- the changes not yet read; a version is text that sorts as the changes of an item happened
  DROP TABLE IF EXISTS stage_claim_fact;
  CREATE TEMP TABLE stage_claim_fact AS
  SELECT e.*, lpad(e.change_us::varchar(20), 20, '0') || lpad(e.sequence_number, 128, '0') AS version
  FROM mv_claim_fact_event e
  WHERE e.refresh_time > v_from AND e.refresh_time <= v_to AND e.reject_reason IS NULL;
  SELECT count(*) INTO v_changes FROM stage_claim_fact;

  -- the newest removal of each item is kept as long as a late change may come, also when the item is there again
  DELETE FROM claim_fact_tombstone USING stage_claim_fact s
  WHERE claim_fact_tombstone.key_hash = s.key_hash AND claim_fact_tombstone.key_check = s.key_check
    AND s.is_removed AND s.version > lpad(claim_fact_tombstone.change_us::varchar(20), 20, '0') || lpad(claim_fact_tombstone.sequence_number, 128, '0');
  INSERT INTO claim_fact_tombstone (key_hash, key_check, pk, sk, change_us, sequence_number)
  SELECT r.key_hash, r.key_check, r.pk, r.sk, r.change_us, r.sequence_number
  FROM (SELECT e.key_hash, e.key_check, e.pk, e.sk, e.change_us, e.sequence_number,
               row_number() OVER (PARTITION BY e.key_hash, e.key_check ORDER BY e.version DESC) AS place
        FROM stage_claim_fact e
        WHERE e.is_removed) r
  LEFT JOIN claim_fact_tombstone t ON t.key_hash = r.key_hash AND t.key_check = r.key_check
  WHERE r.place = 1 AND t.key_hash IS NULL;
  GET DIAGNOSTICS v_removed := ROW_COUNT;

  -- the items that changed, and up to which version what is known of them does not count any more
  DROP TABLE IF EXISTS stage_claim_fact_item;
  CREATE TEMP TABLE stage_claim_fact_item AS
  SELECT i.key_hash, i.key_check, i.pk, i.sk, nvl(max(lpad(t.change_us::varchar(20), 20, '0') || lpad(t.sequence_number, 128, '0')), '') AS cut_version
  FROM stage_claim_fact i
  LEFT JOIN claim_fact_tombstone t ON t.key_hash = i.key_hash AND t.key_check = i.key_check
  GROUP BY i.key_hash, i.key_check, i.pk, i.sk;
  DELETE FROM stage_claim_fact USING stage_claim_fact_item i
  WHERE i.key_hash = stage_claim_fact.key_hash AND i.key_check = stage_claim_fact.key_check
    AND (stage_claim_fact.is_removed OR stage_claim_fact.version <= i.cut_version);
  SELECT count(*) INTO v_staged FROM stage_claim_fact;
  v_stale := v_changes - v_staged - v_removed;

  -- what is known and what is new, each value with the version that brought it
  DROP TABLE IF EXISTS stage_claim_fact_value;
  CREATE TEMP TABLE stage_claim_fact_value AS
  SELECT s.key_hash, s.key_check, s.pk, s.sk, s.version, s.changed_at, s.change_us, s.sequence_number, s.event_id,
         s.claim_id, CASE WHEN s.claim_id IS NOT NULL THEN s.version END AS claim_id_version,
         s.status, CASE WHEN s.status IS NOT NULL THEN s.version END AS status_version,
         s.amount, CASE WHEN s.amount IS NOT NULL THEN s.version END AS amount_version,
         s.provider, CASE WHEN s.provider IS NOT NULL THEN s.version END AS provider_version
  FROM stage_claim_fact s
  UNION ALL
  SELECT f.key_hash, f.key_check, f.pk, f.sk, lpad(f.change_us::varchar(20), 20, '0') || lpad(f.sequence_number, 128, '0'),
         f.changed_at, f.change_us, f.sequence_number, f.event_id,
         CASE WHEN v.claim_id_version > i.cut_version THEN f.claim_id END,
         CASE WHEN v.claim_id_version > i.cut_version THEN v.claim_id_version END,
         CASE WHEN v.status_version > i.cut_version THEN f.status END,
         CASE WHEN v.status_version > i.cut_version THEN v.status_version END,
         CASE WHEN v.amount_version > i.cut_version THEN f.amount END,
         CASE WHEN v.amount_version > i.cut_version THEN v.amount_version END,
         CASE WHEN v.provider_version > i.cut_version THEN f.provider END,
         CASE WHEN v.provider_version > i.cut_version THEN v.provider_version END
  FROM claim_fact f
  JOIN claim_fact_version v ON v.key_hash = f.key_hash AND v.key_check = f.key_check
  JOIN stage_claim_fact_item i ON i.key_hash = f.key_hash AND i.key_check = f.key_check
  WHERE lpad(f.change_us::varchar(20), 20, '0') || lpad(f.sequence_number, 128, '0') > i.cut_version;
  DROP TABLE IF EXISTS stage_claim_fact_merged;
  CREATE TEMP TABLE stage_claim_fact_merged AS
  SELECT *
  FROM (SELECT e.key_hash, e.key_check, e.pk, e.sk, e.changed_at, e.change_us, e.sequence_number, e.event_id,
               first_value(e.claim_id IGNORE NULLS) OVER (PARTITION BY e.key_hash, e.key_check ORDER BY e.claim_id_version DESC NULLS LAST
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS claim_id,
               max(e.claim_id_version) OVER (PARTITION BY e.key_hash, e.key_check) AS claim_id_version,
               first_value(e.status IGNORE NULLS) OVER (PARTITION BY e.key_hash, e.key_check ORDER BY e.status_version DESC NULLS LAST
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS status,
               max(e.status_version) OVER (PARTITION BY e.key_hash, e.key_check) AS status_version,
               first_value(e.amount IGNORE NULLS) OVER (PARTITION BY e.key_hash, e.key_check ORDER BY e.amount_version DESC NULLS LAST
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS amount,
               max(e.amount_version) OVER (PARTITION BY e.key_hash, e.key_check) AS amount_version,
               first_value(e.provider IGNORE NULLS) OVER (PARTITION BY e.key_hash, e.key_check ORDER BY e.provider_version DESC NULLS LAST
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS provider,
               max(e.provider_version) OVER (PARTITION BY e.key_hash, e.key_check) AS provider_version,
               row_number() OVER (PARTITION BY e.key_hash, e.key_check ORDER BY e.version DESC) AS place
        FROM stage_claim_fact_value e) ranked
  WHERE place = 1;

  DELETE FROM claim_fact USING stage_claim_fact_item i
  WHERE claim_fact.key_hash = i.key_hash AND claim_fact.key_check = i.key_check;
  DELETE FROM claim_fact_version USING stage_claim_fact_item i
  WHERE claim_fact_version.key_hash = i.key_hash AND claim_fact_version.key_check = i.key_check;
  INSERT INTO claim_fact (
    key_hash, key_check, pk, sk, claim_id, status, amount, provider, changed_at, change_us, sequence_number, event_id, loaded_at)
  SELECT
    key_hash, key_check, pk, sk, claim_id, status, amount, provider, changed_at, change_us, sequence_number, event_id, getdate()
  FROM stage_claim_fact_merged;
  GET DIAGNOSTICS v_written := ROW_COUNT;
  INSERT INTO claim_fact_version (
    key_hash, key_check, pk, sk, claim_id_version, status_version, amount_version, provider_version)
  SELECT
    key_hash, key_check, pk, sk, claim_id_version, status_version, amount_version, provider_version
  FROM stage_claim_fact_merged;

  UPDATE load_audit
  SET status = 'Complete', finished_at = getdate(), watermark = greatest(watermark, v_to), run_count = run_count + 1,
      change_count = change_count + v_changes, stale_count = stale_count + v_stale,
      written_count = written_count + v_written, removed_count = removed_count + v_removed
  WHERE load_name = 'claim_fact';
  COMMIT;
EXCEPTION WHEN OTHERS THEN
  UPDATE load_audit SET status = 'Failed', finished_at = getdate(), error = left(SQLERRM, 500) WHERE load_name = 'claim_fact';
  RAISE;
END;
$$ LANGUAGE plpgsql;
