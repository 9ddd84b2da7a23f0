"""Columns on their way out: every type in both formats, read back by psycopg's own loaders, and the texts that PostgreSQL prints."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import pq
from psycopg.adapt import Transformer

from nearshift import limits, types
from nearshift.errors import DataError, InternalError
from nearshift.sql.relations import Column
from nearshift.types import SqlType, decimal
from nearshift.wire.encode_arrow import RowEncoder
from nearshift.wire.encode_binary import BinaryForms

MICROS_MAX = 253_402_300_799_999_999
MICROS_MIN = -62_135_596_800_000_000


def parse_rows(stream: bytes) -> list[list[bytes | None]]:
    """Read DataRow messages, checking every length."""
    rows, at = [], 0
    while at < len(stream):
        assert stream[at : at + 1] == b"D"
        size, columns = struct.unpack_from("!iH", stream, at + 1)
        end, at = at + 1 + size, at + 7
        row: list[bytes | None] = []
        for _ in range(columns):
            (length,) = struct.unpack_from("!i", stream, at)
            at += 4
            row.append(None if length == -1 else stream[at : at + length])
            at += max(length, 0)
        assert at == end
        rows.append(row)
    return rows


def encode(column: pa.Array, kind: SqlType, form: int, zone: str = "UTC", forms: BinaryForms | None = None) -> list[bytes | None]:
    encoder = RowEncoder([Column("c", kind)], [form], zone, forms or BinaryForms())
    batch = pa.RecordBatch.from_arrays([column], ["c"])
    return [row[0] for piece in encoder.encode(batch) for row in parse_rows(bytes(piece))]


def texts(column: pa.Array, kind: SqlType, zone: str = "UTC") -> list[str | None]:
    return [None if value is None else value.decode() for value in encode(column, kind, 0, zone)]


def nineteen_places(unscaled: int) -> Decimal:
    return Decimal(unscaled).scaleb(-19)


CASES: dict[str, tuple[SqlType, pa.DataType, st.SearchStrategy[Any]]] = {
    "boolean": (types.BOOLEAN, pa.bool_(), st.booleans()),
    "smallint": (types.SMALLINT, pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "integer": (types.INTEGER, pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "bigint": (types.BIGINT, pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "oid": (types.OID, pa.int64(), st.integers(0, 2**32 - 1)),
    "real": (types.REAL, pa.float32(), st.floats(width=32, allow_nan=False)),
    "double": (types.DOUBLE, pa.float64(), st.floats(allow_nan=False)),
    "numeric(18,4)": (decimal(18, 4), pa.decimal128(18, 4), st.decimals(-(10**14) + 1, 10**14 - 1, places=4)),
    "numeric(38,10)": (decimal(38, 10), pa.decimal128(38, 10), st.decimals(-(10**28) + 1, 10**28 - 1, places=10)),
    "numeric(38,0)": (decimal(38, 0), pa.decimal128(38, 0), st.integers(-(10**38) + 1, 10**38 - 1).map(Decimal)),
    "numeric(20,19)": (decimal(20, 19), pa.decimal128(20, 19), st.integers(-(10**20) + 1, 10**20 - 1).map(nineteen_places)),
    "varchar": (types.VARCHAR, pa.string(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    "super": (types.SUPER, pa.string(), st.sampled_from(['{"a":1}', "[1,2]", "null", '"ä"'])),
    "date": (types.DATE, pa.date32(), st.dates()),
    "time": (types.TIME, pa.time64("us"), st.times()),
    "timestamp": (types.TIMESTAMP, pa.timestamp("us"), st.datetimes()),
    "timestamptz": (types.TIMESTAMPTZ, pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    "varbyte": (types.VARBYTE, pa.binary(), st.binary()),
}  # fmt: skip


@pytest.mark.parametrize("form", [0, 1], ids=["text", "binary"])
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_values_read_back_as_they_were_by_psycopg(name: str, form: int, data: st.DataObject) -> None:
    kind, arrow, strategy = CASES[name]
    values = data.draw(st.lists(st.none() | strategy, min_size=1, max_size=20))
    skipped = data.draw(st.integers(0, len(values) - 1))
    # a slice, since its buffers begin before its first value
    column = pa.array(values, arrow).slice(skipped)
    loader = Transformer().get_loader(kind.oid, pq.Format(form))
    found = [None if value is None else loader.load(value) for value in encode(column, kind, form)]
    wanted = values[skipped:]
    if kind == types.VARBYTE and form == 0:
        wanted = [None if value is None else value.hex() for value in wanted]
    if kind == types.REAL:
        # the shortest digits of a REAL, read as a double, as by every client of PostgreSQL
        found = [None if value is None else float(np.float32(value)) for value in found]
    if kind in {types.SUPER, types.VARBYTE} and form == 1:
        wanted = [value.encode() if isinstance(value, str) else value for value in wanted]
    assert found == wanted
    assert [str(a) for a in found if isinstance(a, Decimal)] == [str(b) for b in wanted if isinstance(b, Decimal)]


@pytest.mark.parametrize(
    ("value", "double", "real"),
    [
        (0.0, "0", "0"), (-0.0, "-0", "-0"), (1.0, "1", "1"), (0.1, "0.1", "0.1"), (1e-4, "0.0001", "0.0001"), (1e-5, "1e-05", "1e-05"),
        (1.25e-7, "1.25e-07", "1.25e-07"), (1e5, "100000", "100000"), (1e6, "1000000", "1e+06"), (1.5e6, "1500000", "1.5e+06"),
        (2.5e10, "25000000000", "2.5e+10"), (1e15, "1e+15", None), (123456789012345.6, "123456789012345.6", None),
        (1e17, "1e+17", None), (1e300, "1e+300", None), (5e-324, "5e-324", None), (float("nan"), "NaN", "NaN"),
        (float("inf"), "Infinity", "Infinity"), (float("-inf"), "-Infinity", "-Infinity"), (-76370099513.14894, "-76370099513.14894", None),
    ],
)  # fmt: skip
def test_floats_are_laid_out_as_postgresql_does(value: float, double: str, real: str | None) -> None:
    assert texts(pa.array([value, None], pa.float64(), from_pandas=False), types.DOUBLE) == [double, None]
    if real is not None:
        assert texts(pa.array([value, None], pa.float32(), from_pandas=False), types.REAL) == [real, None]


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_read_back_exactly_and_begin_exponents_where_postgresql_does(value: float) -> None:
    (text,) = texts(pa.array([value]), types.DOUBLE)
    assert text is not None
    assert float(text) == value
    assert ("e" in text) == (value != 0 and not 1e-4 <= abs(value) < 1e15)


def test_small_numerics_are_never_shown_with_an_exponent() -> None:
    column = pa.array([Decimal("0.0000001"), Decimal("-0.0000001"), Decimal("0E-37"), None], pa.decimal128(38, 37))
    zeros = "0" * 30
    assert texts(column, decimal(38, 37)) == [f"0.0000001{zeros}", f"-0.0000001{zeros}", f"0.{'0' * 37}", None]


def test_numeric_groups_are_those_of_postgresql() -> None:
    # numeric_send of PostgreSQL 15 for the same values
    column = pa.array([Decimal("12.50"), Decimal("-10000.00"), Decimal("0.00"), Decimal("1234567.89"), None], pa.decimal128(12, 2))
    assert encode(column, decimal(12, 2), 1) == [
        bytes.fromhex("0002 0000 0000 0002 000c 1388"), bytes.fromhex("0001 0001 4000 0002 0001"), bytes.fromhex("0000 0000 0000 0002"),
        bytes.fromhex("0003 0001 0000 0002 007b 11d7 22c4"), None,
    ]  # fmt: skip


def test_redshift_drivers_get_numerics_as_scaled_integers() -> None:
    forms = BinaryForms(has_scaled_numeric=True)
    assert encode(pa.array([Decimal("-1.25"), None], pa.decimal128(18, 2)), decimal(18, 2), 1, forms=forms) == [
        (-125).to_bytes(8, "big", signed=True),
        None,
    ]
    large = Decimal("-12345678901234567890.5")
    assert encode(pa.array([large], pa.decimal128(38, 1)), decimal(38, 1), 1, forms=forms) == [
        int(large * 10).to_bytes(16, "big", signed=True)
    ]


@pytest.mark.parametrize(
    ("days", "text"),
    [(0, "1970-01-01"), (-719_162, "0001-01-01"), (-719_163, "0001-12-31 BC"), (-735_160, "0044-03-15 BC"), (2_932_896, "9999-12-31"),
     (2_932_897, "10000-01-01"), (2**31 - 1, "infinity"), (-(2**31) + 1, "-infinity")],
)  # fmt: skip
def test_dates_of_any_age_are_shown_as_postgresql_does(days: int, text: str) -> None:
    column = pa.array([days, None, 0], pa.int32()).view(pa.date32())
    assert texts(column, types.DATE) == [text, None, "1970-01-01"]


def test_binary_infinities_are_postgresqls() -> None:
    dates = pa.array([2**31 - 1, -(2**31) + 1], pa.int32()).view(pa.date32())
    assert encode(dates, types.DATE, 1) == [struct.pack("!i", 2**31 - 1), struct.pack("!i", -(2**31))]
    instants = pa.array([2**63 - 1, -(2**63) + 1], pa.int64()).view(pa.timestamp("us"))
    assert encode(instants, types.TIMESTAMP, 1) == [struct.pack("!q", 2**63 - 1), struct.pack("!q", -(2**63))]
    assert texts(instants, types.TIMESTAMP) == ["infinity", "-infinity"]


def test_timestamps_lose_needless_zeros_only() -> None:
    micros = [0, 500_000, 1, 10_000_000, -1, MICROS_MAX, MICROS_MIN, MICROS_MAX + 1, MICROS_MIN - 1]
    column = pa.array(micros, pa.int64()).view(pa.timestamp("us"))
    assert texts(column, types.TIMESTAMP) == [
        "1970-01-01 00:00:00", "1970-01-01 00:00:00.5", "1970-01-01 00:00:00.000001", "1970-01-01 00:00:10", "1969-12-31 23:59:59.999999",
        "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00", "10000-01-01 00:00:00", "0001-12-31 23:59:59.999999 BC",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "instant", "text"),
    [
        ("UTC", "2024-07-01T12:00:00", "2024-07-01 12:00:00+00"), ("America/New_York", "2024-07-01T12:00:00", "2024-07-01 08:00:00-04"),
        ("America/New_York", "2024-01-01T12:00:00.25", "2024-01-01 07:00:00.25-05"),
        ("Asia/Kolkata", "2024-01-01T12:00:00", "2024-01-01 17:30:00+05:30"),
        ("Europe/Berlin", "1890-01-01T00:00:00", "1890-01-01 00:53:28+00:53:28"),
        # beyond the transitions that zone files list
        ("Europe/Berlin", "2445-07-01T12:00:00", "2445-07-01 14:00:00+02"),
        ("Europe/Berlin", "2445-01-01T12:00:00", "2445-01-01 13:00:00+01"),
        ("Australia/Lord_Howe", "9583-06-09T00:00:00", "9583-06-09 10:30:00+10:30"),
        ("+05:30", "2445-07-01T12:00:00", "2445-07-01 17:30:00+05:30"),
    ],
)  # fmt: skip
def test_instants_are_shown_in_the_zone_of_the_session(zone: str, instant: str, text: str) -> None:
    column = pa.array([None, datetime.fromisoformat(instant).replace(tzinfo=UTC)], pa.timestamp("us", "UTC"))
    assert texts(column, types.TIMESTAMPTZ, zone) == [None, text]
    assert texts(column.slice(1), types.TIMESTAMPTZ, zone) == [text]


def test_instants_that_no_zone_has_rules_for_are_shown_in_utc() -> None:
    column = pa.array([MICROS_MAX + 1, 2**63 - 1], pa.int64()).view(pa.timestamp("us", "UTC"))
    assert texts(column, types.TIMESTAMPTZ, "Europe/Berlin") == ["10000-01-01 00:00:00+00", "infinity"]


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(DataError, match="time zone"):
        texts(pa.array([datetime.now(UTC)], pa.timestamp("us", "UTC")), types.TIMESTAMPTZ, "Mars/Olympus")


def test_the_end_of_the_day_is_a_time() -> None:
    column = pa.array([0, 86_400_000_000, None, 3_600_500_000], pa.int64()).view(pa.time64("us"))
    assert texts(column, types.TIME) == ["00:00:00", "24:00:00", None, "01:00:00.5"]
    assert texts(column, types.TIMETZ) == ["00:00:00+00", "24:00:00+00", None, "01:00:00.5+00"]
    assert encode(column, types.TIMETZ, 1)[1] == struct.pack("!qi", 86_400_000_000, 0)


@pytest.mark.parametrize(
    ("parts", "text"),
    [((0, 0, 0), "00:00:00"), ((1, 0, 0), "1 mon"), ((14, 3, 14_706_700_000), "1 year 2 mons 3 days 04:05:06.7"), ((-1, 0, 0), "-1 mons"),
     ((-1, 2, 0), "-1 mons +2 days"), ((0, -1, 1_000_000), "-1 days +00:00:01"), ((0, 0, -1), "-00:00:00.000001"),
     ((-13, 0, 0), "-1 years -1 mons")],
)  # fmt: skip
def test_intervals_are_shown_in_postgresqls_style(parts: tuple[int, int, int], text: str) -> None:
    months, days, micros = parts
    column = pa.array([pa.MonthDayNano([months, days, micros * 1000]), None], pa.month_day_nano_interval())
    assert texts(column, types.INTERVAL) == [text, None]
    assert encode(column, types.INTERVAL, 1) == [struct.pack("!qii", micros, days, months), None]
    short = encode(column, types.INTERVAL, 1, forms=BinaryForms(has_short_interval=True))
    assert short == [struct.pack("!qi", micros + days * 86_400_000_000, months), None]


def test_times_with_an_offset_come_as_text() -> None:
    column = pa.array(["12:30:00.5+05:30", None, "00:00:00-08"])
    assert texts(column, types.TIMETZ) == ["12:30:00.5+05:30", None, "00:00:00-08"]
    assert encode(column, types.TIMETZ, 1) == [struct.pack("!qi", 45_000_500_000, -19_800), None, struct.pack("!qi", 0, 28_800)]


def test_lists_of_catalog_queries_are_shown_as_arrays() -> None:
    column = pa.array([[1, None, 2], [], None], pa.list_(pa.int32()))
    assert texts(column, types.VARCHAR) == ["{1,NULL,2}", "{}", None]
    words = pa.array([["a", "b c", 'd"e', "NULL", ""]], pa.list_(pa.string()))
    assert texts(words, types.VARCHAR) == ['{a,"b c","d\\"e","NULL",""}']


@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("kind", [kind for kind, _, _ in CASES.values()] + [types.UNKNOWN, types.TIMETZ, types.INTERVAL], ids=str)
def test_a_column_of_nothing_but_null_is_sent_whatever_its_type(kind: SqlType, form: int) -> None:
    assert encode(pa.nulls(3), kind, form) == [None, None, None]


def test_wider_and_narrower_arrow_types_are_brought_to_the_described_one() -> None:
    assert encode(pa.array([1], pa.uint8()), types.SMALLINT, 1) == [b"\0\1"]
    assert texts(pa.array([Decimal("1.5")], pa.decimal128(4, 1)), decimal(18, 3)) == ["1.500"]
    assert texts(pa.array(["a", None]).dictionary_encode(), types.VARCHAR) == ["a", None]
    with pytest.raises(InternalError, match='column "c" of type integer'):
        encode(pa.array(["x"]), types.INTEGER, 1)


@pytest.mark.parametrize("formats", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 0, 1), (1, 0, 1, 0)])
def test_columns_stand_side_by_side_in_any_mixture(formats: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    rows = 500
    ints = [None if gap else int(n) for n, gap in zip(rng.integers(-9, 9, rows), rng.random(rows) < 0.2, strict=True)]
    words = [None if gap else "ä" * int(n) for n, gap in zip(rng.integers(0, 9, rows), rng.random(rows) < 0.2, strict=True)]
    arrays = [pa.array(ints, pa.int32()), pa.array(words), pa.array([True] * rows), pa.array(range(rows), pa.int64())]
    batch = pa.RecordBatch.from_arrays(arrays, list("abcd"))
    columns = [Column("a", types.INTEGER), Column("b", types.VARCHAR), Column("c", types.BOOLEAN), Column("d", types.BIGINT)]
    found = [row for piece in RowEncoder(columns, formats, "UTC").encode(batch) for row in parse_rows(bytes(piece))]
    transformer = Transformer()
    loaders = [transformer.get_loader(column.type.oid, pq.Format(form)) for column, form in zip(columns, formats, strict=True)]
    values = [tuple(None if v is None else ld.load(v) for v, ld in zip(row, loaders, strict=True)) for row in found]
    assert values == list(zip(ints, words, [True] * rows, range(rows), strict=True))


def test_rows_without_columns_are_rows() -> None:
    batch = pa.RecordBatch.from_struct_array(pa.array([{}, {}], pa.struct([])))
    pieces = list(RowEncoder([], [], "UTC").encode(batch))
    assert b"".join(bytes(piece) for piece in pieces) == b"D\0\0\0\6\0\0" * batch.num_rows


def test_a_batch_of_long_values_is_sent_in_pieces_of_bounded_size() -> None:
    word = "x" * limits.MIB
    batch = pa.RecordBatch.from_arrays([pa.array([word] * 20)], ["c"])
    pieces = [bytes(piece) for piece in RowEncoder([Column("c", types.VARCHAR)], [0], "UTC").encode(batch)]
    assert len(pieces) > 1
    assert max(len(piece) for piece in pieces) <= 2 * limits.WIRE_ENCODE_BYTES_MAX
    assert [row for piece in pieces for row in parse_rows(piece)] == [[word.encode()]] * 20


def test_a_batch_of_other_columns_than_described_is_a_fault() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1])], ["c"])
    with pytest.raises(InternalError):
        list(RowEncoder([], [], "UTC").encode(batch))


def test_psycopg_reads_intervals_as_it_reads_postgresqls() -> None:
    loader = Transformer().get_loader(types.INTERVAL.oid, pq.Format.TEXT)
    column = pa.array([pa.MonthDayNano([0, 3, 4_500_000_000])], pa.month_day_nano_interval())
    (value,) = encode(column, types.INTERVAL, 0)
    assert value is not None
    assert loader.load(value) == timedelta(days=3, seconds=4.5)
