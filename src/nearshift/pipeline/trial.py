"""A pipeline's own tests, run: each case on a bench of its own, its steps in order, what differs collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, assert_never

from nearshift.errors import ConfigurationError, NearshiftError
from nearshift.pipeline.folder import Pipeline
from nearshift.pipeline.target import Answer
from nearshift.pipeline.testfile import Case, Expects, Puts, Refreshes, Runs, TestStep, read_cases


class Bench(Protocol):
    """A new warehouse with the pipeline applied, and the stream that it reads."""

    def put(self, record: bytes) -> None:
        """Put one record into the stream."""
        ...

    def run(self, text: str) -> Answer:
        """Run one statement under the settings that the pipeline's files begin with. Raises NearshiftError."""
        ...

    def close(self) -> None:
        """End it and leave nothing behind."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case ended; `failures` is empty when it passed. Each says the line of the file and what was wrong there."""

    case: Case
    failures: tuple[str, ...]
    seconds: float

    @property
    def has_passed(self) -> bool:
        """Whether nothing differed."""
        return not self.failures


def find_cases(pipeline: Pipeline, pattern: str | None = None) -> list[Case]:
    """Return the cases of the folder's tests whose name or file contains `pattern`, in the order of files and lines.

    Raises ConfigurationError when there are none, FileError for a file that is not in the format.
    """
    files = sorted(pipeline.tests.glob("*.test"))
    cases = [case for file in files for case in read_cases(_read(file), f"tests/{file.name}", pipeline.manifest.source)]
    chosen = [case for case in cases if pattern is None or pattern in case.name or pattern in case.file]
    if not chosen:
        what = f'no test of "{pipeline.path}" contains "{pattern}"' if pattern and cases else f'"{pipeline.tests}" has no tests'
        raise ConfigurationError(what, hint="Write tests/*.test as docs/pipeline-folder.md shows.")
    return chosen


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f'could not read "{file}" as text in UTF-8') from error


def run_cases(cases: list[Case], open_bench: Callable[[], Bench], monotonic: Callable[[], float]) -> Iterator[Verdict]:
    """Run each case on a bench of its own and yield its verdict. A case ends at its first statement that fails unexpectedly."""
    for case in cases:
        started = monotonic()
        bench = open_bench()
        try:
            failures = tuple(_failures(case, bench))
        finally:
            bench.close()
        yield Verdict(case, failures, monotonic() - started)


def _failures(case: Case, bench: Bench) -> Iterator[str]:
    for step in case.steps:
        try:
            wrong = _take(step, bench)
        except NearshiftError as error:
            yield f"{case.file}, line {step.line}: {error.message} ({error.sqlstate})"
            return
        if wrong is not None:
            yield f"{case.file}, line {step.line}: {wrong}"


def _take(step: TestStep, bench: Bench) -> str | None:
    match step:
        case Puts():
            for record in step.records:
                bench.put(record)
            return None
        case Refreshes():
            bench.run("REFRESH MATERIALIZED VIEW " + step.view)
            return None
        case Runs():
            return _run(step, bench)
        case Expects():
            found = tuple(tuple(shown(value) for value in row) for row in bench.run(step.text).rows)
            found = tuple(sorted(found)) if step.is_sorted else found
            return None if found == step.rows else _explain(step.rows, found)
        case _:
            assert_never(step)


def _run(step: Runs, bench: Bench) -> str | None:
    try:
        bench.run(step.text)
    except NearshiftError as error:
        if step.sqlstate == error.sqlstate:
            return None
        raise
    return None if step.sqlstate is None else f"the statement did not fail with {step.sqlstate}"


def _explain(expected: tuple[tuple[str, ...], ...], found: tuple[tuple[str, ...], ...]) -> str:
    lines = ["the rows differ"]
    for index in range(max(len(expected), len(found))):
        want = " | ".join(expected[index]) if index < len(expected) else None
        have = " | ".join(found[index]) if index < len(found) else None
        if want == have:
            lines.append(f"      {want}")
            continue
        lines += [f"    - {want}"] if want is not None else []
        lines += [f"    + {have}"] if have is not None else []
    return "\n".join(lines)


def shown(value: Any) -> str:
    """Return a value as a test file writes it: NULL, (empty), true and false, decimals with their scale, times as Redshift shows them."""
    match value:
        case None:
            return "NULL"
        case "":
            return "(empty)"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case datetime():
            text = value.isoformat(sep=" ")
            return text.removesuffix(":00") if value.tzinfo is not None else text
        case _:
            return str(value).strip()
