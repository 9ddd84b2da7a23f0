-- Written by nearshift generate (text d25002300fc5f5b7). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- Forgets tombstones older than keep_days. A stream keeps records for 365 days at most: choose no fewer days than your stream's
-- retention, and no late change can come back to life.
CREATE OR REPLACE PROCEDURE sp_purge_tombstones(keep_days integer)
AS $$
DECLARE
  v_before bigint;
BEGIN
  v_before := date_part(epoch, dateadd(day, -keep_days, getdate()))::bigint * 1000000;
  DELETE FROM customer_transaction_fact_tombstone WHERE change_us < v_before;
  DELETE FROM customer_dim_tombstone WHERE change_us < v_before;
  DELETE FROM dependent_dim_tombstone WHERE change_us < v_before;
END;
$$ LANGUAGE plpgsql;
