-- A load in the manner of the published pipeline, wrong on purpose: test material, never an example to follow.
SET enable_case_sensitive_identifier TO true;

CREATE MATERIALIZED VIEW published_stream_vw AS
SELECT approximate_arrival_timestamp, json_parse(kinesis_data) AS payload
FROM kds."exhibit-stream";

CREATE MATERIALIZED VIEW published_unnested AS
SELECT substring(s."payload"."dynamodb"."Keys"."pk"."S"::varchar, position('#' in s."payload"."dynamodb"."Keys"."pk"."S"::varchar) + 1)
         AS customer_id,
       substring(s."payload"."dynamodb"."Keys"."sk"."S"::varchar,
                 position('#TRANSACTION' in s."payload"."dynamodb"."Keys"."sk"."S"::varchar) + 1) AS transaction_id,
       s."payload"."dynamodb"."NewImage"."percent"."N"::decimal(5,2) AS percent_paid,
       s."payload"."dynamodb"."NewImage"."amount"."N"::int AS amount,
       s."payload"."dynamodb"."NewImage"."provider"."S"::varchar AS provider,
       s."payload"."dynamodb"."NewImage"."completed"."S"::timestamptz AS completed_at,
       d."M"."sk"."S"::varchar AS dependent_id,
       s."payload"."eventName"::varchar AS event_name,
       s.approximate_arrival_timestamp
FROM published_stream_vw s
LEFT OUTER JOIN s."payload"."dynamodb"."NewImage"."dependents"."L" d ON true;

CREATE TABLE published_audit (job_name varchar(100), start_date timestamp, end_date timestamp, status varchar(50));

INSERT INTO published_audit VALUES ('load', current_timestamp, current_timestamp, 'Ready');

CREATE TABLE published_fact (
  transaction_id varchar(500),
  customer_id    varchar(500),
  percent_paid   decimal(5,2),
  amount         integer,
  provider       varchar(500),
  completed_at   timestamp
);

CREATE OR REPLACE PROCEDURE sp_load_published()
AS $$
BEGIN
  SET enable_case_sensitive_identifier TO true;
  UPDATE published_audit SET status = 'Running', start_date = getdate() WHERE job_name = 'load';
  REFRESH MATERIALIZED VIEW published_unnested;
  DROP TABLE IF EXISTS published_stage;
  CREATE TABLE published_stage AS
  SELECT r.transaction_id,
         min(CASE WHEN r.customer_rank = 1 THEN r.customer_id END) AS customer_id,
         min(CASE WHEN r.percent_rank = 1 THEN r.percent_paid END) AS percent_paid,
         min(CASE WHEN r.amount_rank = 1 THEN r.amount END) AS amount,
         min(CASE WHEN r.provider_rank = 1 THEN r.provider END) AS provider,
         min(CASE WHEN r.completed_rank = 1 THEN r.completed_at END) AS completed_at
  FROM (SELECT u.*,
               rank() OVER (PARTITION BY transaction_id ORDER BY CASE WHEN customer_id IS NOT NULL THEN 1 END,
                            approximate_arrival_timestamp DESC) AS customer_rank,
               rank() OVER (PARTITION BY transaction_id ORDER BY CASE WHEN percent_paid IS NOT NULL THEN 1 END,
                            approximate_arrival_timestamp DESC) AS percent_rank,
               rank() OVER (PARTITION BY transaction_id ORDER BY CASE WHEN amount IS NOT NULL THEN 1 END,
                            approximate_arrival_timestamp DESC) AS amount_rank,
               rank() OVER (PARTITION BY transaction_id ORDER BY CASE WHEN provider IS NOT NULL THEN 1 END,
                            approximate_arrival_timestamp DESC) AS provider_rank,
               rank() OVER (PARTITION BY transaction_id ORDER BY CASE WHEN completed_at IS NOT NULL THEN 1 END,
                            approximate_arrival_timestamp DESC) AS completed_rank
        FROM published_unnested u
        WHERE upper(u.event_name) <> 'REMOVE'
          AND u.approximate_arrival_timestamp > (SELECT a.end_date FROM published_audit a WHERE a.job_name = 'load')) r
  GROUP BY r.transaction_id;
  DELETE FROM published_fact WHERE transaction_id IN (SELECT transaction_id FROM published_stage);
  INSERT INTO published_fact SELECT transaction_id, customer_id, percent_paid, amount, provider, completed_at FROM published_stage;
  UPDATE published_audit SET status = 'Complete', end_date = getdate() WHERE job_name = 'load';
END;
$$ LANGUAGE plpgsql;
