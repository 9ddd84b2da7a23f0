"""Finds, for each row of docs/compatibility.md, the test that proves it: text tests, and pytest where a text test cannot reach.

A row is proven by the file in which its name is found, never by a line's number, which goes stale with every edit above it.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from nearshift.errors import NearshiftError
from nearshift.sql.lexer import Token, TokenKind, string_value, tokens
from nearshift.sql.split import split_script
from nearshift.testing.text_records import Record, parse_records

ROOT: Final = Path(__file__).resolve().parent.parent
TEXT_TESTS: Final = ROOT / "tests" / "text"
# What a text test cannot reach, for want of files, of other sessions or of the upkeep: tests that must exist, and the rows they prove.
_BY_PYTEST: Final[dict[str, tuple[str, ...]]] = {
    "tests/warehouse/test_written_notes.py::test_views_show_what_was_written_down": (
        "view sys_nearshift_metric", "view sys_nearshift_schedule", "view sys_nearshift_schedule_run", "view sys_procedure_call",
    ),
    "tests/warehouse/test_procedure_log.py::test_messages_and_calls_are_kept_with_their_lines": (
        "view svl_stored_proc_messages", "view sys_procedure_messages",
    ),
    "tests/warehouse/test_cancelling.py::test_pg_cancel_backend_does_the_same_in_a_query": ("function pg_cancel_backend",),
    "tests/warehouse/test_cancelling.py::test_pg_terminate_backend_rolls_back_and_ends_the_session": ("function pg_terminate_backend",),
    "tests/access/test_logins.py::test_logins_are_written_down_and_shown_to_superusers_only": (
        "view stl_connection_log", "view sys_connection_log",
    ),
    "tests/transfer/test_copy_errors.py::test_errors_outlive_the_transaction_that_failed": (
        "view stl_load_commits", "view stl_load_errors", "view sys_load_history",
    ),
    "tests/transfer/test_copy_errors.py::test_the_detail_shows_the_fields_of_a_bad_row": ("view stl_loaderror_detail",),
    "tests/transfer/test_copy_errors.py::test_lines_are_counted_across_quoted_line_feeds_and_pieces": ("view sys_load_detail",),
    "tests/transfer/test_copy_errors.py::test_a_bad_line_says_why": ("view sys_load_error_detail",),
    "tests/transfer/test_unload.py::test_files_are_cut_at_their_size": ("view sys_unload_detail",),
    "tests/transfer/test_unload.py::test_nothing_is_overwritten_unless_told": ("view sys_unload_history",),
    "tests/transfer/test_unload.py::test_text_of_each_format": ("function pg_last_unload_count",),
}  # fmt: skip
BY_PYTEST: Final = {row: test for test, rows in _BY_PYTEST.items() for row in rows}
_IGNORED: Final = frozenset({"OR", "REPLACE", "LOCAL", "TEMP", "TEMPORARY"})
_NAMES: Final = (TokenKind.WORD, TokenKind.QUOTED)


@dataclass(frozen=True, slots=True)
class Proven:
    """One statement of a text test, and what the test says of it: rows, success, or an error."""

    path: Path
    record: Record
    tokens: tuple[Token, ...]

    @property
    def has_rows(self) -> bool:
        """Whether values are compared."""
        return self.record.verb == "query" and bool(self.record.expected)

    @property
    def refusal(self) -> str | None:
        """What the test demands of an error 0A000: its message, detail and hint; None when the statement is not refused so."""
        error = self.record.error()
        return None if error is None or error[0] != "0A000" else " ".join([error[2], *(self.record.expected or ())]).strip()

    @property
    def succeeds(self) -> bool:
        """Whether the statement runs."""
        return self.record.error() is None

    def starts_with(self, words: tuple[str, ...], inside: tuple[str, ...] = ()) -> bool:
        """Tell whether the statement has these leading words, as they stand or without OR REPLACE and TEMP, and the others after them."""
        keys = tuple(token.key for token in self.tokens)
        if keys[: len(words)] != words and tuple(key for key in keys[: len(words) + 4] if key not in _IGNORED)[: len(words)] != words:
            return False
        return not inside or any(keys[at : at + len(inside)] == inside for at in range(len(words), len(keys)))


class Proofs:
    """All text tests, and what can be found in them; each search returns the test as the page shows it, None when there is none."""

    def __init__(self, folder: Path = TEXT_TESTS) -> None:
        self._folder = folder

    @cached_property
    def statements(self) -> tuple[Proven, ...]:
        """Every statement of every record, in the order of the files' names."""
        return tuple(one for path in sorted(self._folder.rglob("*.test")) for one in _statements(path))

    def statement(
        self, words: tuple[str, ...], inside: tuple[str, ...] = (), others: tuple[tuple[str, ...], ...] = ()
    ) -> tuple[str, str, str] | None:
        """Return (state, reason, test) of a kind of statement: supported when a record of it succeeds, refused when one is refused.

        `others` are leading words that make it another kind.
        """
        own = [one for one in self.statements if one.starts_with(words, inside) and not any(one.starts_with(other) for other in others)]
        for one in own:
            if one.succeeds:
                return "supported", "", shown(one.path)
        for one in own:
            if one.refusal:
                return "refused", one.refusal, shown(one.path)
        return None

    def function(self, name: str) -> str | None:
        """Return the test that compares a result of this function."""
        return self._first(one for one in self.statements if one.has_rows and name in _calls(one.tokens))

    def refused_function(self, name: str) -> str | None:
        """Return the test in which a call of this function is refused with 0A000 and a reason."""
        return self._first(one for one in self.statements if one.refusal and name in _calls(one.tokens))

    def refused_family(self, prefix: str) -> str | None:
        """Return the test in which a call of a function with this beginning is refused with 0A000 and a reason."""
        return self._first(one for one in self.statements if one.refusal and any(name.startswith(prefix) for name in _calls(one.tokens)))

    def type(self, name: str, known: tuple[str, ...], *, is_refused: bool = False) -> str | None:
        """Return the test that casts to the type or makes a column of it; `known` are the names of all types."""
        longer = tuple(tuple(one.upper().split()) for one in known if one.startswith(name + " "))
        words = tuple(name.upper().split())
        wanted = (one for one in self.statements if (one.refusal if is_refused else one.succeeds))
        return self._first(one for one in wanted if _has_type(one.tokens, words, longer))

    def setting(self, name: str) -> str | None:
        """Return the test that sets or shows this setting."""
        return self._first(one for one in self.statements if one.succeeds and _setting(one.tokens) == name)

    def view(self, schema: str, name: str) -> str | None:
        """Return the test that compares rows of this system view."""
        return self._first(one for one in self.statements if one.record.verb == "query" and _reads(one.tokens, schema, name))

    def _first(self, found: Iterator[Proven]) -> str | None:
        one = next(found, None)
        return None if one is None else shown(one.path)


