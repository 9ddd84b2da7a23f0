-- PostgreSQL's catalog, as psql and the drivers read it. A block is: schema.name, its columns, its query; the query EMPTY stands for no rows.
-- SYSTEM_RELATIONS is the table (oid, schema_oid, name, column_count) of these views, SYSTEM_COLUMNS (oid, ordinal, name, type) of their columns,
-- TYPES (oid, typname, width, name) of the types. Columns that Redshift lacks are there for newer clients that ask for them unseen.

-- pg_catalog.pg_namespace
-- oid oid, nspname varchar(128), nspowner integer, nspacl varchar(128)
SELECT s.oid, s.name, coalesce(u.oid, 1), a.acl FROM nearshift.schemas s LEFT JOIN nearshift.users u ON u.name = s.owner
LEFT JOIN ACLS a ON a.object_kind = 'schema' AND a.object_oid = s.oid
UNION ALL SELECT 11, 'pg_catalog', 1, NULL UNION ALL SELECT 12, 'information_schema', 1, NULL

-- pg_catalog.pg_class
-- oid oid, relname varchar(128), relnamespace oid, reltype oid, relowner integer, relam oid, relfilenode oid, reltablespace oid, relpages integer, reltuples real, reltoastrelid oid, relhasindex boolean, relisshared boolean, relkind char(1), relnatts smallint, relchecks smallint, reltriggers smallint, relhasoids boolean, relhaspkey boolean, relhasrules boolean, relhassubclass boolean, relacl varchar(128), reldiststyle smallint, relhastriggers boolean, relispartition boolean, relrowsecurity boolean, relforcerowsecurity boolean, relreplident char(1), relpersistence char(1), reloftype oid, reloptions super
SELECT r.oid, r.name, s.oid, 0, coalesce(u.oid, 1), 0, 0, 0, 0, 0, 0, false, false, CASE r.kind WHEN 'table' THEN 'r' ELSE 'v' END,
       (SELECT count(*) FROM nearshift.columns c WHERE c.relation_oid = r.oid), 0, 0, false, (r.attributes::JSON -> 'primary_key') IS NOT NULL, false, false,
       a.acl, CASE r.attributes::JSON ->> 'diststyle' WHEN 'EVEN' THEN 0 WHEN 'KEY' THEN 1 WHEN 'ALL' THEN 8 ELSE 9 END,
       false, false, false, false, 'd', 'p', 0, NULL::JSON
FROM nearshift.relations r JOIN nearshift.schemas s ON s.name = r.schema_name LEFT JOIN nearshift.users u ON u.name = r.owner
LEFT JOIN ACLS a ON a.object_kind = 'relation' AND a.object_oid = r.oid AND a.column_name = ''
UNION ALL
SELECT oid, name, schema_oid, 0, 1, 0, 0, 0, 0, 0, 0, false, false, 'v', column_count, 0, 0, false, false, false, false, NULL, 0,
       false, false, false, false, 'n', 'p', 0, NULL::JSON FROM SYSTEM_RELATIONS

-- pg_catalog.pg_attribute
-- attrelid oid, attname varchar(128), atttypid oid, attstattarget integer, attlen smallint, attnum smallint, attndims integer, attcacheoff integer, atttypmod integer, attbyval boolean, attstorage char(1), attalign char(1), attnotnull boolean, atthasdef boolean, attisdropped boolean, attislocal boolean, attinhcount integer, attisdistkey boolean, attispreloaded boolean, attsortkeyord integer, attencodingtype smallint, attencrypttype smallint, attidentity char(1), attgenerated char(1), attcollation oid, attacl varchar(128)
SELECT c.relation_oid, c.name, t.oid, -1, t.width, c.ordinal, 0, -1,
       CASE WHEN t.oid IN (1042, 1043) AND contains(c.type, '(') THEN regexp_extract(c.type, '\((\d+)', 1)::INTEGER + 4
            WHEN t.oid = 1700 AND contains(c.type, '(')
            THEN regexp_extract(c.type, '\((\d+)', 1)::INTEGER * 65536 + regexp_extract(c.type, ',(\d+)', 1)::INTEGER + 4 ELSE -1 END,
       t.width BETWEEN 1 AND 8, CASE WHEN t.width < 0 THEN 'x' ELSE 'p' END, 'i', NOT c.is_nullable,
       c.default_text IS NOT NULL, false, true, 0, coalesce((r.attributes::JSON ->> 'distkey') = c.name, false), false,
       coalesce(list_position((r.attributes::JSON -> 'sortkey')::VARCHAR[], c.name), 0), 0, 0, '', '', 0, a.acl
FROM (SELECT relation_oid, name, type, ordinal, is_nullable, default_text FROM nearshift.columns
      UNION ALL SELECT oid, name, type, ordinal, true, NULL FROM SYSTEM_COLUMNS) c
JOIN TYPES t ON t.name = regexp_replace(c.type, '\(.*$', '') LEFT JOIN nearshift.relations r ON r.oid = c.relation_oid
LEFT JOIN ACLS a ON a.object_kind = 'relation' AND a.object_oid = c.relation_oid AND a.column_name = c.name

