"""UNLOAD's options as values. Source page: "UNLOAD"; docs/copy.md has the table of what is recorded only and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from nearshift import limits
from nearshift.errors import InvalidSql
from nearshift.sql.statements import Option
from nearshift.transfer import authorization
from nearshift.transfer.options import compression_of, widths_of
from nearshift.transfer.reading import Compression
from nearshift.transfer.s3 import S3Access


class UnloadFormat(Enum):
    """The formats that are written; the value is what SYS_UNLOAD_HISTORY shows."""

    TEXT = "Text"
    CSV = "CSV"
    FIXEDWIDTH = "FixedWidth"
    JSON = "JSON"
    PARQUET = "Parquet"


class ManifestKind(Enum):
    """Whether and how the files are listed in a manifest."""

    NONE = "none"
    PLAIN = "plain"
    VERBOSE = "verbose"


@dataclass(frozen=True, slots=True)
class UnloadOptions:
    """All that UNLOAD's options say; sizes in bytes."""

    format: UnloadFormat
    access: S3Access
    compression: Compression = Compression.NONE
    delimiter: str = "|"
    null_as: str = ""
    adds_quotes: bool = False
    escapes: bool = False
    has_header: bool = False
    widths: tuple[int, ...] = ()
    partition_by: tuple[str, ...] = ()
    includes_partitions: bool = False
    manifest: ManifestKind = ManifestKind.NONE
    overwrites: bool = False
    cleans_path: bool = False
    is_parallel: bool = True
    file_bytes: int = limits.UNLOAD_FILE_BYTES_DEFAULT
    row_group_bytes: int = 32 * limits.MIB
    extension: str | None = None

    @property
    def suffix(self) -> str:
        """What stands behind a file's number in its name."""
        if self.extension is not None:
            return f".{self.extension.removeprefix('.')}"
        kind = {UnloadFormat.PARQUET: ".parquet", UnloadFormat.JSON: ".json"}.get(self.format, "")
        return kind + self.compression.suffix


_COMPRESSIONS: Final = {"GZIP": Compression.GZIP, "BZIP2": Compression.BZIP2, "ZSTD": Compression.ZSTD}
_NOT_WITH: Final = {
    "PARQUET": ("DELIMITER", "FIXEDWIDTH", "ADDQUOTES", "ESCAPE", "NULL", "HEADER", "GZIP", "BZIP2", "ZSTD"),
    "JSON": ("DELIMITER", "HEADER", "FIXEDWIDTH", "ADDQUOTES", "ESCAPE", "NULL"),
    "CSV": ("FIXEDWIDTH", "ADDQUOTES", "ESCAPE"),
    "FIXEDWIDTH": ("DELIMITER", "ADDQUOTES", "ESCAPE", "HEADER"),
}  # fmt: skip
_FORMATS: Final = {
    "CSV": UnloadFormat.CSV, "PARQUET": UnloadFormat.PARQUET, "JSON": UnloadFormat.JSON, "FIXEDWIDTH": UnloadFormat.FIXEDWIDTH,
}  # fmt: skip


