"""What `nearshift unload` and `nearshift load` share: the options, the connection, and a table's statements in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.remote import check_target, open_remote
from nearshift.cli.running import find_running
from nearshift.pipeline.folder import Pipeline
from nearshift.pipeline.target import Connection

if TYPE_CHECKING:
    from nearshift.deploy.connections import RemoteConnection

Tables = Annotated[list[str] | None, typer.Option("--table", metavar="NAME", help="Only this table of the folder; repeatable.")]
Role = Annotated[str, typer.Option("--iam-role", metavar="ARN", help="The role by which Redshift reaches S3.")]


@contextmanager
def connected(pipeline: Pipeline, target: str, prefix: str) -> Iterator[Connection | RemoteConnection]:
    """Yield a connection to the target, and close it; the folder of local files is made for a `prefix` in it.

    Raises ConfigurationError and TargetError.
    """
    check_target(target)
    if target == "local" and prefix.startswith("file://") and find_running(pipeline.path) is None:
        local = pipeline.manifest.targets.local
        (local.files_below(pipeline.path) or pipeline.path / "data").mkdir(parents=True, exist_ok=True)
    connection = open_connection(pipeline.path) if target == "local" else open_remote(pipeline)
    try:
        yield connection
    finally:
        connection.close()


def run_together(connection: Connection | RemoteConnection, statements: Sequence[str]) -> None:
    """Run statements in one transaction: all or none."""
    together = getattr(connection, "run_together", None)
    if together is not None:
        together(statements)
        return
    connection.run("BEGIN")
    try:
        for statement in statements:
            connection.run(statement)
    except BaseException:
        connection.run("ROLLBACK")
        raise
    connection.run("COMMIT")
