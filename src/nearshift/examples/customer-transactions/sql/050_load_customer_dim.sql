-- Loads customer_dim (type 1: the latest state of each profile). See 040_load_customer_transaction_fact.sql for how.
CREATE OR REPLACE PROCEDURE sp_load_customer_dim() NONATOMIC
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
  REFRESH MATERIALIZED VIEW mv_customer_profile_event;
  SELECT watermark INTO v_from FROM etl_audit WHERE load_name = 'customer_dim';
  SELECT max(refresh_time) INTO v_to FROM mv_customer_profile_event WHERE refresh_time > v_from;
  IF v_to IS NULL THEN
    RETURN;
  END IF;
  UPDATE etl_audit SET status = 'Running', started_at = getdate(), error = NULL WHERE load_name = 'customer_dim';
  START TRANSACTION;

  -- the newest change of each item among those not yet read
  SELECT count(*) INTO v_changes FROM mv_customer_profile_event WHERE refresh_time > v_from AND refresh_time <= v_to;
  DROP TABLE IF EXISTS stage_customer;
  CREATE TEMP TABLE stage_customer AS
  SELECT *
  FROM (SELECT e.*,
               row_number() OVER (PARTITION BY e.key_hash, e.key_check
                                  ORDER BY e.change_us DESC, lpad(e.sequence_number, 128, '0') DESC) AS place
        FROM mv_customer_profile_event e
        WHERE e.refresh_time > v_from AND e.refresh_time <= v_to) ranked
  WHERE place = 1;
  SELECT count(*) INTO v_staged FROM stage_customer;

  -- a change that is not newer than what is known of its item came late or twice
  DELETE FROM stage_customer USING customer_dim f
  WHERE f.key_hash = stage_customer.key_hash AND f.key_check = stage_customer.key_check
    AND (f.change_us > stage_customer.change_us
         OR (f.change_us = stage_customer.change_us
             AND lpad(f.sequence_number, 128, '0') >= lpad(stage_customer.sequence_number, 128, '0')));
  GET DIAGNOSTICS v_stale := ROW_COUNT;
  DELETE FROM stage_customer USING customer_tombstone t
  WHERE t.key_hash = stage_customer.key_hash AND t.key_check = stage_customer.key_check
    AND (t.change_us > stage_customer.change_us
         OR (t.change_us = stage_customer.change_us
             AND lpad(t.sequence_number, 128, '0') >= lpad(stage_customer.sequence_number, 128, '0')));
  GET DIAGNOSTICS v_rows := ROW_COUNT;
  v_stale := v_stale + v_rows;

  DELETE FROM customer_dim USING stage_customer s
  WHERE customer_dim.key_hash = s.key_hash AND customer_dim.key_check = s.key_check;
  DELETE FROM customer_tombstone USING stage_customer s
  WHERE customer_tombstone.key_hash = s.key_hash AND customer_tombstone.key_check = s.key_check;
  INSERT INTO customer_dim (
    key_hash, key_check, pk, sk, customer_id, email, plan_year, outofpock_max, zip, state, is_active, change_us, sequence_number, loaded_at)
  SELECT
    key_hash, key_check, pk, sk, customer_id, email, plan_year, outofpock_max, zip, state, is_active, change_us, sequence_number, getdate()
  FROM stage_customer
  WHERE nvl(event_name, '') <> 'REMOVE';
  GET DIAGNOSTICS v_written := ROW_COUNT;
  INSERT INTO customer_tombstone (key_hash, key_check, pk, sk, change_us, sequence_number)
  SELECT key_hash, key_check, pk, sk, change_us, sequence_number
  FROM stage_customer
  WHERE event_name = 'REMOVE';
  GET DIAGNOSTICS v_removed := ROW_COUNT;

  UPDATE etl_audit
  SET status = 'Complete', finished_at = getdate(), watermark = greatest(watermark, v_to), run_count = run_count + 1,
      change_count = change_count + v_changes, stale_count = stale_count + v_changes - v_staged + v_stale,
      written_count = written_count + v_written, removed_count = removed_count + v_removed
  WHERE load_name = 'customer_dim';
  COMMIT;
EXCEPTION WHEN OTHERS THEN
  UPDATE etl_audit SET status = 'Failed', finished_at = getdate(), error = left(SQLERRM, 500) WHERE load_name = 'customer_dim';
  RAISE;
END;
$$ LANGUAGE plpgsql;