def unload_options(options: Mapping[str, Option]) -> UnloadOptions:
    """Return what UNLOAD's options say. Raises InvalidSql or NotSupported, at the option."""
    option = options.get("FORMAT")
    word = option.value if option is not None and option.value else "FIXEDWIDTH" if "FIXEDWIDTH" in options else "TEXT"
    for name in _NOT_WITH.get(word, ()):
        if name in options:
            raise InvalidSql(f"{name} is not compatible with {word}", span=options[name].span)
    if "CLEANPATH" in options and "ALLOWOVERWRITE" in options:
        raise InvalidSql("CLEANPATH is not compatible with ALLOWOVERWRITE", span=options["CLEANPATH"].span)
    if "ROWGROUPSIZE" in options and word != "PARQUET":
        raise InvalidSql("ROWGROUPSIZE can be used with PARQUET only", span=options["ROWGROUPSIZE"].span)
    found = _FORMATS.get(word, UnloadFormat.TEXT)
    manifest = options.get("MANIFEST")
    kind = ManifestKind.NONE if manifest is None else ManifestKind.VERBOSE if manifest.value else ManifestKind.PLAIN
    parallel = options.get("PARALLEL")
    extension = options.get("EXTENSION")
    if extension is not None and ("/" in (extension.value or "") or not extension.value):
        raise InvalidSql("EXTENSION must be the end of a file's name", sqlstate="22023", span=extension.span)
    partitions = options.get("PARTITION BY")
    return UnloadOptions(
        format=found,
        access=authorization.access_of(options),
        compression=compression_of(options, _COMPRESSIONS),
        delimiter=_delimiter(options, found),
        null_as=_value(options, "NULL") or "",
        adds_quotes="ADDQUOTES" in options,
        escapes="ESCAPE" in options,
        has_header="HEADER" in options,
        widths=widths_of(options),
        partition_by=tuple((partitions.value or "").split(",")) if partitions is not None else (),
        includes_partitions="INCLUDE" in options,
        manifest=kind,
        overwrites="ALLOWOVERWRITE" in options,
        cleans_path="CLEANPATH" in options,
        is_parallel=parallel is None or parallel.value != "OFF",
        file_bytes=_size(options, "MAXFILESIZE", limits.UNLOAD_FILE_BYTES_MIN, limits.UNLOAD_FILE_BYTES_DEFAULT)
        or limits.UNLOAD_FILE_BYTES_DEFAULT,
        row_group_bytes=min(_size(options, "ROWGROUPSIZE", 32 * limits.MIB, 128 * limits.MIB) or 32 * limits.MIB, 128 * limits.MIB),
        extension=extension.value if extension is not None else None,
    )


def check_columns(names: Sequence[str], options: UnloadOptions, spans: Mapping[str, Option]) -> None:
    """Raise InvalidSql when PARTITION BY or FIXEDWIDTH do not fit the columns of the query."""
    for name in options.partition_by:
        if name not in names:
            hint = "PARTITION BY takes columns of the query."
            raise InvalidSql(f'partition column "{name}" is not in the query', sqlstate="42703", span=spans["PARTITION BY"].span, hint=hint)
    if options.partition_by and not options.includes_partitions and len(set(options.partition_by)) == len(names):
        message = "PARTITION BY without INCLUDE leaves no column to write"
        raise InvalidSql(message, span=spans["PARTITION BY"].span, hint="Say INCLUDE, or add a column.")
    if options.widths and len(options.widths) != len(names):
        message = f"FIXEDWIDTH has {len(options.widths)} columns, but the query has {len(names)}"
        raise InvalidSql(message, span=spans["FIXEDWIDTH"].span)


def _delimiter(options: Mapping[str, Option], found: UnloadFormat) -> str:
    option = options.get("DELIMITER")
    if option is None:
        return "," if found is UnloadFormat.CSV else "|"
    value = option.value or ""
    if len(value) != 1 or ord(value) > 127 or value in "\r\n\\" or (found is UnloadFormat.CSV and value == '"'):
        raise InvalidSql("UNLOAD delimiter must be a single ASCII character that ends no line and is no quote", span=option.span)
    return value


def _value(options: Mapping[str, Option], name: str) -> str | None:
    option = options.get(name)
    return option.value if option is not None else None


def _size(options: Mapping[str, Option], name: str, least: int, most: int) -> int | None:
    option = options.get(name)
    if option is None or not option.value:
        return None
    number, unit = option.value.split()
    size = int(float(number) * (limits.MIB if unit == "MB" else 1024 * limits.MIB))
    if not least <= size <= most:
        raise InvalidSql(f"{name} must be between {least // limits.MIB} MB and {most // limits.MIB} MB", sqlstate="22023", span=option.span)
    return size
