-- System views. A block is: schema.name, its columns, its query (DuckDB's SQL over the catalog's tables). A comma inside a type is a semicolon.

-- pg_catalog.svv_nearshift_node
-- node_id varchar(400), kind varchar(32), schema_name varchar(128), name varchar(255), row_count bigint, lag_ms bigint, last_refresh timestamp, last_status varchar(256), last_error varchar(1024), refresh_kind varchar(32), reason varchar(1024)
WITH last AS (
  SELECT relation_oid, max(ended_at) AS at, arg_max(status, ended_at) AS status, arg_max(reason, ended_at) AS reason,
         arg_max(is_full, ended_at) AS is_full, max(ended_at) FILTER (WHERE status LIKE 'Refresh failed%') AS failed_at,
         arg_max(reason, ended_at) FILTER (WHERE status LIKE 'Refresh failed%') AS failure
  FROM nearshift.refreshes GROUP BY relation_oid),
behind AS (
  SELECT relation_oid, sum(read_rows) AS read_rows FROM nearshift.ledger GROUP BY relation_oid),
scan AS (
  SELECT schema_name, stream_name, max(record_time) AS at, sum(scanned_rows) AS row_count, arg_max(millis_behind, record_time) AS lag_ms
  FROM nearshift.scans GROUP BY ALL),
run AS (
  SELECT name, arg_max(status, ended_at) AS status, max(ended_at) AS at, arg_max(error_message, ended_at) AS error
  FROM nearshift.schedule_runs GROUP BY name)
SELECT 'source:' || o.table_name, 'source', 'dynamodb', o.table_name, NULL, NULL, NULL, 'captured', NULL, NULL, NULL FROM nearshift.sources o
UNION ALL
SELECT 'stream:' || s.stream_name, 'stream', s.schema_name, s.stream_name, s.row_count, s.lag_ms, s.at, 'read', NULL, NULL, NULL FROM scan s
UNION ALL
SELECT CASE r.kind WHEN 'table' THEN 'table:' ELSE 'view:' END || r.schema_name || '.' || r.name,
       CASE r.kind WHEN 'streaming materialized view' THEN 'streaming_view' WHEN 'materialized view' THEN 'derived_view' ELSE r.kind END,
       r.schema_name, r.name,
       CASE WHEN r.kind = 'view' THEN NULL ELSE (
         SELECT max(t.estimated_size) FROM duckdb_tables() t WHERE t.schema_name = r.schema_name
          AND t.table_name = CASE WHEN r.kind = 'table' THEN r.name ELSE 'mv_tbl__' || r.name || '__0' END) END,
       CASE r.kind WHEN 'streaming materialized view' THEN (SELECT max(x.lag_ms) FROM scan x WHERE x.stream_name = b.base_name)
            WHEN 'materialized view' THEN greatest(date_diff('millisecond', v.last_refresh_time, b.last_refresh_time), 0) END, l.at, l.status, CASE WHEN l.failed_at = l.at THEN l.failure END,
       CASE WHEN l.is_full THEN 'full' WHEN l.at IS NOT NULL THEN 'incremental' END, coalesce(l.reason, v.reason)
FROM nearshift.relations r LEFT JOIN last l ON l.relation_oid = r.oid LEFT JOIN nearshift.view_states v ON v.relation_oid = r.oid
LEFT JOIN (
  SELECT d.relation_oid, any_value(d.base_name) AS base_name, max(s.last_refresh_time) AS last_refresh_time
  FROM nearshift.dependencies d LEFT JOIN nearshift.relations br ON br.schema_name = d.base_schema AND br.name = d.base_name
  LEFT JOIN nearshift.view_states s ON s.relation_oid = br.oid GROUP BY d.relation_oid) b ON b.relation_oid = r.oid
UNION ALL
SELECT 'procedure:' || p.schema_name || '.' || p.name, 'procedure', p.schema_name, p.name, NULL, NULL, c.at, c.status, c.error, NULL, NULL
FROM nearshift.procedures p
LEFT JOIN (
  SELECT s.statement, r.at, r.status, r.error FROM nearshift.schedules s JOIN run r ON r.name = s.name
) c ON lower(c.statement) LIKE '%' || p.name || '(%'

