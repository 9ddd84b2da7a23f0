"""Tables about privileges that several system views read: DuckDB text over the catalog's own tables, by the word that stands for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Everybody who can be granted something, by kind and oid.
_IDENTITIES: Final = """(
    SELECT 'user' AS kind, oid, name FROM nearshift.users UNION ALL SELECT 'group', oid, name FROM nearshift.groups
    UNION ALL SELECT 'role', oid, name FROM nearshift.roles UNION ALL SELECT 'public', 0, 'public')"""
# Whose rights each user has: its own, PUBLIC's, those of its groups and roles, and of the roles in those. `access.rights` says the same.
_MEMBERS: Final = """(
    WITH RECURSIVE member(user_oid, kind, oid) AS (
        SELECT oid, 'user', oid FROM nearshift.users
        UNION SELECT m.user_oid, x.kind, x.oid
        FROM member m JOIN nearshift.memberships x ON x.member_kind = m.kind AND x.member_oid = m.oid)
    SELECT user_oid, kind, oid FROM member UNION ALL SELECT oid, 'public', 0 FROM nearshift.users)"""
# PostgreSQL's text of the privileges on an object, with Redshift's letters: {grantee=privileges/grantor,…}; * marks the grant option.
_ACLS: Final = """(
    SELECT object_kind, object_oid, column_name, '{' || string_agg(item, ',' ORDER BY item) || '}' AS acl FROM (
        SELECT g.object_kind, g.object_oid, g.column_name,
            CASE g.grantee_kind WHEN 'public' THEN '' WHEN 'user' THEN i.name ELSE g.grantee_kind || ' ' || i.name END || '='
            || string_agg(l.letter || CASE WHEN g.has_grant_option THEN '*' ELSE '' END, '' ORDER BY l.place) || '/' || min(u.name) AS item
        FROM nearshift.grants g JOIN IDENTITIES i ON i.kind = g.grantee_kind AND i.oid = g.grantee_oid
        JOIN (VALUES
            ('INSERT', 'a', 1), ('SELECT', 'r', 2), ('UPDATE', 'w', 3), ('DELETE', 'd', 4), ('DROP', 'D', 5), ('REFERENCES', 'x', 6),
            ('ALTER', 'A', 7), ('TRUNCATE', 't', 8), ('EXECUTE', 'X', 9), ('USAGE', 'U', 10), ('CREATE', 'C', 11), ('TEMP', 'T', 12)
        ) AS l(privilege, letter, place) ON l.privilege = g.privilege
        LEFT JOIN nearshift.users u ON u.oid = g.grantor_oid
        GROUP BY g.object_kind, g.object_oid, g.column_name, g.grantee_kind, i.name) GROUP BY ALL)"""

TEXTS: Final[Mapping[str, str]] = {"ACLS": _ACLS.replace("IDENTITIES", _IDENTITIES), "IDENTITIES": _IDENTITIES, "MEMBERS": _MEMBERS}
