"""Who opened the transaction that a procedure runs in, and so who may end it.

Redshift has no savepoints. An atomic procedure lives in one transaction; a NONATOMIC one has none of its own, each of its statements is one
("Managing transactions"). The table of cases stands in docs/design/0003-exceptions-without-savepoints.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

from nearshift.errors import InvalidSql
from nearshift.plpgsql.runner import Runner, Step

ATOMIC_HINT = (
    "Try calling the procedure as a top-level call i.e. not from within an explicit transaction block. Or, if this procedure (or one of "
    "its ancestors in the call chain) was created with SET config options, recreate the procedure without them."
)


class Owner(Enum):
    """Who opened the transaction."""

    NOBODY = "none is open"
    CALLER = "the user's BEGIN"
    PROCEDURE = "an atomic procedure"
    BLOCK = "START TRANSACTION in a NONATOMIC procedure"
    STATEMENT = "one statement of a NONATOMIC procedure"


class Transaction:
    """The transaction of one top-level CALL and of the calls inside it. `on_end` is told whenever one ends, however it ends."""

    def __init__(self, runner: Runner, on_end: Callable[[], None], *, is_in_block: bool) -> None:
        self._runner = runner
        self._on_end = on_end
        self._is_in_block = is_in_block
        self.owner = Owner.CALLER if is_in_block else Owner.NOBODY

    @property
    def is_open(self) -> bool:
        """Whether statements run in a transaction now."""
        return self.owner is not Owner.NOBODY

    def begin(self, owner: Owner) -> None:
        """Open one; none may be open."""
        assert not self.is_open
        self._runner.transact(Step.BEGIN)
        self.owner = owner

    def commit(self) -> None:
        """Commit what is open; the user's block goes on with a new transaction."""
        self._end(Step.COMMIT)

    def rollback(self) -> None:
        """Undo what is open; the user's block goes on with a new transaction."""
        self._end(Step.ROLLBACK)

    def abandon(self) -> None:
        """Undo what is open, if anything is, and leave none open, not even the user's."""
        if self.is_open:
            self.owner = Owner.NOBODY
            self._on_end()
            self._runner.transact(Step.ROLLBACK)

    def restart(self) -> None:
        """After an error in a NONATOMIC procedure: undo what is open; inside the user's block begin anew."""
        self.abandon()
        if self._is_in_block:
            self.begin(Owner.CALLER)

    def _end(self, step: Step) -> None:
        if not self.is_open:
            return
        owner, self.owner = self.owner, Owner.NOBODY
        if owner is not Owner.STATEMENT:
            self._on_end()
        try:
            self._runner.transact(step)
        except BaseException:
            # A commit that failed has undone everything: nothing is open, and the user's block cannot go on.
            self.owner = Owner.NOBODY
            raise
        if owner is Owner.CALLER:
            self.begin(owner)

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Run one statement in what is open, or in a transaction of its own that commits with it."""
        if self.is_open:
            yield
            return
        self.begin(Owner.STATEMENT)
        try:
            yield
        except BaseException:
            self.abandon_statement()
            raise
        if self.owner is Owner.STATEMENT:
            self._end(Step.COMMIT)

    def abandon_statement(self) -> None:
        """Undo a statement's own transaction after its error."""
        if self.owner is Owner.STATEMENT:
            self.owner = Owner.NOBODY
            self._runner.transact(Step.ROLLBACK)


def atomic_context_error(what: str) -> InvalidSql:
    """Return the documented error for COMMIT, ROLLBACK or TRUNCATE where the caller owns the transaction."""
    message = f"{what} cannot be invoked from a procedure that is executing in an atomic context."
    return InvalidSql(message, sqlstate="2D000", hint=ATOMIC_HINT)
