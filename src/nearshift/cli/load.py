"""`nearshift load`: Parquet files that `nearshift unload` wrote, into the tables of facts and dimensions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nearshift.cli.moving import Role, Tables, connected, run_together
from nearshift.cli.options import AsJson, Folder
from nearshift.cli.remote import TargetName
from nearshift.cli.terminal import say, write_json
from nearshift.errors import ConfigurationError, Conflict, NearshiftError
from nearshift.pipeline.folder import read_folder

app = typer.Typer(add_completion=False)


@app.command()
def load(
    origin: Annotated[str, typer.Option("--from", metavar="PREFIX", help="Where unload wrote to.")],
    folder: Folder = Path(),
    target: TargetName = "local",
    tables: Tables = None,
    iam_role: Role = "default",
    replace: Annotated[bool, typer.Option("--replace", help="Take out the rows that are there.")] = False,  # noqa: FBT002
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the statements and run none.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Bring tables in by COPY from Parquet files: each in one transaction, all of its rows or none.

    The folder must have been applied to the target. A table with rows is refused without --replace.
    """
    from nearshift.generate.moving import check_prefix, count_statement, find_tables, has_no_files, load_statements

    pipeline = read_folder(folder)
    carried = find_tables(pipeline, tables or ())
    check_prefix(origin, is_local=target == "local")
    statements = {table.folder: load_statements(table, origin, iam_role, is_replacing=replace) for table in carried}
    if dry_run:
        for found in statements.values():
            sys.stdout.write("".join(f"{statement};\n" for statement in ("BEGIN", *found, "COMMIT")) + "\n")
        return
    counts: dict[str, int] = {}
    without: list[str] = []
    with connected(pipeline, target, origin) as connection:
        full = [table.folder for table in carried if not replace and connection.run(count_statement(table)).rows[0][0]]
        if full:
            message = f"there are rows in {', '.join(full)}"
            raise Conflict(message, sqlstate="55000", hint="Give --replace to take them out, or choose tables with --table.")
        for table in carried:
            try:
                run_together(connection, statements[table.folder])
            except NearshiftError as error:
                if not has_no_files(error):
                    raise
                without.append(table.folder)
                continue
            ((counts[table.folder],),) = connection.run(count_statement(table)).rows
            if not as_json:
                say(f"{table.folder}: {counts[table.folder]} rows")
    if not counts:
        message = f'there are no files under "{origin}"'
        raise ConfigurationError(message, hint="Name the place that nearshift unload wrote to.")
    if without:
        say(f"without files, as UNLOAD leaves tables without rows: {', '.join(without)}")
    if as_json:
        write_json([{"table": name, "rows": rows} for name, rows in counts.items()])
