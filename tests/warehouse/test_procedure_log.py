"""What procedures say and how their calls end is kept in system views."""

from __future__ import annotations

from typing import Any

import pytest

from nearshift.errors import NearshiftError


def test_messages_and_calls_are_kept_with_their_lines(place: Any) -> None:
    session = place.warehouse.session()
    body = "BEGIN\n  RAISE LOG 'quiet';\n  RAISE NOTICE 'n is %', n;\n  IF n > 1 THEN RAISE EXCEPTION 'too large'; END IF;\nEND;"
    place.rows(f"CREATE PROCEDURE says(n int) AS $$\n{body}\n$$ LANGUAGE plpgsql", session)
    place.rows("CALL says(1)", session)
    place.rows("SET stored_proc_log_min_messages TO 'log'", session)
    with pytest.raises(NearshiftError, match="too large"):
        place.rows("CALL says(2)", session)
    place.warehouse.scheduler.write_notes()
    found = place.rows("SELECT trim(log_level), trim(message), line_number FROM sys_procedure_messages ORDER BY query_id, line_number")
    assert found == [("NOTICE", "n is 1", 3), ("LOG", "quiet", 2), ("NOTICE", "n is 2", 3), ("EXCEPTION", "too large", 4)]
    levels = place.rows("SELECT loglevel, linenum, pid FROM svl_stored_proc_messages ORDER BY query, linenum")
    assert levels == [(40, 3, session.number), (20, 2, session.number), (40, 3, session.number), (60, 4, session.number)]
    calls = place.rows("SELECT trim(query_text), trim(status) FROM sys_procedure_call ORDER BY query_id")
    assert calls == [("CALL says(1)", "success"), ("CALL says(2)", "canceled")]
    session.close()
