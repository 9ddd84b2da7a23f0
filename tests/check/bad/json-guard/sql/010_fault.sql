SET enable_case_sensitive_identifier TO true;
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW v AS SELECT json_parse(kinesis_data) AS p FROM kds."s"; -- fault: json-guard
