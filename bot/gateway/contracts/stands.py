"""Prices of the contracts nobody trades here: stocks follow SPX, a currency pair stands still."""

from datetime import datetime
from typing import Final

from bot.errors import MarketDataMissing
from bot.exchange.market import Market
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.symbols import STANDS
from strategies.model.quotes import Quote

_HALF_SPREAD_TICKS: Final = 1


def stand_value(market: Market, listed: Listed, at: datetime) -> float:
    """Return the price of a stand-in; raises MarketDataMissing as the index does."""
    stand = STANDS[listed.con_id]
    if not stand.per_spx:
        return stand.base
    return round(market.index_at("SPX", at) * stand.per_spx + stand.base, 2)


def stand_quote(market: Market, listed: Listed, at: datetime) -> Quote | None:
    """Return a quote a tick around the price; None outside session hours."""
    try:
        value = stand_value(market, listed, at)
    except MarketDataMissing:
        return None
    half = float(listed.min_tick) * _HALF_SPREAD_TICKS
    return Quote(bid=round(value - half, 5), ask=round(value + half, 5))
