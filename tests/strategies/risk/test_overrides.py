"""D3: what signed overrides change in a decision, and what they never touch."""

from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from strategies.decide import decide
from strategies.model.encoding import from_json, to_json
from strategies.model.overrides import InvalidOverride, Override, OverrideKind, check_action
from strategies.model.plan import Plan
from strategies.model.rules import Rules
from strategies.risk.overrides import Overrides
from tests.builders import (
    AT,
    account,
    book,
    condor_position,
    daily_history,
    hedge_position,
    market_quotes,
    market_snapshot,
)
from tests.strategies.test_decide import (
    CALLS,
    CONDOR,
    INSURED,
    INVERTED,
    L1_CALLS,
    RICH,
    SETTLED,
    gates_of,
)

RULES = Rules()


def override(action: str, *, hours: float = 24.0, begins: float = 0.0, name="O1") -> Override:
    return Override(
        override_id=name,
        action=action,
        reason="a fund is being unwound",
        signer="alice",
        issued_at=AT + timedelta(hours=begins),
        expires_at=AT + timedelta(hours=hours),
    )


def plan_with(*overrides: Override, held=None, due=False, holder=None, memory=SETTLED) -> Plan:
    snapshot = replace(market_snapshot(entry_due=due), overrides=overrides)
    return decide(snapshot, held or book(), holder or account(), memory, RULES)[0]


def purposes(plan: Plan) -> list[str]:
    return [order.purpose for order in plan.orders]


# --- the words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        "",
        "skip_entries:",
        "skip_entries:L1",
        "hold_layer",
        "hold_layer:L4",
        "hold_layer:l2",
        "close_condor:7",
        "close_condor:C0007;",
        "open_condor:C0007",
    ],
)
def test_d3_an_unknown_action_is_refused(action):
    with pytest.raises(InvalidOverride, match="expected skip_entries, hold_layer:L2"):
        check_action(action)


def test_d3_an_override_names_kind_and_target():
    made = override("close_condor:C0007-1")
    assert (made.kind, made.target) == (OverrideKind.CLOSE_CONDOR, "C0007-1")
    assert override("skip_entries").target == ""
    assert from_json(Override, to_json(made)) == made


def test_d3_an_override_without_a_lifetime_is_refused():
    with pytest.raises(InvalidOverride, match="before it begins"):
        override("skip_entries", hours=0)


@pytest.mark.parametrize(
    ("begins", "hours", "holds"),
    [(0.0, 1.0, True), (0.001, 1.0, False), (-1.0, 0.0, False), (-1.0, 0.001, True)],
)
def test_d3_an_override_holds_from_its_first_instant_and_not_at_its_last(begins, hours, holds):
    made = Override(
        override_id="O1",
        action="skip_entries",
        reason="r",
        signer="alice",
        issued_at=AT + timedelta(hours=begins),
        expires_at=AT + timedelta(hours=hours),
    )
    assert made.in_force(AT) is holds
    assert bool(Overrides.at([made], AT).entries) is holds


# --- entries --------------------------------------------------------------------------------------


def test_d3_a_skipped_entry_opens_nothing_and_says_why():
    assert purposes(plan_with(due=True))[0] == "condor:C0001:open"
    plan = plan_with(override("skip_entries"), due=True)
    assert plan.opens == ()
    assert purposes(plan) == []
    skipped, journal = gates_of(plan, "D3")
    assert not skipped.passed
    assert not journal.passed
    assert journal.value == "skipped an entry"
    assert "signed by alice, until 2020-02-04 15:00 UTC: a fund is being unwound" in journal.note


def test_d3_an_override_that_changes_nothing_leaves_a_gate_too():
    (gate,) = gates_of(plan_with(override("skip_entries")), "D3")
    assert gate.passed
    assert gate.value == "nothing to change"


def test_d3_an_override_that_is_over_or_ahead_changes_nothing_at_all():
    plain = plan_with(due=True)
    for other in (
        override("skip_entries", begins=-2, hours=-1),
        override("skip_entries", begins=1, hours=2),
    ):
        plan = plan_with(other, due=True)
        assert gates_of(plan, "D3") == []
        assert plan.opens == plain.opens
        assert purposes(plan) == purposes(plain)


# --- layers ---------------------------------------------------------------------------------------


