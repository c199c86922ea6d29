"""Cash that moves by itself, worked out from fills: IB's API never tells of it.

The TWS API has account values and executions, and no word about settlements, variation margin or
deposits. They follow from what was traded, from when contracts expire and futures are marked, and
from the prices at which they do. The arithmetic is that of ``bot.exchange.accounts``, so movements
of a simulated account come out as its exchange booked them, to the last decimal.
"""

import asyncio
from bisect import insort
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple, Protocol

import structlog

from bot.exchange.accounts import TradingAccount
from bot.exchange.settlement import SessionPhases, daily_value, final_value, instants_of
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar, at_exchange
from strategies.model.errors import InvalidInstrument
from strategies.model.fills import CashKind, CashMovement, ExternalFill, Fill
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import FutureContract, Instrument, Right, parse_symbol

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_BY_THEMSELVES = frozenset({CashKind.SETTLEMENT, CashKind.VARIATION})  # others a person booked

_log = structlog.get_logger(__name__)


class SettlementPrices(Protocol):
    """Where settlement values come from; None means that one is not published yet."""

    async def settlement_value(self, instrument: Instrument) -> float | None:
        """Return what an expiring instrument settles to, index points of its underlying.

        Raises: BrokerUnavailable.
        """
        ...

    async def daily_settle(self, contract: FutureContract, session: date) -> float | None:
        """Return the daily settlement of a future, index points.

        Raises: BrokerUnavailable.
        """
        ...


def opening_deposit(account_id: str, session: date, amount_usd: Decimal) -> CashMovement:
    """Return what stood in the account when the bot began to keep its books.

    Args:
        account_id: Names the account.
        session: The first session of the books.
        amount_usd: The broker's cash then.
    """
    return TradingAccount().deposit(
        f"DEP-{account_id}-{session}", amount_usd, at_exchange(session, time(0)).astimezone(UTC)
    )


class Books(Protocol):
    """What is on record: the ledger."""

    def fills_since(self, at: datetime) -> tuple[Fill, ...]:
        """Return fills at or after ``at`` in their latest revision."""
        ...

    def external_fills_since(self, at: datetime) -> tuple[ExternalFill, ...]:
        """Return what others executed at or after ``at``, in its latest revision."""
        ...

    def cash_movements_since(self, at: datetime) -> tuple[CashMovement, ...]:
        """Return cash movements booked at or after ``at``."""
        ...


def derived_cash(
    books: Books,
    *,
    account_id: str,
    session: date,
    cash_usd: Decimal,
    calendar: TradingCalendar,
    prices: SettlementPrices,
) -> "DerivedCash":
    """Return the movements of an account as its books go on; empty ones begin with a deposit.

    Args:
        books: Fills and movements on record.
        account_id: Names the account.
        session: The session on which empty books begin.
        cash_usd: The broker's cash, which empty books begin with.
        calendar: Must reach past every expiry that is traded.
        prices: Asked once for each value that is not on record.
    """
    recorded = books.cash_movements_since(_BEGINNING)
    deposits = recorded or (opening_deposit(account_id, session, cash_usd),)
    cash = DerivedCash(deposits, calendar=calendar, prices=prices)
    cash.take(books.fills_since(_BEGINNING))
    cash.take(books.external_fills_since(_BEGINNING))
    return cash


