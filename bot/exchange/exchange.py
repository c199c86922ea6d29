"""The simulated exchange and broker back office: one account, its orders, and time.

Everything follows from the market (a pure function), the seed and the inputs, and an input is an
order or a cancel with its instant. Time moves only forward and only when somebody asks: the
exchange then works through every happening since it was last asked. Matching looks at the market
on a fixed grid of instants, so nothing depends on who asks, when, or how often.
"""

from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from bot.errors import OutcomeUnknown
from bot.exchange.accounts import Holding, TradingAccount
from bot.exchange.entry import Admission, EntryDesk, Estimate, Refusal
from bot.exchange.journal import CancelAsked, Input, Journal, Submitted, Told, World
from bot.exchange.margin import MarginConvention
from bot.exchange.market import Market
from bot.exchange.matching import (
    DEFAULT_FILL_MODEL,
    FillModel,
    PackageQuote,
    allocate,
    draw,
    fill_probability,
    from_cents,
    package_offer,
    quote_package,
    to_cents,
)
from bot.exchange.orders import WORKING, NewOrder, OrderRecord, RejectReason, report_of
from bot.exchange.settlement import SessionPhases, daily_value, final_value, instants_of
from bot.exchange.valuation import Valuation
from bot.ports import OrderReport
from strategies.model.book import Account
from strategies.model.calendars import at_exchange
from strategies.model.encoding import to_json
from strategies.model.fees import (
    DEFAULT_FEES,
    FeeSchedule,
    commission_per_contract,
    fee_per_contract,
    order_minimum_top_up,
)
from strategies.model.fills import CashMovement, Fill, Side
from strategies.model.ids import ClientOrderId, digest
from strategies.model.instruments import FutureContract, Instrument, OptionContract, parse_symbol
from strategies.model.lifecycle import OrderStatus
from strategies.model.quotes import Quote
from strategies.model.snapshots import MarketQuotes
from strategies.model.ticks import order_tick

