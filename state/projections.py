"""What records add up to: hedge positions, condors, cash a session. Pure functions of values.

The ledger calls these for what a transaction touched, and again for everything when it rebuilds its
projections to compare them. Averages are carried as exact fractions and rounded to millionths once,
at the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from state.amounts import MICROS_PER_UNIT, from_micros, session_of
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus
from strategies.model.orders import PositionEffect

LEG_SIGNS = (1, -1, -1, 1)  # long put, short put, short call, long call
CONDOR_MULTIPLIER = 100  # USD per index point of SPX and SPXW
_MAY_STILL_OPEN = OPEN_STATUSES | {OrderStatus.PLANNED, OrderStatus.ARMED}
_ZERO = from_micros(0)


@dataclass(frozen=True, slots=True)
class Trade:
    """One change of the position in one symbol: a fill, or a settlement that ends it."""

    at: datetime
    key: str  # orders what happened at one instant
    quantity: int  # contracts, signed
    price: Decimal  # index points


@dataclass(frozen=True, slots=True)
class HedgeState:
    """A VIX instrument: what is held and what it has earned by average cost."""

    net_contracts: int
    average_cost: Decimal  # index points, 0 where nothing is held
    opened_on: date | None  # session in which the position left zero
    realised_usd: Decimal  # fees excluded


@dataclass(frozen=True, slots=True)
class LegFill:
    """One fill of a condor's leg."""

    symbol: str
    effect: PositionEffect
    quantity: int  # contracts, signed
    price: Decimal
    commission_usd: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class LegSettlement:
    """The settlement of a symbol: price and instant."""

    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class CondorHistory:
    """Everything on record about one condor."""

    symbols: tuple[str, str, str, str]  # long put, short put, short call, long call
    fills: tuple[LegFill, ...]
    settlements: Mapping[str, LegSettlement]  # by symbol, of those that settled
    held: Mapping[str, int]  # net contracts of the account in the four symbols
    opening: tuple[OrderStatus, ...]  # of its opening orders
    closing: tuple[OrderStatus, ...]


@dataclass(frozen=True, slots=True)
class CondorState:
    """Where a condor is now; USD without fees unless said otherwise, cash in > 0."""

    status: str
    quantity: int
    opened_quantity: int
    closed_quantity: int
    settled_quantity: int
    entry_credit: Decimal  # index points per condor
    entry_cash_usd: Decimal
    exit_cash_usd: Decimal
    settlement_cash_usd: Decimal
    fees_usd: Decimal
    realised_usd: Decimal  # of the part no longer open
    opened_at: datetime | None
    ended_at: datetime | None


def rounded(value: Fraction) -> Decimal:
    """Return an exact fraction as millionths, half to even."""
    return from_micros(round(value * MICROS_PER_UNIT))


def hold_hedge(trades: Iterable[Trade], multiplier: int) -> HedgeState:
    """Return the state of one instrument after its trades, by average cost.

    A trade that adds to the position moves the average; one that takes away realises the
    difference to it; one that passes through zero does both.
    """
    net, average, realised = 0, Fraction(0), Fraction(0)
    opened_on: date | None = None
    for trade in sorted(trades, key=lambda each: (each.at, each.key)):
        price = Fraction(trade.price)
        if net * trade.quantity < 0:
            taken = min(abs(net), abs(trade.quantity)) * (1 if net > 0 else -1)
            realised += taken * (price - average) * multiplier
        after = net + trade.quantity
        if after == 0:
            average, opened_on = Fraction(0), None
        elif net * after <= 0:  # out of zero, or through it
            average, opened_on = price, session_of(trade.at)
        elif abs(after) > abs(net):
            average = (net * average + trade.quantity * price) / after
        net = after
    return HedgeState(net, rounded(average), opened_on, rounded(realised))


