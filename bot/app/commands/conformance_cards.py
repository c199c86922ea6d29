"""The cards of `alvh conformance`: what the bot relies on, one numbered promise a card.

Cards that look come first. Those that order place one condor at a credit between what the market
pays and the most it could ever be worth, which nobody takes, and cancel it at once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

from bot.app.ib_ports import IbAccess, IbEnd
from bot.brokers.ib.journal import masked
from bot.brokers.ib.library import RequestError
from bot.brokers.ib.margin import margin_refusal
from bot.brokers.ib.orders import contract_of, order_of
from bot.errors import BotError, WrongAccount
from bot.ports import Clock, OrderReport
from strategies.model.book import Book
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.errors import DomainError
from strategies.model.instruments import OptionContract, Right
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import Limits, Readiness, SystemState
from strategies.model.orders import ApprovedOrder, Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.quotes import CALL, PUT, OptionChain, Quote
from strategies.model.snapshots import MarketQuotes
from strategies.model.ticks import order_tick, round_down
from strategies.risk.gate import Refusal, approve

_VERSIONS = range(157, 10_000)
_CLOCKS_APART_MAX = timedelta(seconds=5)
_DAYS = range(20, 61)  # to the condor's expiry
_SHORT_PUT, _SHORT_CALL = 0.94, 1.05  # strikes aimed at, of the index
_WIDTH_MOST = 100.0  # index points of a wing
_FAR = Decimal("0.5")  # how far from what is paid to the most it could be worth
_LEAST_FAR = Decimal("1.00")  # index points
_BY_HAND = "LOOK at the account, and cancel the order by hand if it is there"
_RECENTLY = timedelta(days=1)


class CardFailed(Exception):
    """What was found is not what is expected; the text says what was found."""


class NotRun(Exception):
    """A card needs one that did not pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One promise, and whether it was kept."""

    number: str
    about: str
    expected: str
    found: str
    result: str  # pass, FAIL, or not run: for want of what came before

    @property
    def passed(self) -> bool:
        """Whether it was kept."""
        return self.result == "pass"


class Cards:
    """Runs cards against one account; each may use what those before it found."""

    def __init__(self, end: IbEnd, access: IbAccess, limits: Limits, clock: Clock) -> None:
        """Run nothing yet."""
        self._end = end
        self._access = access
        self._limits = limits
        self._clock = clock
        self._began_at = clock.now()
        self._market: MarketQuotes | None = None
        self._quotes: dict[str, Quote] = {}
        self._quoted_at = self._began_at
        self._legs: tuple[Leg, ...] = ()
        self._intent: OrderIntent | None = None
        self._order: ApprovedOrder | None = None
        self._positions: dict[str, int] = {}
        self.done: list[Card] = []

    async def run(self, *, with_orders: bool) -> None:
        """Run every card that looks, then those that order if wanted.

        Raises: WrongAccount; nothing was asked of it then.
        """
        await self._run(
            ("C01", "connection", "a gateway of server version 157 or later", self._connection),
            ("C02", "account", "the configured DU account, and no live one", self._account_proof),
            ("C03", "clocks", "within 5 s of each other", self._clocks),
            ("C04", "lists", "positions, orders and executions told to the end", self._lists),
            ("C05", "account values", "cash, net liquidation, margin", self._account_values),
            ("C06", "indices", "SPX and VIX, one contract each", self._indices),
            ("C07", "options", "expirations of SPX, SPXW and VIX", self._expirations),
            ("C08", "futures", "months of VX", self._futures),
            ("C09", "daily bars", "closes of SPX, the last session's too", self._bars),
            ("C10", "market", "live quotes of indices, options and futures", self._look),
            ("C11", "legs", "live quotes of the four legs of a condor", self._leg_quotes),
            ("C12", "what-if", "margin and commission of that condor", self._what_if),
        )
        if not with_orders:
            return
        try:
            await self._run(
                ("C13", "place", "a condor nobody takes is live, with a number", self._place),
                ("C14", "seen", "IB lists it, as it was sent", self._seen),
                ("C15", "once", "sending it again places nothing", self._once),
            )
        finally:
            await self._run(
                ("C16", "cancel", "confirmed, nothing filled", self._cancel),
                ("C17", "nothing left", "no fill, and positions as before", self._nothing_left),
            )

    async def _run(self, *cards: tuple[str, str, str, Callable[[], Awaitable[str]]]) -> None:
        for number, about, expected, look in cards:
            found, result = "", "pass"
            try:
                found = await look()
            except WrongAccount:
                raise
            except NotRun as cause:
                found, result = str(cause), "not run"
            except (CardFailed, BotError) as cause:
                found, result = str(cause) or type(cause).__name__, "FAIL"
            except (RequestError, DomainError, OSError, ValueError) as cause:
                found, result = f"{type(cause).__name__}: {cause}", "FAIL"
            self.done.append(
                Card(number=number, about=about, expected=expected, found=found, result=result)
            )

    # --- looking ------------------------------------------------------------------------------

    async def _connection(self) -> str:
        await self._end.ports.broker.connect()
        truth = self._end.trading.truth()
        if truth.server_version not in _VERSIONS:
            raise CardFailed(f"server version {truth.server_version}")
        return f"server version {truth.server_version}, {truth.library}"

    async def _account_proof(self) -> str:
        self._require_connection()
        accounts = self._end.trading.truth().accounts
        if not all(account.startswith("D") for account in accounts):
            raise CardFailed(f"accounts {', '.join(map(masked, accounts))}")
        return f"{masked(self._access.settings.account)}, one of {len(accounts)}"

    async def _clocks(self) -> str:
        self._require_connection()
        await self._end.trading.fence()
        ahead = self._end.trading.truth().clock_ahead or timedelta(0)
        found = f"IB's is {ahead.total_seconds():+.1f} s from this machine's"
        if abs(ahead) > _CLOCKS_APART_MAX:
            raise CardFailed(found)
        return found

    async def _lists(self) -> str:
        self._require_connection()
        await self._end.trading.synchronise()
        self._positions = await self._end.ports.broker.fetch_positions()
        orders = await self._end.ports.broker.fetch_orders()
        fills = await self._end.ports.broker.fetch_fills(self._began_at - _RECENTLY)
        return f"{len(self._positions)} positions, {len(orders)} orders, {len(fills)} executions"

    async def _account_values(self) -> str:
        self._require_connection()
        account = await self._end.ports.broker.fetch_account()
        if account.net_liquidation_usd <= 0:
            raise CardFailed(f"net liquidation {account.net_liquidation_usd}")
        return f"net liquidation {account.net_liquidation_usd:,.0f} USD"

    async def _indices(self) -> str:
        self._require_connection()
        found = []
        for name in ("SPX", "VIX"):
            contract = await self._end.qualifier.index(name)
            if contract is None:
                raise CardFailed(f"IB has no {name}")
            found.append(f"{name} {contract.conId}")
        return ", ".join(found)

    async def _expirations(self) -> str:
        self._require_connection()
        listed = [
            each
            for underlying in ("SPX", "VIX")
            for each in await self._end.qualifier.expirations(underlying)
        ]
        counts = {each.root: len(each.last_trades) for each in listed}
        if missing := [root for root in ("SPX", "SPXW", "VIX") if not counts.get(root)]:
            raise CardFailed(f"none of {', '.join(missing)}")
        return ", ".join(f"{root} {count}" for root, count in counts.items())

    async def _futures(self) -> str:
        self._require_connection()
        months = await self._end.qualifier.futures("VX")
        if not months:
            raise CardFailed("none")
        return f"{len(months)}, nearest {months[0].expiry}"

    async def _bars(self) -> str:
        self._require_connection()
        today = self._began_at.astimezone(EXCHANGE_ZONE).date()
        calendar = self._access.calendar
        before = calendar.sessions_between(today - timedelta(days=10), today - timedelta(days=1))
        contract = await self._end.qualifier.index("SPX")
        if contract is None:
            raise NotRun("C06")
        bars = await self._end.bars.closes(contract, 30, "SPX")
        if before[-1] not in bars:
            raise CardFailed(f"{len(bars)} bars, none of {before[-1]}")
        return f"{len(bars)} bars, {before[-1]} closed at {bars[before[-1]]:g}"

    async def _look(self) -> str:
        self._require_connection()
        self._market = market = await self._end.ports.market_data.fetch_market()
        kinds = self._end.data.truth().data_types - {1}
        if kinds:
            raise CardFailed(f"market data of type {', '.join(map(str, sorted(kinds)))}, not live")
        strikes = len(market.spx_options.strike) + len(market.vix_options.strike)
        indices = ", ".join(f"{name} {each.value:g}" for name, each in market.indices.items())
        return f"{indices}; {strikes} strikes, {len(market.futures)} futures"

    async def _leg_quotes(self) -> str:
        if self._market is None:
            raise NotRun("needs C10")
        self._legs = _condor(self._market)
        instruments = [leg.instrument for leg in self._legs]
        self._quotes = await self._end.ports.market_data.fetch_quotes(instruments)
        self._quoted_at = self._clock.now()
        shown = []
        for each in instruments:
            quote = self._quotes.get(each.symbol)
            if quote is None or not quote.is_two_sided:
                raise CardFailed(f"no two-sided quote of {each}")
            shown.append(f"{each} {quote.bid:g} x {quote.ask:g}")
        self._intent = self._far_from_market()
        return "; ".join(shown)

    async def _what_if(self) -> str:
        if self._intent is None:
            raise NotRun("needs C11")
        intent, session = self._intent, self._end.trading
        contracts = await self._end.qualifier.qualify(leg.instrument for leg in intent.legs)
        ib = await session.ready()
        state: Any = await session.ask(
            "what-if",
            ib.whatIfOrderAsync,
            contract_of(intent, contracts),
            order_of(intent, session.settings.account),
        )
        if refusal := margin_refusal(state):
            raise CardFailed(refusal)
        if not str(state.initMarginChange):
            raise CardFailed("no margin was told")
        return f"initial margin {state.initMarginChange}, equity {state.equityWithLoanAfter}"

    # --- ordering -----------------------------------------------------------------------------

    async def _place(self) -> str:
        if self._intent is None:
            raise NotRun("needs C11")
        if not self.done[-1].passed:
            raise NotRun("needs C12")
        now = self._clock.now()
        verdict = approve(
            self._intent,
            readiness=Readiness(
                at=now,
                state=SystemState.RUNNING,
                halt_scope=None,
                connected=True,
                reconciled=True,  # there are no books here, only this one order
                lease_held=True,
                orders_today=0,
                quotes_at=self._quoted_at,
            ),
            limits=replace(
                self._limits,
                price_collar_points=Decimal(10_000),  # far is the point
                margin_required=False,  # the card before this one has asked
            ),
            book=Book(condors=(), hedges=(), working=(), hedge_cost_365d_usd=Decimal(0)),
            quotes=self._quotes,
            orders_seen=(),
        )
        if isinstance(verdict, Refusal):
            raise CardFailed(f"the risk gate refuses it: {verdict.reason}: {verdict.detail}")
        self._order = verdict
        report = await self._end.ports.broker.submit(verdict)
        if report.status is not OrderStatus.LIVE or not report.broker_order_id:
            raise CardFailed(_told(report))
        return _told(report)

    async def _seen(self) -> str:
        report = await self._report()
        assert self._intent is not None, "there is an order"
        if report.status is not OrderStatus.LIVE or (
            report.limit_price,
            report.leaves_quantity,
        ) != (self._intent.limit_price, self._intent.quantity):
            raise CardFailed(_told(report))
        return _told(report)

    async def _once(self) -> str:
        before = await self._report()
        assert self._order is not None, "there is an order"
        again = await self._end.ports.broker.submit(self._order)
        ours = [
            each
            for each in await self._end.ports.broker.fetch_orders()
            if each.client_order_id == self._order.client_order_id
        ]
        if len(ours) != 1 or again.broker_order_id != before.broker_order_id:
            raise CardFailed(f"{len(ours)} orders: {_told(again)}")
        return f"still order {again.broker_order_id}"

    async def _cancel(self) -> str:
        if self._order is None:
            raise NotRun("needs C13")
        try:
            report = await self._end.ports.broker.cancel(self._order.client_order_id)
        except BotError as cause:
            raise CardFailed(f"{cause}; {_BY_HAND}") from cause
        if report.status is not OrderStatus.CANCELLED or report.filled_quantity:
            raise CardFailed(f"{_told(report)}; {_BY_HAND}")
        return _told(report)

    async def _nothing_left(self) -> str:
        if self._order is None:
            raise NotRun("needs C13")
        broker = self._end.ports.broker
        await self._end.trading.synchronise()
        fills = [
            fill
            for fill in await broker.fetch_fills(self._began_at - _RECENTLY)
            if fill.client_order_id == self._order.client_order_id
        ]
        report = await self._report()
        positions = await broker.fetch_positions()
        if fills or positions != self._positions or report.status is not OrderStatus.CANCELLED:
            raise CardFailed(f"{_told(report)}, {len(fills)} executions, positions {positions}")
        return "no execution, positions unchanged"

    async def _report(self) -> OrderReport:
        if self._order is None:
            raise NotRun("needs C13")
        for each in await self._end.ports.broker.fetch_orders():
            if each.client_order_id == self._order.client_order_id:
                return each
        raise CardFailed("IB does not list it")

    def _require_connection(self) -> None:
        if not self._end.trading.is_connected:
            raise NotRun("needs C01")

    def _far_from_market(self) -> OrderIntent:
        """Return the condor at a credit nobody pays: half way from its mid to its whole width."""
        mid = sum(
            (
                leg.ratio * Decimal(str(self._quotes[leg.instrument.symbol].mid))
                for leg in self._legs
            ),
            Decimal(0),
        )
        strikes = sorted(
            leg.instrument.strike
            for leg in self._legs
            if isinstance(leg.instrument, OptionContract)
        )
        width = max(strikes[1] - strikes[0], strikes[3] - strikes[2])
        price = mid - max(_LEAST_FAR, (width + mid) * _FAR)
        if -price >= width:
            raise CardFailed(f"a condor {width} wide at a mid of {mid} leaves no room to stay away")
        limit = round_down(price, order_tick([leg.instrument for leg in self._legs], price))
        began = self._began_at.astimezone(UTC)
        return OrderIntent(
            plan_id=f"conformance {began.isoformat()}",
            purpose="condor:conformance:open",
            legs=self._legs,
            quantity=1,
            limit_price=limit,
            worst_price=limit,
            effect=PositionEffect.OPEN,
            urgency=Urgency.PASSIVE,
            rules=("conformance",),
            condor_id="conformance",
        )


def _told(report: OrderReport) -> str:
    left = f"{report.filled_quantity} filled, {report.leaves_quantity} left"
    note = f" ({report.note})" if report.note else ""
    return f"{report.status}, order {report.broker_order_id}, at {report.limit_price}, {left}{note}"


def _condor(market: MarketQuotes) -> tuple[Leg, ...]:
    """Return a condor of quoted strikes, one of each leg; raises CardFailed if none is seen."""
    chain, spx = market.spx_options, market.indices["SPX"].value
    today = market.at.astimezone(EXCHANGE_ZONE).date()
    for index, series in enumerate(chain.series):
        if series.root != "SPXW" or (series.expiry - today).days not in _DAYS:
            continue
        puts = _wing(chain, index, PUT, spx * _SHORT_PUT, -1)
        calls = _wing(chain, index, CALL, spx * _SHORT_CALL, 1)
        if puts is None or calls is None:
            continue
        (short_put, long_put), (short_call, long_call) = puts, calls
        return tuple(
            Leg(
                instrument=OptionContract("SPXW", series.expiry, right, Decimal(str(strike))),
                ratio=ratio,
            )
            for strike, right, ratio in (
                (long_put, Right.PUT, 1),
                (short_put, Right.PUT, -1),
                (short_call, Right.CALL, -1),
                (long_call, Right.CALL, 1),
            )
        )
    raise CardFailed("of no SPXW expiry 20 to 60 days away are four strikes of a condor quoted")


def _wing(
    chain: OptionChain, series: int, column: int, target: float, outward: int
) -> tuple[float, float] | None:
    """Return the short strike nearest to a target and the widest long one within reach."""
    rows = chain.rows_of(series)
    strikes = [
        float(strike)
        for strike, bid, ask in zip(
            chain.strike[rows], chain.bid[rows, column], chain.ask[rows, column], strict=True
        )
        if 0 < bid <= ask
    ]
    for short in sorted(strikes, key=lambda strike: abs(strike - target)):
        longs = [each for each in strikes if 0 < outward * (each - short) <= _WIDTH_MOST]
        if longs:
            return short, max(longs, key=lambda each: outward * (each - short))
    return None
