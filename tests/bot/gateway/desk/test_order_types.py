"""What each order type, time in force and attachment does, told by its messages."""

from decimal import Decimal

import pytest

from tests.bot.exchange.venue.fakes import CALL, CONDOR, ScriptedMarket, restless_market
from tests.bot.gateway.desk.trading import Case, limit, order
from tests.builders import AT, instant

ONE = f"+1 {CALL}"
PUT = "+1 SPXW 06MAR20 3000 P"
CLOSE = instant("2020-02-03 16:15")
EVENING = instant("2020-02-03 18:00")
NEXT_MORNING = instant("2020-02-04 09:40")
WORKING = ["openOrder Submitted", "status Submitted 0/2"]
ACKNOWLEDGED = ["openOrder PreSubmitted", "status PreSubmitted 0/2", *WORKING]
FILLED = [
    "exec BOT 2 VIX   200318C00025000 0.53",
    "openOrder Filled",
    "status Filled 2/0",
    "commission 1.9160",
]


def rising() -> ScriptedMarket:
    """VIX stands for 100 seconds, then rises a point a minute."""
    return ScriptedMarket(vix=lambda at: 16.0 + max(0.0, (at - AT).total_seconds() - 100) / 60)


def limits_of(case: Case) -> list[str]:
    return [str(record.order.limit_price) for record in case.exchange.records()]


# --- prices ---------------------------------------------------------------------------------------


def test_a_market_order_fills_at_natural():
    case = Case()
    assert case.place(1, ONE, order("BUY", 2, "MKT")) == ACKNOWLEDGED
    assert case.wait(10) == FILLED


def test_a_market_order_follows_the_market_until_it_is_done():
    case = Case(rising())
    case.wait(110)
    case.place(1, ONE, order("BUY", 700, "MKT"))
    case.wait(300)
    executions = case.messages("execDetails")
    assert case.last("orderStatus").values["status"] == "Filled"
    assert sum(message.values["shares"] for message in executions) == 700
    prices = [message.values["price"] for message in executions]
    assert prices == sorted(prices)
    assert len(set(prices)) > 2


def test_a_combo_at_the_market_fills_at_its_offer():
    case = Case()
    case.place(1, CONDOR, order("BUY", 2, "MKT"))
    assert case.wait(10)[0] == "exec BOT 2 BAG -4.95"


@pytest.mark.parametrize("kind", ["MOC", "LOC"])
def test_an_order_for_the_close_waits_for_it(kind):
    case = Case()
    own = {"limit_price": Decimal("0.90")} if kind == "LOC" else {}
    said = case.place(1, ONE, order("BUY", 2, kind, **own))
    assert said == ACKNOWLEDGED[:2]
    assert case.until(CLOSE)[:-4] == WORKING
    assert case.last("execDetails").values["time"] == "20200203 16:14:50 US/Eastern"


def test_an_order_for_the_close_that_does_not_fill_is_cancelled():
    case = Case()
    case.place(1, ONE, order("BUY", 2, "LOC", limit_price=Decimal("0.10")))
    assert case.until(CLOSE) == [*WORKING, "status Cancelled 0/2", "error 202"]


@pytest.mark.parametrize("kind", ["STP", "STP LMT"])
def test_a_stop_waits_for_its_price(kind):
    case = Case(rising())
    own = {"limit_price": Decimal("1.50")} if kind == "STP LMT" else {}
    said = case.place(1, ONE, order("BUY", 2, kind, aux_price=Decimal("0.80"), **own))
    assert said == ["openOrder PreSubmitted", "status PreSubmitted 0/2 trigger"]
    assert case.wait(90) == []
    assert case.wait(300)[:3] == [*WORKING, "exec BOT 2 VIX   200318C00025000 0.94"]


@pytest.mark.parametrize(("method", "earliest"), [(0, "0.94"), (4, "0.92"), (8, "0.86")])
def test_how_a_trigger_looks_at_the_market(method, earliest):
    case = Case(rising())
    stop = order("BUY", 2, "STP", aux_price=Decimal("0.80"), rest={"triggerMethod": method})
    case.place(1, ONE, stop)
    case.wait(400)
    assert str(case.last("execDetails").values["price"]) == earliest


