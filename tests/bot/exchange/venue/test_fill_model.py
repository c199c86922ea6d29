"""The fill model as a trader meets it: orders against a market that stands or moves."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.exchange.exchange import GRID, Exchange
from bot.exchange.matching import FillModel
from strategies.model.fees import DEFAULT_FEES
from strategies.model.fills import Fill, Side
from strategies.model.lifecycle import OrderStatus
from strategies.model.quotes import Quote
from tests.bot.exchange.venue.fakes import (
    CALL,
    CONDOR,
    VX,
    ScriptedMarket,
    new_order,
    open_exchange,
    restless_market,
)
from tests.builders import AT, instant, instrument, quote

LUCKY = FillModel(probability_max=1.0)
CLOSE = instant("2020-02-03 16:15")


def still_call(text: str = "0.40 x 0.60") -> ScriptedMarket:
    """A market that quotes the call the same all day."""
    return ScriptedMarket(scripted={instrument(CALL): quote(text)})


def condor_market() -> ScriptedMarket:
    """A market with a condor of two legs above and two legs below a point."""
    return ScriptedMarket(
        scripted={
            instrument("SPXW 06MAR20 3000 P"): quote("0.50 x 0.60"),
            instrument("SPXW 06MAR20 3050 P"): quote("2.00 x 2.10"),
            instrument("SPXW 06MAR20 3350 C"): quote("2.00 x 2.10"),
            instrument("SPXW 06MAR20 3400 C"): quote("0.50 x 0.60"),
        }
    )


def all_fills(exchange: Exchange) -> tuple[Fill, ...]:
    """Every execution since the beginning."""
    return exchange.fills(AT - timedelta(days=1))


def package_prices(fills: tuple[Fill, ...]) -> set[Decimal]:
    """The net price of each match of condor fills."""
    net: Counter[str] = Counter()
    for fill in fills:
        net[fill.exec_root.split(".")[1]] += fill.side.sign * fill.price
    return set(net.values())


# --- when ---------------------------------------------------------------------------------------


def test_an_order_meets_the_market_at_the_next_grid_instant_not_at_once():
    exchange = open_exchange(still_call())
    exchange.submit(new_order("a", CALL, 1, "0.60"), AT)
    assert exchange.orders()[0].status is OrderStatus.LIVE
    exchange.advance_to(AT + timedelta(seconds=9.9))
    assert exchange.orders()[0].status is OrderStatus.LIVE
    exchange.advance_to(AT + GRID)
    assert exchange.orders()[0].status is OrderStatus.FILLED
    assert all_fills(exchange)[0].executed_at == AT + GRID


def test_an_order_at_mid_does_not_fill_all_day_in_a_market_that_stands_still():
    exchange = open_exchange(still_call(), fill_model=LUCKY)
    exchange.submit(new_order("a", CALL, 1, "0.50"), AT)
    exchange.advance_to(CLOSE)
    assert not all_fills(exchange)


def test_the_market_may_come_to_an_order_that_rests_at_mid():
    def falling(at):
        return quote("0.40 x 0.60") if at < AT + timedelta(hours=1) else quote("0.20 x 0.40")

    exchange = open_exchange(ScriptedMarket(scripted={instrument(CALL): falling}))
    exchange.submit(new_order("a", CALL, 1, "0.50"), AT)
    exchange.advance_to(AT + timedelta(minutes=59))
    assert not all_fills(exchange)
    exchange.advance_to(AT + timedelta(minutes=61))
    assert [fill.price for fill in all_fills(exchange)] == [Decimal("0.50")]


def filled_share(limit: str, minutes: int) -> float:
    """The share of 400 orders that fill within some minutes."""
    exchange = open_exchange(still_call())
    for batch in range(20):
        at = AT + timedelta(minutes=batch * minutes)
        for number in range(20):
            # a quantity each, and so a luck of its own; the market shows 20 at least
            exchange.submit(new_order(f"{batch}/{number}", CALL, 1 + number, limit), at)
        exchange.advance_to(at + timedelta(minutes=minutes))
        for number in range(20):
            exchange.cancel(f"{batch}/{number}", at + timedelta(minutes=minutes))
    return sum(report.status is OrderStatus.FILLED for report in exchange.orders()) / 400


def test_the_chance_to_fill_grows_from_mid_to_natural():
    shares = [filled_share(limit, minutes=1) for limit in ("0.50", "0.53", "0.56", "0.59", "0.60")]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


@pytest.mark.parametrize(("limit", "distance"), [("0.53", 0.3), ("0.56", 0.6), ("0.59", 0.9)])
def test_the_share_of_fills_is_that_of_the_formula(limit, distance):
    each_instant = 0.20 * distance**2
    expected = 1 - (1 - each_instant) ** 6
    assert filled_share(limit, minutes=1) == pytest.approx(expected, abs=0.08)


def test_the_same_order_under_another_id_fills_at_the_same_instants_and_prices():
    """Ids are derived from plans, and a plan's floats may differ in a bit between interpreters."""

    def story(client_order_id):
        exchange = open_exchange(condor_market())
        exchange.submit(new_order(client_order_id, CONDOR, 60, "-2.90"), AT)
        exchange.advance_to(CLOSE)
        return [(fill.executed_at, fill.quantity, fill.price) for fill in all_fills(exchange)]

    stories = [story(f"A-{n}") for n in range(5)]
    assert len({at for at, _, _ in stories[0]}) > 1  # it took luck, and several matches
    assert stories == [stories[0]] * len(stories)


