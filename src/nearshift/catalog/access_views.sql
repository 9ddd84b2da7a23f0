-- Users, groups, roles and privileges. IDENTITIES, MEMBERS and ACLS are in access_texts.py. Regular users see what is about them.

-- pg_catalog.pg_user
-- usename varchar(128), usesysid integer, usecreatedb boolean, usesuper boolean, usecatupd boolean, passwd varchar(128), valuntil timestamp, useconfig varchar(128)
SELECT name, oid, may_create_databases, is_superuser, false, '********', valid_until,
       CASE WHEN settings = '{}' THEN NULL ELSE '{' || (SELECT string_agg(key || '=' || (settings::JSON ->> key), ',')
                                                        FROM (SELECT unnest(json_keys(settings::JSON)) AS key)) || '}' END
FROM nearshift.users

-- pg_catalog.pg_user_info
-- usename varchar(128), usesysid integer, usecreatedb boolean, usesuper boolean, usecatupd boolean, passwd varchar(128), valuntil timestamp, useconfig varchar(128), useconnlimit varchar(32)
SELECT name, oid, may_create_databases, is_superuser, false, '********', valid_until, NULL, coalesce(connection_limit::VARCHAR, 'UNLIMITED')
FROM nearshift.users

-- pg_catalog.pg_roles
-- oid oid, rolname varchar(128), rolsuper boolean, rolinherit boolean, rolcreaterole boolean, rolcreatedb boolean, rolcanlogin boolean, rolreplication boolean, rolbypassrls boolean, rolconnlimit integer, rolpassword varchar(128), rolvaliduntil timestamptz, rolconfig varchar(128)
SELECT oid, name, is_superuser, true, is_superuser, may_create_databases, true, false, is_superuser, coalesce(connection_limit, -1)::INTEGER,
       '********', timezone('UTC', valid_until), NULL
FROM nearshift.users

-- pg_catalog.pg_group
-- groname varchar(128), grosysid integer, grolist varchar(65535)
SELECT g.name, g.oid, '{' || string_agg(m.member_oid::VARCHAR, ',' ORDER BY m.member_oid) || '}'
FROM nearshift.groups g LEFT JOIN nearshift.memberships m ON m.kind = 'group' AND m.oid = g.oid GROUP BY g.name, g.oid

-- pg_catalog.pg_auth_members
-- roleid oid, member oid, grantor oid, admin_option boolean
SELECT oid, member_oid, 1, has_admin_option FROM nearshift.memberships WHERE kind = 'role'

-- pg_catalog.pg_default_acl
-- defaclrole oid, defaclnamespace oid, defaclobjtype char(1), defaclacl varchar(256)
SELECT owner_oid, schema_oid, CASE object_kind WHEN 'relation' THEN 'r' WHEN 'function' THEN 'f' ELSE 'p' END,
       '{' || string_agg(item, ',' ORDER BY item) || '}'
FROM (
  SELECT d.owner_oid, d.schema_oid, d.object_kind,
         CASE d.grantee_kind WHEN 'public' THEN '' WHEN 'user' THEN i.name ELSE d.grantee_kind || ' ' || i.name END || '='
         || string_agg(CASE d.privilege WHEN 'INSERT' THEN 'a' WHEN 'SELECT' THEN 'r' WHEN 'UPDATE' THEN 'w' WHEN 'DELETE' THEN 'd' WHEN 'DROP' THEN 'D'
                       WHEN 'REFERENCES' THEN 'x' WHEN 'ALTER' THEN 'A' WHEN 'TRUNCATE' THEN 't' WHEN 'EXECUTE' THEN 'X' END
                       || CASE WHEN d.has_grant_option THEN '*' ELSE '' END, '' ORDER BY d.privilege) || '/' || min(u.name) AS item
  FROM nearshift.default_privileges d JOIN IDENTITIES i ON i.kind = d.grantee_kind AND i.oid = d.grantee_oid
  JOIN nearshift.users u ON u.oid = d.owner_oid WHERE NOT d.is_revoked
  GROUP BY d.owner_oid, d.schema_oid, d.object_kind, d.grantee_kind, i.name)
