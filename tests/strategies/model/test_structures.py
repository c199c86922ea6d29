"""Which legs are a condor, of any ratio and with longs of any later expiry, and its worst."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.book import CondorLegs
from strategies.model.instruments import Right
from strategies.model.structures import (
    after_roll,
    as_condor,
    option_positions,
    reversed_legs,
)
from strategies.pricing import black76
from tests.builders import book, condor_legs, condor_position, hedge_position, leg

PLAIN = condor_legs("SPXW 20MAR20 3040/3050/3405/3415")


def later(legs: CondorLegs, days: int, *names: str) -> CondorLegs:
    """Return the legs with some of them expiring later."""
    moved = {
        name: replace(each, expiry=each.expiry + timedelta(days=days))
        for name in names
        if (each := getattr(legs, name))
    }
    return replace(legs, **moved)


LONGS = ("long_put", "long_call")
KINDS = {
    "plain": PLAIN,
    "2:1": replace(PLAIN, long_ratio=2),
    "3:2": replace(PLAIN, long_ratio=3, short_ratio=2),
    "diagonal": later(PLAIN, 14, *LONGS),
    "diagonal on one side": later(PLAIN, 14, "long_call"),
    "puts rolled out": later(PLAIN, 28, "long_put", "short_put"),
    "puts rolled out, calls diagonal": later(PLAIN, 28, "long_put", "short_put", "long_call"),
    "2:1 and diagonal": later(replace(PLAIN, long_ratio=2), 14, *LONGS),
    "AM-settled": condor_legs("SPX 20MAR20 3040/3050/3405/3415"),
    "unequal wings": condor_legs("SPXW 20MAR20 3035/3050/3405/3415"),
}


@pytest.mark.parametrize("legs", KINDS.values(), ids=KINDS.keys())
def test_the_legs_of_a_condor_are_that_condor_in_any_order_and_not_its_reverse(legs):
    signed = legs.signed()
    assert as_condor(signed) == legs
    assert as_condor(signed[::-1]) == legs
    assert as_condor(reversed_legs(signed)) is None


@pytest.mark.parametrize(
    "legs",
    [
        replace(PLAIN, long_ratio=3),
        replace(PLAIN, long_ratio=2, short_ratio=2),
        replace(PLAIN, long_ratio=1, short_ratio=2),
        later(PLAIN, -7, "long_put"),
        later(PLAIN, -7, "long_call"),
        later(PLAIN, 7, "short_put"),
        condor_legs("SPXW 20MAR20 3050/3050/3405/3415"),
        condor_legs("SPXW 20MAR20 3060/3050/3405/3415"),
        condor_legs("SPXW 20MAR20 3040/3405/3405/3415"),
        condor_legs("SPXW 20MAR20 3040/3410/3405/3415"),
        condor_legs("SPXW 20MAR20 3040/3050/3405/3405"),
        condor_legs("VIX 18MAR20 12/14/20/22"),
        replace(PLAIN, long_put=replace(PLAIN.long_put, root="SPX")),
    ],
)
def test_what_only_resembles_a_condor_is_none(legs):
    assert as_condor(legs.signed()) is None


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("+1 SPXW 20MAR20 3040 P", "-1 SPXW 20MAR20 3050 P"),
        (  # one side three legs, the other one
            "+1 SPXW 20MAR20 3040 P",
            "-1 SPXW 20MAR20 3050 P",
            "-1 SPXW 20MAR20 3060 P",
            "+1 SPXW 20MAR20 3415 C",
        ),
        (  # a roll: one put spread for another
            "-1 SPXW 20MAR20 3040 P",
            "+1 SPXW 20MAR20 3050 P",
            "-1 SPXW 20MAR20 3100 P",
            "+1 SPXW 20MAR20 3090 P",
        ),
        (  # more longs on one side only
            "+2 SPXW 20MAR20 3040 P",
            "-1 SPXW 20MAR20 3050 P",
            "-1 SPXW 20MAR20 3405 C",
            "+1 SPXW 20MAR20 3415 C",
        ),
        ("+1 VX 18MAR20",),
        (
            "+1 SPXW 20MAR20 3040 P",
            "-1 SPXW 20MAR20 3050 P",
            "-1 SPXW 20MAR20 3405 C",
            "+1 SPXW 20MAR20 3415 C",
            "+1 SPXW 20MAR20 3420 C",
        ),
    ],
)
def test_other_legs_are_no_condor(texts):
    legs = [leg(text) for text in texts]
    assert as_condor((each.instrument, each.ratio) for each in legs) is None


def test_positions_count_each_leg_by_its_ratio():
    condors = (condor_position(KINDS["3:2"], quantity=4), condor_position(PLAIN, quantity=1))
    hedges = (hedge_position("VIX 18MAR20 25 C", 7), hedge_position("VX 18MAR20", 1))
    held = option_positions(book(condors=condors, hedges=hedges))
    assert held[PLAIN.long_put] == 13
    assert held[PLAIN.short_call] == -9
    assert sorted(held.values()) == [-9, -9, 7, 13, 13]


# --- the worst at expiry --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "worst"),
    [
        ("plain", "10"),
        ("unequal wings", "15"),
        ("2:1", "10"),
        ("3:2", "20"),
        ("diagonal", "17.86"),  # the call side: 10 + 3415 x 6 % x 14 / 365
        ("diagonal on one side", "17.86"),
        ("puts rolled out", "20"),  # both sides can lose, at one expiry each
        ("puts rolled out, calls diagonal", "35.72"),
    ],
)
def test_the_worst_of_a_condor_is_that_of_its_shorts_and_the_carry_of_later_longs(kind, worst):
    assert KINDS[kind].worst_points == Decimal(worst)
    position = condor_position(KINDS[kind], quantity=3, credit="2.50")
    assert position.max_loss_usd == (Decimal(worst) - Decimal("2.50")) * 300


@given(
    spot=st.floats(500.0, 9000.0),
    rate=st.floats(0.0, 0.06),
    dividends=st.floats(0.0, 0.02),
    days=st.integers(1, 120),
    vol=st.floats(0.02, 2.0),
)
def test_no_level_at_the_shorts_expiry_costs_a_diagonal_more_than_its_worst(
    spot, rate, dividends, days, vol
):
    legs = later(PLAIN, days, *LONGS)
    years = days / 365.0
    forward, discount = spot * np.exp((rate - dividends) * years), np.exp(-rate * years)
    worth = 0.0
    for contract, sign in legs.signed():
        strike, is_call = float(contract.strike), contract.right is Right.CALL
        if sign > 0:
            worth += float(black76.price(forward, strike, years, vol, discount, is_call))
        else:
            worth -= max(0.0, spot - strike if is_call else strike - spot)
    assert worth >= -float(legs.worst_points) - 1e-6


def test_c10_more_of_an_option_that_the_condor_keeps_is_no_roll():
    # Closes the calls, but adds to the puts that stay instead of opening two others
    more_of_its_own = (
        (PLAIN.short_call, 1),
        (PLAIN.long_call, -1),
        (PLAIN.long_put, 1),
        (replace(PLAIN.short_put, strike=Decimal(3060)), -1),
    )
    assert after_roll(PLAIN, more_of_its_own) is None
