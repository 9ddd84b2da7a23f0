"""COPY and UNLOAD: where, and a mapping of options whose shapes stand in two tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from nearshift.errors import NotSupported, Span
from nearshift.sql.lexer import TokenKind, string_value
from nearshift.sql.parse_reader import Reader
from nearshift.sql.statements import Copy, Fragment, Name, Option, Unload

_Put = Callable[[str, str | None, Span], None]
# In strings that name characters of a file: \\N is a null string of its own, the rest are characters ("Data format parameters").
_CONTROL = re.compile(r"\\(N|[0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)|''", re.DOTALL)
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "N": "\\N"}


class _Shape(Enum):
    """What follows the name of an option; AS may stand before any value."""

    ALONE = "nothing"
    STRING = "a string"
    CHARACTERS = "a string that names characters of a file"
    MAYBE_STRING = "a string or nothing"
    NUMBER = "a number"
    SIZE = "a number and MB or GB"
    SWITCH = "ON, OFF, TRUE, FALSE, PRESET or nothing"
    WORD = "a word or a string"
    MAYBE_VERBOSE = "VERBOSE or nothing"
    MAYBE_AUTO = "AUTO or nothing"


def _shapes(table: Mapping[_Shape, str]) -> dict[str, _Shape]:
    return {word: shape for shape, words in table.items() for word in words.split()}


# The clauses of "COPY" and its parameter pages, by what follows them.
_COPY: Final = _shapes(
    {
        _Shape.ALONE: (
            "GZIP LZOP BZIP2 ZSTD MANIFEST SSH ESCAPE REMOVEQUOTES FILLRECORD IGNOREBLANKLINES ACCEPTANYDATE BLANKSASNULL EMPTYASNULL "
            "EXPLICIT_IDS IGNOREALLERRORS NOLOAD ROUNDEC TRIMBLANKS TRUNCATECOLUMNS ENCRYPTED SERIALIZETOJSON"
        ),
        _Shape.CHARACTERS: "DELIMITER QUOTE NULL",
        _Shape.STRING: (
            "DATEFORMAT TIMEFORMAT REGION ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN TOKEN MASTER_SYMMETRIC_KEY CREDENTIALS FIXEDWIDTH"
        ),
        _Shape.MAYBE_STRING: "ACCEPTINVCHARS",
        _Shape.NUMBER: "READRATIO COMPROWS IGNOREHEADER MAXERROR",
        _Shape.SWITCH: "STATUPDATE COMPUPDATE",
        _Shape.WORD: "ENCODING",
    }
)
_UNLOAD: Final = _shapes(
    {
        _Shape.ALONE: "HEADER BZIP2 GZIP ZSTD ADDQUOTES ESCAPE ALLOWOVERWRITE CLEANPATH",
        _Shape.CHARACTERS: "DELIMITER NULL",
        _Shape.STRING: (
            "REGION ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN TOKEN MASTER_SYMMETRIC_KEY CREDENTIALS FIXEDWIDTH EXTENSION KMS_KEY_ID"
        ),
        _Shape.SWITCH: "PARALLEL",
        _Shape.SIZE: "MAXFILESIZE ROWGROUPSIZE",
        _Shape.MAYBE_VERBOSE: "MANIFEST",
        _Shape.MAYBE_AUTO: "ENCRYPTED",
    }
)
_COPY_FORMATS: Final = ("CSV", "DELIMITER", "FIXEDWIDTH", "SHAPEFILE", "AVRO", "JSON", "PARQUET", "ORC", "RCFILE", "SEQUENCEFILE")
_COPY_BARE_FORMATS: Final = ("CSV", "AVRO", "JSON", "PARQUET", "ORC")
_UNLOAD_FORMATS: Final = ("CSV", "PARQUET", "JSON", "TEXT")
_UNLOAD_BARE_FORMATS: Final = ("CSV", "PARQUET", "JSON")


def copy(reader: Reader) -> Copy:
    """Read what follows COPY ("COPY"). Raises NotSupported for COPY JOB."""
    if reader.at("JOB"):
        raise NotSupported("COPY JOB is not supported", span=reader.token.span, hint="Schedule a COPY statement.")
    table = reader.qualified()
    columns: tuple[Name, ...] = reader.parenthesised(reader.name) if reader.at("(") else ()
    reader.expect("FROM")
    source = _location(reader)
    options = _read_options(reader, _COPY, _COPY_FORMATS, _COPY_BARE_FORMATS)
    return Copy(table, columns, source, options)


def unload(reader: Reader) -> Unload:
    """Read what follows UNLOAD ("UNLOAD")."""
    reader.expect("(")
    query = _location(reader)
    reader.expect(")")
    reader.expect("TO")
    destination = _location(reader)
    return Unload(query, destination, _read_options(reader, _UNLOAD, _UNLOAD_FORMATS, _UNLOAD_BARE_FORMATS))


def _location(reader: Reader) -> Fragment:
    token = reader.token
    edge = token.text.index("$", 1) + 1 if token.kind is TokenKind.DOLLAR else token.text.find("'") + 1
    return Fragment(reader.string(), Span(token.start + edge, max(token.end - max(edge, 1), token.start + edge)))


def _read_options(
    reader: Reader, shapes: Mapping[str, _Shape], formats: tuple[str, ...], bare_formats: tuple[str, ...]
) -> Mapping[str, Option]:
    found: dict[str, Option] = {}

    def put(name: str, value: str | None, span: Span) -> None:
        if name in found:
            reader.fail(reader.previous, hint=f"Give {name} once.")
        found[name] = Option(value, span)

    while reader.token.kind is not TokenKind.END:
        reader.take("WITH")
        token = reader.token
        if token.key == "IAM_ROLE":
            reader.advance()
            put("IAM_ROLE", "default" if reader.take("DEFAULT") else reader.string(), token.span)
        elif token.key == "FORMAT" or (token.key in bare_formats):
            if reader.take("FORMAT"):
                reader.take("AS")
            word = reader.expect(*formats)
            if word.key == "SHAPEFILE":
                raise NotSupported("COPY of shapefiles is not supported", span=word.span, detail="Spatial types are not kept by nearshift.")
            put("FORMAT", word.key, word.span)
            _format_value(reader, word.key, put)
        elif token.key == "JOB":
            raise NotSupported("COPY JOB is not supported", span=token.span, hint="Schedule a COPY statement.")
        elif token.key == "PARTITION" and "PARALLEL" in shapes:
            put("PARTITION BY", _partition(reader), token.span)
            if reader.take("INCLUDE"):
                put("INCLUDE", None, reader.previous.span)
        elif token.key in shapes:
            reader.advance()
            put(token.key, _option_value(reader, shapes[token.key]), token.span)
        else:
            reader.fail()
    return MappingProxyType(found)


def _format_value(reader: Reader, word: str, put: _Put) -> None:
    """Read the argument that some formats take: JSON 'auto', AVRO 'auto', FIXEDWIDTH 'a:1', DELIMITER ','."""
    has_as = reader.take("AS") is not None
    if reader.at_string():
        start = reader.token
        put(word, _characters(reader) if word == "DELIMITER" else string_value(reader.advance()), start.span)
    elif has_as or word in ("FIXEDWIDTH",):
        reader.fail()


def _partition(reader: Reader) -> str:
    reader.expect_words("PARTITION", "BY")
    names = reader.parenthesised(reader.name)
    return ",".join(name.text for name in names)


def _option_value(reader: Reader, shape: _Shape) -> str | None:
    if shape is _Shape.ALONE:
        return None
    has_as = reader.take("AS") is not None
    match shape:
        case _Shape.STRING:
            return reader.string()
        case _Shape.CHARACTERS:
            return _characters(reader)
        case _Shape.MAYBE_STRING:
            return reader.string() if has_as or reader.at_string() else None
        case _Shape.NUMBER:
            return str(reader.integer())
        case _Shape.SIZE:
            return _size(reader)
        case _Shape.SWITCH:
            word = reader.take("ON", "OFF", "TRUE", "FALSE", "PRESET")
            return {"TRUE": "ON", "FALSE": "OFF"}.get(word.key, word.key) if word else "ON"
        case _Shape.WORD:
            return reader.string() if reader.at_string() else reader.any_name().text
        case _Shape.MAYBE_VERBOSE:
            return "VERBOSE" if reader.take("VERBOSE") else None
    return "AUTO" if reader.take("AUTO") else None


def _characters(reader: Reader) -> str:
    if reader.token.kind is not TokenKind.STRING:
        return reader.string()
    token = reader.advance()
    return _CONTROL.sub(_character, token.text[token.text.index("'") + 1 : -1])


def _character(match: re.Match[str]) -> str:
    found = match[1]
    if found is None:
        return "'"
    if found[0] in "01234567":
        return chr(int(found, 8) & 0xFF)
    if found[0] == "x" and len(found) > 1:
        return chr(int(found[1:], 16))
    return _LETTERS.get(found, found)


def _size(reader: Reader) -> str:
    token = reader.token
    if token.kind is not TokenKind.NUMBER:
        reader.fail()
    reader.advance()
    unit = reader.take("MB", "GB")
    return f"{token.text} {unit.key if unit else 'MB'}"
