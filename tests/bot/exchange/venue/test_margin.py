"""Margin and coverage of option and futures positions."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.margin import future_margin_usd, option_margin_usd, uncovered_shorts
from strategies.model.instruments import OptionContract
from strategies.pricing.margin import condor_margin_usd
from tests.builders import TODAY, condor_legs, future, option


def positions(text: str) -> dict[OptionContract, int]:
    """Positions of ``"10 SPXW 06MAR20 3000 P, -10 SPXW 06MAR20 3050 P"``."""
    pairs = [part.strip().split(" ", 1) for part in text.split(",")]
    return {option(contract): int(net) for net, contract in pairs}


def margin(text: str, convention: str = "ib") -> int:
    """Margin in USD of positions."""
    return int(option_margin_usd(positions(text), convention))


EQUAL = (
    "2 SPXW 06MAR20 3000 P, -2 SPXW 06MAR20 3050 P, -2 SPXW 06MAR20 3350 C, 2 SPXW 06MAR20 3400 C"
)
UNEQUAL = (
    "2 SPXW 06MAR20 3000 P, -2 SPXW 06MAR20 3050 P, -2 SPXW 06MAR20 3350 C, 2 SPXW 06MAR20 3375 C"
)
OTHER_WIDTH = (
    "2 SPXW 06MAR20 3000 P, -2 SPXW 06MAR20 3050 P, -2 SPXW 06MAR20 3350 C, 2 SPXW 06MAR20 3390 C"
)


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", ["ib", "cboe"])
def test_a_condor_with_equal_wings_is_margined_on_one_side(convention):
    assert margin(EQUAL, convention) == 2 * 50 * 100


def test_a_condor_with_unequal_wings_is_margined_by_the_chosen_convention():
    assert margin(OTHER_WIDTH, "ib") == 2 * (50 + 40) * 100
    assert margin(OTHER_WIDTH, "cboe") == 2 * 50 * 100


def test_a_wing_that_is_a_multiple_of_the_other_counts_as_stacked_spreads():
    # two put spreads 50 wide stand against two call spreads 25 wide: one put spread is covered
    assert margin(UNEQUAL, "ib") == (50 + 50) * 100


def test_condors_whose_legs_meet_keep_their_margin():
    apart = margin(
        "1 SPXW 06MAR20 2900 P, -1 SPXW 06MAR20 2950 P, 1 SPXW 06MAR20 3000 P,"
        "-1 SPXW 06MAR20 3050 P, -2 SPXW 06MAR20 3350 C, 2 SPXW 06MAR20 3400 C"
    )
    chained = margin(
        "1 SPXW 06MAR20 2950 P, -1 SPXW 06MAR20 3050 P,"  # 2950/3000 and 3000/3050, met at 3000
        "-2 SPXW 06MAR20 3350 C, 2 SPXW 06MAR20 3400 C"
    )
    assert apart == chained == 2 * 50 * 100


def test_a_put_spread_does_not_share_with_a_call_spread_below_it():
    crossed = (
        "1 SPXW 06MAR20 3000 P, -1 SPXW 06MAR20 3050 P,"
        "-1 SPXW 06MAR20 2700 C, 1 SPXW 06MAR20 2750 C"
    )
    assert margin(crossed, "ib") == margin(crossed, "cboe") == 2 * 50 * 100
    around = f"{crossed}, 1 SPXW 06MAR20 2500 P, -1 SPXW 06MAR20 2550 P"
    assert margin(around, "ib") == margin(around, "cboe") == 2 * 50 * 100


def test_condors_of_different_expiries_are_margined_apart():
    assert margin(f"{EQUAL}, 1 SPXW 20MAR20 3000 P, -1 SPXW 20MAR20 3050 P") == 15_000


def test_long_options_and_debit_spreads_need_no_margin():
    assert margin("5 VIX 18MAR20 25 C") == 0
    assert margin("1 SPXW 06MAR20 3100 P, -1 SPXW 06MAR20 3050 P") == 0


def test_a_calendar_is_margined_at_the_distance_of_its_strikes():
    assert margin("1 SPXW 20MAR20 3000 P, -1 SPXW 06MAR20 3050 P") == 5_000
    assert margin("1 SPXW 20MAR20 3050 P, -1 SPXW 06MAR20 3050 P") == 0


def test_a_calendar_shares_its_margin_with_nobody():
    call_spread = "-1 SPXW 06MAR20 3350 C, 1 SPXW 06MAR20 3400 C"
    calendar = "1 SPXW 20MAR20 3000 P, -1 SPXW 06MAR20 3050 P"
    assert margin(f"{calendar}, {call_spread}", "ib") == 10_000
    assert margin(f"{calendar}, {call_spread}", "cboe") == 10_000


@pytest.mark.parametrize(("longs", "shorts", "usd"), [(1, 1, 5_000), (2, 1, 5_000), (3, 2, 10_000)])
@pytest.mark.parametrize("convention", ["ib", "cboe"])
def test_ratio_wings_are_margined_by_their_shorts(longs, shorts, usd, convention):
    held = (
        f"{longs} SPXW 06MAR20 3000 P, -{shorts} SPXW 06MAR20 3050 P,"
        f"-{shorts} SPXW 06MAR20 3350 C, {longs} SPXW 06MAR20 3400 C"
    )
    assert uncovered_shorts(positions(held)) == []
    assert margin(held, convention) == usd


@pytest.mark.parametrize("convention", ["ib", "cboe"])
@pytest.mark.parametrize(
    "legs",
    [
        condor_legs("SPXW 06MAR20 3000/3050/3350/3400"),
        condor_legs("SPXW 06MAR20 3000/3050/3350/3425"),
        replace(condor_legs("SPXW 06MAR20 3000/3050/3350/3400"), short_ratio=2, long_ratio=3),
        replace(condor_legs("SPXW 06MAR20 3000/3050/3350/3390"), long_ratio=2),
        replace(
            condor_legs("SPXW 06MAR20 3000/3050/3350/3400"),
            long_put=option("SPXW 20MAR20 3000 P"),
            long_call=option("SPXW 20MAR20 3410 C"),
        ),
        replace(
            condor_legs("SPXW 06MAR20 3000/3050/3350/3400"),
            short_put=option("SPXW 20MAR20 3050 P"),
            long_put=option("SPXW 20MAR20 3000 P"),
        ),
    ],
)
def test_exchange_and_bot_agree_on_the_margin_of_every_kind_of_condor(legs, convention):
    held = {contract: 2 * ratio for contract, ratio in legs.signed()}
    assert option_margin_usd(held, convention) == condor_margin_usd(legs, 2, convention)


def test_shorts_use_the_longs_that_cost_least_margin():
    assert margin("1 SPXW 06MAR20 2900 P, 1 SPXW 06MAR20 3000 P, -1 SPXW 06MAR20 3050 P") == 5_000


def test_no_positions_need_no_margin():
    assert option_margin_usd({}, "ib") == 0


STRIKES = st.integers(0, 40).map(lambda n: 2800 + 10 * n)


@given(
    spreads=st.lists(
        st.tuples(STRIKES, st.integers(1, 12), st.sampled_from("PC"), st.integers(1, 5)),
        max_size=8,
    )
)
def test_margin_covers_the_worst_expiry_and_never_exceeds_the_sum_of_the_spreads(spreads):
    held: dict[OptionContract, int] = {}
    total = Decimal(0)
    for strike, steps, right, quantity in spreads:
        width = 10 * steps
        far = strike - width if right == "P" else strike + width
        for leg_strike, side in ((strike, -1), (far, 1)):
            contract = option(f"SPXW 06MAR20 {leg_strike} {right}")
            held[contract] = held.get(contract, 0) + side * quantity
        total += width * quantity * 100
    held = {contract: net for contract, net in held.items() if net}
    worst = min(
        sum(
            net * max(0, (level - c.strike) if c.right == "C" else (c.strike - level))
            for c, net in held.items()
        )
        for level in range(2500, 3500, 10)
    )
    ib, cboe = option_margin_usd(held, "ib"), option_margin_usd(held, "cboe")
    assert -worst * 100 <= cboe <= ib <= total


# --- coverage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        EQUAL,
        "1 SPXW 20MAR20 2000 P, -1 SPXW 06MAR20 3050 P",  # later, far away
        "1 VIX 18MAR20 30 C, -1 VIX 18MAR20 25 C",
        "2 SPXW 06MAR20 3400 C, -1 SPXW 06MAR20 3300 C, -1 SPXW 27FEB20 3300 C",
    ],
)
def test_g8_a_short_is_covered_by_a_long_that_lives_as_long(text):
    assert uncovered_shorts(positions(text)) == []


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("-1 SPXW 06MAR20 3050 P", "SPXW 06MAR20 3050 P"),
        ("1 SPXW 06MAR20 3400 C, -1 SPXW 06MAR20 3050 P", "SPXW 06MAR20 3050 P"),
        ("1 SPXW 06MAR20 3000 P, -1 SPXW 20MAR20 3050 P", "SPXW 20MAR20 3050 P"),
        ("1 SPX 20MAR20 3000 P, -1 SPXW 06MAR20 3050 P", "SPXW 06MAR20 3050 P"),
        ("1 VIX 15APR20 25 C, -1 VIX 18MAR20 25 C", "VIX 18MAR20 25 C"),
        ("1 SPXW 06MAR20 3000 P, -2 SPXW 06MAR20 3050 P", "SPXW 06MAR20 3050 P"),
    ],
)
def test_g8_a_short_without_a_long_of_its_kind_is_uncovered(text, bare):
    assert uncovered_shorts(positions(text)) == [option(bare)]


# --- futures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "settle", "contracts", "maintenance"),
    [
        ("VX 18MAR20", "10", 1, 6_000),  # the floor
        ("VX 18MAR20", "20", -2, 18_000),  # short as much as long
        ("VXM 18MAR20", "20", 10, 9_000),
        ("VX 15APR20", "20", 1, 6_750),  # third month on
        ("VX 18MAR20", "20", 0, 0),
    ],
)
def test_futures_margin_follows_settlement_and_tenor(text, settle, contracts, maintenance):
    initial, held = future_margin_usd(future(text), contracts, Decimal(settle), TODAY)
    assert held == maintenance
    assert initial == held * Decimal("1.25")