def test_an_order_that_leans_on_nobodys_bid_waits():
    exchange = open_exchange(still_call("0 x 0.05"), fill_model=LUCKY)
    exchange.submit(new_order("buy", CALL, 1, "0.05"), AT)
    exchange.advance_to(AT + GRID)
    exchange.submit(new_order("sell", f"-1 {CALL}", 1, "-0.01"), AT + GRID)
    exchange.advance_to(CLOSE)
    assert [report.status for report in exchange.orders()] == [
        OrderStatus.FILLED,
        OrderStatus.CANCELLED,
    ]


def test_an_order_waits_while_a_leg_is_not_quoted():
    def silent(at):
        return None if AT < at < AT + timedelta(minutes=5) else quote("0.40 x 0.60")

    exchange = open_exchange(ScriptedMarket(scripted={instrument(CALL): silent}))
    exchange.submit(new_order("a", CALL, 1, "0.60"), AT)
    exchange.advance_to(CLOSE)
    assert all_fills(exchange)[0].executed_at == AT + timedelta(minutes=5)


# --- at what price ------------------------------------------------------------------------------


def test_an_order_above_natural_pays_natural_and_no_better():
    exchange = open_exchange(still_call())
    exchange.submit(new_order("a", CALL, 1, "0.90"), AT)
    exchange.advance_to(AT + GRID)
    assert all_fills(exchange)[0].price == Decimal("0.60")


def test_an_order_that_has_been_waiting_trades_at_its_own_limit():
    def falling(at):
        return quote("0.40 x 0.60") if at <= AT + GRID else quote("0.10 x 0.20")

    exchange = open_exchange(ScriptedMarket(scripted={instrument(CALL): falling}))
    exchange.submit(new_order("a", CALL, 1, "0.45"), AT)
    exchange.advance_to(AT + 2 * GRID)
    assert all_fills(exchange)[0].price == Decimal("0.45")


def test_a_combo_trades_at_its_net_price_to_the_cent():
    exchange = open_exchange(condor_market(), fill_model=LUCKY)
    exchange.submit(new_order("a", CONDOR, 1, "-2.95"), AT)
    exchange.advance_to(CLOSE)
    fills = all_fills(exchange)
    assert len(fills) == 4
    assert package_prices(fills) == {Decimal("-2.95")}
    quotes = condor_market().scripted
    for fill in fills:
        market = next(q for i, q in quotes.items() if i.symbol == fill.symbol)
        assert isinstance(market, Quote)
        assert market.bid <= float(fill.price) <= market.ask


def test_combos_trade_at_their_net_price_whatever_the_market_does():
    exchange = open_exchange(
        restless_market(), fill_model=LUCKY, starting_cash_usd=Decimal(100_000_000)
    )
    for number in range(60):
        at = AT + number * timedelta(minutes=5)
        limit = str(Decimal("-4.50") - number % 14 * Decimal("0.05"))
        exchange.submit(new_order(str(number), CONDOR, 60, limit), at)
        exchange.advance_to(at + timedelta(minutes=4))
        exchange.cancel(str(number), at + timedelta(minutes=4))
    fills = all_fills(exchange)
    assert len(fills) > 100
    limits = {report.client_order_id: report.limit_price for report in exchange.orders()}
    nets: Counter[tuple[str, str]] = Counter()
    for fill in fills:
        nets[fill.client_order_id, fill.exec_root.split(".")[1]] += fill.side.sign * fill.price
    assert all(net <= limits[order_id] for (order_id, _), net in nets.items())


