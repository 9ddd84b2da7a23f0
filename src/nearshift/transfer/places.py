"""Where files of COPY and UNLOAD lie: what any such place can do, and how an address names one.

Addresses are `s3://bucket/key` and `file://path`, the second one ours: `transfer.local` says which files it can reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from nearshift.errors import NearshiftError, Span


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that exists: its address and size in bytes; the rest where the place knows it."""

    url: str
    size: int
    etag: str | None = None
    modified_at: datetime | None = None


class Place(Protocol):
    """A place that holds files. All methods raise TransferError when the place refuses."""

    def find(self, prefix: str) -> Sequence[FoundFile]:
        """Return the files whose addresses begin with a prefix, sorted by address."""
        ...

    def stat(self, url: str) -> FoundFile | None:
        """Return the file of exactly that address, or None."""
        ...

    def open(self, url: str) -> BinaryIO:
        """Open a file for reading from its beginning; it need not be able to seek."""
        ...

    def put(self, url: str, content: BinaryIO) -> None:
        """Write a file whole, from where `content` stands to its end; nobody sees a part of it. One of the same address is replaced."""
        ...

    def delete(self, urls: Sequence[str]) -> None:
        """Delete files; one that is gone already is no error."""
        ...


class TransferError(NearshiftError):
    """A file could not be found, read or written; the code is the one Redshift writes into DETAIL."""

    default_sqlstate = "XX000"

    def __init__(self, message: str, *, code: int = 8001, hint: str | None = None, sqlstate: str | None = None, span: Span | None = None):
        rule = "-----------------------------------------------"
        detail = f"\n  {rule}\n  error:  {message}\n  code:      {code}\n  context:   \n  {rule}\n"
        super().__init__(message, sqlstate=sqlstate, detail=detail, hint=hint, span=span)
