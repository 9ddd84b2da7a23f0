"""`nearshift replay`: quarantined records of a streaming view are put through it again."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.options import AsJson, InFolder
from nearshift.cli.terminal import plain, write_json
from nearshift.pipeline.definitions import relation_name
from nearshift.pipeline.local import literal
from nearshift.sql.names import split_qualified
from nearshift.sql.relations import NameRules

app = typer.Typer(add_completion=False)


@app.command()
def replay(
    view: Annotated[str, typer.Argument(help="Its name, with or without a schema.")],
    folder: InFolder = Path(),
    shard: Annotated[str | None, typer.Option(metavar="ID", help="Records of this shard only.")] = None,
    sequence_number: Annotated[str | None, typer.Option(metavar="NUMBER", help="The record with this sequence number only.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Records that arrived in the stream at this time (UTC) or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Records that arrived before this time (UTC).")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most so many, the oldest of each shard first.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of it, and change nothing.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Put quarantined records of a streaming view through it again: what works now is stored, what still fails stays.

    All in one transaction, with the ledger. The stored rows have a new refresh_time, so that loads with a watermark take them.
    """
    name = relation_name(split_qualified(view), NameRules(case_sensitive_identifier=True))
    options = {
        "shard": shard, "sequence_number": sequence_number, "arrived_from": since.isoformat() if since else None,
        "arrived_before": until.isoformat() if until else None, "limit": limit, "dry_run": dry_run,
    }  # fmt: skip
    connection = open_connection(folder)
    try:
        connection.run("SET enable_case_sensitive_identifier TO true")
        answer = connection.run(f"CALL sys_nearshift_replay({literal(name)}, {literal(json.dumps(options))})")
    finally:
        connection.close()
    tried, stored, filtered, kept, refresh_time = answer.rows[0]
    if as_json:
        told = None if refresh_time is None else plain(refresh_time)
        counts = {"tried": tried, "stored": stored, "filtered": filtered, "kept": kept}
        write_json({"view": name, "dry_run": dry_run, **counts, "refresh_time": told})
        return
    would = "would be " if dry_run else ""
    rest = f"{kept} {'would stay' if dry_run else 'stay'} in the quarantine"
    sys.stdout.write(f"{tried} records tried: {stored} {would}stored, {filtered} {would}filtered, {rest}\n")
