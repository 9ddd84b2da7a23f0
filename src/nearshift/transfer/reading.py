"""The bytes of a file as pieces of UTF-8 text: decompressed, and decoded from the encoding that COPY names."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from enum import Enum
from typing import BinaryIO, Final

import pyarrow as pa

from nearshift import limits
from nearshift.transfer.places import TransferError

_BOM: Final = b"\xef\xbb\xbf"
ENCODINGS: Final = {"UTF8": "utf-8", "UTF16": "utf-16", "UTF16LE": "utf-16-le", "UTF16BE": "utf-16-be", "ISO88591": "iso-8859-1"}


class Compression(Enum):
    """How a file is compressed; the value is Arrow's name of the codec."""

    NONE = "none"
    GZIP = "gzip"
    BZIP2 = "bz2"
    ZSTD = "zstd"

    @property
    def suffix(self) -> str:
        """What UNLOAD appends to a file's name."""
        return {"gzip": ".gz", "bz2": ".bz2", "zstd": ".zst"}.get(self.value, "")


def pieces(url: str, file: BinaryIO, compression: Compression, encoding: str, count_bytes: list[int]) -> Iterator[bytes]:
    """Yield a file's content in pieces of about COPY_PIECE_BYTES; `count_bytes[0]` grows by what was read of the file itself.

    Raises TransferError when the compressed file is cut off or not of that kind, or the text is not of the encoding. UTF-8 is not checked.
    """
    raw = _decompressed(url, _Counting(file, count_bytes), compression)
    if encoding == "utf-8":
        first = True
        for piece in raw:
            yield piece.removeprefix(_BOM) if first else piece
            first = False
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in raw:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        message = f"the file '{url}' is not encoded as the COPY command says"
        raise TransferError(message, code=1221, hint="Check the ENCODING of the file.") from error


class _Counting:
    """A file that counts what is read of it; what pyarrow asks of a file is here."""

    def __init__(self, file: BinaryIO, counts: list[int]) -> None:
        self._file = file
        self._counts = counts
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size)
        self._counts[0] += len(found)
        return found

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True
        self._file.close()


def _decompressed(url: str, file: _Counting, compression: Compression) -> Iterator[bytes]:
    size = limits.COPY_PIECE_BYTES
    try:
        if compression is Compression.NONE:
            while piece := file.read(size):
                yield piece
        elif compression is Compression.GZIP:
            yield from _gunzipped(file, size)
        else:
            stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), compression.value)
            while piece := stream.read(size):
                yield piece
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        message = f"the file '{url}' could not be decompressed: it is cut off or no {compression.name} file"
        raise TransferError(message, hint="Write the file again, or name its compression: GZIP, BZIP2, ZSTD or none.") from error


def _gunzipped(file: _Counting, size: int) -> Iterator[bytes]:
    """Arrow's own reader takes a file that ends inside a member for a whole one; zlib says which it is."""
    engine = zlib.decompressobj(wbits=31)
    is_begun = False
    pending = b""
    while True:
        if not pending:
            pending = file.read(limits.MIB)
            if not pending:
                if is_begun:
                    raise EOFError
                return
        is_begun = True
        piece = engine.decompress(pending, size)
        if piece:
            yield piece
        pending = engine.unconsumed_tail
        if engine.eof:
            pending = engine.unused_data
            engine = zlib.decompressobj(wbits=31)
            is_begun = False
