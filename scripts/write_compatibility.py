"""Writes docs/compatibility.md from the tables that the code itself decides by: `python scripts/write_compatibility.py [--check]`.

Each row is shown with a test that proves it (`compatibility_proofs.py`); rows without one are listed, and the exit status is 1. `--check`
writes nothing and fails also when the page is out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from compatibility_proofs import Proofs, by_pytest
from reference_statements import CLAUSES, STATEMENTS

from nearshift.catalog.system_views import views
from nearshift.settings import DEFINITIONS
from nearshift.sql import functions, parse
from nearshift.sql.functions_aggregate import AGGREGATES, WINDOWS
from nearshift.sql.functions_table import DOCUMENTATION, Function
from nearshift.sql.parse_queries import QUERY_WORDS
from nearshift.sql.parse_refused import REFUSED
from nearshift.types import NAMES, REFUSED_TYPES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
COMMAND = "python scripts/write_compatibility.py"
HEAD = f"""# Compatibility

What nearshift understands of Amazon Redshift's SQL, written by `{COMMAND}` from the tables that the code decides by.
What is in no list does not exist for a query: nothing reaches DuckDB's own functions or settings by name.
[sql.md](sql.md) says what differs on purpose.
"""
TITLES = {
    "functions_text": "Strings and bytes", "functions_regexp": "Regular expressions", "functions_hash": "Hashes",
    "functions_numbers": "Numbers", "functions_dates": "Dates and times",
    "functions_super": "SUPER and JSON", "functions_system": "Session and conditions", "functions_catalog": "Catalog",
    "functions_admin": "Cluster and administration",
}  # fmt: skip
# Accepted by the parser and without effect on what a query can see.
RECORDED = ("VACUUM", "ANALYZE", "ANALYSE", "DISCARD")
# Words of the parser's table that stand for several statements of the reference, each of which has a row of its own.
GENERAL = ("DROP", "REFRESH", "START")


def cell(text: str) -> str:
    """Return the text as it may stand in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell(one) for one in row) + " |"
    yield ""


def page_link(page: str) -> str:
    """Return the link to a source page: Redshift's guide, or a full address."""
    if page.startswith("http"):
        return f"[{page.rpartition('/')[2] or page}]({page})"
    return f"[{page}]({DOCUMENTATION}{page})"


