"""Values on their way in: what psycopg dumps is read as it was, and what is no value is refused."""

from __future__ import annotations

import struct
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Float4, Int2, Int4, Int8, Oid

from nearshift import types
from nearshift.errors import DataError, InvalidSql
from nearshift.types import Kind, decimal
from nearshift.wire.codec import declared_type, parameter_oid, read_parameter

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int2": st.integers(-(2**15), 2**15 - 1).map(Int2),
    "int4": st.integers(-(2**31), 2**31 - 1).map(Int4),
    "int8": st.integers(-(2**63), 2**63 - 1).map(Int8),
    "oid": st.integers(0, 2**32 - 1).map(Oid),
    "float8": st.floats(allow_nan=False),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False, places=7),
    "numeric-whole": st.integers(-(10**30), 10**30).map(Decimal),
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    "bytea": st.binary(),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": st.datetimes(),
    "timestamptz": st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]),
        min_value=datetime.fromisoformat("0002-01-01"),
        max_value=datetime.fromisoformat("9998-01-01"),
    ),
    "uuid": st.uuids(),
}


@pytest.mark.parametrize("form", [PyFormat.TEXT, PyFormat.BINARY], ids=["text", "binary"])
@pytest.mark.parametrize("name", VALUES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_psycopg_sends_is_read_as_it_was(name: str, form: PyFormat, data: st.DataObject) -> None:
    value = data.draw(VALUES[name])
    if name == "bytea" and form == PyFormat.TEXT:
        # libpq escapes for a literal where it has no connection; see the tests with a real one
        return
    dumper = Transformer().get_dumper(value, form)
    sent = dumper.dump(value)
    found = read_parameter(dumper.oid or 1043, int(form == PyFormat.BINARY), None if sent is None else bytes(sent), 1)
    wanted = str(value) if name == "uuid" else value
    assert found == wanted
    if name.startswith("numeric"):
        assert isinstance(found, Decimal)
        assert found.as_tuple()[1:] == value.as_tuple()[1:]


def test_reals_and_json() -> None:
    transformer = Transformer()
    real = transformer.get_dumper(Float4(1.5), PyFormat.BINARY)
    assert read_parameter(700, 1, bytes(real.dump(Float4(1.5)) or b""), 1) == 1.5
    document = transformer.get_dumper(Jsonb([1]), PyFormat.BINARY)
    assert read_parameter(3802, 1, bytes(document.dump(Jsonb([1])) or b""), 1) == "[1]"


@pytest.mark.parametrize(
    ("oid", "text", "value"),
    [
        (16, "t", True),
        (16, " YES ", True),
        (16, "off", False),
        (16, "0", False),
        (23, " -7 ", -7),
        (701, "NaN", "nan"),
        (701, "-Infinity", float("-inf")),
        (1700, "1e3", Decimal("1E+3")),
        (1700, "NaN", "NaN"),
        (1043, "", ""),
        (1082, "2024-02-29", date(2024, 2, 29)),
        (1082, "Feb 29 2024", "Feb 29 2024"),
        (1082, "infinity", "infinity"),
        (1114, "2024-01-02", datetime.fromisoformat("2024-01-02")),
        (1114, "2024-01-02T03:04", datetime.fromisoformat("2024-01-02T03:04")),
        (1114, "2024-01-02 03:04:05.5", datetime.fromisoformat("2024-01-02T03:04:05.500000")),
        (1114, "0044-03-15 00:00:00 BC", "0044-03-15 00:00:00 BC"),
        (1114, "2024-01-02 24:00:00", "2024-01-02 24:00:00"),
        (1184, "2024-01-02 03:04:05", "2024-01-02 03:04:05"),
        (1184, "2024-01-02 03:04:05 +0530", datetime.fromisoformat("2024-01-02T03:04:05+05:30")),
        (1184, "2024-01-02T03:04:05Z", datetime.fromisoformat("2024-01-02T03:04:05+00:00")),
        (1083, "24:00:00", "24:00:00"),
        (1083, "03:04", time(3, 4)),
        (1266, "03:04:05-08", time(3, 4, 5, tzinfo=timezone(timedelta(hours=-8)))),
        (1186, "3 days", "3 days"),
        (6551, "6162", b"ab"),
        (17, "\\x6162", b"ab"),
        (17, "a\\\\b\\001", b"a\\b\1"),
        (26, "4294967295", 2**32 - 1),
    ],
)
def test_texts_are_read_as_postgresql_reads_them(oid: int, text: str, value: object) -> None:
    found = read_parameter(oid, 0, text.encode(), 1)
    assert str(found) == value if value in {"nan", "NaN"} else found == value


@pytest.mark.parametrize(
    ("oid", "form", "data", "state"),
    [
        (16, 0, b"maybe", "22P02"),
        (23, 0, b"1_0", "22P02"),
        (23, 0, "\u0661".encode(), "22P02"),
        (23, 0, b"2147483648", "22003"),
        (21, 0, b"", "22P02"),
        (701, 0, b"1_0", "22P02"),
        (1700, 0, b"abc", "22P02"),
        (1082, 0, b"", "22P02"),
        (1082, 0, b"2024-02-30", "22P02"),
        (1114, 0, b"2024-01-02 25:00:00", "22P02"),
        (6551, 0, b"6", "22P02"),
        (17, 0, b"a\\9", "22P02"),
        (2950, 0, b"no", "22P02"),
        (1043, 0, b"\xff", "22021"),
        (1043, 0, b"a\0b", "22021"),
        (1043, 7, b"a", "22023"),
        (23, 1, b"\0", "22P03"),
        (20, 1, b"\0" * 4, "22P03"),
        (16, 1, b"", "22P03"),
        (1700, 1, b"\0", "22P03"),
        (1700, 1, b"\0\1\0\0\0\0\0\0\x27\x10", "22P03"),
        (1700, 1, b"\0\2\0\0\0\0\0\0\0\1", "22P03"),
        (1083, 1, struct.pack("!q", -1), "22P03"),
        (1114, 1, struct.pack("!q", 2**62), "22008"),
        (1082, 1, struct.pack("!i", 2**30), "22008"),
        (3802, 1, b"\2{}", "22P03"),
        (2950, 1, b"short", "22P03"),
        (1186, 1, b"short", "22P03"),
        (1043, 1, b"\xff", "22021"),
    ],
)
def test_what_is_no_value_is_refused_with_its_sqlstate(oid: int, form: int, data: bytes, state: str) -> None:
    with pytest.raises(DataError) as caught:
        read_parameter(oid, form, data, 1)
    assert caught.value.sqlstate == state


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([16, 17, 20, 21, 23, 26, 700, 701, 1043, 1082, 1083, 1114, 1184, 1186, 1188, 1190, 1266, 1700, 2950, 3802, 4000, 6551]),
    st.integers(0, 1),
    st.binary(max_size=24),
)
def test_no_bytes_raise_anything_else(oid: int, form: int, data: bytes) -> None:
    with suppress(DataError):
        read_parameter(oid, form, data, 1)