def test_a_stop_to_sell_waits_for_lower_offers():
    case = Case(ScriptedMarket(vix=lambda at: 25.0 - (at - AT).total_seconds() / 30))
    case.place(1, ONE, order("BUY", 2, "MKT"))
    case.wait(10)
    case.place(2, ONE, order("SELL", 2, "STP", aux_price=Decimal("1.20")))
    said = case.wait(120)
    assert said[:2] == WORKING
    assert said[2].startswith("exec SLD 2")
    assert Decimal("0.95") < case.last("execDetails").values["price"] < Decimal("1.20")


def test_a_pegged_order_moves_with_the_bid_and_stays_below_its_limit():
    case = Case(restless_market())
    pegged = order("BUY", 2, "REL", aux_price=Decimal("0.01"), limit_price=Decimal("0.53"))
    assert case.place(1, ONE, pegged) == ACKNOWLEDGED
    case.wait(300)
    assert limits_of(case) == ["0.52", "0.53", "0.52", "0.51", "0.50", "0.49", "0.50"]
    assert len({message.values["permId"] for message in case.messages("openOrder")}) == 1


def test_a_midprice_order_stands_at_the_middle():
    case = Case(restless_market())
    case.place(1, ONE, order("BUY", 2, "MIDPRICE"))
    case.wait(120)
    assert limits_of(case)[:3] == ["0.56", "0.57", "0.58"]


@pytest.mark.parametrize(("priority", "within"), [("Urgent", 70), ("Patient", 370)])
def test_an_adaptive_order_walks_from_the_middle_to_natural(priority, within):
    case = Case(ScriptedMarket())
    adaptive = order(
        "BUY",
        2,
        "MKT",
        algo_strategy="Adaptive",
        algo_params=(("adaptivePriority", priority),),
    )
    assert case.place(1, PUT, adaptive) == ACKNOWLEDGED
    case.wait(within)
    assert case.last("orderStatus").values["status"] == "Filled"
    assert limits_of(case)[0] == "4.10"


def test_an_adaptive_limit_order_never_pays_more_than_its_limit():
    case = Case(ScriptedMarket(spx=lambda at: 3200 - (at - AT).total_seconds() / 10))
    case.place(1, PUT, limit("BUY", 50, "4.60", algo_strategy="Adaptive"))
    case.wait(900)
    assert limits_of(case)[-1] == "4.60"


def test_adaptive_does_nothing_for_a_combo():
    case = Case()
    case.place(1, CONDOR, limit("BUY", 2, "-20.00", algo_strategy="Adaptive"))
    case.wait(300)
    assert limits_of(case) == ["-20.00"]


# --- time in force --------------------------------------------------------------------------------


def test_ioc_cancels_what_the_first_look_at_the_market_leaves():
    case = Case()
    assert case.place(1, ONE, limit("BUY", 2, "0.10", tif="IOC")) == ACKNOWLEDGED
    assert case.wait(20) == ["status PendingCancel 0/2", "status Cancelled 0/2"]
    case.place(2, CONDOR, limit("BUY", 60, "-2.00", tif="IOC"))
    assert case.wait(20)[-2:] == ["status PendingCancel 19/41", "status Cancelled 19/41"]


def test_fok_fills_whole_or_is_inactive():
    case = Case()
    assert case.place(1, CONDOR, limit("BUY", 60, "-2.00", tif="FOK")) == ["status Inactive 0/60"]
    case.place(2, CONDOR, limit("BUY", 3, "-2.00", tif="FOK"))
    assert case.wait(10)[-5] == "status Filled 3/0"
    assert len(case.exchange.records()) == 1


def test_gtc_is_entered_again_on_the_next_session():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.10", tif="GTC"))
    assert case.until(EVENING) == ACKNOWLEDGED[:2]
    assert case.until(NEXT_MORNING) == WORKING
    assert case.cancel(1) == ["status Cancelled 0/2", "error 202"]
    assert len(case.exchange.records()) == 2


def test_gtc_ends_with_its_contract():
    case = Case()
    case.place(1, "+1 SPXW 05FEB20 3200 P", limit("BUY", 2, "0.10", tif="GTC"))
    case.until(instant("2020-02-05 15:59"))
    assert case.until(instant("2020-02-05 16:00")) == ["status Cancelled 0/2", "error 202"]


