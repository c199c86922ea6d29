"""Expiry, settlement and variation: what happens without an order, and when."""

from datetime import timedelta
from decimal import Decimal

import pytest

from bot.exchange.exchange import GRID, Exchange
from strategies.model.fills import CashKind, CashMovement
from strategies.model.lifecycle import OrderStatus
from strategies.model.quotes import Quote
from strategies.model.ticks import leg_tick, round_up
from tests.bot.exchange.venue.fakes import (
    CALL,
    CONDOR,
    EARLY_CLOSE,
    VX,
    ScriptedMarket,
    new_order,
    open_exchange,
)
from tests.builders import AT, future, instant, instrument, option, quote

START = AT - timedelta(days=1)


def movements(exchange: Exchange, kind: CashKind) -> list[CashMovement]:
    """The movements of one kind, oldest first."""
    return [each for each in exchange.cash_movements(START) if each.kind is kind]


def bought(market: ScriptedMarket, text: str, quantity: int, at=AT) -> Exchange:
    """An exchange that has bought (or sold, below zero) something at natural."""
    exchange = open_exchange(market)
    now = market.quote(instrument(text), at)
    assert now is not None
    sign, natural = ("+1", now.ask) if quantity > 0 else ("-1", -now.bid)
    limit = Decimal(str(natural))
    limit = round_up(limit, leg_tick(instrument(text), limit))
    exchange.submit(new_order("entry", f"{sign} {text}", abs(quantity), str(limit)), at)
    exchange.advance_to(at + 5 * GRID)
    assert exchange.orders()[0].status is OrderStatus.FILLED, exchange.orders()[0].note
    return exchange


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "settlement", "price", "at"),
    [
        ("SPXW 05FEB20 3100 C", 3210.26, "110.26", "2020-02-05 16:00"),
        ("SPXW 05FEB20 3300 P", 3210.26, "89.74", "2020-02-05 16:00"),
        ("SPXW 05FEB20 3300 C", 3210.26, "0", "2020-02-05 16:00"),
        ("SPXW 05FEB20 3210 C", 3210.0, "0", "2020-02-05 16:00"),
        ("SPXW 27FEB20 3100 C", 3000.0, "0", "2020-02-27 13:00"),  # early close
        ("SPX 21FEB20 3100 C", 3210.26, "110.26", "2020-02-21 09:30"),
        ("VIX 19FEB20 15 C", 22.31, "7.31", "2020-02-19 09:30"),
    ],
)
def test_i22_an_option_settles_to_its_intrinsic_value_at_its_instant(text, settlement, price, at):
    """Fault E24: automatic exercise is cash from the settlement value."""
    exchange = bought(ScriptedMarket(settlements={option(text): settlement}), text, 3)
    exchange.advance_to(instant(at) - timedelta(seconds=1))
    cash = exchange.account().cash_usd
    assert movements(exchange, CashKind.SETTLEMENT) == []
    exchange.advance_to(instant(at))
    (movement,) = movements(exchange, CashKind.SETTLEMENT)
    assert movement.amount_usd == 3 * Decimal(price) * 100
    assert movement.price == Decimal(price)
    assert movement.quantity == -3
    assert movement.booked_at == instant(at)
    assert movement.movement_id == f"SET-{option(text).symbol}-{option(text).expiry}"
    assert exchange.account().cash_usd == cash + movement.amount_usd
    assert exchange.positions() == {}


def test_a_condor_settles_to_what_its_legs_are_worth_together():
    market = ScriptedMarket(
        settlements={
            option("SPXW 06MAR20 3000 P"): 3020.0,
            option("SPXW 06MAR20 3050 P"): 3020.0,
            option("SPXW 06MAR20 3350 C"): 3020.0,
            option("SPXW 06MAR20 3400 C"): 3020.0,
        }
    )
    exchange = open_exchange(market)
    exchange.submit(new_order("a", CONDOR, 4, "-4.00"), AT)
    exchange.advance_to(instant("2020-03-06 16:00"))
    settled = movements(exchange, CashKind.SETTLEMENT)
    assert [movement.quantity for movement in settled] == [4, -4, -4, 4]
    assert sum(movement.amount_usd for movement in settled) == -4 * 30 * 100
    assert exchange.account().maintenance_margin_usd == 0


def test_a_settled_condor_frees_its_margin_while_others_keep_theirs():
    exchange = open_exchange()
    exchange.submit(new_order("a", CONDOR, 4, "-4.00"), AT)
    exchange.submit(new_order("b", CONDOR.replace("06MAR20", "20MAR20"), 3, "-4.00"), AT)
    exchange.advance_to(instant("2020-03-06 15:59"))
    assert exchange.account().maintenance_margin_usd == 7 * 50 * 100
    exchange.advance_to(instant("2020-03-06 16:00"))
    assert exchange.account().maintenance_margin_usd == 3 * 50 * 100


