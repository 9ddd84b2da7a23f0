-- Loads customer_transaction_fact and its tombstones.
--
-- What it costs follows the changes not yet read, not the history. Reading on from the watermark, it keeps the newest change per item, drops the
-- ones that are not newer than what the tables know, and replaces the rows of the rest: all in one transaction together with the watermark, so
-- a run that fails or is repeated does no harm. NONATOMIC lets others see 'Running', and 'Failed' with its reason.
-- demo_stream_vw refreshes itself (AUTO REFRESH YES); REFRESH does not cascade, so the views on the way are refreshed here, lowest first.
CREATE OR REPLACE PROCEDURE sp_load_customer_transaction_fact() NONATOMIC
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
  SELECT count(*) INTO v_changes FROM mv_customer_transaction_event WHERE refresh_time > v_from AND refresh_time <= v_to;
  DROP TABLE IF EXISTS stage_customer_transaction;
  CREATE TEMP TABLE stage_customer_transaction AS
  SELECT *
  FROM (SELECT e.*,
               row_number() OVER (PARTITION BY e.key_hash, e.key_check
                                  ORDER BY e.change_us DESC, lpad(e.sequence_number, 128, '0') DESC) AS place
        FROM mv_customer_transaction_event e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to) ranked
  WHERE place = 1;
  SELECT count(*) INTO v_staged FROM stage_customer_transaction;

  -- A change that is not newer than what is known of its item came late or twice. Rows are found by the two halves of
  -- their key's MD5: as join columns, the texts of every fact would be read and hashed at each load.
  DELETE FROM stage_customer_transaction USING customer_transaction_fact f
  WHERE f.key_hash = stage_customer_transaction.key_hash AND f.key_check = stage_customer_transaction.key_check
    AND (f.change_us > stage_customer_transaction.change_us
         OR (f.change_us = stage_customer_transaction.change_us
             AND lpad(f.sequence_number, 128, '0') >= lpad(stage_customer_transaction.sequence_number, 128, '0')));
  GET DIAGNOSTICS v_stale := ROW_COUNT;
  DELETE FROM stage_customer_transaction USING customer_transaction_tombstone t
  WHERE t.key_hash = stage_customer_transaction.key_hash AND t.key_check = stage_customer_transaction.key_check
    AND (t.change_us > stage_customer_transaction.change_us
         OR (t.change_us = stage_customer_transaction.change_us
             AND lpad(t.sequence_number, 128, '0') >= lpad(stage_customer_transaction.sequence_number, 128, '0')));
  GET DIAGNOSTICS v_rows := ROW_COUNT;
  v_stale := v_stale + v_rows;

  DELETE FROM customer_transaction_fact USING stage_customer_transaction s
  WHERE customer_transaction_fact.key_hash = s.key_hash AND customer_transaction_fact.key_check = s.key_check;
  DELETE FROM customer_transaction_tombstone USING stage_customer_transaction s
  WHERE customer_transaction_tombstone.key_hash = s.key_hash AND customer_transaction_tombstone.key_check = s.key_check;
  INSERT INTO customer_transaction_fact (
    key_hash, key_check, pk, sk, customer_id, transaction_id, event_type, status, provider, billed_amount, outofpock_amount, outofpock_max,
    outofpock_percent, ledger_number, note, completion_datetime, last_calculation_datetime,
    dependents, changed_at, change_us, sequence_number, event_id, loaded_at)
  SELECT
    key_hash, key_check, pk, sk, customer_id, transaction_id, event_type, status, provider, billed_amount, outofpock_amount, outofpock_max,
    outofpock_percent, ledger_number, note, completion_datetime, last_calculation_datetime,
    dependents, changed_at, change_us, sequence_number, event_id, getdate()
  FROM stage_customer_transaction
  WHERE nvl(event_name, '') <> 'REMOVE';
  GET DIAGNOSTICS v_written := ROW_COUNT;
  INSERT INTO customer_transaction_tombstone (key_hash, key_check, pk, sk, change_us, sequence_number)
  SELECT key_hash, key_check, pk, sk, change_us, sequence_number
  FROM stage_customer_transaction
  WHERE event_name = 'REMOVE';
  GET DIAGNOSTICS v_removed := ROW_COUNT;

  UPDATE etl_audit
  SET status = 'Complete', finished_at = getdate(), watermark = greatest(watermark, v_to), run_count = run_count + 1,
      change_count = change_count + v_changes, stale_count = stale_count + v_changes - v_staged + v_stale,
      written_count = written_count + v_written, removed_count = removed_count + v_removed
  WHERE load_name = 'customer_transaction_fact';
  COMMIT;
EXCEPTION WHEN OTHERS THEN
  UPDATE etl_audit SET status = 'Failed', finished_at = getdate(), error = left(SQLERRM, 500) WHERE load_name = 'customer_transaction_fact';
  RAISE;
END;
$$ LANGUAGE plpgsql;
