"""C4 and C5: which longs, how many and how late, and what no wings can ever do."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.condor.entry import credit_gate, size
from strategies.condor.selection import choose_condor, choose_expiry
from strategies.condor.wings import vega_window
from strategies.model.instruments import Right
from strategies.model.rules import CondorRules
from strategies.model.structures import as_condor
from strategies.pricing.margin import is_covered
from strategies.pricing.valuation import Valuer
from tests.builders import TODAY, account, flat_vol, market_quotes, skewed_vol, spx_chain

RULES = CondorRules()
DAYS = (44, 51, 58, 65, 72, 79, 86, 93)
POSITIVE = replace(RULES, bias="positive", wings="ratio")


def valuer(vol=None, days=DAYS, **chain) -> Valuer:
    return Valuer(market_quotes(spx_options=spx_chain(days=days, vol=vol, **chain)), TODAY)


FLAT = valuer(flat_vol(0.15))


def choose(rules, each=FLAT, **more):
    index, _ = choose_expiry(each, TODAY, rules)
    choice, gates = choose_condor(
        each, index, positions=more.pop("positions", {}), rules=rules, **more
    )
    return choice, gates[-1]


def with_window(rules, low, high):
    return replace(rules, positive_min_net_vega=low, positive_max_net_vega=high)


# --- what no wings can do -------------------------------------------------------------------------


@pytest.mark.parametrize("bias", ["neutral", "positive"])
def test_c5_one_by_one_is_refused_and_the_gate_says_why(bias):
    choice, gates = choose_condor(
        FLAT, 0, positions={}, rules=replace(RULES, bias=bias, wings="one_by_one")
    )
    assert choice is None
    (gate,) = gates
    assert (gate.rule, gate.passed, gate.value) == ("C5", False, "one_by_one")
    assert "a same-expiry 1x1 condor is never vega-positive" in gate.note


surfaces = st.builds(
    skewed_vol,
    st.floats(0.09, 0.28),
    slope=st.floats(-0.25, 0.02),
    curvature=st.floats(0.0, 0.03),
)


@settings(max_examples=40)
@given(vol=surfaces, delta=st.floats(0.15, 0.20))
def test_c5_no_one_by_one_condor_of_one_expiry_has_positive_net_vega(vol, delta):
    """C4's search, asked for what it can never find: every pair of listed wings is looked at."""
    each = valuer(vol, days=(44,))
    rules = replace(RULES, min_net_vega=1e-9, max_net_vega=100.0, short_delta=delta)
    choice, gate = choose(rules, each)
    assert choice is None
    assert gate.value is None or gate.value <= 0


@settings(max_examples=40, deadline=None)
@given(
    vol=surfaces,
    bias=st.sampled_from(["neutral", "positive"]),
    wings=st.sampled_from(["ratio", "diagonal", "either"]),
)
def test_c5_every_choice_is_in_its_window_for_a_credit_with_defined_risk_and_covered(
    vol, bias, wings
):
    each = valuer(vol)
    rules = replace(RULES, bias=bias, wings=wings)
    choice, gate = choose(rules, each)
    assert gate.rule == "C5"
    assert gate.passed is (choice is not None)
    if choice is None:
        return
    legs = choice.legs
    low, high = vega_window(rules)
    assert low <= choice.net_vega <= high
    assert each.condor(legs).vega == pytest.approx(choice.net_vega)
    assert Decimal("0.05") <= choice.credit < legs.worst_points
    assert choice.credit <= Decimal(repr(choice.mid_credit))
    assert as_condor(legs.signed()) == legs
    assert is_covered(dict(legs.signed())) == []
    is_ratio, is_late = legs.long_ratio > legs.short_ratio, not legs.one_expiry
    assert (is_ratio, is_late) in {
        "ratio": [(True, False)],
        "diagonal": [(False, True)],
        "either": [(True, False), (False, True)],
    }[wings]
    assert (legs.long_put.expiry - legs.short_put.expiry).days <= rules.diagonal_max_days
    # the payoff at the shorts' expiry, longs at their intrinsic value, nowhere costs more
    levels = np.arange(500.0, 8000.0, 5.0)
    gained = np.full(len(levels), float(choice.credit))
    for contract, sign in legs.signed():
        side = 1.0 if contract.right is Right.CALL else -1.0
        gained += sign * np.maximum(side * (levels - float(contract.strike)), 0.0)
    assert gained.min() >= float(choice.credit - legs.worst_points) - 1e-9


