-- Written by nearshift generate (text ba2daa1577d5db36). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- The changes of customer_transaction_fact's items, typed. An attribute that is missing, or of another DynamoDB type than its path names, is NULL;
-- customer_transaction_fact_misfit shows the values that were there and did not fit.
CREATE MATERIALIZED VIEW mv_customer_transaction_event AS
SELECT c.refresh_time, c.shard_id, c.sequence_number, c.event_id, c.change_us, c.key_hash, c.key_check, c.pk, c.sk, c.is_removed,
       dateadd(us, (c.change_us % 1000000)::integer, timestamp 'epoch' + (c.change_us / 1000000) * interval '1 second') AS changed_at,
       nullif(split_part(c.pk, '#', 2), '')::varchar(2048) AS customer_id,
       nullif(split_part(c.sk, '#', 3), '')::varchar(1024) AS transaction_id,
       c.new_image."Event"."S"::varchar(64) AS event_type,
       c.new_image."status"."S"::varchar(64) AS status,
       c.new_image."Provider"."S"::varchar(500) AS provider,
       c.new_image."billedAmount"."N"::decimal(18,2) AS billed_amount,
       c.new_image."OutofPockAmount"."N"::decimal(18,2) AS outofpock_amount,
       c.new_image."OutofPockMax"."N"::decimal(18,2) AS outofpock_max,
       c.new_image."OutofPockPercent"."N"::decimal(5,2) AS outofpock_percent,
       c.new_image."ledgerNumber"."N"::decimal(38,0) AS ledger_number,
       c.new_image."note"."S"::varchar(4096) AS note,
       c.new_image."completionDateTime"."S"::timestamptz AS completion_datetime,
       c.new_image."lastCalculationDateTime"."S"::timestamptz AS last_calculation_datetime,
       c.new_image."calculationRequirements"."M"."dependentIds"."L" AS dependents,
       NULL::varchar(140) AS reject_reason
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#';

-- Values that an item had and customer_transaction_fact's column could not take as they are: of another kind, out of range, or too long and cut.
CREATE VIEW customer_transaction_fact_misfit AS
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'event_type' AS column_name, json_serialize(c.new_image."Event") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."Event" IS NOT NULL AND c.new_image."Event"."NULL" IS NULL
  AND (c.new_image."Event"."S"::varchar(64) IS NULL OR octet_length(c.new_image."Event"."S"::varchar(65535)) > 64)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'status' AS column_name, json_serialize(c.new_image."status") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."status" IS NOT NULL AND c.new_image."status"."NULL" IS NULL
  AND (c.new_image."status"."S"::varchar(64) IS NULL OR octet_length(c.new_image."status"."S"::varchar(65535)) > 64)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'provider' AS column_name, json_serialize(c.new_image."Provider") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."Provider" IS NOT NULL AND c.new_image."Provider"."NULL" IS NULL
  AND (c.new_image."Provider"."S"::varchar(500) IS NULL OR octet_length(c.new_image."Provider"."S"::varchar(65535)) > 500)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'billed_amount' AS column_name, json_serialize(c.new_image."billedAmount") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."billedAmount" IS NOT NULL AND c.new_image."billedAmount"."NULL" IS NULL
  AND c.new_image."billedAmount"."N"::decimal(18,2) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'outofpock_amount' AS column_name, json_serialize(c.new_image."OutofPockAmount") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."OutofPockAmount" IS NOT NULL AND c.new_image."OutofPockAmount"."NULL" IS NULL
  AND c.new_image."OutofPockAmount"."N"::decimal(18,2) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'outofpock_max' AS column_name, json_serialize(c.new_image."OutofPockMax") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."OutofPockMax" IS NOT NULL AND c.new_image."OutofPockMax"."NULL" IS NULL
  AND c.new_image."OutofPockMax"."N"::decimal(18,2) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'outofpock_percent' AS column_name, json_serialize(c.new_image."OutofPockPercent") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."OutofPockPercent" IS NOT NULL AND c.new_image."OutofPockPercent"."NULL" IS NULL
  AND c.new_image."OutofPockPercent"."N"::decimal(5,2) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'ledger_number' AS column_name, json_serialize(c.new_image."ledgerNumber") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."ledgerNumber" IS NOT NULL AND c.new_image."ledgerNumber"."NULL" IS NULL
  AND c.new_image."ledgerNumber"."N"::decimal(38,0) IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'note' AS column_name, json_serialize(c.new_image."note") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."note" IS NOT NULL AND c.new_image."note"."NULL" IS NULL
  AND (c.new_image."note"."S"::varchar(4096) IS NULL OR octet_length(c.new_image."note"."S"::varchar(65535)) > 4096)
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'completion_datetime' AS column_name, json_serialize(c.new_image."completionDateTime") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."completionDateTime" IS NOT NULL AND c.new_image."completionDateTime"."NULL" IS NULL
  AND c.new_image."completionDateTime"."S"::timestamptz IS NULL