GROUP BY owner_oid, schema_oid, object_kind

-- pg_catalog.svl_user_info
-- usename varchar(128), usesysid integer, usecreatedb boolean, usesuper boolean, usecatupd boolean, useconnlimit varchar(32), syslogaccess varchar(32), last_ddl_ts timestamp, sessiontimeout integer, external_id varchar(128)
SELECT name, oid, may_create_databases, is_superuser, false, coalesce(connection_limit::VARCHAR, 'UNLIMITED'),
       CASE WHEN sees_all_logs THEN 'UNRESTRICTED' ELSE 'RESTRICTED' END, NULL, coalesce(session_timeout, 0), external_id
FROM nearshift.users WHERE getvariable('nearshift_visible_user_id') IS NULL

-- pg_catalog.svv_user_info
-- user_name varchar(128), user_id integer, createdb boolean, superuser boolean, catalog_update boolean, connection_limit varchar(32), syslog_access varchar(32), last_ddl_timestamp timestamp, session_timeout integer, external_user_id varchar(128)
SELECT name, oid, may_create_databases, is_superuser, false, coalesce(connection_limit::VARCHAR, 'UNLIMITED'),
       CASE WHEN sees_all_logs THEN 'UNRESTRICTED' ELSE 'RESTRICTED' END, NULL, coalesce(session_timeout, 0), external_id
FROM nearshift.users WHERE coalesce(oid = getvariable('nearshift_visible_user_id'), true)

-- pg_catalog.svv_roles
-- role_id integer, role_name varchar(128), role_owner varchar(128), external_id varchar(128)
SELECT oid, name, owner, external_id FROM nearshift.roles r
WHERE getvariable('nearshift_visible_user_id') IS NULL
   OR EXISTS (SELECT 1 FROM MEMBERS m WHERE m.user_oid = getvariable('nearshift_visible_user_id') AND m.kind = 'role' AND m.oid = r.oid)
   OR r.owner = (SELECT u.name FROM nearshift.users u WHERE u.oid = getvariable('nearshift_visible_user_id'))

-- pg_catalog.svv_user_grants
-- user_id integer, user_name varchar(128), role_id integer, role_name varchar(128), admin_option boolean
SELECT u.oid, u.name, r.oid, r.name, m.has_admin_option
FROM nearshift.memberships m JOIN nearshift.roles r ON m.kind = 'role' AND r.oid = m.oid JOIN nearshift.users u ON m.member_kind = 'user' AND u.oid = m.member_oid
WHERE coalesce(u.oid = getvariable('nearshift_visible_user_id'), true)

-- pg_catalog.svv_role_grants
-- role_id integer, role_name varchar(128), granted_role_id integer, granted_role_name varchar(128)
SELECT w.oid, w.name, r.oid, r.name
FROM nearshift.memberships m JOIN nearshift.roles r ON m.kind = 'role' AND r.oid = m.oid JOIN nearshift.roles w ON m.member_kind = 'role' AND w.oid = m.member_oid
WHERE getvariable('nearshift_visible_user_id') IS NULL
   OR EXISTS (SELECT 1 FROM MEMBERS x WHERE x.user_oid = getvariable('nearshift_visible_user_id') AND x.kind = 'role' AND x.oid = w.oid)

-- pg_catalog.svv_nearshift_grant
-- object_kind varchar(32), object_oid bigint, schema_name varchar(128), object_name varchar(128), column_name varchar(128), privilege_type varchar(64), identity_id integer, identity_name varchar(128), identity_type varchar(32), admin_option boolean, grantor_name varchar(128)
SELECT g.object_kind, g.object_oid, o.schema_name, o.name, g.column_name, g.privilege, g.grantee_oid, i.name, g.grantee_kind, g.has_grant_option,
       (SELECT min(u.name) FROM nearshift.users u WHERE u.oid = g.grantor_oid)
