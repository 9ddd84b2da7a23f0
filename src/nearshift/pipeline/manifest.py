"""`nearshift.toml`: what a pipeline is called, where its records come from, and when its statements run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct, structs

from nearshift.errors import ConfigurationError
from nearshift.pipeline.declared import Declared, Dimension, Fact, Generating
from nearshift.pipeline.remote import RedshiftSettings, check_settings

FILE_NAME: Final = "nearshift.toml"
_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
_AWS_EXPRESSION: Final = re.compile(r"^(rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)|cron\(\S+( \S+){5}\))$")


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """The DynamoDB table and the Kinesis stream that its changes go to; `shards` is for a stream that nearshift makes itself."""

    table: str
    stream: str
    partition_key: str = "pk"
    sort_key: str | None = None
    shards: int = 1
    partition_key_type: Literal["S", "N", "B"] = "S"
    sort_key_type: Literal["S", "N", "B"] = "S"


class LocalTarget(Struct, frozen=True, forbid_unknown_fields=True):
    """Where `nearshift serve` listens, whom the command line connects as, and what a refresh does here about bad and lost records.

    `files` is the folder, from the pipeline's own, whose files every client may COPY and UNLOAD as `file://…`; None switches that off.
    """

    host: str = "127.0.0.1"
    port: int = 5439
    console_port: int = 8439
    user: str = "dev"
    database: str = "dev"
    streaming_errors: Literal["quarantine", "fail"] = "quarantine"
    on_gap: Literal["error", "record"] = "error"
    files: str | None = None

    @property
    def is_strict(self) -> bool:
        """Whether a record on which a streaming view's SELECT fails makes the refresh fail."""
        return self.streaming_errors == "fail"

    def files_below(self, folder: Path) -> Path | None:
        """Return the folder of files of a pipeline folder."""
        return None if self.files is None else folder / self.files

    @property
    def accepts_gaps(self) -> bool:
        """Whether a refresh goes on after records that the stream lost."""
        return self.on_gap == "record"


class Targets(Struct, frozen=True, forbid_unknown_fields=True):
    """The places that the pipeline can be applied to."""

    local: LocalTarget = LocalTarget()
    redshift: RedshiftSettings = RedshiftSettings()


class Schedule(Struct, frozen=True, forbid_unknown_fields=True):
    """A statement that runs by itself: `local` says when here (EventBridge's words, seconds, `on refresh of <view>`), `aws` when there."""

    name: str
    statement: str
    local: str
    aws: str | None = None


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    name: str
    source: Source | None = None
    targets: Targets = Targets()
    schedules: tuple[Schedule, ...] = ()
    generate: Generating = Generating()
    facts: tuple[Fact, ...] = ()
    dimensions: tuple[Dimension, ...] = ()


def read_manifest(path: Path) -> Manifest:
    """Return what the file says. Raises ConfigurationError, which names the file and the key, when it cannot be read or says it wrongly."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f'could not read "{path}": {(error.strerror or "unknown reason").lower()}',
            hint="Name a pipeline folder, or make one with: nearshift init DIR",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f'"{path}" is not text in UTF-8') from error
    return parse_manifest(text, str(path))


def parse_manifest(text: str, origin: str = FILE_NAME) -> Manifest:
    """Return what a manifest's text says; `origin` is how errors call it. Raises ConfigurationError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f'"{origin}" is not valid TOML: {_lower_first(str(error))}') from error
    try:
        manifest = _with_loads(msgspec.convert(table, Manifest))
    except msgspec.ValidationError as error:
        raise ConfigurationError(_explain(str(error), origin), hint="See docs/pipeline-folder.md for the keys of this file.") from error
    _check(manifest, origin)
    return manifest


def _with_loads(manifest: Manifest) -> Manifest:
    """Add the schedules of the declared loads, save those that the file names itself."""
    loads: tuple[Declared, ...] = (*manifest.facts, *manifest.dimensions)
    default = f"on refresh of {manifest.generate.stream_view}"
    found = [Schedule(f"load_{load.name}", f"CALL sp_load_{load.name}()", load.local or default, load.aws) for load in loads]
    taken = {schedule.name for schedule in manifest.schedules} | {schedule.statement for schedule in manifest.schedules}
    added = tuple(one for one in found if one.name not in taken and one.statement not in taken)
    return structs.replace(manifest, schedules=manifest.schedules + added) if added else manifest


def _explain(text: str, origin: str) -> str:
    reason, _, place = text.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    reason = _lower_first(reason).replace("`", '"')
    return f'"{origin}", key "{key}": {reason}' if key else f'"{origin}": {reason}'


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _check(manifest: Manifest, origin: str) -> None:
    def refuse(key: str, reason: str, hint: str | None = None) -> None:
        raise ConfigurationError(f'"{origin}", key "{key}": {reason}', hint=hint)

    if not _NAME.match(manifest.name):
        refuse("name", "must be letters, digits, dots, dashes and underscores, at most 128")
    if manifest.source is not None and not 1 <= manifest.source.shards <= 500:
        refuse("source.shards", "must be between 1 and 500")
    local = manifest.targets.local
    for key, port in (("port", local.port), ("console_port", local.console_port)):
        if not 0 <= port <= 65535:
            refuse(f"targets.local.{key}", "must be a port between 0 and 65535")
    check_settings(manifest.targets.redshift, manifest.name, origin)
    names = [schedule.name for schedule in manifest.schedules]
    for index, schedule in enumerate(manifest.schedules):
        if not _NAME.match(schedule.name):
            refuse(f"schedules[{index}].name", "must be letters, digits, dots, dashes and underscores, at most 128")
        if names.index(schedule.name) != index:
            refuse(f"schedules[{index}].name", f'"{schedule.name}" is used twice')
        if schedule.aws is not None and not _AWS_EXPRESSION.match(schedule.aws):
            hint = "EventBridge takes rate(1 minute), rate(5 minutes) or cron(0 3 * * ? *)."
            refuse(f"schedules[{index}].aws", f'"{schedule.aws}" is not an expression of EventBridge', hint)
