"""C1, C6, C7 and C8: whether a condor is sold, and how many."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from strategies.condor.entry import (
    credit_gate,
    plan_entry,
    return_gate,
    schedule_gates,
    size,
)
from strategies.condor.selection import CondorChoice
from strategies.model.orders import PositionEffect, Urgency
from strategies.model.rules import CondorRules
from strategies.model.snapshots import EventAhead, EventKind
from strategies.pricing.returns import condor_irr
from strategies.pricing.valuation import Valuer
from tests.builders import (
    AT,
    TODAY,
    account,
    condor_legs,
    daily_history,
    instant,
    market_quotes,
    market_snapshot,
)

RULES = CondorRules()


def passed(snapshot, *, at_work=0, rules=RULES):
    gates = schedule_gates(snapshot, entries_at_work=at_work, rules=rules)
    assert {gate.rule for gate in gates} == {"C1"}
    return all(gate.passed for gate in gates)


# --- C1 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("due", [True, False])
def test_c1_enters_only_when_the_schedule_says_so(due):
    assert passed(market_snapshot(entry_due=due)) is due


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("11:15", True), ("11:16", False), ("12:00", False), ("10:00", True)],
)
def test_c1_leaves_two_hours_before_an_early_close(clock, expected):
    """Fault D11: an early close."""
    market = replace(market_quotes(), at=instant(f"2020-02-03 {clock}"))
    snapshot = market_snapshot(market=market, is_early_close=True)
    assert snapshot.closes_at - snapshot.at == timedelta(hours=13, minutes=15) - timedelta(
        hours=int(clock[:2]), minutes=int(clock[3:])
    )
    assert passed(snapshot) is expected


def test_c1_does_not_mind_the_hour_on_a_whole_day():
    market = replace(market_quotes(), at=instant("2020-02-03 15:45"))
    assert passed(market_snapshot(market=market))


@pytest.mark.parametrize(
    ("days", "skip", "expected"),
    [(0, True, False), (1, True, True), (0, False, True)],
)
def test_c1_sits_an_event_day_out_if_configured(days, skip, expected):
    event = EventAhead(kind=EventKind.CPI, day=TODAY + timedelta(days=days), trading_days=days)
    snapshot = market_snapshot(events=(event,))
    assert passed(snapshot, rules=replace(RULES, skip_event_days=skip)) is expected


@pytest.mark.parametrize("skip", [True, False])
def test_c1_without_an_event_calendar_only_who_does_not_care_enters(skip):
    rules = replace(RULES, skip_event_days=skip)
    gates = schedule_gates(market_snapshot(events=None), entries_at_work=0, rules=rules)
    events = [gate for gate in gates if gate.name == "event today"]
    assert [(g.value, g.passed, g.note) for g in events] == (
        [(None, False, "no event calendar")] if skip else []
    )


def test_c1_waits_for_an_entry_that_is_still_at_work():
    assert not passed(market_snapshot(), at_work=1)


# --- C6 and C7 ------------------------------------------------------------------------------------


def choice(credit: str = "2.50", legs: str = "SPXW 20MAR20 3040/3050/3405/3415") -> CondorChoice:
    return CondorChoice(
        legs=condor_legs(legs),
        mid_credit=float(credit) + 0.3,
        credit=Decimal(credit),
        net_vega=-0.3,
        short_put_delta=-0.16,
        short_call_delta=0.16,
        sigma_sqrt_t=0.05,
    )


@pytest.mark.parametrize(("credit", "expected"), [("0.95", False), ("1.00", True), ("1.05", True)])
def test_c6_refuses_a_credit_below_the_floor(credit, expected):
    gate = credit_gate(choice(credit), RULES)
    assert gate.rule == "C6"
    assert gate.passed is expected
    assert gate.threshold == 0.10


@pytest.mark.parametrize(("floor", "credit", "strikes"), [(0.3, "2.1", 7), (0.15, "1.05", 7)])
def test_c6_takes_a_credit_at_exactly_the_floor(floor, credit, strikes):
    legs = f"SPXW 20MAR20 {3050 - strikes}/3050/3405/{3405 + strikes}"
    gate = credit_gate(choice(credit, legs), replace(RULES, min_credit_to_width=floor))
    assert gate.passed
    assert gate.value == floor


def test_c6_measures_the_wider_wing():
    gate = credit_gate(choice("1.00", "SPXW 20MAR20 3040/3050/3405/3420"), RULES)
    assert gate.value == pytest.approx(1 / 15, abs=1e-4)
    assert not gate.passed


@pytest.mark.parametrize(
    ("worth", "expected"),
    [("29999", 0), ("30000", 1), ("30001", 1), ("990000", 33), ("989999", 32)],
)
def test_c7_max_loss_of_a_position_stays_within_its_share(worth, expected):
    quantity, gates = size(choice(), account(worth), Decimal(0), RULES)  # 750 USD each
    assert quantity == expected
    assert [gate.rule for gate in gates] == ["C7", "C7"]
    assert gates[0].passed is (expected >= 1)


@pytest.mark.parametrize(
    ("used", "expected"),
    [("490000", 10), ("490001", 9), ("499000", 1), ("499001", 0), ("600000", 0)],
)
def test_c7_total_margin_stays_within_half(used, expected):
    quantity, gates = size(choice(), account(), Decimal(used), RULES)  # 1,000 USD each
    assert quantity == expected
    assert gates[1].passed is (expected >= 1)


def test_c7_unequal_wings_cost_the_margin_of_both():
    unequal = choice(legs="SPXW 20MAR20 3040/3050/3405/3420")
    quantity, _ = size(unequal, account(), Decimal(490000), RULES)
    assert quantity == 4  # 2,500 USD each
    cboe = replace(RULES, margin_convention="cboe")
    quantity, _ = size(unequal, account(), Decimal(490000), cboe)
    assert quantity == 6  # 1,500 USD: the wider wing


# --- C8 -------------------------------------------------------------------------------------------


MARKET = market_quotes()


def chosen() -> CondorChoice:
    found = entry().opened
    return CondorChoice(
        legs=found.legs,
        mid_credit=found.mid_credit,
        credit=-entry().order.worst_price,
        net_vega=found.net_vega,
        short_put_delta=found.short_put_delta,
        short_call_delta=found.short_call_delta,
        sigma_sqrt_t=found.entry_sigma_sqrt_t,
    )


def rate_gate(*, ratio=0.8, wacc=0.06, hedge_share=0.10, hurdle=0.18):
    return return_gate(
        chosen(),
        Valuer(MARKET, TODAY),
        ratio=ratio,
        hedge_share=hedge_share,
        wacc=wacc,
        rules=replace(RULES, hurdle=hurdle),
    )


def expected_rate(**changes) -> float:
    """Return the rate by the pricing module, unrounded."""
    condor = chosen()
    return condor_irr(
        Valuer(MARKET, TODAY),
        condor.legs,
        credit=condor.credit,
        hedge_usd=condor.credit * 100 * Decimal(repr(changes.get("hedge_share", 0.10))),
        ratio=changes.get("ratio", 0.8),
        convention="ib",
    ).rate


@pytest.mark.parametrize(("offset", "passed"), [(-1e-9, True), (0.0, True), (1e-9, False)])
def test_c8_the_expected_rate_must_reach_the_hurdle(offset, passed):
    gate = rate_gate(hurdle=expected_rate() + offset)
    assert (gate.rule, gate.passed) == ("C8", passed)
    assert gate.value == pytest.approx(expected_rate(), abs=1e-6)


@pytest.mark.parametrize(("offset", "passed"), [(-1e-9, True), (0.0, True), (1e-9, False)])
def test_c8_the_expected_rate_must_reach_the_cost_of_capital_too(offset, passed):
    gate = rate_gate(wacc=expected_rate() + offset)
    assert gate.passed is passed
    assert gate.threshold == pytest.approx(expected_rate(), abs=1e-6)
    assert gate.note == f"hurdle 18.00%, WACC {expected_rate() + offset:.2%}"


def test_c8_the_hedge_s_cost_lowers_the_rate():
    dear = rate_gate(hedge_share=0.12)
    assert dear.value == pytest.approx(expected_rate(hedge_share=0.12), abs=1e-6)
    assert dear.value < rate_gate(hedge_share=0.08).value


def test_c8_a_condor_that_is_not_short_vega_pays_for_no_core():
    def rate(hedge_share, legs):
        return return_gate(
            replace(chosen(), legs=legs),
            Valuer(MARKET, TODAY),
            ratio=0.8,
            hedge_share=hedge_share,
            wacc=None,
            rules=RULES,
        ).value

    plain = chosen().legs
    double = replace(plain, long_ratio=2)
    assert Valuer(MARKET, TODAY).condor(double).factor_vega_usd > 0
    assert rate(0.12, double) == rate(0.0, double)
    assert rate(0.12, plain) < rate(0.0, plain)


def test_c8_without_a_cost_of_capital_the_hurdle_alone_counts():
    gate = rate_gate(wacc=None)
    assert (gate.passed, gate.threshold) == (True, 0.18)
    assert gate.note == "hurdle 18.00%, WACC not known"


def test_c8_a_rate_that_nobody_knows_is_no_reason_to_sell():
    gate = rate_gate(ratio=None)
    assert (gate.passed, gate.value) == (False, None)
    assert gate.note == "no realised to implied ratio; hurdle 18.00%, WACC 6.00%"


def test_c8_a_market_more_volatile_than_its_options_say_is_not_sold_and_the_journal_says_so():
    returns = np.where(np.arange(300) % 2, 0.018, -0.018)  # 29 % a year against a VIX of 15
    wild = daily_history(spx=3250.0 * np.exp(np.cumsum(returns)))
    plan = entry(history=wild)
    assert plan.order is None
    assert [gate.rule for gate in plan.gates if not gate.passed] == ["C8"]
    assert plan.reasons[0].startswith("C8: expected IRR net of hedge cost -")


def test_c8_an_entry_says_that_it_was_asked():
    assert entry().order.rules == ("C1", "C2", "C3", "C4", "C6", "C7", "C8")
    ratio = replace(RULES, bias="neutral", wings="ratio", min_credit_to_width=0.0, hurdle=0.0)
    plan = entry(ratio)
    assert "C5" in plan.order.rules
    assert "C4" not in plan.order.rules
    assert [leg.ratio for leg in plan.order.legs] in ([2, -1, -1, 2], [3, -2, -2, 3])
    assert plan.opened.legs.long_ratio == plan.order.legs[0].ratio


# --- the whole entry ------------------------------------------------------------------------------


def entry(rules=RULES, *, worth="1000000", used="0", market=None, wacc=0.06, history=None):
    snapshot = market_snapshot(market=market, history=history)
    return plan_entry(
        snapshot,
        Valuer(snapshot.market, TODAY),
        account=account(worth),
        condor_id="C0007",
        positions={},
        margin_used_usd=Decimal(used),
        hedge_share=0.10,
        wacc=wacc,
        plan_id="p",
        rules=rules,
    )


def test_an_entry_is_a_guaranteed_four_legged_credit():
    plan = entry()
    order, opened = plan.order, plan.opened
    assert order.purpose == "condor:C0007:open"
    assert order.effect is PositionEffect.OPEN
    assert order.urgency is Urgency.PATIENT
    assert [leg.ratio for leg in order.legs] == [1, -1, -1, 1]
    assert order.limit_price <= order.worst_price < 0
    assert -float(order.limit_price) >= opened.mid_credit - 1e-9
    assert opened.quantity == order.quantity
    assert opened.entry_spot == 3250.0
    assert all(gate.passed for gate in plan.gates)
    assert [gate.rule for gate in plan.gates] == ["C2", "C3", "C3", "C4", "C6", "C7", "C7", "C8"]
    assert plan.reasons == ()


def test_an_entry_s_worst_fill_keeps_every_rule():
    plan = entry()
    width, credit = plan.opened.legs.width, -plan.order.worst_price
    assert credit / width >= Decimal("0.10")
    assert (width - credit) * 100 * plan.order.quantity <= 25_000


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"min_dte": 33, "max_dte": 43}, "C2"),
        ({"min_net_vega": -0.05, "max_net_vega": -0.01}, "C4"),
        ({"min_credit_to_width": 0.5}, "C6"),
        ({"max_loss_fraction": 0.0005}, "C7"),
    ],
)
def test_an_entry_that_fails_a_rule_says_which(changes, rule):
    plan = entry(replace(RULES, **changes))
    assert plan.order is None
    assert plan.opened is None
    assert [gate.rule for gate in plan.gates if not gate.passed] == [rule]
    assert len(plan.reasons) == 1
    assert plan.reasons[0].startswith(f"{rule}: ")


def test_c7_no_entry_without_margin_left():
    plan = entry(used="499500")
    assert plan.order is None
    assert "C7: condors by margin 0.0, wanted 1.0" in plan.reasons[0]


def test_no_entry_without_an_index_value():
    market = market_quotes()
    indices = {name: each for name, each in market.indices.items() if name != "SPX"}
    plan = entry(market=replace(market, indices=indices))
    assert plan.order is None
    assert plan.reasons == ("S: SPX index absent, wanted a fresh value",)


def test_the_snapshot_s_instant_is_what_prices_are_of():
    assert market_snapshot().at == AT


def test_an_entry_does_not_sell_what_the_same_plan_buys_back():
    """A leg still being bought back would meet the entry's own order in the market."""
    snapshot = market_snapshot()
    free = entry().opened.legs

    def opened(closing):
        return plan_entry(
            snapshot,
            Valuer(snapshot.market, TODAY),
            account=account(),
            condor_id="C0008",
            positions={contract: 9 * sign for contract, sign in free.signed()},
            closing=closing,
            margin_used_usd=Decimal(0),
            hedge_share=0.10,
            wacc=None,
            plan_id="p",
            rules=RULES,
        ).opened.legs

    assert opened(()) == free
    legs = [contract for contract, _ in free.signed()]
    again = {contract for contract, _ in opened(legs).signed()}
    assert not again & set(legs)
