"""The ports over connections to an IB Gateway, whoever runs it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from bot.app.config.schema import PaperLogin
from bot.app.ports import Connect, Ports
from bot.brokers.ib.broker import IbBroker
from bot.brokers.ib.cash import DerivedCash, derived_cash, opening_deposit
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.data_settings import IbDataSettings
from bot.brokers.ib.history import DailyBars, IbHistory, IbSettlementPrices
from bot.brokers.ib.journal import EventJournal
from bot.brokers.ib.market_data import IbMarketData
from bot.brokers.ib.order_book import OrderBook
from bot.brokers.ib.qualifier import Qualifier
from bot.brokers.ib.selection import Appetite
from bot.brokers.ib.self_test import SelfTest
from bot.brokers.ib.sent_orders import SentOrders
from bot.brokers.ib.session_settings import IbSettings
from bot.history.store import History
from bot.ports import Clock
from state.ledger import Ledger
from strategies.alvh.holdings import LEAST_HOLDING_DAYS
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class IbAccess:
    """What the ports need to know of an account and of the market behind it.

    Attributes:
        settings: Of the connection that trades; the one for data follows from it.
        data: What the login may see.
        calendar: Sessions.
        first_session: Of the books, where they are new.
        rules: They say which quotes matter where lines are few.
        rate: The interest rate of an instant, continuously compounded.
        history_before: Daily history known without IB.
        tops_up: Whether days it lacks at its end are asked of IB.
        events_folder: Where everything IB says is written down; None keeps nothing.
        proves: Whether it is proven at the start that contracts can be read and orders are taken.
        progress: Told how far a chain has been read; a line of the log unless given.
    """

    settings: IbSettings
    data: IbDataSettings
    calendar: TradingCalendar
    first_session: date
    rules: Rules
    rate: Callable[[datetime], float]
    history_before: Callable[[date], DailyHistory]
    tops_up: bool
    events_folder: Path | None = None
    proves: bool = False
    progress: Callable[[str], None] | None = None


class IbEnd:
    """Our end: two sessions and the ports over them. Nothing is connected until it is used."""

    def __init__(self, access: IbAccess, clock: Clock, ledger: Ledger | None) -> None:
        """Make everything; ``ledger`` has the books, which who only looks does without."""
        self._access = access
        self._ledger = ledger
        folder = access.events_folder
        self._events = None if folder is None else EventJournal(folder, clock)
        self._sent = SentOrders(None if folder is None else folder / "sent-orders.jsonl")
        self.data = IbSession(access.settings.for_data(), clock)
        self.qualifier = Qualifier(self.data, access.calendar)
        self.bars = DailyBars(self.data)
        book = OrderBook(self.qualifier.instrument)
        self.trading = IbSession(access.settings, clock, log=self._events, orders=book)
        self_test = SelfTest(self.trading, self.qualifier, access.calendar)
        prove = self_test.run if access.proves else None
        self._prices = IbSettlementPrices(self.bars, self.qualifier, clock)
        self.ports = Ports(
            broker=IbBroker(
                self.trading,
                book,
                self.qualifier,
                self._open_cash,
                clock,
                sent=self._sent,
                prove=prove,
            ),
            market_data=IbMarketData(
                self.data,
                self.trading,
                clock=clock,
                calendar=access.calendar,
                qualifier=self.qualifier,
                rate=access.rate,
                history=IbHistory(
                    self.bars,
                    self.qualifier,
                    access.calendar,
                    access.history_before,
                    tops_up=access.tops_up,
                ),
                appetite=appetite_of(access.rules),
                settings=access.data,
                progress=access.progress,
            ),
        )

    def close(self) -> None:
        """Leave the gateway."""
        self.trading.disconnect()
        self.data.disconnect()
        self._sent.close()
        if self._events is not None:
            self._events.close()

    def _open_cash(self, cash_usd: Decimal) -> DerivedCash:
        """Go on with the ledger's books, or begin them with what is in the account."""
        access = self._access
        if self._ledger is None:
            deposit = opening_deposit(access.settings.account, access.first_session, cash_usd)
            return DerivedCash([deposit], calendar=access.calendar, prices=self._prices)
        return derived_cash(
            self._ledger,
            account_id=access.settings.account,
            session=access.first_session,
            cash_usd=cash_usd,
            calendar=access.calendar,
            prices=self._prices,
        )


def paper_access(
    broker: PaperLogin,
    *,
    calendar: TradingCalendar,
    history: History,
    rules: Rules,
    first_session: date,
    events_folder: Path | None,
) -> IbAccess:
    """Return how to reach a paper account as its configuration says; a shadow's only looks."""

    def rate(at: datetime) -> float:
        return history.rate_on(at.astimezone(EXCHANGE_ZONE).date())

    return IbAccess(
        settings=IbSettings(
            host=broker.host,
            port=broker.port,
            client_id=broker.client_id,
            account=broker.account,
            is_trading=broker.is_trading,
            requests_per_second=broker.requests_per_second,
            answer_s=broker.answer_seconds,
            restarts_at=broker.restarts_at,
        ),
        data=IbDataSettings(
            lines=broker.market_data_lines, allows_delayed=broker.delayed_data == "accept"
        ),
        calendar=calendar,
        first_session=first_session,
        rules=rules,
        rate=rate,
        history_before=history.daily_history,
        tops_up=True,
        events_folder=events_folder,
        proves=broker.is_trading,
    )


def to_a_gateway(access: IbAccess, clock: Clock) -> Connect:
    """Return how to reach an account behind somebody's gateway."""

    @asynccontextmanager
    async def connect(ledger: Ledger) -> AsyncIterator[Ports]:
        async with connected(access, clock, ledger) as end:
            yield end.ports

    return connect


@asynccontextmanager
async def connected(access: IbAccess, clock: Clock, ledger: Ledger | None) -> AsyncIterator[IbEnd]:
    """Give our end of an IB connection, and leave the gateway afterwards."""
    end = IbEnd(access, clock, ledger)
    try:
        yield end
    finally:
        end.close()


def appetite_of(rules: Rules) -> Appetite:
    """Return which quotes the rules may look at."""
    condor, layers = rules.condor, rules.layers
    return Appetite(
        condor_days=(condor.min_dte, condor.max_dte),
        target_days=condor.target_dte,
        is_am_allowed=condor.allow_am_settled,
        short_delta=condor.short_delta,
        tested_delta=condor.tested_delta,
        net_vega=(condor.min_net_vega, condor.max_net_vega),
        is_one_by_one=condor.bias == "negative",
        hedge_days=(
            (1, layers.l1_max_days),
            (layers.l1_max_days + 1, layers.l2_max_days),
            (layers.l2_max_days + 1, layers.l3_max_days),
        ),
        call_deltas=(layers.call_delta_low, layers.call_delta_high),
        call_days_min=rules.rotation.option_roll_days + LEAST_HOLDING_DAYS,
        months=layers.months,
    )
