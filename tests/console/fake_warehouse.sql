CREATE SCHEMA IF NOT EXISTS public;
CREATE MACRO now_utc() AS (now() AT TIME ZONE 'UTC')::TIMESTAMP;
CREATE MACRO make_transactions(how_many, seed, seconds) AS TABLE
SELECT 'TRANSACTION#' || (seed::bigint * 100000 + i) AS transaction_id,
       'CUST_' || lpad((hash(i * 31 + seed) % 900)::varchar, 3, '0') AS customer_id,
       CASE WHEN i % 97 = 0 THEN NULL ELSE 'PV-' || lpad((1 + floor(12 * pow((hash(i * 7 + seed) % 1000) / 1000.0, 2.2)))::int::varchar, 3, '0') END AS provider,
       CASE WHEN hash(i * 13 + seed) % 100 < 78 THEN 'INSERT' WHEN hash(i * 13 + seed) % 100 < 96 THEN 'MODIFY' ELSE 'REMOVE' END AS event_name,
       (20 + (hash(i * 17 + seed) % 48000) / 100)::numeric(18,2) AS outofpock_amount,
       ((hash(i * 19 + seed) % 10000) / 100)::numeric(5,2) AS outofpocket_percent,
       now_utc() - to_microseconds((seconds * 1000000.0 * i / how_many)::bigint) AS completion_datetime
FROM range(how_many) r(i);
CREATE TABLE public.customer_transaction_fact AS SELECT * FROM make_transactions(:transactions, 1, 5400);
CREATE TABLE public.metadata_etl (jobname varchar, startdate timestamp, enddate timestamp, status varchar, errmsg varchar);
INSERT INTO public.metadata_etl VALUES
    ('Customer_Transaction_Fact_Load', now_utc() - INTERVAL 4 SECOND, now_utc() - INTERVAL 3 SECOND, 'Complete', NULL),
    ('Customer_Dim_Load', now_utc() - INTERVAL 44 SECOND, now_utc() - INTERVAL 43 SECOND, 'Complete', NULL),
    ('Provider_Dim_Load', now_utc() - INTERVAL 5 MINUTE, now_utc() - INTERVAL 299 SECOND, 'Failed', 'value too long for type character varying(8)');
CREATE TABLE node (node_id varchar, kind varchar, schema_name varchar, name varchar, row_count bigint, lag_ms double, last_refresh timestamp,
    last_status varchar, last_error varchar, refresh_kind varchar, reason varchar);
INSERT INTO node VALUES
    ('source:customer-transactions', 'source', NULL, 'customer-transactions', :transactions, NULL, NULL, NULL, NULL, NULL, NULL),
    ('stream:demo-data-stream', 'stream', 'demo_schema', 'demo-data-stream', :transactions * 2, 190, now_utc(), NULL, NULL, NULL, NULL),
    ('view:demo_stream_vw', 'streaming_view', 'public', 'demo_stream_vw', :transactions * 2, 310, now_utc(), 'Refresh successfully updated MV incrementally', NULL, 'incremental', NULL),
    ('view:mv_customer_transaction_event', 'derived_view', 'public', 'mv_customer_transaction_event', :transactions * 2, 420, now_utc(), 'Refresh successfully updated MV incrementally', NULL, 'incremental', NULL),
    ('view:mv_provider_daily', 'derived_view', 'public', 'mv_provider_daily', 348, 9400, now_utc() - INTERVAL 9 SECOND, 'Refresh successfully updated MV incrementally', NULL, 'full', 'count(DISTINCT) cannot be maintained from a delta'),
    ('procedure:sp_customer_transaction_fact', 'procedure', 'public', 'sp_customer_transaction_fact', NULL, NULL, now_utc(), 'Complete', NULL, NULL, NULL),
    ('procedure:sp_provider_dim', 'procedure', 'public', 'sp_provider_dim', NULL, NULL, now_utc() - INTERVAL 5 MINUTE, 'Failed', 'value too long for type character varying(8)', NULL, NULL),
    ('table:customer_transaction_fact', 'table', 'public', 'customer_transaction_fact', :transactions, 640, now_utc(), NULL, NULL, NULL, NULL),
    ('table:provider_dim', 'table', 'public', 'provider_dim', 12, NULL, now_utc() - INTERVAL 5 MINUTE, NULL, NULL, NULL, NULL);
CREATE VIEW svv_nearshift_node AS SELECT * FROM node;
CREATE TABLE svv_nearshift_edge (from_id varchar, to_id varchar);
INSERT INTO svv_nearshift_edge VALUES
    ('source:customer-transactions', 'stream:demo-data-stream'), ('stream:demo-data-stream', 'view:demo_stream_vw'),
    ('view:demo_stream_vw', 'view:mv_customer_transaction_event'), ('view:mv_customer_transaction_event', 'view:mv_provider_daily'),
    ('view:mv_customer_transaction_event', 'procedure:sp_customer_transaction_fact'), ('procedure:sp_customer_transaction_fact', 'table:customer_transaction_fact'),
    ('view:mv_customer_transaction_event', 'procedure:sp_provider_dim'), ('procedure:sp_provider_dim', 'table:provider_dim');