FROM nearshift.grants g JOIN IDENTITIES i ON i.kind = g.grantee_kind AND i.oid = g.grantee_oid
LEFT JOIN (
  SELECT 'relation' AS kind, oid, schema_name, name FROM nearshift.relations UNION ALL SELECT 'schema', oid, name, name FROM nearshift.schemas
  UNION ALL SELECT 'procedure', oid, schema_name, name FROM nearshift.procedures UNION ALL SELECT 'function', oid, schema_name, name FROM nearshift.functions
  UNION ALL SELECT 'database', 100000, NULL, 'dev' UNION ALL SELECT 'language', 14, NULL, 'sql' UNION ALL SELECT 'language', 100, NULL, 'plpgsql'
) o ON o.kind = g.object_kind AND o.oid = g.object_oid
WHERE getvariable('nearshift_visible_user_id') IS NULL
   OR EXISTS (SELECT 1 FROM MEMBERS m WHERE m.user_oid = getvariable('nearshift_visible_user_id') AND m.kind = g.grantee_kind AND m.oid = g.grantee_oid)
   OR EXISTS (SELECT 1 FROM nearshift.relations r JOIN nearshift.users u ON u.name = r.owner
              WHERE g.object_kind = 'relation' AND r.oid = g.object_oid AND u.oid = getvariable('nearshift_visible_user_id'))

-- pg_catalog.svv_nearshift_privilege
-- user_name varchar(128), object_kind varchar(32), object_oid bigint, column_name varchar(128), privilege_type varchar(64)
SELECT u.name, g.object_kind, g.object_oid, g.column_name, g.privilege || x.ending
FROM nearshift.grants g JOIN MEMBERS m ON m.kind = g.grantee_kind AND m.oid = g.grantee_oid JOIN nearshift.users u ON u.oid = m.user_oid
JOIN (VALUES ('', false), (' WITH GRANT OPTION', true)) AS x(ending, is_option) ON g.has_grant_option OR NOT x.is_option
UNION SELECT owner, 'relation', oid, '', '*' FROM nearshift.relations UNION SELECT owner, 'schema', oid, '', '*' FROM nearshift.schemas
UNION SELECT owner, 'procedure', oid, '', '*' FROM nearshift.procedures UNION SELECT owner, 'function', oid, '', '*' FROM nearshift.functions
UNION SELECT name, '*', 0, '', '*' FROM nearshift.users WHERE is_superuser

-- pg_catalog.svv_relation_privileges
-- namespace_name varchar(128), relation_name varchar(128), privilege_type varchar(64), identity_id integer, identity_name varchar(128), identity_type varchar(32), admin_option boolean
SELECT schema_name, object_name, privilege_type, identity_id, identity_name, identity_type, admin_option FROM GRANTS
WHERE object_kind = 'relation' AND column_name = ''

-- pg_catalog.svv_column_privileges
-- namespace_name varchar(128), relation_name varchar(128), column_name varchar(128), privilege_type varchar(64), identity_id integer, identity_name varchar(128), identity_type varchar(32)
SELECT schema_name, object_name, column_name, privilege_type, identity_id, identity_name, identity_type FROM GRANTS
WHERE object_kind = 'relation' AND column_name <> ''

-- pg_catalog.svv_schema_privileges
-- namespace_name varchar(128), privilege_type varchar(64), identity_id integer, identity_name varchar(128), identity_type varchar(32), admin_option boolean, privilege_scope varchar(32)
SELECT object_name, privilege_type, identity_id, identity_name, identity_type, admin_option, 'SCHEMA' FROM GRANTS WHERE object_kind = 'schema'

-- pg_catalog.svv_database_privileges
-- database_name varchar(128), privilege_type varchar(64), identity_id integer, identity_name varchar(128), identity_type varchar(32), admin_option boolean, privilege_scope varchar(32)
SELECT object_name, privilege_type, identity_id, identity_name, identity_type, admin_option, 'DATABASE' FROM GRANTS WHERE object_kind = 'database'

