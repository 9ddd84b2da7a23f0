-- SQL functions of users. What a view calls is kept with the view: its text has the functions' expressions in it.
CREATE TABLE nearshift.functions (
    oid BIGINT NOT NULL, schema_name VARCHAR NOT NULL, name VARCHAR NOT NULL,
    argument_types VARCHAR NOT NULL,  -- JSON: the types as declared
    returns VARCHAR NOT NULL, volatility VARCHAR NOT NULL, body VARCHAR NOT NULL, owner VARCHAR NOT NULL,
    comment VARCHAR, created_at TIMESTAMP NOT NULL
);
