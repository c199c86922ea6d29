"""What records add up to: hedge positions, condors, cash a session. Pure functions of values.

The ledger calls these for what a transaction touched, and again for everything when it rebuilds its
projections to compare them. Averages are carried as exact fractions and rounded to millionths once,
at the end.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from state.amounts import MICROS_PER_UNIT, from_micros, session_of, to_micros
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus
from strategies.model.orders import PositionEffect

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
    """One fill of a condor's order."""

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
    """Everything on record about one condor.

    Its opening orders are those that roll it where it is made of another condor; they then close
    one side of that condor too.
    """

    legs: Mapping[str, int]  # ratios by symbol, long > 0
    fills: tuple[LegFill, ...]
    settlements: Mapping[str, LegSettlement]  # by symbol, of those that settled
    held: Mapping[str, int]  # net contracts of the account in its symbols
    opening: tuple[OrderStatus, ...]  # of its opening orders
    closing: tuple[OrderStatus, ...]
    rolled_from: str | None = None  # the id of the condor it is made of


@dataclass(frozen=True, slots=True)
class CondorState:
    """Where a condor is now; USD without fees unless said otherwise, cash in > 0."""

    status: str
    quantity: int
    opened_quantity: int
    closed_quantity: int
    settled_quantity: int
    rolled_quantity: int  # now part of another condor
    whole_quantity: int  # of quantity, those whose every leg is still there
    loose: tuple[tuple[str, int], ...]  # contracts beyond whole condors, long > 0
    entry_credit: Decimal  # index points per condor
    entry_cash_usd: Decimal  # with what a roll handed it
    rolled_cash_usd: Decimal  # the part of it that rolls handed on
    exit_cash_usd: Decimal
    settlement_cash_usd: Decimal
    fees_usd: Decimal
    realised_usd: Decimal  # of the part no longer open
    opened_at: datetime | None
    rolled_on: date | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Handed:
    """What a roll hands from one condor to the next, besides what its own fills say."""

    quantity: int  # condors
    cash_usd: Decimal  # their part of the entry cash
    legs: Mapping[str, int]  # ratios of the side that stays, by symbol
    opened_at: datetime | None


def rounded(value: Fraction) -> Decimal:
    """Return an exact fraction as millionths, half to even."""
    return from_micros(round(value * MICROS_PER_UNIT))


class HedgeAccount:
    """One instrument by average cost, trade after trade; amounts are exact until they are told.

    A trade that adds to the position moves the average; one that takes away realises the
    difference to it; one that passes through zero does both.
    """

    __slots__ = ("_cost", "_net", "_opened_on", "_realised", "last")

    def __init__(self) -> None:
        self.last: tuple[datetime, str] | None = None  # which trade was the last
        self._net = 0
        self._cost: int | Fraction = 0  # of what is held, millionths; whole until a part is sold
        self._realised: int | Fraction = 0
        self._opened_on: date | None = None

    def follows(self, trade: Trade) -> bool:
        """Return whether a trade is later than all before: they count in their order."""
        return self.last is None or self.last < (trade.at, trade.key)

    def add(self, trade: Trade) -> None:
        """Count one more trade."""
        assert self.follows(trade), "trades count in their order"
        net, after = self._net, self._net + trade.quantity
        price = to_micros(trade.price)
        if net * trade.quantity < 0:
            taken = min(abs(net), abs(trade.quantity)) * (1 if net > 0 else -1)
            part = self._cost if taken == net else Fraction(self._cost) * taken / net
            self._realised += taken * price - part
            self._cost -= part
        else:
            self._cost += trade.quantity * price
        if after == 0:
            self._cost, self._opened_on = 0, None
        elif net * after <= 0:  # out of zero, or through it
            self._cost, self._opened_on = after * price, session_of(trade.at)
        self._net, self.last = after, (trade.at, trade.key)

    def state(self, multiplier: int) -> HedgeState:
        """Return what is held and what was earned so far."""
        average = from_micros(round(Fraction(self._cost) / self._net)) if self._net else _ZERO
        realised = from_micros(round(self._realised * multiplier))
        return HedgeState(self._net, average, self._opened_on, realised)


