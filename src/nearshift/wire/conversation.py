"""One connection from its first byte to its last, without a socket: requests become calls of the session, results become bytes.

`receive` takes bytes as they come and calls `send` with bytes to write; `send` may block while the client reads slowly, and that is all the
flow control there is: the next batch is fetched when the last one is out. Output is held back until no request is left to answer, so that a
pipelined batch is answered in one write; a Flush, a notice and a full buffer send at once.

Order of messages, errors and the skipping to Sync are in `protocol`; what each request does is in `queries`; here is who gets it, and the
login.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Protocol

from nearshift.errors import InternalError, NearshiftError, NotSupported, PermissionDenied
from nearshift.wire import messages as m
from nearshift.wire import replies
from nearshift.wire.auth import Caller, Exchange, Method, decide_method, open_exchange
from nearshift.wire.encode_binary import BinaryForms
from nearshift.wire.framing import ProtocolViolation
from nearshift.wire.gate import Gate, LoginAttempt, LoginWatch
from nearshift.wire.output import Buffer, Output
from nearshift.wire.protocol import Phase, Receiver, Request
from nearshift.wire.queries import Queries
from nearshift.wire.startup import PROTOCOL_3_0, CancelRequest, GssRequest, Startup, TlsRequest

# admin_shutdown: the session is no more, and neither is its connection.
TERMINATED: Final = "57P01"


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
        watch: LoginWatch | None = None,
        address: tuple[str, int] = ("", 0),
        now: Callable[[], float] = lambda: 0.0,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve whoever sends bytes to `receive`; `method` is how passwords are asked for, None to choose by the client.

        `wake` is called from any thread when the session was terminated: the owner calls `end` next.

        `watch` hears of the logins of `address`, host and port; `now` gives the seconds by which a session's length is told.
        """
        self._gate = gate
        self._keys = keys
        self._is_local = is_local
        self._has_tls = has_tls
        self._is_encrypted = False
        self._method = method
        self._watch = watch
        self._address = address
        self._now = now
        self._wake = wake
        self._attempt: LoginAttempt | None = None
        self._entered: tuple[object, float] | None = None
        self._receiver = Receiver()
        self._output = Output(send)
        self._startup: Startup | None = None
        self._exchange: Exchange | None = None
        self._queries: Queries | None = None
        self._busy_lock = threading.Lock()
        self._is_busy = False

    @property
    def is_logged_in(self) -> bool:
        """Whether the client has been let in."""
        return self._queries is not None

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
        if self._output.is_due or step is not Step.GO_ON:
            self._output.flush()
        return step

    def cancel(self) -> None:
        """Interrupt the running statement, if one runs; from any thread."""
        with self._busy_lock:
            if self._is_busy and self._queries is not None:
                self._queries.interrupt()

    def began_tls(self) -> None:
        """Take note that all that follows is encrypted."""
        self._is_encrypted = True

    def end(self, error: NearshiftError) -> None:
        """Tell the client why the connection ends; the owner closes the socket afterwards."""
        self._output.put(replies.error_response(error, "FATAL"))
        self._receiver.close()
        self._output.flush()

    def close(self) -> None:
        """Give back the session and all results. May be called twice."""
        self._keys.leave(self)
        self._receiver.close()
        queries, self._queries = self._queries, None
        if queries is not None:
            queries.end()
        entered, self._entered = self._entered, None
        if entered is not None and self._watch is not None and self._attempt is not None:
            session, since = entered
            self._watch.left(self._attempt, session, self._now() - since)

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
                if self._queries is None or failure.sqlstate == TERMINATED:
                    self.end(failure)
                    return Step.END
                self._fail(self._queries, failure)
                step = Step.GO_ON
            if step is not Step.GO_ON:
                return step

    def _answer(self, request: Request) -> Step:
        queries = self._queries
        if queries is None:
            return self._answer_before_login(request)
        match request:
            case m.Query():
                queries.query(request)
            case m.Parse():
                queries.parse(request)
            case m.Bind():
                queries.bind(request)
            case m.Describe():
                queries.describe(request)
            case m.Execute():
                queries.execute(request)
            case m.Close():
                queries.close(request)
            case m.Sync():
                queries.sync()
            case m.Flush():
                self._output.is_due = True
            case m.Terminate():
                return Step.END
            case m.FunctionCall():
                raise NotSupported("function calls by the fast path are not supported", hint="Use SELECT.")
            case _:
                raise InternalError("a message was let through that nothing answers")
        return Step.GO_ON

    def _answer_before_login(self, request: Request) -> Step:
        self._output.is_due = True
        match request:
            case TlsRequest():
                return self._answer_tls()
            case GssRequest():
                self._output.put(replies.NO_TLS)
            case CancelRequest():
                self._keys.cancel(request.process, request.secret)
                return Step.END
            case Startup():
                self._begin_login(request)
            case m.LoginAnswer():
                self._go_on_with_login(request)
            case m.Terminate():
                return Step.END
            case _:
                raise InternalError("a message was let through that nothing answers")
        return Step.GO_ON

    def _fail(self, queries: Queries, failure: NearshiftError) -> None:
        """Report an error; then skip to Sync, or after a simple query be ready again."""
        queries.fail(failure)
        self._receiver.failed()
        if self._receiver.phase is Phase.READY:
            queries.ready()

    # -- login ---------------------------------------------------------------------------------------------------------------------------

    def _answer_tls(self) -> Step:
        if not self._has_tls or self._is_encrypted:
            self._output.put(replies.NO_TLS)
            return Step.GO_ON
        if self._receiver.has_unread:
            # Bytes sent in the clear must never be taken for encrypted ones (CVE-2021-23214).
            raise ProtocolViolation("received unencrypted data after SSL request")
        self._output.put(replies.TLS)
        return Step.START_TLS

    def _begin_login(self, startup: Startup) -> None:
        self._startup = startup
        if startup.version != PROTOCOL_3_0 or startup.unknown_options():
            self._output.put(replies.negotiate_protocol_version(startup.unknown_options()))
        if self._watch is not None:
            self._watch.check(self._address[0])
        credential = self._gate.password_of(startup.user)
        caller = Caller(startup.user, self._is_local, self._is_encrypted, startup.is_redshift_driver)
        method = decide_method(credential, caller, self._method)
        self._attempt = LoginAttempt(
            startup.user, startup.database, *self._address, method.value, self._is_encrypted, startup.parameters.get("application_name", "")
        )
        if method is Method.TRUST or credential is None:
            self._let_in(startup)
            return
        self._exchange = open_exchange(method, startup.user, credential)
        self._receiver.began_login()
        self._output.put(self._exchange.challenge())

    def _go_on_with_login(self, answer: m.LoginAnswer) -> None:
        assert self._exchange is not None
        assert self._startup is not None
        try:
            reply, is_in = self._exchange.answer(answer.body)
        except PermissionDenied:
            if self._watch is not None and self._attempt is not None:
                self._watch.failed(self._attempt)
            raise
        self._output.put(reply)
        if is_in:
            self._exchange = None
            self._let_in(self._startup)

    def _let_in(self, startup: Startup) -> None:
        process, secret = self._keys.admit(self)
        session = self._gate.open_session(startup.user, startup.database, startup.settings())
        session.on_terminated = self._wake
        if self._watch is not None and self._attempt is not None:
            self._watch.entered(self._attempt, session)
            self._entered = session, self._now()
        protocol = startup.redshift_protocol or 0
        self._queries = Queries(session, self._output, protocol, BinaryForms(protocol >= 2, startup.is_redshift_driver))
        self._output.put(replies.AUTHENTICATION_OK)
        told = {"application_name": startup.parameters.get("application_name", ""), "session_authorization": startup.user}
        if startup.redshift_protocol is not None:
            told["server_protocol_version"] = str(startup.redshift_protocol)
        for name, value in (told | session.parameter_status()).items():
            self._output.tell(name, value)
        self._output.put(replies.backend_key_data(process, secret))
        self._receiver.let_in()
        self._queries.ready()
