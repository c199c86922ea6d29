"""A shadow account: quotes of a login, fills of its own, and no order that ever reaches the login.

Bot and gateway share one loop of virtual time. The gateway writes down what it was asked.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine

from bot.app.commands.inputs import paths_of, read_config
from bot.app.ib_ports import paper_access
from bot.app.ports import Ports
from bot.app.reports import IntervalReport, RunOptions, SessionReport
from bot.app.run import Outcome, live
from bot.app.shadow import ShadowEnd, looking, open_shadow
from bot.app.wire import in_flight
from bot.app.wiring import PaperWorld, build_world, wire
from bot.brokers.ib.library import Contract, Order
from bot.clock import SystemClock, VirtualTimeLoop, virtual_time
from bot.exchange.exchange import Exchange
from bot.exchange.market import Market
from bot.exchange.tape import TapeUnusable
from bot.gateway.feed.settings import FeedSettings
from bot.gateway.gateway import Gateway
from bot.gateway.protocol.codec import decode_request
from bot.gateway.session import Session
from bot.gateway.settings import GatewaySettings
from state.ledger import Ledger
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.fills import CashKind
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import ApprovedOrder
from tests.bot.brokers.benches import approved, legs_of, package_price
from tests.bot.brokers.ib.worlds import spring
from tests.builders import instant, instrument

ROOT = Path(__file__).parents[3]
ACCOUNT = "DU7654321"
CASH = Decimal(500_000)
CONFIG = f"""\
name: shadow-account
broker:
  kind: ib_shadow
  port: 4002
  client_id: 17
  account: {ACCOUNT}
  starting_cash_usd: {CASH}
  seed: 7
limits: limits.yaml
schedule: {{interval_minutes: 60, first_interval: "10:00", last_interval: "16:00"}}
"""
ORDERS = {"placeOrder", "cancelOrder", "reqGlobalCancel", "exerciseOptions"}
LONG_AGO = instant("2000-01-01")


class ListeningGateway(Gateway):
    """A gateway that writes down what it was asked."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.asked: set[str] = set()

    def receive(self, session: Session, payload: bytes) -> None:
        self.asked.add(decode_request(payload, session.version).kind)
        super().receive(session, payload)


class ShadowAccount:
    """The files of a bot, and a login whose account is as it was whatever the bot does."""

    def __init__(self, folder: Path, market: Market) -> None:
        shutil.copy(ROOT / "limits.yaml", folder)
        (folder / "config.yaml").write_text(CONFIG)
        self.config = read_config(folder / "config.yaml", [])
        self.paths = paths_of(self.config, folder / "var")
        self.market = market
        self.at_ib = Exchange(market, account_id=ACCOUNT, starting_cash_usd=Decimal(1_000), seed=1)
        self.asked: set[str] = set()
        self.decided: list[IntervalReport] = []

    def on_interval(self, report: IntervalReport) -> None:
        self.decided.append(report)

    def on_session(self, report: SessionReport) -> None:
        """Nothing is asked of it."""

    @asynccontextmanager
    async def connected(self, begin: str) -> AsyncIterator[ShadowEnd]:
        """Give the bot's end, with the gateway in the same loop."""
        clock = SystemClock()
        world = build_world(self.config)
        assert isinstance(world, PaperWorld)
        today = instant(begin).astimezone(EXCHANGE_ZONE).date()
        exchange, tape = open_shadow(world.broker, world.calendar, self.paths, today)
        settings = GatewaySettings(pump_every_s=60.0, feed=FeedSettings(greeks=False))
        gateway = ListeningGateway(self.at_ib, self.market.calendar, clock, settings)
        access = paper_access(
            world.broker.model_copy(update={"port": await gateway.start()}),
            calendar=world.calendar,
            history=world.history,
            rules=world.rules,
            first_session=today,
            events_folder=None,
        )
        self.exchange = exchange
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        try:
            async with looking(access, exchange, tape, clock) as end:
                with loop.watch(lambda: in_flight(gateway, end)):
                    yield end
        finally:
            await gateway.stop()
            self.asked |= gateway.asked

    def live(self, begin: str, until: str) -> Outcome:
        """Live from one New York time to another, as ``alvh run`` would."""
        begins_at = instant(begin)

        @asynccontextmanager
        async def connect(_ledger: Ledger) -> AsyncIterator[Ports]:
            async with self.connected(begin) as end:
                yield end.ports

        with time_machine.travel(begins_at, tick=False):
            wiring = wire(build_world(self.config), self.paths)
        with Ledger.open(
            self.paths.database, mode="ib_shadow", account=ACCOUNT, now=begins_at
        ) as ledger:
            outcome = live(
                self.config,
                self.paths,
                RunOptions(until=instant(until)),
                self,
                wiring=replace(wiring, connect=connect, in_real_time=False),
                ledger=ledger,
            )
            assert ledger.positions() == self.exchange.positions()
            assert ledger.cash_usd() == self.exchange.account().cash_usd
            self.condors = ledger.open_condor_ids()
            self.fills = ledger.fills_since(LONG_AGO)
            return outcome

    def act(self, begin: str, scenario: Callable[[ShadowEnd], Awaitable[None]]) -> None:
        """Let a scenario use the ports directly."""
        with virtual_time(instant(begin)) as loop:

            async def whole() -> None:
                async with self.connected(begin) as end:
                    await end.ports.broker.connect()
                    await scenario(end)

            loop.run_until_complete(asyncio.wait_for(whole(), 10 * 24 * 3600))


