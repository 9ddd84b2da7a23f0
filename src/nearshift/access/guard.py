"""The guard of one session: remembers what was allowed, so that a statement that runs again costs a look into a set.

What was decided holds for one version of the catalog: a GRANT or REVOKE of anybody makes a new version, and everything is decided anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from nearshift.access.deciding import decide_uses
from nearshift.access.rights import Rights
from nearshift.catalog.entities import RelationEntry, Snapshot
from nearshift.errors import PermissionDenied
from nearshift.sql.relations import Lowered, Use

_ALLOWED_MAX: Final = 2000


class Expander(Protocol):
    """Who translates the query of a plain view."""

    def __call__(self, snapshot: Snapshot, view: RelationEntry, /) -> Lowered:
        """Return the translation."""
        ...


class Guard:
    """See the module. Used by one thread at a time."""

    def __init__(self, snapshot: Callable[[], Snapshot], expand: Expander) -> None:
        self._snapshot = snapshot
        self._expand = expand
        self._version = -1
        self._rights: dict[str, Rights] = {}
        self._allowed: set[tuple[str, frozenset[Use], frozenset[int]]] = set()

    def rights(self, user: str) -> Rights:
        """Return what a user may do now."""
        snapshot = self._snapshot()
        if snapshot.version != self._version:
            self._version = snapshot.version
            self._rights.clear()
            self._allowed.clear()
        found = self._rights.get(user)
        if found is None:
            found = self._rights[user] = Rights(snapshot, user)
        return found

    def check_user(self, user: str) -> None:
        """Raise PermissionDenied (42501) when `user` was dropped meanwhile."""
        if self.rights(user).entry is None:
            raise PermissionDenied(f'user "{user}" does not exist', hint="The user was dropped: connect as another one.")

    def check(self, user: str, lowered: Lowered) -> None:
        """Raise PermissionDenied (42501) when `user` may not run a translated statement."""
        own = self.rights(user)
        if own.is_superuser:
            return
        key = (user, lowered.uses, lowered.calls)
        if key in self._allowed:
            return
        snapshot = own.snapshot
        refusal = decide_uses(snapshot, self.rights, user, lowered, lambda view: self._expand(snapshot, view))
        if refusal is not None:
            raise refusal
        if len(self._allowed) >= _ALLOWED_MAX:
            self._allowed.clear()
        self._allowed.add(key)
