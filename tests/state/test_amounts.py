"""Amounts, instants and dates as they are stored."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.amounts import from_micros, instant_of, instant_text, session_of, to_micros
from state.errors import InexactAmount


@given(st.integers(-(2**62), 2**62))
def test_micros_come_back_as_they_were(micros):
    assert to_micros(from_micros(micros)) == micros


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6))
def test_amounts_of_six_decimals_come_back_as_they_were(amount):
    assert from_micros(to_micros(amount)) == amount


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0.00"),
        (1_100_000, "1.10"),
        (-1_150_000, "-1.15"),
        (1, "0.000001"),
        (12_500, "0.0125"),
        (10_000_000_000_000, "10000000.00"),
        (-5, "-0.000005"),
    ],
)
def test_amounts_are_spelt_with_two_decimals_or_as_many_as_they_need(micros, text):
    assert str(from_micros(micros)) == text


@pytest.mark.parametrize("amount", ["0.0000001", "1.2345678", "NaN", "Infinity"])
def test_an_amount_that_micros_cannot_hold_is_refused_and_never_rounded(amount):
    with pytest.raises(InexactAmount, match="millionths"):
        to_micros(Decimal(amount))


INSTANTS = st.integers(0, 120 * 365 * 86_400 * 10**6).map(
    lambda micros: datetime(1980, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)


@given(INSTANTS, st.integers(-12, 12).map(lambda hours: timezone(timedelta(hours=hours))))
def test_instants_come_back_to_the_microsecond_whatever_their_zone(instant, zone):
    at = instant.astimezone(zone)
    assert instant_of(instant_text(at)) == at


@given(st.lists(INSTANTS, max_size=5))
def test_stored_instants_sort_as_instants_do(instants):
    assert sorted(map(instant_text, instants)) == [instant_text(at) for at in sorted(instants)]


def test_an_instant_without_a_zone_is_a_mistake_of_ours():
    with pytest.raises(AssertionError, match="no zone"):
        instant_text(datetime(2020, 3, 16, 14))  # noqa: DTZ001 that is the point


def test_the_session_is_the_date_in_new_york():
    assert session_of(datetime(2020, 3, 17, 3, 59, tzinfo=UTC)) == date(2020, 3, 16)
    assert session_of(datetime(2020, 3, 17, 4, 0, tzinfo=UTC)) == date(2020, 3, 17)
