"""At which limit an order stands at the exchange now, by its type, and when a stop is reached.

Everything here is from the exchange's side: a package that is bought, natural being what it costs
at once. A limit is on the tick grid, rounded toward the market where the type wants to trade.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot.exchange.market import Market
from bot.exchange.matching import from_cents, quote_package
from bot.gateway.desk.reading import PEGGED_TYPES, STOP_TYPES
from bot.gateway.desk.ticket import Ticket
from strategies.model.ticks import order_tick, round_down, round_up

# How long an Adaptive order walks from mid to natural; design judgement
_WALKS: Final = {
    "URGENT": timedelta(minutes=1),
    "NORMAL": timedelta(minutes=3),
    "PATIENT": timedelta(minutes=6),
}
_PROTECTION_TICKS: Final = 4  # beyond natural; the exchange fills at natural all the same
_DOUBLE_METHODS: Final = frozenset({0, 1})  # triggerMethod: default of options, and double bid/ask
_LAST_METHODS: Final = frozenset({2, 3})  # nothing is printed here, so the mid stands for last
_MID_METHOD: Final = 8


@dataclass(frozen=True, slots=True)
class Spread:
    """A package's market in index points."""

    bid: Decimal
    ask: Decimal

    @property
    def mid(self) -> Decimal:
        """Half way."""
        return (self.bid + self.ask) / 2


def spread_of(ticket: Ticket, market: Market, at: datetime) -> Spread | None:
    """Return the market of what the exchange is asked to buy, in session hours."""
    package = quote_package(ticket.legs, lambda instrument: market.quote(instrument, at))
    if package is None:
        return None
    natural = from_cents(package.natural)
    return Spread(from_cents(package.mid_twice) - natural, natural)


def is_adaptive(ticket: Ticket) -> bool:
    """Whether an order walks; IB's algorithm does nothing for combos."""
    return ticket.order.algo_strategy == "Adaptive" and not ticket.is_combo


def is_fixed(ticket: Ticket) -> bool:
    """Whether an order stands at one limit once it works."""
    if is_adaptive(ticket):
        return False
    return ticket.order.order_type in {"LMT", "LOC", "STP LMT"}


def is_marketable(ticket: Ticket) -> bool:
    """Whether an order pays whatever is asked."""
    return ticket.order.order_type in {"MKT", "MOC", "STP"} and not is_adaptive(ticket)


def limit_of(ticket: Ticket, market: Market, at: datetime) -> Decimal | None:
    """Return the limit of the order at the exchange, None while there is no market for one."""
    own = ticket.order.limit_price
    limit = None if own is None else own * ticket.sign
    if is_fixed(ticket):
        return limit
    spread = spread_of(ticket, market, at)
    if spread is None:
        return None
    if ticket.order.order_type in PEGGED_TYPES:
        return _pegged(ticket, spread, limit)
    if is_adaptive(ticket) and (walked := _walked(ticket, spread, at)) is not None:
        return _capped(ticket, walked, limit if ticket.order.order_type == "LMT" else None)
    if is_adaptive(ticket) and ticket.order.order_type == "LMT":
        return _capped(ticket, spread.ask, limit)
    return _through(ticket, spread)


def has_triggered(ticket: Ticket, market: Market, at: datetime) -> bool:
    """Look at the market once and return whether a stop is reached.

    A buy waits for bids at its trigger price or above, a sale for offers at it or below. The usual
    method of options wants two looks in a row.
    """
    assert ticket.order.order_type in STOP_TYPES, "only stops have triggers"
    trigger = ticket.order.aux_price
    assert trigger is not None, "a stop without its price was refused"
    spread = spread_of(ticket, market, at)
    if spread is None:
        ticket.touches = 0
        return False
    method = int(ticket.order.rest.get("triggerMethod") or 0)
    seen = spread.mid if method in _LAST_METHODS | {_MID_METHOD} else spread.bid
    # what the exchange's package is bid for is what a sale is offered at, with the sign turned
    reached = seen >= trigger * ticket.sign
    ticket.touches = ticket.touches + 1 if reached else 0
    return ticket.touches >= (2 if method in _DOUBLE_METHODS else 1)


def off_tick(ticket: Ticket) -> bool:
    """Whether the limit or the trigger price is between ticks."""
    prices = (ticket.order.limit_price, ticket.order.aux_price)
    return any(price is not None and price % _tick(ticket, price) != 0 for price in prices)


def _tick(ticket: Ticket, price: Decimal) -> Decimal:
    return order_tick([line.instrument for line in ticket.lines], price)


def _through(ticket: Ticket, spread: Spread) -> Decimal:
    """Return a limit beyond natural, so that the next small move does not leave it behind."""
    tick = _tick(ticket, spread.ask)
    return _capped(ticket, spread.ask + _PROTECTION_TICKS * tick, None)


def _pegged(ticket: Ticket, spread: Spread, limit: Decimal | None) -> Decimal:
    if ticket.order.order_type == "MIDPRICE":
        return _capped(ticket, spread.mid, limit)
    offset = ticket.order.aux_price or Decimal(0)
    price = min(spread.bid + offset, spread.ask)
    price = round_down(price, _tick(ticket, price))
    return _capped(ticket, price, limit)


def _walked(ticket: Ticket, spread: Spread, at: datetime) -> Decimal | None:
    """Return where an Adaptive order has come to, None once it has arrived."""
    priority = dict(ticket.order.algo_params).get("adaptivePriority", "Normal").upper()
    since = ticket.working_since or at
    share = (at - since) / _WALKS.get(priority, _WALKS["NORMAL"])
    if share >= 1:
        return None
    return spread.mid + Decimal(str(round(share, 6))) * (spread.ask - spread.mid)


def _capped(ticket: Ticket, price: Decimal, limit: Decimal | None) -> Decimal:
    """Return a price on the grid, not beyond a limit, and of one leg never across zero."""
    price = round_up(price, _tick(ticket, price))
    price = round_up(price, _tick(ticket, price))  # the grid may have changed at three points
    if limit is not None:
        price = min(price, limit)
    if len(ticket.lines) == 1:
        least = _tick(ticket, Decimal(0))
        price = max(price, least) if ticket.sign > 0 else min(price, -least)
    return price
