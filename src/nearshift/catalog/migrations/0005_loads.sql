-- What COPY and UNLOAD did. Written in transactions of their own, so that it stays when the load is rolled back.
CREATE TABLE nearshift.loads (
    query_id BIGINT NOT NULL, user_id INTEGER NOT NULL, session_id INTEGER NOT NULL, transaction_id BIGINT NOT NULL,
    database_name VARCHAR NOT NULL, table_id BIGINT NOT NULL, table_name VARCHAR NOT NULL, status VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP NOT NULL, data_source VARCHAR NOT NULL, file_format VARCHAR NOT NULL,
    loaded_rows BIGINT NOT NULL, error_count BIGINT NOT NULL, source_files BIGINT NOT NULL, source_bytes BIGINT NOT NULL
);
CREATE TABLE nearshift.load_files (
    query_id BIGINT NOT NULL, user_id INTEGER NOT NULL, file_name VARCHAR NOT NULL, bytes_scanned BIGINT NOT NULL,
    lines_scanned BIGINT NOT NULL, started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP, etag VARCHAR, modified_at TIMESTAMP,
    started_by TIMESTAMP NOT NULL,  -- when its load started: query ids begin anew with the process
    is_committed BOOLEAN NOT NULL
);
CREATE TABLE nearshift.load_errors (
    query_id BIGINT NOT NULL, user_id INTEGER NOT NULL, session_id INTEGER NOT NULL, transaction_id BIGINT NOT NULL,
    database_name VARCHAR NOT NULL, table_id BIGINT NOT NULL, started_at TIMESTAMP NOT NULL, file_name VARCHAR NOT NULL,
    line_number BIGINT NOT NULL, column_name VARCHAR, column_type VARCHAR, column_length VARCHAR, position INTEGER NOT NULL,
    raw_line VARCHAR NOT NULL, raw_field_value VARCHAR NOT NULL, error_code INTEGER NOT NULL, error_reason VARCHAR NOT NULL,
    fields VARCHAR NOT NULL   -- JSON: the row's fields as far as they were read: name, type, length, value
);
CREATE TABLE nearshift.unloads (
    query_id BIGINT NOT NULL, user_id INTEGER NOT NULL, session_id INTEGER NOT NULL, transaction_id BIGINT NOT NULL,
    database_name VARCHAR NOT NULL, status VARCHAR NOT NULL, started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP NOT NULL,
    file_format VARCHAR NOT NULL, compression VARCHAR NOT NULL, location VARCHAR NOT NULL, unloaded_rows BIGINT NOT NULL,
    file_count BIGINT NOT NULL, file_bytes BIGINT NOT NULL, error_message VARCHAR
);
CREATE TABLE nearshift.unload_files (
    query_id BIGINT NOT NULL, user_id INTEGER NOT NULL, session_id INTEGER NOT NULL, transaction_id BIGINT NOT NULL,
    file_name VARCHAR NOT NULL, started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP NOT NULL, line_count BIGINT NOT NULL,
    transfer_size BIGINT NOT NULL, file_format VARCHAR NOT NULL
);
