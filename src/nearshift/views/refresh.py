"""Refreshing materialized views: streaming ones from their stream, derived ones by delta or anew, and the words that Redshift says.

Everything here happens inside the caller's open transaction, except `refresh_in_background`, which brings its own. Messages and status
texts are those of "REFRESH MATERIALIZED VIEW" and "SVL_MV_REFRESH_STATUS".
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from nearshift import limits, storage
from nearshift.access.deciding import decide_view
from nearshift.catalog import catalog
from nearshift.catalog.entities import RelationEntry, Snapshot, ViewState
from nearshift.clock import Clock
from nearshift.engine import Connection, Engine
from nearshift.errors import Conflict, InvalidSql, NearshiftError
from nearshift.faults import crash_point
from nearshift.sql.relations import Lowered, RelationKind
from nearshift.transaction import Transaction
from nearshift.values import set_session_values
from nearshift.views import streaming
from nearshift.views.delta import Full, Nothing, Range, decide_range
from nearshift.views.feed import Feed
from nearshift.views.intake import Intake
from nearshift.views.replay import Choice, Replayed, put_through
from nearshift.views.streaming import Rejected, Taken

log = logging.getLogger("nearshift.refresh")

# The widths of kinesis_data and kafka_value in a streaming view ("VARBYTE type").
RECORD_BYTES_MAX = limits.MIB
KAFKA_BYTES_MAX = 16 * limits.MIB

Translate = Callable[[Snapshot, RelationEntry, dict[tuple[str, str], str]], Lowered]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a refresh came to: the message for the client, the status for the history, the rows gained."""

    message: str
    status: str
    row_count: int = 0
    is_full: bool = False
    reason: str | None = None
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Refresher:
    """How views are refreshed in one warehouse: the engine for screening, the translation of a view's query, and its feed."""

    engine: Engine
    clock: Clock
    translate: Translate
    feed_of: Callable[[Snapshot, RelationEntry], Feed]
    session_value: Callable[[str], object]
    accepts_gaps: bool = False
    fails_on_errors: bool = False  # as Redshift does; else a record on which a streaming view's SELECT fails goes to the quarantine

    def refresh(self, tx: Transaction, view: RelationEntry) -> Outcome:
        """Bring one view up to date in the open transaction `tx`, which has the lane."""
        started = self.clock.now()
        use_zone(tx.connection, view)
        tx.count_changes()
        if view.kind is RelationKind.STREAMING_VIEW:
            outcome = self._stream(tx, view)
        elif view.kind is RelationKind.DERIVED_VIEW:
            outcome = self._derive(tx, view)
        else:
            raise InvalidSql(f'"{view.name}" is not a materialized view', sqlstate="42809")
        note_refresh(tx.connection, view, outcome, "Manual", started, self.clock.now(), tx.number)
        return outcome

    def refresh_upstream(self, tx: Transaction, view: RelationEntry) -> None:
        """Refresh what the view reads, lowest first, without the view itself (CASCADE goes upstream only)."""
        for key in view.bases:
            base = tx.snapshot.relations.get(key)
            if base is not None and base.kind in {RelationKind.STREAMING_VIEW, RelationKind.DERIVED_VIEW}:
                self.refresh_upstream(tx, base)
                self.refresh(tx, base)

    def _stream(self, tx: Transaction, view: RelationEntry) -> Outcome:
        feed = self.feed_of(tx.snapshot, view)
        feed.hold(limits.LANE_WAIT_SECONDS_MAX)
        tx.on_end(lambda is_committed: _release(feed, is_committed=is_committed))
        total = Taken()
        while True:
            intake = feed.fetch(streaming.checkpoints(tx.connection, view.oid), may_go_on=self.accepts_gaps)
            if not intake.is_worth_a_commit:
                break
            try:
                rejected = None if self.fails_on_errors else self.find_rejected(tx.snapshot, view, intake)
                taken = self.take_in(tx, view, intake, rejected)
            except NearshiftError as error:
                self._note_at_end(tx, view, error)
                raise
            feed.stored()
            total = total.plus(taken)
            if intake.is_complete:
                break
        return streamed(view, total, is_complete=True)

    def _note_at_end(self, tx: Transaction, view: RelationEntry, error: NearshiftError) -> None:
        """Write a failure into the history once the caller's transaction, which is lost, has ended and left the lane."""
        if _is_of_a_record(error):
            now, number = self.clock.now(), tx.number
            tx.on_end(lambda _is_committed: self.note_failure(view, error, now, number))

    def find_rejected(self, snapshot: Snapshot, view: RelationEntry, intake: Intake) -> list[Rejected]:
        """Return the records of an intake that the view cannot store, each with its reason, by trying them all on a connection of its own.

        Needs neither a transaction nor the write lane, and should be called without: many bad records take long to tell apart.
        """
        records = streaming.record_table(intake, self.clock.now())
        return streaming.screen(self.engine, self.translate(snapshot, view, {}), records, width_of(snapshot, view))

    def take_in(self, tx: Transaction, view: RelationEntry, intake: Intake, rejected: list[Rejected] | None) -> Taken:
        """Store one intake without the records that `find_rejected` named; None when nobody has looked for them.

        Raises DataError for another record on which the view's SELECT fails.
        """
        use_zone(tx.connection, view)
        lowered = self.translate(tx.snapshot, view, {})
        now = self.clock.now()
        state = catalog.view_state(tx.connection, view.oid)
        records = streaming.record_table(intake, streaming.next_refresh_time(state, now))
        if rejected is None:
            width = width_of(tx.snapshot, view)
            rejected = streaming.oversize(records, width)
            if rejected and not self.fails_on_errors:
                rejected = streaming.screen(self.engine, lowered, records, width)
        return streaming.store(tx, view, lowered, intake, records, rejected, state, now)

    def replay(self, tx: Transaction, view: RelationEntry, choice: Choice, *, is_dry_run: bool = False) -> Replayed:
        """Put quarantined records of a streaming view through it again in the open transaction `tx`, which has the lane.

        Raises InvalidSql (42809) for any other relation.
        """
        if view.kind is not RelationKind.STREAMING_VIEW:
            raise InvalidSql(f'"{view.name}" is not a streaming materialized view', sqlstate="42809")
        started = self.clock.now()
        use_zone(tx.connection, view)
        lowered = self.translate(tx.snapshot, view, {})
        width = width_of(tx.snapshot, view)
        found = put_through(self.engine, tx, view, lowered, choice, width, started, is_dry_run=is_dry_run)
        if found.stored and not is_dry_run:
            outcome = dataclasses.replace(streamed(view, Taken(found.stored, found.stored), is_complete=True), reason="replay")
            note_refresh(tx.connection, view, outcome, "Manual", started, self.clock.now(), tx.number)
        return found

    def note_failure(self, view: RelationEntry, error: NearshiftError, started: datetime, transaction: int) -> None:
        """Write a manual refresh that failed into the history, in a transaction of its own: the refresh's own is undone."""
        connection = self.engine.connect()
        try:
            connection.begin(takes_lane=True)
            note_refresh(connection, view, failed_outcome(error), "Manual", started, self.clock.now(), transaction)
            connection.commit()
        except Conflict as conflict:
            log.warning("could not note that the refresh of %s failed: %s", view.label, conflict.message)
        finally:
            connection.close()

    def _derive(self, tx: Transaction, view: RelationEntry) -> Outcome:
        state = catalog.view_state(tx.connection, view.oid)
        if state.broken:
            message = f"materialized view {view.name} cannot be refreshed: {state.broken}"
            raise InvalidSql(message, sqlstate="55000", hint="Drop and create it again.")
        refusal = decide_view(tx.snapshot, view, lambda entry: self.translate(tx.snapshot, entry, {}))
        if refusal is not None:
            raise refusal
        if not state.is_incremental:
            return self._recompute(tx, view, state, state.reason or "its query cannot be kept by delta")
        base = tx.snapshot.relations[view.bases[0]]
        base_state = catalog.view_state(tx.connection, base.oid)
        decision = decide_range(state.base_marks.get(base.label), base_state.generation, base_state.last_batch)
        match decision:
            case Nothing():
                return self._fresh(tx, view, base)
            case Full(reason):
                return self._recompute(tx, view, state, reason)
            case Range(after, to):
                return self._append(tx, view, state, base, base_state, (after, to))

    def _append(
        self, tx: Transaction, view: RelationEntry, state: ViewState, base: RelationEntry, base_state: ViewState, batches: tuple[int, int]
    ) -> Outcome:
        assert view.storage is not None, "a materialized view has storage"
        assert base.storage is not None, "a materialized view has storage"
        storage.set_range(tx.connection, *batches)
        lowered = self.translate(tx.snapshot, view, {base.key: storage.range_of(base.storage)})
        batch = state.last_batch + 1
        count = tx.connection.execute(storage.append_query(view.storage, lowered.sql, batch))
        crash_point("delta.rows")
        marks = {base.label: (base_state.generation, base_state.last_batch)}
        now = self.clock.now().replace(tzinfo=None)
        last = batch if count else state.last_batch
        catalog.set_view_state(
            tx.connection, view.oid, dataclasses.replace(state, last_batch=last, base_marks=marks, last_refresh_time=now)
        )
        if count:
            tx.touch(view.schema, view.name)
        return Outcome(
            f"Materialized view {view.name} was incrementally updated successfully.", "Refresh successfully updated MV incrementally", count
        )

    def _recompute(self, tx: Transaction, view: RelationEntry, state: ViewState, reason: str) -> Outcome:
        marks = {}
        for key in view.bases:
            base = tx.snapshot.relations.get(key)
            if base is not None:
                base_state = catalog.view_state(tx.connection, base.oid)
                marks[base.label] = (base_state.generation, base_state.last_batch)
        is_known = bool(state.last_batch) and not state.is_incremental and marks == state.base_marks
        if is_known and not view.attributes.get("mutable"):
            return self._fresh(tx, view, None)
        assert view.storage is not None, "a materialized view has storage"
        tx.connection.execute(storage.delete_all(view.storage))
        lowered = self.translate(tx.snapshot, view, {})
        set_session_values(tx.connection, lowered.sql, self.session_value)
        batch = state.last_batch + 1
        count = tx.connection.execute(storage.append_query(view.storage, lowered.sql, batch))
        now = self.clock.now().replace(tzinfo=None)
        catalog.set_view_state(
            tx.connection,
            view.oid,
            dataclasses.replace(state, last_batch=batch, generation=state.generation + 1, base_marks=marks, last_refresh_time=now),
        )
        tx.touch(view.schema, view.name)
        return Outcome(
            f"Materialized view {view.name} was recomputed successfully.",
            "Refresh successfully recomputed MV from scratch",
            count,
            is_full=True,
            reason=reason,
        )

    def _fresh(self, tx: Transaction, view: RelationEntry, base: RelationEntry | None) -> Outcome:
        message = f"Materialized view {view.name} is already up to date."
        if base is not None and base.kind is RelationKind.DERIVED_VIEW and is_stale(tx, base):
            message += "  However, it depends on another materialized view that is not up to date."
        return Outcome(message, "MV was already updated")


