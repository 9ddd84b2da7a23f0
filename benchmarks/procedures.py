"""What a statement costs inside a procedure, beside the same statement alone: both warm, in one session over an empty table.

Prints one JSON object: microseconds of processor time per statement by kind, inside, alone, and the difference. `alone` is the statement in
DuckDB's text on the session's own connection, so that the difference holds all that the interpreter and the session add.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

from nearshift.session import Session
from nearshift.warehouse import Warehouse

TURNS = int(sys.argv[1]) if len(sys.argv) > 1 else 300
ROUNDS = 7
# Kind, the statement in the body, and what it means alone (None for what never reaches the engine).
KINDS: tuple[tuple[str, str, str | None], ...] = (
    ("assignment of a sum", "a := a + 1;", None),
    ("comparison", "IF a < 0 THEN a := 0; END IF;", None),
    ("assignment of an expression", "t := 'x' || upper(w);", "SELECT 'x' || upper($1)"),
    ("condition in SQL", "IF length(w) > 90 THEN a := 0; END IF;", "SELECT length($1) > 90"),
    ("select into", "SELECT INTO a max(n) FROM item WHERE n < i;", "SELECT max(n) FROM public.item WHERE n < $1"),
    ("update without rows", "UPDATE item SET n = i WHERE n = -1;", "UPDATE public.item SET n = $1 WHERE n = -1"),
    ("delete without rows", "DELETE FROM item WHERE n = i - 1000000;", "DELETE FROM public.item WHERE n = $1 - 1000000"),
    ("dynamic select into", "EXECUTE 'SELECT count(*) FROM item' INTO a;", "SELECT count(*) FROM public.item"),
    ("call", "CALL nothing(i);", None),
)


def main() -> None:
    """Measure each kind and print the figures."""
    with Warehouse.open(threads=1) as warehouse:
        session = warehouse.session()
        _run(session, "CREATE TABLE item (n int)")
        _run(session, "CREATE PROCEDURE nothing(n int) AS $$ BEGIN NULL; END; $$ LANGUAGE plpgsql")
        empty = _in_procedure(session, "NULL;")
        found = {}
        for kind, statement, alone in KINDS:
            inside = _in_procedure(session, statement) - empty
            bare = _alone(session, alone) if alone is not None else 0.0
            found[kind] = {"inside_us": round(inside, 1), "alone_us": round(bare, 1), "added_us": round(inside - bare, 1)}
    print(json.dumps({"turns": TURNS, "statements": found}, indent=2))


def _run(session: Session, text: str) -> None:
    for result in session.execute_script(text):
        result.rows()


def _in_procedure(session: Session, statement: str) -> float:
    """Return microseconds per statement of a loop in a procedure, its loop included."""
    body = f"DECLARE a int := 0; t varchar; w varchar := 'word'; BEGIN FOR i IN 1..{TURNS} LOOP {statement} END LOOP; END;"
    _run(session, f"CREATE OR REPLACE PROCEDURE measured() AS $$ {body} $$ LANGUAGE plpgsql")
    _run(session, "CALL measured()")
    return _median(lambda: _run(session, "CALL measured()")) / TURNS


def _alone(session: Session, statement: str) -> float:
    """Return microseconds per statement, handed to the engine as the translation says it."""
    connection = session.tx.connection
    values = [] if "$1" not in statement else ["word"] if "length" in statement or "upper" in statement else [5]

    def turns() -> None:
        for _ in range(TURNS):
            connection.rows(statement, values)

    session.tx.begin(takes_lane=True)
    turns()
    found = _median(turns) / TURNS
    session.tx.rollback()
    return found


def _median(act: Callable[[], None]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        act()
        times.append(time.process_time() - start)
    return statistics.median(times) * 1e6


if __name__ == "__main__":
    main()