def shown(path: Path) -> str:
    """Return a link to a test file, from the page."""
    relative = path.relative_to(ROOT)
    return f"[{relative.relative_to('tests').with_suffix('')}](../{relative})"


def by_pytest(kind: str, name: str) -> str | None:
    """Return the pytest test that is noted for a row. Raises LookupError when the test is not there, or does not name the row."""
    bare = name.removeprefix("pg_catalog.")
    node = BY_PYTEST.get(f"{kind} {bare}")
    if node is None:
        return None
    path, _, function = node.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    found = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef) and one.name == function]
    if not found or bare not in (ast.get_source_segment(text, found[0]) or ""):
        raise LookupError(f"{node} is no test of {bare}")
    return f"[{function}](../{path})"


def _statements(path: Path) -> Iterator[Proven]:
    for record in parse_records(path.read_text(encoding="utf-8")):
        if record.verb not in ("statement", "query"):
            continue
        try:
            pieces = split_script(record.body)
            if record.error() is not None and len(pieces) > 1:
                pieces = pieces[-1:]
            for piece in pieces:
                yield Proven(path, record, tuple(tokens(piece.text)))
        except NearshiftError:
            continue  # a text that is no statement proves none


def _calls(found: tuple[Token, ...]) -> set[str]:
    """Return the names that stand before a parenthesis or alone: `f(…)`, `current_date`, `sysdate`."""
    before = (token for token, after in itertools.pairwise(found) if after.key == "(" and token.kind in _NAMES)
    names = {token.text.strip('"').lower() for token in before}
    return names | {token.text.lower() for token in found if token.key in _WITHOUT_PARENTHESES}


_WITHOUT_PARENTHESES: Final = frozenset({
    "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "CURRENT_USER_ID", "CURRENT_SCHEMA", "SESSION_USER", "USER",
    "SYSDATE", "LOCALTIME", "LOCALTIMESTAMP", "CURRENT_AWS_ACCOUNT", "CURRENT_NAMESPACE",
})  # fmt: skip


def _has_type(found: tuple[Token, ...], words: tuple[str, ...], longer: tuple[tuple[str, ...], ...]) -> bool:
    keys = tuple(token.key for token in found)
    defines = keys[:1] and keys[0] in ("CREATE", "ALTER", "PREPARE")
    for at in range(1, len(keys)):
        if keys[at : at + len(words)] != words or any(keys[at : at + len(one)] == one for one in longer):
            continue
        before = found[at - 1]
        if before.key in ("::", "AS", ",") or (defines and before.kind in _NAMES) or found[at + len(words)].kind is TokenKind.STRING:
            return True
    return False


def _setting(found: tuple[Token, ...]) -> str:
    keys = [token.key for token in found]
    if keys[0] == "SELECT" and keys[1:3] == ["CURRENT_SETTING", "("] and found[3].kind is TokenKind.STRING:
        return string_value(found[3]).lower()
    if keys[0] not in ("SET", "SHOW", "RESET"):
        return ""
    at = 2 if keys[1:2] in (["SESSION"], ["LOCAL"]) and keys[2] not in ("TO", "=", "AUTHORIZATION") else 1
    if keys[at : at + 2] == ["TIME", "ZONE"]:
        return "timezone"
    if keys[at : at + 2] == ["SESSION", "AUTHORIZATION"]:
        return "session_authorization"
    if keys[at : at + 3] == ["TRANSACTION", "ISOLATION", "LEVEL"]:
        return "transaction_isolation"
    return found[at].text.strip('"').lower()


def _reads(found: tuple[Token, ...], schema: str, name: str) -> bool:
    texts = [token.text.strip('"').lower() for token in found]
    for at, token in enumerate(found):
        if texts[at] != name or token.kind not in _NAMES or at == 0:
            continue
        is_qualified = texts[at - 1] == "."
        before = found[at - 3].key if is_qualified and at >= 3 else found[at - 1].key
        if before in ("FROM", "JOIN", ",") and (schema == "pg_catalog" or (is_qualified and texts[at - 2] == schema)):
            return True
    return False
