"""An invented history: SPX under stochastic volatility with jumps, and everything that follows.

Variance has a fast and a slow factor, both mean-reverting with a variance of their own level (the
square-root process); jumps strike price and fast variance together and come more often when
variance is high already. VIX and its relatives of other tenors are the model's own expectation of
average variance under a measure with more variance than comes true (the premium insurers earn); VX
futures are its expectation of the VIX plus a premium, net of convexity. Each session is simulated
in an overnight step and half hours, so that opens, highs and lows belong to the same path as the
closes.

Sources: Heston (1993); Bates (1996); Duffie, Pan & Singleton (2000) for jumps in both; Egloff,
Leippold & Wu (2010) for two factors. Parameters are chosen so that level, changes and term
structure resemble 2011-2026; ``docs/market.md`` compares them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np

from bot.history.recent import Recent
from bot.history.store import DailySeries, ScheduledEvent, event_flags
from strategies.model.calendars import TradingCalendar
from strategies.model.errors import MissingData
from strategies.model.expiries import vx_expiries
from strategies.model.quotes import FloatArray
from strategies.model.snapshots import DailyHistory

BURN_IN_SESSIONS: Final = 450

_STEPS: Final = 14  # the night, then thirteen half hours
_NIGHT_SHARE: Final = 0.28  # of a day's variance
_SESSIONS_PER_YEAR: Final = 252
_MONTHS: Final = 9  # VX futures listed at once
_TENOR_DAYS: Final = {"VIX9D": 9.0, "VIX": 30.0, "VIX3M": 93.0, "VIX6M": 183.0}
_DAYS_PER_YEAR: Final = 365.0
_CURVE_REACH_DAYS: Final = 320
_HISTORIES_KEPT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldParameters:
    """Rates per year, variances in squared decimal vols per year."""

    spx: float = 4000.0  # at the start of the burn-in
    drift: float = 0.08
    rate: float = 0.03
    fast_mean: float = 0.007
    fast_speed: float = 9.0
    fast_vol: float = 1.1
    slow_mean: float = 0.007
    slow_speed: float = 1.0
    slow_vol: float = 0.14
    correlation: float = -0.90  # of SPX with each factor
    jump_rate: float = 0.5
    jump_rate_per_variance: float = 22.0
    jump_mean: float = -0.022  # log price
    jump_deviation: float = 0.018
    jump_variance: float = 0.055  # mean of the exponential jump of fast variance
    premium: float = 1.40  # expected average variance over what comes true, 30 days
    premium_slope: float = 0.28  # added towards six months
    futures_premium: float = 0.11  # of a VX future over the expected VIX at long tenors, net
    futures_premium_days: float = 35.0  # tenor over which it builds up
    vvix_noise: float = 0.11  # deviation of the log
    vvix_memory: float = 0.958  # of that noise, day to day


class InventedHistory:
    """A ``DailySource`` that was never true."""

    def __init__(
        self,
        sessions: Sequence[date],
        calendar: TradingCalendar,
        parameters: WorldParameters,
        seed: int,
        events: Sequence[ScheduledEvent] = (),
    ) -> None:
        """Invent every session; a longer list of sessions begins with the same days.

        Args:
            sessions: The days, ascending, burn-in included.
            calendar: Must reach ten months past the last session, for VX expiries.
            parameters: Of the model.
            seed: Not negative.
            events: What is scheduled on those days. Nothing in this world answers to it.
        """
        self._parameters = parameters
        days = np.array(sessions, dtype="datetime64[D]")
        generator = np.random.default_rng(np.random.SeedSequence((seed, 1)))
        fast, slow, spx = _simulate(parameters, len(sessions), generator)
        self._series = {"SPX": _daily("SPX", days, spx)}
        for name, tenor in _TENOR_DAYS.items():
            self._series[name] = _daily(name, days, _vol_index(parameters, tenor, fast, slow))
        noise = _persistent_noise(parameters, len(sessions), seed)
        self._series["VVIX"] = _daily("VVIX", days, self._vvix(noise))
        self._breadth = _breadth(self._series["SPX"].close, seed)
        self._settlements, self._finals = self._settle(sessions, calendar, fast, slow)
        self._columns = self._as_columns(events)
        self._histories = Recent[int, DailyHistory](_HISTORIES_KEPT)

    def daily(self, name: str) -> DailySeries:
        """Return SPX, VIX, VVIX, VIX9D, VIX3M or VIX6M."""
        return self._series[name]

    def find(self, name: str) -> DailySeries | None:
        """Return one of them by name, or None."""
        return self._series.get(name)

    def vx_contracts_on(self, session: date) -> tuple[tuple[date, float], ...]:
        """Return (expiry, settlement) of the listed VX futures."""
        return self._settlements.get(session, ())

    def final_settlement(self, expiry: date) -> float | None:
        """Return the final settlement of the VX expiring on ``expiry``."""
        return self._finals.get(expiry)

    def rate_on(self, session: date) -> float:
        """Return the rate, which never changes here."""
        if session < self._series["SPX"].session[0].item():
            raise MissingData(f"no interest rate before {session}")
        return self._parameters.rate

    def daily_history(self, before: date) -> DailyHistory:
        """Return every session so far strictly before a date; the same date, the same object.

        There is no SKEW, implied correlation, credit spread or option volume in this world.
        """
        stop = self._series["SPX"].rows_before(before)
        return self._histories.get(
            stop,
            lambda: DailyHistory(**{name: each[:stop] for name, each in self._columns.items()}),
        )

    def _as_columns(self, events: Sequence[ScheduledEvent]) -> dict[str, Any]:
        days = self._series["SPX"].session
        curve = [self._settlements[day][:2] for day in days.tolist()]
        expiries = np.array([second[0] for _, second in curve], dtype="datetime64[D]")
        return {
            "session": days,
            "spx_close": self._series["SPX"].close,
            "vix_close": self._series["VIX"].close,
            "vvix_close": self._series["VVIX"].close,
            "vx1_settle": np.array([first[1] for first, _ in curve]),
            "vx2_settle": np.array([second[1] for _, second in curve]),
            "vx2_days": (expiries - days).astype(np.float64),
            "net_breadth": self._breadth,
            **event_flags(events, days),
        }

    def _vvix(self, noise: FloatArray) -> FloatArray:
        """Return VVIX at every step: a regression on level and slope of the curve, with noise.

        Source: ln VVIX on ln(VIX/VIX6M) and ln(VIX6M/20), 2011-2026.
        """
        vix, vix6m = (
            np.stack([series.open, series.high, series.low, series.close], axis=1)
            for series in (self._series["VIX"], self._series["VIX6M"])
        )
        level = 4.61 + 0.40 * np.log(vix / vix6m) + 0.33 * np.log(vix6m / 20.0)
        result: FloatArray = np.exp(level + noise[:, None])
        return result

    def _settle(
        self,
        sessions: Sequence[date],
        calendar: TradingCalendar,
        fast: FloatArray,
        slow: FloatArray,
    ) -> tuple[dict[date, tuple[tuple[date, float], ...]], dict[date, float]]:
        """Return the VX curve of every session, and the final settlements."""
        last = date.fromordinal(sessions[-1].toordinal() + _CURVE_REACH_DAYS)
        expiries = vx_expiries(sessions[0], last, calendar)
        opens = dict(zip(sessions, self._series["VIX"].open.tolist(), strict=True))
        finals = {expiry: opens[expiry] for expiry in expiries if expiry in opens}
        curves = {}
        for row, session in enumerate(sessions):
            listed = [expiry for expiry in expiries if expiry > session][:_MONTHS]
            days = np.array([(expiry - session).days for expiry in listed], dtype=np.float64)
            settles = _futures_curve(self._parameters, days, fast[row, -1], slow[row, -1])
            curves[session] = tuple(zip(listed, np.round(settles, 3).tolist(), strict=True))
        return curves, finals


def _simulate(
    parameters: WorldParameters, sessions: int, generator: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return fast variance, slow variance and SPX at the open and after each half hour.

    Shapes: (sessions, 14): column 0 is the open, column 13 the close.
    """
    p = parameters
    normals = generator.standard_normal((sessions, _STEPS, 4))
    uniforms = generator.spawn(1)[0].random((sessions, _STEPS, 2))
    shares = np.array([_NIGHT_SHARE] + [(1.0 - _NIGHT_SHARE) / (_STEPS - 1)] * (_STEPS - 1))
    steps = (shares / _SESSIONS_PER_YEAR).tolist()
    own = math.sqrt(1.0 - p.correlation**2)
    jump_drift = math.exp(p.jump_mean + 0.5 * p.jump_deviation**2) - 1.0
    fast_now, slow_now, log_spx = p.fast_mean, p.slow_mean, math.log(p.spx)
    result = np.empty((3, sessions, _STEPS))
    for row in range(sessions):
        draws, chances = normals[row].tolist(), uniforms[row].tolist()
        for step, years in enumerate(steps):
            z_fast, z_slow, z_own, z_jump = draws[step]
            root = math.sqrt(years)
            variance = fast_now + slow_now
            rate = p.jump_rate + p.jump_rate_per_variance * variance
            fast_shock, slow_shock = math.sqrt(fast_now) * root, math.sqrt(slow_now) * root
            log_spx += (p.drift - 0.5 * variance - rate * jump_drift) * years
            log_spx += p.correlation * (fast_shock * z_fast + slow_shock * z_slow)
            log_spx += own * math.sqrt(variance) * root * z_own
            fast_now += p.fast_speed * (p.fast_mean - fast_now) * years
            fast_now += p.fast_vol * fast_shock * z_fast
            slow_now += p.slow_speed * (p.slow_mean - slow_now) * years
            slow_now += p.slow_vol * slow_shock * z_slow
            strike, size = chances[step]
            if strike < rate * years:
                log_spx += p.jump_mean + p.jump_deviation * z_jump
                fast_now += -p.jump_variance * math.log1p(-size)
            fast_now, slow_now = max(fast_now, _LEAST_FAST), max(slow_now, _LEAST_SLOW)
            result[:, row, step] = fast_now, slow_now, log_spx
    return result[0], result[1], np.exp(result[2])


