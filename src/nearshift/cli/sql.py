"""`nearshift sql`: one query, a script from a file or standard input, or a conversation on a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.options import AsJson, InFolder
from nearshift.cli.terminal import report, say, write_json, write_table
from nearshift.errors import ConfigurationError, InvalidSql, NearshiftError
from nearshift.pipeline.target import Connection
from nearshift.sql.split import Piece, split_script

app = typer.Typer(add_completion=False)


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="One or more statements.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the statements from a file.")] = None,
    folder: InFolder = Path(),
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Run SQL against the folder's warehouse: the query given, a file, standard input, or what you type.

    With --json each result is one line: {"columns": […], "rows": [[…]], "tag": "SELECT 1"}.
    """
    text = _text(query, file)
    connection = open_connection(folder)
    try:
        if text is None:
            _converse(connection)
        else:
            _run_script(connection, text, as_json=as_json)
    finally:
        connection.close()


def _text(query: str | None, file: Path | None) -> str | None:
    if query is not None:
        return query
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f'could not read "{file}" as text in UTF-8') from error
    return None if sys.stdin.isatty() else sys.stdin.read()


def _run_script(connection: Connection, text: str, *, as_json: bool) -> None:
    """Run statement by statement, so that what went well before an error has been shown."""
    try:
        for piece in split_script(text):
            _run_one(connection, piece, as_json=as_json)
    except NearshiftError as error:
        error.statement = text  # type: ignore[attr-defined]
        raise


def _run_one(connection: Connection, piece: Piece, *, as_json: bool) -> None:
    try:
        answer = connection.run(piece.text)
    except NearshiftError as error:
        error.span = error.span.shifted(piece.start) if error.span is not None else None
        raise
    for notice in answer.notices:
        say(f"{notice.severity.value}: {notice.message}")
    if as_json:
        write_json({"columns": answer.columns, "rows": answer.rows, "tag": answer.tag})
    elif answer.columns:
        write_table(answer.columns, answer.rows)
    else:
        say(answer.tag)


def _converse(connection: Connection) -> None:
    import readline  # noqa: F401 - gives input() a history and an editor

    say("Statements end with a semicolon; Ctrl-D ends the conversation.")
    pending = ""
    while True:
        try:
            line = input("nearshift=> " if not pending else "nearshift-> ")
        except EOFError:
            say("")
            return
        except KeyboardInterrupt:
            say("")
            pending = ""
            continue
        pending += line + "\n"
        if not _is_whole(pending):
            continue
        try:
            _run_script(connection, pending, as_json=False)
        except NearshiftError as error:
            report(error, pending)
        pending = ""


def _is_whole(text: str) -> bool:
    """Tell whether a text ends outside quotes, with a semicolon or empty."""
    try:
        pieces = split_script(text)
    except InvalidSql:
        return False
    if not pieces:
        return True
    end = pieces[-1].start + len(pieces[-1].text)
    return ";" in text[end:]
