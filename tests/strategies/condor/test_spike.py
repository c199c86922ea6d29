"""C11: what a condor does in a spike before any VIX layer is boosted."""

from dataclasses import replace
from decimal import Decimal

import pytest

from strategies.alvh.relief import spike_relief
from strategies.condor.moves import SHOCK_POINTS, Asked, MoveTable, toward_shock
from strategies.condor.rolls import side_of
from strategies.condor.spike import Rival, spike_roll
from strategies.model.fees import DEFAULT_FEES, fee_per_contract
from strategies.model.instruments import Right
from strategies.model.memory import Memory
from strategies.model.quotes import to_price
from strategies.pricing.shocks import shock_pnl, usual_spx_fraction
from tests.builders import account, book, condor_position
from tests.strategies.condor.roll_markets import (
    CONDOR,
    RULES,
    adjust,
    desk_of,
    later,
    narrow,
    spx_market,
    valuer,
    with_rules,
)
from tests.strategies.condor.test_adjust import DIAGONAL, RATIO, gate_of, only

# The puts of a condor with later longs, at a delta of 0.27: moved out they pay for themselves
SHAKEN = valuer(spx_market(3200.0, 0.20, days=(25, 32, 39, 44, 53, 60, 65), spread=narrow), 3200.0)
LATE = condor_position(DIAGONAL, quantity=1, credit="2.60")
HEDGE = Rival(name="VIX 18MAR20 25 C", per_dollar=4.0)


def spiking(*condors, values=SHAKEN, hedge=HEDGE, **facts):
    return adjust(values, *condors, spike=True, hedge=hedge, **facts)


def roll_of(values=SHAKEN, condor=LATE, rules=RULES):
    desk = desk_of(values, book(condors=[condor]), rules=rules)
    asked = Asked(condor, side_of(values, condor.legs, Right.PUT))
    return spike_roll(asked, MoveTable(desk, [asked]), desk, lambda: None, "").roll, desk


def saving_of(roll, desk):
    """What the columns say of a roll."""
    asked = Asked(roll.condor, roll.old)
    table = MoveTable(desk, [asked])
    moves = table.further_out(roll.condor)
    (place,) = [n for n in range(len(moves.credit)) if table.roll(asked, moves, n) == roll]
    return moves.saving(place)


def test_c11_moves_the_shorts_out_to_c3_s_delta_for_a_credit():
    made = spiking(LATE)
    ordered = only(made)
    new = ordered.adjust.new_legs
    short = SHAKEN.option(new.short_put)
    assert abs(short.delta) == pytest.approx(RULES.condor.short_delta, abs=0.01)
    assert new.short_put.strike < DIAGONAL.short_put.strike
    assert new.put_width >= DIAGONAL.put_width
    assert (new.short_call, new.long_call) == (DIAGONAL.short_call, DIAGONAL.long_call)
    assert ordered.order.rules == ordered.adjust.rules == ("C11",)
    assert ordered.order.worst_price <= 0
    assert [gate.passed for gate in made.gates if gate.rule == "C11"] == [False, True, True]
    assert "C10" not in {gate.rule for gate in made.gates}  # one answer a condor


def test_c11_acts_in_a_spike_only():
    assert adjust(SHAKEN, LATE).ordered == ()


@pytest.mark.parametrize("side", [-1, 0, 1])
def test_c11_a_short_is_away_beyond_c3_s_tolerance_only(side):
    delta = abs(SHAKEN.option(DIAGONAL.short_put).delta)
    rules = with_rules(delta_tolerance=round(delta - 0.16, 12) + side * 1e-9)
    made = spiking(LATE, rules=rules)
    if side == -1:
        assert made.ordered
    if side == 1:
        assert made.ordered == ()
        assert gate_of(made, "short delta of C0001 in a spike").passed


def test_c11_moves_where_it_saves_more_a_dollar_than_the_hedge_would():
    rate = saving_of(*roll_of()).per_dollar
    for asked, moves in ((rate * (1 - 1e-9), True), (rate, False), (rate * (1 + 1e-9), False)):
        made = spiking(LATE, hedge=replace(HEDGE, per_dollar=asked))
        assert bool(made.ordered) is moves
        gate = gate_of(made, "spike loss saved a dollar")
        assert gate.passed is moves
        if not moves:
            (reason,) = made.reasons
            assert "saves" in reason
            assert HEDGE.name in reason


