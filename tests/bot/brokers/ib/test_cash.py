"""Derived cash movements are those the exchange booked: amounts, ids, instants and order."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.brokers.ib.cash import DerivedCash, opening_deposit
from bot.exchange.exchange import Exchange
from bot.exchange.orders import NewOrder
from strategies.model.calendars import at_exchange
from strategies.model.fills import (
    CashKind,
    CashMovement,
    ExternalFill,
    ExternalSource,
    Fill,
    Side,
)
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import FutureContract, Instrument
from strategies.model.lifecycle import OrderStatus
from tests.bot.brokers.ib.worlds import calendar, spring
from tests.builders import leg

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
CASH = Decimal(5_000_000)
ORDERS = (
    "+1 SPXW 20MAR20 3000 P, -1 SPXW 20MAR20 3050 P, -1 SPXW 20MAR20 3400 C",
    "+1 SPXW 28FEB20 3200 P, -1 SPXW 28FEB20 3250 P, +1 SPXW 28FEB20 3450 C",
    "+1 SPX 20MAR20 2900 P, -1 SPX 20MAR20 2950 P",
    "+1 VIX 18MAR20 22 C",
    "+1 VIX 19FEB20 14 C",
    "+1 VX 19FEB20",
    "-1 VX 19FEB20",
    "+1 VX 18MAR20",
    "-1 VX 18MAR20",
    "+1 VX 15APR20",
)


class PricesOfMarket:
    """Asks the market itself; counts, and can hold a value back until an instant."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_published = True

    async def settlement_value(self, instrument: Instrument) -> float | None:
        self.asked.append(f"SET {instrument.symbol}")
        return spring().settlement_value(instrument) if self.is_published else None

    async def daily_settle(self, contract: FutureContract, session: date) -> float | None:
        self.asked.append(f"VAR {contract.symbol} {session}")
        return spring().daily_settle(contract, session) if self.is_published else None


def open_exchange(seed: int = 1) -> Exchange:
    return Exchange(spring(), account_id="DU7", starting_cash_usd=CASH, seed=seed)


def derived(prices: PricesOfMarket | None = None) -> DerivedCash:
    deposit = opening_deposit("DU7", spring().first_session, CASH)
    return DerivedCash([deposit], calendar=calendar(), prices=prices or PricesOfMarket())


def trade(exchange: Exchange, at: datetime, legs: str, quantity: int, number: int) -> None:
    """Send an order that fills at once, if anything of it still trades."""
    wanted = tuple(leg(part.strip()) for part in legs.split(","))
    natural = Decimal(0)
    for each in wanted:
        quote = exchange.market.quote(each.instrument, at)
        if quote is None:
            return
        natural += each.ratio * Decimal(str(quote.ask if each.ratio > 0 else quote.bid))
    order = NewOrder(
        client_order_id=ClientOrderId(f"order-{number}"),
        legs=wanted,
        quantity=quantity,
        limit_price=(natural * 20).to_integral_value() / 20 + Decimal("0.5"),
    )
    exchange.submit(order, at)


def campaign(seed: int, orders: int = 14) -> tuple[Exchange, list[datetime]]:
    """Trade at random instants of the spring, to its end."""
    generator = np.random.default_rng(seed)
    exchange = open_exchange(seed)
    sessions = spring().calendar.sessions_between(spring().first_session, date(2020, 4, 17))
    days = sorted(generator.choice(len(sessions), orders))
    instants = []
    for number, day in enumerate(days):
        session = sessions[int(day)]
        minutes = int(generator.integers(1, 380))
        at = (spring().calendar.opens_at(session) + timedelta(minutes=minutes)).astimezone(UTC)
        if instants and at <= instants[-1]:
            continue
        instants.append(at)
        legs = ORDERS[int(generator.integers(len(ORDERS)))]
        trade(exchange, at, legs, int(generator.integers(1, 5)), number)
    exchange.advance_to(at_exchange(date(2020, 4, 30), datetime.min.time()).astimezone(UTC))
    return exchange, instants


@settings(max_examples=6)
@given(st.integers(0, 10_000))
async def test_movements_of_weeks_are_those_of_the_exchange_to_the_cent(seed):
    exchange, _ = campaign(seed)
    cash = derived()
    cash.take(exchange.fills(BEGINNING))
    found = await cash.movements(BEGINNING, exchange.now)
    assert found == exchange.cash_movements(BEGINNING)
    total = sum((each.amount_usd for each in found), Decimal(0))
    total += sum((each.cash_flow_usd for each in exchange.fills(BEGINNING)), Decimal(0))
    assert total == exchange.account().cash_usd


async def test_a_campaign_has_settlements_and_variation_of_every_kind():
    found: list[CashMovement] = []
    fills: list[Fill] = []
    for seed in range(4):
        exchange, _ = campaign(seed)
        found += exchange.cash_movements(BEGINNING)
        fills += exchange.fills(BEGINNING)
        assert all(each.status is OrderStatus.FILLED for each in exchange.orders() if not each.note)
    roots = {(each.kind, each.symbol and each.symbol[:4].strip()) for each in found}
    assert {
        (CashKind.DEPOSIT, None),
        (CashKind.SETTLEMENT, "SPXW"),
        (CashKind.SETTLEMENT, "VX"),
        (CashKind.SETTLEMENT, "VIX"),
        (CashKind.VARIATION, "VX"),
    } <= roots
    assert fills


