"""A warehouse: one DuckDB file and everything that works on it. Opens, hands out sessions, closes in order; knows nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType

from nearshift.catalog import catalog
from nearshift.catalog.current import CurrentCatalog
from nearshift.catalog.entities import SchemaEntry
from nearshift.catalog.principals import UserEntry
from nearshift.clock import Clock, SystemClock
from nearshift.commands.cancelling import STOP_FUNCTION, STOP_TYPES, stopper
from nearshift.engine import Engine
from nearshift.errors import Conflict, UndefinedObject
from nearshift.events import Events
from nearshift.house import ConnectionNote, House, SourceFactory
from nearshift.scheduler import Schedule, Scheduler
from nearshift.session import Session
from nearshift.settings import DEFINITIONS
from nearshift.sql.macros import SETUP
from nearshift.sql.natives import NATIVES
from nearshift.streams.kafka import Brokers, KafkaSource
from nearshift.streams.kinesis import Access, open_stream
from nearshift.streams.reader import Source
from nearshift.streams.roles import parse_roles
from nearshift.values import session_value
from nearshift.views.refresh import Refresher

DATABASE = "dev"


def kinesis_source(schema: SchemaEntry, stream: str, clock: Clock | None = None) -> Source:
    """Return the Kinesis stream that a name under an external schema means, with the schema's region and roles."""
    roles = parse_roles(",".join(schema.options.get("roles") or ["default"]))
    return open_stream(stream, Access(region=schema.options.get("region"), roles=roles), clock=clock)


def stream_source(schema: SchemaEntry, stream: str, clock: Clock | None = None) -> Source:
    """Return the stream that a name under an external schema means: a Kinesis stream, or a topic of the schema's Kafka brokers."""
    if schema.is_kinesis:
        return kinesis_source(schema, stream, clock)
    return KafkaSource(stream, Brokers(tuple(schema.options["brokers"])))


class Warehouse:
    """See the module. Use as a context manager, or call `close`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.scheduler = Scheduler(house, self.session)

    @classmethod
    def open(
        cls,
        path: Path | None = None,
        *,
        clock: Clock | None = None,
        sources: SourceFactory | None = None,
        admin: str = DATABASE,
        memory_limit_mib: int | None = None,
        threads: int | None = None,
        accepts_gaps: bool = False,
        strict: bool = False,
        files: Path | None = None,
    ) -> Warehouse:
        """Open or create a warehouse; None means in memory.

        `sources` says how a stream under an external schema is reached, if not as `stream_source` does. With `accepts_gaps` a refresh goes
        on after records that the stream lost, and notes them; else it fails. With `strict` a record on which a streaming view's SELECT
        fails makes the refresh fail, as Redshift does; else such records go to the quarantine. `files` is the one folder whose files COPY
        and UNLOAD may use (`file://…`); without it they use none. Raises Conflict (55006) when another process has the file,
        ConfigurationError when it cannot be opened.
        """
        engine = Engine.open(path, memory_limit_mib=memory_limit_mib, threads=threads)
        ticking = clock or SystemClock()
        for native in NATIVES:
            engine.define(native.name, native.arguments, native.result, native.over_arrays)
        connection = engine.connect()
        try:
            connection.begin(takes_lane=True)
            catalog.migrate(connection, ticking.now().replace(tzinfo=None), admin)
            for statement in SETUP:
                connection.execute(statement)
            connection.commit()
        except BaseException:
            connection.close()
            engine.close()
            raise
        connection.close()
        current = CurrentCatalog(engine)
        current.reload()
        house = House(engine, current, ticking, sources or partial(stream_source, clock=ticking), admin=admin)
        house.files = files
        engine.define(STOP_FUNCTION, STOP_TYPES, "INTEGER", stopper(house), has_effects=True)
        system = Session(house, admin, DATABASE)
        house.refresher = Refresher(
            engine, ticking, house.translate_view, house.feed_of, lambda name: session_value(system, name), accepts_gaps, strict
        )
        return cls(house)

    @property
    def events(self) -> Events:
        """Where to hear of commits."""
        return self._house.events

    @property
    def admin(self) -> str:
        """The name of the administrator."""
        return self._house.admin

    def session(
        self,
        user: str | None = None,
        database: str = DATABASE,
        *,
        is_read_only: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> Session:
        """Return a new session, of the administrator unless a user is named.

        Raises UndefinedObject: 3D000 for another database, 28000 for an unknown user; Conflict (53300) when the user has too many sessions.
        """
        if database.lower() != DATABASE:
            raise UndefinedObject(f'database "{database}" does not exist', sqlstate="3D000", hint=f'The database is called "{DATABASE}".')
        name = user if user is not None else self._house.admin
        entry = self.user(name)
        if entry is None:
            raise UndefinedObject(f'user "{name}" does not exist', sqlstate="28000", hint=f'Connect as "{self._house.admin}".')
        is_limited = entry.connection_limit is not None and not entry.is_superuser
        if is_limited and sum(one.login_user == name for one in self._house.sessions()) >= (entry.connection_limit or 0):
            raise Conflict(f'too many connections for user "{name}"', sqlstate="53300", hint="Close a connection of this user first.")
        known = {**entry.settings, **{key: value for key, value in (options or {}).items() if key.lower() in DEFINITIONS}}
        session = Session(self._house, name, DATABASE, is_read_only=is_read_only, initial=known)
        self._house.remember(session)
        return session

    def user(self, name: str) -> UserEntry | None:
        """Return a user as last committed, or None."""
        return self._house.current.snapshot.principals.users.get(name)

    def note_connection(self, note: ConnectionNote) -> None:
        """Remember a login or the end of a session, for sys_connection_log."""
        self._house.connection_notes.append(note)

    def set_source(self, table: str, stream: str) -> None:
        """Remember which DynamoDB table's changes come through a stream, for the picture of the pipeline."""
        connection = self._house.engine.connect()
        try:
            connection.begin(takes_lane=True)
            connection.execute("DELETE FROM nearshift.sources WHERE stream_name = $1", [stream])
            connection.execute("INSERT INTO nearshift.sources VALUES ($1, $2)", [table, stream])
            connection.commit()
        finally:
            connection.close()

    def set_schedules(self, schedules: tuple[Schedule, ...]) -> None:
        """Run exactly these statements by themselves from now on, once started."""
        self.scheduler.set_schedules(schedules)

    def start(self) -> None:
        """Begin auto refresh, schedules and upkeep."""
        self.scheduler.start()

    def close(self) -> None:
        """Stop what works by itself, end all sessions, close the file. Closing twice is harmless."""
        self._house.events.close()
        self._house.feeds.close()
        self.scheduler.stop()
        for session in self._house.sessions():
            session.interrupt()
            session.close()
        self._house.engine.close()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


__all__ = ["DATABASE", "Schedule", "Warehouse", "kinesis_source", "stream_source"]
