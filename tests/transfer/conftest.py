"""A warehouse in memory with a folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearshift.clock import ManualClock
from nearshift.errors import NearshiftError
from nearshift.session import Session
from nearshift.warehouse import Warehouse


class Place:
    """One warehouse, its folder of files, and one session in it whose notices are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.warehouse = Warehouse.open(clock=self.clock, threads=1, files=folder)
        self.session: Session = self.warehouse.session()
        self.notices: list[str] = []
        self.session.on_notice = lambda notice: self.notices.append(notice.message)

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def read(self, name: str) -> str:
        """Return a file's text."""
        return (self.folder / name).read_text(encoding="utf-8")

    def names(self, folder: str = ".") -> list[str]:
        """Return the paths of all files below a folder."""
        base = self.folder / folder
        return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        """Run a script and return the rows of its last statement."""
        found: list[tuple[Any, ...]] = []
        for result in self.session.execute_script(text):
            found = result.rows()
        return found

    def fails(self, text: str) -> NearshiftError:
        """Return the error of a script."""
        with pytest.raises(NearshiftError) as caught:
            self.rows(text)
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "files"
    folder.mkdir()
    found = Place(folder)
    yield found
    found.warehouse.close()
