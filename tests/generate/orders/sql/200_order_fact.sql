-- Written by nearshift generate (text 58beaf7c77ee55f3). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- The changes of order_fact's items, typed. An attribute that is missing, or of another DynamoDB type than its path names, is NULL;
-- order_fact_misfit shows the values that were there and did not fit.
CREATE MATERIALIZED VIEW mv_order_fact_event AS
SELECT c.refresh_time, c.shard_id, c.sequence_number, c.event_id, c.change_us, c.key_hash, c.key_check, c.pk, c.sk, c.is_removed,
       dateadd(us, (c.change_us % 1000000)::integer, timestamp 'epoch' + (c.change_us / 1000000) * interval '1 second') AS changed_at,
       nullif(split_part(c.pk, '#', 2), '')::varchar(64) AS customer_id,
       nullif(split_part(c.sk, '#', 2), '')::varchar(64) AS order_id,
       c.new_image."status"."S"::varchar(16) AS status,
       c.new_image."amount"."N"::decimal(18,2) AS amount,
       c.new_image."ledger"."N"::decimal(38,0) AS ledger,
       c.new_image."paidAt"."S"::timestamptz AS paid_at,
       c.new_image."address"."M"."zip"."S"::varchar(16) AS zip,
       c.new_image."lines"."L" AS lines,
       CASE WHEN c.is_removed THEN NULL
            WHEN c.new_image."status"."S"::varchar(16) IS NULL THEN 'no status'
       END AS reject_reason
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'ORDER#';

-- Values that an item had and order_fact's column could not take as they are: of another kind, out of range, or too long and cut.
CREATE VIEW order_fact_misfit AS
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'status' AS column_name, json_serialize(c.new_image."status") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'ORDER#' AND c.new_image."status" IS NOT NULL AND c.new_image."status"."NULL" IS NULL
  AND (c.new_image."status"."S"::varchar(16) IS NULL OR octet_length(c.new_image."status"."S"::varchar(65535)) > 16)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'amount' AS column_name, json_serialize(c.new_image."amount") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'ORDER#' AND c.new_image."amount" IS NOT NULL AND c.new_image."amount"."NULL" IS NULL
  AND c.new_image."amount"."N"::decimal(18,2) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'ledger' AS column_name, json_serialize(c.new_image."ledger") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'ORDER#' AND c.new_image."ledger" IS NOT NULL AND c.new_image."ledger"."NULL" IS NULL
  AND c.new_image."ledger"."N"::decimal(38,0) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'paid_at' AS column_name, json_serialize(c.new_image."paidAt") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'ORDER#' AND c.new_image."paidAt" IS NOT NULL AND c.new_image."paidAt"."NULL" IS NULL
  AND c.new_image."paidAt"."S"::timestamptz IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'zip' AS column_name, json_serialize(c.new_image."address"."M"."zip") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 6) = 'ORDER#' AND c.new_image."address"."M"."zip" IS NOT NULL AND c.new_image."address"."M"."zip"."NULL" IS NULL
  AND (c.new_image."address"."M"."zip"."S"::varchar(16) IS NULL OR octet_length(c.new_image."address"."M"."zip"."S"::varchar(65535)) > 16);

