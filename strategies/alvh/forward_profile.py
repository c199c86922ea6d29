"""How long a hedge lasts: its factor vega today and in some days, at unchanged forwards (T3).

Time alone is let pass. The future behind a call keeps today's price and the strike its vol; the
shorter a contract becomes, the more it moves with spot VIX (beta) and the less chance a call has
left (delta). What has expired by then is gone; B10's rolls are not anticipated.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from strategies.alvh.holdings import LAYERS, layer_of
from strategies.model.book import HedgePosition
from strategies.model.instruments import Instrument
from strategies.model.quotes import FloatArray
from strategies.model.rules import LayerRules
from strategies.pricing import black76
from strategies.pricing.factor_vega import future_beta
from strategies.pricing.valuation import FutureValue, OptionValue, Valuer

HORIZONS: Final = (0, 10, 30, 60)  # calendar days from today
BOOK: Final = "book"

Profile = tuple[str, float, float, float, float]  # layer or BOOK; USD per VIX point at HORIZONS


def forward_vega(
    positions: Iterable[tuple[Instrument, int]], valuer: Valuer, days: Sequence[int] = HORIZONS
) -> tuple[float, ...] | None:
    """Return the factor vega of VIX instruments after so many days; None if one has no value.

    Args:
        positions: Instruments and signed contracts, long > 0.
        valuer: The market they are valued in.
        days: Calendar days from today, each >= 0.

    Units: USD per point of spot VIX, one figure for each of ``days``.
    Source: rule T3; rule book, section 1.
    """
    total = np.zeros(len(days))
    ahead = np.asarray(days, dtype=np.float64)
    options: list[tuple[int, OptionValue]] = []
    for instrument, contracts in positions:
        value = valuer.value(instrument)
        if value is None:
            return None
        if isinstance(value, FutureValue):
            left = value.days - ahead
            unit = future_beta(np.maximum(left, 0.0)) * instrument.multiplier
            total += contracts * np.where(left > 0, unit, 0.0)
        else:
            options.append((contracts, value))
    if options:
        total += _options(options, ahead, valuer.market.rate)
    return tuple(total.tolist())


def forward_profile(
    hedges: Sequence[HedgePosition], valuer: Valuer, rules: LayerRules
) -> tuple[Profile, ...] | None:
    """Return T3's profile of each layer and of the whole hedge; None if one has no value.

    Args:
        hedges: What is held; a position counts to the layer it belongs to today (B10).
        valuer: The market.
        rules: The tenors, as ``holdings.with_reach`` gives them for this market.

    Units: USD per point of spot VIX today, in 10, 30 and 60 days.
    """
    rows: list[Profile] = []
    for layer in LAYERS:
        held = [
            (hedge.instrument, hedge.net_contracts)
            for hedge in hedges
            if layer_of((hedge.instrument.expiry - valuer.session).days, rules) == layer
        ]
        vegas = forward_vega(held, valuer)
        if vegas is None:
            return None
        rows.append((layer, vegas[0], vegas[1], vegas[2], vegas[3]))
    _, now, ten, thirty, sixty = zip(*rows, strict=True)
    return (*rows, (BOOK, sum(now), sum(ten), sum(thirty), sum(sixty)))


def _options(
    options: Sequence[tuple[int, OptionValue]], ahead: FloatArray, rate: float
) -> FloatArray:
    """Return the factor vega of options: shapes (n,) options and (d,) days give (d,)."""
    values = [value for _, value in options]
    contracts = np.array([number for number, _ in options], dtype=np.float64)
    strike = np.array([float(value.contract.strike) for value in values])
    forward = np.array([value.forward for value in values])
    vol = np.array([value.vol for value in values])
    multiplier = np.array([value.contract.multiplier for value in values], dtype=np.float64)
    days = np.array([value.days for value in values], dtype=np.float64) - ahead[:, None]
    years = np.array([value.t_years for value in values])
    years = np.maximum(years - ahead[:, None] / black76.DAYS_PER_YEAR, 0.0)
    discount = np.exp(-rate * years)
    delta = black76.greeks(forward, strike, years, vol, discount, True, rate).delta
    unit = delta * multiplier * future_beta(np.maximum(days, 0.0))
    worth: FloatArray = (np.where(days > 0, unit, 0.0) * contracts).sum(axis=1)
    return worth
