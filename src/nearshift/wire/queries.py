"""What the requests of a client that is let in do: calls of its session, and replies.

Two rules of PostgreSQL worth knowing: portals end with the transaction (so all of them at a Sync outside a transaction block), and an error
ends all portals.
"""

from __future__ import annotations

from contextlib import closing

from nearshift.errors import NearshiftError
from nearshift.results import Notice, Result, TransactionStatus
from nearshift.types import SqlType
from nearshift.wire import messages as m
from nearshift.wire import replies
from nearshift.wire.blank import is_blank
from nearshift.wire.codec import declared_type, parameter_oid, read_parameter
from nearshift.wire.encode_arrow import RowEncoder
from nearshift.wire.encode_binary import BinaryForms
from nearshift.wire.gate import Session
from nearshift.wire.output import Output
from nearshift.wire.portals import Portal, Rows, Shelf, Statement


class Queries:
    """One client's statements and portals, and its session. What the session raises comes through; `fail` answers it."""

    def __init__(self, session: Session, output: Output, redshift_protocol: int, forms: BinaryForms) -> None:
        self._session = session
        self._output = output
        self._redshift_protocol = redshift_protocol
        self._forms = forms
        self._shelf = Shelf()
        self._has_failed = False
        session.on_notice = self._notice

    def interrupt(self) -> None:
        """Stop the running statement; from any thread."""
        self._session.interrupt()

    def end(self) -> None:
        """Give back all results and the session."""
        try:
            self._shelf.close_portals()
        finally:
            self._session.close()

    def fail(self, failure: NearshiftError) -> None:
        """Report an error and drop all portals; the batch that it happened in is undone at its Sync."""
        self._has_failed = True
        self._shelf.close_portals()
        self._output.put(replies.error_response(failure))
        self._output.is_due = True

    def ready(self) -> None:
        """Tell of changed settings and of the transaction's state, and that the next request may come."""
        self._has_failed = False
        for name, value in self._session.parameter_status().items():
            self._output.tell(name, value)
        self._output.put(replies.ready_for_query(self._session.status))
        self._output.is_due = True

    def query(self, request: m.Query) -> None:
        """Run a script, statement by statement ("Simple Query")."""
        self._shelf.statements.pop("", None)
        self._shelf.close_portal("")
        self._shelf.park()
        script = self._session.execute_script(request.text)
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
            self._output.put(replies.EMPTY_QUERY)
        self.ready()

    def _send_result(self, result: Result) -> None:
        if result.columns is None:
            self._output.put(replies.command_complete(result.tag()))
            return
        formats = (0,) * len(result.columns)
        self._output.put(replies.row_description(result.columns, formats, self._redshift_protocol))
        with closing(Rows(result)) as rows:
            sent = self._send_rows(rows, self._encoder(result, formats), 0)
        self._output.put(replies.command_complete(_tag(result.command, sent)))

    def _send_rows(self, rows: Rows, encoder: RowEncoder, rows_max: int) -> int:
        sent = 0
        for batch in rows.take(rows_max):
            for piece in encoder.encode(batch):
                self._output.put(piece)
            sent += batch.num_rows
        return sent

    def _encoder(self, result: Result, formats: tuple[int, ...]) -> RowEncoder:
        assert result.columns is not None
        zone = self._session.parameter_status().get("TimeZone", "UTC")
        return RowEncoder(result.columns, formats, zone, self._forms)

    def parse(self, request: m.Parse) -> None:
        """Prepare a statement."""
        if not request.name:
            self._shelf.statements.pop("", None)
        self._shelf.check_statement_name(request.name)
        if is_blank(request.text):
            self._shelf.put_statement(request.name, Statement(None))
        else:
            declared: list[SqlType | None] = [declared_type(oid) for oid in request.parameter_oids]
            self._shelf.park()
            prepared = self._session.prepare(request.text, declared)
            given = request.parameter_oids + (0,) * (len(prepared.parameter_types) - len(request.parameter_oids))
            oids = tuple(parameter_oid(oid, kind) for oid, kind in zip(given, prepared.parameter_types, strict=False))
            self._shelf.put_statement(request.name, Statement(prepared, oids))
        self._output.put(replies.PARSE_COMPLETE)

    def bind(self, request: m.Bind) -> None:
        """Make a portal."""
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
        self._output.put(replies.BIND_COMPLETE)

    def describe(self, request: m.Describe) -> None:
        """Tell about a statement or a portal, without running it."""
        if request.kind == "S":
            statement = self._shelf.statement(request.name)
            self._output.put(replies.parameter_description(statement.oids))
            formats: tuple[int, ...] | None = None
        else:
            portal = self._shelf.portal(request.name)
            statement, formats = portal.statement, portal.formats
        columns = statement.prepared.columns if statement.prepared is not None else None
        if columns is None:
            self._output.put(replies.NO_DATA)
        else:
            self._output.put(replies.row_description(columns, formats or (0,) * len(columns), self._redshift_protocol))

    def execute(self, request: m.Execute) -> None:
        """Run a portal or go on with it, up to its limit of rows."""
        portal = self._shelf.portal(request.portal)
        if portal.statement.prepared is None:
            self._output.put(replies.EMPTY_QUERY)
            return
        if not portal.is_run:
            self._run(portal)
        elif portal.rows is None:
            raise NearshiftError(f'portal "{request.portal}" cannot be run', sqlstate="55000")
        if portal.rows is None or portal.encoder is None:
            self._output.put(replies.command_complete(portal.command))
            return
        rows_max = max(request.rows_max, 0)
        sent = self._send_rows(portal.rows, portal.encoder, rows_max)
        # PostgreSQL suspends when the limit is reached, also when it happens to be the last row.
        if rows_max and sent == rows_max:
            self._output.put(replies.PORTAL_SUSPENDED)
        else:
            self._output.put(replies.command_complete(_tag(portal.command, sent)))

    def _run(self, portal: Portal) -> None:
        prepared = portal.statement.prepared
        assert prepared is not None
        self._shelf.park(but=portal)
        portal.is_run = True
        result = self._session.run_in_batch(prepared, portal.values)
        if result.columns is None:
            portal.command = result.tag()
            return
        portal.command, portal.rows = result.command, Rows(result)
        described = tuple(column.type.oid for column in prepared.columns or ())
        if tuple(column.type.oid for column in result.columns) != described:
            raise NearshiftError("cached plan must not change result type", sqlstate="0A000", hint="Prepare the statement again.")
        portal.encoder = self._encoder(result, portal.formats)

    def close(self, request: m.Close) -> None:
        """Forget a statement or a portal; an unknown name is no error."""
        if request.kind == "S":
            self._shelf.statements.pop(request.name, None)
        else:
            self._shelf.close_portal(request.name)
        self._output.put(replies.CLOSE_COMPLETE)

    def sync(self) -> None:
        """End a batch: outside a transaction block its portals end too, and what it did is committed, or undone after an error."""
        if self._session.status is TransactionStatus.IDLE:
            self._shelf.close_portals()
        try:
            self._session.sync(is_commit=not self._has_failed)
        except NearshiftError as failure:
            self.fail(failure)
        self.ready()

    def _notice(self, notice: Notice) -> None:
        """Send a notice at once: a procedure that runs for minutes tells of its progress by RAISE INFO."""
        self._output.put(replies.notice_response(notice))
        self._output.flush()


def _spread(formats: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return one format per value: none given means text, one given means it for all ("Bind")."""
    return formats * count if len(formats) == 1 else formats or (0,) * count


# Commands whose tag counts the rows returned ("CommandComplete").
_COUNTED = frozenset({"SELECT", "FETCH"})


def _tag(command: str, rows: int) -> str:
    return f"{command} {rows}" if command in _COUNTED else command

