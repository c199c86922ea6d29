"""The desk of rolls: what may be rolled into what, and everything that stands in the way."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from strategies.condor.rolls import side_of
from strategies.model.instruments import OptionContract, Right
from strategies.model.quotes import PUT, OptionChain
from strategies.pricing.margin import condor_margin_usd
from tests.builders import account, book, condor_legs, condor_position, option
from tests.strategies.condor.roll_markets import (
    CONDOR,
    LEGS,
    RULES,
    at_work,
    desk_of,
    later,
    narrow,
    spx_market,
    valuer,
    with_rules,
)

FALLEN = valuer(spx_market(3150.0, 0.20), 3150.0)
ZERO = Decimal(0)


def desk(*condors, values=FALLEN, **facts):
    return desk_of(values, book(condors=condors or [CONDOR]), **facts)


def side(right=Right.CALL, legs=LEGS, values=FALLEN):
    return side_of(values, legs, right)


def calls_in(at=None, condor=CONDOR):
    """The roll that C10 makes of the calls."""
    at = at or desk(condor)
    old = side(legs=condor.legs)
    return at.roll(condor, old, at.at_target(old, at.series_now(old)))


def test_a_side_and_a_roll_say_what_they_are():
    assert str(side(Right.PUT)) == "puts 3070/3080 of 6Mar20"
    assert str(calls_in()) == "calls 3380/3390 of 6Mar20 to 3320/3330 of 6Mar20 for 0.65"


def test_a_side_without_a_value_is_none():
    unknown = replace(LEGS, long_put=option("SPXW 06MAR20 3071 P"))
    assert side(Right.PUT, unknown) is None
    assert side(Right.CALL, unknown) is not None


# --- no netting -----------------------------------------------------------------------------------


def held(*texts: str):
    """Another condor, which holds the strikes in question."""
    return [condor_position(text, condor_id=f"C001{n}") for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("other", "free"),
    [
        ("SPXW 06MAR20 3000/3010/3320/3330", True),  # the same calls on the same sides
        ("SPXW 06MAR20 3000/3010/3310/3320", False),  # long where the roll would sell
        ("SPXW 06MAR20 3000/3010/3330/3340", False),  # short where the roll would buy
        ("SPXW 10MAR20 3000/3010/3310/3320", True),  # another expiry
    ],
)
def test_c10_no_roll_nets_against_a_leg_held_with_the_other_sign(other, free):
    at = desk(CONDOR, *held(other))
    new = at.at_target(side(), at.series_now(side()))
    wanted = option("SPXW 06MAR20 3320 C")
    assert (new is not None and new.short.contract == wanted) is free


def test_c10_orders_at_work_count_as_held():
    opening = at_work("condor:C0009:open", condor_legs("SPXW 06MAR20 3000/3010/3310/3320"), sign=1)
    at = desk_of(FALLEN, book(condors=[CONDOR], working=[opening]))
    new = at.at_target(side(), at.series_now(side()))
    assert new is None or new.short.contract != option("SPXW 06MAR20 3320 C")


def test_c10_no_leg_of_a_condor_that_is_being_closed_is_traded():
    free = calls_in()
    for contract in (free.new.short.contract, free.new.long.contract):
        at = desk(closing=[contract])
        new = at.at_target(side(), at.series_now(side()))
        assert new is None or contract not in (new.short.contract, new.long.contract)


def test_c10_nothing_is_traded_both_ways_in_one_plan():
    """The first roll sells calls that the second would buy back."""
    at = desk(CONDOR, replace(CONDOR, condor_id="C0002"))
    first = calls_in(at)
    at.take(first, new_condor_id="C0001-1", asked_by=("C10",), note="", plan_id="p")
    other = condor_position(first.legs, condor_id="C0002", quantity=20, credit="2.50")
    back = at.roll(other, side(legs=first.legs), side())
    at_desk = at.obstacle(replace(back, credit=Decimal(1)), ZERO)
    assert "is traded the other way in this plan" in at_desk


# --- the other obstacles --------------------------------------------------------------------------


@pytest.mark.parametrize(("short_of", "stands"), [("0.00", False), ("0.05", True)])
def test_c10_the_least_credit_is_the_price_the_order_accepts(short_of, stands):
    roll = calls_in()
    obstacle = desk().obstacle(roll, roll.credit + Decimal(short_of))
    assert bool(obstacle) is stands
    if stands:
        assert obstacle == f"a credit of {roll.credit}, {roll.credit + Decimal('0.05')} is needed"


def test_c10_what_makes_no_condor_is_no_roll():
    at = desk()
    crossed = replace(
        side(),
        short=FALLEN.option(option("SPXW 06MAR20 3075 C")),
        long=FALLEN.option(option("SPXW 06MAR20 3085 C")),
    )
    roll = replace(at.roll(CONDOR, side(), crossed), credit=Decimal(1))
    assert at.obstacle(roll, ZERO) == "no condor comes of it"
    assert at.obstacle(at.roll(CONDOR, side(), side()), Decimal(-9)) == "no condor comes of it"


def without_bid(chain: OptionChain, contract: OptionContract) -> OptionChain:
    bid = chain.bid.copy()
    bid[chain.find_row(contract), PUT if contract.right is Right.PUT else 1 - PUT] = 0.0
    return replace(chain, bid=bid)


@pytest.mark.parametrize("leg", [LEGS.short_call, LEGS.long_call])
def test_c10_every_leg_needs_a_bid(leg):
    values = valuer(without_bid(spx_market(3150.0, 0.20), leg), 3150.0)
    at = desk(values=values)
    old = side(values=values)
    roll = at.roll(CONDOR, old, at.at_target(old, at.series_now(old)))
    assert at.obstacle(roll, Decimal(-9)) == f"nobody bids for {leg}"


@pytest.mark.parametrize(("days", "stands"), [(31, False), (32, True)])
def test_c10_a_roll_must_take_the_condor_out_of_the_last_days(days, stands):
    at = desk(rules=with_rules(time_exit_dte=days, min_roll_dte=7))
    assert bool(at.obstacle(calls_in(), ZERO)) is stands


@pytest.mark.parametrize(("days", "stands"), [(32, False), (33, True)])
def test_c10_what_is_opened_has_days_enough(days, stands):
    at = desk(rules=with_rules(min_roll_dte=days))
    obstacle = at.obstacle(calls_in(), ZERO)
    assert obstacle == ("32 days to expiry, 33 are needed" if stands else "")


# --- C7 -------------------------------------------------------------------------------------------

LIQUID = valuer(spx_market(3150.0, 0.25, days=(25, 32, 39, 44), spread=narrow), 3150.0)


def wider(at, condor):
    """A roll to calls twice as wide."""
    new = replace(
        side(values=LIQUID),
        short=LIQUID.option(option("SPXW 06MAR20 3360 C")),
        long=LIQUID.option(option("SPXW 06MAR20 3380 C")),
    )
    old = side(values=LIQUID, legs=condor.legs)
    return replace(at.roll(condor, old, new), credit=Decimal("0.50"))


SHY = condor_position("SPXW 06MAR20 3070/3080/3390/3400", quantity=20, credit="2.50")


@pytest.mark.parametrize(("worth", "stands"), [("1360000", False), ("1359000", True)])
def test_c10_a_roll_that_could_lose_more_stays_within_c7(worth, stands):
    at = desk_of(LIQUID, book(condors=[SHY]), account=account(worth))
    obstacle = at.obstacle(wider(at, SHY), ZERO)  # 20 x (20 - 3.00) x 100
    assert bool(obstacle) is stands
    if stands:
        assert obstacle == "C7: a max loss of 34000 USD, 33975 is allowed"


def test_c10_what_was_rolled_out_of_a_condor_counts_with_it():
    rest = replace(SHY, condor_id="C0001-1", quantity=4)
    at = desk_of(LIQUID, book(condors=[SHY, rest]), account=account("1360000"))
    assert at.obstacle(wider(at, SHY), ZERO) == "C7: a max loss of 37000 USD, 34000 is allowed"
    stranger = replace(rest, condor_id="C0002")
    at = desk_of(LIQUID, book(condors=[SHY, stranger]), account=account("1360000"))
    assert at.obstacle(wider(at, SHY), ZERO) == ""


def test_c10_a_roll_that_could_lose_less_is_let_through_whatever_c7_says():
    at = desk(account=account("100000"))
    assert calls_in(at).max_loss_usd < CONDOR.max_loss_usd
    assert at.obstacle(calls_in(at), ZERO) == ""


@pytest.mark.parametrize(("fraction", "stands"), [(0.06, False), (0.0599, True)])
def test_c10_the_margin_of_all_condors_stays_within_c7(fraction, stands):
    rules = with_rules(max_margin_fraction=fraction, max_loss_fraction=0.9)
    at = desk_of(LIQUID, book(condors=[SHY]), rules=rules)
    roll = wider(at, SHY)
    assert at.margin_added_usd(roll) == 40_000  # 10 and 20 wide share no margin
    obstacle = at.obstacle(roll, ZERO)
    assert obstacle == ("C7: a margin of 60000 USD, 59900 is allowed" if stands else "")


def test_c10_rolls_of_one_plan_share_loss_and_margin():
    twin = replace(SHY, condor_id="C0002")
    rules = with_rules(max_margin_fraction=0.08, max_loss_fraction=0.9)
    at = desk_of(LIQUID, book(condors=[SHY, twin]), rules=rules)
    roll = wider(at, SHY)
    assert at.obstacle(roll, ZERO) == ""
    at.take(roll, new_condor_id="C0001-1", asked_by=("C10",), note="", plan_id="p")
    assert at.obstacle(wider(at, twin), ZERO).startswith("C7: a margin of 120000 USD")


# --- what could be opened -------------------------------------------------------------------------


def test_c10_a_side_of_a_strike_or_expiry_that_is_not_quoted_cannot_be_had():
    at = desk()
    odd = replace(side(), long=replace(side().long, contract=option("SPXW 06MAR20 3381 C")))
    assert at.at_target(odd, at.series_now(side())) is None
    late = replace(side(), long=replace(side().long, contract=option("SPXW 07MAR20 3390 C")))
    assert at.at_target(late, at.series_now(side())) is None


def test_the_margin_a_roll_adds_is_that_of_the_condor_it_makes_less_that_of_the_old():
    roll = calls_in()
    quantity = CONDOR.quantity
    added = condor_margin_usd(roll.legs, quantity, "ib") - condor_margin_usd(LEGS, quantity, "ib")
    assert desk().margin_added_usd(roll) == added == 0
    assert roll.expiry == later(32)
    assert RULES.condor.margin_convention == "ib"
    assert timedelta(days=32) == roll.expiry - FALLEN.session