# --- how much -----------------------------------------------------------------------------------


def test_a_big_order_fills_in_parts_and_its_legs_stay_in_ratio():
    exchange = open_exchange(condor_market())
    exchange.submit(new_order("a", CONDOR, 120, "-2.80"), AT)
    reports = []
    for number in range(1, 30):
        exchange.advance_to(AT + number * GRID)
        reports.append(exchange.orders()[0])
        held = exchange.positions().values()
        assert {abs(net) for net in held} == {reports[-1].filled_quantity}
    assert reports[0].status is OrderStatus.PARTIALLY_FILLED
    assert reports[-1].status is OrderStatus.FILLED
    assert all(5 <= fill.quantity <= 50 for fill in all_fills(exchange)[:-4])
    assert all(report.filled_quantity + report.leaves_quantity == 120 for report in reports)


@pytest.mark.parametrize(("text", "most"), [(CALL, 200), (VX, 30)])
def test_one_instant_never_fills_more_than_the_market_shows(text, most):
    market = ScriptedMarket(scripted={instrument(text): quote("0.40 x 0.60")})
    exchange = open_exchange(market, starting_cash_usd=Decimal(10_000_000))
    exchange.submit(new_order("a", text, 300, "0.60"), AT)
    exchange.advance_to(AT + GRID)
    assert 0 < exchange.orders()[0].filled_quantity <= most


def test_the_rest_of_a_partly_filled_order_can_be_cancelled():
    exchange = open_exchange(condor_market())
    exchange.submit(new_order("a", CONDOR, 120, "-2.80"), AT)
    exchange.advance_to(AT + GRID)
    filled = exchange.orders()[0].filled_quantity
    report = exchange.cancel("a", AT + GRID)
    assert report.status is OrderStatus.CANCELLED
    assert (report.filled_quantity, report.leaves_quantity) == (filled, 120 - filled)
    exchange.advance_to(CLOSE)
    assert exchange.orders()[0] == report


# --- what it costs ------------------------------------------------------------------------------


def test_a_condor_costs_4_452_usd_in_fees():
    exchange = open_exchange(condor_market())
    exchange.submit(new_order("a", CONDOR, 1, "-2.80"), AT)
    exchange.advance_to(AT + GRID)
    assert sum(fill.commission_usd for fill in all_fills(exchange)) == Decimal("4.452")
    assert exchange.account().cash_usd == 1_000_000 + 290 - Decimal("4.452")


def test_a_vx_round_turn_costs_4_76_usd_in_fees():
    exchange = open_exchange()
    exchange.submit(new_order("a", VX, 1, "30.00"), AT)
    exchange.submit(new_order("b", f"-1 {VX}", 1, "-1.00"), AT + GRID)
    exchange.advance_to(AT + 2 * GRID)
    assert [fill.side for fill in all_fills(exchange)] == [Side.BUY, Side.SELL]
    assert sum(fill.commission_usd for fill in all_fills(exchange)) == Decimal("4.76")


def test_the_first_match_of_a_small_option_order_is_raised_to_the_brokers_minimum():
    exchange = open_exchange(still_call())
    exchange.submit(new_order("a", CALL, 1, "0.60"), AT)
    exchange.advance_to(AT + GRID)
    fees = DEFAULT_FEES
    exchange_fees = fees.vix_exchange_simple[1] + fees.orf + fees.occ
    assert all_fills(exchange)[0].commission_usd == Decimal("1.00") + exchange_fees


def test_the_brokers_minimum_is_charged_once_an_order():
    parts = FillModel(vix_option_packages=(19, 19))
    exchange = open_exchange(still_call("0.02 x 0.04"), fill_model=parts)
    exchange.submit(new_order("a", CALL, 20, "0.04"), AT)
    exchange.advance_to(CLOSE)
    each = DEFAULT_FEES.option_commission_lowest + DEFAULT_FEES.vix_exchange_simple[0]
    each += DEFAULT_FEES.orf + DEFAULT_FEES.occ
    assert [fill.commission_usd for fill in all_fills(exchange)] == [19 * each, each]