_LEAST_FAST: Final = 1e-4
_LEAST_SLOW: Final = 4e-3  # keeps the VIX above 8


def _average_variance(
    parameters: WorldParameters, days: float, fast: FloatArray, slow: FloatArray
) -> FloatArray:
    """Return expected variance per year over the next ``days``, jumps included."""
    p = parameters
    years = days / _DAYS_PER_YEAR
    fast_mean, jump_square = _means(p)
    fast_part = fast_mean + (fast - fast_mean) * _mean_decay(p.fast_speed, years)
    slow_part = p.slow_mean + (slow - p.slow_mean) * _mean_decay(p.slow_speed, years)
    diffusion = fast_part + slow_part
    jumps = jump_square * (p.jump_rate + p.jump_rate_per_variance * diffusion)
    return diffusion + jumps


def _vol_index(
    parameters: WorldParameters, tenor_days: float, fast: FloatArray, slow: FloatArray
) -> FloatArray:
    """Return a volatility index of one tenor, index points."""
    expected = _average_variance(parameters, tenor_days, fast, slow)
    premium = parameters.premium + parameters.premium_slope * (tenor_days - 30.0) / 153.0
    index: FloatArray = 100.0 * np.sqrt(premium * expected)
    return index


def _futures_curve(
    parameters: WorldParameters, days: FloatArray, fast: float, slow: float
) -> FloatArray:
    """Return VX settlements ``days`` before their expiries, (k,), index points."""
    p = parameters
    years = days / _DAYS_PER_YEAR
    fast_mean, _ = _means(p)
    fast_then = fast_mean + (fast - fast_mean) * np.exp(-p.fast_speed * years)
    slow_then = p.slow_mean + (slow - p.slow_mean) * np.exp(-p.slow_speed * years)
    vix = _vol_index(p, _TENOR_DAYS["VIX"], fast_then, slow_then)
    premium = 1.0 + p.futures_premium * (1.0 - np.exp(-days / p.futures_premium_days))
    result: FloatArray = vix * premium
    return result


