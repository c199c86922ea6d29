"""Quotes from the state of the market at one instant: chains, single options and futures."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np

from bot.exchange.listings import Listing
from bot.exchange.spreads import future_quote, spx_option_quotes, vix_option_quotes
from bot.exchange.spx_surface import DIVIDEND_YIELD, SpxSurface, VolLevels, option_values
from bot.exchange.vix_surface import vix_option_values, vix_smiles
from strategies.model.instruments import FutureContract, OptionContract, Right
from strategies.model.quotes import CALL, PUT, FloatArray, OptionChain, Quote, Series

VXM_FIRST_DAY: Final = date(2020, 8, 10)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarketState:
    """Everything quotes depend on at one instant. Prices in index points."""

    at: datetime
    spx: float
    levels: VolLevels
    futures: dict[date, float]  # VX by expiry, ascending
    surface: SpxSurface
    rate: float  # continuously compounded, decimal per year


def spx_chain(listing: Listing, state: MarketState) -> OptionChain:
    """Return the quoted chain of SPX and SPXW series that still trade."""
    t_years = _years(listing, state)
    forward = state.spx * np.exp((state.rate - DIVIDEND_YIELD) * t_years)
    discount = np.exp(-state.rate * t_years)
    smiles = state.surface.at(t_years)
    values = option_values(smiles, listing.series_index, forward, listing.strike, discount)
    bid, ask = spx_option_quotes(values, state.levels.vix)
    return _chain("SPX", listing, state, bid, ask)


def vix_chain(listing: Listing, state: MarketState) -> OptionChain:
    """Return the quoted chain of VIX series, each of which has a quoted future."""
    t_years = _years(listing, state)
    futures = np.array([state.futures[series.expiry] for series in listing.series])
    discount = np.exp(-state.rate * t_years)
    smiles = vix_smiles(futures, t_years, state.levels.vvix)
    values = vix_option_values(smiles, listing.series_index, futures, listing.strike, discount)
    bid, ask = vix_option_quotes(values, state.levels.vix)
    return _chain("VIX", listing, state, bid, ask)


def option_quote(contract: OptionContract, series: Series, state: MarketState) -> Quote:
    """Return the quote of one option of a series that still trades, as its chain has it."""
    listing = Listing(
        series=(series,),
        series_index=np.zeros(1, dtype=np.int64),
        strike=np.array([float(contract.strike)]),
    )
    make = spx_chain if contract.underlying == "SPX" else vix_chain
    chain = make(listing, state)
    column = PUT if contract.right is Right.PUT else CALL
    return Quote(bid=float(chain.bid[0, column]), ask=float(chain.ask[0, column]))


def vix_future_quote(contract: FutureContract, state: MarketState) -> Quote:
    """Return the quote of a VX or VXM whose expiry is among the state's futures."""
    month = list(state.futures).index(contract.expiry) + 1
    value = state.futures[contract.expiry]
    bid, ask = future_quote(value, contract.root, month, state.levels.vix)
    return Quote(bid=bid, ask=ask)


def _years(listing: Listing, state: MarketState) -> FloatArray:
    return np.array([series.years_from(state.at) for series in listing.series])


def _chain(
    underlying: str, listing: Listing, state: MarketState, bid: FloatArray, ask: FloatArray
) -> OptionChain:
    return OptionChain(
        underlying=underlying,
        series=listing.series,
        series_index=listing.series_index,
        strike=listing.strike,
        bid=bid,
        ask=ask,
        quoted_at=state.at,
    )
