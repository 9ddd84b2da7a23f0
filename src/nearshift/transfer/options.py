"""COPY's options as values: what may stand together, what is recorded only, and what is refused.

Source pages: "COPY" with its parameter pages; docs/copy.md has the table of this module's decisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from nearshift import limits
from nearshift.errors import InvalidSql, NearshiftError, NotSupported
from nearshift.sql.statements import Option
from nearshift.transfer import authorization
from nearshift.transfer.columnar import ColumnarRules
from nearshift.transfer.dateformats import strptime_format
from nearshift.transfer.delimited import LineRules
from nearshift.transfer.fixedwidth import parse_widths
from nearshift.transfer.reading import ENCODINGS, Compression
from nearshift.transfer.records import Quoting, TextShape
from nearshift.transfer.s3 import S3Access
from nearshift.transfer.values import ValueRules


class FileFormat(Enum):
    """The formats that are read; the value is what SYS_LOAD_HISTORY shows."""

    TEXT = "txt"
    CSV = "csv"
    FIXEDWIDTH = "fixedwidth"
    JSON = "json"
    PARQUET = "parquet"
    ORC = "orc"


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """All that COPY's options say; `errors_max` is None when all errors are ignored."""

    format: FileFormat
    access: S3Access
    compression: Compression = Compression.NONE
    encoding: str = "utf-8"
    shape: TextShape = field(default_factory=TextShape)
    lines: LineRules = field(default_factory=LineRules)
    values: ValueRules = field(default_factory=ValueRules)
    columnar: ColumnarRules = field(default_factory=ColumnarRules)
    widths: tuple[int, ...] = ()
    json: str = "auto"
    errors_max: int | None = 1
    is_dry: bool = False
    is_manifest: bool = False
    has_explicit_ids: bool = False

    @property
    def is_columnar(self) -> bool:
        """Whether files have types and must be able to seek."""
        return self.format in {FileFormat.PARQUET, FileFormat.ORC}


_REFUSED: Final = {
    "LZOP": ("the lzop format is not read", "Compress with GZIP, BZIP2 or ZSTD."),
    "SSH": ("remote hosts are not reached by SSH", "Copy the files to S3 or to the folder of files."),
    "ENCRYPTED": ("files that the client encrypted are not read", "Use encryption on the server's side."),
    "READRATIO": ("READRATIO is for DynamoDB tables", "Leave READRATIO out."),
}  # fmt: skip
_REFUSED_FORMATS: Final = {
    "AVRO": "Avro files are not read", "SHAPEFILE": "there are no spatial types to read a shapefile into",
    "RCFILE": "RCFile is not read", "SEQUENCEFILE": "SequenceFile is not read",
}  # fmt: skip
# What belongs to the text of a file and means nothing to columnar formats ("COPY from columnar data formats" lists the rest).
_WITH_COLUMNAR: Final = authorization.NAMES | {
    "FORMAT", "PARQUET", "ORC", "MANIFEST", "STATUPDATE", "EXPLICIT_IDS", "FILLRECORD", "SERIALIZETOJSON", "ACCEPTINVCHARS",
    "TRUNCATECOLUMNS",
}  # fmt: skip
_NOT_WITH: Final = {
    "JSON": ("DELIMITER", "ESCAPE", "FILLRECORD", "FIXEDWIDTH", "IGNOREBLANKLINES", "NULL", "REMOVEQUOTES", "QUOTE"),
    "CSV": ("ESCAPE", "REMOVEQUOTES", "FIXEDWIDTH"),
    "FIXEDWIDTH": ("DELIMITER", "ESCAPE", "REMOVEQUOTES", "QUOTE"),
}  # fmt: skip
_COMPRESSIONS: Final = {"GZIP": Compression.GZIP, "BZIP2": Compression.BZIP2, "ZSTD": Compression.ZSTD}


def copy_options(options: Mapping[str, Option]) -> CopyOptions:
    """Return what COPY's options say. Raises InvalidSql or NotSupported, at the option."""
    for name, (reason, hint) in _REFUSED.items():
        if name in options:
            raise NotSupported(f"{name} is not supported: {reason}", span=options[name].span, hint=hint)
    word = _format_word(options)
    _check_together(options, word)
    found = _FORMATS.get(word, FileFormat.TEXT)
    if "QUOTE" in options and found is not FileFormat.CSV:
        raise InvalidSql("QUOTE can be used with CSV only", span=options["QUOTE"].span)
    return CopyOptions(
        format=found,
        access=authorization.access_of(options),
        compression=compression_of(options, _COMPRESSIONS),
        encoding=_encoding(options),
        shape=_shape(options, found),
        lines=LineRules(_number(options, "IGNOREHEADER", 0, 2**31 - 1) or 0, "FILLRECORD" in options, "IGNOREBLANKLINES" in options,
                        _replacement(options)),
        values=_values(options, found),
        columnar=ColumnarRules(word, "FILLRECORD" in options, "SERIALIZETOJSON" in options, "TRUNCATECOLUMNS" in options),
        widths=widths_of(options),
        json=_value(options, "JSON") or "auto",
        errors_max=None if "IGNOREALLERRORS" in options else max(_number(options, "MAXERROR", 0, limits.COPY_ERRORS_MAX) or 0, 1),
        is_dry="NOLOAD" in options,
        is_manifest="MANIFEST" in options,
        has_explicit_ids="EXPLICIT_IDS" in options,
    )  # fmt: skip


_FORMATS: Final = {
    "CSV": FileFormat.CSV, "FIXEDWIDTH": FileFormat.FIXEDWIDTH, "JSON": FileFormat.JSON, "PARQUET": FileFormat.PARQUET,
    "ORC": FileFormat.ORC,
}  # fmt: skip


