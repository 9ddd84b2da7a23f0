"""One transaction of one connection, with what is to be told and released when it ends.

Commands say what they touch (`touch`, `touch_catalog`, `on_end`); commit and rollback see to the rest: generations of changed tables that
views read, the shared catalog, the event for subscribers, locks of views.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

from nearshift.catalog import catalog
from nearshift.catalog.current import CurrentCatalog
from nearshift.catalog.entities import Snapshot
from nearshift.clock import Clock
from nearshift.engine import Connection
from nearshift.events import Committed, Events
from nearshift.sql.relations import RelationKind

_numbers = itertools.count(1000)


class Transaction:
    """Transactions of one connection, one after the other. Used by one thread at a time."""

    def __init__(self, connection: Connection, current: CurrentCatalog, events: Events, clock: Clock) -> None:
        self.connection = connection
        self._current = current
        self._events = events
        self._clock = clock
        self._changed: set[tuple[str, str]] = set()
        self._uncounted: set[tuple[str, str]] = set()  # of those, whose generation does not tell yet
        self._own_snapshot: Snapshot | None = None
        self._is_catalog_changed = False
        self._endings: list[Callable[[bool], None]] = []
        self.number = 0
        self.started_at = clock.now()

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open."""
        return self.connection.is_in_transaction

    @property
    def snapshot(self) -> Snapshot:
        """What exists, as this transaction sees it."""
        return self._own_snapshot or self._current.snapshot

    def begin(self, *, takes_lane: bool) -> None:
        """Start a transaction."""
        self.connection.begin(takes_lane=takes_lane)
        self.number = next(_numbers)
        self.started_at = self._clock.now()

    def write(self) -> None:
        """Take the write lane for the rest of the transaction."""
        self.connection.take_lane()

    def touch(self, schema: str, name: str) -> None:
        """Note that rows of a relation change."""
        self._changed.add((schema, name))
        self._uncounted.add((schema, name))

    def touch_catalog(self) -> None:
        """Note that the catalog changed: the transaction sees its own from now on, everyone after commit."""
        self._is_catalog_changed = True
        self._own_snapshot = catalog.load(self.connection, self._current.next_version())

    def on_end(self, act: Callable[[bool], None]) -> None:
        """Run `act` when the transaction has ended, with whether it was committed."""
        self._endings.append(act)

    def commit(self) -> None:
        """Make everything visible and tell; when it raises, nothing was kept."""
        is_committed = False
        try:
            self.count_changes()
            self.connection.commit()
            is_committed = True
            if self._is_catalog_changed:
                self._current.reload()
            if self._changed or self._is_catalog_changed:
                names = frozenset(f"{schema}.{name}" for schema, name in self._changed)
                self._events.publish(Committed(names, self._clock.now()))
        except BaseException:
            self.connection.rollback()
            raise
        finally:
            self._end(is_committed=is_committed)

    def rollback(self) -> None:
        """Undo everything; harmless without a transaction."""
        try:
            self.connection.rollback()
        finally:
            self._end(is_committed=False)

    def count_changes(self) -> None:
        """Let views that read a changed table see that it changed; views themselves count their own batches.

        Done at commit, and before a refresh in the same transaction, which must take the changes in.
        """
        snapshot = self.snapshot
        uncounted, self._uncounted = self._uncounted, set()
        for key in uncounted:
            relation = snapshot.relations.get(key)
            if relation is not None and relation.kind is RelationKind.TABLE and snapshot.dependents(*key):
                state = catalog.view_state(self.connection, relation.oid)
                catalog.set_view_state(self.connection, relation.oid, dataclasses.replace(state, generation=state.generation + 1))

    def _end(self, *, is_committed: bool) -> None:
        self._changed = set()
        self._uncounted = set()
        self._own_snapshot = None
        self._is_catalog_changed = False
        endings, self._endings = self._endings, []
        for act in endings:
            act(is_committed)
