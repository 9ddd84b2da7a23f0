-- Every record of the stream; one that is not JSON is kept in failed_payload.
SET enable_case_sensitive_identifier TO true;

CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;

CREATE MATERIALIZED VIEW stream_vw AUTO REFRESH YES AS
SELECT approximate_arrival_timestamp, partition_key, shard_id, sequence_number, refresh_time,
       CASE WHEN can_json_parse(kinesis_data) THEN json_parse(kinesis_data) END AS payload,
       CASE WHEN NOT can_json_parse(kinesis_data) THEN kinesis_data END AS failed_payload
FROM kds."my-stream";
