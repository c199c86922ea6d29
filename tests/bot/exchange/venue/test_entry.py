"""Order entry: what the exchange refuses, and why."""

from datetime import timedelta
from decimal import Decimal

import pytest

from bot.errors import OutcomeUnknown
from bot.exchange.exchange import GRID, Exchange
from bot.exchange.orders import RejectReason
from bot.ports import OrderReport
from strategies.model.lifecycle import OrderStatus
from tests.bot.exchange.venue.fakes import (
    CALL,
    CONDOR,
    EARLY_CLOSE,
    PRESIDENTS_DAY,
    VX,
    ScriptedMarket,
    new_order,
    open_exchange,
)
from tests.builders import AT, instant, option, quote


def submit(exchange: Exchange, legs: str, quantity: int = 1, limit: str = "0.50", at=AT, name="a"):
    """The report of an order."""
    return exchange.submit(new_order(name, legs, quantity, limit), at)


def reason(report: OrderReport) -> str:
    """Why an order was refused."""
    assert report.status is OrderStatus.REJECTED, report
    assert (report.filled_quantity, report.leaves_quantity) == (0, 0)
    return report.note.split(":")[0]


# --- the order itself ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("legs", "limit", "why"),
    [
        ("0 VIX 18MAR20 25 C", "0.50", RejectReason.LEGS),
        (f"+1 {CALL}, -1 {CALL}", "0.50", RejectReason.LEGS),
        (f"+2 {CALL}", "0.50", RejectReason.LEGS),
        (f"+2 {CALL}, -2 VIX 18MAR20 30 C", "0.50", RejectReason.LEGS),
        (f"+4 {CALL}, -2 VIX 18MAR20 30 C", "0.50", RejectReason.LEGS),
        (f"+1 {CALL}, +1 {VX}", "0.50", RejectReason.LEGS),
        ("+1 VIX 18MAR20 25 C, +1 SPXW 06MAR20 3000 P", "0.50", RejectReason.LEGS),
        ("+1 VX 18MAR20, -1 VXM 18MAR20", "0.50", RejectReason.LEGS),
        (f"{CONDOR}, +1 SPXW 06MAR20 2900 P", "0.50", RejectReason.LEGS),
        (CONDOR, "-4.02", RejectReason.PRICE_OFF_TICK),
        (VX, "17.03", RejectReason.PRICE_OFF_TICK),
        (CALL, "3.01", RejectReason.PRICE_OFF_TICK),
    ],
)
def test_an_impossible_order_is_refused(legs, limit, why):
    assert reason(submit(open_exchange(), legs, limit=limit)) == why


@pytest.mark.parametrize("quantity", [0, -3])
def test_an_order_for_nothing_is_refused(quantity):
    assert reason(submit(open_exchange(), CALL, quantity)) == RejectReason.QUANTITY


# --- time and contract --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [
        "2020-02-03 09:29:59",
        "2020-02-03 16:15",
        "2020-02-08 12:00",  # a Saturday
        f"{PRESIDENTS_DAY} 12:00",
        f"{EARLY_CLOSE} 13:15",
        "2020-04-01 12:00",  # the market has ended
    ],
)
def test_an_order_outside_session_hours_is_refused(at):
    report = submit(open_exchange(), CALL, at=instant(at))
    assert reason(report) == RejectReason.OUTSIDE_SESSION


@pytest.mark.parametrize("at", ["2020-02-03 09:30", "2020-02-03 16:14:59"])
def test_an_order_within_session_hours_is_taken(at):
    assert submit(open_exchange(), CALL, at=instant(at)).status is OrderStatus.LIVE


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("SPXW 05FEB20 3200 C", "2020-02-05 16:00"),
        ("SPXW 05FEB20 3200 C", "2020-02-10 10:00"),
        ("SPXW 27FEB20 3200 C", "2020-02-27 13:00"),
        ("SPX 21FEB20 3200 C", "2020-02-21 10:00"),
        ("VIX 19FEB20 17 C", "2020-02-19 10:00"),
        ("VX 19FEB20", "2020-02-19 10:00"),
    ],
)
def test_i22_an_order_after_the_last_trade_is_refused(text, at):
    report = submit(open_exchange(), text, at=instant(at))
    assert reason(report) == RejectReason.AFTER_LAST_TRADE


@pytest.mark.parametrize(
    "text",
    [
        "SPXW 04MAR20 3200 C",  # a session without a series
        "SPXW 10APR20 3200 C",  # Good Friday
        "VX 17JUN20",
        "SPXW 17DEC27 3200 C",  # past the end of the calendar
    ],
)
def test_an_order_for_a_contract_nobody_lists_is_refused(text):
    assert reason(submit(open_exchange(), text)) == RejectReason.NOT_LISTED


