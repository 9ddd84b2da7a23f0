-- Loads customer_transaction_fact, its tombstones and the dependents of the transactions.
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
  REFRESH MATERIALIZED VIEW mv_customer_dependent_event;
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
               row_number() OVER (PARTITION BY e.key_hash, e.pk, e.sk
                                  ORDER BY e.change_us DESC, lpad(e.sequence_number, 128, '0') DESC) AS place
        FROM mv_customer_transaction_event e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to) ranked
  WHERE place = 1;
  SELECT count(*) INTO v_staged FROM stage_customer_transaction;

  -- A change that is not newer than what is known of its item came late or twice. Rows are joined by key_hash alone, and the key is compared
  -- where the hashes meet: as join columns, the texts of every fact would be read and hashed at each load. CASE keeps them out of the join.
  DELETE FROM stage_customer_transaction USING customer_transaction_fact f
  WHERE f.key_hash = stage_customer_transaction.key_hash
    AND CASE WHEN f.pk = stage_customer_transaction.pk THEN f.sk = stage_customer_transaction.sk END
    AND (f.change_us > stage_customer_transaction.change_us
         OR (f.change_us = stage_customer_transaction.change_us
             AND lpad(f.sequence_number, 128, '0') >= lpad(stage_customer_transaction.sequence_number, 128, '0')));
  GET DIAGNOSTICS v_stale := ROW_COUNT;
  DELETE FROM stage_customer_transaction USING customer_transaction_tombstone t
  WHERE t.key_hash = stage_customer_transaction.key_hash
    AND CASE WHEN t.pk = stage_customer_transaction.pk THEN t.sk = stage_customer_transaction.sk END
    AND (t.change_us > stage_customer_transaction.change_us
         OR (t.change_us = stage_customer_transaction.change_us
             AND lpad(t.sequence_number, 128, '0') >= lpad(stage_customer_transaction.sequence_number, 128, '0')));
  GET DIAGNOSTICS v_rows := ROW_COUNT;
  v_stale := v_stale + v_rows;

  DELETE FROM customer_transaction_fact USING stage_customer_transaction s
  WHERE customer_transaction_fact.key_hash = s.key_hash
    AND CASE WHEN customer_transaction_fact.pk = s.pk THEN customer_transaction_fact.sk = s.sk END;
  DELETE FROM customer_transaction_tombstone USING stage_customer_transaction s
  WHERE customer_transaction_tombstone.key_hash = s.key_hash
    AND CASE WHEN customer_transaction_tombstone.pk = s.pk THEN customer_transaction_tombstone.sk = s.sk END;
  INSERT INTO customer_transaction_fact (
    key_hash, pk, sk, customer_id, transaction_id, event_type, status, provider, billed_amount, outofpock_amount, outofpock_max,
    outofpock_percent, ledger_number, note, completion_datetime, last_calculation_datetime,
    changed_at, change_us, sequence_number, event_id, loaded_at)
  SELECT
    key_hash, pk, sk, customer_id, transaction_id, event_type, status, provider, billed_amount, outofpock_amount, outofpock_max,
    outofpock_percent, ledger_number, note, completion_datetime, last_calculation_datetime,
    changed_at, change_us, sequence_number, event_id, getdate()
  FROM stage_customer_transaction
  WHERE nvl(event_name, '') <> 'REMOVE';
  GET DIAGNOSTICS v_written := ROW_COUNT;
  INSERT INTO customer_transaction_tombstone (key_hash, pk, sk, change_us, sequence_number)
  SELECT key_hash, pk, sk, change_us, sequence_number
  FROM stage_customer_transaction
  WHERE event_name = 'REMOVE';
  GET DIAGNOSTICS v_removed := ROW_COUNT;

  -- the dependents that the winning image names replace those known before
  DELETE FROM customer_transaction_dependent USING stage_customer_transaction s
  WHERE customer_transaction_dependent.key_hash = s.key_hash
    AND CASE WHEN customer_transaction_dependent.pk = s.pk THEN customer_transaction_dependent.sk = s.sk END;
  INSERT INTO customer_transaction_dependent (key_hash, pk, sk, dependent_pk, dependent_sk)
  SELECT d.key_hash, d.pk, d.sk, d.dependent_pk, d.dependent_sk
  FROM mv_customer_dependent_event d
  JOIN stage_customer_transaction s
    ON d.key_hash = s.key_hash AND d.pk = s.pk AND d.sk = s.sk AND d.change_us = s.change_us AND d.sequence_number = s.sequence_number
  WHERE d.refresh_time > v_from AND d.refresh_time <= v_to;

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