def test_special_binary_values() -> None:
    assert read_parameter(1114, 1, struct.pack("!q", 2**63 - 1), 1) == "infinity"
    assert read_parameter(1184, 1, struct.pack("!q", -(2**63)), 1) == "-infinity"
    assert read_parameter(1082, 1, struct.pack("!i", -(2**31)), 1) == "-infinity"
    assert read_parameter(1083, 1, struct.pack("!q", 86_400_000_000), 1) == "24:00:00"
    assert read_parameter(1266, 1, struct.pack("!qi", 0, 28800), 1) == time(tzinfo=timezone(timedelta(hours=-8)))
    assert str(read_parameter(1700, 1, struct.pack("!HhHH", 0, 0, 0xC000, 0), 1)) == "NaN"
    assert read_parameter(23, 1, None, 1) is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (struct.pack("!qii", 3_600_000_000, 2, 14), "1 year 2 mons 2 days 01:00:00"),
        (struct.pack("!qi", 90_000_000_000, 1), "1 mon 25:00:00"),
    ],
)
def test_intervals_come_as_text_from_sixteen_bytes_or_redshifts_twelve(data: bytes, text: str) -> None:
    assert read_parameter(1186, 1, data, 1) == text


def test_types_that_clients_declare() -> None:
    assert declared_type(0) is None
    assert declared_type(705) is None
    assert declared_type(25) == types.VARCHAR
    assert declared_type(23) == types.INTEGER
    for kind in Kind:
        if kind not in {Kind.UNKNOWN}:
            oid = types.SqlType(kind).oid
            found = declared_type(oid)
            assert found is not None
            assert parameter_oid(oid, types.VARCHAR) == oid
    with pytest.raises(InvalidSql) as caught:
        declared_type(1007)
    assert caught.value.sqlstate == "42704"


def test_an_open_type_is_described_as_the_inferred_one() -> None:
    assert parameter_oid(0, types.INTEGER) == 23
    assert parameter_oid(705, decimal(5, 2)) == 1700
    assert parameter_oid(0, types.UNKNOWN) == 1043
    assert parameter_oid(17, types.VARBYTE) == 17