# --- the account --------------------------------------------------------------------------------


def test_an_order_that_costs_more_than_there_is_is_refused():
    exchange = open_exchange(starting_cash_usd=Decimal(10_000))
    assert reason(submit(exchange, CALL, 200)) == RejectReason.MARGIN
    assert submit(exchange, CALL, 190, name="b").status is OrderStatus.LIVE


def test_a_condor_whose_width_is_not_there_is_refused():
    exchange = open_exchange(starting_cash_usd=Decimal(10_000))
    assert reason(submit(exchange, CONDOR, 3, "-4.00")) == RejectReason.MARGIN
    assert submit(exchange, CONDOR, 2, "-4.00", name="b").status is OrderStatus.LIVE


def test_a_future_whose_initial_margin_is_not_there_is_refused():
    exchange = open_exchange(starting_cash_usd=Decimal(9_500))
    assert reason(submit(exchange, VX, 1, "17.05")) == RejectReason.MARGIN
    assert submit(exchange, f"-1 {VX}", 1, "-17.05", name="b").status is OrderStatus.REJECTED
    assert submit(open_exchange(), VX, 1, "17.05").status is OrderStatus.LIVE


def test_orders_at_work_reserve_what_they_may_take():
    exchange = open_exchange(starting_cash_usd=Decimal(10_000))
    assert submit(exchange, CONDOR, 1, "-5.20", name="a").status is OrderStatus.LIVE
    assert submit(exchange, CONDOR, 1, "-5.20", name="b").status is OrderStatus.LIVE
    assert reason(submit(exchange, CONDOR, 1, "-5.20", name="c")) == RejectReason.MARGIN
    exchange.cancel("a", AT)
    assert submit(exchange, CONDOR, 1, "-5.20", name="d").status is OrderStatus.LIVE


def test_an_order_that_frees_margin_is_taken_without_any_liquidity():
    market = ScriptedMarket(vix=lambda at: 16.0 if at < AT + timedelta(hours=1) else 60.0)
    exchange = open_exchange(market, starting_cash_usd=Decimal(40_000))
    submit(exchange, f"-1 {VX}", 1, "-16.00")
    exchange.advance_to(AT + GRID)
    assert exchange.positions()
    later = AT + timedelta(hours=2)
    exchange.advance_to(later)
    assert exchange.account().excess_liquidity_usd < 0
    assert reason(submit(exchange, CALL, at=later, name="more")) == RejectReason.MARGIN
    cover = submit(exchange, VX, 1, "61.10", at=later, name="cover")
    assert cover.status is OrderStatus.LIVE


# --- coverage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "legs",
    [
        "-1 SPXW 06MAR20 3050 P",
        "-1 VIX 18MAR20 25 C",
        "-1 VIX 18MAR20 25 C, +1 VIX 15APR20 25 C",
        "+1 SPXW 06MAR20 3000 P, -2 SPXW 06MAR20 3050 P",
    ],
)
def test_g8_an_order_that_leaves_a_short_option_uncovered_is_refused(legs):
    assert reason(submit(open_exchange(), legs, limit="-0.10")) == RejectReason.UNCOVERED


def holding_call(quantity: int) -> Exchange:
    """An exchange whose account holds calls."""
    market = ScriptedMarket(scripted={option(CALL): quote("0.50 x 0.50")})
    exchange = open_exchange(market)
    submit(exchange, CALL, quantity, name="entry")
    exchange.advance_to(AT + 30 * GRID)
    assert exchange.positions() == {option(CALL).symbol: quantity}
    return exchange


def test_g8_a_long_option_can_be_sold_but_not_twice():
    exchange = holding_call(10)
    at = AT + 30 * GRID
    assert submit(exchange, f"-1 {CALL}", 10, "-0.90", at, "out").status is OrderStatus.LIVE
    again = submit(exchange, f"-1 {CALL}", 1, "-0.90", at, "again")
    assert reason(again) == RejectReason.UNCOVERED
    exchange.cancel("out", at)
    assert submit(exchange, f"-1 {CALL}", 10, "-0.90", at, "later").status is OrderStatus.LIVE


def test_g8_a_purchase_still_at_work_covers_nothing():
    exchange = open_exchange()
    assert submit(exchange, CALL, 10, "0.01").status is OrderStatus.LIVE
    short = submit(exchange, "-1 VIX 18MAR20 30 C", 1, "-0.01", name="b")
    assert reason(short) == RejectReason.UNCOVERED