# --- the window -----------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-1e-6, 0.0, 1e-6])
def test_c5_the_lower_edge_of_the_window_belongs_to_it(offset):
    inside, _ = choose(with_window(POSITIVE, 0.18, 0.35))
    again, _ = choose(with_window(POSITIVE, inside.net_vega + offset, 0.35))
    assert (again.legs == inside.legs) is (offset <= 0)


@pytest.mark.parametrize("offset", [-1e-6, 0.0, 1e-6])
def test_c5_the_upper_edge_of_the_window_belongs_to_it(offset):
    inside, _ = choose(with_window(POSITIVE, 0.18, 0.35))
    again, _ = choose(with_window(POSITIVE, 0.18, inside.net_vega + offset))
    assert (again.legs == inside.legs) is (offset >= 0)


@pytest.mark.parametrize("offset", [-1e-6, 0.0, 1e-6])
def test_c5_a_neutral_condor_is_within_the_limit_on_either_side(offset):
    rules = replace(RULES, bias="neutral", wings="ratio")
    inside, _ = choose(rules)
    assert abs(inside.net_vega) <= rules.neutral_net_vega
    again, _ = choose(replace(rules, neutral_net_vega=abs(inside.net_vega) + offset))
    assert (again.legs == inside.legs) is (offset >= 0)


def test_c5_it_says_what_was_chosen_and_what_v_c_is():
    choice, gate = choose(POSITIVE)
    assert gate.name == "net vega per contract"
    assert gate.threshold == "0.18 .. 0.35"
    usd = FLAT.condor(choice.legs).factor_vega_usd
    kind = f"{choice.legs.long_ratio}:{choice.legs.short_ratio}"
    assert gate.note == f"{kind}, width {choice.legs.width}, V_c {usd:.0f} USD"


def test_c5_the_factor_vega_of_a_diagonal_is_short_where_its_vega_is_long():
    choice, gate = choose(replace(POSITIVE, wings="diagonal"))
    value = FLAT.condor(choice.legs)
    assert value.vega >= 0.18
    assert value.factor_vega_usd < 0
    late = (choice.legs.long_put.expiry - choice.legs.short_put.expiry).days
    assert gate.note.startswith(f"{late} days later, width ")


def test_c5_where_nothing_fits_it_says_how_near_the_nearest_came():
    choice, gate = choose(with_window(POSITIVE, 1.9995, 1.99951))
    assert choice is None
    assert not gate.passed
    assert gate.value == pytest.approx(1.9995, abs=0.2)
    assert gate.note.startswith("no wings fit with a credit; nearest ")


@pytest.mark.parametrize(("most", "found"), [(6, False), (7, True), (8, True)])
def test_c5_longs_are_at_most_so_many_days_later(most, found):
    rules = replace(RULES, bias="neutral", wings="diagonal", diagonal_max_days=most)
    choice, gate = choose(rules)
    assert (choice is not None) is found
    if not found:
        assert (gate.value, gate.note) == (None, "no wings are quoted")


def test_c5_longs_of_another_settlement_are_no_diagonal():
    each = valuer(flat_vol(0.15), days=(44,))
    choice, gate = choose(replace(POSITIVE, wings="diagonal"), each)
    assert choice is None
    assert gate.note == "no wings are quoted"


# --- the best -------------------------------------------------------------------------------------


def test_c5_either_is_the_better_of_both_by_credit_over_max_loss():
    def rank(choice):
        return choice.credit / (choice.legs.worst_points - choice.credit)

    rules = replace(RULES, bias="neutral")
    ratio, diagonal, either = (
        choose(replace(rules, wings=wings))[0] for wings in ("ratio", "diagonal", "either")
    )
    assert either in (ratio, diagonal)
    assert rank(either) == max(rank(ratio), rank(diagonal))


