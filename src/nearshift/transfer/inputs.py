"""Which files a COPY reads: those whose addresses begin with the source, or those that a manifest names ("Using a manifest")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from nearshift import limits
from nearshift.transfer.places import FoundFile, Place, TransferError


class _Meta(msgspec.Struct):
    content_length: int | None = None


class _Entry(msgspec.Struct):
    url: str
    mandatory: bool = False
    meta: _Meta | None = None


class _Manifest(msgspec.Struct):
    entries: list[_Entry]


def files_with_prefix(place: Place, source: str) -> Sequence[FoundFile]:
    """Return the files that a source means. Raises TransferError when there is none."""
    found = place.find(source)
    if not found:
        prefix = source.split("//", 1)[-1]
        shown = prefix.partition("/")[2] if source.startswith("s3://") else prefix
        message = f"The specified S3 prefix '{shown}' does not exist" if source.startswith("s3://") else f"No file begins with '{shown}'"
        raise TransferError(message, hint="Names are case sensitive; a prefix that ends in / means the files of that folder.")
    return found


def files_of_manifest(place: Place, url: str) -> Sequence[FoundFile]:
    """Return the files that a manifest names, in its order. A file that is missing is left out unless it is mandatory.

    Raises TransferError for a manifest that is none, for a mandatory file that is missing, and when no file is left.
    """
    content = read_whole(place, url)
    try:
        manifest = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_Manifest)
    except msgspec.DecodeError as error:
        message = f"The manifest '{url}' is not in the expected format: {str(error).lower()}"
        raise TransferError(message, hint='Write {"entries": [{"url": "s3://bucket/file", "mandatory": true}]}.') from error
    scheme = url.partition("//")[0]
    found: list[FoundFile] = []
    for entry in manifest.entries:
        if not entry.url.startswith(f"{scheme}//"):
            raise TransferError(f"COPY with MANIFEST parameter requires full path of an Amazon S3 object. (at '{entry.url}')")
        file = place.stat(entry.url)
        if file is not None:
            found.append(replace(file, url=entry.url))
        elif entry.mandatory:
            raise TransferError(f"Problem reading manifest file - S3ServiceException: the mandatory file '{entry.url}' does not exist")
        expected = entry.meta.content_length if entry.meta else None
        if file is not None and expected is not None and expected != file.size:
            raise TransferError(f"The file '{entry.url}' has {file.size} bytes, but the manifest says {expected}")
    if not found:
        raise TransferError(f"The manifest '{url}' names no file that exists")
    return found


def read_whole(place: Place, url: str) -> bytes:
    """Return a small file's content. Raises TransferError when it is missing or too large."""
    with place.open(url) as file:
        content = file.read(limits.COPY_MANIFEST_BYTES_MAX + 1)
    if len(content) > limits.COPY_MANIFEST_BYTES_MAX:
        raise TransferError(f"the file '{url}' is larger than {limits.COPY_MANIFEST_BYTES_MAX // limits.MIB} MB")
    return content