def test_d3_a_held_layer_trades_nothing_and_the_state_says_so():
    held = book(condors=(CONDOR,))
    plain = plan_with(held=held, memory=INSURED)
    trading = {order.layer for order in plain.orders}
    assert trading, "there is something to hold back"
    held_back = [override(f"hold_layer:{name}", name=f"O{name}") for name in sorted(trading)]
    plan = plan_with(*held_back, held=held, memory=INSURED)
    assert purposes(plan) == []
    assert plan.after == plan.before
    for layer in plan.layers:
        if layer.layer in trading:
            assert (layer.change_contracts, layer.trades, layer.binding_cap) == (0, (), "D3")
            assert layer.planned_vega_usd == layer.current_vega_usd
    assert plan.hedge_state == "under-hedged: D3"
    assert any(reason.startswith("D3: hedge:") for reason in plan.no_trade_reasons)
    (gate, *_) = gates_of(plan, "D3")
    assert str(gate.value).startswith("withheld hedge:")


def test_d3_other_layers_go_on():
    held = book(condors=(CONDOR,))
    plain = plan_with(held=held, memory=INSURED)
    others = {"L1", "L2", "L3"} - {str(order.layer) for order in plain.orders}
    plan = plan_with(override(f"hold_layer:{min(others)}"), held=held, memory=INSURED)
    assert purposes(plan) == purposes(plain)


def test_d3_of_a_rotation_only_the_layer_that_is_held_stands_still():
    history = daily_history(vx1=[16.0] * 40 + [19.0] * 2, vx2=[17.0] * 40 + [18.0] * 2)
    market = market_quotes(curve=INVERTED, vix=36.0)
    snapshot = replace(
        market_snapshot(market=market, history=history), overrides=(override("hold_layer:L2"),)
    )
    held = book(condors=(replace(CONDOR, quantity=330),), hedges=(L1_CALLS,))
    memory = replace(SETTLED, session=AT.date() - timedelta(days=3))
    plan, _ = decide(snapshot, held, account(), memory, RULES)
    without, _ = decide(replace(snapshot, overrides=()), held, account(), memory, RULES)
    assert "L2" in {order.layer for order in without.orders}
    assert "L2" not in {order.layer for order in plan.orders}
    assert [o.purpose for o in plan.orders if o.layer == "L1"] == [
        o.purpose for o in without.orders if o.layer == "L1"
    ]
    l1, l2, _ = plan.layers
    assert l1 == without.layers[0]
    assert (l2.binding_cap, l2.change_contracts) == ("D3", 0)
    assert plan.after.hedge_factor_vega_usd < without.after.hedge_factor_vega_usd


def test_d3_what_nobody_offers_cannot_be_closed_by_override_either():
    snapshot = replace(market_snapshot(), overrides=(override("close_condor:C0001"),))
    far = condor_position("SPXW 15MAY20 3040/3050/3405/3415", quantity=3)
    plan, _ = decide(snapshot, book(condors=(far,)), account(), INSURED, RULES)
    assert plan.closes == ()
    assert any(r.startswith("D3: C0001 cannot be closed") for r in plan.no_trade_reasons)


def test_d3_the_ceiling_goes_before_a_held_layer():
    """Far above the band the surplus is sold, whatever somebody signed."""
    held = book(
        condors=(condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=1),), hedges=(CALLS,)
    )
    plain = plan_with(held=held, memory=INSURED)
    sold = [order for order in plain.orders if order.layer and "B8" in order.rules]
    assert sold, "there is a surplus to sell"
    every = [override(f"hold_layer:{name}", name=name) for name in ("L1", "L2", "L3")]
    plan = plan_with(*every, held=held, memory=INSURED)
    assert [order.purpose for order in sold] == [
        order.purpose for order in plan.orders if "B8" in order.rules
    ]


# --- condors --------------------------------------------------------------------------------------


def test_d3_a_condor_is_closed_that_the_rules_would_keep():
    held = book(condors=(CONDOR,))
    assert plan_with(held=held, memory=INSURED).closes == ()
    plan = plan_with(override("close_condor:C0001"), held=held, memory=INSURED)
    (close,) = plan.closes
    assert close.rules == ("D3",)
    assert "override O1 by alice" in close.note
    (order,) = [each for each in plan.orders if each.condor_id]
    assert (order.purpose, order.rules) == ("condor:C0001:close", ("D3",))
    (gate,) = gates_of(plan, "D3")
    assert gate.value == "closed C0001"


