"""`nearshift demo`: the whole pipeline on this machine, and at the end the proof that its tables are right."""

from __future__ import annotations

import logging
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

from nearshift.cli.demo_parts import CHAOS_DELAY_MS, LocalAwsProcess, WorkloadProcess, free_of, point_boto_here
from nearshift.cli.demo_verdict import Verdict, compare, find_laggards
from nearshift.cli.demo_watch import Freshness, FreshnessWatch, Progress
from nearshift.cli.options import AsJson, ConsolePort, Port
from nearshift.cli.running import STATE_FOLDER
from nearshift.cli.server import Listening, PipelineServer
from nearshift.cli.terminal import console, say, write_json
from nearshift.clock import Clock, SystemClock
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.folder import Pipeline, read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.manifest import Source
from nearshift.pipeline.plan import plan_changes
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.source import prepare_source, scan_items

app = typer.Typer(add_completion=False)

EXAMPLE = "customer-transactions"
_CATCH_UP_SECONDS_MAX = 60.0
_SETTLED_SECONDS = 1.0
_SHOWN_DIFFERENCES = 10
_METRIC_PERIOD = timedelta(seconds=5)  # the stand-in keeps a point per second, and a demo is short


@app.command()
def demo(
    rate: Annotated[float, typer.Option(min=0.1, max=20_000, envvar="NEARSHIFT_RATE", help="Changes per second.")] = 200.0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after this long, and compare the facts with DynamoDB.")] = None,
    folder: Annotated[Path | None, typer.Option("--dir", help="Keep everything here instead of in a temporary folder.")] = None,
    port: Port = None,
    console_port: ConsolePort = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the console in a browser.")] = False,  # noqa: FBT002
    seed: Annotated[int, typer.Option(help="Another seed gives other changes.")] = 1,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Run the customer-transaction pipeline on this machine: DynamoDB and Kinesis, warehouse, workload and console.

    With --seconds it then waits until the facts have caught up, compares them row by row with the items of the DynamoDB table, and ends
    with 0 only if they are equal.
    """
    logging.basicConfig(level=logging.ERROR, format="%(name)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _folder(folder) as place:
        run = Demo(place, rate=rate, seed=seed, listening=Listening("127.0.0.1", 5439 if port is None else port, _console(console_port)))
        report = run.run(stop, seconds, open_browser=open_browser, is_quiet=as_json)
    if report is None:
        return
    if as_json:
        write_json(report.as_json())
    else:
        _write_report(report)
    if not report.verdict.matches:
        raise typer.Exit(1)


def _console(port: int | None) -> int:
    return 8439 if port is None else port


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The folder with the pipeline in it, copied from the package when it is new; a temporary one goes at the end."""
    if given is None:
        with tempfile.TemporaryDirectory(prefix="nearshift-demo-") as name:
            yield _with_example(Path(name))
    else:
        yield _with_example(given)


def _with_example(folder: Path) -> Path:
    free_of(folder)
    if not (folder / "nearshift.toml").exists():
        with resources.as_file(resources.files("nearshift") / "examples" / EXAMPLE) as example:
            shutil.copytree(example, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(STATE_FOLDER))
    return folder


class Report:
    """What a run that ended by itself found."""

    def __init__(self, written: int, progress: Progress, freshness: Freshness | None, verdict: Verdict, laggards: list[Any]) -> None:
        self.written = written
        self.progress = progress
        self.freshness = freshness
        self.verdict = verdict
        self.laggards = laggards

    def as_json(self) -> dict[str, Any]:
        """Return it for `--json`."""
        fresh = self.freshness
        return {
            "changes_written": self.written,
            "records_ingested": self.progress.ingested,
            "rows": self.verdict.rows,
            "freshness_ms": {"count": fresh.count, "p50": fresh.p50_ms, "p99": fresh.p99_ms, "max": fresh.max_ms} if fresh else None,
            "facts_match": self.verdict.matches,
            "difference_count": len(self.verdict.wrong),
            "differences": [str(one) for one in self.verdict.wrong[:_SHOWN_DIFFERENCES]],
            "not_caught_up": [list(one) for one in self.laggards],
        }


def _write_report(report: Report) -> None:
    rows = ", ".join(f"{count} in {table}" for table, count in report.verdict.rows.items())
    lines = [
        f"changes written:       {report.written}",
        f"records ingested:      {report.progress.ingested} (with those that came twice)",
        f"rows:                  {rows}",
    ]
    if report.freshness is not None:
        fresh = report.freshness
        times = f"p50 {fresh.p50_ms:.0f} ms, p99 {fresh.p99_ms:.0f} ms, max {fresh.max_ms:.0f} ms"
        lines.append(f"freshness:             {times} ({fresh.count} changes)")
    lines += [f"not caught up:         {name}: {state}" for name, state in report.laggards]
    lines += [f"  {one}" for one in report.verdict.wrong[:_SHOWN_DIFFERENCES]]
    if len(report.verdict.wrong) > _SHOWN_DIFFERENCES:
        lines.append(f"  … and {len(report.verdict.wrong) - _SHOWN_DIFFERENCES} more")
    lines.append(f"facts match DynamoDB:  {'yes' if report.verdict.matches else 'no'}")
    sys.stdout.write("\n".join(lines) + "\n")


class Demo:
    """One run over a folder that holds the example. Everything that it starts has ended when `run` returns."""

    def __init__(self, folder: Path, *, rate: float, seed: int, listening: Listening, clock: Clock | None = None) -> None:
        self._pipeline: Pipeline = read_folder(folder)
        self._rate = rate
        self._seed = seed
        self._listening = listening
        self._clock = clock or SystemClock()

    def run(self, stop: threading.Event, seconds: float | None, *, open_browser: bool = False, is_quiet: bool = False) -> Report | None:
        """Run until `stop` is set or `seconds` have passed; return a report only in the second case.

        Raises ConfigurationError for a port in use, TargetError when one of the processes fails.
        """
        source = self._pipeline.manifest.source
        assert source is not None, "the example has a source"
        with ExitStack() as stack:
            local_aws = LocalAwsProcess(self._pipeline.path / ".nearshift" / "local-aws")
            stack.callback(local_aws.end)
            point_boto_here(local_aws.address)
            prepare_source(source, self._clock)
            local_aws.let_records_stray(source.stream, self._seed)
            server = stack.enter_context(PipelineServer(self._pipeline, self._listening, metric_period=_METRIC_PERIOD))
            connection = SessionConnection(server.warehouse.session())
            stack.callback(connection.close)
            self._apply(connection)
            if not is_quiet:
                _announce(server, local_aws)
            if open_browser:
                import webbrowser

                webbrowser.open(server.running.console_url)
            watch = FreshnessWatch(server.warehouse.events, SessionConnection(server.warehouse.session(is_read_only=True)), self._clock)
            watch.start()
            stack.callback(watch.stop)
            return self._write_and_judge(stack, source, watch, connection, stop, seconds, is_quiet=is_quiet)

    def _apply(self, connection: SessionConnection) -> None:
        target = WarehouseTarget(connection)
        plan = plan_changes(self._pipeline.definitions, target.found(self._pipeline.name))
        for _ in carry_out(plan, self._pipeline.name, target):
            pass

    def _write_and_judge(
        self, stack: ExitStack, source: Source, watch: FreshnessWatch, connection: SessionConnection, stop: threading.Event,
        seconds: float | None, *, is_quiet: bool,
    ) -> Report | None:  # fmt: skip
        since_us = int(self._clock.now().timestamp() * 1_000_000)
        errors = self._pipeline.path / ".nearshift" / "workload.log"
        workload = WorkloadProcess(source.table, self._rate, self._seed, errors)
        stack.callback(workload.end)
        end = None if seconds is None else self._clock.monotonic() + seconds
        with _line(is_quiet=is_quiet) as show:
            while not stop.is_set() and (end is None or self._clock.monotonic() < end):
                workload.check()
                show(workload.written, watch.progress(connection))
                left = 0.5 if end is None else min(0.5, max(0.0, end - self._clock.monotonic()))
                self._clock.wait(stop, left)
            workload.end()
            if stop.is_set() or end is None:
                return None
            laggards = self._catch_up(workload, watch, connection, stop, show)
        items = list(scan_items(source.table))
        verdict = compare(connection, items)
        return Report(workload.written, watch.progress(connection), watch.summary(connection, since_us), verdict, laggards)

    def _catch_up(
        self, workload: WorkloadProcess, watch: FreshnessWatch, connection: SessionConnection, stop: threading.Event, show: Any
    ) -> list[Any]:
        """Wait until nothing new has come for a while and everything that came is loaded; return what is not after the longest wait.

        A load that is wrong but has run counts as caught up: judging is the comparison's business.
        """
        deadline = self._clock.monotonic() + _CATCH_UP_SECONDS_MAX
        settled_since = self._clock.monotonic()
        quiet_seconds = _SETTLED_SECONDS + CHAOS_DELAY_MS / 1000
        ingested = -1
        while True:
            progress = watch.progress(connection)
            show(workload.written, progress)
            laggards = find_laggards(connection)
            now = self._clock.monotonic()
            if progress.ingested != ingested or laggards:
                ingested, settled_since = progress.ingested, now
            if now - settled_since >= quiet_seconds or now > deadline or stop.is_set():
                return laggards
            self._clock.wait(stop, 0.1)


def _announce(server: PipelineServer, local_aws: LocalAwsProcess) -> None:
    running = server.running
    say(f"console:   {running.console_url}")
    say(f'psql:      psql "host={running.host} port={running.port} user={running.user} dbname={running.database}"')
    say(f"local AWS: AWS_ENDPOINT_URL={local_aws.address}")
    say("Ctrl-C ends everything.")


@contextmanager
def _line(*, is_quiet: bool) -> Iterator[Any]:
    """Yield what shows progress: a line that renews itself on a terminal, a line now and then elsewhere, nothing when quiet."""
    if is_quiet:
        yield lambda _written, _progress: None
    elif sys.stderr.isatty():
        from rich.live import Live
        from rich.text import Text

        with Live(console=console(is_error=True), refresh_per_second=4, transient=True) as live:
            yield lambda written, progress: live.update(Text(describe(written, progress)))
    else:
        count = 0

        def show(written: int, progress: Progress) -> None:
            nonlocal count
            if count % 4 == 0:
                say(describe(written, progress))
            count += 1

        yield show


def describe(written: int, progress: Progress) -> str:
    """Return the live line."""
    lag = "-" if progress.lag_ms is None else f"{progress.lag_ms:.0f} ms"
    freshness = "-" if progress.freshness_ms is None else f"{progress.freshness_ms:.0f} ms"
    return f"written {written}  ingested {progress.ingested}  lag {lag}  facts {progress.facts}  freshness {freshness}"