def test_an_option_that_expires_worthless_still_leaves_a_movement():
    """Fault E24: what expires at nothing is closed at 0 with a movement of its own."""
    text = "SPXW 05FEB20 3300 C"
    exchange = bought(ScriptedMarket(settlements={option(text): 3200.0}), text, 2)
    exchange.advance_to(instant("2020-02-05 16:00"))
    (movement,) = movements(exchange, CashKind.SETTLEMENT)
    assert (movement.amount_usd, movement.quantity) == (0, -2)


# --- futures ------------------------------------------------------------------------------------


def test_the_first_variation_of_a_future_runs_from_its_fill_price_and_the_next_from_the_settle():
    vx = future(VX)
    market = ScriptedMarket(
        daily_settles={(vx, AT.date()): 17.3251, (vx, AT.date() + timedelta(days=1)): 18.0},
        scripted={vx: quote("17.00 x 17.05")},
    )
    exchange = bought(market, VX, 2)
    assert exchange.account().cash_usd == 1_000_000 - 2 * Decimal("2.38")
    exchange.advance_to(instant("2020-02-03 16:00"))
    exchange.advance_to(instant("2020-02-04 16:00"))
    first, second = movements(exchange, CashKind.VARIATION)
    assert first.amount_usd == (Decimal("17.3251") - Decimal("17.05")) * 2 * 1000
    assert second.amount_usd == (Decimal(18) - Decimal("17.3251")) * 2 * 1000
    assert first.movement_id == f"VAR-{vx.symbol}-2020-02-03"
    assert (first.quantity, first.booked_at) == (0, instant("2020-02-03 16:00"))


def test_a_future_bought_and_sold_on_one_day_pays_its_gain_at_the_daily_settlement():
    vx = future(VX)

    def rising(at):
        return quote("17.00 x 17.05") if at < AT + timedelta(hours=1) else quote("18.05 x 18.10")

    exchange = bought(ScriptedMarket(scripted={vx: rising}), VX, 2)
    later = AT + timedelta(hours=2)
    exchange.submit(new_order("out", f"-1 {VX}", 2, "-18.05"), later)
    exchange.advance_to(later + GRID)
    assert exchange.positions() == {}
    assert exchange.account().cash_usd == 1_000_000 - 4 * Decimal("2.38")
    assert exchange.account().net_liquidation_usd == 1_002_000 - 4 * Decimal("2.38")
    exchange.advance_to(instant("2020-02-10 16:00"))
    assert [each.amount_usd for each in movements(exchange, CashKind.VARIATION)] == [2000]


def test_a_future_settles_for_the_last_time_at_the_opening_and_is_gone():
    vx = future("VX 19FEB20")
    market = ScriptedMarket(
        settlements={vx: 21.37},
        daily_settles={(vx, instant("2020-02-18 10:00").date()): 20.0},
    )
    exchange = bought(market, "VX 19FEB20", -3)
    exchange.advance_to(instant("2020-02-19 09:29:59"))
    cash = exchange.account().cash_usd
    exchange.advance_to(instant("2020-02-19 09:30"))
    (movement,) = movements(exchange, CashKind.SETTLEMENT)
    assert movement.amount_usd == -3 * Decimal("1.37") * 1000
    assert (movement.quantity, movement.price) == (3, Decimal("21.37"))
    assert exchange.account().cash_usd == cash + movement.amount_usd
    assert exchange.positions() == {}


def test_variation_is_paid_on_every_session_and_on_no_holiday():
    exchange = bought(ScriptedMarket(), VX, 1, at=instant("2020-02-13 10:00"))
    exchange.advance_to(instant("2020-02-19 12:00"))
    days = [each.booked_at for each in movements(exchange, CashKind.VARIATION)]
    assert days == [instant(f"2020-02-{day} 16:00") for day in (13, 14, 18)]


def test_futures_are_marked_earlier_on_an_early_close():
    exchange = bought(ScriptedMarket(), VX, 1, at=instant(f"{EARLY_CLOSE} 10:00"))
    exchange.advance_to(instant(f"{EARLY_CLOSE} 23:00"))
    (movement,) = movements(exchange, CashKind.VARIATION)
    assert movement.booked_at == instant(f"{EARLY_CLOSE} 13:15")


