"""One connection from its first byte to its last, without a socket: requests become calls of the session, results become bytes.

`receive` takes bytes as they come and calls `send` with bytes to write; `send` may block while the client reads slowly, and that is all the
flow control there is: the next batch is fetched when the last one is out. Output is held back until no request is left to answer, so that a
pipelined batch is answered in one write; a Flush, a notice and a full buffer send at once.

Order of replies, errors and the skipping to Sync are in `protocol`; here is what each request does. Two rules of PostgreSQL worth knowing:
portals end with the transaction (so all of them at a Sync outside a transaction block), and an error ends all portals.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from enum import Enum, auto
from typing import Protocol

from nearshift import limits
from nearshift.errors import InternalError, NearshiftError, NotSupported
from nearshift.results import Notice, Result, TransactionStatus
from nearshift.types import SqlType
from nearshift.wire import messages as m
from nearshift.wire import replies
from nearshift.wire.auth import Caller, Exchange, Method, decide_method, open_exchange
from nearshift.wire.blank import is_blank
from nearshift.wire.codec import declared_type, parameter_oid, read_parameter
from nearshift.wire.encode_arrow import RowEncoder
from nearshift.wire.encode_binary import POSTGRES, BinaryForms
from nearshift.wire.framing import ProtocolViolation
from nearshift.wire.gate import Gate, Session
from nearshift.wire.portals import Portal, Rows, Shelf, Statement
from nearshift.wire.protocol import Phase, Receiver, Request
from nearshift.wire.startup import PROTOCOL_3_0, CancelRequest, GssRequest, Startup, TlsRequest

# What `send` is given; it must not keep it.
Buffer = bytes | bytearray | memoryview


class Step(Enum):
    """What the owner of the socket does after `receive`."""

    GO_ON = auto()
    START_TLS = auto()  # hand the socket to TLS, then go on
    END = auto()        # close it


class Keys(Protocol):
    """The register of live conversations, by which a CancelRequest finds its target."""

    def admit(self, conversation: Conversation) -> tuple[int, int]:
        """Return a process number and a secret; raises NearshiftError (53300) when there are too many connections."""
        ...

    def cancel(self, process: int, secret: int) -> None:
        """Interrupt the conversation with this key, if there is one."""
        ...

    def leave(self, conversation: Conversation) -> None:
        """Forget the conversation. May be called twice, or without `admit`."""
        ...


class Conversation:
    """One client. All methods but `cancel` and `is_busy` belong to one thread."""

    def __init__(
        self,
        gate: Gate,
        keys: Keys,
        send: Callable[[Buffer], None],
        *,
        is_local: bool = True,
        has_tls: bool = False,
        method: Method | None = None,
    ) -> None:
        """Serve whoever sends bytes to `receive`; `method` is how passwords are asked for, None to choose by the client."""
        self._gate = gate
        self._keys = keys
        self._send = send
        self._is_local = is_local
        self._has_tls = has_tls
        self._is_encrypted = False
        self._method = method
        self._receiver = Receiver()
        self._output = bytearray()
        self._wants_flush = False
        self._startup: Startup | None = None
        self._exchange: Exchange | None = None
        self._session: Session | None = None
        self._redshift_protocol = 0
        self._forms = POSTGRES
        self._told: dict[str, str] = {}
        self._shelf = Shelf()
        self._busy_lock = threading.Lock()
        self._is_busy = False

    @property
    def is_logged_in(self) -> bool:
        """Whether the client has been let in."""
        return self._session is not None

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered just now; may be asked from any thread."""
        return self._is_busy

    def receive(self, data: bytes) -> Step:
        """Answer all requests that `data` makes whole.

        What `send` raises comes through; after that, and after Step.END, only `close` may be called.
        """
        self._receiver.feed(data)
        self._is_busy = True
        try:
            step = self._answer_all()
        finally:
            # Under the lock: a cancel that has seen us busy has interrupted by now, one that comes later does nothing.
            with self._busy_lock:
                self._is_busy = False
        if self._wants_flush or step is not Step.GO_ON:
            self._flush()
        return step

    def cancel(self) -> None:
        """Interrupt the running statement, if one runs; from any thread."""
        with self._busy_lock:
            if self._is_busy and self._session is not None:
                self._session.interrupt()

    def began_tls(self) -> None:
        """Take note that all that follows is encrypted."""
        self._is_encrypted = True

    def end(self, error: NearshiftError) -> None:
        """Tell the client why the connection ends; the owner closes the socket afterwards."""
        self._output += replies.error_response(error, "FATAL")
        self._receiver.close()
        self._flush()

    def close(self) -> None:
        """Give back the session and all results. May be called twice."""
        self._keys.leave(self)
        self._receiver.close()
        self._shelf.close_portals()
        session, self._session = self._session, None
        if session is not None:
            session.close()

    # -- requests ------------------------------------------------------------------------------------------------------------------------

    def _answer_all(self) -> Step:
        while True:
            try:
                request = self._receiver.next()
                if request is None:
                    return Step.END if self._receiver.phase is Phase.CLOSED else Step.GO_ON
                step = self._answer(request)
            except ProtocolViolation as failure:
                self.end(failure)
                return Step.END
            except NearshiftError as failure:
                if self._session is None:
                    self.end(failure)
                    return Step.END
                self._fail(failure)
                step = Step.GO_ON
            if step is not Step.GO_ON:
                return step

    def _answer(self, request: Request) -> Step:
        match request:
            case m.Query():
                self._query(request)
            case m.Parse():
                self._parse(request)
            case m.Bind():
                self._bind(request)
            case m.Describe():
                self._describe(request)
            case m.Execute():
                self._execute(request)
            case m.Close():
                self._close(request)
            case m.Sync():
                self._sync()
            case m.Flush():
                self._wants_flush = True
            case m.Terminate():
                return Step.END
            case m.FunctionCall():
                raise NotSupported("function calls by the fast path are not supported", hint="Use SELECT.")
            case _:
                return self._answer_before_login(request)
        return Step.GO_ON

    def _answer_before_login(self, request: Request) -> Step:
        self._wants_flush = True
        match request:
            case TlsRequest():
                return self._answer_tls()
            case GssRequest():
                self._put(replies.NO_TLS)
            case CancelRequest():
                self._keys.cancel(request.process, request.secret)
                return Step.END
            case Startup():
                self._begin_login(request)
            case m.LoginAnswer():
                self._go_on_with_login(request)
            case _:
                raise InternalError("a message was let through that nothing answers")
        return Step.GO_ON

    def _fail(self, failure: NearshiftError) -> None:
        """Report an error; then skip to Sync, or after a simple query be ready again."""
        self._shelf.close_portals()
        self._put(replies.error_response(failure))
        self._wants_flush = True
        self._receiver.failed()
        if self._receiver.phase is Phase.READY:
            self._ready()

    # -- login ---------------------------------------------------------------------------------------------------------------------------

    def _answer_tls(self) -> Step:
        if not self._has_tls or self._is_encrypted:
            self._put(replies.NO_TLS)
            return Step.GO_ON
        if self._receiver.has_unread:
            # Bytes sent in the clear must never be taken for encrypted ones (CVE-2021-23214).
            raise ProtocolViolation("received unencrypted data after SSL request")
        self._put(replies.TLS)
        return Step.START_TLS

    def _begin_login(self, startup: Startup) -> None:
        self._startup = startup
        if startup.version != PROTOCOL_3_0 or startup.unknown_options():
            self._put(replies.negotiate_protocol_version(startup.unknown_options()))
        credential = self._gate.password_of(startup.user)
        caller = Caller(startup.user, self._is_local, self._is_encrypted, startup.is_redshift_driver)
        method = decide_method(credential, caller, self._method)
        if method is Method.TRUST or credential is None:
            self._let_in(startup)
            return
        self._exchange = open_exchange(method, startup.user, credential)
        self._receiver.began_login()
        self._put(self._exchange.challenge())

    def _go_on_with_login(self, answer: m.LoginAnswer) -> None:
        assert self._exchange is not None
        assert self._startup is not None
        reply, is_in = self._exchange.answer(answer.body)
        self._put(reply)
        if is_in:
            self._exchange = None
            self._let_in(self._startup)

    def _let_in(self, startup: Startup) -> None:
        process, secret = self._keys.admit(self)
        session = self._gate.open_session(startup.user, startup.database, startup.settings())
        self._session = session
        session.on_notice = self._notice
        self._put(replies.AUTHENTICATION_OK)
        told = {"application_name": startup.parameters.get("application_name", ""), "session_authorization": startup.user}
        if startup.redshift_protocol is not None:
            self._redshift_protocol = startup.redshift_protocol
            told["server_protocol_version"] = str(startup.redshift_protocol)
        self._forms = BinaryForms(self._redshift_protocol >= 2, startup.is_redshift_driver)
        for name, value in (told | session.parameter_status()).items():
            self._tell(name, value)
        self._put(replies.backend_key_data(process, secret))
        self._receiver.let_in()
        self._put(replies.ready_for_query(session.status))

    # -- queries -------------------------------------------------------------------------------------------------------------------------

    def _query(self, request: m.Query) -> None:
        self._shelf.statements.pop("", None)
        self._shelf.close_portal("")
        self._shelf.park()
        script = self._live().execute_script(request.text)
        is_empty = True
        try:
            for result in script:
                is_empty = False
                self._send_result(result)
        finally:
            close = getattr(script, "close", None)
            if close is not None:
                close()
        if is_empty:
            self._put(replies.EMPTY_QUERY)
        self._ready()

    def _send_result(self, result: Result) -> None:
        if result.columns is None:
            self._put(replies.command_complete(result.tag()))
            return
        formats = (0,) * len(result.columns)
        self._put(replies.row_description(result.columns, formats, self._redshift_protocol))
        with closing(Rows(result)) as rows:
            sent = self._send_rows(rows, self._encoder(result, formats), 0)
        self._put(replies.command_complete(_tag(result.command, sent)))

    def _send_rows(self, rows: Rows, encoder: RowEncoder, rows_max: int) -> int:
        sent = 0
        for batch in rows.take(rows_max):
            for piece in encoder.encode(batch):
                self._put(piece)
            sent += batch.num_rows
        return sent

    def _encoder(self, result: Result, formats: tuple[int, ...]) -> RowEncoder:
        assert result.columns is not None
        zone = self._live().parameter_status().get("TimeZone", "UTC")
        return RowEncoder(result.columns, formats, zone, self._forms)

    def _parse(self, request: m.Parse) -> None:
        if not request.name:
            self._shelf.statements.pop("", None)
        self._shelf.check_statement_name(request.name)
        if is_blank(request.text):
            self._shelf.put_statement(request.name, Statement(None))
        else:
            declared: list[SqlType | None] = [declared_type(oid) for oid in request.parameter_oids]
            self._shelf.park()
            prepared = self._live().prepare(request.text, declared)
            given = request.parameter_oids + (0,) * (len(prepared.parameter_types) - len(request.parameter_oids))
            oids = tuple(parameter_oid(oid, kind) for oid, kind in zip(given, prepared.parameter_types, strict=False))
            self._shelf.put_statement(request.name, Statement(prepared, oids))
        self._put(replies.PARSE_COMPLETE)

    def _bind(self, request: m.Bind) -> None:
        statement = self._shelf.statement(request.statement)
        count = len(statement.oids)
        if len(request.values) != count:
            given = f"bind message supplies {len(request.values)} parameters"
            raise m.InvalidMessage(f'{given}, but prepared statement "{request.statement}" requires {count}')
        if len(request.parameter_formats) not in {0, 1, count}:
            raise m.InvalidMessage(f"bind message has {len(request.parameter_formats)} parameter formats but {count} parameters")
        forms = _spread(request.parameter_formats, count)
        values = tuple(
            read_parameter(oid, form, data, number)
            for number, (oid, form, data) in enumerate(zip(statement.oids, forms, request.values, strict=True), start=1)
        )
        columns = statement.prepared.columns if statement.prepared is not None else None
        width = len(columns or ())
        if len(request.result_formats) not in {0, 1, width}:
            raise m.InvalidMessage(f"bind message has {len(request.result_formats)} result formats but query has {width} columns")
        formats = _spread(request.result_formats, width)
        for form in formats:
            if form not in {0, 1}:
                raise NearshiftError(f"unsupported format code: {form}", sqlstate="22023")
        self._shelf.put_portal(request.portal, Portal(statement, values, formats))
        self._put(replies.BIND_COMPLETE)

    def _describe(self, request: m.Describe) -> None:
        if request.kind == "S":
            statement = self._shelf.statement(request.name)
            self._put(replies.parameter_description(statement.oids))
            formats: tuple[int, ...] | None = None
        else:
            portal = self._shelf.portal(request.name)
            statement, formats = portal.statement, portal.formats
        columns = statement.prepared.columns if statement.prepared is not None else None
        if columns is None:
            self._put(replies.NO_DATA)
        else:
            self._put(replies.row_description(columns, formats or (0,) * len(columns), self._redshift_protocol))

    def _execute(self, request: m.Execute) -> None:
        portal = self._shelf.portal(request.portal)
        if portal.statement.prepared is None:
            self._put(replies.EMPTY_QUERY)
            return
        if not portal.is_run:
            self._run(portal)
        elif portal.rows is None:
            raise NearshiftError(f'portal "{request.portal}" cannot be run', sqlstate="55000")
        if portal.rows is None or portal.encoder is None:
            self._put(replies.command_complete(portal.command))
            return
        rows_max = max(request.rows_max, 0)
        sent = self._send_rows(portal.rows, portal.encoder, rows_max)
        # PostgreSQL suspends when the limit is reached, also when it happens to be the last row.
        if rows_max and sent == rows_max:
            self._put(replies.PORTAL_SUSPENDED)
        else:
            self._put(replies.command_complete(_tag(portal.command, sent)))

    def _run(self, portal: Portal) -> None:
        prepared = portal.statement.prepared
        assert prepared is not None
        self._shelf.park(but=portal)
        portal.is_run = True
        result = self._live().run(prepared, portal.values)
        if result.columns is None:
            portal.command = result.tag()
            return
        portal.command, portal.rows = result.command, Rows(result)
        described = tuple(column.type.oid for column in prepared.columns or ())
        if tuple(column.type.oid for column in result.columns) != described:
            raise NearshiftError("cached plan must not change result type", sqlstate="0A000", hint="Prepare the statement again.")
        portal.encoder = self._encoder(result, portal.formats)

    def _close(self, request: m.Close) -> None:
        if request.kind == "S":
            self._shelf.statements.pop(request.name, None)
        else:
            self._shelf.close_portal(request.name)
        self._put(replies.CLOSE_COMPLETE)

    def _sync(self) -> None:
        if self._live().status is TransactionStatus.IDLE:
            self._shelf.close_portals()
        self._ready()

    # -- output --------------------------------------------------------------------------------------------------------------------------

    def _live(self) -> Session:
        assert self._session is not None
        return self._session

    def _ready(self) -> None:
        for name, value in self._live().parameter_status().items():
            self._tell(name, value)
        self._put(replies.ready_for_query(self._live().status))
        self._wants_flush = True

    def _tell(self, name: str, value: str) -> None:
        if self._told.get(name) != value:
            self._told[name] = value
            self._put(replies.parameter_status(name, value))

    def _notice(self, notice: Notice) -> None:
        """Send a notice at once: a procedure that runs for minutes tells of its progress by RAISE INFO."""
        self._put(replies.notice_response(notice))
        self._flush()

    def _put(self, part: Buffer) -> None:
        if len(part) >= limits.WIRE_OUTPUT_BYTES:
            self._flush()
            self._send(part)
            return
        self._output += part
        if len(self._output) >= limits.WIRE_OUTPUT_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._wants_flush = False
        if self._output:
            output, self._output = self._output, bytearray()
            self._send(output)


def _spread(formats: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return one format per value: none given means text, one given means it for all ("Bind")."""
    return formats * count if len(formats) == 1 else formats or (0,) * count


# Commands whose tag counts the rows returned ("CommandComplete").
_COUNTED = frozenset({"SELECT", "FETCH"})


def _tag(command: str, rows: int) -> str:
    return f"{command} {rows}" if command in _COUNTED else command