-- pg_catalog.pg_attrdef
-- oid oid, adrelid oid, adnum smallint, adbin varchar(65535), adsrc varchar(65535)
SELECT 0, relation_oid, ordinal, default_text, default_text FROM nearshift.columns WHERE default_text IS NOT NULL

-- pg_catalog.pg_type
-- oid oid, typname varchar(128), typnamespace oid, typowner integer, typlen smallint, typbyval boolean, typtype char(1), typisdefined boolean, typdelim char(1), typrelid oid, typelem oid, typinput oid, typoutput oid, typreceive oid, typsend oid, typanalyze oid, typalign char(1), typstorage char(1), typnotnull boolean, typbasetype oid, typtypmod integer, typndims integer, typdefaultbin varchar(128), typdefault varchar(128), typarray oid, typcategory char(1), typcollation oid
SELECT oid, typname, 11, 1, width, width BETWEEN 1 AND 8, 'b', true, ',', 0, 0, 0, 0, 0, 0, 0, 'i', CASE WHEN width < 0 THEN 'x' ELSE 'p' END,
       false, 0, -1, 0, NULL, NULL, 0, CASE WHEN typname IN ('varchar', 'bpchar', 'text', 'name', 'char') THEN 'S' WHEN typname LIKE 'date' OR typname LIKE 'time%'
       THEN 'D' WHEN typname = 'bool' THEN 'B' WHEN typname IN ('int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'oid') THEN 'N' ELSE 'U' END, 0
FROM TYPES

-- pg_catalog.pg_index
-- indexrelid oid, indrelid oid, indkey varchar(256), indclass varchar(256), indnatts smallint, indisunique boolean, indisprimary boolean, indisclustered boolean, indisvalid boolean, indexprs varchar(256), indpred varchar(256), indoption varchar(256), indisreplident boolean
EMPTY

-- pg_catalog.pg_constraint
-- oid oid, conname varchar(128), connamespace oid, contype char(1), condeferrable boolean, condeferred boolean, conrelid oid, contypid oid, confrelid oid, confupdtype char(1), confdeltype char(1), confmatchtype char(1), conkey varchar(256), confkey varchar(256), conbin varchar(256), consrc varchar(256), conparentid oid, conindid oid
SELECT k.base + r.oid, r.name || k.suffix, s.oid, k.contype, false, false, r.oid, 0, 0, ' ', ' ', ' ',
       '{' || (SELECT string_agg(c.ordinal::VARCHAR, ',' ORDER BY list_position((r.attributes::JSON -> k.name)::VARCHAR[], c.name)) FROM nearshift.columns c
               WHERE c.relation_oid = r.oid AND list_contains((r.attributes::JSON -> k.name)::VARCHAR[], c.name)) || '}', NULL, NULL, NULL, 0, 0
FROM nearshift.relations r JOIN nearshift.schemas s ON s.name = r.schema_name
CROSS JOIN (VALUES ('primary_key', 'p', '_pkey', 1000000000), ('unique', 'u', '_key', 1500000000)) AS k(name, contype, suffix, base)
WHERE (r.attributes::JSON -> k.name) IS NOT NULL

-- pg_catalog.pg_description
-- objoid oid, classoid oid, objsubid integer, description varchar(65535)
SELECT oid, 1259, 0, comment FROM nearshift.relations WHERE comment IS NOT NULL
UNION ALL SELECT relation_oid, 1259, ordinal, comment FROM nearshift.columns WHERE comment IS NOT NULL

-- pg_catalog.pg_proc
-- oid oid, proname varchar(128), pronamespace oid, proowner integer, prolang oid, proisagg boolean, proiswindow boolean, prosecdef boolean, proisstrict boolean, proretset boolean, provolatile char(1), pronargs smallint, prorettype oid, proargtypes varchar(256), proargnames varchar(256), prosrc varchar(65535), probin varchar(256), proacl varchar(256), prokind char(1)
SELECT p.oid, p.name, s.oid, coalesce(u.oid, 1), 100, false, false, contains(upper(p.text), 'SECURITY DEFINER'), false, false, 'v', CASE WHEN p.signature = '' THEN 0 ELSE len(string_split(p.signature, ',')) END, 2278, '', NULL,
       p.text, NULL, a.acl, 'p' FROM nearshift.procedures p JOIN nearshift.schemas s ON s.name = p.schema_name
LEFT JOIN nearshift.users u ON u.name = p.owner LEFT JOIN ACLS a ON a.object_kind = 'procedure' AND a.object_oid = p.oid
UNION ALL
SELECT f.oid, f.name, s.oid, coalesce(u.oid, 1), 14, false, false, false, false, false, lower(f.volatility[1]), json_array_length(f.argument_types::JSON),
       (SELECT t.oid FROM TYPES t WHERE t.name = regexp_replace(f.returns, '\(.*', '')),
       coalesce((SELECT string_agg((SELECT t.oid FROM TYPES t WHERE t.name = regexp_replace(a.name, '\(.*', ''))::VARCHAR, ' ' ORDER BY a.place)
                 FROM (SELECT unnest(f.argument_types::JSON::VARCHAR[]) AS name, generate_subscripts(f.argument_types::JSON::VARCHAR[], 1) AS place) a), ''),
       NULL, f.body, NULL, acls.acl, 'f' FROM nearshift.functions f JOIN nearshift.schemas s ON s.name = f.schema_name
LEFT JOIN nearshift.users u ON u.name = f.owner LEFT JOIN ACLS acls ON acls.object_kind = 'function' AND acls.object_oid = f.oid

-- pg_catalog.pg_language
-- oid oid, lanname varchar(128), lanispl boolean, lanpltrusted boolean
SELECT 14, 'sql', false, true UNION ALL SELECT 100, 'plpgsql', true, true

-- pg_catalog.pg_rewrite
-- oid oid, rulename varchar(128), ev_class oid, ev_attr smallint, ev_type char(1), is_instead boolean, ev_qual varchar(256), ev_action varchar(65535)
SELECT r.oid + 500000000, '_RETURN', r.oid, -1, '1', true, NULL, CASE kind WHEN 'view' THEN definition ELSE 'create materialized view ' || schema_name || '.' || name || ' as ' || definition END
FROM nearshift.relations r WHERE definition IS NOT NULL

-- pg_catalog.pg_inherits
-- inhrelid oid, inhparent oid, inhseqno integer
EMPTY

-- pg_catalog.pg_trigger
-- oid oid, tgrelid oid, tgname varchar(128), tgfoid oid, tgtype smallint, tgenabled char(1), tgisconstraint boolean, tgconstraint oid, tgisinternal boolean
EMPTY

-- pg_catalog.pg_collation
-- oid oid, collname varchar(128), collnamespace oid, collowner oid
EMPTY

-- pg_catalog.pg_tablespace
-- oid oid, spcname varchar(128), spcowner integer, spclocation varchar(256), spcacl varchar(256)
SELECT 1663, 'pg_default', 1, '', NULL

-- pg_catalog.pg_extension
-- oid oid, extname varchar(128), extversion varchar(128), extnamespace oid
EMPTY

-- pg_catalog.pg_tables
-- schemaname varchar(128), tablename varchar(128), tableowner varchar(128), tablespace varchar(128), hasindexes boolean, hasrules boolean, hastriggers boolean
SELECT schema_name, name, owner, NULL, false, false, false FROM nearshift.relations WHERE kind = 'table'

-- pg_catalog.pg_views
-- schemaname varchar(128), viewname varchar(128), viewowner varchar(128), definition varchar(65535)
SELECT schema_name, name, owner, CASE kind WHEN 'view' THEN definition ELSE 'create materialized view ' || schema_name || '.' || name || ' as ' || definition END
FROM nearshift.relations WHERE kind <> 'table'

-- pg_catalog.pg_proc_info
-- prooid oid, proname varchar(128), pronamespace oid, prokind char(1), prosrc varchar(65535)
SELECT p.oid, p.name, s.oid, 'p', p.text FROM nearshift.procedures p JOIN nearshift.schemas s ON s.name = p.schema_name
UNION ALL SELECT f.oid, f.name, s.oid, 'f', f.body FROM nearshift.functions f JOIN nearshift.schemas s ON s.name = f.schema_name

-- pg_catalog.pg_database
-- oid oid, datname varchar(128), datdba integer, encoding integer, datistemplate boolean, datallowconn boolean, datcollate varchar(128), datctype varchar(128), dattablespace oid, datacl varchar(256), datconnlimit integer
SELECT 100000, 'dev', 1, 6, false, true, 'C', 'C', 1663, (SELECT min(acl) FROM ACLS a WHERE a.object_kind = 'database'), -1

-- pg_catalog.pg_am
-- oid oid, amname varchar(128)
EMPTY

-- pg_catalog.svv_external_tables
-- redshift_database_name varchar(128), schemaname varchar(128), tablename varchar(128), location varchar(128), input_format varchar(128), output_format varchar(128), serialization_lib varchar(128), serde_parameters varchar(128), compressed integer, parameters varchar(128), tabletype varchar(128)
EMPTY

-- pg_catalog.svv_external_columns
-- redshift_database_name varchar(128), schemaname varchar(128), tablename varchar(128), columnname varchar(128), external_type varchar(128), columnnum integer, part_key integer, is_nullable varchar(5)
EMPTY

-- pg_catalog.pg_get_late_binding_view_cols
-- view_schema varchar(128), view_name varchar(128), col_name varchar(128), col_type varchar(128), col_num integer
SELECT r.schema_name, r.name, c.name, c.type, c.ordinal FROM nearshift.columns c JOIN nearshift.relations r ON r.oid = c.relation_oid
WHERE r.kind = 'view' AND coalesce((r.attributes::JSON ->> 'late_binding')::BOOLEAN, false)