async def test_asking_as_time_goes_by_gives_the_movements_of_asking_once():
    exchange, instants = campaign(3)
    prices = PricesOfMarket()
    cash = derived(prices)
    seen: list[CashMovement] = []
    since = BEGINNING
    for at in [*instants, exchange.now]:
        cash.take(fill for fill in exchange.fills(BEGINNING) if fill.executed_at <= at)
        seen += [each for each in await cash.movements(since, at) if each not in seen]
        since = at
    assert tuple(seen) == exchange.cash_movements(BEGINNING)
    assert len(prices.asked) == len(set(prices.asked))


async def test_fills_that_come_late_rewrite_what_followed_them():
    exchange, _ = campaign(5)
    fills = exchange.fills(BEGINNING)
    assert len(fills) > 4
    cash = derived()
    cash.take(fills[1::2])
    await cash.movements(BEGINNING, exchange.now)
    cash.take(fills)
    cash.take(fills)
    assert await cash.movements(BEGINNING, exchange.now) == exchange.cash_movements(BEGINNING)


async def test_a_corrected_execution_replaces_the_first_report():
    exchange = open_exchange()
    at = at_exchange(date(2020, 2, 5), datetime.min.time().replace(hour=11)).astimezone(UTC)
    trade(exchange, at, "+1 VX 19FEB20", 1, 1)
    exchange.advance_to(at + timedelta(hours=7))
    (fill,) = exchange.fills(BEGINNING)
    cash = derived()
    cash.take([fill])
    (_, first) = await cash.movements(BEGINNING, exchange.now)
    cash.take([replace(fill, revision=2, price=fill.price - 1)])
    (_, second) = await cash.movements(BEGINNING, exchange.now)
    assert second.amount_usd == first.amount_usd + 1000


async def test_what_is_not_published_yet_is_waited_for():
    exchange = open_exchange()
    at = at_exchange(date(2020, 2, 5), datetime.min.time().replace(hour=11)).astimezone(UTC)
    trade(exchange, at, "+1 VX 19FEB20", 2, 1)
    exchange.advance_to(at + timedelta(days=2))
    prices = PricesOfMarket()
    prices.is_published = False
    cash = derived(prices)
    cash.take(exchange.fills(BEGINNING))
    (deposit,) = await cash.movements(BEGINNING, exchange.now)
    assert deposit.kind is CashKind.DEPOSIT
    prices.is_published = True
    assert await cash.movements(BEGINNING, exchange.now) == exchange.cash_movements(BEGINNING)


async def test_values_on_record_are_not_asked_for_again():
    exchange, _ = campaign(2)
    recorded = exchange.cash_movements(BEGINNING)
    prices = PricesOfMarket()
    cash = DerivedCash(recorded, calendar=calendar(), prices=prices)
    cash.take(exchange.fills(BEGINNING))
    assert await cash.movements(BEGINNING, exchange.now) == recorded
    assert prices.asked == []


def test_books_begin_with_a_deposit():
    with pytest.raises(AssertionError, match="begin with a deposit"):
        DerivedCash([], calendar=calendar(), prices=PricesOfMarket())


def execution(symbol: str, quantity: int, root: str, revision: int = 1) -> ExternalFill:
    """A purchase by hand on the first session."""
    return ExternalFill(
        exec_root=root,
        revision=revision,
        source=ExternalSource.MANUAL,
        reference="by hand",
        symbol=symbol,
        side=Side.BUY,
        quantity=quantity,
        price=Decimal("1.00"),
        commission_usd=Decimal(1),
        executed_at=at_exchange(spring().first_session, time(10)),
    )


async def test_what_others_hold_settles_too():
    cash = derived()
    put = leg("SPXW 28FEB20 3200 P").instrument.symbol
    until = at_exchange(date(2020, 2, 28), time(17))
    cash.take([execution(put, 2, "a"), execution("AAPL", 100, "b")])
    deposit, settled = await cash.movements(BEGINNING, until)
    assert (deposit.kind, settled.kind) == (CashKind.DEPOSIT, CashKind.SETTLEMENT)
    assert (settled.symbol, settled.quantity) == (put, -2)
    cash.take([execution(put, 0, "a", revision=2)])
    assert await cash.movements(BEGINNING, until) == (deposit,)


async def test_what_a_person_booked_is_no_settlement():
    """An adjustment on record neither ends a start nor is told again as the broker's."""
    deposit = opening_deposit("DU7", spring().first_session, CASH)
    adjustment = replace(
        deposit, movement_id="ADJ-1", kind=CashKind.ADJUSTMENT, amount_usd=Decimal(-3)
    )
    cash = DerivedCash([deposit, adjustment], calendar=calendar(), prices=PricesOfMarket())
    until = at_exchange(date(2020, 2, 28), time(17))
    assert await cash.movements(BEGINNING, until) == (deposit,)