def test_g8_a_cover_on_its_way_out_covers_nothing():
    exchange = holding_call(10)
    at = AT + 30 * GRID
    short = ("-1 VIX 18MAR20 30 C", 10, "-0.90", at)
    submit(exchange, f"-1 {CALL}", 10, "-0.90", at, "out")
    assert reason(submit(exchange, *short, "short")) == RejectReason.UNCOVERED
    exchange.cancel("out", at)
    assert submit(exchange, *short, "short again").status is OrderStatus.LIVE
    assert reason(submit(exchange, f"-1 {CALL}", 10, "-0.90", at, "out again")) == (
        RejectReason.UNCOVERED
    )


def test_g8_a_cover_that_is_still_on_its_way_in_covers_nothing():
    far = "VIX 15APR20 25 C"
    exchange = open_exchange(ScriptedMarket(scripted={option(far): quote("0.50 x 0.50")}))
    submit(exchange, far, 5, name="entry")
    at = AT + 10 * GRID
    exchange.advance_to(at)
    roll = submit(exchange, f"-1 {far}, +1 {CALL}", 5, "-0.60", at, "roll")
    assert roll.status is OrderStatus.LIVE
    short = submit(exchange, "-1 VIX 18MAR20 30 C", 5, "-0.90", at, "short")
    assert reason(short) == RejectReason.UNCOVERED


# --- identity and number ------------------------------------------------------------------------


def test_the_same_order_twice_is_one_order():
    exchange = open_exchange()
    first = submit(exchange, CALL)
    exchange.advance_to(AT + 30 * GRID)
    second = submit(exchange, CALL, at=AT + 30 * GRID)
    assert second == exchange.orders()[0]
    assert second.broker_order_id == first.broker_order_id
    assert len(exchange.orders()) == 1


def test_one_id_with_another_content_is_refused_and_changes_nothing():
    exchange = open_exchange()
    first = submit(exchange, CALL)
    assert reason(submit(exchange, CALL, limit="0.45")) == RejectReason.DUPLICATE_ID
    assert exchange.orders() == (first,)


def test_a_refused_order_stays_refused():
    exchange = open_exchange()
    refusal = submit(exchange, CALL, 0)
    assert submit(exchange, CALL, 0, at=AT + GRID) == refusal
    assert exchange.cancel("a", AT + GRID) == refusal


def test_the_twenty_first_active_order_on_one_side_of_a_contract_is_refused():
    exchange = open_exchange()
    for number in range(20):
        report = submit(exchange, CALL, limit="0.01", name=str(number))
        assert report.status is OrderStatus.LIVE
    assert reason(submit(exchange, CALL, limit="0.01", name="20")) == RejectReason.TOO_MANY_ORDERS
    assert submit(exchange, "VIX 18MAR20 26 C", name="other").status is OrderStatus.LIVE
    exchange.cancel("0", AT)
    assert submit(exchange, CALL, limit="0.01", name="21").status is OrderStatus.LIVE


# --- cancels ------------------------------------------------------------------------------------


def test_a_cancel_of_an_unknown_order_proves_nothing():
    with pytest.raises(OutcomeUnknown, match="nobody"):
        open_exchange().cancel("nobody", AT)


def test_a_cancel_after_the_fill_reports_the_fill():
    exchange = holding_call(5)
    report = exchange.cancel("entry", AT + 30 * GRID)
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, 5)
    assert exchange.orders() == (report,)


def test_a_cancel_twice_is_one_cancel():
    exchange = open_exchange()
    submit(exchange, CALL, limit="0.01")
    first = exchange.cancel("a", AT)
    assert first.status is OrderStatus.CANCELLED
    assert exchange.cancel("a", AT + GRID) == first


# --- time never goes back -----------------------------------------------------------------------


def test_an_instant_already_passed_changes_nothing():
    exchange = open_exchange()
    exchange.advance_to(AT + timedelta(hours=1))
    exchange.advance_to(AT)
    assert exchange.now == AT + timedelta(hours=1)


def test_an_order_for_an_instant_already_passed_arrives_now():
    exchange = open_exchange()
    exchange.advance_to(AT + timedelta(hours=1))
    submit(exchange, CALL, limit="0.90")
    exchange.advance_to(AT + timedelta(hours=2))
    (fill,) = exchange.fills(AT)
    assert fill.executed_at == AT + timedelta(hours=1) + GRID
