"""A folder applied to an empty warehouse in memory, for what no parser can know: names that are not there, types that do not fit.

Bodies of procedures are bound when they run, so they are not bound here; nothing of the folder is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nearshift.catalog.entities import SchemaEntry
from nearshift.check.findings import GUIDE, Found, Rule, Severity
from nearshift.errors import NearshiftError, NotSupported, Span
from nearshift.pipeline.definitions import FileError, Kind
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.session import SessionConnection
from nearshift.streams.memory import MemorySource, MemoryStream
from nearshift.warehouse import Warehouse


def bind_folder(folder: Path) -> Iterator[Found]:
    """Yield what does not bind, each definition on its own; what reads something that did not bind is left out.

    A folder with a statement that is not understood yields nothing: other rules say so.
    """
    try:
        pipeline = read_folder(folder)
    except NearshiftError:
        return
    failed: set[str] = set()
    with Warehouse.open(None, sources=_source) as warehouse:
        connection = SessionConnection(warehouse.session())
        target = WarehouseTarget(connection)
        try:
            for ordinal, definition in enumerate(pipeline.definitions):
                if definition.kind is Kind.SCHEDULE or definition.reads & failed:
                    continue
                try:
                    target.create(pipeline.name, definition, ordinal)
                except FileError as error:
                    failed.add(definition.name)
                    if not isinstance(error.__cause__, NotSupported):
                        hint = error.hint or "Correct the name or the type, or move the file behind the one that defines it."
                        yield Found(error.file, error.span or Span(0, 1), error.message, hint, error.message)
        finally:
            connection.close()


def _source(schema: SchemaEntry, name: str) -> MemorySource:
    if not schema.is_kinesis:
        raise NotSupported(f'topic "{name}" is not looked at')
    return MemoryStream(name).source()


UNBOUND: Final = Rule("unbound", Severity.ERROR, f"{GUIDE}c_SQL_commands.html", lambda _material: iter(()))
