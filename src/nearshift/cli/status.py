"""`nearshift status`: the server, the objects with their lag and last outcome, the ledger of the streams, the schedules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.options import AsJson, Folder
from nearshift.cli.running import find_running
from nearshift.cli.terminal import write_json, write_table
from nearshift.pipeline.manifest import FILE_NAME, read_manifest
from nearshift.pipeline.target import Answer

app = typer.Typer(add_completion=False)

_QUERIES = {
    "objects": "SELECT kind, name, row_count, lag_ms, last_refresh, last_status, last_error FROM svv_nearshift_node ORDER BY kind, name",
    "ledger": "SELECT view_name, shard_id, read_rows, stored_rows, filtered_rows, quarantined_rows, skipped_rows FROM sys_nearshift_ledger "
    "ORDER BY view_name, shard_id",
    "schedules": "SELECT name, expression, next_run, last_end, last_status, last_error FROM sys_nearshift_schedule ORDER BY name",
}


@app.command()
def status(folder: Folder = Path(), as_json: AsJson = False) -> None:  # noqa: FBT002
    """Show whether the folder's server runs, and how streams, views, schedules and tables stand."""
    name = read_manifest(folder / FILE_NAME).name
    running = find_running(folder)
    connection = open_connection(folder)
    try:
        answers = {title: connection.run(query) for title, query in _QUERIES.items()}
    finally:
        connection.close()
    if as_json:
        server: dict[str, Any] | None = None
        if running is not None:
            server = {"pid": running.pid, "dsn": running.dsn, "console": running.console_url}
        write_json({"pipeline": name, "server": server} | {title: _records(answer) for title, answer in answers.items()})
        return
    where = f"served by process {running.pid}: {running.dsn}, {running.console_url}" if running else "not served"
    sys.stdout.write(f"{name}: {where}\n")
    for title, answer in answers.items():
        if answer.rows:
            sys.stdout.write(f"\n{title}\n")
            sys.stdout.flush()
            write_table(answer.columns, answer.rows)


def _records(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
