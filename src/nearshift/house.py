"""What all sessions of one warehouse share, built by `Warehouse` and passed to each session.

Kept apart from `warehouse.py` so that sessions need not know how things are opened, started and closed.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from nearshift import limits, storage
from nearshift.access.redaction import redacted
from nearshift.catalog.current import CurrentCatalog
from nearshift.catalog.entities import RelationEntry, SchemaEntry, Snapshot
from nearshift.catalog.lookup import Answers, Lookup
from nearshift.clock import Clock
from nearshift.engine import Engine
from nearshift.errors import Cancelled, NearshiftError
from nearshift.events import Events
from nearshift.sql.lower import lower
from nearshift.sql.relations import BindContext, Lowered
from nearshift.streams.dynamodb import Attribute, scan_items
from nearshift.streams.kinesis import Access
from nearshift.streams.reader import Source
from nearshift.streams.roles import parse_roles
from nearshift.streams.shared import SharedStream
from nearshift.values import with_variables
from nearshift.views.feed import Feed
from nearshift.views.refresh import Refresher

if TYPE_CHECKING:
    from nearshift.session import Session

SourceFactory = Callable[[SchemaEntry, str], Source]


@dataclass(frozen=True, slots=True)
class QueryNote:
    """A statement that ended, for sys_query_history."""

    query_id: int
    user: str
    session: int
    database: str
    text: str
    started_at: datetime
    ended_at: datetime
    row_count: int
    error: str | None


@dataclass(frozen=True, slots=True)
class ConnectionNote:
    """A login, a failed one or the end of a session, for sys_connection_log; `duration` is in microseconds."""

    event: str
    recorded_at: datetime
    remote_host: str
    remote_port: int
    session: int | None
    database: str
    user: str
    method: str
    duration: int
    is_encrypted: bool
    application: str


@dataclass(frozen=True, slots=True)
class ProcedureNote:
    """What a procedure said by RAISE, for sys_procedure_messages."""

    query_id: int
    user: str
    session: int
    transaction: int
    recorded_at: datetime
    level: str
    message: str
    line: int


class Translations:
    """Translations by their text and settings, each with the answers that the catalog gave while it was made.

    A translation stays good while the same questions get the same answers, so creating or dropping other tables costs nothing. The oldest
    go first. Safe to share between threads.
    """

    def __init__(self, count_max: int = limits.TRANSLATIONS_MAX) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[object, tuple[Lowered, Answers]] = OrderedDict()
        self._count_max = count_max

    def get(self, key: object, lookup: Lookup, make: Callable[[], Lowered]) -> Lowered:
        """Return the translation under `key` if `lookup` still answers as it did, else the one that `make` makes by asking `lookup`."""
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
        if found is not None and lookup.still_says(found[1]):
            return found[0]
        made = make()
        with self._lock:
            self._found[key] = (made, lookup.answers())
            while len(self._found) > self._count_max:
                self._found.popitem(last=False)
        return made


class Feeds:
    """The open feeds by streaming view; those of one stream read it together. Safe to share between threads."""

    def __init__(self, sources: SourceFactory, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._lock = threading.Lock()
        self._feeds: dict[int, Feed] = {}
        self._streams: dict[tuple[int, str], tuple[SchemaEntry, SharedStream]] = {}

    def of(self, view: RelationEntry, schema: SchemaEntry) -> Feed:
        """Return the feed of a streaming view, opening its stream's source the first time."""
        with self._lock:
            feed = self._feeds.get(view.oid)
            if feed is None:
                feed = self._feeds[view.oid] = Feed(self._share(schema, view.bases[0][1]), self._clock)
            return feed

    def _share(self, schema: SchemaEntry, name: str) -> Source:
        """Return a share of a stream, opened anew if it was closed or its schema altered since: its address may be another."""
        found = self._streams.get((schema.oid, name))
        if found is not None and found[0] == schema:
            with suppress(Cancelled):
                return found[1].share()
        stream = SharedStream(self._sources(schema, name))
        self._streams[schema.oid, name] = schema, stream
        return stream.share()

    def drop(self, oid: int) -> None:
        """Close the feed of a view that is no more."""
        with self._lock:
            feed = self._feeds.pop(oid, None)
        if feed is not None:
            feed.close()

    def close(self) -> None:
        """Close all."""
        with self._lock:
            feeds, self._feeds = list(self._feeds.values()), {}
        for feed in feeds:
            feed.close()


