"""Local files: below the owner's folder, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nearshift.errors import NearshiftError, PermissionDenied
from nearshift.transfer.local import LocalFiles
from nearshift.warehouse import Warehouse

if TYPE_CHECKING:
    from tests.transfer.conftest import Place


@pytest.mark.parametrize("url", ["file://../secret", "file://a/../../secret", "file:///etc/passwd", "file://a\0b", "file://./f"])
def test_paths_outside_are_refused(place: Place, url: str) -> None:
    (place.folder.parent / "secret").write_text("1\n")
    files = LocalFiles(place.folder)
    for act in (files.find, files.stat, files.open, lambda one: files.delete([one])):
        with pytest.raises(PermissionDenied):
            act(url)


def test_symbolic_links_are_never_followed(place: Place) -> None:
    outside = place.folder.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("1\n")
    (place.folder / "link").symlink_to(outside / "secret")
    (place.folder / "door").symlink_to(outside)
    files = LocalFiles(place.folder)
    assert list(files.find("file://")) == []
    assert files.stat("file://link") is None
    assert list(files.find("file://door/")) == []
    for url in ("file://link", "file://door/secret"):
        with pytest.raises(NearshiftError):
            files.open(url)
    place.rows("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    assert place.fails("UNLOAD ('SELECT a FROM t') TO 'file://door/x'").sqlstate == "XX000"
    assert sorted(os.listdir(outside)) == ["secret"]


def test_a_pipe_does_not_hang_a_load(place: Place) -> None:
    os.mkfifo(place.folder / "pipe")
    with pytest.raises(NearshiftError, match="regular file"):
        LocalFiles(place.folder).open("file://pipe")


def test_an_absolute_path_below_the_folder_is_the_same_file(place: Place) -> None:
    place.write("f", "1\n")
    place.rows(f"CREATE TABLE t (a int); COPY t FROM 'file://{place.folder}/f'")
    assert place.rows("SELECT a FROM t") == [(1,)]


def test_without_a_folder_local_files_are_off(tmp_path: Path) -> None:
    with Warehouse.open(threads=1) as warehouse:
        session = warehouse.session()
        session.execute("CREATE TABLE t (a int)")
        for statement in (f"COPY t FROM 'file://{tmp_path}/f'", f"UNLOAD ('SELECT 1') TO 'file://{tmp_path}/f'"):
            with pytest.raises(NearshiftError, match="switched off") as caught:
                session.execute(statement)
            assert caught.value.sqlstate == "42501"
        with pytest.raises(NearshiftError, match="S3"):
            session.execute("COPY t FROM '/etc/passwd'")