UNION ALL
SELECT c.refresh_time, c.sequence_number, c.pk, c.sk, 'last_calculation_datetime' AS column_name, json_serialize(c.new_image."lastCalculationDateTime") AS value
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND left(c.sk, 12) = 'TRANSACTION#' AND c.new_image."lastCalculationDateTime" IS NOT NULL AND c.new_image."lastCalculationDateTime"."NULL" IS NULL
  AND c.new_image."lastCalculationDateTime"."S"::timestamptz IS NULL;

-- Each item as it is now.
CREATE TABLE customer_transaction_fact (
  key_hash                  bigint NOT NULL,
  key_check                 bigint NOT NULL,
  pk                        varchar(2048) NOT NULL,
  sk                        varchar(1024) NOT NULL,
  customer_id               varchar(2048),
  transaction_id            varchar(1024),
  event_type                varchar(64),
  status                    varchar(64),
  provider                  varchar(500),
  billed_amount             decimal(18,2),
  outofpock_amount          decimal(18,2),
  outofpock_max             decimal(18,2),
  outofpock_percent         decimal(5,2),
  ledger_number             decimal(38,0),
  note                      varchar(4096),
  completion_datetime       timestamptz,
  last_calculation_datetime timestamptz,
  dependents                super,
  changed_at                timestamp NOT NULL,
  change_us                 bigint NOT NULL,
  sequence_number           varchar(128) NOT NULL,
  event_id                  varchar(64),
  loaded_at                 timestamp NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- The version at which an item was removed, so that an older change that arrives late does not bring it back.
CREATE TABLE customer_transaction_fact_tombstone (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- A new table begins at the first change.
DELETE FROM etl_audit WHERE load_name = 'customer_transaction_fact' AND (SELECT count(*) FROM customer_transaction_fact) = 0;
INSERT INTO etl_audit (load_name, status, watermark, run_count, change_count, stale_count, written_count, removed_count)
SELECT 'customer_transaction_fact', 'Ready', '1970-01-01 00:00:00', 0, 0, 0, count(*), 0
FROM customer_transaction_fact
HAVING (SELECT count(*) FROM etl_audit WHERE load_name = 'customer_transaction_fact') = 0;

-- Loads customer_transaction_fact (the latest image of each item) and its tombstones.
--
-- What it costs follows the changes not yet read, not the history. Reading on from the watermark, it keeps the newest change per item,
-- drops the ones that are not newer than what the tables know, and replaces the rows of the rest: all in one transaction together with
-- the watermark, so a run that fails or is repeated does no harm. NONATOMIC lets others see 'Running', and 'Failed' with its reason.
-- REFRESH does not cascade, so the views on the way are refreshed here, lowest first; demo_stream_vw refreshes itself.
CREATE OR REPLACE PROCEDURE sp_load_customer_transaction_fact() NONATOMIC
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
  REFRESH MATERIALIZED VIEW mv_customer_transaction_event;
  SELECT watermark INTO v_from FROM etl_audit WHERE load_name = 'customer_transaction_fact';
  SELECT max(refresh_time) INTO v_to FROM mv_customer_transaction_event WHERE refresh_time > v_from;
  IF v_to IS NULL THEN
    RETURN;
  END IF;
  UPDATE etl_audit SET status = 'Running', started_at = getdate(), error = NULL WHERE load_name = 'customer_transaction_fact';
  START TRANSACTION;

  -- the newest change of each item among those not yet read
  SELECT count(*) INTO v_changes FROM mv_customer_transaction_event WHERE refresh_time > v_from AND refresh_time <= v_to AND reject_reason IS NULL;
  DROP TABLE IF EXISTS stage_customer_transaction_fact;
  CREATE TEMP TABLE stage_customer_transaction_fact AS
  SELECT *
  FROM (SELECT e.*,
               row_number() OVER (PARTITION BY e.key_hash, e.key_check
                                  ORDER BY e.change_us DESC, lpad(e.sequence_number, 128, '0') DESC) AS place
        FROM mv_customer_transaction_event e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to AND e.reject_reason IS NULL) ranked
  WHERE place = 1;

  -- a change that is not newer than what is known of its item came late or twice
  DELETE FROM stage_customer_transaction_fact USING customer_transaction_fact f
  WHERE f.key_hash = stage_customer_transaction_fact.key_hash AND f.key_check = stage_customer_transaction_fact.key_check
    AND (f.change_us > stage_customer_transaction_fact.change_us
         OR (f.change_us = stage_customer_transaction_fact.change_us AND lpad(f.sequence_number, 128, '0') >= lpad(stage_customer_transaction_fact.sequence_number, 128, '0')));
  DELETE FROM stage_customer_transaction_fact USING customer_transaction_fact_tombstone t
  WHERE t.key_hash = stage_customer_transaction_fact.key_hash AND t.key_check = stage_customer_transaction_fact.key_check
    AND (t.change_us > stage_customer_transaction_fact.change_us
         OR (t.change_us = stage_customer_transaction_fact.change_us AND lpad(t.sequence_number, 128, '0') >= lpad(stage_customer_transaction_fact.sequence_number, 128, '0')));
  SELECT count(*) INTO v_staged FROM stage_customer_transaction_fact;
  v_stale := v_changes - v_staged;

  DELETE FROM customer_transaction_fact USING stage_customer_transaction_fact s
  WHERE customer_transaction_fact.key_hash = s.key_hash AND customer_transaction_fact.key_check = s.key_check;
  DELETE FROM customer_transaction_fact_tombstone USING stage_customer_transaction_fact s
  WHERE customer_transaction_fact_tombstone.key_hash = s.key_hash AND customer_transaction_fact_tombstone.key_check = s.key_check;
  INSERT INTO customer_transaction_fact (
    key_hash, key_check, pk, sk, customer_id, transaction_id, event_type, status, provider, billed_amount, outofpock_amount,
    outofpock_max, outofpock_percent, ledger_number, note, completion_datetime, last_calculation_datetime, dependents,
    changed_at, change_us, sequence_number, event_id, loaded_at)
  SELECT
    key_hash, key_check, pk, sk, customer_id, transaction_id, event_type, status, provider, billed_amount, outofpock_amount,
    outofpock_max, outofpock_percent, ledger_number, note, completion_datetime, last_calculation_datetime, dependents,
    changed_at, change_us, sequence_number, event_id, getdate()
  FROM stage_customer_transaction_fact
  WHERE NOT is_removed;
  GET DIAGNOSTICS v_written := ROW_COUNT;
  INSERT INTO customer_transaction_fact_tombstone (key_hash, key_check, pk, sk, change_us, sequence_number)
  SELECT key_hash, key_check, pk, sk, change_us, sequence_number
  FROM stage_customer_transaction_fact
  WHERE is_removed;
  GET DIAGNOSTICS v_removed := ROW_COUNT;

  UPDATE etl_audit
  SET status = 'Complete', finished_at = getdate(), watermark = greatest(watermark, v_to), run_count = run_count + 1,
      change_count = change_count + v_changes, stale_count = stale_count + v_stale,
      written_count = written_count + v_written, removed_count = removed_count + v_removed
  WHERE load_name = 'customer_transaction_fact';
  COMMIT;
EXCEPTION WHEN OTHERS THEN
  UPDATE etl_audit SET status = 'Failed', finished_at = getdate(), error = left(SQLERRM, 500) WHERE load_name = 'customer_transaction_fact';
  RAISE;
END;
$$ LANGUAGE plpgsql;

-- One row per element of the list dependents in customer_transaction_fact, unnested when it is read; place counts from 0.
-- A table of its own would have to be searched and rewritten at each load.
CREATE VIEW customer_transaction_dependent AS
SELECT t.key_hash, t.key_check, t.pk, t.sk, place,
       e."M"."pk"."S"::varchar(2048) AS dependent_pk,
       e."M"."sk"."S"::varchar(1024) AS dependent_sk
FROM customer_transaction_fact t, t.dependents AS e AT place;
