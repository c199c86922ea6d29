"""The bench of the IB adapter: a gateway over the same restless market, a real socket between."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

from bot.brokers.ib.broker import IbBroker
from bot.brokers.ib.cash import DerivedCash, opening_deposit
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.journal import EventJournal
from bot.brokers.ib.order_book import OrderBook
from bot.brokers.ib.qualifier import Qualifier
from bot.brokers.ib.sent_orders import SentOrders
from bot.brokers.ib.session_settings import IbSettings
from bot.brokers.ib.view import Patience
from bot.clock import SystemClock, virtual_time
from bot.exchange.exchange import Exchange
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import Faults
from bot.gateway.feed.settings import FeedSettings
from bot.gateway.gateway import Gateway
from bot.gateway.settings import GatewaySettings
from bot.gateway.words import ComboLeg, Contract, Order
from bot.ports import Clock
from strategies.model.fills import CashMovement, Fill
from strategies.model.instruments import FutureContract, Instrument
from tests.bot.brokers.benches import ManualClock, legs_of, package_price
from tests.bot.exchange.venue.fakes import ScriptedMarket, open_exchange, restless_market
from tests.builders import AT

ACCOUNT = "DU0000001"
# no limits and no greeks, as a gateway inside the bot has it
UNLIMITED = GatewaySettings(
    messages_per_second=None,
    market_data_lines=None,
    historical_per_ten_minutes=None,
    feed=FeedSettings(greeks=False),
)


class MarketPrices:
    """Settlement values straight from the market."""

    def __init__(self, market: ScriptedMarket) -> None:
        self._market = market

    async def settlement_value(self, instrument: Instrument) -> float | None:
        return self._market.settlement_value(instrument)

    async def daily_settle(self, contract: FutureContract, session: date) -> float | None:
        return self._market.daily_settle(contract, session)


class WireBench:
    """The IB broker on a gateway of its own, 10:00 on a quiet Monday.

    ``restart`` ends bot and gateway together, as where the one is inside the other;
    ``restart_bot`` leaves the gateway alive, as another program's is.
    """

    starting_cash_usd = Decimal(1_000_000)

    def __init__(
        self,
        journal: Path,
        *,
        faults: Faults | None = None,
        settings: GatewaySettings = UNLIMITED,
        patience: Patience | None = None,
        clock: Clock | None = None,
        account_id: str = ACCOUNT,
        prove: Callable[[], Awaitable[None]] | None = None,
        **session_changes: object,
    ) -> None:
        self._journal = journal
        self._faults = faults
        self._settings = settings
        self._patience = patience
        self._account_id = account_id
        self._prove = prove
        self._session_changes = session_changes
        self._deposit: CashMovement | None = None
        self._fills: tuple[Fill, ...] = ()  # what a ledger would remember
        self.clock: Clock = clock or ManualClock(AT)
        self.events: EventJournal | None = None

    # --- life ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the gateway; the broker is made and not connected."""
        self.exchange: Exchange = open_exchange(
            restless_market(),
            account_id=self._account_id,
            starting_cash_usd=self.starting_cash_usd,
            journal_path=self._journal,
        )
        market = self.exchange.market
        self.gateway = Gateway(
            self.exchange, market.calendar, self.clock, self._settings, self._faults
        )
        self.port = await self.gateway.start(0)
        self.attach()

    def attach(self, **changes: object) -> None:
        """Make the broker of a new process, with changes to its settings."""
        settings = IbSettings(
            **(
                {
                    "port": self.port,
                    "client_id": 1,
                    "account": self._account_id,
                    "requests_per_second": 0,
                    "fresh_s": 0.0,
                }
            )
            | self._session_changes
            | changes
        )
        self.events = EventJournal(self._journal.parent / "events", self.clock)
        self.data_session = IbSession(settings.for_data(), self.clock)
        self.qualifier = Qualifier(self.data_session, self.exchange.market.calendar)
        self.book = OrderBook(self.qualifier.instrument)
        self.session = IbSession(settings, self.clock, log=self.events, orders=self.book)
        self.sent = SentOrders(self._journal.parent / "events" / "sent-orders.jsonl")
        self.broker = IbBroker(
            self.session,
            self.book,
            self.qualifier,
            self._open_cash,
            self.clock,
            self._patience,
            self.sent,
            self._prove,
        )

    def _open_cash(self, cash_usd: Decimal) -> DerivedCash:
        market = self.exchange.market
        if self._deposit is None:
            self._deposit = opening_deposit(self._account_id, market.first_session, cash_usd)
        derived = DerivedCash(
            [self._deposit], calendar=market.calendar, prices=MarketPrices(market)
        )
        derived.take(self._fills)
        return derived

    async def close(self) -> None:
        """End everything."""
        self.detach()
        await self.gateway.stop()
        await bytes_to_arrive()

    def detach(self) -> None:
        """End the bot's side."""
        self.session.disconnect()
        self.data_session.disconnect()
        self.sent.close()
        if self.events is not None:
            self.events.close()

    async def restart(self) -> None:
        """Replace bot and gateway by those of a new process."""
        self._fills = await self.broker.fetch_fills(AT)
        await self.close()
        await self.open()
        await self.broker.connect()

    async def restart_bot(self) -> None:
        """Replace the bot by that of a new process; the gateway does not notice."""
        self._fills = await self.broker.fetch_fills(AT)
        self.detach()
        await bytes_to_arrive()
        self.attach()
        await self.broker.connect()

    def are_bytes_under_way(self) -> bool:
        """Whether one end of a connection has sent what the other has not received."""
        theirs = self.gateway.traffic()
        for session in (self.session, self.data_session):
            ours = session.traffic()
            if ours is None or not ours.sent:
                continue
            link = theirs.get(ours.port)
            if link is None or (ours.sent, ours.received) != (link.received, link.sent):
                return True
        return False

    async def trade_by_hand(self, legs: str, quantity: int, limit: Decimal, who: str) -> None:
        """Place an order in the trader's window; ``who`` begins with liquidation if it is IB's."""
        legs_wanted = legs_of(legs)
        listed = [self.gateway.parts.contracts.of(leg.instrument) for leg in legs_wanted]
        is_sale = len(listed) == 1 and legs_wanted[0].ratio < 0
        contract = Contract(con_id=listed[0].con_id, exchange="SMART")
        if len(listed) > 1:
            contract = Contract(
                symbol=legs_wanted[0].instrument.underlying,
                sec_type="BAG",
                exchange="SMART",
                currency="USD",
                combo_legs=tuple(
                    ComboLeg(
                        con_id=found.con_id,
                        ratio=abs(leg.ratio),
                        action="BUY" if leg.ratio > 0 else "SELL",
                        exchange="SMART",
                    )
                    for leg, found in zip(legs_wanted, listed, strict=True)
                ),
            )
        wanted = Order(
            action="SELL" if is_sale else "BUY",
            total_quantity=Decimal(quantity),
            order_type="LMT",
            limit_price=-limit if is_sale else limit,
            tif="DAY",
            order_ref=who,
        )
        self.gateway.parts.desk.manual_order(contract, wanted, self.clock.now())

    async def price(self, legs: str, share: float) -> Decimal:
        """Return a limit so far between mid (0) and natural (1)."""
        market, now = self.exchange.market, self.clock.now()
        return package_price(legs, share, lambda instrument: market.quote(instrument, now))


async def bytes_to_arrive() -> None:
    """Let the ends of closed connections hear of it."""
    await asyncio.sleep(0.01)


Scenario = Callable[[WireBench], Awaitable[None]]


def run_in_virtual_time(
    folder: Path, scenario: Scenario, *faults: PlannedFault, **changes: object
) -> FaultPlan:
    """Run a scenario whose minutes take no time, with faults planned; returns what struck.

    The broker is connected when the scenario begins, unless it is given ``is_connected=False``.
    """
    plan = FaultPlan(faults)
    mishaps: list[dict[str, object]] = []
    is_connected = changes.pop("is_connected", True)
    with virtual_time(AT) as loop:
        loop.set_exception_handler(lambda _, context: mishaps.append(context))
        bench = WireBench(folder / "journal.jsonl", faults=plan, clock=SystemClock(), **changes)

        async def whole() -> None:
            await bench.open()
            with loop.watch(bench.are_bytes_under_way):
                try:
                    if is_connected:
                        await bench.broker.connect()
                    await scenario(bench)
                finally:
                    await bench.close()

        loop.run_until_complete(asyncio.wait_for(whole(), 24 * 3600))
    assert mishaps == []
    return plan
