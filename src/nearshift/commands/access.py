"""Users, groups, roles and privileges.

A warehouse has one user so far, the administrator who owns everything. What would be true with one user is accepted; what would need a
second one is refused, since a privilege that is noted and not enforced would be a lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearshift.errors import NotSupported, UndefinedObject
from nearshift.results import Result
from nearshift.sql import statements as st
from nearshift.sql.names import fold

if TYPE_CHECKING:
    from nearshift.session import Session


def change_access(session: Session, statement: Any) -> Result:
    """Run GRANT and REVOKE to the administrator or PUBLIC; refuse statements that need other principals."""
    match statement:
        case st.Grant():
            for grantee in statement.grantees:
                _check(session, grantee)
            return Result("REVOKE" if statement.is_revoke else "GRANT")
        case st.DefaultPrivileges(grant=grant):
            for grantee in grant.grantees:
                _check(session, grantee)
            return Result("ALTER DEFAULT PRIVILEGES")
        case st.GrantRole():
            raise NotSupported("roles are not supported yet", hint="Connect as the administrator.")
        case st.UserChange() | st.GroupChange() | st.RoleChange():
            raise NotSupported("users, groups and roles cannot be changed yet", hint="Connect as the administrator.")
        case st.CreateFunction():
            raise NotSupported("user-defined functions are not supported yet", hint="Write the expression out, or use a procedure.")
        case _:
            raise NotSupported("this statement is not supported")


def _check(session: Session, grantee: st.Grantee) -> None:
    if grantee.kind is st.GranteeKind.PUBLIC or grantee.name is None:
        return
    folded = fold(grantee.name.text, grantee.name.is_quoted, session.settings.rules)
    if grantee.kind is not st.GranteeKind.USER or folded != session.house.admin:
        kind = grantee.kind.value.lower()
        raise UndefinedObject(f'{kind} "{folded}" does not exist', sqlstate="42704", span=grantee.name.span)
