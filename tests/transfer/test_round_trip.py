"""UNLOAD then COPY gives the same rows: every type, every format, any value."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.transfer.conftest import Place

# Format and options of UNLOAD, then of COPY. The null string is one that the values never are.
ROADS = {
    "escaped text": ("ESCAPE NULL AS '@null@'", "ESCAPE NULL AS '@null@'"),
    "quoted text": ("ADDQUOTES ESCAPE NULL AS '@null@' DELIMITER ','", "REMOVEQUOTES ESCAPE NULL AS '@null@' DELIMITER ','"),
    "csv": ("CSV NULL AS '@null@'", "CSV NULL AS '@null@'"),
    "csv with semicolons, gzip": (
        "CSV DELIMITER ';' NULL AS '@null@' GZIP HEADER",
        "CSV DELIMITER ';' NULL AS '@null@' GZIP IGNOREHEADER 1",
    ),
    "json": ("JSON ZSTD", "JSON 'auto' ZSTD"),
    "parquet": ("PARQUET", "PARQUET"),
}
TABLE = """CREATE TABLE {name} (k int, i2 smallint, i8 bigint, n decimal(20,4), p decimal(5,5), r real, f double precision, b boolean,
    c char(8), v varchar(60), d date, ti time, tz timetz, ts timestamp, tt timestamptz, s super, y varbyte(20))"""
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=15)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b c", "é", 'q"']), inner, max_size=3),
    max_leaves=5,
)


# Shrinking runs hundreds of loads; the failing rows are short as they are.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


ROWS = st.lists(
    st.tuples(
        _maybe(st.integers(-(2**15), 2**15 - 1)),
        _maybe(st.integers(-(2**63), 2**63 - 1)),
        _maybe(st.decimals(-(10**15), 10**15, places=4)),
        _maybe(st.decimals(decimal.Decimal("-0.99999"), decimal.Decimal("0.99999"), places=5)),
        _maybe(st.floats(width=32, allow_nan=False)),
        _maybe(st.floats(allow_nan=False)),
        _maybe(st.booleans()),
        _maybe(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)),
        _maybe(_TEXT),
        _maybe(st.dates(dt.date(1, 1, 1))),
        _maybe(st.times()),
        _maybe(st.times()),
        _maybe(st.datetimes()),
        _maybe(st.datetimes()),
        _maybe(_JSON.filter(lambda value: value is not None)),
        _maybe(st.binary(min_size=1, max_size=20)),  # an empty field of any type but strings is NULL
    ),
    max_size=6,
)


def _fill(place: Place, rows: list[tuple[Any, ...]]) -> None:
    for number, row in enumerate(rows):
        *plain, document, binary = row
        texts: list[Any] = [None if one is None else str(one).lower() if isinstance(one, bool) else one for one in plain]
        texts[11] = None if texts[11] is None else f"{texts[11].isoformat()}+02:00"
        texts[13] = None if texts[13] is None else f"{texts[13].isoformat(' ')}+00:00"
        values = [number, *(one if one is None else str(one) for one in texts)]
        values += [None if document is None else json.dumps(document, ensure_ascii=False), None if binary is None else binary.hex()]
        casts = (
            "$1::int, $2::smallint, $3::bigint, $4::decimal(20,4), $5::decimal(5,5), $6::real, $7::double precision, $8::boolean,"
            " $9::char(8), $10::varchar(60), $11::date, $12::time, $13::timetz, $14::timestamp, $15::timestamptz, json_parse($16::varchar),"
            " to_varbyte($17::varchar, 'hex')"
        )
        place.session.execute(f"INSERT INTO t SELECT {casts}", values)


@pytest.mark.parametrize("road", list(ROADS))
@settings(max_examples=5, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_what_goes_out_comes_in_again(place: Place, road: str, rows: list[tuple[Any, ...]]) -> None:
    out, back = ROADS[road]
    shutil.rmtree(place.folder / "x", ignore_errors=True)
    place.rows("DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS u")
    place.rows(TABLE.format(name="t") + ";" + TABLE.format(name="u"))
    _fill(place, rows)
    place.rows(f"UNLOAD ('SELECT * FROM t') TO 'file://x/' {out} MANIFEST")
    if rows:
        place.rows(f"COPY u FROM 'file://x/manifest' MANIFEST {back}")
    text = "SELECT *, json_serialize(s) AS j, from_varbyte(y, 'hex') AS h FROM {} ORDER BY k"
    assert place.rows(text.format("u")) == place.rows(text.format("t"))