@pytest.fixture(scope="module")
def market() -> Market:
    return spring(date(2020, 2, 24), date(2020, 3, 20))


@pytest.fixture
def account(tmp_path, market) -> ShadowAccount:
    return ShadowAccount(tmp_path, market)


def test_a_session_trades_in_a_world_of_its_own(account):
    outcome = account.live("2020-02-24 09:40", "2020-02-24 12:30")
    assert (outcome.halted, outcome.differences) == (None, ())
    assert len(account.condors) == 1
    morning, fills = account.exchange.positions(), account.fills
    assert len(morning) >= 4
    assert account.paths.database.name == f"ib_shadow-{ACCOUNT}.sqlite"

    outcome = account.live("2020-02-24 12:40", "2020-02-24 16:30")
    assert (outcome.halted, outcome.differences) == (None, ())
    assert account.fills[: len(fills)] == fills, "a restart finds what was traded before it"
    assert account.exchange.cash_movements(LONG_AGO)[0].amount_usd == CASH

    assert not account.asked & ORDERS, "no order left for the gateway"
    assert account.at_ib.records() == ()
    assert account.at_ib.positions() == {}

    lived = account.exchange
    rebuilt, _ = open_shadow(
        account.config.bot.broker, account.market.calendar, account.paths, date(2020, 2, 24)
    )
    rebuilt.advance_to(lived.now)
    assert rebuilt.orders() == lived.orders()
    assert rebuilt.fills(LONG_AGO) == lived.fills(LONG_AGO)
    assert rebuilt.account() == lived.account()


def test_its_connections_have_no_way_to_trade(account):
    async def try_to(end: ShadowEnd) -> None:
        await end.data.connect()
        for session in (end.trading, end.data):
            for way in (
                lambda ib: ib.placeOrder(Contract(), Order()),
                lambda ib: ib.cancelOrder(Order()),
                lambda ib: ib.reqGlobalCancel(),
                lambda ib: ib.whatIfOrder(Contract(), Order()),
            ):
                with pytest.raises(AssertionError, match="only looks"):
                    way(session.ib)

    account.act("2020-02-24 10:00:01", try_to)
    assert not account.asked & ORDERS


CONDOR = (
    "+1 SPXW 26FEB20 2900 P, -1 SPXW 26FEB20 2950 P, -1 SPXW 26FEB20 3350 C, +1 SPXW 26FEB20 3400 C"
)
CALL = "SPXW 20MAR20 3500 C"
FUTURE = "VX 18MAR20"