def hold_hedge(trades: Iterable[Trade]) -> HedgeAccount:
    """Return the account of one instrument after its trades, in whatever order they are given."""
    account = HedgeAccount()
    for trade in sorted(trades, key=lambda each: (each.at, each.key)):
        account.add(trade)
    return account


def packages_filled(ratios: Mapping[str, int], signed: Mapping[str, int]) -> int:
    """Return how many whole packages the signed contracts filled by leg make up."""
    return max(0, min(signed.get(symbol, 0) // ratio for symbol, ratio in ratios.items()))


def follow_family(histories: Mapping[str, CondorHistory]) -> dict[str, CondorState]:
    """Return where condors are now, by id; ``histories`` holds those rolled after their parents.

    A condor's quantity is that of its least filled leg. Each package of a roll turns one condor
    into one of the next: its part of the entry cash goes with it, in whole millionths, so that
    nothing is lost or gained on the way. Nothing is realised by a roll.

    Settlement ends what is left of a condor once every leg it still holds has settled: each leg at
    its price per contract, which shares the cash of one settlement pro rata among the condors that
    hold the contract. A leg that the account does not hold on balance, because another condor is
    on its other side, is never settled by the broker: it settles with its companions, at nothing,
    in both condors.
    """
    rolls: defaultdict[str, dict[str, CondorHistory]] = defaultdict(dict)
    for condor_id, history in histories.items():
        if history.rolled_from is not None:
            rolls[history.rolled_from][condor_id] = history
    states: dict[str, CondorState] = {}
    handed: dict[str, _Handed] = {}
    for condor_id, history in histories.items():
        assert history.rolled_from is None or condor_id in handed, "parents come first"
        states[condor_id], hands_on = _follow(history, handed.get(condor_id), rolls[condor_id])
        handed |= hands_on
    return states


def _follow(
    history: CondorHistory, handed: _Handed | None, rolls: Mapping[str, CondorHistory]
) -> tuple[CondorState, dict[str, _Handed]]:
    """Return where one condor is, and what it hands to those it is rolled into."""
    held = _contracts(history, PositionEffect.OPEN)
    entry_cash = _cash(history.fills, PositionEffect.OPEN)
    opening = [f.at for f in history.fills if f.effect is PositionEffect.OPEN and f.quantity]
    opened_at = min(opening, default=None)
    rolled_on: date | None = None
    if handed is None:
        opened = _packages(history, held)
    else:
        opened = handed.quantity
        entry_cash += handed.cash_usd
        for symbol, ratio in handed.legs.items():
            held[symbol] += abs(ratio) * opened
        rolled_on = None if opened_at is None else session_of(opened_at)
        opened_at = handed.opened_at if opened else None

    hands_on: dict[str, _Handed] = {}
    rolled, gone = 0, dict.fromkeys(history.legs, 0)
    ends: list[datetime] = []
    for condor_id, roll in rolls.items():
        stays = {symbol: n for symbol, n in history.legs.items() if roll.legs.get(symbol) == n}
        signed = _signed(roll.fills)
        goes = {symbol: -n for symbol, n in history.legs.items() if symbol not in stays}
        comes = {symbol: n for symbol, n in roll.legs.items() if symbol not in stays}
        packages = min(packages_filled(goes | comes, signed), opened - rolled)
        before, after = (
            Fraction(entry_cash) * count / max(opened, 1) for count in (rolled, rolled + packages)
        )
        hands_on[condor_id] = _Handed(packages, rounded(after) - rounded(before), stays, opened_at)
        rolled += packages
        for symbol, ratio in history.legs.items():
            taken = packages * ratio if symbol in stays else -signed.get(symbol, 0)
            gone[symbol] += taken if ratio > 0 else -taken
        ends += [f.at for f in roll.fills if f.effect is PositionEffect.OPEN and f.quantity]

    closing = {symbol: -n for symbol, n in _contracts(history, PositionEffect.CLOSE).items()}
    closed = min(_packages(history, closing), opened - rolled)
    remaining = {symbol: held[symbol] - closing[symbol] - gone[symbol] for symbol in history.legs}
    is_settled = _is_settled(history, remaining)
    settled = opened - rolled - closed if is_settled else 0
    quantity = opened - rolled - closed - settled
    whole, loose = (0, ()) if is_settled else _parts(history, remaining, quantity)

    exit_cash = _cash(history.fills, PositionEffect.CLOSE)
    settlement_cash = _ZERO
    if is_settled:
        for symbol, ratio in history.legs.items():
            if symbol in history.settlements:
                price = history.settlements[symbol].price * CONDOR_MULTIPLIER
                settlement_cash += price * (remaining[symbol] if ratio > 0 else -remaining[symbol])
        ends += [settlement.at for settlement in history.settlements.values()]
    ends += [f.at for f in history.fills if f.effect is PositionEffect.CLOSE and f.quantity]

    rolled_cash = sum((each.cash_usd for each in hands_on.values()), _ZERO)
    credit, realised = Fraction(0), Fraction(0)
    if opened:
        credit = Fraction(entry_cash) / (opened * CONDOR_MULTIPLIER)
        own = opened - rolled  # what was never rolled away
        share = Fraction(own - quantity, own) if own else Fraction(1)
        realised = Fraction(entry_cash - rolled_cash) * share
        realised += Fraction(exit_cash + settlement_cash)
    elif not any(remaining.values()) or is_settled:  # it was never whole, and nothing is left of it
        realised = Fraction(entry_cash + exit_cash + settlement_cash)
    state = CondorState(
        status=_status(history, opened, quantity, closed, settled),
        quantity=quantity,
        opened_quantity=opened,
        closed_quantity=closed,
        settled_quantity=settled,
        rolled_quantity=rolled,
        whole_quantity=whole,
        loose=loose,
        entry_credit=rounded(credit),
        entry_cash_usd=entry_cash,
        rolled_cash_usd=rolled_cash,
        exit_cash_usd=exit_cash,
        settlement_cash_usd=settlement_cash,
        fees_usd=sum((fill.commission_usd for fill in history.fills), _ZERO),
        realised_usd=rounded(realised),
        opened_at=opened_at,
        rolled_on=rolled_on,
        ended_at=max(ends, default=None) if opened and quantity == 0 else None,
    )
    return state, hands_on


def _signed(fills: Iterable[LegFill], effect: PositionEffect = PositionEffect.OPEN) -> Counter[str]:
    """Return signed contracts by symbol of one kind of order."""
    signed: Counter[str] = Counter()
    for fill in fills:
        if fill.effect is effect:
            signed[fill.symbol] += fill.quantity
    return signed


def _contracts(history: CondorHistory, effect: PositionEffect) -> dict[str, int]:
    """Return contracts by leg, in the direction in which the condor holds them."""
    signed = _signed(history.fills, effect)
    return {
        symbol: signed[symbol] if ratio > 0 else -signed[symbol]
        for symbol, ratio in history.legs.items()
    }


def _packages(history: CondorHistory, contracts: Mapping[str, int]) -> int:
    """Return how many whole condors some contracts by leg make up."""
    return max(0, min(contracts[symbol] // abs(n) for symbol, n in history.legs.items()))


def _parts(
    history: CondorHistory, remaining: Mapping[str, int], quantity: int
) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Return how many condors have every leg that has not settled, and the contracts beyond them.

    Legs differ where orders filled unevenly, an execution was taken back, or somebody else traded.
    """
    left = {leg: ratio for leg, ratio in history.legs.items() if leg not in history.settlements}
    whole = min((remaining[leg] // abs(ratio) for leg, ratio in left.items()), default=quantity)
    whole = max(0, min(whole, quantity))
    beyond = ((leg, remaining[leg] - whole * abs(ratio)) for leg, ratio in left.items())
    return whole, tuple((leg, n if left[leg] > 0 else -n) for leg, n in beyond if n)


def _is_settled(history: CondorHistory, remaining: Mapping[str, int]) -> bool:
    if not history.settlements or not any(remaining.values()):
        return False
    return all(
        symbol in history.settlements or history.held.get(symbol, 0) == 0
        for symbol, count in remaining.items()
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


def _status(history: CondorHistory, opened: int, quantity: int, closed: int, settled: int) -> str:
    if opened == 0:
        return "PENDING" if _MAY_STILL_OPEN & set(history.opening) else "UNFILLED"
    if quantity > 0:
        return "CLOSING" if OPEN_STATUSES & set(history.closing) else "OPEN"
    if settled:
        return "SETTLED"
    return "CLOSED" if closed else "ROLLED"
