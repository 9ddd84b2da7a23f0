"""Two ways to a Redshift: the Data API, which needs no network path to it, and redshift_connector, which needs one and is quicker.

Both give the same conversation: a statement with its rows, statements each for itself, statements in one transaction.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from nearshift.clock import Clock
from nearshift.deploy.calls import AGAIN, Caller
from nearshift.errors import ConfigurationError, NearshiftError, Span, TargetError
from nearshift.pipeline.target import Answer

_POLL_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0)
_WAIT_SECONDS_MAX: Final = 24 * 3600.0
_POSITION: Final = re.compile(r"\n\s*Position: (\d+)")
_STATE: Final = re.compile(r"\n\s*SQLState: (\w{5})")
_MORE: Final = re.compile(r"\n\s*(?:Position|Detail|Hint|Where|SQLState): ")


class StatementFailed(NearshiftError):
    """One of several statements was refused; `index` says which, from 0."""

    def __init__(self, cause: NearshiftError, index: int) -> None:
        super().__init__(
            cause.message, sqlstate=cause.sqlstate, span=cause.span, detail=cause.detail, hint=cause.hint, context=cause.context
        )
        self.index = index


class RemoteConnection(Protocol):
    """A conversation with a Redshift."""

    def run(self, text: str) -> Answer:
        """Run one statement for itself and return its rows. Raises NearshiftError."""
        ...

    def run_each(self, texts: Sequence[str]) -> None:
        """Run statements one after the other in one session, each committed by itself; the first that fails ends it: StatementFailed."""
        ...

    def run_together(self, texts: Sequence[str]) -> None:
        """Run statements in one transaction: all or none. Raises StatementFailed."""
        ...

    def close(self) -> None:
        """End it. A second call does nothing."""
        ...


class DataApiConnection:
    """The Redshift Data API. Implements `RemoteConnection`; `place` are the members that say where and as whom."""

    def __init__(self, aws: Caller, place: dict[str, str], clock: Clock) -> None:
        self._aws = aws
        self._place = place
        self._clock = clock

    def run(self, text: str) -> Answer:
        """Run one statement and fetch its rows."""
        sent = self._aws.call("redshift-data", "execute_statement", Sql=text, **self._place)
        found = self._wait(sent["Id"])
        if found["Status"] != "FINISHED":
            raise read_error(found.get("Error", "the statement was aborted"))
        if not found.get("HasResultSet"):
            return Answer("")
        return self._fetch(sent["Id"])

    def run_each(self, texts: Sequence[str]) -> None:
        """Run statements in one session of the API, each when the one before has succeeded."""
        session: dict[str, Any] = {**self._place, "SessionKeepAliveSeconds": 60}
        for index, text in enumerate(texts):
            sent = self._aws.call("redshift-data", "execute_statement", Sql=text, **session)
            found = self._wait(sent["Id"])
            if found["Status"] != "FINISHED":
                raise StatementFailed(read_error(found.get("Error", "the statement was aborted")), index)
            # The last use lets the session go at once.
            session = {"SessionId": sent["SessionId"], "SessionKeepAliveSeconds": 60 if index + 2 < len(texts) else 1}

    def run_together(self, texts: Sequence[str]) -> None:
        """Run statements as one batch."""
        sent = self._aws.call("redshift-data", "batch_execute_statement", Sqls=list(texts), **self._place)
        found = self._wait(sent["Id"])
        if found["Status"] == "FINISHED":
            return
        failed = [index for index, one in enumerate(found.get("SubStatements", ())) if one["Status"] == "FAILED"]
        if not failed:
            raise read_error(found.get("Error", "the statements were aborted"))
        raise StatementFailed(read_error(found["SubStatements"][failed[0]].get("Error") or found.get("Error", "")), failed[0])

    def close(self) -> None:
        """There is nothing to end."""

    def _wait(self, identifier: str) -> dict[str, Any]:
        never = threading.Event()
        started = self._clock.monotonic()
        looks = 0
        while True:
            found = self._aws.call("redshift-data", "describe_statement", Id=identifier)
            if found["Status"] in {"FINISHED", "FAILED", "ABORTED"}:
                return found
            if self._clock.monotonic() - started > _WAIT_SECONDS_MAX:
                raise TargetError(f'statement "{identifier}" did not end within a day', hint="Look at SYS_QUERY_HISTORY.")
            self._clock.wait(never, _POLL_SECONDS[min(looks, len(_POLL_SECONDS) - 1)])
            looks += 1

    def _fetch(self, identifier: str) -> Answer:
        columns: tuple[str, ...] = ()
        rows: list[tuple[Any, ...]] = []
        token: dict[str, str] = {}
        while True:
            page = self._aws.call("redshift-data", "get_statement_result", Id=identifier, **token)
            columns = tuple(one.get("label") or one["name"] for one in page["ColumnMetadata"])
            rows += [tuple(None if "isNull" in field else next(iter(field.values())) for field in record) for record in page["Records"]]
            if not page.get("NextToken"):
                return Answer(f"SELECT {len(rows)}", columns, rows)
            token = {"NextToken": page["NextToken"]}


def read_error(text: str) -> NearshiftError:
    """Return the error of the database that the Data API tells as text."""
    message = _MORE.split(text, maxsplit=1)[0].strip().removeprefix("ERROR:").strip()
    position, state = _POSITION.search(text), _STATE.search(text)
    span = Span(int(position[1]) - 1, int(position[1])) if position is not None else None
    return NearshiftError(message, sqlstate=state[1] if state is not None else None, span=span)


class DriverConnection:
    """A connection by redshift_connector, which must be installed. Implements `RemoteConnection`."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        """Connect by `connect`, which returns a connection of the driver. Raises TargetError."""
        try:
            self._connection = connect()
        except Exception as error:
            hint = "Look at host, port, user and the network."
            raise TargetError("could not connect to Redshift", detail=str(error), hint=hint) from error
        self._connection.autocommit = True

    def run(self, text: str) -> Answer:
        """Run one statement and fetch its rows."""
        cursor = self._connection.cursor()
        try:
            cursor.execute(text)
            if cursor.description is None:
                return Answer("")
            names = tuple(column[0].decode() if isinstance(column[0], bytes) else column[0] for column in cursor.description)
            rows = [tuple(row) for row in cursor.fetchall()]
        except Exception as error:
            raise _driver_error(error) from error
        finally:
            cursor.close()
        return Answer(f"SELECT {len(rows)}", names, rows)

    def run_each(self, texts: Sequence[str]) -> None:
        """Run statements one by one."""
        for index, text in enumerate(texts):
            self._run_one(text, index)
        self.run("RESET ALL")

    def run_together(self, texts: Sequence[str]) -> None:
        """Run statements between BEGIN and COMMIT."""
        self.run("BEGIN")
        try:
            for index, text in enumerate(texts):
                self._run_one(text, index)
            self.run("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self.run("RESET ALL")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _run_one(self, text: str, index: int) -> None:
        try:
            self.run(text)
        except TargetError:
            raise  # the connection failed, not the statement: whether it has run is not known
        except NearshiftError as error:
            raise StatementFailed(error, index) from error

    def _roll_back(self) -> None:
        try:
            self.run("ROLLBACK")
        except TargetError:
            return  # the connection is gone, and the transaction with it


def driver() -> Any:
    """Return the module redshift_connector. Raises ConfigurationError where it is not installed."""
    try:
        import redshift_connector
    except ImportError as error:
        hint = 'Install it with: pip install redshift-connector. Or set connect = "data-api" in [targets.redshift].'
        raise ConfigurationError("the driver redshift_connector is not installed", hint=hint) from error
    return redshift_connector


def _driver_error(error: Exception) -> NearshiftError:
    """Return the error of the database; the driver hands over its fields by letter, and all else as text."""
    fields = error.args[0] if error.args and isinstance(error.args[0], dict) else None
    if fields is None:
        return TargetError("the connection to Redshift broke", detail=str(error), hint=AGAIN)
    place = int(fields["P"]) - 1 if str(fields.get("P", "")).isdigit() else None
    span = Span(place, place + 1) if place is not None else None
    message = fields.get("M", "unknown error")
    return NearshiftError(message, sqlstate=fields.get("C"), span=span, detail=fields.get("D"), hint=fields.get("H"))
