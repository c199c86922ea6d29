"""Prices of what the exchange does not have: stocks follow SPX, a currency pair stands still."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from bot.errors import MarketDataMissing
from bot.exchange.market import Market
from bot.gateway import words
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.symbols import SPY, STANDS
from bot.gateway.contracts.tenths import SYMBOL, is_asked, tenth_asks, tenth_bids, whole_option
from strategies.model.instruments import OptionContract
from strategies.model.quotes import Quote

_HALF_SPREAD_TICKS: Final = 1


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in as something to hold."""

    listed: Listed

    @property
    def symbol(self) -> str:
        """Its local symbol."""
        return self.listed.contract.local_symbol

    @property
    def multiplier(self) -> int:
        """USD a point."""
        return int(self.listed.contract.multiplier or 1)


def may_be_tradable(contract: words.Contract) -> bool:
    """Return whether a description may be one of SPY or its options; cheap."""
    if contract.con_id:
        return contract.con_id == SPY or whole_option(contract.con_id) is not None
    is_stock = contract.sec_type.upper() == "STK"
    return is_asked(contract) or (is_stock and contract.symbol.strip().upper() == SYMBOL)


def is_tradable(listed: Listed) -> bool:
    """Return whether orders for a stand-in are taken: SPY and its options."""
    return listed.tenth_of is not None or listed.con_id == SPY


def stand_value(market: Market, listed: Listed, at: datetime) -> float:
    """Return the price of a stand-in; raises MarketDataMissing as the index does."""
    stand = STANDS[listed.con_id]
    if not stand.per_spx:
        return stand.base
    return round(market.index_at("SPX", at) * stand.per_spx + stand.base, 2)


def stand_quote(market: Market, listed: Listed, at: datetime) -> Quote | None:
    """Return a quote a tick around the price; None outside session hours."""
    if listed.tenth_of is not None:
        return _tenth_quote(market, listed.tenth_of, at)
    try:
        value = stand_value(market, listed, at)
    except MarketDataMissing:
        return None
    half = float(listed.min_tick) * _HALF_SPREAD_TICKS
    return Quote(bid=round(value - half, 5), ask=round(value + half, 5))


def _tenth_quote(market: Market, whole: OptionContract, at: datetime) -> Quote | None:
    try:
        quote = market.quote(whole, at)
    except MarketDataMissing:
        return None
    if quote is None:
        return None
    bid, ask = np.array(quote.bid), np.array(quote.ask)
    return Quote(bid=float(tenth_bids(bid)), ask=float(tenth_asks(ask)))