def _means(parameters: WorldParameters) -> tuple[float, float]:
    """Return the fast factor's mean, jumps included, and the mean square of a price jump."""
    p = parameters
    usual = p.fast_mean + p.slow_mean
    lift = p.jump_variance * (p.jump_rate + p.jump_rate_per_variance * usual) / p.fast_speed
    return p.fast_mean + lift, p.jump_mean**2 + p.jump_deviation**2


def _mean_decay(speed: float, years: float) -> float:
    return -math.expm1(-speed * years) / (speed * years)


def _persistent_noise(parameters: WorldParameters, sessions: int, seed: int) -> FloatArray:
    generator = np.random.default_rng(np.random.SeedSequence((seed, 2)))
    shocks = generator.standard_normal(sessions).tolist()
    memory, now, path = parameters.vvix_memory, 0.0, []
    fresh = parameters.vvix_noise * math.sqrt(1.0 - memory**2)
    for shock in shocks:
        now = memory * now + fresh * shock
        path.append(now)
    return np.array(path)


def _breadth(closes: FloatArray, seed: int) -> FloatArray:
    """Return NYSE net breadth: it follows the index's return, saturates, and has its own noise."""
    generator = np.random.default_rng(np.random.SeedSequence((seed, 3)))
    returns = np.diff(np.log(closes), prepend=math.log(closes[0]))
    noise = 0.16 * generator.standard_normal(len(closes))
    breadth: FloatArray = np.clip(0.75 * np.tanh(returns / 0.009) + noise, -0.97, 0.97)
    return breadth


def _daily(
    name: str, days: np.ndarray[tuple[int], np.dtype[np.datetime64]], steps: FloatArray
) -> DailySeries:
    """Return daily bars of a path whose first column is the open and whose last is the close."""
    prints = np.round(steps, 2)
    return DailySeries(
        name=name,
        session=days,
        open=prints[:, 0],
        high=prints.max(axis=1),
        low=prints.min(axis=1),
        close=prints[:, -1],
        ohlc_ok=np.ones(len(days), dtype=np.bool_),
    )
