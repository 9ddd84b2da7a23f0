"""`nearshift serve`: the warehouse of a folder, until a signal comes."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

import typer

from nearshift.cli.options import ConsolePort, Folder, Host, Port
from nearshift.cli.server import Listening, PipelineServer
from nearshift.cli.terminal import say
from nearshift.pipeline.folder import Pipeline, read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.plan import plan_changes
from nearshift.pipeline.session import SessionConnection

app = typer.Typer(add_completion=False)


@app.command()
def serve(folder: Folder = Path(), host: Host = None, port: Port = None, console_port: ConsolePort = None) -> None:
    """Run the warehouse of a pipeline folder: PostgreSQL wire, console, refreshers and schedules, until Ctrl-C or SIGTERM.

    Beyond this machine it listens only with a password in NEARSHIFT_PASSWORD.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    pipeline = read_folder(folder)
    local = pipeline.manifest.targets.local
    listening = Listening(
        local.host if host is None else host,
        local.port if port is None else port,
        local.console_port if console_port is None else console_port,
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with PipelineServer(pipeline, listening) as server:
        running = server.running
        sys.stdout.write(f"{pipeline.name} is served: {running.dsn}\nconsole: {running.console_url}\n")
        sys.stdout.flush()
        if not _is_applied(server, pipeline):
            say(f"The folder says what the warehouse does not hold yet. Bring it there with: nearshift apply {folder}")
        stop.wait()
        say("stopping")


def _is_applied(server: PipelineServer, pipeline: Pipeline) -> bool:
    connection = SessionConnection(server.warehouse.session())
    try:
        return plan_changes(pipeline.definitions, WarehouseTarget(connection).found(pipeline.name)).is_empty
    finally:
        connection.close()
