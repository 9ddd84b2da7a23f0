"""Runs text tests: `text_records` says how they are written, `text_bench` what their verbs do.

The same file runs through any Driver: in process, and by the project's tests over the wire. `crash at point` runs the next record in a
process that dies at the named crash point, and opens the file again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from nearshift import faults
from nearshift.errors import NearshiftError
from nearshift.testing.text_bench import Bench
from nearshift.testing.text_drivers import Driver, InProcess
from nearshift.testing.text_records import STREAM_VERBS, Record, parse_records, shown, write_back

_CRASH_SECONDS_MAX = 60


class Mismatch(AssertionError):
    """A record came out otherwise than its file says."""


class Run:
    """One run of one file. With `is_rewriting` nothing is compared, and `rewritten` holds the file with what came out."""

    def __init__(self, path: Path, file: Path, driver: Driver, *, is_rewriting: bool = False) -> None:
        self._path = path
        self._file = file
        self._driver = driver
        self._text = path.read_text(encoding="utf-8")
        self._is_rewriting = is_rewriting
        self._new: list[Record] = []
        self.records = parse_records(self._text)
        self.bench = Bench(file, driver)

    @property
    def rewritten(self) -> str:
        """The file with what came out in the place of what was expected."""
        return write_back(self._text, self._new)

    def all(self) -> None:
        """Run every record. Raises Mismatch."""
        self.bench.open()
        try:
            self.range(0, len(self.records))
        finally:
            self.bench.close()

    def rest(self, first: int, last: int) -> None:
        """Run some records over the file as it is, after doing again what the earlier ones did to streams and clock."""
        for record in self.records[:first]:
            if record.verb in STREAM_VERBS:
                self.bench.act(record)
        self.bench.open()
        self.range(first, last)

    def range(self, first: int, last: int) -> None:
        """Run some records. Raises Mismatch."""
        index = first
        while index < last:
            record = self.records[index]
            if record.only is not None and self._driver.name not in record.only.split("|"):
                index += 1
                continue
            if record.verb == "crash":
                self._crash(record, index + 1)
                index += 2
                continue
            self._one(record)
            index += 1

    def _one(self, record: Record) -> None:
        if record.verb == "query":
            self._query(record)
        elif record.verb == "statement":
            self._statement(record)
        else:
            try:
                self.bench.act(record)
            except NearshiftError as error:
                self._fail(record, f"{error.sqlstate} {error.message}")

    def _fail(self, record: Record, got: str, wanted: str = "") -> None:
        place = f"{self._path}:{record.line}: {record.verb} {record.argument}\n{record.body}"
        raise Mismatch(f"{place}\n--- expected\n{wanted}\n--- got\n{got}\n--- by {self._driver.name}")

    def _query(self, record: Record) -> None:
        types, *modes = record.argument.split()
        try:
            answer = self.bench.run(record.body)
        except NearshiftError as error:
            self._fail(record, f"{error.sqlstate} {error.message}")
            return
        rows = [" | ".join(shown(value) for value in row) for row in answer.rows]
        if "rowsort" in modes:
            rows.sort()
        self._new.append(record.with_expected(rows, " ".join([answer.types or "", *modes])))
        if not self._is_rewriting and (answer.types != types or rows != list(record.expected or ())):
            self._fail(record, "\n".join([answer.types or "no rows", *rows]), "\n".join([types, *(record.expected or ())]))

    def _statement(self, record: Record) -> None:
        wanted = record.error()
        try:
            answer = self.bench.run(record.body)
        except NearshiftError as error:
            if wanted is None:
                self._fail(record, f"{error.sqlstate} {error.message}\n{error.detail}\n{error.hint}", "no error")
            else:
                self._refused(record, error, wanted)
            return
        if wanted is not None:
            self._fail(record, "no error", record.argument)
        self._new.append(record.with_expected(answer.notices))
        if not self._is_rewriting and record.expected is not None and tuple(answer.notices) != record.expected:
            self._fail(record, "\n".join(answer.notices), "\n".join(record.expected))

    def _refused(self, record: Record, error: NearshiftError, wanted: tuple[str, str | None, str]) -> None:
        state, place, words = wanted
        found = "" if error.span is None else record.body[error.span.start :]
        is_there = place is None or (error.span is not None and found.startswith(place))
        fields = {"hint": error.hint, "detail": error.detail, "context": error.context}
        missing = [line for line in record.expected or () if line.partition(": ")[2] not in (fields.get(line.partition(": ")[0]) or "")]
        if error.sqlstate != state or not is_there or words not in error.message or missing:
            at = f" at `{found[:20]}`" if error.span is not None else ""
            told = [f"{name}: {text}" for name, text in fields.items() if text]
            self._fail(record, "\n".join([f"error {error.sqlstate}{at} {error.message}", *told]), "\n".join([record.argument, *missing]))

    def _crash(self, record: Record, index: int) -> None:
        point = record.argument.removeprefix("at ").strip()
        assert point in faults.POINTS, f"no crash point is called {point!r}"
        self.bench.close()
        command = [sys.executable, "-m", "nearshift.testing.text_tests", str(self._path), str(self._file), str(index)]
        environment = {**os.environ, "NEARSHIFT_CRASH_AT": point}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_CRASH_SECONDS_MAX, check=False)
        if done.returncode != -signal.SIGKILL:
            self._fail(record, f"exit code {done.returncode}\n{done.stderr}", f"death at {point}")
        self.bench.open()


def run_file(path: Path, file: Path, driver: Driver | None = None, *, is_rewriting: bool = False) -> None:
    """Run a text test over a new warehouse `file`; raises Mismatch. With `is_rewriting` the test gets what came out instead."""
    run = Run(path, file, driver or InProcess(), is_rewriting=is_rewriting)
    run.all()
    if is_rewriting:
        path.write_text(run.rewritten, encoding="utf-8")


def main() -> None:
    """Run one record of a file over an existing warehouse: `python -m nearshift.testing.text_tests TEST WAREHOUSE INDEX`."""
    path, file, index = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    Run(path, file, InProcess()).rest(index, index + 1)


if __name__ == "__main__":
    main()