class Page:
    """The page's lines, and the rows that no test proves."""

    def __init__(self, proofs: Proofs) -> None:
        self.proofs = proofs
        self.missing: list[str] = []

    def test(self, kind: str, name: str, found: str | None) -> str:
        """Return what stands in the column of tests; a row without a test is noted."""
        found = found or by_pytest(kind, name)
        if found is None:
            self.missing.append(f"{kind} {name}")
        return found or "none"

    def statement_row(self, name: str, words: tuple[str, ...], inside: tuple[str, ...] = (), reason: str = "") -> tuple[str, ...]:
        """Return the row of a kind of statement or clause: its state is what its test shows."""
        others = () if inside else tuple(one.leading for one in STATEMENTS if one.leading != words and one.leading[: len(words)] == words)
        state, told, test = self.proofs.statement(words, inside, others) or ("", "", None)
        if reason:
            if state == "supported":
                raise ValueError(f"{name} is listed as refused, and runs in {test}")
            state, told = "refused", reason
        elif name in RECORDED:
            state, told = "accepted", "Without effect here."
        return name, state, told, self.test("statement", name, test)

    def statement_rows(self) -> list[tuple[str, ...]]:
        """Return every kind of statement, of the reference and of the parser's tables, with its state, the reason and the test."""
        reasons = {words: reason for refused in REFUSED.values() for words, reason in refused}
        rows = {kind.name: self.statement_row(kind.name, kind.leading, kind.inside, reasons.get(kind.leading, "")) for kind in STATEMENTS}
        known = {words for entries in parse.PARSERS.values() for words, _parser in entries} | {(word,) for word in QUERY_WORDS - {"("}}
        for words in sorted(known | set(reasons)):
            name = " ".join(words)
            if name not in rows and name not in GENERAL:
                rows[name] = self.statement_row(name, words, (), reasons.get(words, ""))
        return [rows[name] for name in sorted(rows)]

    def function_lines(self) -> Iterator[str]:
        """Yield the sections about functions, one per module."""
        for module in functions.MODULES:
            own: tuple[Function, ...] = module.FUNCTIONS
            name = module.__name__.rpartition(".")[2]
            yield f"### {TITLES.get(name, name)}\n"
            rows = [self.function_row(row.name, page_link(row.page)) for row in own]
            for row in module.REFUSALS:
                test = self.test("function", row.name, self.proofs.refused_function(row.name))
                rows.append((f"`{row.name}`", "refused", f"It {row.reason}. {row.hint or ''}", test))
            yield from table(("function", "state", "page or reason", "test"), sorted(rows))
        yield "### Families\n"
        rows = []
        for prefix, reason in functions.FAMILIES.items():
            rows.append((f"`{prefix}…`", "refused", f"It {reason}.", self.test("function", prefix, self.proofs.refused_family(prefix))))
        yield from table(("function", "state", "reason", "test"), rows)
        for title, found in (("Aggregates", AGGREGATES), ("Window functions", WINDOWS)):
            yield f"### {title}\n"
            rows = [self.function_row(one, page_link(found[one].page)) for one in sorted(found)]
            yield from table(("function", "state", "page", "test"), rows)

    def function_row(self, name: str, page: str) -> tuple[str, ...]:
        """Return the row of a function that can be called."""
        return f"`{name}`", "supported", page, self.test("function", name, self.proofs.function(name))

    def type_rows(self) -> list[tuple[str, ...]]:
        """Return the rows of all names of types."""
        known = (*NAMES, *REFUSED_TYPES)
        rows = []
        for name in NAMES:
            test = self.test("type", name, self.proofs.type(name, known))
            rows.append((f"`{name}`", "supported", str(NAMES[name]), str(NAMES[name].oid), test))
        for name, reason in REFUSED_TYPES.items():
            test = self.test("type", name, self.proofs.type(name, known, is_refused=True))
            rows.append((f"`{name}`", "refused", reason, "", test))
        return sorted(rows)

    def lines(self) -> Iterator[str]:
        """Yield the page's lines."""
        yield HEAD
        yield "## Statements\n"
        yield "By their leading words. A refused statement is answered with SQLSTATE 0A000 and the reason.\n"
        yield from table(("statement", "state", "reason", "test"), self.statement_rows())
        yield "### Clauses and operators\n"
        clauses = (self.statement_row(one.name, one.leading, one.inside) for one in CLAUSES)
        yield from table(("clause", "state", "reason", "test"), clauses)
        yield "## Functions\n"
        yield from self.function_lines()
        yield "## Types\n"
        yield from table(("name", "state", "means, or the reason", "OID", "test"), self.type_rows())
        yield "## Settings\n"
        yield "`SET`, `SHOW` and `RESET` know these; `fixed` ones can only be shown.\n"
        settings = (
            (f"`{name}`", f"`{one.initial or ' '}`", "fixed" if one.is_fixed else "", self.test("setting", name, self.proofs.setting(name)))
            for name, one in sorted(DEFINITIONS.items())
        )
        yield from table(("setting", "at start", "", "test"), settings)
        yield "## System views\n"
        known = views()
        rows_of_views = (
            (f"`{schema}.{name}`", ", ".join(one.name for one in known[schema, name].columns),
             self.test("view", f"{schema}.{name}", self.proofs.view(schema, name)))
            for schema, name in sorted(known)
        )  # fmt: skip
        yield from table(("view", "columns", "test"), rows_of_views)

    def text(self) -> str:
        """Return the whole page."""
        return "\n".join(self.lines()).rstrip() + "\n"


def main() -> int:
    """Write or check the page; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is out of date")
    arguments = parser.parse_args()
    page = Page(Proofs())
    wanted = page.text()
    for row in page.missing:
        print(f"no test proves: {row}", file=sys.stderr)
    if not arguments.check:
        PAGE.write_text(wanted, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        print(f"{PAGE.name} is out of date: run {COMMAND}", file=sys.stderr)
        return 1
    return 1 if page.missing else 0


if __name__ == "__main__":
    sys.exit(main())
