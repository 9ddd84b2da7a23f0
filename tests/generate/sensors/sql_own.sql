SET enable_case_sensitive_identifier TO true;

CREATE EXTERNAL SCHEMA sensor_schema FROM KINESIS REGION 'eu-west-1' IAM_ROLE default;

CREATE MATERIALIZED VIEW sensor_stream AUTO REFRESH NO AS
SELECT refresh_time, shard_id, sequence_number, json_parse(kinesis_data) AS payload
FROM sensor_schema."Sensor-Stream"
WHERE can_json_parse(kinesis_data);
