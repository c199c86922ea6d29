"""What records add up to so far, kept in memory from one transaction to the next.

Adding up every fill of a symbol again for each new one takes longer the longer the ledger. So what
was added up once is kept, and a new fill is added to it. Whatever is not a plain new fill (a
correction, a trade of somebody else's, an adoption, a settlement, a fill that is told late) forgets
what it may have moved, which is then added up from the records (``state.projector``): that is what
is right, and what is kept here must equal it.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from state.amounts import session_of
from state.decisions import Row
from state.orders import UNFINISHED, instrument_of
from state.projections import HedgeAccount, Trade, packages_filled
from strategies.model.fills import Fill
from strategies.model.lifecycle import OrderStatus

_KEPT = 4_096  # of a kind: more than a year of symbols, and than a month of orders


@dataclass(slots=True)
class OrderTally:
    """An order: its last event with its quantity and whom it serves, and what its fills make up."""

    event: Row
    ratios: dict[str, int]  # of its legs, by symbol
    signed: Counter[str]  # contracts filled, by symbol

    def state_row(self) -> Row:
        """Return where the order is."""
        event = self.event
        filled = max(event["filled"], packages_filled(self.ratios, self.signed))
        return state_row(event, event["quantity"], filled)


@dataclass(slots=True)
class Holding:
    """A symbol: what the account holds of it, and what the bot's own trades of a hedge come to."""

    symbol: str
    net_contracts: int = 0
    account: HedgeAccount = field(default_factory=HedgeAccount)
    has_settled: bool = False

    def position_row(self) -> Row | None:
        """Return what is held; None if nothing is."""
        if self.net_contracts == 0:
            return None
        return {"symbol": self.symbol, "net_contracts": self.net_contracts}

    @property
    def is_hedge(self) -> bool:
        """Whether it is a VIX instrument."""
        return instrument_of(self.symbol).underlying == "VIX"

    def hedge_row(self) -> Row | None:
        """Return the state of a VIX instrument; None if the bot never traded it."""
        if not self.is_hedge or self.account.last is None:
            return None
        state = self.account.state(instrument_of(self.symbol).multiplier)
        return {
            "symbol": self.symbol,
            "net_contracts": state.net_contracts,
            "average_cost": state.average_cost,
            "opened_on": state.opened_on,
            "realised_usd": state.realised_usd,
        }


@dataclass(slots=True)
class Touched:
    """What a transaction may have moved, and must be added up again."""

    symbols: set[str] = field(default_factory=set)
    condors: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    hedge_sessions: set[date] = field(default_factory=set)

    def clear(self) -> None:
        """Forget everything."""
        for names in (self.symbols, self.condors, self.orders):
            names.clear()
        self.hedge_sessions.clear()

    def __bool__(self) -> bool:
        return bool(self.symbols or self.condors or self.orders or self.hedge_sessions)


class Tallies:
    """What was added up lately, by symbol, order and session."""

    def __init__(self) -> None:
        self.holdings: dict[str, Holding] = {}
        self.orders: dict[str, OrderTally] = {}
        self.hedge_cash: dict[date, Decimal] = {}
        self.moved = Touched()  # what follows from what is kept, and is not written yet

    def clear(self) -> None:
        """Forget everything: a transaction was taken back."""
        for kept in (self.holdings, self.orders, self.hedge_cash):
            kept.clear()
        self.moved.clear()

    def trim(self) -> None:
        """Forget what would otherwise grow for ever."""
        assert not self.moved, "something is not written yet"
        for kept in (self.holdings, self.orders, self.hedge_cash):
            if len(kept) > _KEPT:
                kept.clear()

    def add_fill(self, fill: Fill, order: OrderTally, touched: Touched) -> None:
        """Add a new fill, in its first and only revision, to everything it moves.

        What is touched already is added up again in any case, and this with it.
        """
        signed = fill.signed_quantity
        holding = self.holdings.get(fill.symbol)
        trade = Trade(fill.executed_at, f"fill {fill.exec_root}", signed, fill.price)
        if holding is None or holding.has_settled or not holding.account.follows(trade):
            touched.symbols.add(fill.symbol)
        else:
            holding.net_contracts += signed
            if holding.is_hedge:
                holding.account.add(trade)
            self.moved.symbols.add(fill.symbol)

        order.signed[fill.symbol] += signed
        self.moved.orders.add(fill.client_order_id)
        if order.event["condor_id"] is not None:
            touched.condors.add(order.event["condor_id"])

        if order.event["layer"] is not None:
            session = session_of(fill.executed_at)
            if session not in self.hedge_cash:
                touched.hedge_sessions.add(session)
            else:
                self.hedge_cash[session] += fill.cash_flow_usd
                self.moved.hedge_sessions.add(session)


def state_row(event: Row, quantity: int, filled: int) -> Row:
    """Return where an order of ``quantity`` packages is after its last event."""
    over = OrderStatus(event["status"]) not in UNFINISHED
    return {
        "client_order_id": event["client_order_id"],
        "status": event["status"],
        "filled": filled,
        "leaves": 0 if over else max(0, quantity - filled),
        "limit_price": event["limit_price"],
        "arrival_mid": event["arrival_mid"],
        "broker_order_id": event["broker_order_id"],
        "note": event["note"],
        "updated_at": event["at"],
    }
