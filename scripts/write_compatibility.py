"""Writes docs/compatibility.md from the tables that the code itself decides by: `python scripts/write_compatibility.py [--check]`.

`--check` writes nothing and says by its exit status whether the page is up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

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
}  # fmt: skip
# Accepted by the parser and without effect on what a query can see.
RECORDED = ("VACUUM", "ANALYZE", "ANALYSE", "CANCEL", "DISCARD")
# Read by the parser, so that mistakes have a place, and refused by the command; a test runs one of each.
REFUSED_WHEN_RUN = {
    "CREATE USER": "There is one user, the administrator.", "CREATE GROUP": "There is one user, the administrator.",
    "CREATE ROLE": "There is one user, the administrator.", "ALTER USER": "There is one user, the administrator.",
    "ALTER GROUP": "There is one user, the administrator.", "ALTER ROLE": "There is one user, the administrator.",
    "UNLOAD": "Files on Amazon S3 are not written.",
}  # fmt: skip


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


def statement_rows() -> list[tuple[str, str, str]]:
    """Return every kind of statement, its state and the reason."""
    rows = {word: (word, "supported", "") for word in QUERY_WORDS if word != "("}
    for entries in parse.PARSERS.values():
        for words, _parser in entries:
            name = " ".join(words)
            refusal = REFUSED_WHEN_RUN.get(name)
            if refusal is not None:
                rows[name] = (name, "refused", refusal)
            elif name in RECORDED:
                rows[name] = (name, "accepted", "Without effect here.")
            else:
                rows[name] = (name, "supported", "")
    for refused in REFUSED.values():
        for words, reason in refused:
            rows[" ".join(words)] = (" ".join(words), "refused", reason)
    return [rows[name] for name in sorted(rows)]


def function_lines() -> Iterator[str]:
    """Yield the sections about functions, one per module."""
    for module in functions.MODULES:
        own: tuple[Function, ...] = module.FUNCTIONS
        yield f"### {TITLES[module.__name__.rpartition('.')[2]]}\n"
        rows = [(f"`{row.name}`", "supported", page_link(row.page)) for row in own]
        rows += [(f"`{row.name}`", "refused", f"It {row.reason}. {row.hint or ''}") for row in module.REFUSALS]
        yield from table(("function", "state", "page or reason"), sorted(rows))
    for title, found in (("Aggregates", AGGREGATES), ("Window functions", WINDOWS)):
        yield f"### {title}\n"
        yield from table(("function", "state", "page"), ((f"`{name}`", "supported", page_link(found[name].page)) for name in sorted(found)))


def lines() -> Iterator[str]:
    """Yield the page's lines."""
    yield HEAD
    yield "## Statements\n"
    yield "By their leading words. A refused statement is answered with SQLSTATE 0A000 and the reason.\n"
    yield from table(("statement", "state", "reason"), statement_rows())
    yield "## Functions\n"
    yield from function_lines()
    yield "## Types\n"
    rows = [(f"`{name}`", "supported", str(NAMES[name]), str(NAMES[name].oid)) for name in NAMES]
    rows += [(f"`{name}`", "refused", reason, "") for name, reason in REFUSED_TYPES.items()]
    yield from table(("name", "state", "means, or the reason", "OID"), sorted(rows))
    yield "## Settings\n"
    yield "`SET`, `SHOW` and `RESET` know these; `fixed` ones can only be shown.\n"
    settings = ((f"`{name}`", f"`{one.initial or ' '}`", "fixed" if one.is_fixed else "") for name, one in sorted(DEFINITIONS.items()))
    yield from table(("setting", "at start", ""), settings)
    yield "## System views\n"
    known = views()
    rows_of_views = ((f"`{schema}.{name}`", ", ".join(one.name for one in known[schema, name].columns)) for schema, name in sorted(known))
    yield from table(("view", "columns"), rows_of_views)


def text() -> str:
    """Return the whole page."""
    return "\n".join(lines()).rstrip() + "\n"


def main() -> int:
    """Write or check the page; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is out of date")
    arguments = parser.parse_args()
    wanted = text()
    if arguments.check:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted else 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