-- pg_catalog.svv_nearshift_edge
-- from_id varchar(400), to_id varchar(400)
SELECT 'source:' || table_name, 'stream:' || stream_name FROM nearshift.sources
UNION ALL
SELECT DISTINCT
       CASE WHEN e.source IS NOT NULL THEN 'stream:' || d.base_name
            WHEN b.kind = 'table' THEN 'table:' || d.base_schema || '.' || d.base_name
            ELSE 'view:' || d.base_schema || '.' || d.base_name END,
       'view:' || r.schema_name || '.' || r.name
FROM nearshift.dependencies d JOIN nearshift.relations r ON r.oid = d.relation_oid
LEFT JOIN nearshift.schemas e ON e.name = d.base_schema
LEFT JOIN nearshift.relations b ON b.schema_name = d.base_schema AND b.name = d.base_name
UNION ALL
SELECT CASE u.is_written WHEN false THEN CASE WHEN b.kind = 'table' THEN 'table:' ELSE 'view:' END || u.schema_name || '.' || u.name
            ELSE 'procedure:' || p.schema_name || '.' || p.name END,
       CASE u.is_written WHEN false THEN 'procedure:' || p.schema_name || '.' || p.name
            ELSE 'table:' || u.schema_name || '.' || u.name END
FROM nearshift.procedure_uses u JOIN nearshift.procedures p ON p.oid = u.procedure_oid
JOIN nearshift.relations b ON b.schema_name = u.schema_name AND b.name = u.name

-- pg_catalog.sys_nearshift_ledger
-- schema_name varchar(128), view_name varchar(128), shard_id varchar(128), read_rows bigint, stored_rows bigint, filtered_rows bigint, quarantined_rows bigint, skipped_rows bigint, read_bytes bigint, aggregate_rows bigint, user_records bigint, is_balanced boolean
SELECT r.schema_name, r.name, l.shard_id, l.read_rows, l.stored_rows, l.filtered_rows, l.quarantined_rows, l.skipped_rows, l.read_bytes,
       l.aggregate_rows, l.user_records, l.read_rows = l.stored_rows + l.filtered_rows + l.quarantined_rows + l.skipped_rows
FROM nearshift.ledger l JOIN nearshift.relations r ON r.oid = l.relation_oid

-- pg_catalog.sys_nearshift_checkpoint
-- schema_name varchar(128), view_name varchar(128), shard_id varchar(128), position varchar(256), caught_up_at timestamp, record_time timestamp
SELECT r.schema_name, r.name, c.shard_id, c.position, c.caught_up_at, c.record_time
FROM nearshift.checkpoints c JOIN nearshift.relations r ON r.oid = c.relation_oid

-- pg_catalog.sys_nearshift_quarantine
-- quarantined_at timestamp, schema_name varchar(128), view_name varchar(128), stream_name varchar(255), shard_id varchar(128), sequence_number varchar(128), arrived_at timestamp, partition_key varchar(256), reason varchar(1024), payload_text varchar(65535), payload varbyte
SELECT q.quarantined_at, r.schema_name, r.name, q.stream_name, q.shard_id, q.sequence_number, q.arrived_at, q.partition_key, q.reason,
       coalesce(try(decode(q.payload)), q.payload::VARCHAR), q.payload
FROM nearshift.quarantine q JOIN nearshift.relations r ON r.oid = q.relation_oid
WHERE getvariable('nearshift_visible_user_id') IS NULL
   OR r.owner = (SELECT u.name FROM nearshift.users u WHERE u.oid = getvariable('nearshift_visible_user_id'))

-- pg_catalog.sys_nearshift_gap
-- noticed_at timestamp, schema_name varchar(128), view_name varchar(128), stream_name varchar(255), shard_id varchar(128), after_position varchar(256), next_position varchar(256), reason varchar(1024)
SELECT g.noticed_at, r.schema_name, r.name, g.stream_name, g.shard_id, g.after_position, g.next_position, g.reason
FROM nearshift.gaps g JOIN nearshift.relations r ON r.oid = g.relation_oid

