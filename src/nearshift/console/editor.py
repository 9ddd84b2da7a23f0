"""Query editors: each browser tab has a session of its own, so that SET, temporary tables and transactions last from run to run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from nearshift import limits
from nearshift.clock import Clock
from nearshift.console.cells import read_grid
from nearshift.console.queries import Query
from nearshift.console.reader import Reader, statement_timeout
from nearshift.console.replies import describe_error
from nearshift.console.source import ConsoleSource, Session
from nearshift.errors import Conflict, NearshiftError
from nearshift.results import Notice, Result

_TABLES = Query(
    "SELECT table_schema, table_name, table_type FROM svv_tables ORDER BY table_schema, table_name LIMIT 2000",
)
_COLUMNS = Query(
    "SELECT table_schema, table_name, column_name, data_type FROM svv_columns "
    "ORDER BY table_schema, table_name, ordinal_position LIMIT 10000",
)  # fmt: skip


@dataclass(slots=True)
class _Editor:
    session: Session
    used_at: float
    is_busy: bool = False
    notices: list[Notice] = field(default_factory=list)


class Editors:
    """The sessions of query editors, by the id that each tab made up. Safe to share between threads."""

    def __init__(self, source: ConsoleSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._editors: dict[str, _Editor] = {}

    def run(self, name: str, text: str) -> dict[str, object]:
        """Run a script in the editor's session and return its results, notices and, where it stopped, the error.

        Results fetch at most CONSOLE_ROWS_MAX rows and each statement is cancelled after CONSOLE_STATEMENT_MS_MAX. Raises Conflict when the
        editor is still running something.
        """
        editor = self._take(name)
        results: list[dict[str, object]] = []
        failure: dict[str, object] | None = None
        started = self._clock.monotonic()
        try:
            script = editor.session.execute_script(text)
            try:
                while (found := self._next(editor, script)) is not None:
                    results.append(found)
            finally:
                _close(script)  # ends the script's transaction when its result could not be read to the end
        except NearshiftError as error:
            failure = describe_error(error, text)
        finally:
            notices, editor.notices = editor.notices, []
            self._give_back(editor)
        return {
            "results": results, "error": failure, "ms": round((self._clock.monotonic() - started) * 1000, 1),
            "notices": [
                {"severity": item.severity.value, "message": item.message, "sqlstate": item.sqlstate, "hint": item.hint} for item in notices
            ],
        }  # fmt: skip

    def cancel(self, name: str) -> bool:
        """Interrupt what the editor runs; return whether there was anything."""
        with self._lock:
            editor = self._editors.get(name)
            is_busy = editor is not None and editor.is_busy
        if editor is not None and is_busy:
            editor.session.interrupt()
        return is_busy

    def close_one(self, name: str) -> None:
        """End the session of a tab that went away; nothing happens when there is none or it is busy."""
        with self._lock:
            editor = self._editors.get(name)
            if editor is None or editor.is_busy:
                return
            del self._editors[name]
        editor.session.close()

    def close(self) -> None:
        """End all sessions, interrupting what they run."""
        with self._lock:
            editors = list(self._editors.values())
            self._editors.clear()
        for editor in editors:
            if editor.is_busy:
                editor.session.interrupt()
            else:
                editor.session.close()

    def _next(self, editor: _Editor, script: Iterator[Result]) -> dict[str, object] | None:
        started = self._clock.monotonic()
        with statement_timeout(editor.session, limits.CONSOLE_STATEMENT_MS_MAX):
            result = next(script, None)
            if result is None:
                return None
            grid = read_grid(result) if result.columns is not None else None
        if grid is not None:
            result.row_count = grid.row_count
        shown: dict[str, object] = {"command": result.command, "tag": result.tag(), "row_count": result.row_count}
        return shown | {"grid": grid.text() if grid else None, "ms": round((self._clock.monotonic() - started) * 1000, 1)}

    def _take(self, name: str) -> _Editor:
        with self._lock:
            editor = self._editors.get(name)
            if editor is not None and editor.is_busy:
                hint = "Cancel it, or wait until it ends."
                raise Conflict("the editor is still running a statement", sqlstate="55006", hint=hint)
            if editor is None:
                self._make_room()
                editor = _Editor(self._source.open_session(is_read_only=False), self._clock.monotonic())
                editor.session.on_notice = editor.notices.append
                self._editors[name] = editor
            editor.session.on_notice = editor.notices.append
            editor.is_busy = True
            return editor

    def _make_room(self) -> None:
        if len(self._editors) < limits.CONSOLE_EDITORS_MAX:
            return
        idle = [(editor.used_at, name) for name, editor in self._editors.items() if not editor.is_busy]
        if not idle:
            raise Conflict(f"{limits.CONSOLE_EDITORS_MAX} query editors are running", sqlstate="53300", hint="Wait until one of them ends.")
        self._editors.pop(min(idle)[1]).session.close()

    def _give_back(self, editor: _Editor) -> None:
        with self._lock:
            editor.is_busy = False
            editor.used_at = self._clock.monotonic()
            is_known = editor in self._editors.values()
        if not is_known:  # closed while it ran
            editor.session.close()


def _close(script: Iterator[Result]) -> None:
    close = getattr(script, "close", None)
    if close is not None:
        close()


def read_schema(reader: Reader) -> dict[str, object]:
    """Return schemas, their relations and their columns, as the tree beside the editor shows them."""
    columns: dict[tuple[str, str], list[dict[str, str]]] = {}
    for schema, table, column, kind in reader.grid(_COLUMNS).rows():
        columns.setdefault((schema, table), []).append({"name": column, "type": kind})
    schemas: dict[str, list[dict[str, object]]] = {}
    for schema, table, kind in reader.grid(_TABLES).rows():
        schemas.setdefault(schema, []).append({"name": table, "kind": kind, "columns": columns.get((schema, table), [])})
    return {"schemas": [{"name": name, "relations": relations} for name, relations in schemas.items()]}


