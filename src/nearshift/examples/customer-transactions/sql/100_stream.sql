-- Written by nearshift generate (text f29342d598cd7c64). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- The stream that DynamoDB writes the changes of its table to.
CREATE EXTERNAL SCHEMA demo_schema FROM KINESIS IAM_ROLE default;

-- Every record of the stream. One that is not JSON is kept beside the others in failed_payload: it neither blocks the view nor disappears.
CREATE MATERIALIZED VIEW demo_stream_vw AUTO REFRESH YES AS
SELECT approximate_arrival_timestamp,
       partition_key,
       shard_id,
       sequence_number,
       refresh_time,
       CASE WHEN can_json_parse(kinesis_data) THEN json_parse(kinesis_data) END AS payload,
       CASE WHEN NOT can_json_parse(kinesis_data) THEN kinesis_data END AS failed_payload
FROM demo_schema."demo-data-stream";
