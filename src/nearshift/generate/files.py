"""Declarations into files: names and texts, the same bytes for the same input."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Set
from typing import Final, assert_never

from nearshift.generate import history, latest_image, latest_non_null, load_sql, shared_sql
from nearshift.generate.loads import Declarations, Keeping, Load

_MARK: Final = "-- Written by nearshift generate (text {}). Change nearshift.toml instead: once changed by hand, this file is yours.\n"
_MARKED: Final = re.compile(r"-- Written by nearshift generate \(text ([0-9a-f]{16})\)[^\n]*\n")


def render(declarations: Declarations, existing: Set[str]) -> dict[str, str]:
    """Return the files, by name, with their text.

    `existing` are the relations and external schemas, without a schema's name, that the folder defines itself: they are used, not written.
    """
    names = declarations.names
    files: dict[str, str] = {}

    def add(file: str, *parts: tuple[str, Callable[[Declarations], str]]) -> None:
        wanted = [part(declarations) for name, part in parts if name not in existing]
        if wanted:
            files[file] = _sealed("\n".join([shared_sql.CASE_SENSITIVE, *wanted]))

    add("100_stream.sql", (names.external_schema, shared_sql.external_schema), (names.stream_view, shared_sql.stream_view))
    add("110_item_change.sql", (names.change_view, shared_sql.change_view))
    add("120_load_audit.sql", (names.audit_table, shared_sql.audit_table))
    for load in declarations.loads:
        files[f"200_{load.name}.sql"] = _sealed(_load(load, declarations, existing))
    add("800_rejected_record.sql", (names.rejected_view, shared_sql.rejected_view))
    if any(load.keeping is not Keeping.HISTORY for load in declarations.loads):
        add("810_purge_tombstones.sql", ("sp_purge_tombstones", shared_sql.purge_procedure))
    return files


def _load(load: Load, declarations: Declarations, existing: Set[str]) -> str:
    parts = [shared_sql.CASE_SENSITIVE]
    if load.view not in existing:
        parts += [load_sql.event_view(load, declarations), load_sql.misfit_view(load, declarations)]
    match load.keeping:
        case Keeping.LATEST_IMAGE:
            parts += [latest_image.tables(load, declarations), load_sql.audit_row(load, declarations)]
            parts += [latest_image.procedure(load, declarations)]
        case Keeping.LATEST_NON_NULL:
            parts += [latest_non_null.tables(load, declarations), load_sql.audit_row(load, declarations)]
            parts += [latest_non_null.procedure(load, declarations)]
        case Keeping.HISTORY:
            parts += [history.tables(load, declarations), load_sql.audit_row(load, declarations), history.procedure(load, declarations)]
        case _:
            assert_never(load.keeping)
    parts += load_sql.list_views(load, declarations)
    return "\n".join(part for part in parts if part)


def _sealed(text: str) -> str:
    return _MARK.format(_digest(text)) + text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_untouched(text: str) -> bool:
    """Tell whether a file's text is as `render` once returned it: it has the mark, and the mark fits."""
    mark = _MARKED.match(text)
    return mark is not None and mark[1] == _digest(text[mark.end() :])
