"""Files below one folder of this machine: `file://…`, which is ours and not Redshift's.

Only the owner of the warehouse says which folder (an option of the one who opens it), and nothing outside can be reached: a path is walked
part by part from the folder's own descriptor, `..` is refused, and symbolic links are never followed, also not ones that are made while
we walk. `file://a/b` and `file:///folder/a/b` mean the same file.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from nearshift.errors import PermissionDenied
from nearshift.transfer.places import FoundFile, TransferError

SCHEME = "file://"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe would wait for its writer for ever.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalFiles:
    """The files below one folder; a `places.Place`."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def find(self, prefix: str) -> Sequence[FoundFile]:
        """Return the regular files whose addresses begin with a prefix; links are left out."""
        folder, _, start = self._relative(prefix).rpartition("/")
        found: list[FoundFile] = []
        with suppress(FileNotFoundError, NotADirectoryError), self._folder(folder) as base:
            for path, _folders, names, here in os.fwalk(".", dir_fd=base, follow_symlinks=False):
                for name in names:
                    relative = os.path.normpath(os.path.join(path, name))
                    facts = os.stat(name, dir_fd=here, follow_symlinks=False)
                    if relative.startswith(start) and stat.S_ISREG(facts.st_mode):
                        found.append(_found(f"{folder}/{relative}" if folder else relative, facts))
        return sorted(found, key=lambda one: one.url)

    def stat(self, url: str) -> FoundFile | None:
        """Return the regular file of exactly that address, or None."""
        folder, _, name = self._relative(url).rpartition("/")
        with suppress(FileNotFoundError, NotADirectoryError), self._folder(folder) as base:
            facts = os.stat(name, dir_fd=base, follow_symlinks=False)
            if stat.S_ISREG(facts.st_mode):
                return _found(f"{folder}/{name}" if folder else name, facts)
        return None

    def open(self, url: str) -> BinaryIO:
        """Open a regular file for reading."""
        folder, _, name = self._relative(url).rpartition("/")
        try:
            with self._folder(folder) as base:
                descriptor = os.open(name, _READ, dir_fd=base)
        except FileNotFoundError as error:
            raise TransferError(f"the file '{url}' does not exist") from error
        except OSError as error:
            raise TransferError(f"the file '{url}' could not be read: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise TransferError(f"'{url}' is not a regular file")
        return os.fdopen(descriptor, "rb")

    def put(self, url: str, content: BinaryIO) -> None:
        """Write a file beside its place, then move it there; folders above it are made."""
        folder, _, name = self._relative(url).rpartition("/")
        unfinished = f".{name}.{os.getpid()}.part"
        try:
            with self._folder(folder, makes=True) as base:
                with suppress(FileNotFoundError):
                    os.unlink(unfinished, dir_fd=base)
                with os.fdopen(os.open(unfinished, _WRITE, 0o644, dir_fd=base), "wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                os.rename(unfinished, name, src_dir_fd=base, dst_dir_fd=base)
        except OSError as error:
            raise TransferError(f"the file '{url}' could not be written: {error.strerror}", code=9002) from error

    def delete(self, urls: Sequence[str]) -> None:
        """Delete files."""
        for url in urls:
            folder, _, name = self._relative(url).rpartition("/")
            with suppress(FileNotFoundError), self._folder(folder) as base:
                os.unlink(name, dir_fd=base)

    def _relative(self, url: str) -> str:
        path = url.removeprefix(SCHEME)
        if path.startswith("/"):
            root = str(self._root)
            if path != root and not path.startswith(root.rstrip("/") + "/"):
                raise self._outside(url)
            path = path[len(root) :].lstrip("/")
        if any(part in {"..", "."} for part in path.split("/")) or "\0" in path:
            raise self._outside(url)
        return path

    def _outside(self, url: str) -> PermissionDenied:
        hint = "Only the owner of the warehouse chooses that folder: the option `files` of nearshift.toml or of the one who opens it."
        return PermissionDenied(f'"{url}" is outside of the folder whose files COPY and UNLOAD may use', hint=hint)

    @contextmanager
    def _folder(self, relative: str, *, makes: bool = False) -> Iterator[int]:
        """Walk down to a folder; a symbolic link on the way is refused by the system (ELOOP or ENOTDIR)."""
        try:
            descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise TransferError(f"the folder of files '{self._root}' cannot be used: {error.strerror}") from error
        try:
            for part in filter(None, relative.split("/")):
                if makes:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=descriptor)
                below = os.open(part, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)


def _found(relative: str, facts: os.stat_result) -> FoundFile:
    return FoundFile(SCHEME + relative, facts.st_size, None, datetime.fromtimestamp(facts.st_mtime, UTC))
