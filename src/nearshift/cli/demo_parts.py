"""The processes that the demo starts beside its own: the DynamoDB and Kinesis stand-in, and the program that writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import IO, Any, Final

from nearshift.errors import ConfigurationError, TargetError

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 15.0
# How the stand-in lets change records stray, as AWS says that they may ("Using Kinesis Data Streams to capture changes to DynamoDB").
CHAOS_SHARE: Final = 0.02
CHAOS_DELAY_MS: Final = 250


def point_boto_here(address: str) -> None:
    """Make boto3 in this process, and in those it starts, speak to the stand-in only, whatever the machine's AWS settings are."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(
        AWS_ENDPOINT_URL=address, AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION="us-east-1",
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true",
    )  # fmt: skip


class _Process:
    """A Python process that ends when its standard input does; its standard output is read line by line in a thread."""

    def __init__(self, arguments: list[str], errors: Path) -> None:
        self._errors = errors.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            start_new_session=True,  # Ctrl-C is for us; we then end it in order
        )  # fmt: skip
        assert self._process.stdout is not None, "it is piped"
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self.hear(line)

    def hear(self, line: str) -> None:
        """Take one line of its output."""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self) -> None:
        """End it by ending its input, harder if it does not obey, and wait. A second call does nothing."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()


class LocalAwsProcess(_Process):
    """The stand-in on a free port."""

    def __init__(self, folder: Path, *, python_arguments: tuple[str, ...] = ("-m", "nearshift.cli.attended", "nearshift.localaws")) -> None:
        """Start it and wait until it listens. Raises TargetError when it does not."""
        folder.mkdir(parents=True, exist_ok=True)
        self.address = ""
        self._ready = threading.Event()
        log = folder.parent / "local-aws.log"
        super().__init__([*python_arguments, "--dir", str(folder), "--port", "0", "--admin"], log)
        waited = 0.0
        while not self._ready.wait(0.1) and self.is_running and waited < _START_SECONDS:
            waited += 0.1
        if not self.address:
            self.end()
            raise TargetError("the local DynamoDB and Kinesis did not start", hint=f"Read {log}.")

    def hear(self, line: str) -> None:
        """Learn the address from the line that says it."""
        head, _, address = line.strip().rpartition(" ")
        if head.endswith("ready at"):
            self.address = address
            self._ready.set()

    def let_records_stray(self, stream: str, seed: int) -> None:
        """Let some change records of a stream come twice, late and out of order from now on. Raises TargetError."""
        command = {
            "command": "capture", "stream": stream, "duplicates": CHAOS_SHARE, "delays": CHAOS_SHARE, "delay_ms_max": CHAOS_DELAY_MS,
            "seed": seed,
        }  # fmt: skip
        request = urllib.request.Request(
            self.address + "/_admin", json.dumps(command).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_START_SECONDS):
                pass
        except OSError as error:
            raise TargetError("the local Kinesis did not take a command", detail=str(error)) from error


class WorkloadProcess(_Process):
    """The program that writes changes."""

    def __init__(self, table: str, rate: float, seed: int, errors: Path) -> None:
        """Start writing."""
        self.written = 0
        self.error: str | None = None
        super().__init__(["-m", "nearshift.workload", "--table", table, "--rate", str(rate), "--seed", str(seed)], errors)

    def hear(self, line: str) -> None:
        """Take a report."""
        report: dict[str, Any] = json.loads(line)
        self.written = report.get("written", self.written)
        self.error = report.get("error")

    def check(self) -> None:
        """Raise TargetError if it has failed."""
        if self.error is not None or not self.is_running:
            raise TargetError("the workload stopped", detail=self.error, hint="Look into the logs in the demo's folder.")


def free_of(folder: Path) -> None:
    """Raise ConfigurationError when a folder holds something that is not a demo's."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "nearshift.toml").exists():
        raise ConfigurationError(f'"{folder}" is not empty and no pipeline folder', hint="Name a new folder, or one of an earlier demo.")
