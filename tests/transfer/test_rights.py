"""Who may COPY and UNLOAD, who sees whose load errors, and a load that is cancelled."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from nearshift.errors import Cancelled
from nearshift.transfer import loading

if TYPE_CHECKING:
    from tests.transfer.conftest import Place


def test_copy_needs_insert_and_unload_needs_select(place: Place) -> None:
    place.write("f", "1\n")
    place.write("bad", "x\n")
    place.rows("CREATE TABLE t (a int); CREATE USER ann PASSWORD 'Secret123'")
    assert "failed" in place.fails("COPY t FROM 'file://bad'").message
    place.rows("SET SESSION AUTHORIZATION ann")
    assert place.fails("COPY t FROM 'file://f'").sqlstate == "42501"
    assert place.fails("UNLOAD ('SELECT a FROM t') TO 'file://out/'").sqlstate == "42501"
    assert place.rows("SELECT count(*) FROM stl_load_errors") == [(0,)]
    place.rows("RESET SESSION AUTHORIZATION; GRANT INSERT ON t TO ann; SET SESSION AUTHORIZATION ann")
    place.rows("COPY t FROM 'file://f'")
    assert "failed" in place.fails("COPY t FROM 'file://bad'").message
    assert place.rows("SELECT count(*) FROM stl_load_errors") == [(1,)]
    assert place.fails("UNLOAD ('SELECT a FROM t') TO 'file://out/'").sqlstate == "42501"
    place.rows("RESET SESSION AUTHORIZATION; GRANT SELECT ON t TO ann; SET SESSION AUTHORIZATION ann")
    place.rows("UNLOAD ('SELECT a FROM t') TO 'file://out/'")
    place.rows("RESET SESSION AUTHORIZATION")
    assert place.rows("SELECT count(*), count(DISTINCT userid) FROM stl_load_errors") == [(2, 2)]


def test_a_cancelled_load_leaves_nothing_but_its_history(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancel comes from another thread, between two batches."""
    place.write("f", "1\n" * 5_000_000)
    place.rows("CREATE TABLE t (a int)")
    load = loading.Loader.load

    def cancelled(*arguments: object) -> None:
        load(*arguments)  # type: ignore[arg-type]
        other = threading.Thread(target=place.session.interrupt)
        other.start()
        other.join()

    monkeypatch.setattr(loading.Loader, "load", cancelled)
    with pytest.raises(Cancelled):
        place.rows("COPY t FROM 'file://f'")
    monkeypatch.undo()
    assert place.rows("SELECT count(*) FROM t") == [(0,)]
    assert place.rows("SELECT status, loaded_rows FROM sys_load_history") == [("aborted", 0)]
