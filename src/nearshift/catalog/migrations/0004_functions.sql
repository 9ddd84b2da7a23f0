-- SQL functions of users. What a view calls is kept with the view: its text has the functions' expressions in it.
CREATE TABLE nearshift.functions (
    oid BIGINT NOT NULL, schema_name VARCHAR NOT NULL, name VARCHAR NOT NULL,
    argument_types VARCHAR NOT NULL,  -- JSON: the types as declared
    returns VARCHAR NOT NULL, volatility VARCHAR NOT NULL, body VARCHAR NOT NULL, owner VARCHAR NOT NULL,
    comment VARCHAR, created_at TIMESTAMP NOT NULL
);
-- What procedures said by RAISE.
CREATE TABLE nearshift.procedure_messages (
    query_id BIGINT NOT NULL, user_name VARCHAR NOT NULL, session_id INTEGER NOT NULL, transaction_id BIGINT NOT NULL,
    recorded_at TIMESTAMP NOT NULL, log_level VARCHAR NOT NULL, message VARCHAR NOT NULL, line_number INTEGER NOT NULL
);
