"""One file through its format's reader into the loader."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence

from nearshift.clock import Clock
from nearshift.transfer.batches import LoadColumn
from nearshift.transfer.columnar import read_columnar
from nearshift.transfer.delimited import DelimitedReader
from nearshift.transfer.documents import DocumentReader, Shred
from nearshift.transfer.fixedwidth import FixedWidthReader
from nearshift.transfer.inputs import read_whole
from nearshift.transfer.jsonpaths import parse_paths
from nearshift.transfer.loading import LoadedFile, Loader
from nearshift.transfer.options import CopyOptions, FileFormat
from nearshift.transfer.places import FoundFile, Place, TransferError
from nearshift.transfer.reading import pieces
from nearshift.transfer.values import conversion, text_conversion
from nearshift.types import Kind


def file_reader(options: CopyOptions, columns: Sequence[LoadColumn], place: Place) -> DelimitedReader | FixedWidthReader | DocumentReader:
    """Return the reader of text formats. Raises TransferError when what it needs, as JSON paths, is missing or wrong."""
    if options.format is FileFormat.JSON:
        words = options.json.strip()
        shred = {one.value: one for one in (Shred.EXACT, Shred.IGNORE_CASE, Shred.WHOLE)}.get(words.lower())
        if shred is Shred.WHOLE and (len(columns) != 1 or columns[0].type.kind is not Kind.SUPER):
            raise TransferError("COPY with JSON 'noshred' needs a table, or a column list, of one column of type super")
        if shred is not None:
            return DocumentReader(columns, shred, header_lines=options.lines.header_lines)
        if "://" not in words:
            raise TransferError(
                f"'{words}' is not a JSON option", hint="Use 'auto', 'auto ignorecase', 'noshred' or the address of a JSONPaths file."
            )
        paths = parse_paths(words, read_whole(place, words), len(columns))
        return DocumentReader(columns, Shred.PATHS, paths, options.lines.header_lines)
    if options.format is FileFormat.FIXEDWIDTH:
        if len(options.widths) != len(columns):
            raise TransferError(f"FIXEDWIDTH has {len(options.widths)} columns, but the table or its column list has {len(columns)}")
        return FixedWidthReader(columns, options.widths, options.lines)
    return DelimitedReader(columns, options.shape, options.lines)


def copy_files(
    files: Sequence[FoundFile],
    place: Place,
    columns: Sequence[LoadColumn],
    storage: str,
    options: CopyOptions,
    loader: Loader,
    clock: Clock,
    check: Callable[[], None],
) -> None:
    """Load files one after the other into the table whose rows are in `storage`; `check` raises when the statement is cancelled.

    Raises TooManyErrors, TransferError and what a commit may raise; `loader.loaded` then says how far it came.
    """
    if options.is_columnar:
        for found in files:
            file = LoadedFile(found, clock.now())
            loader.loaded.files.append(file)
            _copy_columnar(file, place, columns, storage, options, loader, check)
            file.ended_at = clock.now()
        return
    reader = file_reader(options, columns, place)
    made = text_conversion(columns, storage, options.values)
    for found in files:
        file = LoadedFile(found, clock.now())
        loader.loaded.files.append(file)
        count = [0]
        with place.open(found.url) as opened:
            for batch in reader.read(pieces(found.url, opened, options.compression, options.encoding, count)):
                check()
                file.bytes_read = count[0]
                loader.load(file, batch, made)
        file.bytes_read = count[0]
        file.ended_at = clock.now()


def _copy_columnar(
    file: LoadedFile,
    place: Place,
    columns: Sequence[LoadColumn],
    storage: str,
    options: CopyOptions,
    loader: Loader,
    check: Callable[[], None],
) -> None:
    """Columnar files are read from their end, so they are brought to a temporary file first."""
    with place.open(file.found.url) as opened, tempfile.TemporaryFile() as local:
        shutil.copyfileobj(opened, local, 1 << 20)
        file.bytes_read = local.tell()
        local.seek(0)
        for batch, values in read_columnar(file.found.url, local, columns, options.columnar):
            check()
            texts = [f"c{index}" for index in range(len(columns))]
            loader.load(file, batch, conversion(columns, storage, texts, values, [False] * len(columns)))