def use_zone(connection: Connection, view: RelationEntry) -> None:
    """Have times cast in the zone of the session that made the view, whoever refreshes it: its rows must not depend on that."""
    connection.set_time_zone(dict(view.attributes.get("settings", {})).get("timezone", "UTC"))


def width_of(snapshot: Snapshot, view: RelationEntry) -> int:
    """Return how many bytes a record of a streaming view may have."""
    return RECORD_BYTES_MAX if snapshot.schemas[view.bases[0][0]].is_kinesis else KAFKA_BYTES_MAX


def is_stale(tx: Transaction, view: RelationEntry) -> bool:
    """Return whether a base of a derived view changed since the view took it in."""
    state = catalog.view_state(tx.connection, view.oid)
    for key in view.bases:
        base = tx.snapshot.relations.get(key)
        if base is None:
            continue
        base_state = catalog.view_state(tx.connection, base.oid)
        if state.base_marks.get(base.label, (0, 0)) != (base_state.generation, base_state.last_batch):
            return True
        if base.kind is RelationKind.DERIVED_VIEW and is_stale(tx, base):
            return True
    return False


def streamed(view: RelationEntry, taken: Taken, *, is_complete: bool) -> Outcome:
    """Return the outcome of a streaming refresh ("SYS_MV_REFRESH_HISTORY": the qualifiers of streaming views)."""
    base = "Refresh successfully updated MV incrementally"
    qualifier = ""
    if taken.read == 0:
        qualifier = ". Stream returned no new data"
    elif taken.stored == 0 and taken.dropped == taken.read:
        qualifier = ". All records received from the stream were skipped"
    elif taken.dropped:
        qualifier = ". Some stream records were skipped"
    elif not is_complete:
        qualifier = ". The stream may contain more data"
    message = f"Materialized view {view.name} was incrementally updated successfully."
    return Outcome(message, base + qualifier, taken.stored, is_complete=is_complete)


