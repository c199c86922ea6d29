"""Margins, losses, and rule G8: no short option without its cover."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.instruments import OptionContract, Right
from strategies.model.structures import CONDOR_RATIOS
from strategies.pricing.margin import (
    condor_margin_by_expiry,
    condor_margin_usd,
    condor_max_loss_usd,
    future_margin_usd,
    is_covered,
)
from tests.builders import condor_legs, option

EQUAL = condor_legs("SPXW 18DEC26 6100/6150/7050/7100")
UNEQUAL = condor_legs("SPXW 18DEC26 6100/6150/7050/7080")


@pytest.mark.parametrize(
    ("legs", "convention", "usd"),
    [
        (EQUAL, "ib", 15_000),
        (EQUAL, "cboe", 15_000),
        (UNEQUAL, "ib", 24_000),  # two separate spreads
        (UNEQUAL, "cboe", 15_000),  # the wider one
    ],
)
def test_margin_of_three_condors(legs, convention, usd):
    assert condor_margin_usd(legs, 3, convention) == usd


LATE = replace(
    EQUAL,
    long_put=option("SPXW 15JAN27 6100 P"),
    long_call=option("SPXW 15JAN27 7100 C"),
)
ROLLED = replace(
    EQUAL,
    long_put=option("SPXW 15JAN27 6100 P"),
    short_put=option("SPXW 15JAN27 6150 P"),
)


@pytest.mark.parametrize(
    ("legs", "convention", "usd"),
    [
        (replace(EQUAL, long_ratio=2), "ib", 15_000),  # further longs are paid for
        (replace(EQUAL, short_ratio=2, long_ratio=3), "ib", 30_000),
        (replace(UNEQUAL, short_ratio=2, long_ratio=3), "ib", 48_000),
        (replace(UNEQUAL, short_ratio=2, long_ratio=3), "cboe", 30_000),
        (LATE, "ib", 30_000),  # sides share only where all options expire together
        (LATE, "cboe", 30_000),
        (ROLLED, "ib", 30_000),
        (ROLLED, "cboe", 30_000),
    ],
)
def test_margin_of_three_condors_of_other_kinds(legs, convention, usd):
    assert condor_margin_usd(legs, 3, convention) == usd


@pytest.mark.parametrize("convention", ["ib", "cboe"])
@pytest.mark.parametrize("days", [0, 14])
def test_the_margin_comes_back_in_whole_and_each_side_with_its_short(convention, days):
    legs = condor_legs("SPXW 20MAR20 3040/3050/3405/3420")
    late = legs.short_call.expiry + timedelta(days=days)
    legs = replace(
        legs,
        short_call=replace(legs.short_call, expiry=late),
        long_call=replace(legs.long_call, expiry=late),
    )
    by_expiry = dict(condor_margin_by_expiry(legs, 3, convention))
    assert sum(by_expiry.values()) == condor_margin_usd(legs, 3, convention)
    if days:
        assert by_expiry == {legs.short_put.expiry: 3_000, late: 4_500}


def test_the_loss_of_a_diagonal_counts_the_carry_on_its_strike():
    # 7100 x 6 % x 28 / 365 = 32.68 points on top of the 50 of the wing
    assert condor_max_loss_usd(LATE, Decimal("5.25"), 2) == Decimal("15486.00")
    assert condor_max_loss_usd(ROLLED, Decimal("5.25"), 2) == Decimal("18950.00")


def test_a_condor_loses_the_wider_wing_less_its_credit_at_most():
    assert condor_max_loss_usd(EQUAL, Decimal("5.25"), 2) == Decimal("8950.00")
    assert condor_max_loss_usd(UNEQUAL, Decimal("5.25"), 2) == Decimal("8950.00")


@given(
    credit=st.decimals(0, 30, places=2),
    strikes=st.lists(st.integers(600, 700), min_size=4, max_size=4, unique=True),
    ratios=st.sampled_from(CONDOR_RATIOS),
)
def test_no_index_level_at_expiry_costs_more_than_the_stated_loss(credit, strikes, ratios):
    low_put, put, call, high_call = sorted(strikes)
    legs = replace(
        condor_legs(f"SPXW 18DEC26 {low_put}/{put}/{call}/{high_call}"),
        long_ratio=ratios[0],
        short_ratio=ratios[1],
    )
    levels = np.arange(500.0, 800.0, 0.5)
    gained = np.full(len(levels), float(credit))
    for contract, sign in legs.signed():
        strike = float(contract.strike)
        call_payoff = np.maximum(levels - strike, 0)
        gained += sign * (
            call_payoff if contract.right is Right.CALL else np.maximum(strike - levels, 0)
        )
    assert gained.min() * 100 == pytest.approx(-float(condor_max_loss_usd(legs, credit, 1)))


@pytest.mark.parametrize(
    ("root", "settle", "days", "quantity", "maintenance"),
    [
        ("VX", "12.00", 20, 1, "6000"),  # the floor of six points
        ("VX", "20.00", 20, 1, "9000"),
        ("VX", "20.00", 60, 1, "9000"),
        ("VX", "20.00", 61, 1, "6750"),  # the third month
        ("VXM", "20.00", 20, 10, "9000"),
        ("VX", "20.00", 20, -2, "18000"),  # a short costs as much
    ],
)
def test_the_default_margin_of_vix_futures(root, settle, days, quantity, maintenance):
    initial, maintained = future_margin_usd(root, Decimal(settle), days, quantity)
    assert maintained == Decimal(maintenance)
    assert initial == maintained * Decimal("1.25")


# --- rule G8 ------------------------------------------------------------------------------------


def held(*lines: str) -> dict[OptionContract, int]:
    return {option(line.split(" ", 1)[1]): int(line.split(" ", 1)[0]) for line in lines}


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["+1 SPXW 18DEC26 6100 P"],
        ["+1 SPXW 18DEC26 6100 P", "-1 SPXW 18DEC26 6150 P"],
        ["+1 SPXW 18DEC26 6150 P", "-1 SPXW 18DEC26 6100 P"],
        ["+1 SPXW 15JAN27 6100 P", "-1 SPXW 18DEC26 6150 P"],  # a later long
        ["+3 SPXW 18DEC26 6100 P", "-1 SPXW 18DEC26 6150 P", "-2 SPXW 11DEC26 6200 P"],
        ["+1 VIX 16DEC26 30 C", "-1 VIX 16DEC26 20 C"],
    ],
)
def test_g8_covered(lines):
    assert is_covered(held(*lines)) == []


@pytest.mark.parametrize(
    ("lines", "uncovered"),
    [
        (["-1 SPXW 18DEC26 6150 P"], ["SPXW 18DEC26 6150 P"]),
        # a partial fill: the longs lag behind
        (["+1 SPXW 18DEC26 6100 P", "-2 SPXW 18DEC26 6150 P"], ["SPXW 18DEC26 6150 P"]),
        # the other right
        (["+1 SPXW 18DEC26 7100 C", "-1 SPXW 18DEC26 6150 P"], ["SPXW 18DEC26 6150 P"]),
        # the long settles at another time of the same day
        (["+1 SPX 18DEC26 6100 P", "-1 SPXW 18DEC26 6150 P"], ["SPXW 18DEC26 6150 P"]),
        # the long is gone before the short
        (["+1 SPXW 11DEC26 6100 P", "-1 SPXW 18DEC26 6150 P"], ["SPXW 18DEC26 6150 P"]),
        # a VIX calendar: two underlyings
        (["+1 VIX 20JAN27 20 C", "-1 VIX 16DEC26 20 C"], ["VIX 16DEC26 20 C"]),
        # one long cannot cover two shorts
        (
            ["+1 SPXW 15JAN27 6100 P", "-1 SPXW 18DEC26 6150 P", "-1 SPXW 11DEC26 6150 P"],
            ["SPXW 11DEC26 6150 P"],
        ),
    ],
)
def test_g8_names_the_uncovered_short(lines, uncovered):
    assert [str(contract) for contract in is_covered(held(*lines))] == uncovered


def test_g8_a_condor_is_covered_and_each_of_its_legs_alone_only_if_long():
    positions = {contract: sign * 5 for contract, sign in EQUAL.signed()}
    assert is_covered(positions) == []
    for contract, quantity in positions.items():
        assert is_covered({contract: quantity}) == ([contract] if quantity < 0 else [])


FIRST_EXPIRY = date(2026, 12, 4)
contracts = st.builds(
    OptionContract,
    root=st.sampled_from(["SPXW", "VIX"]),
    expiry=st.integers(0, 2).map(lambda week: FIRST_EXPIRY + timedelta(weeks=week)),
    right=st.sampled_from(Right),
    strike=st.sampled_from([Decimal(20), Decimal(30)]),
)
books = st.dictionaries(contracts, st.integers(-3, 3), max_size=8)


@given(positions=books)
def test_g8_agrees_with_the_loss_at_every_index_level(positions):
    """A group is covered if what is alive at each expiry can never owe without bound.

    Calls at intrinsic value lose without bound where their slope at infinity is negative. Puts are
    bounded by zero, so their strikes are moved up instead: their slope is taken at zero.
    """
    groups: dict[object, list[tuple[OptionContract, int]]] = {}
    for contract, quantity in positions.items():
        own = contract.expiry if contract.underlying == "VIX" else None
        groups.setdefault((contract.underlying, contract.right, own), []).append(
            (contract, quantity)
        )
    naked = set()
    for key, group in groups.items():
        for expiry in {contract.expiry for contract, _ in group}:
            alive = [(c, n) for c, n in group if c.expiry >= expiry]

            def payoff(level, alive=alive):
                return sum(
                    n
                    * max(
                        level - float(c.strike)
                        if c.right is Right.CALL
                        else float(c.strike) - level,
                        0.0,
                    )
                    for c, n in alive
                )

            far, farther = (1e4, 2e4) if key[1] is Right.CALL else (-1e4, -2e4)
            if payoff(farther) < payoff(far):
                naked.add(key)
    found = {
        (c.underlying, c.right, c.expiry if c.underlying == "VIX" else None)
        for c in is_covered(positions)
    }
    assert found == naked


@given(positions=books)
def test_g8_every_named_contract_is_short_and_named_once(positions):
    named = is_covered(positions)
    assert all(positions[contract] < 0 for contract in named)
    assert max(Counter(named).values(), default=1) == 1


@given(positions=books, contract=contracts)
def test_g8_one_more_long_never_uncovers_anything(positions, contract):
    more = {**positions, contract: positions.get(contract, 0) + 1}
    assert len(is_covered(more)) <= len(is_covered(positions))
