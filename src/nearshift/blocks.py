"""What kind of transaction the next statement stands in, and whether it can run there.

A statement alone is its own transaction. Several in one script, and several of the extended protocol before one Sync, are an implicit
block: all or nothing, as in PostgreSQL ("Multiple Statements in a Simple Query", "Pipelining"). BEGIN opens an explicit one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nearshift.errors import Conflict
from nearshift.results import TransactionStatus


class BlockKind(Enum):
    """Who opened the block."""

    NONE = "none"
    IMPLICIT = "implicit"
    EXPLICIT = "explicit"


@dataclass(slots=True)
class Block:
    """The block of one session: an explicit one can fail, and was idle when it was rolled back for waiting too long."""

    kind: BlockKind = BlockKind.NONE
    batch_count: int = 0  # statements of the batch so far, 0 in a script
    is_failed: bool = False
    was_idle: bool = False

    @property
    def is_open(self) -> bool:
        """Whether statements belong to a block."""
        return self.kind is not BlockKind.NONE

    @property
    def is_shared(self) -> bool:
        """Whether the running statement shares its transaction with others; the first of a batch may yet be the only one."""
        return self.is_open and self.batch_count != 1

    @property
    def is_explicit(self) -> bool:
        """Whether the user's BEGIN is open."""
        return self.kind is BlockKind.EXPLICIT

    @property
    def is_implicit(self) -> bool:
        """Whether a script or a pipelined batch is under way."""
        return self.kind is BlockKind.IMPLICIT

    @property
    def status(self) -> TransactionStatus:
        """Where the session stands, for ReadyForQuery."""
        if self.is_failed:
            return TransactionStatus.FAILED
        return TransactionStatus.OPEN if self.is_explicit else TransactionStatus.IDLE

    def open_implicit(self) -> None:
        """Let the statements that follow be one transaction, unless they stand in the user's own."""
        if not self.is_explicit:
            self.kind, self.batch_count = BlockKind.IMPLICIT, 0

    def open_batch(self, *, is_own: bool) -> None:
        """Count a statement of a batch; one with transactions of its own (`is_own`) does not begin a block, but stands in one."""
        if self.is_explicit:
            return
        if not is_own or self.is_implicit:
            self.kind = BlockKind.IMPLICIT
            self.batch_count += 1

    def fail(self) -> None:
        """Refuse everything until ROLLBACK; outside of an explicit block nothing is left to refuse."""
        self.is_failed = self.is_failed or self.is_explicit

    def end(self) -> None:
        """No block is open from here on."""
        self.kind = BlockKind.NONE
        self.batch_count = 0
        self.is_failed = self.was_idle = False

    def refusal(self) -> Conflict:
        """Return the error of a statement in a block that has failed."""
        if self.was_idle:
            return Conflict(
                "the transaction was rolled back, since it was idle for too long",
                sqlstate="25P03",
                detail="A transaction that has written, and then waits, holds up all other writers and the streams.",
                hint="Send ROLLBACK and begin again; keep transactions short.",
            )
        message = "current transaction is aborted, commands ignored until end of transaction block"
        return Conflict(message, sqlstate="25P02", hint="Send ROLLBACK.")
