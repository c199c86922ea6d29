"""Day limit orders: what their owner is told, and that the exchange gets them as they are."""

from decimal import Decimal

from tests.bot.exchange.venue.fakes import CALL, CONDOR, new_order, open_exchange
from tests.bot.gateway.desk.trading import EVERYTHING, Case, limit

ACKNOWLEDGED = [
    "openOrder PreSubmitted",
    "status PreSubmitted 0/2",
    "openOrder Submitted",
    "status Submitted 0/2",
]


def test_a_resting_order_is_acknowledged_twice():
    case = Case()
    assert case.place(1, CONDOR, limit("BUY", 2, "-20.00")) == ACKNOWLEDGED
    assert case.open_orders() == ["openOrder Submitted", "status Submitted 0/2"]


def test_a_combo_is_executed_as_a_bag_and_four_legs():
    case = Case()
    case.place(1, CONDOR, limit("BUY", 2, "-2.00"))
    assert case.wait(20) == [
        "exec BOT 2 BAG -4.95",
        "exec BOT 2 SPXW  200306P03000000 4.13",
        "exec SLD 2 SPXW  200306P03050000 6.61",
        "exec SLD 2 SPXW  200306C03350000 6.61",
        "exec BOT 2 SPXW  200306C03400000 4.14",
        "openOrder Filled",
        "status Filled 2/0",
        *["commission 2.3160"] * 4,
    ]
    ids = {(m.values["orderId"], m.values["permId"]) for m in case.messages("execDetails")}
    assert len(ids) == 1
    roots = [m.values["execId"].split(".") for m in case.messages("execDetails")]
    assert [(leg, revision) for _, _, leg, revision in roots] == [
        (str(number), "01") for number in range(5)
    ]


def test_the_exchange_sees_the_order_as_it_would_without_a_gateway():
    case, bare = Case(), open_exchange()
    case.place(1, CONDOR, limit("BUY", 2, "-2.00", order_ref="A1"))
    bare.submit(new_order("A1", CONDOR, 2, "-2.00"), case.at)
    case.wait(60)
    bare.advance_to(case.at)
    assert case.exchange.fills(EVERYTHING) == bare.fills(EVERYTHING) != ()
    assert case.exchange.orders() == bare.orders()


def test_selling_a_combo_turns_every_leg_and_the_price():
    case = Case()
    case.place(1, CONDOR, limit("SELL", 1, "2.00"))
    (record,) = case.exchange.records()
    assert record.order.limit_price == Decimal("-2.00")
    assert [leg.ratio for leg in record.order.legs] == [-1, 1, 1, -1]


def test_a_single_leg_is_bought_and_sold_at_positive_prices():
    case = Case()
    case.place(1, f"+1 {CALL}", limit("BUY", 2, "0.60"))
    case.wait(20)
    case.place(2, f"+1 {CALL}", limit("SELL", 2, "0.40"))
    assert case.wait(20)[0] == "exec SLD 2 VIX   200318C00025000 0.44"
    assert case.exchange.positions() == {}
    realized = case.last("commissionReport").values["realizedPNL"]
    assert realized == Decimal("-21.83")  # 0.09 x 2 x 100, and the commissions of both


def test_cancelling_tells_the_status_and_then_202():
    case = Case()
    case.place(1, CONDOR, limit("BUY", 2, "-20.00"))
    assert case.cancel(1) == ["status Cancelled 0/2", "error 202"]
    assert case.open_orders() == []
    assert case.cancel(1) == ["error 10148"]
    assert case.cancel(7) == ["error 10147"]


def test_another_client_cancels_under_its_own_id():
    case = Case()
    case.place(1, CONDOR, limit("BUY", 2, "-20.00"))
    assert case.cancel(1, client=2) == ["status Cancelled 0/2", "error 202"]
    assert case.last("orderStatus").values["clientId"] == 2
    assert case.heard[-1][1] == 1


def test_a_refusal_by_the_exchange_is_inactive_and_201():
    case = Case()
    assert case.place(1, CONDOR, limit("BUY", 5000, "-2.00")) == [
        "status Inactive 0/5000",
        "error 201",
    ]
    text = case.last("error").values["text"]
    assert text.startswith("Order rejected - reason:insufficient excess liquidity")
    assert case.place(1, CONDOR, limit("BUY", 1, "-2.00")) == ["error 103"]


def test_a_price_between_ticks_is_error_110_alone():
    assert Case().place(1, CONDOR, limit("BUY", 1, "-2.01")) == ["error 110"]


def test_a_day_order_dies_with_its_day():
    case = Case()
    case.place(1, CONDOR, limit("BUY", 2, "-20.00"))
    assert case.wait(7 * 3600) == ["status Cancelled 0/2", "error 202"]