def test_gtd_ends_at_its_time():
    case = Case()
    until = "20200204 10:00:00 US/Eastern"
    case.place(1, ONE, limit("BUY", 2, "0.10", tif="GTD", good_till_date=until))
    case.until(NEXT_MORNING)
    assert case.until(instant("2020-02-04 10:00")) == ["status Cancelled 0/2", "error 202"]


def test_good_after_time_waits_for_it():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.10", good_after_time="20200203 10:30:00 US/Eastern"))
    assert case.wait(1799) == []
    assert case.wait(1) == WORKING


# --- outside session hours ------------------------------------------------------------------------


def test_a_plain_order_outside_session_hours_gets_the_exchange_s_answer():
    case = Case(at=EVENING)
    assert case.place(1, ONE, limit("BUY", 2, "0.60")) == ["status Inactive 0/2", "error 201"]
    assert "outside session hours" in case.last("error").values["text"]


def test_a_desk_that_holds_orders_holds_it_until_the_market_opens():
    case = Case(at=EVENING, holds_orders=True)
    assert case.place(1, ONE, limit("BUY", 2, "0.60")) == [*ACKNOWLEDGED[:2], "error 399"]
    assert "until 20200204 09:30:00 US/Eastern" in case.last("error").values["text"]
    assert case.until(NEXT_MORNING) == [*WORKING, *FILLED]


def test_other_orders_wait_for_the_session_in_any_case():
    case = Case(at=EVENING)
    assert case.place(1, ONE, order("BUY", 2, "MKT")) == [*ACKNOWLEDGED[:2], "error 399"]
    assert case.until(NEXT_MORNING) == [*WORKING, *FILLED]


def test_after_the_last_session_nothing_is_held():
    case = Case(at=instant("2020-03-31 18:00"), holds_orders=True)
    assert case.place(1, "+1 VIX 15APR20 25 C", order("BUY", 2, "MKT")) == [
        "status Inactive 0/2",
        "error 201",
    ]


def test_outside_rth_is_ignored_on_combos_except_those_of_spx():
    case = Case()
    vix = "+1 VIX 18MAR20 25 C, -1 VIX 18MAR20 30 C"
    assert case.place(1, vix, limit("BUY", 2, "0.01", outside_rth=True))[-1] == "error 2109"
    assert case.place(2, CONDOR, limit("BUY", 2, "-20.00", outside_rth=True)) == ACKNOWLEDGED


# --- orders that hang together --------------------------------------------------------------------


def test_one_cancels_all():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.10", oca_group="g", oca_type=1))
    case.place(2, ONE, limit("BUY", 2, "0.60", oca_group="g", oca_type=1))
    assert case.wait(60) == [*FILLED, "status Cancelled 0/2", "error 202"]


@pytest.mark.parametrize("tif", ["DAY", "FOK"])
def test_what_is_attached_to_an_order_that_is_over_is_cancelled(tif):
    case = Case()
    ended = limit("SELL", 1, "0.40") if tif == "DAY" else limit("BUY", 9, "0.10", tif="FOK")
    assert case.place(1, ONE, ended)[-1] != "openOrder Submitted"
    child = limit("BUY", 1, "0.60", parent_id=1)
    assert case.place(2, ONE, child) == ["status Cancelled 0/1", "error 202"]
    assert case.wait(24 * 3600) == case.open_orders() == []


def test_what_is_transmitted_with_an_order_that_is_refused_is_cancelled():
    case = Case()
    case.place(1, ONE, limit("SELL", 1, "0.40", transmit=False))
    said = case.place(2, ONE, limit("BUY", 1, "0.10", parent_id=1))
    assert said[-2:] == ["status Cancelled 0/1", "error 202"]
    assert case.open_orders() == []


def test_one_reduces_the_other():
    case = Case()
    case.place(1, ONE, limit("BUY", 300, "0.10", oca_group="g", oca_type=3))
    case.place(2, ONE, limit("BUY", 300, "0.60", oca_group="g", oca_type=3))
    said = case.wait(10)
    assert said[2:] == [
        "status Submitted 188/112",
        "commission 180.1040",
        "openOrder Submitted",
        "status Submitted 0/112",
    ]
    assert case.exchange.records()[-1].order.quantity == 112


