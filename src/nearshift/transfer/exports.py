"""DynamoDB's exports to S3 (`dynamodb-export:…`), a source of COPY that is ours: DynamoDB JSON, and Amazon Ion with the extra `ion`.

An export is a folder `AWSDynamoDB/<export id>/` with manifest-summary.json, manifest-files.json and data/ ("DynamoDB table export output
format"). The manifests name files by their keys in the bucket of the export; here they are looked for below the folder that COPY names, so
that a copy of an export, also a local one, can be loaded. Exports that are incremental hold changes and no items, and are refused.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import RawIOBase
from typing import Any, Final

import msgspec

from nearshift import limits
from nearshift.errors import NotSupported
from nearshift.streams.dynamodb import Attribute
from nearshift.transfer.inputs import read_whole
from nearshift.transfer.items import Item
from nearshift.transfer.places import FoundFile, Place, TransferError
from nearshift.transfer.reading import Compression, pieces

SCHEME: Final = "dynamodb-export:"
_SUMMARY: Final = "manifest-summary.json"


class _Summary(msgspec.Struct):
    manifestFilesS3Key: str
    outputFormat: str = "DYNAMODB_JSON"
    itemCount: int | None = None
    exportType: str | None = None


class _DataFile(msgspec.Struct):
    dataFileS3Key: str
    itemCount: int


class _Line(msgspec.Struct):
    Item: dict[str, dict[str, msgspec.Raw]]


_LINES: Final = msgspec.json.Decoder(_Line)
_TEXT: Final = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One data file of an export, and how many items it must have."""

    found: FoundFile
    item_count: int
    is_ion: bool


def files_of_export(place: Place, url: str) -> Sequence[ExportFile]:
    """Return the data files of the export whose folder (or manifest-summary.json) `url` is.

    Raises TransferError when it is no complete export, NotSupported for one that is incremental.
    """
    base = url.removesuffix(_SUMMARY).rstrip("/") + "/"
    if place.stat(base + _SUMMARY) is None:
        hint = "Name the folder of one export, as in dynamodb-export:s3://bucket/prefix/AWSDynamoDB/01234567890123-a1b2c3d4/"
        raise TransferError(f"there is no complete DynamoDB export in '{base}': {_SUMMARY} is missing", hint=hint)
    summary = _decoded(read_whole(place, base + _SUMMARY), _Summary, base + _SUMMARY)
    if summary.exportType not in {None, "FULL_EXPORT"}:
        hint = "Load a full export; changes come through the stream."
        raise NotSupported("an incremental export holds changes and no items, and cannot be loaded", hint=hint)
    key = summary.manifestFilesS3Key
    folder = key[: key.rfind("/") + 1]
    files = []
    for line in read_whole(place, base + key[len(folder) :]).splitlines():
        if not line.strip():
            continue
        entry = _decoded(line, _DataFile, base + key[len(folder) :])
        if not entry.dataFileS3Key.startswith(folder):
            raise TransferError(f"the export's file '{entry.dataFileS3Key}' does not lie below '{folder}'")
        found = place.stat(base + entry.dataFileS3Key[len(folder) :])
        if found is None:
            raise TransferError(f"the export's file '{base}{entry.dataFileS3Key[len(folder) :]}' is missing")
        files.append(ExportFile(found, entry.itemCount, summary.outputFormat == "ION"))
    expected, listed = summary.itemCount, sum(file.item_count for file in files)
    if expected is not None and expected != listed:
        raise TransferError(f"the export says that it has {expected} items, but its files have {listed}")
    return files


def read_export(place: Place, file: ExportFile, count_bytes: list[int]) -> Iterator[list[Item]]:
    """Yield the items of a data file, some at a time. Raises TransferError when it is broken or has another number of items."""
    count = 0
    url = file.found.url
    with place.open(url) as opened:
        content = pieces(url, opened, Compression.GZIP, "utf-8", count_bytes)
        items: list[Item] = []
        for item in _ion_items(url, content) if file.is_ion else _json_items(url, content):
            items.append(item)
            count += 1
            if len(items) >= limits.COPY_BATCH_ROWS:
                yield items
                items = []
        if items:
            yield items
    if count != file.item_count:
        raise TransferError(f"the export's file '{url}' has {count} items, but its manifest says {file.item_count}")


def _json_items(url: str, content: Iterable[bytes]) -> Iterator[Item]:
    rest = b""
    for piece in content:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (_item(url, line) for line in lines if line)
    if rest.strip():
        yield _item(url, rest)


def _item(url: str, line: bytes) -> Item:
    try:
        found = _LINES.decode(line).Item
        return {name: _attribute(value) for name, value in found.items()}
    except (msgspec.DecodeError, StopIteration) as error:
        raise TransferError(f"the export's file '{url}' holds a line that is no item", hint="Export the table again.") from error


def _attribute(value: dict[str, msgspec.Raw]) -> Attribute:
    kind, raw = next(iter(value.items()))
    return Attribute(kind, _TEXT.decode(raw) if kind in {"S", "N"} else None)


def _ion_items(url: str, content: Iterable[bytes]) -> Iterator[Item]:
    try:
        ion: Any = importlib.import_module("amazon.ion.simpleion")
        errors: Any = importlib.import_module("amazon.ion.exceptions")
    except ImportError as error:
        raise NotSupported(
            "exports in Amazon Ion need the extra ion", hint="pip install 'nearshift[ion]', or export DynamoDB JSON."
        ) from error
    try:
        for value in ion.load(_Stream(content), single_value=False, parse_eagerly=False):
            yield {str(name): _ion_attribute(one) for name, one in value["Item"].items()}
    except (errors.IonException, KeyError, TypeError, AttributeError) as error:
        raise TransferError(f"the export's file '{url}' holds a value that is no item", hint="Export the table again.") from error


def _ion_attribute(value: Any) -> Attribute:
    """Return an attribute by Ion's own types: DynamoDB writes numbers as decimals, and sets as annotated lists."""
    annotations = [one.text for one in getattr(value, "ion_annotations", ())]
    if annotations:
        return Attribute(annotations[0].removeprefix("$dynamodb_"), None)
    if isinstance(value, str):
        return Attribute("S", str(value))
    name = type(value).__name__
    if value is None or name == "IonPyNull":
        return Attribute("NULL", None)
    if isinstance(value, bool) or name == "IonPyBool":
        return Attribute("BOOL", None)
    if isinstance(value, (int, float, Decimal)):
        return Attribute("N", format(Decimal(str(value)) if isinstance(value, float) else Decimal(value), "f"))
    return Attribute({"IonPyDict": "M", "IonPyList": "L", "IonPyBytes": "B"}.get(name, "L" if isinstance(value, list) else "M"), None)


class _Stream(RawIOBase):
    """Pieces as a file that can be read."""

    def __init__(self, content: Iterable[bytes]) -> None:
        super().__init__()
        self._content = iter(content)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._content, None)
            if piece is None:
                return 0
            self._rest = piece
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _decoded(content: bytes, kind: type[Any], url: str) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise TransferError(f"'{url}' is no manifest of a DynamoDB export: {str(error).lower()}") from error
