"""What condors tie up, the orders at work counted as filled."""

from dataclasses import replace
from decimal import Decimal

from strategies.condor.exposure import read_exposure
from strategies.model.structures import option_positions
from tests.builders import book, condor_legs, condor_position, hedge_position, option
from tests.strategies.condor.roll_markets import CONDOR, LEGS, at_work
from tests.strategies.risk.test_gate import at_work as working_of
from tests.strategies.risk.test_gate_rolls import roll

OTHER = condor_legs("SPXW 06MAR20 3000/3010/3400/3410")


def exposure(*working, condors=(CONDOR,)):
    return read_exposure(book(condors=condors, working=working), "ib")


def test_condors_count_with_their_margin_and_their_legs():
    alone = exposure()
    assert alone.margin_usd == 20 * 10 * 100
    assert alone.positions == option_positions(book(condors=[CONDOR]))
    assert alone.entries_at_work == 0


def test_an_entry_at_work_counts_as_filled():
    made = exposure(at_work("condor:C0002:open", OTHER, sign=1, leaves=3))
    assert made.entries_at_work == 1
    assert made.margin_usd == (20 + 3) * 10 * 100
    assert made.positions[OTHER.short_put] == -3


def test_a_close_at_work_and_a_hedge_change_nothing():
    selling = replace(at_work("x:C0001:x"), legs=((option("VIX 18MAR20 25 C").symbol, -1),))
    closing = at_work("condor:C0001:close", LEGS, leaves=20)
    assert exposure(closing, replace(selling, condor_id=None)) == exposure()
    assert exposure(replace(closing, condor_id="C0404")) == exposure()
    assert read_exposure(
        book(hedges=[hedge_position("VIX 18MAR20 25 C", 4)]), "ib"
    ).margin_usd == Decimal(0)


def test_c10_a_roll_at_work_adds_what_it_opens_and_takes_nothing_off():
    wider = condor_legs("SPXW 06MAR20 3070/3080/3350/3370")
    rolling = working_of(roll(wider, 5, held=LEGS))
    made = exposure(rolling)
    assert made.entries_at_work == 0
    # of 5 condors 10 and 20 wide, which share nothing, in the place of 10 and 10
    assert made.margin_usd == (20 * 10 + 5 * 20) * 100
    assert made.positions[LEGS.short_call] == -20
    assert made.positions[wider.short_call] == -5
    assert made.positions[wider.long_call] == 5
    same = exposure(working_of(roll(condor_legs("SPXW 06MAR20 3070/3080/3350/3360"), 5, held=LEGS)))
    assert same.margin_usd == 20 * 10 * 100


def test_c10_a_roll_of_a_condor_that_is_gone_counts_as_nothing():
    rolling = working_of(roll(condor_legs("SPXW 06MAR20 3070/3080/3350/3370"), 5, held=LEGS))
    other = condor_position(OTHER, condor_id="C0002")
    assert exposure(rolling, condors=(other,)) == exposure(condors=(other,))