def failed_outcome(error: NearshiftError) -> Outcome:
    """Return what the history says of a refresh that failed."""
    return Outcome("", "Refresh failed due to an internal error", reason=error.message)


def note_refresh(
    connection: Connection, view: RelationEntry, outcome: Outcome, kind: str, started: datetime, ended: datetime, transaction: int
) -> None:
    """Write a refresh into the history."""
    connection.execute(
        "INSERT INTO nearshift.refreshes VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        [
            view.oid, view.schema, view.name, view.owner, 0, kind, outcome.status, started.replace(tzinfo=None), ended.replace(tzinfo=None),
            outcome.row_count, transaction, outcome.is_full, outcome.reason,
        ],
    )  # fmt: skip


def _release(feed: Feed, *, is_committed: bool) -> None:
    if not is_committed:
        feed.reset()
    feed.release()


def refresh_in_background(refresher: Refresher, tx: Transaction, view: RelationEntry) -> Outcome | None:
    """Fetch once, then store in a transaction of its own; None when there was nothing to store or somebody else asked for the feed.

    Raises NearshiftError when the stream or the disk does not work; nothing is lost then, the next call begins at the checkpoints.
    """
    try:
        with _held(refresher.feed_of(tx.snapshot, view)) as feed:
            found = _fetch_and_store(refresher, tx, view, feed, kind="Auto")
    except _FeedWanted:
        return None
    return None if found is None else streamed(view, found[0], is_complete=found[1])


