-- Written by nearshift generate (text c5c42c17f7257bdd). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- Changes that a load could not use, with the reason; load_name is NULL where none could. The payload is in demo_stream_vw.
CREATE VIEW rejected_record AS
SELECT NULL::varchar(127) AS load_name, refresh_time, shard_id, sequence_number, event_id, reject_reason
FROM mv_item_change
WHERE reject_reason IS NOT NULL;
