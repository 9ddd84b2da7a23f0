"""SHOW GRANTS: what was granted on an object, or to somebody ("SHOW GRANTS")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from nearshift.catalog.principals import DATABASE_OID, GrantEntry, Principal, PrincipalKind, Securable
from nearshift.commands import access, principals
from nearshift.errors import PermissionDenied
from nearshift.sql import statements as st

if TYPE_CHECKING:
    from nearshift.session import Session

LABELS: Final = (
    "database_name", "schema_name", "object_name", "object_type", "privilege_type", "identity_id", "identity_name", "identity_type",
    "admin_option", "privilege_scope", "grantor_name",
)  # fmt: skip
_SHOWN: Final = {Securable.RELATION: "TABLE"}


def grants(session: Session, statement: st.ShowObjects) -> Iterable[tuple[object, ...]]:
    """Return the rows of SHOW GRANTS, as far as the user may see them: superusers all, others what is theirs or about them.

    Raises PermissionDenied (42501) for what was granted to somebody else, UndefinedObject for what does not exist.
    """
    grantee = principals.principal_named(session, statement.grantee) if statement.grantee is not None else None
    if statement.kind is None and grantee is not None:
        _check_visible(session, grantee)
    wanted = None if statement.kind is None else [(one.kind, one.oid) for one in _meant(session, statement)]
    found = [
        grant
        for key, every in session.snapshot.principals.grants.items()
        if wanted is None or key in wanted
        for grant in every
        if grantee in {None, grant.grantee}
    ]
    rows = [row for grant in found if (row := _row(session, grant)) is not None]
    return sorted(rows, key=lambda row: tuple(str(cell) for cell in row))


def _check_visible(session: Session, grantee: Principal) -> None:
    rights = session.rights
    role = next((one for one in session.snapshot.principals.roles.values() if one.principal == grantee), None)
    is_owner = role is not None and rights.owns(role.owner)
    if not (rights.is_superuser or grantee in rights.principals or is_owner):
        raise PermissionDenied(f"permission denied to show the grants of {session.snapshot.principals.name_of(grantee)}")


def _meant(session: Session, statement: st.ShowObjects) -> Iterator[access.Object]:
    assert statement.kind is not None, "the parser gives a kind with ON"
    objects = (statement.parent,) if statement.parent is not None else ()
    routines = (statement.routine,) if statement.routine is not None else ()
    yield from access.objects_named(session, st.Grant(False, (), statement.kind, objects, (), routines))  # noqa: FBT003 - its first field


def _row(session: Session, grant: GrantEntry) -> tuple[object, ...] | None:
    """Return a grant as it is shown; None when its object is none that is shown, or when the user may not see it."""
    snapshot = session.snapshot
    schema: str | None = None
    name: str | None = None
    owner = ""
    if grant.kind is Securable.SYSTEM or (grant.kind is Securable.DATABASE and grant.oid == DATABASE_OID):
        name = session.house.database if grant.kind is Securable.DATABASE else None
    elif grant.kind is Securable.LANGUAGE:
        name = access.language_name(grant.oid)
    else:
        known = access.objects_of(snapshot).get((grant.kind, grant.oid))
        if known is None:
            return None
        made, schema = known
        name, owner = made.name, made.owner
        schema = schema or name
    if not (session.rights.owns(owner) or grant.grantee in session.rights.principals):
        return None
    kind = "COLUMN" if grant.column else _SHOWN.get(grant.kind, grant.kind.value.upper())
    shown = f"{name}.{grant.column}" if grant.column else name
    grantor = snapshot.principals.name_of(Principal(PrincipalKind.USER, grant.grantor))
    return (
        session.house.database, schema, shown, kind, grant.privilege, grant.grantee.oid, snapshot.principals.name_of(grant.grantee),
        grant.grantee.kind.value, grant.has_grant_option, kind, grantor,
    )  # fmt: skip