-- pg_catalog.sys_nearshift_schedule
-- name varchar(128), expression varchar(256), statement varchar(65535), next_run timestamp, last_start timestamp, last_end timestamp, last_status varchar(32), last_error varchar(1024)
SELECT s.name, s.expression, s.statement, s.next_run, max(r.started_at), max(r.ended_at), arg_max(r.status, r.ended_at),
       arg_max(r.error_message, r.ended_at)
FROM nearshift.schedules s LEFT JOIN nearshift.schedule_runs r ON r.name = s.name GROUP BY s.name, s.expression, s.statement, s.next_run

-- pg_catalog.sys_nearshift_schedule_run
-- name varchar(128), start_time timestamp, end_time timestamp, status varchar(32), error_message varchar(1024)
SELECT name, started_at, ended_at, status, error_message FROM nearshift.schedule_runs

-- pg_catalog.sys_nearshift_metric
-- bucket timestamp, stream_name varchar(255), records bigint, bytes bigint
SELECT date_trunc('second', record_time), stream_name, sum(scanned_rows)::BIGINT, sum(scanned_bytes)::BIGINT FROM nearshift.scans GROUP BY ALL

-- pg_catalog.sys_stream_scan_states
-- external_schema_name char(128), stream_name char(255), mv_name char(128), transaction_id bigint, query_id bigint, record_time timestamp, partition_id char(128), latest_position char(128), scanned_rows bigint, skipped_rows bigint, scanned_bytes bigint, stream_record_time_min timestamp, stream_record_time_max timestamp
SELECT schema_name, stream_name, view_name, transaction_id, transaction_id, record_time, shard_id, latest_position, scanned_rows, skipped_rows,
       scanned_bytes, arrived_min, arrived_max
FROM nearshift.scans

-- pg_catalog.sys_stream_scan_errors
-- external_schema_name char(128), stream_name char(255), mv_name char(128), transaction_id bigint, query_id bigint, stream_timestamp_type char(1), stream_timestamp timestamp, record_time timestamp, partition_id char(128), position char(128), error_code integer, error_reason char(128)
SELECT d.base_schema, q.stream_name, r.name, 0, 0, 'A', q.arrived_at, q.quarantined_at, q.shard_id, q.sequence_number, q.error_code, left(q.reason, 128)
FROM nearshift.quarantine q JOIN nearshift.relations r ON r.oid = q.relation_oid JOIN nearshift.dependencies d ON d.relation_oid = r.oid

-- pg_catalog.sys_mv_refresh_history
-- user_id integer, session_id integer, transaction_id bigint, database_name char(128), schema_name char(128), mv_id bigint, mv_name char(128), refresh_type char(32), status varchar(512), start_time timestamp, end_time timestamp, duration bigint, consumer_account char(12), consumer_region char(32), consumer_namespace char(36)
SELECT 1, session_id, transaction_id, 'dev', schema_name, relation_oid, name, refresh_type, status, started_at, ended_at,
       date_diff('microsecond', started_at, ended_at), NULL, NULL, NULL
FROM nearshift.refreshes

-- pg_catalog.sys_nearshift_refresh
-- schema_name varchar(128), mv_name varchar(128), refresh_type varchar(32), status varchar(512), start_time timestamp, end_time timestamp, row_count bigint, is_full boolean, reason varchar(1024)
SELECT schema_name, name, refresh_type, status, started_at, ended_at, row_count, is_full, reason FROM nearshift.refreshes

-- pg_catalog.svl_mv_refresh_status
-- db_name char(128), userid bigint, schema_name char(128), mv_name char(128), xid bigint, starttime timestamp, endtime timestamp, status varchar(512), refresh_type char(32)
SELECT 'dev', 1, schema_name, name, transaction_id, started_at, ended_at, status, refresh_type FROM nearshift.refreshes

