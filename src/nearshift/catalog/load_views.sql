-- The views of loads and unloads; regular users see their own. Source pages: the views' own, by name.

-- pg_catalog.stl_load_errors
-- userid integer, slice integer, tbl integer, starttime timestamp, session integer, query integer, filename char(256), line_number bigint, colname char(127), type char(10), col_length char(10), position integer, raw_line char(1024), raw_field_value char(1024), err_code integer, err_reason char(100), is_partial integer, start_offset bigint, copy_job_id bigint
SELECT user_id, 0, table_id::INTEGER, started_at, session_id, query_id::INTEGER, left(file_name, 256), line_number, column_name, column_type,
       column_length, position, raw_line, raw_field_value, error_code, left(error_reason, 100), 0, 0, 0
FROM nearshift.load_errors
WHERE getvariable('nearshift_visible_user_id') IS NULL OR user_id = getvariable('nearshift_visible_user_id')

-- pg_catalog.stl_loaderror_detail
-- userid integer, slice integer, session integer, query integer, filename char(256), line_number bigint, field integer, colname char(1024), value char(1024), is_null integer, type char(10), col_length char(10)
SELECT user_id, 0, session_id, query_id::INTEGER, left(file_name, 256), line_number, place - 1, one ->> 'name', one ->> 'value',
       CASE WHEN (one ->> 'value') IS NULL THEN 1 ELSE 0 END, one ->> 'type', one ->> 'length'
FROM (SELECT *, unnest(CAST(fields AS JSON[])) AS one, generate_subscripts(CAST(fields AS JSON[]), 1)::INTEGER AS place FROM nearshift.load_errors) AS e
WHERE getvariable('nearshift_visible_user_id') IS NULL OR user_id = getvariable('nearshift_visible_user_id')

-- pg_catalog.sys_load_error_detail
-- user_id integer, query_id bigint, transaction_id bigint, session_id integer, database_name char(64), table_id integer, start_time timestamp, file_name char(256), line_number bigint, column_name char(127), column_type char(10), column_length char(10), position integer, error_code integer, error_message char(512)
SELECT user_id, query_id, transaction_id, session_id, database_name, table_id::INTEGER, started_at, left(file_name, 256), line_number,
       column_name, column_type, column_length, position, error_code, error_reason
FROM nearshift.load_errors
WHERE getvariable('nearshift_visible_user_id') IS NULL OR user_id = getvariable('nearshift_visible_user_id')

-- pg_catalog.sys_load_history
-- user_id integer, query_id bigint, transaction_id bigint, session_id integer, database_name varchar(128), status varchar(32), table_name varchar(128), start_time timestamp, end_time timestamp, duration bigint, data_source varchar(4000), file_format varchar(32), loaded_rows bigint, loaded_bytes bigint, source_file_count integer, source_file_bytes bigint, file_count_scanned integer, file_bytes_scanned bigint, error_count bigint, copy_job_id bigint
SELECT l.user_id, l.query_id, l.transaction_id, l.session_id, l.database_name, l.status, l.table_name, l.started_at, l.ended_at,
       date_diff('microsecond', l.started_at, l.ended_at), l.data_source, l.file_format, l.loaded_rows,
       CASE WHEN l.status = 'completed' THEN coalesce(f.bytes, 0) ELSE 0 END, l.source_files::INTEGER, l.source_bytes,
       coalesce(f.files, 0)::INTEGER, coalesce(f.bytes, 0), l.error_count, 0
FROM nearshift.loads l
LEFT JOIN (SELECT query_id, started_by, count(*) AS files, sum(bytes_scanned)::BIGINT AS bytes
           FROM nearshift.load_files GROUP BY query_id, started_by) f ON f.query_id = l.query_id AND f.started_by = l.started_at
WHERE getvariable('nearshift_visible_user_id') IS NULL OR l.user_id = getvariable('nearshift_visible_user_id')

-- pg_catalog.sys_load_detail
-- user_id integer, query_id bigint, file_name char(256), bytes_scanned integer, lines_scanned integer, record_time timestamp, splits_scanned integer, start_time timestamp, end_time timestamp, file_etag char(256), file_last_modified timestamp
SELECT user_id, query_id, left(file_name, 256), least(bytes_scanned, 2147483647)::INTEGER, least(lines_scanned, 2147483647)::INTEGER,
       coalesce(ended_at, started_at), 1, started_at, ended_at, etag, modified_at
FROM nearshift.load_files
WHERE getvariable('nearshift_visible_user_id') IS NULL OR user_id = getvariable('nearshift_visible_user_id')

-- pg_catalog.stl_load_commits
-- userid integer, query integer, slice integer, name char(256), filename char(256), byte_offset integer, lines_scanned integer, errors integer, curtime timestamp, status integer, file_format char(16), is_partial integer, start_offset bigint, copy_job_id bigint
SELECT f.user_id, f.query_id::INTEGER, 0, '', left(f.file_name, 256), least(f.bytes_scanned, 2147483647)::INTEGER,
       least(f.lines_scanned, 2147483647)::INTEGER, -1, coalesce(f.ended_at, f.started_at), 1, l.file_format, 0, 0, 0
FROM nearshift.load_files f JOIN nearshift.loads l ON l.query_id = f.query_id AND l.started_at = f.started_by
WHERE f.is_committed AND (getvariable('nearshift_visible_user_id') IS NULL OR f.user_id = getvariable('nearshift_visible_user_id'))

-- pg_catalog.sys_unload_history
-- user_id integer, query_id bigint, transaction_id bigint, session_id integer, database_name varchar(128), status varchar(32), start_time timestamp, end_time timestamp, duration bigint, file_format varchar(32), compression_type varchar(32), unloaded_location varchar(4000), unloaded_rows bigint, unloaded_files_count bigint, unloaded_files_size bigint, error_message varchar(4000)
SELECT user_id, query_id, transaction_id, session_id, database_name, status, started_at, ended_at,
       date_diff('microsecond', started_at, ended_at), file_format, compression, location, unloaded_rows, file_count, file_bytes, error_message
FROM nearshift.unloads
WHERE getvariable('nearshift_visible_user_id') IS NULL OR user_id = getvariable('nearshift_visible_user_id')

-- pg_catalog.sys_unload_detail
-- user_id integer, query_id integer, session_id integer, transaction_id bigint, file_name char(1280), start_time timestamp, end_time timestamp, line_count bigint, transfer_size bigint, file_format char(10)
SELECT user_id, query_id::INTEGER, session_id, transaction_id, left(file_name, 1280), started_at, ended_at, line_count, transfer_size, file_format
FROM nearshift.unload_files
WHERE getvariable('nearshift_visible_user_id') IS NULL OR user_id = getvariable('nearshift_visible_user_id')
