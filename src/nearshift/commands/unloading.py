"""UNLOAD: the rows of a query into files of S3, or of the folder that the warehouse's owner chose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from nearshift import storage
from nearshift.commands.copying import actor_of, place_of
from nearshift.errors import InvalidSql, NearshiftError, NotSupported
from nearshift.results import Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.lexer import TokenKind, tokens
from nearshift.sql.parse import parse_statement
from nearshift.sql.relations import Column
from nearshift.transfer import journal
from nearshift.transfer.lines import header_line, line_query
from nearshift.transfer.unload_options import UnloadFormat, UnloadOptions, check_columns, unload_options
from nearshift.transfer.writing import Unloader
from nearshift.types import Kind

if TYPE_CHECKING:
    from nearshift.session import Session


def unload(session: Session, statement: st.Unload) -> Result:
    """Run UNLOAD ('query') TO 'prefix'. The files are written one by one; those of an UNLOAD that fails stay, as on Redshift."""
    options = unload_options(statement.options)
    place = place_of(session, statement.destination, options.access)
    text = statement.query.text
    with session.shifted(statement.query.span.start):
        _check_query(text)
        lowered = session.lower(text)
    columns = lowered.columns
    names = [column.name for column in columns]
    check_columns(names, options, statement.options)
    partitions = [names.index(name) for name in options.partition_by]
    kept = [place for place in range(len(names)) if place not in partitions or options.includes_partitions]
    if options.format is UnloadFormat.PARQUET and len({names[place] for place in kept}) != len(kept):
        raise InvalidSql("Column names must be unique in PARQUET", sqlstate="42701", hint="Give the columns names of their own with AS.")
    query = storage.rename_columns(lowered.sql, [f"c{number}" for number in range(len(names))])
    sql = line_query(query, columns, kept, partitions, options)
    header = header_line(columns, kept, options) if options.has_header else b""
    unloader = Unloader(place, statement.destination.text, options, header, session.house.clock)
    shape = (options.format.value, options.compression.name if options.compression.suffix else "", statement.destination.text)
    message: str | None = "the UNLOAD was cancelled or broke"
    try:
        unloader.prepare()
        batches = session.tx.connection.stream(sql, session.values_for(lowered))
        unloader.write_all(_named(batches, columns, kept, options), session.check_cancelled)
        unloader.write_manifest([columns[place] for place in kept])
        message = None
    except NearshiftError as error:
        message = error.message
        error.span = error.span or statement.destination.span
        raise
    finally:
        unloader.close()
        now = session.house.clock.now()
        journal.note_unload(session.house.engine.connect(), actor_of(session), shape, unloader.files, now, message)
    count = sum(file.rows for file in unloader.files)
    session.last_copy = {**session.last_copy, "last_unload_id": session.running.query_id, "last_unload_count": count}
    session.notice(Severity.INFO, f"UNLOAD completed, {count} record(s) unloaded successfully.")
    return Result("UNLOAD")


def _check_query(text: str) -> None:
    """UNLOAD takes a query, and none with LIMIT outside of a subquery ("UNLOAD", limitations)."""
    if not isinstance(parse_statement(text), st.Query):
        raise NotSupported("UNLOAD takes a SELECT query")
    depth = 0
    for token in tokens(text):
        if token.kind is TokenKind.OPERATOR and token.key in {"(", ")"}:
            depth += 1 if token.key == "(" else -1
        elif depth == 0 and token.kind is TokenKind.WORD and token.key == "LIMIT":
            hint = "Put the query with LIMIT into a subquery: SELECT * FROM (SELECT … LIMIT 10)."
            raise NotSupported("Limit clause is not supported in the outermost SELECT of UNLOAD", span=token.span, hint=hint)


def _named(
    batches: Iterator[pa.RecordBatch], columns: tuple[Column, ...], kept: list[int], options: UnloadOptions
) -> Iterator[pa.RecordBatch]:
    """Give the columns of Parquet their names, and SUPER the type JSON, by which COPY knows it again."""
    if options.format is not UnloadFormat.PARQUET:
        yield from batches
        return
    documents = [number for number, place in enumerate(kept) if columns[place].type.kind is Kind.SUPER]
    names = [columns[place].name for place in kept]
    for batch in batches:
        arrays = list(batch.columns)
        for number in documents:
            arrays[number] = pa.ExtensionArray.from_storage(pa.json_(pa.string()), arrays[number].cast(pa.string()))
        yield pa.RecordBatch.from_arrays(arrays, names=[*names, *batch.schema.names[len(names) :]])
