"""What one user may do in one snapshot of the catalog.

Rights add up ("Managing database security"): those of the user, of its groups, of PUBLIC, and of its roles with the roles in them. Owners
may do everything with what is theirs, superusers everything. Nothing here reads the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from nearshift.catalog.entities import RESERVED_SCHEMAS, Snapshot
from nearshift.catalog.principals import DATABASE_OID, PUBLIC, GrantEntry, Membership, Principal, Principals, Securable, UserEntry


def memberships_of(principals: Principals, start: Principal) -> frozenset[Principal]:
    """Return whose rights a principal has: itself, PUBLIC, its groups, its roles, the roles in those, and so on."""
    wholes: Mapping[Principal, list[Principal]] = _wholes(principals.memberships)
    found, waiting = {start, PUBLIC}, [start]
    while waiting:
        for whole in wholes.get(waiting.pop(), ()):
            if whole not in found:
                found.add(whole)
                waiting.append(whole)
    return frozenset(found)


def _wholes(memberships: Iterable[Membership]) -> dict[Principal, list[Principal]]:
    found: dict[Principal, list[Principal]] = defaultdict(list)
    for one in memberships:
        found[one.member].append(one.whole)
    return found


class Rights:
    """See the module. A user who is not in the snapshot has those of nobody, not even PUBLIC's."""

    def __init__(self, snapshot: Snapshot, user: str) -> None:
        self.snapshot = snapshot
        self.user = user
        self.entry: UserEntry | None = snapshot.principals.users.get(user)
        self.is_superuser = self.entry is not None and self.entry.is_superuser
        self._usable: dict[tuple[str, ...], tuple[str, ...]] = {}

    @cached_property
    def principals(self) -> frozenset[Principal]:
        """Whose rights the user has."""
        return memberships_of(self.snapshot.principals, self.entry.principal) if self.entry is not None else frozenset()

    def owns(self, owner: str) -> bool:
        """Tell whether the user has an owner's rights."""
        return self.is_superuser or (self.entry is not None and owner == self.user)

    def has_system(self, *permissions: str) -> bool:
        """Tell whether the user was granted one of these permissions to run commands, by a role."""
        return self.is_superuser or any(
            grant.grantee in self.principals and grant.privilege in permissions for grant in self._grants(Securable.SYSTEM, 0)
        )

    def may(self, privilege: str, kind: Securable, oid: int, owner: str, columns: frozenset[str] | None = None) -> bool:
        """Tell whether the user has a privilege on an object; with `columns`, on those columns at least.

        No columns at all (`count(*)`) need the privilege on any one of them, as in PostgreSQL.
        """
        if self.owns(owner):
            return True
        own = [g for g in self._grants(kind, oid) if g.privilege == privilege and g.grantee in self.principals]
        if any(not grant.column for grant in own):
            return True
        if columns is None:
            return False
        granted = {grant.column for grant in own}
        return columns <= granted and bool(granted)

    def may_grant(self, privilege: str, kind: Securable, oid: int, owner: str, column: str = "") -> bool:
        """Tell whether the user may grant a privilege on: by ownership, or with the grant option."""
        return self.owns(owner) or any(
            grant.has_grant_option and grant.privilege == privilege and grant.column in {"", column} and grant.grantee in self.principals
            for grant in self._grants(kind, oid)
        )

    def may_on_schema(self, privilege: str, name: str) -> bool:
        """Tell whether the user has CREATE, USAGE, … on a schema; system schemas may be used by everybody, others that do not exist too."""
        schema = self.snapshot.schemas.get(name)
        if schema is None:
            return privilege == "USAGE" or name not in RESERVED_SCHEMAS
        return self.may(privilege, Securable.SCHEMA, schema.oid, schema.owner)

    def usable(self, schemas: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the schemas on a search path that the user may use."""
        if self.is_superuser:
            return schemas
        found = self._usable.get(schemas)
        if found is None:
            found = self._usable[schemas] = tuple(schema for schema in schemas if self.may_on_schema("USAGE", schema))
        return found

    def may_on_database(self, privilege: str) -> bool:
        """Tell whether the user has CREATE or TEMP on the database, which belongs to the administrator."""
        return self.may(privilege, Securable.DATABASE, DATABASE_OID, "")

    def administers(self, role: Principal, owner: str) -> bool:
        """Tell whether the user may grant a role: it is theirs, or they have it with the admin option."""
        return self.owns(owner) or any(
            one.whole == role and one.has_admin_option and one.member in self.principals
            for one in self.snapshot.principals.memberships
        )

    def _grants(self, kind: Securable, oid: int) -> tuple[GrantEntry, ...]:
        return self.snapshot.principals.grants.get((kind, oid), ())
