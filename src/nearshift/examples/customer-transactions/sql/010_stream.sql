-- The stream that DynamoDB writes the changes of its table to, and the view that keeps every record of it.
SET enable_case_sensitive_identifier TO true;

CREATE EXTERNAL SCHEMA demo_schema FROM KINESIS IAM_ROLE default;

-- A record that is not JSON is kept beside the others in failed_payload: it neither blocks the view nor disappears.
CREATE MATERIALIZED VIEW demo_stream_vw AUTO REFRESH YES AS
SELECT approximate_arrival_timestamp,
       partition_key,
       shard_id,
       sequence_number,
       refresh_time,
       CASE WHEN can_json_parse(kinesis_data) THEN json_parse(kinesis_data) END AS payload,
       CASE WHEN NOT can_json_parse(kinesis_data) THEN kinesis_data END AS failed_payload
FROM demo_schema."demo-data-stream";