CREATE TABLE sys_nearshift_ledger (view_name varchar, shard_id varchar, read_rows bigint, stored_rows bigint, filtered_rows bigint, quarantined_rows bigint, skipped_rows bigint);
INSERT INTO sys_nearshift_ledger VALUES ('demo_stream_vw', 'shardId-000000000000', 40212, 40190, 20, 2, 0), ('demo_stream_vw', 'shardId-000000000001', 39764, 39741, 22, 1, 0);
CREATE TABLE sys_nearshift_quarantine (quarantined_at timestamp, view_name varchar, shard_id varchar, sequence_number varchar, reason varchar, payload_text varchar);
INSERT INTO sys_nearshift_quarantine VALUES
    (now_utc() - INTERVAL 2 MINUTE, 'demo_stream_vw', 'shardId-000000000000', '49590338271490256608559692538361571095921575989136588898', 'the payload is not JSON', '{"awsRegion": "us-east-1", "eventID": <img src=x onerror=alert(1)>'),
    (now_utc() - INTERVAL 9 MINUTE, 'demo_stream_vw', 'shardId-000000000001', '49590338271490256608559692540925702759324208523137515618', 'the payload is longer than SUPER takes', 'A0 13 …');
CREATE TABLE sys_nearshift_schedule (name varchar, expression varchar, statement varchar, next_run timestamp, last_start timestamp, last_end timestamp, last_status varchar, last_error varchar);
INSERT INTO sys_nearshift_schedule VALUES
    ('load-facts', 'on refresh of mv_customer_transaction_event', 'CALL sp_customer_transaction_fact()', NULL, now_utc() - INTERVAL 4 SECOND, now_utc() - INTERVAL 3 SECOND, 'Complete', NULL),
    ('load-providers', 'rate(5 minutes)', 'CALL sp_provider_dim()', now_utc() + INTERVAL 40 SECOND, now_utc() - INTERVAL 5 MINUTE, now_utc() - INTERVAL 299 SECOND, 'Failed', 'value too long for type character varying(8)');
CREATE TABLE sys_nearshift_schedule_run (name varchar, start_time timestamp, end_time timestamp, status varchar, error_message varchar);
INSERT INTO sys_nearshift_schedule_run SELECT 'load-facts', now_utc() - to_seconds(i * 5), now_utc() - to_seconds(i * 5) + INTERVAL 120 MILLISECOND, 'Complete', NULL FROM range(1, 40) r(i);
CREATE TABLE sys_nearshift_metric (bucket timestamp, stream_name varchar, records bigint, bytes bigint);
INSERT INTO sys_nearshift_metric SELECT date_trunc('second', now_utc()) - to_seconds(i), 'demo-data-stream', 380 + (hash(i) % 90)::int, 270000 + (hash(i + 5) % 60000)::int FROM range(1, 880) r(i);
CREATE TABLE sys_nearshift_refresh (schema_name varchar, mv_name varchar, refresh_type varchar, status varchar, start_time timestamp, end_time timestamp, row_count bigint, is_full boolean, reason varchar);
INSERT INTO sys_nearshift_refresh
SELECT 'public', name, 'Auto',
       CASE WHEN hash(i) % 60 = 0 THEN 'Refresh failed. Serializable isolation violation' WHEN full_one THEN 'Refresh successfully recomputed MV from scratch' ELSE 'Refresh successfully updated MV incrementally' END,
       now_utc() - to_seconds(i * 4), now_utc() - to_seconds(i * 4) + to_milliseconds(ms), CASE WHEN full_one THEN 348 ELSE 1600 END, full_one,
       CASE WHEN full_one THEN 'count(DISTINCT) cannot be maintained from a delta' END
FROM (SELECT i, name, full_one, (base + hash(i * 3 + base) % spread)::bigint AS ms FROM range(1, 120) r(i)
      CROSS JOIN (VALUES ('demo_stream_vw', 28, 60, false), ('mv_customer_transaction_event', 45, 40, false), ('mv_provider_daily', 190, 160, true)) v(name, base, spread, full_one));
CREATE VIEW sys_mv_refresh_history AS SELECT mv_name, schema_name, refresh_type, status, start_time, end_time, date_diff('microsecond', start_time, end_time) AS duration FROM sys_nearshift_refresh;
CREATE TABLE sys_nearshift_gap (noticed_at timestamp, schema_name varchar, view_name varchar, stream_name varchar, shard_id varchar, after_position varchar, next_position varchar, reason varchar);
CREATE VIEW svv_tables AS SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_schema = 'public' OR table_name LIKE 'sys%';
CREATE VIEW svv_columns AS SELECT table_schema, table_name, column_name, lower(data_type) AS data_type, ordinal_position FROM information_schema.columns;