class DerivedCash:
    """The movements of one account, in the order in which an exchange would book them.

    At one instant what expired is settled first, then futures are marked, then orders trade.
    Fills may come in any order and more than once; one that comes late rewrites what follows it.
    """

    def __init__(
        self,
        recorded: Iterable[CashMovement],
        *,
        calendar: TradingCalendar,
        prices: SettlementPrices,
    ) -> None:
        """Start with what is on record.

        Args:
            recorded: Every movement of the ledger, or the opening deposit of a new one. Values of
                settlements on record are not asked for again.
            calendar: Must reach past every expiry that is traded.
            prices: Asked once for each value.
        """
        movements = sorted(recorded, key=_when)
        self._deposits = [each for each in movements if each.kind is CashKind.DEPOSIT]
        assert self._deposits, "books begin with a deposit"
        first = self._deposits[0].booked_at.astimezone(EXCHANGE_ZONE).date()
        self._calendar = calendar
        self._phases = SessionPhases(calendar, first, calendar.sessions[-1])
        self._prices = prices
        self._values = {  # settlement values by the id of their movement
            each.movement_id: _value_behind(each)
            for each in movements
            if each.kind in _BY_THEMSELVES
        }
        self._fills: dict[str, Fill] = {}  # by root, latest revision
        self._lock = asyncio.Lock()
        self._restart()

    def take(self, fills: Iterable[Fill | ExternalFill]) -> None:
        """Take over executions, also those of others: what they hold settles too.

        Those known already change nothing, nor does what the bot could not trade.
        """
        is_rewritten = False
        for each in fills:
            fill = each if isinstance(each, Fill) else _as_ours(each)
            if fill is None:
                continue
            known = self._fills.get(fill.exec_root)
            if known is not None and known.revision >= fill.revision:
                continue
            self._fills[fill.exec_root] = fill
            is_rewritten |= known is not None or fill.executed_at < self._reached
            insort(self._waiting, fill, key=_traded)
        if is_rewritten:
            self._restart()

    async def movements(self, since: datetime, until: datetime) -> tuple[CashMovement, ...]:
        """Return what was booked from ``since`` to ``until``, oldest first.

        Where a settlement value is not published yet, everything before it.

        Raises: BrokerUnavailable.
        """
        async with self._lock:
            await self._advance_to(until)
            return tuple(each for each in self._movements if since <= each.booked_at <= until)

    def _restart(self) -> None:
        self._account = TradingAccount()
        self._movements = [
            self._account.deposit(each.movement_id, each.amount_usd, each.booked_at)
            for each in self._deposits
        ]
        self._reached = self._deposits[0].booked_at
        self._waiting = sorted(self._fills.values(), key=_traded)

    async def _advance_to(self, until: datetime) -> None:
        while (instant := self._phases.after(self._reached)) is not None and instant <= until:
            self._trade_before(instant)
            due = self._due_at(instant)
            unknown = [each for each in due if each.movement_id not in self._values]
            if not unknown:
                self._book(due, instant)
                self._reached = instant
                continue
            # executions may be taken over while a price is asked for, so what is due is worked
            # out anew once it is known
            each = unknown[0]
            value = await self._ask(each)
            if value is None:
                _log.info("settlement_not_published", movement=each.movement_id)
                return
            self._values[each.movement_id] = value

    def _trade_before(self, instant: datetime) -> None:
        while self._waiting and self._waiting[0].executed_at < instant:
            fill = self._waiting.pop(0)
            if fill.quantity:  # else the exchange took it back
                self._account.record_fill(fill)

    def _due_at(self, instant: datetime) -> list["_Due"]:
        """Return what happens by itself at an instant, in the exchange's order."""
        expired = [
            holding.instrument
            for holding in self._account.holdings()
            if instants_of(holding.instrument, self._calendar).settles_at <= instant
        ]
        due = [
            _Due(f"SET-{each.symbol}-{each.expiry}", each, each.expiry, is_final=True)
            for each in sorted(expired, key=lambda each: each.symbol)
        ]
        session = self._phases.variation_session(instant)
        if session is not None:
            due += [
                _Due(f"VAR-{each.symbol}-{session}", each, session, is_final=False)
                for each in sorted(contract for contract, _ in self._account.futures())
                if each not in expired
            ]
        return due

    async def _ask(self, due: "_Due") -> Decimal | None:
        if due.is_final:
            points = await self._prices.settlement_value(due.instrument)
            return None if points is None else final_value(points)
        assert isinstance(due.instrument, FutureContract), "only futures are marked"
        points = await self._prices.daily_settle(due.instrument, due.session)
        return None if points is None else daily_value(points)

    def _book(self, dues: Iterable["_Due"], instant: datetime) -> None:
        for due in dues:
            value = self._values[due.movement_id]
            if due.is_final:
                movement = self._account.record_settlement(
                    due.instrument, value, due.session, instant
                )
            else:
                assert isinstance(due.instrument, FutureContract), "only futures are marked"
                movement = self._account.record_variation(
                    due.instrument, value, due.session, instant
                )
            assert movement.movement_id == due.movement_id, "values are kept by these ids"
            self._movements.append(movement)


class _Due(NamedTuple):
    """A settlement or a mark that falls on an instant."""

    movement_id: str
    instrument: Instrument
    session: date
    is_final: bool


def _value_behind(movement: CashMovement) -> Decimal:
    """Return a settlement value that makes this movement; any will do for a worthless option."""
    assert movement.symbol is not None, "settlements and marks are of a contract"
    assert movement.price is not None, "settlements and marks are made at a price"
    instrument = parse_symbol(movement.symbol)
    if isinstance(instrument, FutureContract):
        return movement.price
    sign = 1 if instrument.right is Right.CALL else -1
    return instrument.strike + sign * movement.price


def _as_ours(fill: ExternalFill) -> Fill | None:
    """Return somebody else's execution as if it were ours; None of what is not traded here."""
    try:
        parse_symbol(fill.symbol)
    except InvalidInstrument:
        return None
    return Fill(
        exec_root=fill.exec_root,
        revision=fill.revision,
        client_order_id=ClientOrderId(fill.reference),
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        commission_usd=fill.commission_usd,
        executed_at=fill.executed_at,
    )


def _when(movement: CashMovement) -> datetime:
    return movement.booked_at


def _traded(fill: Fill) -> tuple[datetime, str]:
    return fill.executed_at, fill.exec_root