class House:
    """See the module."""

    def __init__(self, engine: Engine, current: CurrentCatalog, clock: Clock, sources: SourceFactory, *, admin: str) -> None:
        self.engine = engine
        self.current = current
        self.clock = clock
        self.events = Events()
        self.translations = Translations()
        self.feeds = Feeds(sources, clock)
        self.admin = admin
        self.files: Path | None = None  # the folder whose files COPY and UNLOAD may use; the owner chooses it
        self.notes: deque[QueryNote] = deque(maxlen=10_000)
        self.procedure_notes: deque[ProcedureNote] = deque(maxlen=10_000)
        self.connection_notes: deque[ConnectionNote] = deque(maxlen=limits.CONNECTION_NOTES_MAX)
        self.refresher: Refresher  # set by the warehouse, which knows its system session
        self._query_ids = itertools.count(1)
        self._sessions: dict[int, Session] = {}
        self._lock = threading.Lock()

    def lookup(self, snapshot: Snapshot, search_path: tuple[str, ...], **more: Any) -> Lookup:
        """Return a lookup over a snapshot that expands plain views."""
        return Lookup(snapshot, search_path, lambda view: self.translate_view(snapshot, view, {}), **more)

    def translate_view(self, snapshot: Snapshot, view: RelationEntry, overrides: Mapping[tuple[str, str], str]) -> Lowered:
        """Return the DuckDB query of a view's rows, with some of its relations replaced, under the settings it was created with.

        It has no parameters: session values are read from DuckDB variables (`values.set_session_values`).
        """
        path = tuple(view.attributes.get("search_path", ("public",)))
        lookup = self.lookup(snapshot, path, overrides=dict(overrides), allows_streams=True)
        settings = dict(view.attributes.get("settings", {}))
        assert view.definition is not None, "a view has a definition"
        context = BindContext(lookup, view.rules, settings=settings, database=self.database, functions=lookup)
        key = ("view", view.definition, view.rules, path, tuple(settings.items()), tuple(sorted(overrides.items())))
        definition = view.definition
        lowered = self.translations.get(key, lookup, lambda: with_variables(lower(definition, context)))
        # What * meant when the view was made: columns that its base gained since are not the view's.
        kept = view.attributes.get("query_columns")
        if kept and kept != [column.name for column in lowered.columns]:
            lowered = replace(lowered, sql=storage.select_columns(lowered.sql, kept))
        renamed = view.attributes.get("renamed")
        if not renamed:
            return lowered
        columns = tuple(replace(c, name=name) for c, name in zip(lowered.columns, renamed, strict=False))
        return replace(lowered, sql=storage.rename_columns(lowered.sql, renamed), columns=columns)

    @property
    def database(self) -> str:
        """The name of the one database."""
        return "dev"

    def feed_of(self, snapshot: Snapshot, view: RelationEntry) -> Feed:
        """Return the feed of a streaming view; its external schema is looked up where the view was found."""
        return self.feeds.of(view, snapshot.schemas[view.bases[0][0]])

    def items(self, table: str, roles: str | None, region: str | None, read_ratio: int) -> Iterator[list[dict[str, Attribute]]]:
        """Return the pages of a DynamoDB table's items, read with the roles of an IAM_ROLE clause."""
        access = Access(region=region, roles=parse_roles(roles or "default"))
        return scan_items(table, access, read_ratio, self.clock)

    def zone(self, name: str) -> tzinfo:
        """Return a time zone by its name."""
        return ZoneInfo(name)

    def next_query_id(self) -> int:
        """Return a new query id."""
        return next(self._query_ids)

    def note_query(self, session: Session, text: str, error: NearshiftError | None, row_count: int = 0) -> None:
        """Remember a statement that ended."""
        running = session.running
        started = running.started_at or self.clock.now()
        self.notes.append(
            QueryNote(
                running.query_id, session.user, session.number, session.database, redacted(text)[:4000], started, self.clock.now(),
                row_count, error.message if error else None,
            )
        )  # fmt: skip

    def remember(self, session: Session) -> None:
        """Count a session in."""
        with self._lock:
            self._sessions[session.number] = session

    def forget(self, session: Session) -> None:
        """Count a session out."""
        with self._lock:
            self._sessions.pop(session.number, None)

    def sessions(self) -> list[Session]:
        """Return the open sessions."""
        with self._lock:
            return list(self._sessions.values())

