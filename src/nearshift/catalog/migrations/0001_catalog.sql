-- What exists in the warehouse, and how far each view got. Same file as the rows, so that both move in one commit.
CREATE SCHEMA nearshift;
CREATE SCHEMA IF NOT EXISTS public;
CREATE SEQUENCE nearshift.oid_sequence START 100001;
CREATE SEQUENCE nearshift.query_sequence START 1;

CREATE TABLE nearshift.schemas (
    oid BIGINT NOT NULL, name VARCHAR NOT NULL, owner VARCHAR NOT NULL,
    source VARCHAR,            -- NULL for a local schema, KINESIS, KAFKA or MSK for an external one
    options VARCHAR NOT NULL   -- JSON: region, iam_roles, uri, authentication, ...
);
CREATE TABLE nearshift.relations (
    oid BIGINT NOT NULL, schema_name VARCHAR NOT NULL, name VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,     -- a RelationKind
    owner VARCHAR NOT NULL,
    storage VARCHAR,           -- the DuckDB table that holds the rows; NULL for a plain view
    definition VARCHAR,        -- the query of a view, as the user wrote it
    rules VARCHAR NOT NULL,    -- JSON: settings frozen at creation that decide what the definition means
    is_auto_refresh BOOLEAN NOT NULL,
    attributes VARCHAR NOT NULL,  -- JSON: diststyle, distkey, sortkey, encodings, backup, constraints: kept, not acted on
    comment VARCHAR, created_at TIMESTAMP NOT NULL
);
CREATE TABLE nearshift.columns (
    relation_oid BIGINT NOT NULL, ordinal INTEGER NOT NULL, name VARCHAR NOT NULL, type VARCHAR NOT NULL, is_nullable BOOLEAN NOT NULL,
    default_text VARCHAR, identity_text VARCHAR, encoding VARCHAR, comment VARCHAR
);
CREATE TABLE nearshift.dependencies (relation_oid BIGINT NOT NULL, base_schema VARCHAR NOT NULL, base_name VARCHAR NOT NULL);
CREATE TABLE nearshift.procedures (
    oid BIGINT NOT NULL, schema_name VARCHAR NOT NULL, name VARCHAR NOT NULL, signature VARCHAR NOT NULL, owner VARCHAR NOT NULL,
    text VARCHAR NOT NULL,     -- the CREATE statement as the user wrote it
    created_at TIMESTAMP NOT NULL
);
CREATE TABLE nearshift.procedure_uses (procedure_oid BIGINT NOT NULL, schema_name VARCHAR NOT NULL, name VARCHAR NOT NULL, is_written BOOLEAN NOT NULL);
CREATE TABLE nearshift.view_states (
    relation_oid BIGINT NOT NULL, last_batch BIGINT NOT NULL, last_refresh_time TIMESTAMP, generation BIGINT NOT NULL,
    base_marks VARCHAR NOT NULL,  -- JSON: per base, its generation and the batch up to which it was taken in
    is_incremental BOOLEAN NOT NULL, reason VARCHAR, broken VARCHAR
);
CREATE TABLE nearshift.checkpoints (
    relation_oid BIGINT NOT NULL, stream_identity VARCHAR NOT NULL, shard_id VARCHAR NOT NULL, position VARCHAR NOT NULL,
    parents VARCHAR NOT NULL, caught_up_at TIMESTAMP, record_time TIMESTAMP
);
CREATE TABLE nearshift.ledger (
    relation_oid BIGINT NOT NULL, shard_id VARCHAR NOT NULL, read_rows BIGINT NOT NULL, stored_rows BIGINT NOT NULL,
    filtered_rows BIGINT NOT NULL, quarantined_rows BIGINT NOT NULL, skipped_rows BIGINT NOT NULL, read_bytes BIGINT NOT NULL
);
CREATE TABLE nearshift.quarantine (
    quarantined_at TIMESTAMP NOT NULL, relation_oid BIGINT NOT NULL, stream_name VARCHAR NOT NULL, shard_id VARCHAR NOT NULL,
    sequence_number VARCHAR NOT NULL, arrived_at TIMESTAMP, partition_key VARCHAR, reason VARCHAR NOT NULL, error_code INTEGER NOT NULL,
    payload BLOB
);
CREATE TABLE nearshift.gaps (
    noticed_at TIMESTAMP NOT NULL, relation_oid BIGINT NOT NULL, stream_name VARCHAR NOT NULL, shard_id VARCHAR NOT NULL,
    after_position VARCHAR NOT NULL, next_position VARCHAR, reason VARCHAR NOT NULL
);
CREATE TABLE nearshift.refreshes (
    relation_oid BIGINT NOT NULL, schema_name VARCHAR NOT NULL, name VARCHAR NOT NULL, user_name VARCHAR NOT NULL, session_id INTEGER NOT NULL,
    refresh_type VARCHAR NOT NULL, status VARCHAR NOT NULL, started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP NOT NULL,
    row_count BIGINT NOT NULL, transaction_id BIGINT NOT NULL, is_full BOOLEAN NOT NULL, reason VARCHAR
);
CREATE TABLE nearshift.scans (
    relation_oid BIGINT NOT NULL, schema_name VARCHAR NOT NULL, stream_name VARCHAR NOT NULL, view_name VARCHAR NOT NULL,
    transaction_id BIGINT NOT NULL, record_time TIMESTAMP NOT NULL, shard_id VARCHAR NOT NULL, latest_position VARCHAR NOT NULL,
    scanned_rows BIGINT NOT NULL, skipped_rows BIGINT NOT NULL, scanned_bytes BIGINT NOT NULL, arrived_min TIMESTAMP, arrived_max TIMESTAMP,
    millis_behind BIGINT NOT NULL
);
CREATE TABLE nearshift.queries (
    query_id BIGINT NOT NULL, user_name VARCHAR NOT NULL, session_id INTEGER NOT NULL, database_name VARCHAR NOT NULL,
    query_text VARCHAR NOT NULL, started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP NOT NULL, returned_rows BIGINT NOT NULL,
    error_message VARCHAR
);
CREATE TABLE nearshift.schedules (
    name VARCHAR NOT NULL, expression VARCHAR NOT NULL, statement VARCHAR NOT NULL, next_run TIMESTAMP -- NULL when it waits for an event
);
CREATE TABLE nearshift.sources (table_name VARCHAR NOT NULL, stream_name VARCHAR NOT NULL);  -- DynamoDB tables captured into streams
CREATE TABLE nearshift.schedule_runs (
    name VARCHAR NOT NULL, started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP NOT NULL, status VARCHAR NOT NULL, error_message VARCHAR
);
CREATE TABLE nearshift.migrations (number INTEGER NOT NULL, applied_at TIMESTAMP NOT NULL);
