"""Positions and their stored text; the order of sequence numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearshift.streams.record import END, OLDEST, SequenceNumber, after, at_time, is_later, parse_position

NUMBERS = st.integers(min_value=0, max_value=10**128 - 1).map(str)


@given(NUMBERS)
def test_a_position_after_any_sequence_number_survives_its_text(number: str) -> None:
    assert parse_position(after(number).text()) == after(number)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_position_at_any_instant_survives_its_text_to_the_microsecond(instant: datetime) -> None:
    assert parse_position(at_time(instant).text()) == at_time(instant)


def test_the_other_positions_are_words() -> None:
    assert [parse_position(p.text()) for p in (OLDEST, END)] == [OLDEST, END]
    assert (OLDEST.text(), END.text(), after("42").text()) == ("TRIM_HORIZON", "END", "AFTER 42")
    zone = timezone(timedelta(hours=2))
    assert at_time(datetime(2026, 1, 1, 2, tzinfo=zone)).text() == "AT 2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("text", ["", "LATEST", "AFTER", "AFTER x1", "AFTER -1", "AT", "AT 2026-01-01T00:00:00", "END 1", "AFTER ١"])
def test_any_other_text_is_not_a_position(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_position(text)


@given(NUMBERS, NUMBERS)
def test_sequence_numbers_are_ordered_as_numbers(left: str, right: str) -> None:
    assert is_later(SequenceNumber(left), SequenceNumber(right)) == (int(left) > int(right))
