"""Errors and their codes; what a change may change; and what-if."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.gateway.words import Contract
from tests.bot.exchange.venue.fakes import CALL, CONDOR
from tests.bot.gateway.desk.trading import Case, limit, order
from tests.builders import instant

ONE = f"+1 {CALL}"


def canonical(case: Case, order_id: int) -> Contract:
    """The contract of an order as openOrder spells it."""
    return case.desk._blotter.find(1, order_id).contract


# --- what is not understood -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (321, order("BUY", 1, "TRAIL LIMIT MAGIC")),
        (321, order("SSHORT", 1, "MKT")),
        (321, order("BUY", 1, "LMT")),
        (321, order("BUY", 1, "STP")),
        (321, limit("BUY", 1, "0.10", account="DU9")),
        (321, replace(limit("BUY", 1, "0.10"), total_quantity=Decimal("0.5"))),
        (434, limit("BUY", 0, "0.10")),
        (321, replace(limit("BUY", 1, "0.10"), total_quantity=Decimal("NaN"))),
        (321, limit("BUY", 1, "Infinity")),
        (321, limit("BUY", 1, "1e300")),
        (441, limit("BUY", 1, "0.10", algo_strategy="Vwap")),
        (111, limit("BUY", 1, "0.10", tif="OPG")),
        (111, order("BUY", 1, "STP", aux_price=Decimal(1), tif="FOK")),
        (113, order("BUY", 1, "MOC", tif="GTC")),
        (391, limit("BUY", 1, "0.10", tif="GTD")),
        (391, limit("BUY", 1, "0.10", good_after_time="tomorrow")),
        (110, order("BUY", 1, "STP", aux_price=Decimal("5.03"))),
        (110, limit("BUY", 1, "5.03")),
    ],
)
def test_an_order_that_is_refused_at_once_is_one_error(code, wanted):
    case = Case()
    assert case.place(1, ONE, wanted) == [f"error {code}"]
    assert case.open_orders() == []
    assert case.place(1, ONE, limit("BUY", 1, "0.10")) == ["error 103"]


def test_contracts_that_cannot_be_traded():
    case = Case()
    wanted = limit("BUY", 1, "0.10")
    nothing = Contract(con_id=1, exchange="SMART")
    stock = Contract(con_id=756733, exchange="SMART")
    no_legs = Contract(symbol="SPX", sec_type="BAG", exchange="SMART", currency="USD")
    for order_id, (contract, code) in enumerate(
        [(nothing, 200), (stock, 203), (no_legs, 321)], start=1
    ):
        assert case.modify(order_id, contract, wanted) == [f"error {code}"]


def test_four_legs_have_no_prices_of_their_own():
    prices = (Decimal(1), None, None, None)
    assert Case().place(1, CONDOR, limit("BUY", 1, "-2.00", leg_prices=prices)) == ["error 10058"]


def test_four_legs_are_guaranteed():
    loose = (("NonGuaranteed", "1"),)
    assert Case().place(1, CONDOR, limit("BUY", 1, "-2.00", smart_combo_params=loose)) == [
        "error 201"
    ]


def test_an_id_must_be_a_positive_number():
    assert Case().place(0, ONE, limit("BUY", 1, "0.10")) == ["error 10149"]


def test_ids_are_each_client_s_own():
    case = Case()
    case.place(5, ONE, limit("BUY", 1, "0.10"), client=1)
    case.place(2, ONE, limit("BUY", 1, "0.10"), client=2)
    assert [case.desk.next_valid_id(client) for client in (1, 2, 3)] == [6, 3, 1]


def test_a_reference_that_is_taken_still_names_the_order_but_not_at_the_exchange():
    case = Case()
    for order_id in (1, 2):
        case.place(order_id, CONDOR, limit("BUY", 1, "-20.00", order_ref="mine"))
    first, second = case.messages("openOrder")[0].values, case.last("openOrder").values
    assert first["orderRef"] == second["orderRef"] == "mine"
    assert first["permId"] != second["permId"]
    ids = [record.order.client_order_id for record in case.exchange.records()]
    assert ids == ["mine", "client 1 order 2"]


# --- changes --------------------------------------------------------------------------------------


def test_a_change_keeps_both_ids():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.10", order_ref="A1"))
    before = case.last("openOrder").values
    said = case.modify(1, case.contract(ONE), limit("BUY", 3, "0.20"))
    assert said == ["openOrder Submitted", "status Submitted 0/3"]
    after = case.last("openOrder").values
    for name in ("orderId", "permId", "orderRef"):
        assert after[name] == before[name]
    assert [(r.order.client_order_id, str(r.report.status)) for r in case.exchange.records()] == [
        ("A1", "CANCELLED"),
        ("A1~2", "LIVE"),
    ]


def test_a_change_that_changes_nothing_is_told_and_nothing_else():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.10"))
    said = case.modify(1, case.contract(ONE), limit("BUY", 2, "0.10"))
    assert said == ["openOrder Submitted", "status Submitted 0/2"]
    assert len(case.exchange.records()) == 1


def test_a_changed_order_fills_what_is_left():
    case = Case()
    case.place(1, ONE, limit("BUY", 300, "0.60"))
    case.wait(10)
    filled = case.last("orderStatus").values["filled"]
    assert 0 < filled < 300
    case.modify(1, case.contract(ONE), limit("BUY", 250, "0.60"))
    case.wait(60)
    assert case.last("orderStatus").values["filled"] == 250
    assert case.exchange.positions() == {"VIX   200318C00025000": 250}
    shares = [message.values["shares"] for message in case.messages("execDetails")]
    cumulative = [message.values["cumQty"] for message in case.messages("execDetails")]
    assert sum(shares) == cumulative[-1] == 250


def test_another_type_is_a_change_like_any_other():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.10"))
    case.modify(1, case.contract(ONE), order("BUY", 2, "MKT"))
    assert case.wait(10) == [  # of an order that was changed the status comes first
        "openOrder Filled",
        "status Filled 2/0",
        "exec BOT 2 VIX   200318C00025000 0.53",
        "commission 1.9160",
    ]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (110, limit("BUY", 2, "5.03")),
        (201, limit("BUY", 100_000, "4.00")),
        (105, limit("SELL", 2, "0.10")),
        (321, order("BUY", 2, "NONSENSE")),
    ],
)
def test_a_change_that_is_refused_leaves_the_order_alone(code, wanted):
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.10"))
    before = case.desk.open_orders(1)
    assert case.modify(1, case.contract(ONE), wanted) == [f"error {code}"]
    assert case.desk.open_orders(1) == before
    assert len(case.exchange.records()) == 1


def test_another_contract_is_no_change():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.10"))
    other = case.contract("+1 VIX 18MAR20 26 C")
    assert case.modify(1, other, limit("BUY", 2, "0.10")) == ["error 105"]


def test_a_combo_changes_only_under_the_gateway_s_own_spelling():
    case = Case()
    case.place(1, CONDOR, limit("BUY", 2, "-20.00"))
    again = limit("BUY", 2, "-21.00")
    assert case.modify(1, case.contract(CONDOR), again) == ["error 105"]
    said = case.modify(1, canonical(case, 1), again)
    assert said == ["openOrder Submitted", "status Submitted 0/2"]


def test_what_is_done_cannot_be_changed():
    case = Case()
    case.place(1, ONE, limit("BUY", 2, "0.60"))
    case.wait(10)
    assert case.modify(1, case.contract(ONE), limit("BUY", 3, "0.60")) == ["error 104"]
    case.place(2, ONE, limit("BUY", 2, "0.10"))
    case.cancel(2)
    assert case.modify(2, case.contract(ONE), limit("BUY", 3, "0.60")) == ["error 103"]


def test_what_was_rejected_cannot_be_cancelled():
    case = Case()
    case.place(1, CONDOR, limit("BUY", 5000, "-2.00"))
    assert case.cancel(1) == ["error 161"]


# --- what if --------------------------------------------------------------------------------------


def test_what_if_tells_margins_and_does_nothing():
    case = Case()
    assert case.place(1, CONDOR, limit("BUY", 3, "-5.00", what_if=True)) == [
        "openOrder PreSubmitted"
    ]
    told = case.last("openOrder").values
    assert told["permId"] == 0
    assert told["initMarginChange"] == told["initMarginAfter"] == Decimal("15000.00")
    assert told["equityWithLoanChange"] == Decimal("1486.10")
    assert told["commission"] == Decimal("13.90")
    assert case.exchange.records() == ()
    assert case.desk.next_valid_id(1) == 1


def test_what_if_agrees_with_what_then_happens():
    case = Case()
    case.place(1, CONDOR, limit("BUY", 3, "-4.95", what_if=True))
    told = case.last("openOrder").values
    case.place(1, CONDOR, limit("BUY", 3, "-4.95"))
    case.wait(10)
    account = case.exchange.account()
    assert account.initial_margin_usd == told["initMarginAfter"]
    assert round(account.cash_usd, 2) == told["equityWithLoanAfter"]


def test_what_if_at_the_market_of_a_future():
    case = Case()
    case.place(1, "+1 VX 18MAR20", order("BUY", 2, "MKT", what_if=True))
    told = case.last("openOrder").values
    assert told["initMarginChange"] > told["maintMarginChange"] > 0


def test_what_if_beyond_the_account_s_means_comes_with_a_warning():
    case = Case()
    case.place(1, CONDOR, limit("BUY", 5000, "-5.00", what_if=True))
    assert "insufficient" in case.last("openOrder").values["warningText"]


@pytest.mark.parametrize("at", ["2020-02-03 18:00", "2020-02-03 10:00"])
def test_what_if_of_an_impossible_order_is_refused(at):
    case = Case(at=instant(at))
    naked = limit("SELL", 1, "0.40", what_if=True)
    assert case.place(1, ONE, naked) == ["error 201"]
