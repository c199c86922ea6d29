"""C10, C11: the rolls of many condors in columns are those of each, found and priced by itself."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from strategies.condor import adjust
from strategies.condor.moves import Asked, MoveTable, toward_shock
from strategies.condor.rolls import side_of
from strategies.condor.spike import spike_roll
from strategies.model.instruments import Right
from strategies.model.structures import after_roll
from tests.builders import account, book, condor_position, option, spx_chain
from tests.strategies.condor import one_by_one
from tests.strategies.condor.roll_markets import (
    LEGS,
    RULES,
    desk_of,
    later,
    narrow,
    spx_market,
    valuer,
    with_rules,
)
from tests.strategies.condor.test_adjust import CONDORS, DIAGONAL, MARKETS

ZERO = Decimal(0)
FALLEN = valuer(spx_market(3150.0, 0.20), 3150.0)
WEEKS = valuer(spx_market(3200.0, 0.20, days=(25, 32, 39, 44, 53, 60, 65), spread=narrow), 3200.0)
# Two sides in different expiries, and another one of later longs
ROLLED = replace(
    LEGS,
    short_put=replace(LEGS.short_put, expiry=later(39)),
    long_put=replace(LEGS.long_put, expiry=later(39)),
)
EVERY = [*CONDORS, ROLLED, replace(DIAGONAL, long_call=LEGS.long_call)]


def asked_of(values, right, *, legs=EVERY, credit="2.50"):
    """Every condor's side of one right."""
    found = []
    for number, each in enumerate(legs, start=1):
        condor = condor_position(each, condor_id=f"C{number:04d}", quantity=number, credit=credit)
        side = side_of(values, each, right)
        if side is not None:
            found.append(Asked(condor, side))
    return found


def held(asked):
    return book(condors=[each.condor for each in asked])


def same(moves, rolls, table, asked):
    """The columns list these rolls, in their order, with their prices."""
    listed = [table.roll(asked, moves, place) for place in range(len(moves.credit))]
    assert listed == rolls
    assert moves.credit.tolist() == [float(roll.credit) for roll in rolls]
    assert moves.delta.tolist() == [abs(roll.new.short.delta) for roll in rolls]
    assert moves.max_loss_usd == pytest.approx([float(roll.max_loss_usd) for roll in rolls])
    return listed


@pytest.mark.parametrize("convention", ["ib", "cboe"])
@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("market", [*MARKETS, "fallen", "weeks"])
def test_c10_c11_columns_list_price_and_judge_what_one_by_one_is_found(market, right, convention):
    values = MARKETS.get(market) or {"fallen": FALLEN, "weeks": WEEKS}[market]
    asked = asked_of(values, right)
    rules = with_rules(margin_convention=convention)
    desk = desk_of(values, held(asked), rules=rules)
    table = MoveTable(desk, asked)
    for each in asked:
        ways = (
            (table.out_in_time(each.condor), one_by_one.rolls_out, Decimal("0.05"), right),
            (table.further_out(each.condor), one_by_one.moves_out, ZERO, Right.PUT),
        )
        for moves, find, least, shocked in ways:
            rolls = same(moves, find(desk, each), table, each)
            added = [float(desk.margin_added_usd(roll)) for roll in rolls]
            assert moves.margin_added_usd == pytest.approx(added)
            for roll in rolls:
                made = after_roll(each.condor.legs, roll.order_legs)
                assert roll.makes_a_condor is (made == roll.legs)
                assert roll.makes_a_condor is (made is not None)
            refused = moves.refused | desk.surely_too_much(
                each.condor, moves.max_loss_usd, moves.margin_added_usd
            )
            assert refused.tolist() == [bool(desk.obstacle(roll, least)) for roll in rolls]
            for place in np.flatnonzero(~moves.refused).tolist():
                expected = one_by_one.saving_of(rolls[place], desk, toward_shock(shocked))
                got = moves.saving(place)
                assert got.saved_usd == pytest.approx(expected.saved_usd)
                assert got.cost_usd == pytest.approx(expected.cost_usd)


def test_c10_c11_c7_is_asked_with_what_the_plan_has_done_so_far():
    asked = asked_of(FALLEN, Right.PUT)
    desk = desk_of(FALLEN, held(asked), account=account("150000"))
    table = MoveTable(desk, asked)
    for each in asked:
        moves = table.further_out(each.condor)
        refused = moves.refused | desk.surely_too_much(
            each.condor, moves.max_loss_usd, moves.margin_added_usd
        )
        obstacles = [
            desk.obstacle(table.roll(each, moves, place), ZERO) for place in range(len(refused))
        ]
        assert refused.tolist() == [bool(obstacle) for obstacle in obstacles]
        assert any("C7" in obstacle for obstacle in obstacles)


def test_c10_later_series_are_of_the_same_root_inside_the_window():
    mixed = valuer(spx_chain(spot=3150.0, days=(25, 32, 39, 44, 46), root="SPXW"), 3150.0)
    (asked,) = asked_of(mixed, Right.CALL, legs=[LEGS])
    desk = desk_of(mixed, held([asked]))
    assert {roll.expiry for roll in one_by_one.rolls_out(desk, asked)} == {later(32)}
    table = MoveTable(desk, [asked])
    chain, moves = mixed.market.spx_options, table.out_in_time(asked.condor)
    found = {chain.series[chain.series_index[row]].expiry for row in moves.short_row.tolist()}
    assert found == {later(39), later(44)}
    short = replace(asked.old.short, contract=option("SPX 06MAR20 3380 C"))
    long = replace(asked.old.long, contract=option("SPX 06MAR20 3390 C"))
    monthly = Asked(asked.condor, replace(asked.old, short=short, long=long))
    moves = MoveTable(desk, [monthly]).out_in_time(asked.condor)
    assert len(moves.credit) == 0