def bracket(case: Case) -> list[str]:
    first = case.place(1, ONE, limit("BUY", 2, "0.60", transmit=False))
    second = case.place(2, ONE, limit("SELL", 2, "5.00", parent_id=1, transmit=False))
    assert first == second == []
    stop = order("SELL", 2, "STP", aux_price=Decimal("0.10"), parent_id=1)
    return case.place(3, ONE, stop)


def test_a_bracket_is_transmitted_together_and_its_children_wait():
    case = Case()
    children = ["openOrder PreSubmitted", "status PreSubmitted 0/2 child"] * 2
    assert bracket(case) == [*ACKNOWLEDGED, *children]
    assert case.wait(600) == [
        *FILLED,
        *WORKING,
        "openOrder PreSubmitted",
        "status PreSubmitted 0/2 trigger",
    ]
    assert case.last("orderStatus").values["parentId"] == 1


def test_of_the_children_of_a_bracket_one_fills():
    case = Case()
    bracket(case)
    case.wait(10)
    case.modify(2, case.contract(ONE), limit("SELL", 2, "0.40", parent_id=1))
    said = case.wait(10)
    assert said[2] == "exec SLD 2 VIX   200318C00025000 0.44"
    assert said[-2:] == ["status Cancelled 0/2", "error 202"]
    assert case.open_orders() == []
    assert case.exchange.positions() == {}


def test_children_die_with_their_parent():
    case = Case()
    bracket(case)
    assert case.cancel(1) == ["status Cancelled 0/2", "error 202"] * 3


def test_a_child_needs_a_parent():
    assert Case().place(3, ONE, limit("SELL", 2, "5.00", parent_id=1)) == ["error 135"]


def test_an_order_that_is_not_transmitted_is_silent_until_it_is():
    case = Case()
    assert case.place(1, ONE, limit("BUY", 2, "0.10", transmit=False)) == []
    assert case.open_orders() == []
    assert case.place(1, ONE, limit("BUY", 2, "0.10")) == ACKNOWLEDGED
    assert case.place(2, ONE, limit("BUY", 2, "0.10", transmit=False)) == []
    assert case.cancel(2) == ["status Cancelled 0/2", "error 202"]


# --- operators ------------------------------------------------------------------------------------


def test_manual_orders_have_negative_ids_and_are_client_0_s():
    case = Case()
    order_id = case.desk.manual_order(case.contract(ONE), order("BUY", 2, "MKT"), case.at)
    assert order_id == -1
    assert {client for _, client in case.heard} == {0}
    assert case.desk.open_orders(0) != []
    assert case.desk.open_orders(1) == []
    case.wait(10)
    assert len(case.desk.completed_orders(False)) == 1
    assert case.desk.completed_orders(True) == []


def test_global_cancel_cancels_everybody_s():
    case = Case()
    bracket(case)
    case.place(1, CONDOR, limit("BUY", 2, "-20.00"), client=2)
    said = case.said(lambda: case.desk.global_cancel(1, case.at))
    assert said == ["status Cancelled 0/2", "error 202"] * 4
    assert {client for _, client in case.heard} == {1, 2}


def test_a_halted_exchange_holds_orders_and_its_reopening_lets_them_go():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.60"))
    case.said(lambda: case.desk.halt(case.at))
    assert case.open_orders()[-1] == "status PreSubmitted 0/2 halted"
    assert case.wait(60) == []
    assert case.said(lambda: case.desk.resume(case.at)) == WORKING
    assert case.wait(10) == FILLED


def test_a_day_order_dies_in_a_halt_too():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.10"))
    case.desk.halt(case.at)
    assert case.until(EVENING)[-2:] == ["status Cancelled 0/2", "error 202"]


def test_exercising_is_refused_in_words():
    case = Case()
    assert case.said(lambda: case.desk.exercise(1, 9)) == ["error 322"]
    assert "European" in case.last("error").values["text"]


def test_a_child_works_from_its_parent_s_fill_on_whenever_anybody_looks():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.60"))
    case.place(2, ONE, limit("SELL", 2, "0.40", parent_id=1))
    case.wait(3600)
    times = [message.values["time"] for message in case.messages("execDetails")]
    assert times == ["20200203 10:00:10 US/Eastern", "20200203 10:00:20 US/Eastern"]