# --- orders at the end of their day -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "gone_at"),
    [
        (CALL, "2020-02-03 16:14", "2020-02-03 16:15"),
        (CALL, f"{EARLY_CLOSE} 13:10", f"{EARLY_CLOSE} 13:15"),
        ("SPXW 05FEB20 3200 C", "2020-02-05 15:59", "2020-02-05 16:00"),
        ("SPXW 27FEB20 3200 C", "2020-02-27 12:59", "2020-02-27 13:00"),
        ("VIX 19FEB20 17 C", "2020-02-18 16:14", "2020-02-18 16:15"),
    ],
)
def test_i22_a_day_order_is_gone_when_its_contract_stops_trading(text, at, gone_at):
    exchange = open_exchange()
    exchange.submit(new_order("a", text, 1, "0.01" if "VIX" in text else "0.05"), instant(at))
    exchange.advance_to(instant(gone_at) - timedelta(seconds=1))
    assert exchange.orders()[0].status is OrderStatus.LIVE
    exchange.advance_to(instant(gone_at))
    assert exchange.orders()[0].status is OrderStatus.CANCELLED
    assert exchange.orders()[0].note == "expired with its day"


# --- the account at its marks -------------------------------------------------------------------


def test_net_liquidation_marks_options_at_mid():
    exchange = bought(ScriptedMarket(scripted={option(CALL): quote("0.40 x 0.60")}), CALL, 10)
    account = exchange.account()
    assert account.net_liquidation_usd - account.cash_usd == 10 * Decimal("0.50") * 100
    assert account.excess_liquidity_usd == account.cash_usd
    assert account.maintenance_margin_usd == 0


def test_net_liquidation_marks_futures_against_their_last_mark():
    exchange = bought(ScriptedMarket(scripted={future(VX): quote("17.00 x 17.10")}), VX, 2)
    account = exchange.account()
    assert account.net_liquidation_usd - account.cash_usd == -2 * Decimal("0.05") * 1000
    assert account.maintenance_margin_usd == 2 * Decimal("17.05") * Decimal("0.45") * 1000
    assert account.initial_margin_usd == account.maintenance_margin_usd * Decimal("1.25")


def test_a_condor_locks_its_width_and_keeps_its_credit():
    exchange = open_exchange()
    exchange.submit(new_order("a", CONDOR, 10, "-4.00"), AT)
    exchange.advance_to(AT + 10 * GRID)
    account = exchange.account()
    assert account.initial_margin_usd == account.maintenance_margin_usd == 10 * 50 * 100
    assert account.excess_liquidity_usd == account.cash_usd - 50_000


def test_outside_session_hours_the_last_close_is_the_mark():
    def falling(at):
        return quote("0.40 x 0.60") if at < instant("2020-02-03 16:15") else quote("0.20 x 0.30")

    exchange = bought(ScriptedMarket(scripted={option(CALL): falling}), CALL, 1)
    for evening in ("2020-02-03 16:20", "2020-02-04 03:00", "2020-02-04 09:29"):
        exchange.advance_to(instant(evening))
        account = exchange.account()
        assert account.net_liquidation_usd - account.cash_usd == 25


def test_an_option_in_its_last_night_is_marked_at_intrinsic_value():
    text = "VIX 19FEB20 14 C"
    exchange = bought(ScriptedMarket(), text, 1)
    exchange.advance_to(instant("2020-02-18 20:00"))
    account = exchange.account()
    assert account.net_liquidation_usd - account.cash_usd == 200


def test_an_option_the_market_has_left_behind_is_still_marked():
    text = "SPXW 06MAR20 2415 P"  # below the lowest strike of the chain and off its grid
    market = ScriptedMarket(scripted={option(text): Quote(bid=0.10, ask=0.20)})
    exchange = bought(market, text, 1)
    account = exchange.account()
    assert account.net_liquidation_usd - account.cash_usd == 15


def test_the_average_price_follows_increases_and_ignores_reductions():
    prices = iter(["1.00", "2.00", "5.00"])
    current = {"at": AT, "quote": quote("1.00 x 1.00")}
    market = ScriptedMarket(scripted={option(CALL): lambda at: current["quote"]})
    exchange = open_exchange(market)
    at = AT
    averages = []
    for number, (side, price) in enumerate(zip("++-", prices, strict=True)):
        current["quote"] = quote(f"{price} x {price}")
        limit = price if side == "+" else f"-{price}"
        exchange.submit(new_order(str(number), f"{side}1 {CALL}", 10, limit), at)
        at += GRID
        exchange.advance_to(at)
        averages.append(exchange.holdings()[0].average_price)
    assert averages == [1, Decimal("1.5"), Decimal("1.5")]