GRID = timedelta(seconds=10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXEC_ID_LENGTH = 12
_FINGERPRINT_AFTER_OPEN = timedelta(minutes=97)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What an exchange needs besides, where its market is taken down from a real one.

    Attributes:
        name: What the journal calls the market, whose prices are not known beforehand.
        marks: Where the account is valued: the last that was seen, however old.
    """

    name: str
    marks: Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A settlement, or a daily mark of a future, that the exchange waits to be told."""

    instrument: Instrument
    session: date
    is_final: bool  # else a daily mark


class Exchange:
    """A deterministic exchange with one account.

    Args:
        market: Where prices come from.
        account_id: Names the account.
        starting_cash_usd: Deposited before the market's first session.
        seed: Decides the luck of resting orders.
        fees: Commissions and exchange fees.
        journal_path: Where inputs are written down; an existing journal is replayed. None keeps
            nothing.
        margin_convention: How the sides of a condor share margin.
        fill_model: How generous the market is.
        outside: Of a market taken down from a real one; then settlements are told (``tell``).

    Raises: JournalMismatch, JournalDamaged.
    """

    def __init__(
        self,
        market: Market,
        *,
        account_id: str,
        starting_cash_usd: Decimal,
        seed: int,
        fees: FeeSchedule = DEFAULT_FEES,
        journal_path: Path | None = None,
        margin_convention: MarginConvention = "ib",
        fill_model: FillModel = DEFAULT_FILL_MODEL,
        outside: Outside | None = None,
    ) -> None:
        self.market = market
        self.account_id = account_id
        self._seed = seed
        self._fees = fees
        self._fill_model = fill_model
        self._phases = SessionPhases(market.calendar, market.first_session, market.last_session)
        self._now = at_exchange(market.first_session, time(0)).astimezone(UTC)
        self._account = TradingAccount()
        self._is_told = outside is not None
        self._awaited: dict[Due, datetime] = {}  # since when
        marks = market if outside is None else outside.marks
        self._valuation = Valuation(marks, self._account, self._phases, margin_convention)
        self._desk = EntryDesk(
            market=market, phases=self._phases, valuation=self._valuation, fees=fees
        )
        self._orders: dict[ClientOrderId, OrderRecord] = {}
        self._working: dict[ClientOrderId, OrderRecord] = {}
        self._fills: list[Fill] = []
        deposit_id = f"DEP-{account_id}-{market.first_session}"
        deposit = self._account.deposit(deposit_id, starting_cash_usd, self._now)
        self._movements: list[CashMovement] = [deposit]
        self._journal: Journal | None = None
        if journal_path is not None:
            world = world_of(
                market,
                account_id=account_id,
                starting_cash_usd=starting_cash_usd,
                seed=seed,
                fees=fees,
                margin_convention=margin_convention,
                fill_model=fill_model,
                market_name=None if outside is None else outside.name,
            )
            self._journal = Journal(journal_path, world)
            for index, entry in enumerate(self._journal.inputs):
                self.advance_to(entry.at)
                if (found := self._contradiction(entry)) is not None:
                    raise self._journal.contradiction(index, found)
                self._replay(entry)

    # --- time ---------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The latest instant the exchange has worked through, in UTC."""
        return self._now

    def advance_to(self, at: datetime) -> None:
        """Work through everything up to and including ``at``; an instant already passed is no-op.

        At one instant orders expire first, then settlements and variation are booked, then orders
        meet the market.
        """
        if at <= self._now:
            return
        at = at.astimezone(UTC)
        while (instant := self._next_happening()) is not None and instant <= at:
            assert instant > self._now, "time moves forward"
            self._now = instant
            self._expire_orders()
            if instant in self._phases:
                self._settle_expired()
                self._mark_futures()
            if (instant - _EPOCH) % GRID == timedelta(0):
                self._match_orders()
        self._now = max(self._now, at)

    def _next_happening(self) -> datetime | None:
        happenings = []
        if self._working:
            grid_number = (self._now - _EPOCH) // GRID + 1
            happenings.append(_EPOCH + grid_number * GRID)
            happenings.append(min(record.expires_at for record in self._working.values()))
        if self._account.holdings() and (phase := self._phases.after(self._now)) is not None:
            happenings.append(phase)
        return min(happenings, default=None)

    # --- inputs -------------------------------------------------------------------------------

    def submit(self, order: NewOrder, at: datetime) -> OrderReport:
        """Take an order, or return the state of the one that has its id already.

        The order meets the market from the next grid instant on. A refused order is reported as
        REJECTED with the reason as note.

        Args:
            order: What is wanted.
            at: The instant it arrives; if the exchange has already passed it, it arrives now.
        """
        self.advance_to(at)
        known = self._orders.get(order.client_order_id)
        if known is None:
            self._remember(Submitted(at=self._now, before=self._summary(), order=order))
            return self._accept(order)
        if known.order == order:
            return known.report
        return report_of(
            order, "", OrderStatus.REJECTED, note=f"{RejectReason.DUPLICATE_ID}: content differs"
        )

    def cancel(self, client_order_id: ClientOrderId, at: datetime) -> OrderReport:
        """Cancel what is left of an order and return its state; a done order stays as it is.

        Raises: OutcomeUnknown if the exchange has never seen the id.
        """
        self.advance_to(at)
        record = self._orders.get(client_order_id)
        if record is None:
            raise OutcomeUnknown(f"{client_order_id} is not known to the exchange")
        if record.report.status in WORKING:
            self._remember(
                CancelAsked(at=self._now, before=self._summary(), client_order_id=client_order_id)
            )
            self._cancel(record, "cancelled by its owner")
        return record.report

    def awaited(self) -> dict[Due, datetime]:
        """Return what it waits to be told, each with the instant it was due, oldest first."""
        return dict(self._awaited)

    def tell(self, due: Due, points: float, at: datetime) -> None:
        """Book a settlement that was awaited; one that is not awaited any more is a no-op.

        Args:
            due: Which.
            points: What was published, index points.
            at: The instant it arrives; if the exchange has already passed it, it arrives now.
        """
        self.advance_to(at)
        if due not in self._awaited:
            return
        entry = Told(
            at=self._now,
            before=self._summary(),
            symbol=due.instrument.symbol,
            session=due.session,
            is_final=due.is_final,
            points=points,
        )
        self._remember(entry)
        self._book(due, points)

    def _remember(self, entry: Input) -> None:
        if self._journal is not None:
            self._journal.append(entry)

    def _summary(self) -> str:
        """Return what the exchange has come to, in one line."""
        counts = f"{len(self._orders)} orders, {len(self._working)} at work"
        return f"{counts}, {len(self._fills)} fills, {self._account.cash_usd} USD"

    def _contradiction(self, entry: Input) -> str | None:
        """Return why an input on record cannot have reached this exchange, or None."""
        if entry.at != self._now:
            return f"it arrived at {entry.at.isoformat()}, before the one above it"
        if entry.before != (summary := self._summary()):
            return f"the exchange then had {entry.before}; this program comes to {summary}"
        match entry:
            case Submitted(order=order) if order.client_order_id in self._orders:
                return f"order {order.client_order_id} was there already"
            case CancelAsked(client_order_id=order_id) if order_id not in self._working:
                return f"order {order_id} was not at work"
            case Told() if _due_of(entry) not in self._awaited:
                return f"nobody waited for the settlement of {entry.symbol} on {entry.session}"
        return None

    def _replay(self, entry: Input) -> None:
        match entry:
            case Submitted():
                self._accept(entry.order)
            case CancelAsked():
                self._cancel(self._orders[entry.client_order_id], "cancelled by its owner")
            case Told():
                self._book(_due_of(entry), entry.points)

    # --- questions ----------------------------------------------------------------------------

    def orders(self) -> tuple[OrderReport, ...]:
        """Return every order the exchange has seen, oldest first."""
        return tuple(record.report for record in self._orders.values())

    def fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after an instant, oldest first."""
        first = bisect_left(self._fills, since, key=lambda fill: fill.executed_at)
        return tuple(self._fills[first:])

    def take_back(self, exec_root: str) -> None:
        """Undo an execution in the account, as if it had not been (a bust); it stays on record."""
        assert self._journal is None, "a journal knows of no busts"
        fill = next(each for each in self._fills if each.exec_root == exec_root)
        side = Side.SELL if fill.side is Side.BUY else Side.BUY
        commission = -fill.commission_usd
        self._account.record_fill(replace(fill, side=side, commission_usd=commission))

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        """Return deposits, settlements and variation booked at or after an instant."""
        first = bisect_left(self._movements, since, key=lambda movement: movement.booked_at)
        return tuple(self._movements[first:])

    def holdings(self) -> tuple[Holding, ...]:
        """Return open positions with their average price, and futures that owe variation."""
        return self._account.holdings()

    def positions(self) -> dict[str, int]:
        """Return net contracts by symbol, without zeros."""
        return {
            holding.instrument.symbol: holding.net_contracts
            for holding in self._account.holdings()
            if holding.net_contracts
        }

    def account(self) -> Account:
        """Return the account values now; outside session hours at the marks of the last close."""
        return self._valuation.account(self._now)

    def marks(self) -> dict[str, float]:
        """Return the mark of each position by symbol, index points; after hours of the close."""
        return self._valuation.marks(self._now)

    def quotes_at(self, at: datetime) -> MarketQuotes:
        """Return the whole market with every option the account holds in it.

        Raises: MarketDataMissing outside session hours or outside the market's range.
        """
        return self._valuation.quotes_at(at)

    # --- what an order desk in front of the exchange asks --------------------------------------

    @property
    def journal_path(self) -> Path | None:
        """Where inputs are written down."""
        return None if self._journal is None else self._journal.path

    @property
    def is_new(self) -> bool:
        """Whether it does not go on from a journal that was there."""
        return self._journal is None or self._journal.is_new

    @property
    def bookings(self) -> int:
        """How many executions and movements of cash there have been."""
        return len(self._fills) + len(self._movements)

    def record(self, client_order_id: ClientOrderId) -> OrderRecord | None:
        """Return what is kept of an order, for reading only; None if its id was never seen."""
        return self._orders.get(client_order_id)

    def records(self) -> tuple[OrderRecord, ...]:
        """Return every order the exchange has seen, oldest first, for reading only."""
        return tuple(self._orders.values())

    def fills_from(self, number: int) -> tuple[Fill, ...]:
        """Return the executions without the first ``number`` of them, oldest first."""
        return tuple(self._fills[number:])

    def session_at(self, at: datetime) -> date | None:
        """Return the session that is open at an instant."""
        return self._phases.trading_session(at)

    def next_open(self, at: datetime) -> datetime | None:
        """Return when the next session after an instant opens; None after the last one."""
        return self._phases.next_open(at)

    def verdict(
        self, order: NewOrder, instead_of: Collection[ClientOrderId] = ()
    ) -> Admission | Refusal:
        """Return what an order would be told now; it is not placed.

        Args:
            order: What would be asked for.
            instead_of: Orders at work that it would take the place of.
        """
        others = [each for key, each in self._working.items() if key not in instead_of]
        return self._desk.examine(order, others, self._now)

    def estimate(self, order: NewOrder) -> Estimate:
        """Return what an order would cost and bind if it filled at its limit; in session hours."""
        return self._desk.estimate(order, self._now)

    def tradable(self, order: NewOrder, instant: datetime) -> int:
        """Return how many packages an order that has just arrived trades at a grid instant."""
        package = quote_package(order.legs, lambda each: self.market.quote(each, instant))
        if package is None:
            return 0
        offer = self._offer(order, package)
        is_resting = to_cents(order.limit_price) < offer
        trade = self._trade(order, package, offer, instant, is_resting=is_resting)
        return 0 if trade is None else min(order.quantity, trade[0])

    # --- orders -------------------------------------------------------------------------------

    def _accept(self, order: NewOrder) -> OrderReport:
        broker_order_id = f"{self.account_id}-{len(self._orders) + 1:06d}"
        verdict = self._desk.examine(order, self._working.values(), self._now)
        if isinstance(verdict, Refusal):
            report = report_of(order, broker_order_id, OrderStatus.REJECTED, note=str(verdict))
            record = OrderRecord(order=order, report=report)
        else:
            report = report_of(order, broker_order_id, OrderStatus.LIVE)
            record = OrderRecord(
                order=order,
                report=report,
                expires_at=verdict.expires_at,
                requirement_usd=verdict.requirement_usd,
            )
            self._working[order.client_order_id] = record
        self._orders[order.client_order_id] = record
        return record.report

    def _cancel(self, record: OrderRecord, note: str) -> None:
        record.move(OrderStatus.CANCELLED, filled=record.report.filled_quantity, note=note)
        del self._working[record.order.client_order_id]

    def _expire_orders(self) -> None:
        for record in tuple(self._working.values()):
            if record.expires_at <= self._now:
                self._cancel(record, "expired with its day")

    def _match_orders(self) -> None:
        quotes: dict[Instrument, Quote | None] = {}

        def quote_of(instrument: Instrument) -> Quote | None:
            if instrument not in quotes:
                quotes[instrument] = self.market.quote(instrument, self._now)
            return quotes[instrument]

        for record in tuple(self._working.values()):
            package = quote_package(record.order.legs, quote_of)
            if package is not None:
                self._match(record, package)

    def _match(self, record: OrderRecord, package: PackageQuote) -> None:
        """Let one order meet the market once."""
        offer = self._offer(record.order, package)
        record.is_resting |= to_cents(record.order.limit_price) < offer
        trade = self._trade(record.order, package, offer, self._now, is_resting=record.is_resting)
        if trade is not None:
            displayed, prices = trade
            self._execute(record, min(record.report.leaves_quantity, displayed), prices)

    def _offer(self, order: NewOrder, package: PackageQuote) -> int:
        """Return what the market asks for an order's package, in cents."""
        legs = [leg.instrument for leg in order.legs]
        tick = to_cents(order_tick(legs, order.limit_price))
        return package_offer(package, self._fill_model.combo_width, tick)

    def _trade(
        self,
        order: NewOrder,
        package: PackageQuote,
        offer: int,
        instant: datetime,
        *,
        is_resting: bool,
    ) -> tuple[int, tuple[int, ...]] | None:
        """Return the packages the market shows an order and the price of each leg, in cents."""
        limit = to_cents(order.limit_price)
        probability = fill_probability(limit, package, offer, self._fill_model.probability_max)
        if probability <= 0:
            return None
        luck = draw(self._seed, order.legs, order.quantity, instant)
        if luck.chance >= probability:
            return None
        # an order that has been waiting is hit at its own price, not at a better one
        prices = allocate(package, limit if is_resting else offer)
        if prices is None:
            return None
        return luck.displayed(*self._fill_model.displayed_range(order.legs[0].instrument)), prices

    def _execute(self, record: OrderRecord, quantity: int, prices: tuple[int, ...]) -> None:
        """Trade packages of one order, every leg in its ratio, at these prices in cents."""
        order = record.order
        record.matches += 1
        root = digest(self.account_id, str(self._seed), order.client_order_id)[:_EXEC_ID_LENGTH]
        top_up = self._top_up(record, quantity, prices)
        for number, (leg, cents) in enumerate(zip(order.legs, prices, strict=True), start=1):
            price = from_cents(cents)
            contracts = quantity * abs(leg.ratio)
            fee = fee_per_contract(leg.instrument, price, self._fees, is_combo=order.is_combo)
            fill = Fill(
                exec_root=f"{root}.{record.matches:03d}.{number}",
                revision=1,
                client_order_id=order.client_order_id,
                symbol=leg.instrument.symbol,
                side=Side.BUY if leg.ratio > 0 else Side.SELL,
                quantity=contracts,
                price=price,
                commission_usd=fee * contracts + (top_up if number == 1 else 0),
                executed_at=self._now,
            )
            self._account.record_fill(fill)
            self._fills.append(fill)
        filled = record.report.filled_quantity + quantity
        is_done = filled == order.quantity
        record.move(OrderStatus.FILLED if is_done else OrderStatus.PARTIALLY_FILLED, filled=filled)
        if is_done:
            del self._working[order.client_order_id]

    def _top_up(self, record: OrderRecord, quantity: int, prices: tuple[int, ...]) -> Decimal:
        """Return what the broker's minimum adds to the first match of an option order."""
        legs = record.order.legs
        if record.matches > 1 or not isinstance(legs[0].instrument, OptionContract):
            return Decimal(0)
        commission = sum(
            commission_per_contract(leg.instrument, from_cents(cents), self._fees)
            * quantity
            * abs(leg.ratio)
            for leg, cents in zip(legs, prices, strict=True)
        )
        return order_minimum_top_up(Decimal(commission), self._fees)

    # --- what happens by itself ---------------------------------------------------------------

    def _settle_expired(self) -> None:
        calendar = self.market.calendar
        expired = [
            holding.instrument
            for holding in self._account.holdings()
            if instants_of(holding.instrument, calendar).settles_at <= self._now
        ]
        for instrument in sorted(expired, key=lambda each: each.symbol):
            due = Due(instrument=instrument, session=instrument.expiry, is_final=True)
            if self._is_told:
                self._awaited.setdefault(due, self._now)
            else:
                self._book(due, self.market.settlement_value(instrument))

    def _mark_futures(self) -> None:
        session = self._phases.variation_session(self._now)
        if session is None:
            return
        for contract in sorted(contract for contract, _ in self._account.futures()):
            due = Due(instrument=contract, session=session, is_final=False)
            if not self._is_told:
                self._book(due, self.market.daily_settle(contract, session))
            elif instants_of(contract, self.market.calendar).settles_at > self._now:
                self._awaited.setdefault(due, self._now)

    def _book(self, due: Due, points: float) -> None:
        """Pay a settlement or a daily mark; nothing is owed of what has been traded away."""
        self._awaited.pop(due, None)
        instrument = due.instrument
        if all(holding.instrument != instrument for holding in self._account.holdings()):
            return
        if due.is_final:
            movement = self._account.record_settlement(
                instrument, final_value(points), due.session, self._now
            )
        else:
            assert isinstance(instrument, FutureContract), "only futures are marked"
            movement = self._account.record_variation(
                instrument, daily_value(points), due.session, self._now
            )
        self._movements.append(movement)


def _due_of(entry: Told) -> Due:
    instrument = parse_symbol(entry.symbol)
    return Due(instrument=instrument, session=entry.session, is_final=entry.is_final)


def world_of(
    market: Market,
    *,
    account_id: str,
    starting_cash_usd: Decimal,
    seed: int,
    fees: FeeSchedule = DEFAULT_FEES,
    margin_convention: MarginConvention = "ib",
    fill_model: FillModel = DEFAULT_FILL_MODEL,
    market_name: str | None = None,
) -> World:
    """Return which world an exchange with these arguments is, as its journal records it.

    ``market_name`` stands for a market whose prices are not known beforehand.
    """
    return World(
        account_id=account_id,
        seed=seed,
        market=_fingerprint(market) if market_name is None else market_name,
        starting_cash_usd=starting_cash_usd.normalize(),
        margin=margin_convention,
        terms=digest(to_json(fees), to_json(fill_model))[:_EXEC_ID_LENGTH],
    )


def _fingerprint(market: Market) -> str:
    """Return which market this is: its kind, its sessions and a digest of prices within them."""
    phases = SessionPhases(market.calendar, market.first_session, market.last_session)
    opening = phases.after(at_exchange(market.first_session, time(0)).astimezone(UTC))
    assert opening is not None, "a market has sessions"
    closing = market.calendar.closes_at(market.last_session)
    prices = [
        f"{market.index_at(name, at):.4f}"
        for name in ("SPX", "VIX")
        for at in (opening, opening + _FINGERPRINT_AFTER_OPEN, closing)
    ]
    sessions = f"{market.first_session}..{market.last_session}"
    return f"{type(market).__name__} {sessions} {digest(*prices)[:_EXEC_ID_LENGTH]}"
