SET enable_case_sensitive_identifier TO true;
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW v AS SELECT a.kinesis_data FROM kds."s" a, kds."t" b; -- fault: streaming-join