def test_c11_without_a_hedge_to_buy_any_saving_is_better():
    assert spiking(LATE, hedge=None).ordered
    made = spiking(replace(LATE, legs=RATIO, entry_credit=Decimal("7.20")), hedge=None)
    gate = gate_of(made, "spike loss saved a dollar")
    assert gate.value < 0  # ratio wings gain in a fall; moved out they would gain less
    assert not gate.passed
    assert "no hedge to buy" in gate.note
    assert made.ordered == ()


def test_c11_saves_the_difference_of_two_shock_losses():
    roll, desk = roll_of()
    fall = (usual_spx_fraction(SHOCK_POINTS), SHOCK_POINTS)
    after = replace(LATE, legs=roll.legs)
    before_usd, after_usd = (shock_pnl(SHAKEN, [each], (), *fall) for each in (LATE, after))
    saving = saving_of(roll, desk)
    assert saving.saved_usd == pytest.approx(after_usd - before_usd)
    assert saving.saved_usd > 0
    assert toward_shock(Right.PUT) == fall


def test_c11_a_roll_costs_what_it_gives_up_its_fees_and_the_hurdle_on_more_margin():
    roll, desk = roll_of()
    given_up = (roll.mid_credit - float(roll.credit)) * 100 * LATE.quantity
    values = (roll.old.long, roll.old.short, roll.new.short, roll.new.long)
    fees = LATE.quantity * sum(
        float(fee_per_contract(each.contract, to_price(each.mid), DEFAULT_FEES, is_combo=True))
        for each in values
    )
    added = float(desk.margin_added_usd(roll))
    assert added > 0  # it is wider
    days = desk.days(roll.expiry) - RULES.condor.time_exit_dte
    margin = added * RULES.condor.hurdle * days / 365
    assert saving_of(roll, desk).cost_usd == pytest.approx(given_up + fees + margin)


def test_c11_a_plain_condor_that_must_be_widened_to_pay_loses_more_and_stays():
    """The credit of a roll out is bought with width, and the width is lost in the shock."""
    made = spiking(replace(CONDOR, quantity=2), hedge=None)
    assert made.ordered == ()
    assert gate_of(made, "net credit of moving").passed
    assert gate_of(made, "spike loss saved a dollar").value < 0


def test_c11_names_what_c7_forbids():
    made = spiking(CONDOR, account=account("500000"))
    assert made.ordered == ()
    gate = gate_of(made, "net credit of moving")
    assert gate.value is None
    assert "C7: a max loss of" in gate.note
    (reason,) = made.reasons
    assert reason == f"C11: C0001 is not rolled: {gate.note}"


def test_c11_says_so_where_nothing_lies_further_out():
    near = valuer(spx_market(3200.0, 0.20, days=(32,), lowest=3060.0), 3200.0)
    made = spiking(CONDOR, values=near)
    assert gate_of(made, "net credit of moving").note == "nothing further out fits"


def test_c11_where_it_does_not_answer_c10_may():
    fallen = valuer(spx_market(3150.0, 0.20), 3150.0)
    made = spiking(CONDOR, values=fallen)
    assert only(made).adjust.rules == ("C10",)
    assert [reason[:4] for reason in made.reasons] == ["C11:"]


@pytest.mark.parametrize("blocked", ["session", "adjustments"])
def test_c11_not_twice_in_a_session_nor_more_often_than_allowed(blocked):
    change = {"rolled_on": later(0)} if blocked == "session" else {"adjustments": 2}
    made = spiking(replace(LATE, **change))
    assert made.ordered == ()
    assert made.reasons[0].startswith("C11: C0001 is not rolled: ")
    assert only(spiking(replace(LATE, rolled_on=later(-1), adjustments=1))).adjust.adjustments == 2


def test_c11_applied_and_asked_again_rolls_nothing_more():
    made = spiking(LATE)
    after = made.after([LATE])
    assert spiking(*after, memory=Memory(rolls=made.rolls)).ordered == ()
    tomorrow = [replace(each, rolled_on=later(-1)) for each in after]
    assert spiking(*tomorrow, memory=Memory(rolls=made.rolls)).ordered == ()  # it is at C3 again


def test_c11_the_rival_is_what_l1_would_buy_first():
    relief = spike_relief(SHAKEN, RULES)
    assert relief is not None
    assert relief.per_dollar == relief.gain_usd / relief.cost_usd > 0
