"""`nearshift unload`: the tables of facts and dimensions as Parquet files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nearshift.cli.moving import Role, Tables, connected
from nearshift.cli.options import AsJson, Folder
from nearshift.cli.remote import TargetName
from nearshift.cli.terminal import say, write_json
from nearshift.errors import ConfigurationError
from nearshift.pipeline.folder import read_folder

app = typer.Typer(add_completion=False)


@app.command()
def unload(
    folder: Folder = Path(),
    to: Annotated[str | None, typer.Option("--to", metavar="PREFIX", help="s3://bucket/prefix; here also file://folder.")] = None,
    target: TargetName = "local",
    tables: Tables = None,
    iam_role: Role = "default",
    clean: Annotated[bool, typer.Option("--clean", help="Remove files that are there already.")] = False,  # noqa: FBT002
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the statements and run none.")] = False,  # noqa: FBT002
    comparison: Annotated[bool, typer.Option("--comparison", help="Write the queries that compare two sides, and stop.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Write the tables of facts and dimensions as Parquet by UNLOAD, a folder of files for each.

    Without --table all tables of declared facts and dimensions go, tombstones, versions and histories with them: what the loads of the
    other side need to go on. Each table is written as it is at that moment.
    """
    from nearshift.generate.moving import check_prefix, count_statement, find_tables, unload_statement
    from nearshift.generate.moving import comparison as comparing

    pipeline = read_folder(folder)
    carried = find_tables(pipeline, tables or ())
    if comparison:
        sys.stdout.write("\n".join(comparing(carried)))
        return
    if to is None:
        raise ConfigurationError("nobody says where to", hint="Add --to s3://bucket/prefix.")
    check_prefix(to, is_local=target == "local")
    statements = {table.folder: unload_statement(table, to, iam_role, is_cleaning=clean) for table in carried}
    if dry_run:
        sys.stdout.write("".join(f"{statement};\n\n" for statement in statements.values()))
        return
    counts: dict[str, int] = {}
    with connected(pipeline, target, to) as connection:
        for table in carried:
            ((counts[table.folder],),) = connection.run(count_statement(table)).rows
            connection.run(statements[table.folder])
            if not as_json:
                say(f"{table.folder}: {counts[table.folder]} rows")
    if as_json:
        write_json([{"table": name, "rows": rows} for name, rows in counts.items()])