def packages_filled(ratios: Mapping[str, int], signed: Mapping[str, int]) -> int:
    """Return how many whole packages the signed contracts filled by leg make up."""
    return max(0, min(signed.get(symbol, 0) // ratio for symbol, ratio in ratios.items()))


def follow_condor(history: CondorHistory) -> CondorState:
    """Return where a condor is now.

    Its quantity is that of its least filled leg. Settlement ends what is left of it once every leg
    it still holds has settled: each leg at its price per contract, which shares the cash of one
    settlement pro rata among the condors that hold the contract. A leg that the account does not
    hold on balance, because another condor is on its other side, is never settled by the broker:
    it settles with its companions, at nothing, in both condors.
    """
    opened = _contracts(history, PositionEffect.OPEN)
    closed = [-count for count in _contracts(history, PositionEffect.CLOSE)]
    remaining = [a - b for a, b in zip(opened, closed, strict=True)]
    opened_quantity = max(0, min(opened))
    closed_quantity = max(0, min(*closed, opened_quantity))
    settled = _is_settled(history, remaining)
    settled_quantity = opened_quantity - closed_quantity if settled else 0
    quantity = opened_quantity - closed_quantity - settled_quantity

    entry_cash = _cash(history.fills, PositionEffect.OPEN)
    exit_cash = _cash(history.fills, PositionEffect.CLOSE)
    settlement_cash = _ZERO
    if settled:
        for symbol, sign, count in zip(history.symbols, LEG_SIGNS, remaining, strict=True):
            if symbol in history.settlements:
                price = history.settlements[symbol].price
                settlement_cash += sign * count * price * CONDOR_MULTIPLIER

    credit, realised = Fraction(0), Fraction(0)
    if opened_quantity:
        credit = Fraction(entry_cash) / (opened_quantity * CONDOR_MULTIPLIER)
        share = Fraction(opened_quantity - quantity, opened_quantity)
        realised = Fraction(entry_cash) * share + Fraction(exit_cash + settlement_cash)
    ends = [fill.at for fill in history.fills if fill.effect is PositionEffect.CLOSE]
    if settled:
        ends += [settlement.at for settlement in history.settlements.values()]
    return CondorState(
        status=_status(history, opened_quantity, quantity, settled_quantity),
        quantity=quantity,
        opened_quantity=opened_quantity,
        closed_quantity=closed_quantity,
        settled_quantity=settled_quantity,
        entry_credit=rounded(credit),
        entry_cash_usd=entry_cash,
        exit_cash_usd=exit_cash,
        settlement_cash_usd=settlement_cash,
        fees_usd=sum((fill.commission_usd for fill in history.fills), _ZERO),
        realised_usd=rounded(realised),
        opened_at=min(
            (fill.at for fill in history.fills if fill.effect is PositionEffect.OPEN), default=None
        ),
        ended_at=max(ends, default=None) if opened_quantity and quantity == 0 else None,
    )


def _contracts(history: CondorHistory, effect: PositionEffect) -> list[int]:
    """Return contracts by leg, in the direction in which the condor holds them."""
    return [
        sign
        * sum(
            fill.quantity
            for fill in history.fills
            if fill.symbol == symbol and fill.effect is effect
        )
        for symbol, sign in zip(history.symbols, LEG_SIGNS, strict=True)
    ]


def _is_settled(history: CondorHistory, remaining: Sequence[int]) -> bool:
    if not history.settlements or not any(remaining):
        return False
    return all(
        symbol in history.settlements or history.held.get(symbol, 0) == 0
        for symbol, count in zip(history.symbols, remaining, strict=True)
        if count
    )


def _cash(fills: Iterable[LegFill], effect: PositionEffect) -> Decimal:
    return sum(
        (
            -fill.quantity * fill.price * CONDOR_MULTIPLIER
            for fill in fills
            if fill.effect is effect
        ),
        _ZERO,
    )


def _status(history: CondorHistory, opened: int, quantity: int, settled: int) -> str:
    if opened == 0:
        return "PENDING" if _MAY_STILL_OPEN & set(history.opening) else "UNFILLED"
    if quantity > 0:
        return "CLOSING" if OPEN_STATUSES & set(history.closing) else "OPEN"
    return "SETTLED" if settled else "CLOSED"