-- pg_catalog.svv_mv_info
-- database_name char(128), schema_name char(128), user_name char(128), name char(128), is_stale char(1), state integer, autorewrite char(1), autorefresh char(1)
SELECT 'dev', r.schema_name, r.owner, r.name, CASE WHEN s.is_stale OR (r.attributes::JSON -> 'mutable') IS NOT NULL THEN 't' ELSE 'f' END,
       CASE WHEN v.broken IS NOT NULL THEN 101 WHEN v.is_incremental THEN 1 ELSE 0 END, 'f', CASE WHEN r.is_auto_refresh THEN 't' ELSE 'f' END
FROM nearshift.relations r JOIN nearshift.view_states v ON v.relation_oid = r.oid
LEFT JOIN (
  SELECT d.relation_oid, bool_or(coalesce(b.generation, 0) <> coalesce((me.base_marks::JSON -> ('$."' || d.base_schema || '.' || d.base_name || '"') ->> 0)::BIGINT, 0)
         OR coalesce(b.last_batch, 0) <> coalesce((me.base_marks::JSON -> ('$."' || d.base_schema || '.' || d.base_name || '"') ->> 1)::BIGINT, 0)) AS is_stale
  FROM nearshift.dependencies d JOIN nearshift.view_states me ON me.relation_oid = d.relation_oid
  JOIN nearshift.relations br ON br.schema_name = d.base_schema AND br.name = d.base_name
  LEFT JOIN nearshift.view_states b ON b.relation_oid = br.oid GROUP BY d.relation_oid) s ON s.relation_oid = r.oid
WHERE r.kind IN ('streaming materialized view', 'materialized view')

-- pg_catalog.stv_mv_info
-- db_name char(128), schema char(128), name char(128), updated_upto_xid bigint, is_stale char(1), owner_user_name char(128), state integer, autorewrite char(1), autorefresh char(1)
SELECT 'dev', r.schema_name, r.name, v.last_batch, 'u', r.owner,
       CASE WHEN v.broken IS NOT NULL THEN 101 WHEN v.is_incremental THEN 1 ELSE 0 END, 'f', CASE WHEN r.is_auto_refresh THEN 't' ELSE 'f' END
FROM nearshift.relations r JOIN nearshift.view_states v ON v.relation_oid = r.oid WHERE r.kind IN ('streaming materialized view', 'materialized view')

-- pg_catalog.svv_mv_dependency
-- database_name char(128), schema_name char(128), name char(128), dependent_database_name char(128), dependent_schema_name char(128), dependent_name char(128)
SELECT 'dev', r.schema_name, r.name, 'dev', d.base_schema, d.base_name
FROM nearshift.dependencies d JOIN nearshift.relations r ON r.oid = d.relation_oid
JOIN nearshift.relations b ON b.schema_name = d.base_schema AND b.name = d.base_name AND b.kind LIKE '%materialized view'
WHERE r.kind LIKE '%materialized view'

-- pg_catalog.stv_mv_deps
-- db_name char(128), schema char(128), name char(128), ref_schema char(128), ref_name char(128)
SELECT 'dev', r.schema_name, r.name, d.base_schema, d.base_name
FROM nearshift.dependencies d JOIN nearshift.relations r ON r.oid = d.relation_oid
JOIN nearshift.relations b ON b.schema_name = d.base_schema AND b.name = d.base_name AND b.kind LIKE '%materialized view'

-- pg_catalog.sys_mv_state
-- user_id bigint, transaction_id bigint, database_name char(128), event_desc char(500), start_time timestamp, base_table_database_name char(128), base_table_schema char(128), base_table_name char(128), mv_schema char(128), mv_name char(128), state char(32)
SELECT 1, 0, 'dev', coalesce(v.broken, v.reason), r.created_at, 'dev', d.base_schema, d.base_name, r.schema_name, r.name,
       CASE WHEN v.broken IS NOT NULL THEN 'Unrefreshable' ELSE 'Recompute' END
FROM nearshift.view_states v JOIN nearshift.relations r ON r.oid = v.relation_oid JOIN nearshift.dependencies d ON d.relation_oid = r.oid
WHERE v.broken IS NOT NULL OR v.reason IS NOT NULL

