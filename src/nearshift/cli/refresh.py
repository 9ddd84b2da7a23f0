"""`nearshift refresh`: one materialized view, now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.options import AsJson, InFolder
from nearshift.cli.terminal import write_json
from nearshift.pipeline.definitions import relation_name
from nearshift.sql.names import split_qualified
from nearshift.sql.relations import NameRules

app = typer.Typer(add_completion=False)


@app.command()
def refresh(
    view: Annotated[str, typer.Argument(help="Its name, with or without a schema.")],
    folder: InFolder = Path(),
    cascade: Annotated[bool, typer.Option("--cascade", help="Refresh first what the view reads.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Refresh a materialized view now, and say what that brought."""
    name = relation_name(split_qualified(view), NameRules(case_sensitive_identifier=True))
    connection = open_connection(folder)
    try:
        connection.run("SET enable_case_sensitive_identifier TO true")
        answer = connection.run("REFRESH MATERIALIZED VIEW " + name + (" CASCADE" if cascade else ""))
    finally:
        connection.close()
    messages = [notice.message for notice in answer.notices]
    if as_json:
        write_json({"view": name, "messages": messages})
    else:
        sys.stdout.write("\n".join(messages or [answer.tag]) + "\n")
