"""The example pipeline's SQL, run file by file."""

from __future__ import annotations

import importlib.resources

from nearshift.session import Session


def apply_example(session: Session) -> None:
    """Create the example pipeline's schema, views, tables and procedures."""
    folder = importlib.resources.files("nearshift") / "examples" / "customer-transactions" / "sql"
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        for result in session.execute_script(entry.read_text(encoding="utf-8")):
            result.rows()
