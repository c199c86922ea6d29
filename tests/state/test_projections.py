"""What records add up to: hedges by average cost, condors from the fills of their legs."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.projections import (
    CondorHistory,
    CondorState,
    LegFill,
    LegSettlement,
    Trade,
    follow_family,
    hold_hedge,
    packages_filled,
    rounded,
)
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import PositionEffect
from tests.state import records

SYMBOLS = ("LP", "SP", "SC", "LC")
SIGNS = (1, -1, -1, 1)


def trade(quantity: int, price: str, minute: int = 0) -> Trade:
    return Trade(records.minutes(minute), f"fill {minute}", quantity, Decimal(price))


def leg_fills(effect, counts, prices=records.CONDOR_PRICES, minute=0) -> tuple[LegFill, ...]:
    """One fill a leg; ``counts`` are contracts in the direction of the order."""
    direction = 1 if effect is PositionEffect.OPEN else -1
    return tuple(
        LegFill(
            symbol=symbol,
            effect=effect,
            quantity=sign * direction * count,
            price=Decimal(price),
            commission_usd=Decimal("1.00"),
            at=records.minutes(minute),
        )
        for symbol, sign, count, price in zip(SYMBOLS, SIGNS, counts, prices, strict=True)
        if count
    )


def history(
    *fills: LegFill,
    settlements=None,
    held=None,
    opening=(OrderStatus.FILLED,),
    closing=(),
) -> CondorHistory:
    return CondorHistory(
        legs=dict(zip(SYMBOLS, SIGNS, strict=True)),
        fills=fills,
        settlements=settlements or {},
        held=held or {},
        opening=opening,
        closing=closing,
    )


def follow(condor: CondorHistory) -> CondorState:
    return follow_family({"C0001": condor})["C0001"]


OPEN, CLOSE = PositionEffect.OPEN, PositionEffect.CLOSE


# --- hedges -----------------------------------------------------------------------------------


def test_adding_moves_the_average_and_reducing_realises_against_it():
    trades = [trade(10, "1.00"), trade(30, "2.00", 1), trade(-20, "3.00", 2)]
    state = hold_hedge(trades).state(100)
    assert state.net_contracts == 20
    assert state.average_cost == Decimal("1.75")
    assert state.realised_usd == Decimal(20) * (3 - Decimal("1.75")) * 100
    assert state.opened_on == date(2020, 2, 3)


def test_a_position_that_passes_through_zero_starts_again_at_the_new_price():
    state = hold_hedge([trade(2, "16.50"), trade(-5, "18.00", 60 * 24)]).state(1000)
    assert state.net_contracts == -3
    assert state.average_cost == Decimal("18.00")
    assert state.opened_on == date(2020, 2, 4)
    assert state.realised_usd == Decimal("3000.00")


def test_a_position_that_ends_keeps_what_it_earned_and_nothing_else():
    state = hold_hedge([trade(3, "0.50"), trade(-3, "0.00", 1)]).state(100)
    assert (state.net_contracts, state.average_cost, state.opened_on) == (0, 0, None)
    assert state.realised_usd == Decimal("-150.00")


TRADES = st.lists(
    st.tuples(
        st.integers(-20, 20).filter(bool),
        st.integers(0, 9_000).map(lambda cents: f"{cents / 100:.2f}"),
    ),
    max_size=30,
)


@given(TRADES)
def test_realised_and_unrealised_always_make_up_the_cash(items):
    """Profit at any mark = what the cash flows say, whatever the order of trades."""
    trades = [trade(quantity, price, minute) for minute, (quantity, price) in enumerate(items)]
    state = hold_hedge(trades).state(100)
    mark = Decimal("7.77")
    cash = sum((-each.quantity * each.price * 100 for each in trades), Decimal(0))
    value = state.net_contracts * mark * 100
    unrealised = (mark - state.average_cost) * state.net_contracts * 100
    assert state.net_contracts == sum(each.quantity for each in trades)
    assert abs(state.realised_usd + unrealised - (cash + value)) < Decimal("0.10")  # two roundings


@given(TRADES, st.randoms(use_true_random=False))
def test_trades_count_by_their_time_and_not_by_the_order_they_were_learnt_in(items, shuffler):
    trades = [trade(quantity, price, minute) for minute, (quantity, price) in enumerate(items)]
    mixed = list(trades)
    shuffler.shuffle(mixed)
    assert hold_hedge(mixed).state(100) == hold_hedge(trades).state(100)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Fraction(1, 3), "0.333333"),
        (Fraction(5, 10**7), "0.00"),  # half to even
        (Fraction(15, 10**7), "0.000002"),
        (Fraction(-1, 3), "-0.333333"),
    ],
)
def test_fractions_round_to_millionths_half_to_even(value, expected):
    assert str(rounded(value)) == expected


# --- packages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signed", "packages"),
    [
        ({"LP": 12, "SP": -12, "SC": -12, "LC": 12}, 12),
        ({"LP": 12, "SP": -12, "SC": -12, "LC": 11}, 11),
        ({"LP": 12, "SP": -12, "SC": -12}, 0),
        ({}, 0),
    ],
)
def test_whole_packages_are_those_of_the_least_filled_leg(signed, packages):
    ratios = dict(zip(SYMBOLS, SIGNS, strict=True))
    assert packages_filled(ratios, signed) == packages


def test_packages_count_ratios():
    assert packages_filled({"A": -2, "B": 1}, {"A": -7, "B": 5}) == 3


# --- condors ----------------------------------------------------------------------------------


def test_a_condor_without_fills_is_pending_while_its_order_may_still_trade():
    for status in (OrderStatus.PLANNED, OrderStatus.SENDING, OrderStatus.UNKNOWN, OrderStatus.LIVE):
        assert follow(history(opening=(status,))).status == "PENDING"
    for status in (OrderStatus.CANCELLED, OrderStatus.REJECTED):
        assert follow(history(opening=(status,))).status == "UNFILLED"
    assert follow(history(opening=())).status == "UNFILLED"


def test_an_order_for_thirty_that_fills_twelve_is_a_condor_of_twelve():
    state = follow(
        history(*leg_fills(OPEN, (12, 12, 12, 12)), opening=(OrderStatus.PARTIALLY_FILLED,))
    )
    assert (state.status, state.quantity) == ("OPEN", 12)
    assert state.entry_credit == Decimal("1.15")
    assert state.entry_cash_usd == Decimal("1380.00")
    assert state.fees_usd == Decimal("4.00")


def test_the_credit_is_what_the_fills_paid_and_not_what_was_hoped_for():
    fills = [
        *leg_fills(OPEN, (1, 1, 1, 1)),
        *leg_fills(OPEN, (2, 2, 2, 2), prices=("3.00", "3.80", "2.10", "1.65"), minute=1),
    ]
    state = follow(history(*fills))
    assert state.quantity == 3
    assert state.entry_credit == Decimal("1.216667")  # (1.15 + 2 x 1.25) / 3


def test_an_uneven_fill_counts_as_its_least_filled_leg():
    state = follow(history(*leg_fills(OPEN, (5, 5, 5, 4))))
    assert state.quantity == 4


def test_a_leg_alone_is_no_condor_and_has_realised_nothing():
    state = follow(history(*leg_fills(OPEN, (5, 0, 0, 0))))
    assert (state.quantity, state.whole_quantity, state.loose) == (0, 0, (("LP", 5),))
    assert (state.entry_credit, state.realised_usd) == (0, 0)
    assert (state.opened_at, state.ended_at) == (records.minutes(0), None)


def test_closing_in_parts_realises_in_parts():
    fills = [
        *leg_fills(OPEN, (4, 4, 4, 4)),
        *leg_fills(CLOSE, (1, 1, 1, 1), prices=("1.00", "1.30", "0.80", "0.60"), minute=5),
    ]
    state = follow(history(*fills, closing=(OrderStatus.LIVE,)))
    assert (state.status, state.quantity, state.closed_quantity) == ("CLOSING", 3, 1)
    assert state.realised_usd == Decimal("115.00") - Decimal("50.00")
    assert state.ended_at is None
    stopped = follow(history(*fills, closing=(OrderStatus.CANCELLED,)))
    assert stopped.status == "OPEN"


def test_a_condor_bought_back_whole_is_closed_and_its_result_is_exact():
    fills = [
        *leg_fills(OPEN, (3, 3, 3, 3)),
        *leg_fills(CLOSE, (3, 3, 3, 3), prices=("1.00", "1.30", "0.80", "0.60"), minute=5),
    ]
    state = follow(history(*fills, closing=(OrderStatus.FILLED,)))
    assert (state.status, state.quantity) == ("CLOSED", 0)
    assert state.realised_usd == Decimal(3) * (Decimal("115.00") - Decimal("50.00"))
    assert state.ended_at == records.minutes(5)


def settled(*prices: str, minute: int = 60) -> dict[str, LegSettlement]:
    at = records.AT + timedelta(minutes=minute)
    return {
        symbol: LegSettlement(Decimal(price), at)
        for symbol, price in zip(SYMBOLS, prices, strict=False)
    }


def test_a_condor_whose_legs_have_all_settled_is_settled_with_their_cash():
    state = follow(
        history(
            *leg_fills(OPEN, (2, 2, 2, 2)),
            settlements=settled("0.00", "4.25", "0.00", "0.00"),
            held={},
        )
    )
    assert (state.status, state.quantity, state.settled_quantity) == ("SETTLED", 0, 2)
    assert state.settlement_cash_usd == Decimal("-850.00")
    assert state.realised_usd == Decimal("230.00") - Decimal("850.00")
    assert state.ended_at == records.minutes(60)


def test_a_condor_stays_open_until_its_last_leg_has_settled():
    state = follow(
        history(
            *leg_fills(OPEN, (2, 2, 2, 2)),
            settlements=settled("0.00", "4.25", "0.00"),
            held={"LC": 2},
        )
    )
    assert (state.status, state.quantity) == ("OPEN", 2)
    assert state.settlement_cash_usd == 0


def test_a_leg_that_another_condor_offsets_settles_with_its_companions():
    state = follow(
        history(
            *leg_fills(OPEN, (2, 2, 2, 2)),
            settlements=settled("0.00", "4.25", "0.00"),
            held={"LC": 0},
        )
    )
    assert state.status == "SETTLED"


def test_what_was_closed_before_does_not_settle():
    fills = [
        *leg_fills(OPEN, (4, 4, 4, 4)),
        *leg_fills(CLOSE, (3, 3, 3, 3), prices=("1.00", "1.30", "0.80", "0.60"), minute=5),
    ]
    state = follow(history(*fills, settlements=settled("0.00", "10.00", "0.00", "0.00"), held={}))
    assert (state.closed_quantity, state.settled_quantity, state.quantity) == (3, 1, 0)
    assert state.settlement_cash_usd == Decimal("-1000.00")
    assert state.status == "SETTLED"


# --- rolls ------------------------------------------------------------------------------------

# The put side of LP/SP/SC/LC is bought back, that of LP2/SP2 sold in its place
ROLLED = {"LP2": 1, "SP2": -1, "SC": -1, "LC": 1}
ROLL = {"LP": -1, "SP": 1, "LP2": 1, "SP2": -1}


def roll_fills(packages: int, prices=("2.00", "2.90", "3.10", "4.20"), minute=30, roll=ROLL):
    return tuple(
        LegFill(
            symbol=symbol,
            effect=OPEN,
            quantity=ratio * packages,
            price=Decimal(price),
            commission_usd=Decimal("1.00"),
            at=records.minutes(minute),
        )
        for (symbol, ratio), price in zip(roll.items(), prices, strict=True)
    )


def rolled(*fills, opening=(OrderStatus.FILLED,), closing=(), legs=None, of="C0001"):
    made = history(*fills, opening=opening, closing=closing)
    return replace(made, legs=ROLLED if legs is None else legs, rolled_from=of)


def test_c10_a_roll_turns_condors_into_condors_and_realises_nothing():
    states = follow_family(
        {
            "C0001": history(*leg_fills(OPEN, (12, 12, 12, 12))),
            "C0001-1": rolled(*roll_fills(12)),
        }
    )
    old, new = states["C0001"], states["C0001-1"]
    assert (old.status, old.quantity, old.rolled_quantity) == ("ROLLED", 0, 12)
    assert (old.realised_usd, old.rolled_cash_usd) == (0, Decimal("1380.00"))
    assert old.ended_at == records.minutes(30)
    assert (new.status, new.quantity, new.opened_quantity) == ("OPEN", 12, 12)
    assert new.entry_credit == Decimal("1.15") + Decimal("0.20")
    assert new.opened_at == records.minutes(0)
    assert new.rolled_on == date(2020, 2, 3)


def test_c10_the_roll_of_one_condor_hands_on_all_of_its_cash():
    states = follow_family(
        {"C0001": history(*leg_fills(OPEN, (1, 1, 1, 1))), "C0001-1": rolled(*roll_fills(1))}
    )
    assert states["C0001"].rolled_cash_usd == Decimal("115.00")
    assert states["C0001-1"].entry_cash_usd == Decimal("135.00")
    assert states["C0001"].realised_usd == states["C0001-1"].realised_usd == 0


def test_c10_a_roll_that_fills_in_part_leaves_both_and_each_ends_on_its_own():
    closing = leg_fills(CLOSE, (7, 7, 7, 7), prices=("1.00", "1.30", "0.80", "0.60"), minute=60)
    new_closing = tuple(
        replace(fill, symbol={"LP": "LP2", "SP": "SP2"}.get(fill.symbol, fill.symbol))
        for fill in leg_fills(
            CLOSE, (5, 5, 5, 5), prices=("1.00", "1.30", "0.80", "0.60"), minute=61
        )
    )
    family = {
        "C0001": history(*leg_fills(OPEN, (12, 12, 12, 12))),
        "C0001-1": rolled(*roll_fills(5), opening=(OrderStatus.PARTIALLY_FILLED,)),
    }
    states = follow_family(family)
    assert [states[name].quantity for name in family] == [7, 5]
    assert {each.status for each in states.values()} == {"OPEN"}
    family["C0001"] = history(*family["C0001"].fills, *closing)
    family["C0001-1"] = rolled(*roll_fills(5), *new_closing)
    ended = follow_family(family)
    assert {each.status for each in ended.values()} == {"CLOSED"}
    assert ended["C0001"].realised_usd == 7 * (Decimal(115) - Decimal(50))
    assert ended["C0001-1"].realised_usd == 5 * (Decimal(115) + Decimal(20) - Decimal(50))


def test_c10_a_roll_waits_while_its_order_may_still_fill_and_is_given_up_after():
    family = {"C0001": history(*leg_fills(OPEN, (2, 2, 2, 2)))}
    waiting = follow_family({**family, "C0001-1": rolled(opening=(OrderStatus.LIVE,))})
    assert (waiting["C0001"].quantity, waiting["C0001-1"].status) == (2, "PENDING")
    given_up = follow_family({**family, "C0001-1": rolled(opening=(OrderStatus.CANCELLED,))})
    assert (given_up["C0001"].quantity, given_up["C0001-1"].status) == (2, "UNFILLED")
    assert given_up["C0001-1"].rolled_on is None


def test_c10_a_roll_of_which_one_leg_is_missing_has_moved_no_condor_yet():
    states = follow_family(
        {
            "C0001": history(*leg_fills(OPEN, (2, 2, 2, 2))),
            "C0001-1": rolled(*roll_fills(2)[:3], opening=(OrderStatus.LIVE,)),
        }
    )
    assert [each.quantity for each in states.values()] == [2, 0]


def test_c10_a_second_roll_carries_on_from_the_first():
    again = {"LC": -1, "SC": 1, "LC2": 1, "SC2": -1}
    third = {"LP2": 1, "SP2": -1, "SC2": -1, "LC2": 1}
    states = follow_family(
        {
            "C0001": history(*leg_fills(OPEN, (3, 3, 3, 3))),
            "C0001-1": rolled(*roll_fills(3)),
            "C0001-2": rolled(
                *roll_fills(2, ("1.00", "1.50", "2.00", "2.75"), 90, again),
                legs=third,
                of="C0001-1",
            ),
        }
    )
    assert [each.quantity for each in states.values()] == [0, 1, 2]
    assert states["C0001-2"].entry_credit == Decimal("1.35") + Decimal("0.25")
    assert states["C0001-2"].opened_at == records.minutes(0)


def test_c10_ratio_condors_roll_by_whole_condors():
    legs = {"LP": 3, "SP": -2, "SC": -2, "LC": 3}
    roll = {"LP": -3, "SP": 2, "LP2": 3, "SP2": -2}
    opened = tuple(
        replace(fill, quantity=fill.quantity * abs(legs[fill.symbol]))
        for fill in leg_fills(OPEN, (4, 4, 4, 4))
    )
    states = follow_family(
        {
            "C0001": replace(history(*opened), legs=legs),
            "C0001-1": rolled(
                *roll_fills(3, roll=roll), legs={"LP2": 3, "SP2": -2, "SC": -2, "LC": 3}
            ),
        }
    )
    assert [each.quantity for each in states.values()] == [1, 3]


def test_c10_the_settlement_of_what_a_roll_left_behind_counts_it_once():
    at = records.minutes(120)
    price = LegSettlement(Decimal("4.00"), at)
    nothing = LegSettlement(Decimal(0), at)
    old = history(
        *leg_fills(OPEN, (3, 3, 3, 3)),
        settlements={"SP": price, "LP": nothing, "SC": nothing, "LC": nothing},
    )
    new = replace(
        rolled(*roll_fills(2)),
        settlements={"SP2": price, "LP2": nothing, "SC": nothing, "LC": nothing},
    )
    states = follow_family({"C0001": old, "C0001-1": new})
    assert [each.settlement_cash_usd for each in states.values()] == [-400, -800]
    assert {each.status for each in states.values()} == {"SETTLED"}


@given(
    opened=st.integers(1, 40),
    parts=st.lists(st.integers(0, 40), max_size=4),
    nickel_prices=st.lists(st.integers(1, 400), min_size=8, max_size=8),
)
def test_c10_no_cent_is_lost_or_gained_however_a_condor_is_rolled(opened, parts, nickel_prices):
    """Once everything is bought back, the results add up to the cash of the fills, exactly."""
    prices = [f"{nickels * 5 / 100:.2f}" for nickels in nickel_prices]
    family = {"C0001": history(*leg_fills(OPEN, (opened,) * 4, prices[:4]))}
    left = opened
    for number, part in enumerate(parts, start=1):
        family[f"C0001-{number}"] = rolled(*roll_fills(min(part, left), prices[4:], 30 + number))
        left -= min(part, left)
    states = follow_family(family)
    assert states["C0001"].quantity == left
    for name, state in states.items():
        legs = family[name].legs
        bought_back = tuple(
            LegFill(symbol, CLOSE, -n * state.quantity, Decimal("0.05"), Decimal(0), records.AT)
            for symbol, n in legs.items()
            if state.quantity
        )
        family[name] = replace(family[name], fills=(*family[name].fills, *bought_back))
    ended = follow_family(family)
    cash = sum(
        (-fill.quantity * fill.price * 100 for each in family.values() for fill in each.fills),
        Decimal(0),
    )
    assert sum(state.quantity for state in ended.values()) == 0
    assert sum((state.realised_usd for state in ended.values()), Decimal(0)) == cash
