"""The transactions of one session: begun for its statements, shared by those of a block, and ended after them.

`transaction` knows what a commit does; here is what a session keeps beside it, and must bring back or forget with it: settings, cursors
and temporary tables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from nearshift import limits
from nearshift.blocks import Block, BlockKind
from nearshift.catalog.entities import RelationEntry
from nearshift.commands.cursors import Cursor
from nearshift.errors import NearshiftError
from nearshift.results import Result, Severity
from nearshift.settings import Settings
from nearshift.sql import statements as st
from nearshift.transaction import Transaction


class SessionTransactions:
    """Used by one thread at a time; the session sees to that."""

    def __init__(
        self,
        tx: Transaction,
        settings: Settings,
        temporary: dict[str, RelationEntry],
        cursors: dict[str, Cursor],
        notice: Callable[[Severity, str], None],
    ) -> None:
        self._tx = tx
        self._settings = settings
        self._temporary = temporary
        self._cursors = cursors
        self._notice = notice
        self.block = Block()

    def begin(self, *, takes_lane: bool) -> None:
        """Start a transaction, to which changes of settings belong."""
        self._tx.begin(takes_lane=takes_lane)
        self._settings.transaction_begun()

    def begin_here(self) -> None:
        """Open a transaction with the lane, unless one is open."""
        if not self._tx.is_open:
            self.begin(takes_lane=True)

    def commit(self) -> None:
        """Keep what the open transaction did. Raises what a commit raises; then nothing was kept."""
        try:
            self._tx.commit()
        except NearshiftError:
            self._settings.transaction_ended(is_committed=False)
            raise
        self._settings.transaction_ended(is_committed=True)

    def commit_here(self) -> None:
        """End the transaction in the middle of a statement (TRUNCATE, COMMIT in a procedure) and begin the next."""
        self.commit()
        self._cursors.clear()
        if self.block.is_explicit:
            self.begin(takes_lane=True)

    def roll_back(self) -> None:
        """Undo the open transaction, and forget cursors and the temporary tables it made."""
        self._tx.rollback()
        self._settings.transaction_ended(is_committed=False)
        self._forget_temporary()
        self._cursors.clear()

    def begin_block(self, statement: st.Begin) -> Result:
        """Run BEGIN; in the user's block it is a warning."""
        if self.block.is_explicit:
            self._notice(Severity.WARNING, "there is already a transaction in progress")
            return Result("BEGIN")
        if not self._tx.is_open:
            self.begin(takes_lane=False)
        self.block.kind, self.block.batch_count = BlockKind.EXPLICIT, 0
        if statement.is_read_only:
            self._settings.set_local("transaction_read_only", "on")
        return Result("BEGIN")

    def commit_block(self) -> Result:
        """Run COMMIT; of a block that has failed it is a rollback."""
        self._warn_without_block()
        is_commit = not self.block.is_failed
        self.end_block(is_commit=is_commit)
        return Result("COMMIT" if is_commit else "ROLLBACK")

    def roll_back_block(self) -> Result:
        """Run ROLLBACK."""
        self._warn_without_block()
        self.end_block(is_commit=False)
        return Result("ROLLBACK")

    def end_block(self, *, is_commit: bool) -> None:
        """End the block of either kind, with its transaction if one is open. Raises what a commit raises."""
        self.block.end()
        if not self._tx.is_open:
            return
        if not is_commit:
            self.roll_back()
            return
        self._cursors.clear()
        try:
            self.commit()
        except NearshiftError:
            self._forget_temporary()
            raise

    def end_idle(self, seconds: float, *, is_snapshot_unwanted: bool) -> bool:
        """Roll back a block that has waited for so many seconds, if that is too long; return whether it was.

        Too long is `idle_in_transaction_session_timeout` where it is set, and IDLE_IN_TRANSACTION_SECONDS_MAX for a block that holds the
        write lane, since streams and all other writers wait behind it, or whose snapshot is in the way of folding the log.
        """
        own = int(self._settings.get("idle_in_transaction_session_timeout")) / 1000
        is_in_the_way = self._tx.connection.has_lane or is_snapshot_unwanted
        is_over = (0 < own < seconds) or (is_in_the_way and seconds > limits.IDLE_IN_TRANSACTION_SECONDS_MAX)
        if not is_over or not self._tx.is_open or not self.block.is_open:
            return False
        self.roll_back()
        self.block.is_failed = self.block.was_idle = True
        return True

    @contextlib.contextmanager
    def described(self) -> Iterator[None]:
        """Give a description a snapshot of its own when no transaction is open."""
        is_own = not self._tx.is_open
        if is_own:
            self._tx.begin(takes_lane=False)
        try:
            yield
        except NearshiftError:
            if not is_own:
                self.block.fail()
            raise
        finally:
            if is_own:
                self._tx.rollback()

    def _warn_without_block(self) -> None:
        if not self.block.is_explicit:
            self._notice(Severity.WARNING, "there is no transaction in progress")

    def _forget_temporary(self) -> None:
        """Drop from memory the temporary tables that a rollback took away."""
        if not self._temporary:
            return
        present = {name for (name,) in self._tx.connection.rows("SELECT table_name FROM duckdb_tables() WHERE temporary")}
        gone = [name for name, entry in self._temporary.items() if entry.attributes["table"] not in present]
        for name in gone:
            del self._temporary[name]