def refresh_alone(refresher: Refresher, tx: Transaction, view: RelationEntry) -> Outcome:
    """Refresh a streaming view up to the tip of its stream outside any transaction, one commit per intake: a REFRESH by itself.

    Raises NearshiftError; what was committed before the failure stays, and the next refresh goes on after it.
    """
    started = refresher.clock.now()
    total, is_complete, is_over = Taken(), True, False
    while not is_over:
        # When somebody else asks for the feed it stores what was fetched here, and this refresh goes on after that.
        with (
            contextlib.suppress(_FeedWanted),
            _noting_failure(refresher, tx, view, started),
            _held(refresher.feed_of(tx.snapshot, view)) as feed,
        ):
            found = _fetch_and_store(refresher, tx, view, feed, kind="Manual")
            if found is not None:
                total, is_complete = total.plus(found[0]), found[1]
            is_over = found is None or is_complete
    outcome = streamed(view, total, is_complete=is_complete)
    if not total.read:
        tx.begin(takes_lane=True)
        note_refresh(tx.connection, view, outcome, "Manual", started, refresher.clock.now(), tx.number)
        tx.commit()
    return outcome


class _FeedWanted(Exception):
    """Somebody else asked for the feed while the refresh that had it waited for the lane: one of the two must give way."""


def _take_lane(tx: Transaction, feed: Feed) -> None:
    """Take the write lane for the next transaction. Raises _FeedWanted, Conflict (55P03) when it is not free in time, Cancelled."""
    if tx.connection.take_lane_unless(lambda: feed.is_wanted):
        return
    if feed.is_wanted:
        raise _FeedWanted
    tx.connection.take_lane()


@contextlib.contextmanager
def _noting_failure(refresher: Refresher, tx: Transaction, view: RelationEntry, started: datetime) -> Iterator[None]:
    try:
        yield
    except NearshiftError as error:
        if _is_of_a_record(error):
            refresher.note_failure(view, error, started, tx.number)
        raise


def _is_of_a_record(error: NearshiftError) -> bool:
    """Tell whether a value is what failed, and not the stream, the disk or a lock."""
    return error.sqlstate.startswith(("22", "21", "23"))


@contextlib.contextmanager
def _held(feed: Feed) -> Iterator[Feed]:
    feed.hold(limits.LANE_WAIT_SECONDS_MAX)
    try:
        yield feed
    except _FeedWanted:
        raise
    except BaseException:
        feed.reset()
        raise
    finally:
        feed.release()


def _fetch_and_store(
    refresher: Refresher, tx: Transaction, view: RelationEntry, feed: Feed, *, kind: str
) -> tuple[Taken, bool] | None:
    """Return what was taken in and whether the stream was read to its tip; None when there was nothing. Raises _FeedWanted too."""
    tx.begin(takes_lane=False)
    stored = streaming.checkpoints(tx.connection, view.oid)
    tx.rollback()
    intake = feed.fetch(stored, may_go_on=refresher.accepts_gaps, is_patient=kind == "Auto")
    if not intake.is_worth_a_commit:
        return None
    _take_lane(tx, feed)
    try:
        taken = _store_own(refresher, tx, view, intake, kind, None)
    except NearshiftError as error:
        if refresher.fails_on_errors or not _is_of_a_record(error):
            raise
        rejected = refresher.find_rejected(tx.snapshot, view, intake)
        _take_lane(tx, feed)
        taken = _store_own(refresher, tx, view, intake, kind, rejected)
    feed.stored()
    crash_point("refresh.committed")
    return taken, intake.is_complete


def _store_own(
    refresher: Refresher, tx: Transaction, view: RelationEntry, intake: Intake, kind: str, rejected: list[Rejected] | None
) -> Taken:
    """Store an intake in a transaction of its own."""
    started = refresher.clock.now()
    try:
        tx.begin(takes_lane=True)
        taken = refresher.take_in(tx, view, intake, rejected)
        if taken.read:
            outcome = streamed(view, taken, is_complete=intake.is_complete)
            note_refresh(tx.connection, view, outcome, kind, started, refresher.clock.now(), tx.number)
        tx.commit()
    except BaseException:
        tx.rollback()
        tx.connection.leave_lane()
        raise
    return taken