-- Each item as it is now.
CREATE TABLE order_fact (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  customer_id     varchar(64),
  order_id        varchar(64),
  status          varchar(16) NOT NULL,
  amount          decimal(18,2),
  ledger          decimal(38,0),
  paid_at         timestamptz,
  zip             varchar(16),
  lines           super,
  changed_at      timestamp NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL,
  event_id        varchar(64),
  loaded_at       timestamp NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- The version at which an item was removed, so that an older change that arrives late does not bring it back.
CREATE TABLE order_fact_tombstone (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- A new table begins at the first change.
DELETE FROM load_audit WHERE load_name = 'order_fact' AND (SELECT count(*) FROM order_fact) = 0;
INSERT INTO load_audit (load_name, status, watermark, run_count, change_count, stale_count, written_count, removed_count)
SELECT 'order_fact', 'Ready', '1970-01-01 00:00:00', 0, 0, 0, count(*), 0
FROM order_fact
HAVING (SELECT count(*) FROM load_audit WHERE load_name = 'order_fact') = 0;

-- Loads order_fact (the latest image of each item) and its tombstones.
--
-- What it costs follows the changes not yet read, not the history. Reading on from the watermark, it keeps the newest change per item,
-- drops the ones that are not newer than what the tables know, and replaces the rows of the rest: all in one transaction together with
-- the watermark, so a run that fails or is repeated does no harm. NONATOMIC lets others see 'Running', and 'Failed' with its reason.
-- REFRESH does not cascade, so the views on the way are refreshed here, lowest first; stream_vw refreshes itself.
CREATE OR REPLACE PROCEDURE sp_load_order_fact() NONATOMIC
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
  REFRESH MATERIALIZED VIEW mv_order_fact_event;
  SELECT watermark INTO v_from FROM load_audit WHERE load_name = 'order_fact';
  SELECT max(refresh_time) INTO v_to FROM mv_order_fact_event WHERE refresh_time > v_from;
  IF v_to IS NULL THEN
    RETURN;
  END IF;
  UPDATE load_audit SET status = 'Running', started_at = getdate(), error = NULL WHERE load_name = 'order_fact';
  START TRANSACTION;

  -- the newest change of each item among those not yet read
  SELECT count(*) INTO v_changes FROM mv_order_fact_event WHERE refresh_time > v_from AND refresh_time <= v_to AND reject_reason IS NULL;
  DROP TABLE IF EXISTS stage_order_fact;
  CREATE TEMP TABLE stage_order_fact AS
  SELECT *
  FROM (SELECT e.*,
               row_number() OVER (PARTITION BY e.key_hash, e.key_check
                                  ORDER BY e.change_us DESC, lpad(e.sequence_number, 128, '0') DESC) AS place
        FROM mv_order_fact_event e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to AND e.reject_reason IS NULL) ranked
  WHERE place = 1;

  -- a change that is not newer than what is known of its item came late or twice
  DELETE FROM stage_order_fact USING order_fact f
  WHERE f.key_hash = stage_order_fact.key_hash AND f.key_check = stage_order_fact.key_check
    AND (f.change_us > stage_order_fact.change_us
         OR (f.change_us = stage_order_fact.change_us AND lpad(f.sequence_number, 128, '0') >= lpad(stage_order_fact.sequence_number, 128, '0')));
  DELETE FROM stage_order_fact USING order_fact_tombstone t
  WHERE t.key_hash = stage_order_fact.key_hash AND t.key_check = stage_order_fact.key_check
    AND (t.change_us > stage_order_fact.change_us
         OR (t.change_us = stage_order_fact.change_us AND lpad(t.sequence_number, 128, '0') >= lpad(stage_order_fact.sequence_number, 128, '0')));
  SELECT count(*) INTO v_staged FROM stage_order_fact;
  v_stale := v_changes - v_staged;

  DELETE FROM order_fact USING stage_order_fact s
  WHERE order_fact.key_hash = s.key_hash AND order_fact.key_check = s.key_check;
  DELETE FROM order_fact_tombstone USING stage_order_fact s
  WHERE order_fact_tombstone.key_hash = s.key_hash AND order_fact_tombstone.key_check = s.key_check;
  INSERT INTO order_fact (
    key_hash, key_check, pk, sk, customer_id, order_id, status, amount, ledger, paid_at, zip, lines, changed_at, change_us,
    sequence_number, event_id, loaded_at)
  SELECT
    key_hash, key_check, pk, sk, customer_id, order_id, status, amount, ledger, paid_at, zip, lines, changed_at, change_us,
    sequence_number, event_id, getdate()
  FROM stage_order_fact
  WHERE NOT is_removed;
  GET DIAGNOSTICS v_written := ROW_COUNT;
  INSERT INTO order_fact_tombstone (key_hash, key_check, pk, sk, change_us, sequence_number)
  SELECT key_hash, key_check, pk, sk, change_us, sequence_number
  FROM stage_order_fact
  WHERE is_removed;
  GET DIAGNOSTICS v_removed := ROW_COUNT;

  UPDATE load_audit
  SET status = 'Complete', finished_at = getdate(), watermark = greatest(watermark, v_to), run_count = run_count + 1,
      change_count = change_count + v_changes, stale_count = stale_count + v_stale,
      written_count = written_count + v_written, removed_count = removed_count + v_removed
  WHERE load_name = 'order_fact';
  COMMIT;
EXCEPTION WHEN OTHERS THEN
  UPDATE load_audit SET status = 'Failed', finished_at = getdate(), error = left(SQLERRM, 500) WHERE load_name = 'order_fact';
  RAISE;
END;
$$ LANGUAGE plpgsql;
