CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW v AUTO REFRESH YES AS
SELECT refresh_time, sequence_number, approximate_arrival_timestamp,
       CASE WHEN can_json_parse(kinesis_data) THEN json_parse(kinesis_data) END AS payload
FROM kds."orders";
CREATE TABLE audit (name varchar(9), status varchar(9), enddate timestamp, watermark timestamp);
CREATE TABLE fact (a int);
CREATE MATERIALIZED VIEW w AS SELECT s.payload."eventName"::varchar(9) AS e FROM v s; -- fault: null-by-case