-- pg_catalog.svv_language_privileges
-- language_name varchar(128), privilege_type varchar(64), identity_id integer, identity_name varchar(128), identity_type varchar(32), admin_option boolean
SELECT object_name, privilege_type, identity_id, identity_name, identity_type, admin_option FROM GRANTS WHERE object_kind = 'language'

-- pg_catalog.svv_function_privileges
-- namespace_name varchar(128), function_name varchar(128), argument_types varchar(65535), privilege_type varchar(64), identity_id integer, identity_name varchar(128), identity_type varchar(32), admin_option boolean
SELECT g.schema_name, g.object_name, coalesce(p.signature, f.argument_types), g.privilege_type, g.identity_id, g.identity_name, g.identity_type, g.admin_option
FROM GRANTS g LEFT JOIN nearshift.procedures p ON p.oid = g.object_oid LEFT JOIN nearshift.functions f ON f.oid = g.object_oid
WHERE g.object_kind IN ('function', 'procedure')

-- pg_catalog.svv_system_privileges
-- system_privilege varchar(64), identity_id integer, identity_name varchar(128), identity_type varchar(32)
SELECT privilege_type, identity_id, identity_name, identity_type FROM GRANTS WHERE object_kind = 'system'

-- pg_catalog.svv_default_privileges
-- schema_name varchar(128), object_type varchar(32), owner_id integer, owner_name varchar(128), owner_type varchar(32), privilege_type varchar(64), grantee_id integer, grantee_name varchar(128), grantee_type varchar(32), admin_option boolean
SELECT (SELECT min(s.name) FROM nearshift.schemas s WHERE s.oid = d.schema_oid), upper(d.object_kind), d.owner_oid, u.name, 'user', d.privilege, d.grantee_oid,
       i.name, d.grantee_kind, d.has_grant_option
FROM nearshift.default_privileges d JOIN nearshift.users u ON u.oid = d.owner_oid JOIN IDENTITIES i ON i.kind = d.grantee_kind AND i.oid = d.grantee_oid
WHERE NOT d.is_revoked AND (
  getvariable('nearshift_visible_user_id') IS NULL OR d.owner_oid = getvariable('nearshift_visible_user_id')
  OR EXISTS (SELECT 1 FROM MEMBERS m WHERE m.user_oid = getvariable('nearshift_visible_user_id') AND m.kind = d.grantee_kind AND m.oid = d.grantee_oid))

-- pg_catalog.sys_connection_log
-- event char(50), record_time timestamp, remote_host char(45), remote_port char(32), session_id integer, database_name char(50), user_name char(50), auth_method char(32), duration bigint, ssl_version char(50), ssl_cipher char(128), ssl_mtu integer, ssl_compression char(64), ssl_expansion char(64), iam_auth_guid char(36), application_name char(250), driver_version char(64), os_version char(64), plugin_name char(32), protocol_version integer
SELECT event, recorded_at, remote_host, remote_port::VARCHAR, session_id, database_name, user_name, auth_method, duration, CASE WHEN is_encrypted THEN 'TLS' END,
       NULL, 0, NULL, NULL, NULL, application_name, NULL, NULL, NULL, NULL
FROM nearshift.connections WHERE getvariable('nearshift_visible_user_id') IS NULL

-- pg_catalog.stl_connection_log
-- event char(50), recordtime timestamp, remotehost char(45), remoteport char(32), pid integer, dbname char(50), username char(50), authmethod char(32), duration integer, sslversion char(50), sslcipher char(128), mtu integer, sslcompression char(64), sslexpansion char(64), iamauthguid char(36), application_name char(250)
SELECT event, recorded_at, remote_host, remote_port::VARCHAR, session_id, database_name, user_name, auth_method, duration::INTEGER,
       CASE WHEN is_encrypted THEN 'TLS' END, NULL, 0, NULL, NULL, NULL, application_name
FROM nearshift.connections WHERE getvariable('nearshift_visible_user_id') IS NULL