def test_c5_takes_the_best_credit_over_max_loss_of_equal_ratio_wings():
    choice, _ = choose(with_window(POSITIVE, 0.05, 1.0))
    legs, best = choice.legs, (0.0,)
    assert legs.put_width == legs.call_width
    for longs, shorts in ((2, 1), (3, 2)):
        for width in range(5, 400, 5):
            put = replace(legs.long_put, strike=legs.short_put.strike - width)
            call = replace(legs.long_call, strike=legs.short_call.strike + width)
            value = FLAT.condor(
                replace(legs, long_put=put, long_call=call, short_ratio=shorts, long_ratio=longs)
            )
            if value is None or not 0.05 <= value.vega <= 1.0:
                continue
            credit = value.mid_debit - 0.5 * (value.natural_debit - value.mid_debit)
            best = max(best, (credit / (shorts * width - credit), longs, shorts, width))
    assert best[1:] == (legs.long_ratio, legs.short_ratio, legs.width)


def test_c5_prefers_what_c7_can_pay_for_to_what_pays_best():
    rich, _ = choose(POSITIVE)
    points = rich.legs.worst_points - rich.credit
    assert choose(POSITIVE, most_points=float(points))[0] == rich
    poor, _ = choose(POSITIVE, most_points=float(points) - 0.06)
    assert poor.legs.worst_points - poor.credit < points
    assert choose(POSITIVE, most_points=1.0)[0] == rich  # C7 then says that it is too dear


def test_c4_does_not_ask_what_c7_can_pay_for():
    rules = replace(RULES, min_net_vega=-1.0)
    assert choose(rules, most_points=1.0)[0] == choose(rules)[0]


def test_c6_a_ratio_condor_s_credit_is_over_the_width_of_all_its_shorts():
    choice, _ = choose(replace(POSITIVE, bias="neutral"))
    ratio = replace(choice, legs=replace(choice.legs, short_ratio=2, long_ratio=3))
    width = 2 * ratio.legs.width
    at = replace(ratio, credit=width / 10)
    assert credit_gate(at, RULES).passed
    assert credit_gate(at, RULES).value == 0.1
    assert not credit_gate(replace(at, credit=width / 10 - Decimal("0.05")), RULES).passed
    assert credit_gate(replace(at, credit=width / 10 + Decimal("0.05")), RULES).passed


@pytest.mark.parametrize(("cents", "count"), [(-1, 1), (0, 2), (1, 2)])
def test_c7_counts_the_carry_of_a_diagonal_as_loss(cents, count):
    choice, _ = choose(replace(RULES, bias="neutral", wings="diagonal"))
    legs = choice.legs
    assert legs.worst_points > legs.width
    loss = (legs.worst_points - choice.credit) * 100
    worth = 2 * loss / Decimal("0.025") + cents
    quantity, _ = size(choice, account(str(worth)), Decimal(0), RULES)
    assert quantity == count


# --- no netting, across expiries ------------------------------------------------------------------


@pytest.mark.parametrize("held", [-1, 1])
def test_a_later_long_that_the_book_is_short_is_passed_over(held):
    rules = replace(RULES, bias="neutral", wings="diagonal")
    free, _ = choose(rules)
    again, _ = choose(rules, positions={free.legs.long_put: held})
    assert (again.legs.long_put == free.legs.long_put) is (held > 0)


def test_a_later_long_of_a_condor_that_is_being_closed_is_passed_over():
    rules = replace(RULES, bias="neutral", wings="diagonal")
    free, _ = choose(rules)
    again, _ = choose(rules, closing=(free.legs.long_call,))
    assert again.legs.long_call != free.legs.long_call


def test_a_strike_that_is_no_longer_listed_is_nobody_s_obstacle():
    free, _ = choose(POSITIVE)
    gone = replace(free.legs.long_put, strike=Decimal(17))
    assert choose(POSITIVE, positions={gone: -4})[0] == free