async def order_at(end: ShadowEnd, legs: str, quantity: int, share: float) -> ApprovedOrder:
    """Return an order so far between mid (0) and natural (1)."""
    every = [each.instrument for each in legs_of(legs)]
    quotes = await end.ports.market_data.fetch_quotes(every)
    return approved(legs, quantity, package_price(legs, share, lambda each: quotes[each.symbol]))


def test_what_nobody_saw_fills_nothing(account):
    """An order at work trades on the last quote read of it, and no more while no process lives."""
    sent: list[ApprovedOrder] = []

    async def submit(end: ShadowEnd) -> None:
        sent.append(await order_at(end, CALL, 120, 1.5))  # more than is shown at once
        report = await end.ports.broker.submit(sent[0])
        assert report.status is OrderStatus.LIVE

    async def look(end: ShadowEnd) -> None:
        (report,) = await end.ports.broker.fetch_orders()
        assert report.status is OrderStatus.PARTIALLY_FILLED
        (fill,) = await end.ports.broker.fetch_fills(LONG_AGO)
        assert fill.executed_at == instant("2020-02-24 10:00:10")
        await SystemClock().sleep(300)
        first, second, *_ = await end.ports.broker.fetch_fills(LONG_AGO)
        assert first == fill
        assert second.executed_at > instant("2020-02-24 10:30")
        assert (await end.ports.broker.submit(sent[0])).status is OrderStatus.FILLED

    account.act("2020-02-24 10:00:01", submit)
    account.act("2020-02-24 10:30", look)
    assert not account.asked & ORDERS


def test_settlements_are_booked_as_they_are_published(account):
    market = account.market

    async def trade(end: ShadowEnd) -> None:
        await end.ports.market_data.fetch_market()
        for legs in (CONDOR, FUTURE):
            await end.ports.broker.submit(await order_at(end, legs, 1, 1.5))
        await SystemClock().sleep(60)
        assert len(await end.ports.broker.fetch_positions()) == 5

    async def evening(end: ShadowEnd) -> None:
        (movement,) = await end.ports.broker.fetch_cash_movements(instant("2020-02-24 12:00"))
        (fill,) = [
            each
            for each in await end.ports.broker.fetch_fills(LONG_AGO)
            if each.symbol == instrument(FUTURE).symbol
        ]
        settle = market.daily_settle(instrument(FUTURE), date(2020, 2, 24))
        assert movement.kind is CashKind.VARIATION
        assert float(movement.amount_usd) == pytest.approx((settle - float(fill.price)) * 1000)

    async def expiry(end: ShadowEnd) -> None:
        await end.ports.broker.fetch_positions()
        await SystemClock().sleep(600)  # 16:10: the bar of the day counts from now on
        positions = await end.ports.broker.fetch_positions()
        assert set(positions) == {instrument(FUTURE).symbol}
        movements = await end.ports.broker.fetch_cash_movements(instant("2020-02-26 12:00"))
        kinds = sorted(movement.kind.name for movement in movements)
        assert kinds == ["SETTLEMENT"] * 4 + ["VARIATION"] * 2
        account = await end.ports.broker.fetch_account()
        flows = [each.cash_flow_usd for each in await end.ports.broker.fetch_fills(LONG_AGO)]
        booked = await end.ports.broker.fetch_cash_movements(LONG_AGO)
        assert account.cash_usd == sum(flows) + sum(each.amount_usd for each in booked)

    account.act("2020-02-24 10:00:01", trade)
    account.act("2020-02-24 16:20", evening)
    account.act("2020-02-26 16:01", expiry)
    spx = market.settlement_value(instrument("SPXW 26FEB20 2950 P"))
    assert spx > 2950, "or the condor's settlement is not all zeros"
    assert not account.asked & ORDERS


def test_a_tape_of_another_account_is_refused(account):
    account.paths.tape.parent.mkdir(parents=True)
    account.paths.tape.write_text('{"version":1,"account":"DU1","first":"x","last":"y"}\n')
    with time_machine.travel(instant("2020-02-24 10:00"), tick=False):
        world = build_world(account.config)
        with pytest.raises(TapeUnusable, match="no tape of DU7654321"):
            wire(world, account.paths)