def test_c10_c11_longs_of_an_expiry_that_is_not_quoted_move_nowhere():
    (asked,) = asked_of(FALLEN, Right.CALL, legs=[LEGS])
    long = replace(asked.old.long, contract=option("SPXW 07MAR20 3390 C"))
    late = Asked(asked.condor, replace(asked.old, long=long))
    table = MoveTable(desk_of(FALLEN, held([asked])), [late])
    assert len(table.out_in_time(asked.condor).credit) == 0
    assert len(table.further_out(asked.condor).credit) == 0


def test_c11_a_side_is_as_wide_as_its_credit_needs_and_never_narrower():
    (asked,) = asked_of(WEEKS, Right.PUT, legs=[LEGS])
    desk = desk_of(WEEKS, held([asked]))
    table = MoveTable(desk, [asked])
    moves = table.further_out(asked.condor)
    for place in range(len(moves.credit)):
        roll = table.roll(asked, moves, place)
        assert roll.new.width >= LEGS.put_width
        if roll.new.width > LEGS.put_width and roll.credit >= 0:
            tick = 5  # the strikes of this chain
            strike = roll.new.long.contract.strike + tick
            nearer = WEEKS.option(replace(roll.new.long.contract, strike=strike))
            narrower = desk.roll(asked.condor, asked.old, replace(roll.new, long=nearer))
            assert narrower.credit < 0


def test_c11_without_a_strike_to_sell_or_a_wing_to_buy_there_is_none():
    few = valuer(spx_chain(spot=3150.0, days=(32,), strikes=np.arange(3060.0, 3400.0, 5.0)), 3150.0)
    (asked,) = asked_of(few, Right.PUT, legs=[LEGS])
    moves = MoveTable(desk_of(few, held([asked])), [asked]).further_out(asked.condor)
    assert len(moves.credit) == 0  # nothing at C3
    (asked,) = asked_of(FALLEN, Right.PUT, legs=[LEGS])
    long = replace(asked.old.long, contract=option("SPXW 06MAR20 2000 P"))
    wide = Asked(asked.condor, replace(asked.old, long=long))
    moves = MoveTable(desk_of(FALLEN, held([asked])), [wide]).further_out(asked.condor)
    assert len(moves.credit) == 0  # no wing so wide


def test_c11_freed_margin_makes_no_roll_cheaper():
    """A side that becomes as wide as the other frees margin; the hurdle is asked on none of it."""
    (asked,) = asked_of(WEEKS, Right.PUT, legs=[LEGS])
    desk = desk_of(WEEKS, held([asked]))
    table = MoveTable(desk, [asked])
    moves = table.further_out(asked.condor)
    place = int(np.flatnonzero(~moves.refused)[0])
    roll = table.roll(asked, moves, place)
    assert roll.new.width > LEGS.put_width
    assert desk.margin_added_usd(roll) > 0
    call = replace(LEGS.long_call, strike=LEGS.short_call.strike + roll.new.width)
    condor = replace(asked.condor, legs=replace(LEGS, long_call=call))
    widened = MoveTable(desk, [Asked(condor, asked.old)]).further_out(condor)
    assert widened.margin_added_usd[place] < 0
    idle = moves.margin_added_usd[place] * RULES.condor.hurdle
    days = (roll.expiry - WEEKS.session).days - RULES.condor.time_exit_dte
    dearer = moves.cost_usd[place] - widened.cost_usd[place]
    assert dearer == pytest.approx(idle * days / 365)


@pytest.mark.parametrize("rule", ["C10", "C11"])
def test_c10_c11_what_the_plan_trades_the_other_way_is_passed_over(rule):
    """The best roll would sell what a roll before it has bought; the next best goes."""
    (asked,) = asked_of(WEEKS, Right.PUT, legs=[DIAGONAL], credit="2.60")
    far = side_of(WEEKS, DIAGONAL, Right.CALL)

    def chosen(desk):
        table = MoveTable(desk, [asked])
        if rule == "C11":
            return spike_roll(asked, table, desk, lambda: None, "").roll
        return adjust.tested_roll(asked, far, table, desk, "").roll

    rules = with_rules(tested_delta=0.2)
    best = chosen(desk_of(WEEKS, held([asked]), rules=rules))
    assert best is not None
    desk = desk_of(WEEKS, held([asked]), rules=rules)
    other = replace(asked.condor, condor_id="C0001-1", legs=best.legs)
    ways = [*one_by_one.rolls_out(desk, asked), *one_by_one.moves_out(desk, asked)]
    away = next(roll.new for roll in ways if roll.new.short.contract != best.new.short.contract)
    desk.take(
        desk.roll(other, best.new, away),
        new_condor_id="C0001-2",
        asked_by=(rule,),
        note="",
        plan_id="plan",
    )
    assert chosen(desk) not in (None, best)