def test_d3_a_condor_that_is_not_held_is_nobody_s_to_close():
    plan = plan_with(override("close_condor:C0099"), held=book(condors=(CONDOR,)), memory=INSURED)
    assert plan.closes == ()
    assert gates_of(plan, "D3")[0].value == "nothing to change"


def test_d3_a_held_condor_does_not_take_its_profit():
    held = book(condors=(RICH,))
    assert plan_with(held=held, memory=INSURED).closes[0].rules == ("C9",)
    plan = plan_with(override("hold_condor:C0001"), held=held, memory=INSURED)
    assert plan.closes == ()
    assert gates_of(plan, "D3")[0].value == "withheld condor:C0001:close"
    assert "D3: condor:C0001:close is withheld by override O1" in plan.no_trade_reasons


@pytest.mark.parametrize(("days", "held_back"), [(1, False), (2, True)])
def test_d3_a_hold_never_carries_a_condor_into_settlement(days, held_back):
    held = book(condors=(RICH,))
    plan = plan_with(held=held, memory=INSURED)
    (order,) = [each for each in plan.orders if each.condor_id]
    session = RICH.expiry - timedelta(days=days)
    found = Overrides.at([override("hold_condor:C0001")], AT).withholding(order, session)
    assert (found is not None) is held_back


def test_d3_a_condor_that_is_closed_by_override_is_not_rolled():
    (order,) = plan_with(held=book(condors=(RICH,)), memory=INSURED).orders
    roll = replace(order, purpose="condor:C0001:adjust", rules=("C10",))
    closing = override("close_condor:C0001")
    found = Overrides.at([closing], AT)
    assert found.withholding(roll, AT.date()) == closing
    assert found.withholding(order, AT.date()) is None


ROLLED = replace(CONDOR, condor_id="C0001-1", adjustments=1)
OTHER = replace(CONDOR, condor_id="C0011")


@pytest.mark.parametrize("named", ["C0001", "C0001-1", "C0001-2"])
def test_d3_closing_a_condor_closes_all_that_was_rolled_out_of_its_entry(named):
    held = book(condors=(CONDOR, ROLLED, OTHER))
    plan = plan_with(override(f"close_condor:{named}"), held=held, memory=INSURED)
    assert [close.condor_id for close in plan.closes] == ["C0001", "C0001-1"]
    assert gates_of(plan, "D3")[0].value == "closed C0001; closed C0001-1"


def test_d3_a_hold_follows_a_condor_to_what_it_is_rolled_into():
    rich = replace(RICH, condor_id="C0001-1", adjustments=1)
    held = book(condors=(rich, replace(RICH, condor_id="C0011")))
    plan = plan_with(override("hold_condor:C0001"), held=held, memory=INSURED)
    assert [close.condor_id for close in plan.closes] == ["C0011"]
    assert gates_of(plan, "D3")[0].value == "withheld condor:C0001-1:close"


def test_d3_an_entry_s_order_is_the_skipping_override_s_to_withhold():
    (order, *_) = plan_with(due=True).orders
    skipping = override("skip_entries")
    assert Overrides.at([skipping], AT).withholding(order, AT.date()) == skipping
    assert Overrides.at([], AT).withholding(order, AT.date()) is None


def test_d3_safety_goes_before_a_held_condor():
    """G6 closes for liquidity, signed or not."""
    held = book(condors=(CONDOR,))
    poor = account("30000", cash="10000", maintenance_margin="33000")
    plan = plan_with(override("hold_condor:C0001"), held=held, holder=poor, memory=INSURED)
    assert [close.rules for close in plan.closes] == [("G6",)]


def test_d3_the_same_overrides_give_the_same_bytes_in_any_order_and_zone():
    held = book(condors=(RICH,), hedges=(hedge_position("VIX 18MAR20 22 C", 40, cost="0.80"),))
    first, second = override("hold_condor:C0001"), override("hold_layer:L1", name="O2")
    here = plan_with(first, second, held=held, memory=INSURED)
    moved = [replace(each, issued_at=each.issued_at.astimezone(UTC)) for each in (first, second)]
    assert to_json(plan_with(*moved, held=held, memory=INSURED)) == to_json(here)