-- pg_catalog.svv_external_schemas
-- esoid oid, eskind smallint, schemaname varchar(128), esowner integer, databasename varchar(256), esoptions varchar(65535)
SELECT oid, CASE source WHEN 'KINESIS' THEN 9 ELSE 10 END, name, 1, NULL, options FROM nearshift.schemas WHERE source IS NOT NULL

-- pg_catalog.svv_tables
-- table_catalog varchar(128), table_schema varchar(128), table_name varchar(128), table_type varchar(128), remarks varchar(256)
SELECT 'dev', schema_name, name, CASE kind WHEN 'table' THEN 'BASE TABLE' ELSE 'VIEW' END, comment FROM nearshift.relations

-- pg_catalog.svv_all_tables
-- database_name varchar(128), schema_name varchar(128), table_name varchar(128), table_acl varchar(128), table_type varchar(128), remarks varchar(256)
SELECT 'dev', schema_name, name, NULL, CASE kind WHEN 'table' THEN 'TABLE' ELSE 'VIEW' END, comment FROM nearshift.relations

-- pg_catalog.svv_columns
-- table_catalog varchar(128), table_schema varchar(128), table_name varchar(128), column_name varchar(128), ordinal_position integer, column_default varchar(4000), is_nullable varchar(3), data_type varchar(128), character_maximum_length integer, numeric_precision integer, numeric_precision_radix integer, numeric_scale integer, datetime_precision integer, interval_type varchar(128), interval_precision varchar(128), character_set_catalog varchar(128), character_set_schema varchar(128), character_set_name varchar(128), collation_catalog varchar(128), collation_schema varchar(128), collation_name varchar(128), domain_name varchar(128), remarks varchar(256)
SELECT 'dev', r.schema_name, r.name, c.name, c.ordinal, c.default_text, CASE WHEN c.is_nullable THEN 'YES' ELSE 'NO' END,
       regexp_replace(c.type, '\(.*$', ''), TRY_CAST(CASE WHEN c.type LIKE 'character%' THEN regexp_extract(c.type, '\((\d+)', 1) END AS INTEGER),
       CASE WHEN c.type LIKE 'numeric%' THEN TRY_CAST(regexp_extract(c.type, '\((\d+)', 1) AS INTEGER)
            WHEN c.type = 'smallint' THEN 16 WHEN c.type = 'integer' THEN 32 WHEN c.type = 'bigint' THEN 64 END,
       CASE WHEN c.type LIKE 'numeric%' THEN 10 WHEN c.type IN ('smallint', 'integer', 'bigint') THEN 2 END,
       CASE WHEN c.type LIKE 'numeric%' THEN TRY_CAST(regexp_extract(c.type, ',(\d+)', 1) AS INTEGER) WHEN c.type IN ('smallint', 'integer', 'bigint') THEN 0 END,
       CASE WHEN c.type LIKE 'timestamp%' THEN 6 END, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, c.comment
FROM nearshift.columns c JOIN nearshift.relations r ON r.oid = c.relation_oid

-- pg_catalog.pg_table_def
-- schemaname varchar(128), tablename varchar(128), column varchar(128), type varchar(128), encoding char(32), distkey boolean, sortkey integer, notnull boolean
SELECT r.schema_name, r.name, c.name, c.type, coalesce(c.encoding, 'none'), (r.attributes::JSON ->> 'distkey') = c.name,
       coalesce(list_position((r.attributes::JSON -> 'sortkey')::VARCHAR[], c.name), 0), NOT c.is_nullable
FROM nearshift.columns c JOIN nearshift.relations r ON r.oid = c.relation_oid WHERE r.schema_name = 'public'

-- pg_catalog.svv_table_info
-- database varchar(128), schema varchar(128), table_id oid, table varchar(128), encoded varchar(32), diststyle varchar(128), sortkey1 varchar(128), sortkey_num integer, size bigint, tbl_rows bigint
SELECT 'dev', r.schema_name, r.oid, r.name, 'N', coalesce(r.attributes::JSON ->> 'diststyle', 'AUTO(ALL)'), (r.attributes::JSON -> 'sortkey') ->> 0,
       coalesce(json_array_length(r.attributes::JSON -> 'sortkey'), 0), 1, t.estimated_size
