CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW v AS SELECT kinesis_data FROM kds."Orders"; -- fault: stream-case
