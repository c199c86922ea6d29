"""Whether a fitted surface could be traded against: butterflies and calendars below nothing.

A butterfly costs less than nothing where the risk-neutral density is negative. With w(k) the total
variance at k = ln(K/F), the density of ln(S/F) is

    p(k) = g(k) phi(d2) / sqrt(w),   d2 = -k / sqrt w - sqrt w / 2,
    g(k) = (1 - k w' / (2 w))^2 - w'^2 / 4 (1 / w + 1 / 4) + w'' / 2.

A calendar does where total variance falls with time at equal k. Source: J. Gatheral and
A. Jacquier, Arbitrage-free SVI volatility surfaces (2014). Both are looked for where quotes were
fitted; what a surface does beyond its last quote is a continuation, not an offer.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from strategies.model.quotes import FloatArray, IntArray
from strategies.pricing.surface import Surface

_POINTS = 121  # looked at in each series
_STEP = 0.02  # of the differences, in deviations at the money
_REACH = 4.0  # deviations from the money beyond which a quote no longer bounds the search
_INVERSE_ROOT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)


class ViolationKind(StrEnum):
    """What could be bought for less than nothing."""

    BUTTERFLY = "butterfly"
    CALENDAR = "calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """The worst place of one kind in one series, or between two."""

    kind: ViolationKind
    series_index: int  # of a calendar, the later
    earlier_series_index: int | None  # of a calendar only
    strike: float  # of the series (of a calendar, the later), index points
    log_moneyness: float  # ln(K/F)
    amount: float  # > 0: density below zero (per deviation), or vol points too few in the later


def butterfly_violations(surface: Surface, tolerance: float = 0.01) -> tuple[Violation, ...]:
    """Return, for each series that has one, the strike at which the density is most negative.

    ``tolerance``: density below zero that does not count, per deviation at the money (the normal
    density has 0.4 at its top).
    """
    series = np.flatnonzero(surface.ok)
    if not len(series):
        return ()
    low, high = _quoted_range(surface, series)
    k = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, _POINTS)
    density = _density(surface, series, k)
    worst = np.argmin(density, axis=1)
    return tuple(
        Violation(
            kind=ViolationKind.BUTTERFLY,
            series_index=int(index),
            earlier_series_index=None,
            strike=float(surface.forwards.forward[index] * np.exp(k[row, worst[row]])),
            log_moneyness=float(k[row, worst[row]]),
            amount=-float(density[row, worst[row]]),
        )
        for row, index in enumerate(series)
        if density[row, worst[row]] < -tolerance
    )


def calendar_violations(surface: Surface, tolerance: float = 0.1) -> tuple[Violation, ...]:
    """Return, for each series and the one before it in time, where total variance falls most.

    ``tolerance``: vol points of the later series by which its total variance may fall short.
    """
    series = np.flatnonzero(surface.ok)
    series = series[np.argsort(surface.forwards.t_years[series], kind="stable")]
    if not len(series):
        return ()
    low, high = _quoted_range(surface, series)
    low, high = np.maximum(low[:-1], low[1:]), np.minimum(high[:-1], high[1:])
    k = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, _POINTS)
    earlier, later = series[:-1], series[1:]
    t_years = surface.forwards.t_years
    least = np.sqrt(t_years[earlier] / t_years[later])[:, None] * _vol(surface, earlier, k)
    short = 100.0 * (least - _vol(surface, later, k))
    worst = np.argmax(short, axis=1)
    return tuple(
        Violation(
            kind=ViolationKind.CALENDAR,
            series_index=int(later[row]),
            earlier_series_index=int(earlier[row]),
            strike=float(surface.forwards.forward[later[row]] * np.exp(k[row, worst[row]])),
            log_moneyness=float(k[row, worst[row]]),
            amount=float(short[row, worst[row]]),
        )
        for row in range(len(later))
        if short[row, worst[row]] > tolerance
    )


def surface_violations(surface: Surface, *, one_underlying: bool) -> tuple[Violation, ...]:
    """Return all violations: butterflies, and calendars where every series has one underlying.

    SPX series do. VIX series do not (each is an option on a future of its own), so that their
    variances at different expiries do not bound each other.
    """
    calendars = calendar_violations(surface) if one_underlying else ()
    return butterfly_violations(surface) + calendars


def _quoted_range(surface: Surface, series: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest quoted ln(K/F) of each series, kept within four deviations."""
    quoted, count = surface.quoted, len(surface.ok)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, quoted.series, quoted.log_moneyness)
    np.maximum.at(high, quoted.series, quoted.log_moneyness)
    reach = _REACH * surface.deviation[series]
    return np.maximum(low[series], -reach), np.minimum(high[series], reach)


def _density(surface: Surface, series: IntArray, k: FloatArray) -> FloatArray:
    """Return the density of ln(S/F) per deviation at the money: (k, n)."""
    scale = surface.deviation[series][:, None]
    step = _STEP * scale
    t_years = surface.forwards.t_years[series][:, None]
    below, here, above = (
        _vol(surface, series, k + move) ** 2 * t_years for move in (-step, 0.0, step)
    )
    slope = (above - below) / (2.0 * step)
    bend = (above - 2.0 * here + below) / (step * step)
    g = (1.0 - 0.5 * k * slope / here) ** 2
    g += 0.5 * bend - 0.25 * slope * slope * (1.0 / here + 0.25)
    root = np.sqrt(here)
    d2 = -k / root - 0.5 * root
    density: FloatArray = g * _INVERSE_ROOT_TWO_PI * np.exp(-0.5 * d2 * d2) * scale / root
    return density


def _vol(surface: Surface, series: IntArray, k: FloatArray) -> FloatArray:
    """Return the vols of each series at its own row of ln(K/F): (k, n)."""
    strike = surface.forwards.forward[series][:, None] * np.exp(k)
    return surface.vol(np.broadcast_to(series[:, None], k.shape), strike)
