"""A pipeline folder's generated files against those it should have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from nearshift.errors import ConfigurationError
from nearshift.generate.files import is_untouched, render
from nearshift.generate.loads import read_declarations
from nearshift.pipeline.definitions import Kind
from nearshift.pipeline.folder import read_script
from nearshift.pipeline.manifest import FILE_NAME, read_manifest


class Verdict(Enum):
    """What becomes of a file."""

    CREATE = "create"
    CHANGE = "change"
    KEEP = "keep"
    REMOVE = "remove"
    YOURS = "yours"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file under `sql/`; `text` is what it should say, None for one that is no longer needed."""

    path: Path
    verdict: Verdict
    text: str | None

    @property
    def is_change(self) -> bool:
        """Whether writing it would change the folder."""
        return self.verdict in {Verdict.CREATE, Verdict.CHANGE, Verdict.REMOVE}


def plan_files(folder: Path) -> list[FileChange]:
    """Return what `write` would do to each generated file, in name order. A file that was changed by hand is YOURS and stays.

    Raises ConfigurationError for a manifest that declares nothing or wrongly, FileError for a SQL file that is not understood.
    """
    declarations = read_declarations(read_manifest(folder / FILE_NAME))
    texts = {path.name: _read(path) for path in sorted((folder / "sql").glob("*.sql"))}
    mine = {name for name, text in texts.items() if is_untouched(text)}
    streams: set[str] = set()
    existing: set[str] = set()
    wanted = render(declarations, frozenset())
    for name, text in texts.items():
        if name not in mine and name not in wanted:
            existing |= {_plain_name(one.kind, one.name) for one in read_script(text, f"sql/{name}", streams)}
    wanted = render(declarations, existing)
    changes = []
    for name in sorted(wanted.keys() | mine):
        verdict = _decide(texts.get(name), wanted.get(name), is_mine=name in mine)
        changes.append(FileChange(folder / "sql" / name, verdict, wanted.get(name)))
    return changes


def _plain_name(kind: Kind, name: str) -> str:
    bare = name.partition("(")[0] if kind in {Kind.PROCEDURE, Kind.FUNCTION} else name
    return bare.removeprefix("public.")


def _decide(found: str | None, wanted: str | None, *, is_mine: bool) -> Verdict:
    if found is None:
        return Verdict.CREATE
    if not is_mine:
        return Verdict.YOURS
    if wanted is None:
        return Verdict.REMOVE
    return Verdict.KEEP if found == wanted else Verdict.CHANGE


def write(changes: list[FileChange]) -> None:
    """Make the files so. Raises ConfigurationError when one cannot be written."""
    for change in changes:
        if not change.is_change:
            continue
        try:
            if change.text is None:
                change.path.unlink()
            else:
                change.path.parent.mkdir(parents=True, exist_ok=True)
                change.path.write_text(change.text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise ConfigurationError(f'could not write "{change.path}": {(error.strerror or "unknown reason").lower()}') from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f'could not read "{path}" as text in UTF-8') from error