FROM nearshift.relations r JOIN duckdb_tables() t ON t.schema_name = r.schema_name AND t.table_name = r.name WHERE r.kind = 'table'

-- pg_catalog.sys_query_history
-- user_id integer, query_id bigint, session_id integer, database_name char(128), query_type char(32), status char(10), start_time timestamp, end_time timestamp, elapsed_time bigint, error_message char(512), returned_rows bigint, query_text char(4000), username varchar(128)
SELECT coalesce(u.oid, 1), query_id, session_id, database_name, upper(split_part(ltrim(query_text), ' ', 1)), CASE WHEN error_message IS NULL THEN 'success' ELSE 'failed' END,
       started_at, ended_at, date_diff('microsecond', started_at, ended_at), error_message, returned_rows, query_text, user_name
FROM nearshift.queries q LEFT JOIN nearshift.users u ON u.name = q.user_name WHERE coalesce(u.oid = getvariable('nearshift_visible_user_id'), true)

-- pg_catalog.sys_procedure_call
-- session_user_id integer, security_user_id integer, query_id integer, query_text char(4000), start_time timestamp, end_time timestamp, status char(10)
SELECT coalesce(u.oid, 1), coalesce(u.oid, 1), query_id, query_text, started_at, ended_at, CASE WHEN error_message IS NULL THEN 'success' ELSE 'canceled' END
FROM nearshift.queries q LEFT JOIN nearshift.users u ON u.name = q.user_name
WHERE query_text ILIKE 'call %' AND coalesce(u.oid = getvariable('nearshift_visible_user_id'), true)

-- pg_catalog.sys_procedure_messages
-- transaction_id bigint, query_id integer, record_time timestamp, log_level char(10), message char(1024), line_number integer
SELECT m.transaction_id, m.query_id, m.recorded_at, m.log_level, m.message, m.line_number
FROM nearshift.procedure_messages m LEFT JOIN nearshift.users u ON u.name = m.user_name
WHERE coalesce(u.oid = getvariable('nearshift_visible_user_id'), true)

-- pg_catalog.svl_stored_proc_messages
-- userid integer, session_userid integer, pid integer, xid bigint, query integer, recordtime timestamp, loglevel integer, loglevel_text char(10), message char(1024), linenum integer
SELECT coalesce(u.oid, 1), coalesce(u.oid, 1), m.session_id, m.transaction_id, m.query_id, m.recorded_at,
       CASE m.log_level WHEN 'LOG' THEN 20 WHEN 'INFO' THEN 30 WHEN 'NOTICE' THEN 40 WHEN 'WARNING' THEN 50 ELSE 60 END, m.log_level, m.message, m.line_number
FROM nearshift.procedure_messages m LEFT JOIN nearshift.users u ON u.name = m.user_name
WHERE coalesce(u.oid = getvariable('nearshift_visible_user_id'), true)

-- information_schema.tables
-- table_catalog varchar(128), table_schema varchar(128), table_name varchar(128), table_type varchar(128)
SELECT 'dev', schema_name, name, CASE kind WHEN 'table' THEN 'BASE TABLE' ELSE 'VIEW' END FROM nearshift.relations

-- information_schema.schemata
-- catalog_name varchar(128), schema_name varchar(128), schema_owner varchar(128)
SELECT 'dev', name, owner FROM nearshift.schemas

-- information_schema.columns
-- table_catalog varchar(128), table_schema varchar(128), table_name varchar(128), column_name varchar(128), ordinal_position integer, column_default varchar(4000), is_nullable varchar(3), data_type varchar(128)
SELECT 'dev', r.schema_name, r.name, c.name, c.ordinal, c.default_text, CASE WHEN c.is_nullable THEN 'YES' ELSE 'NO' END, regexp_replace(c.type, '\(.*$', '')
FROM nearshift.columns c JOIN nearshift.relations r ON r.oid = c.relation_oid
