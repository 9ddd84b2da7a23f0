-- Who there is and who may do what. The administrator is written when the file is opened.
CREATE TABLE nearshift.users (
    oid BIGINT NOT NULL, name VARCHAR NOT NULL, is_superuser BOOLEAN NOT NULL, may_create_databases BOOLEAN NOT NULL,
    sees_all_logs BOOLEAN NOT NULL,  -- SYSLOG ACCESS UNRESTRICTED
    credential VARCHAR,              -- what a password is checked against, never the password; NULL when there is none
    is_password_disabled BOOLEAN NOT NULL,
    valid_until TIMESTAMP, connection_limit BIGINT, session_timeout BIGINT, external_id VARCHAR,
    settings VARCHAR NOT NULL        -- JSON: what ALTER USER … SET left
);
CREATE TABLE nearshift.groups (oid BIGINT NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE nearshift.roles (oid BIGINT NOT NULL, name VARCHAR NOT NULL, owner VARCHAR NOT NULL, external_id VARCHAR);
CREATE TABLE nearshift.memberships (
    kind VARCHAR NOT NULL,           -- group or role
    oid BIGINT NOT NULL, member_kind VARCHAR NOT NULL, member_oid BIGINT NOT NULL, has_admin_option BOOLEAN NOT NULL
);
CREATE TABLE nearshift.grants (
    object_kind VARCHAR NOT NULL,    -- relation, schema, database, function, procedure, language or system
    object_oid BIGINT NOT NULL,      -- 0 for system permissions
    column_name VARCHAR NOT NULL,    -- empty for the whole object
    grantee_kind VARCHAR NOT NULL,   -- user, group, role or public
    grantee_oid BIGINT NOT NULL, privilege VARCHAR NOT NULL, has_grant_option BOOLEAN NOT NULL, grantor_oid BIGINT NOT NULL
);
CREATE TABLE nearshift.default_privileges (
    owner_oid BIGINT NOT NULL, schema_oid BIGINT NOT NULL,  -- 0 for all schemas
    object_kind VARCHAR NOT NULL, grantee_kind VARCHAR NOT NULL, grantee_oid BIGINT NOT NULL, privilege VARCHAR NOT NULL,
    has_grant_option BOOLEAN NOT NULL,
    is_revoked BOOLEAN NOT NULL      -- takes away what new objects have by themselves: EXECUTE on functions for PUBLIC
);
CREATE TABLE nearshift.connections (
    event VARCHAR NOT NULL, recorded_at TIMESTAMP NOT NULL, remote_host VARCHAR, remote_port INTEGER, session_id INTEGER,
    database_name VARCHAR, user_name VARCHAR NOT NULL, auth_method VARCHAR, duration BIGINT NOT NULL, is_encrypted BOOLEAN NOT NULL,
    application_name VARCHAR
);
-- 1 to 99 are the system's, as on Redshift.
CREATE SEQUENCE nearshift.principal_sequence START 100;
-- "Amazon Redshift system-defined roles" and "System permissions for RBAC".
INSERT INTO nearshift.roles VALUES
    (11, 'sys:monitor', 'rdsdb', NULL), (12, 'sys:operator', 'rdsdb', NULL), (13, 'sys:dba', 'rdsdb', NULL),
    (14, 'sys:superuser', 'rdsdb', NULL), (15, 'sys:secadmin', 'rdsdb', NULL);
INSERT INTO nearshift.memberships VALUES ('role', 12, 'role', 13, false);
INSERT INTO nearshift.grants
SELECT 'system', 0, '', 'role', role, privilege, false, 1 FROM (
    SELECT 11 AS role, unnest(['ACCESS CATALOG', 'ACCESS SYSTEM TABLE']) AS privilege
    UNION ALL SELECT 12, unnest(['ACCESS CATALOG', 'ACCESS SYSTEM TABLE', 'ANALYZE', 'VACUUM', 'CANCEL'])
    UNION ALL SELECT 13, unnest([
        'CREATE SCHEMA', 'CREATE TABLE', 'DROP SCHEMA', 'DROP TABLE', 'TRUNCATE TABLE', 'CREATE OR REPLACE PROCEDURE', 'DROP PROCEDURE',
        'CREATE OR REPLACE FUNCTION', 'CREATE OR REPLACE EXTERNAL FUNCTION', 'DROP FUNCTION', 'CREATE VIEW', 'DROP VIEW'])
    UNION ALL SELECT 14, unnest([
        'CREATE ROLE', 'DROP ROLE', 'CREATE USER', 'DROP USER', 'ALTER USER', 'CREATE SCHEMA', 'DROP SCHEMA', 'ALTER DEFAULT PRIVILEGES',
        'ACCESS CATALOG', 'ACCESS SYSTEM TABLE', 'CREATE TABLE', 'DROP TABLE', 'ALTER TABLE', 'CREATE OR REPLACE FUNCTION',
        'CREATE OR REPLACE EXTERNAL FUNCTION', 'DROP FUNCTION', 'CREATE OR REPLACE PROCEDURE', 'DROP PROCEDURE', 'CREATE VIEW',
        'DROP VIEW', 'CREATE MODEL', 'DROP MODEL', 'CREATE DATASHARE', 'ALTER DATASHARE', 'DROP DATASHARE', 'CREATE LIBRARY',
        'DROP LIBRARY', 'TRUNCATE TABLE', 'ANALYZE', 'VACUUM', 'CANCEL', 'EXPLAIN RLS', 'IGNORE RLS', 'EXPLAIN MASKING'])
    UNION ALL SELECT 15, unnest([
        'CREATE USER', 'ALTER USER', 'DROP USER', 'CREATE ROLE', 'DROP ROLE', 'GRANT ROLE', 'EXPLAIN RLS', 'IGNORE RLS', 'EXPLAIN MASKING']));
-- "Default database user permissions": everybody may use and create in public, make temporary tables, and write procedures.
INSERT INTO nearshift.grants
SELECT 'schema', oid, '', 'public', 0, unnest(['CREATE', 'USAGE']), false, 1 FROM nearshift.schemas WHERE name = 'public';
INSERT INTO nearshift.grants VALUES
    ('database', 100000, '', 'public', 0, 'TEMP', false, 1),
    ('language', 14, '', 'public', 0, 'USAGE', false, 1), ('language', 100, '', 'public', 0, 'USAGE', false, 1);
