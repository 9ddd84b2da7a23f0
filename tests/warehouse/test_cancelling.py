"""One session stops what another runs, by CANCEL and by the two functions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from nearshift.errors import Cancelled, NearshiftError
from nearshift.session import Session

LONG = "SELECT sum((a.n * b.n + c.n * d.n) % 7) FROM big a, big b, big c, big d"


class Other:
    """A session that runs something long on a thread of its own."""

    def __init__(self, place: Any, text: str) -> None:
        self.session: Session = place.warehouse.session()
        self.error: NearshiftError | None = None
        self._place = place
        self._text = text
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._place.rows(self._text, self.session)
        except NearshiftError as error:
            self.error = error

    def stopped_by(self, stop: Callable[[], object]) -> NearshiftError:
        """Start, call `stop` until the statement has ended, and return the error that it ended with."""
        self._thread.start()
        while self._thread.is_alive():
            if self.session.tx.is_open:
                stop()
            self._thread.join(0.02)
        assert self.error is not None
        return self.error


@pytest.fixture
def big(place: Any) -> Any:
    place.rows("CREATE TABLE big (n int)")
    place.rows("INSERT INTO big VALUES " + ", ".join(f"({n})" for n in range(1000)))
    return place


def test_cancel_stops_another_sessions_statement_and_says_why(big: Any) -> None:
    other = Other(big, LONG)
    error = other.stopped_by(lambda: big.rows(f"CANCEL {other.session.number} 'too long'"))
    assert isinstance(error, Cancelled)
    assert (error.sqlstate, error.detail) == ("57014", "too long")
    assert big.rows("SELECT 1", other.session) == [(1,)]


def test_pg_cancel_backend_does_the_same_in_a_query(big: Any) -> None:
    other = Other(big, LONG)
    found: list[object] = []
    error = other.stopped_by(lambda: found.append(big.rows(f"SELECT pg_cancel_backend({other.session.number})")))
    assert error.sqlstate == "57014"
    assert found[0] == [(1,)]


def test_cancel_ends_a_procedure_that_handles_everything(big: Any) -> None:
    big.rows(f"CREATE PROCEDURE p() NONATOMIC AS $$ BEGIN PERFORM {LONG[7:]}; EXCEPTION WHEN OTHERS THEN NULL; END; $$ LANGUAGE plpgsql")
    other = Other(big, "CALL p()")
    assert other.stopped_by(lambda: big.rows(f"CANCEL {other.session.number}")).sqlstate == "57014"


def test_pg_terminate_backend_rolls_back_and_ends_the_session(big: Any) -> None:
    other = big.warehouse.session()
    big.rows("BEGIN; INSERT INTO big VALUES (-1)", other)
    assert big.rows(f"SELECT pg_terminate_backend({other.number})") == [(1,)]
    with pytest.raises(Cancelled, match="terminating connection") as raised:
        big.rows("SELECT 1", other)
    assert raised.value.sqlstate == "57P01"
    big.rows("INSERT INTO big VALUES (-2)")
    assert big.rows("SELECT count(*) FROM big WHERE n < 0") == [(1,)]


def test_an_unknown_process_is_a_warning_and_null_is_null(big: Any) -> None:
    session = big.warehouse.session()
    told: list[str] = []
    session.on_notice = lambda notice: told.append(notice.message)
    big.rows("CANCEL 999999", session)
    assert told == ["PID 999999 is not a server process"]
    assert big.rows("SELECT pg_cancel_backend(999999), pg_terminate_backend(NULL)", session) == [(0, None)]