def _format_word(options: Mapping[str, Option]) -> str:
    option = options.get("FORMAT")
    word = option.value if option is not None and option.value else "FIXEDWIDTH" if "FIXEDWIDTH" in options else "DELIMITER"
    if option is not None and word in _REFUSED_FORMATS:
        hint = "Write the data as CSV, JSON, PARQUET or ORC."
        raise NotSupported(f"format {word} is not supported: {_REFUSED_FORMATS[word]}", span=option.span, hint=hint)
    return word


def _check_together(options: Mapping[str, Option], word: str) -> None:
    if word in {"PARQUET", "ORC"}:
        for name, option in options.items():
            if name not in _WITH_COLUMNAR:
                raise InvalidSql(f"{name} argument is not supported for {word} based COPY", sqlstate="0A000", span=option.span)
    elif "SERIALIZETOJSON" in options:
        raise InvalidSql("SERIALIZETOJSON can be used with PARQUET and ORC only", span=options["SERIALIZETOJSON"].span)
    for name in _NOT_WITH.get(word, ()):
        if name in options:
            raise InvalidSql(f"{name} is not compatible with {word}", span=options[name].span)
    if "ROUNDEC" in options and word in {"PARQUET", "ORC"}:
        raise InvalidSql(f"ROUNDEC is not compatible with {word}", span=options["ROUNDEC"].span)


def compression_of(options: Mapping[str, Option], known: Mapping[str, Compression]) -> Compression:
    """Return the compression that the options name. Raises InvalidSql when there are two."""
    named = [name for name in known if name in options]
    if len(named) > 1:
        raise InvalidSql(f"{named[1]} is not compatible with {named[0]}", span=options[named[1]].span)
    return known[named[0]] if named else Compression.NONE


def widths_of(options: Mapping[str, Option]) -> tuple[int, ...]:
    """Return the widths that FIXEDWIDTH names, none without it. Raises InvalidSql."""
    option = options.get("FIXEDWIDTH")
    if option is None:
        return ()
    with at_option(option):
        return parse_widths(option.value or "")


@contextmanager
def at_option(option: Option) -> Iterator[None]:
    """Let errors raised inside point to an option."""
    try:
        yield
    except NearshiftError as error:
        error.span = error.span or option.span
        raise


def _encoding(options: Mapping[str, Option]) -> str:
    option = options.get("ENCODING")
    word = (option.value or "").upper().replace("-", "").replace("_", "") if option is not None else "UTF8"
    if option is not None and word not in ENCODINGS:
        raise NotSupported(f'encoding "{option.value}" is not supported', span=option.span, hint=f"Use {', '.join(ENCODINGS)}.")
    return ENCODINGS[word]


def _shape(options: Mapping[str, Option], found: FileFormat) -> TextShape:
    is_csv = found is FileFormat.CSV
    delimiter = _value(options, "DELIMITER")
    if "DELIMITER" in options and (not delimiter or delimiter in {"\n", "\r"}):
        raise InvalidSql("COPY delimiter must be one or more characters that end no line", span=options["DELIMITER"].span)
    quote = _value(options, "QUOTE") or '"'
    if len(quote) != 1 or ord(quote) > 127 or quote == delimiter:
        raise InvalidSql("COPY quote must be a single ASCII character that is not the delimiter", span=options["QUOTE"].span)
    quoting = Quoting.CSV if is_csv else Quoting.REMOVEQUOTES if "REMOVEQUOTES" in options else Quoting.NONE
    null_as = _value(options, "NULL")
    return TextShape(
        (delimiter or ("," if is_csv else "|")).encode(), quoting, quote.encode(), "ESCAPE" in options,
        (null_as if null_as is not None else "\\N").encode(),
    )  # fmt: skip


def _replacement(options: Mapping[str, Option]) -> str | None:
    if "ACCEPTINVCHARS" not in options:
        return None
    text = _value(options, "ACCEPTINVCHARS") or "?"
    if len(text) != 1 or not 32 < ord(text) < 127:
        raise InvalidSql("ACCEPTINVCHARS takes one ASCII character that is not NULL", sqlstate="22023", span=options["ACCEPTINVCHARS"].span)
    return text


def _values(options: Mapping[str, Option], found: FileFormat) -> ValueRules:
    formats = {}
    for name in ("DATEFORMAT", "TIMEFORMAT"):
        text = _value(options, name)
        if text is not None and text.lower() in {"auto", *({"epochsecs", "epochmillisecs"} if name == "TIMEFORMAT" else set())}:
            formats[name] = text.lower()
        elif text is not None:
            with at_option(options[name]):
                strptime_format(text)
            formats[name] = text
    null_as = _value(options, "NULL")
    return ValueRules(
        null_as=None if found is FileFormat.JSON else null_as if null_as is not None else "\\N",
        is_empty_null="EMPTYASNULL" in options,
        is_blank_null="BLANKSASNULL" in options,
        trims_blanks="TRIMBLANKS" in options,
        truncates="TRUNCATECOLUMNS" in options,
        rounds="ROUNDEC" in options,
        accepts_any_date="ACCEPTANYDATE" in options,
        date_format=formats.get("DATEFORMAT"),
        time_format=formats.get("TIMEFORMAT"),
    )


def _value(options: Mapping[str, Option], name: str) -> str | None:
    option = options.get(name)
    return option.value if option is not None else None


def _number(options: Mapping[str, Option], name: str, least: int, most: int) -> int | None:
    option = options.get(name)
    if option is None or option.value is None:
        return None
    if not option.value.isdigit() or not least <= int(option.value) <= most:
        raise InvalidSql(f"{name} must be between {least} and {most}", sqlstate="22023", span=option.span)
    return int(option.value)
