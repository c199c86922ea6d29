"""What a book is expected to return: dated cash flows and the annual rate behind them (section 7).

Flows are those of holding from now on to expiry. A condor ties up its margin today and is sold for
its credit (one that is held: for what buying it back costs at the mids); each of its options is
settled at its own expiry at what it is expected to pay (see ``payoffs``); the margin of a side
comes back when its short expires. A VIX call is bought at today's mid and pays what it is expected
to. A VIX future ties up its initial margin, which comes back with its carry: it is expected to
settle half way between its price and spot VIX.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from strategies.model.book import CondorLegs, CondorPosition
from strategies.model.instruments import Instrument
from strategies.model.quotes import FloatArray
from strategies.model.snapshots import DailyHistory
from strategies.pricing import black76
from strategies.pricing.margin import MarginConvention, condor_margin_by_expiry, future_margin_usd
from strategies.pricing.payoffs import expected_payoffs
from strategies.pricing.repricing import Holding, Repricer
from strategies.pricing.valuation import CondorValue, OptionValue, Valuer

_REALISED_DAYS = 21  # sessions, what the 30 days of VIX span
_RATIO_DAYS = 252  # sessions the median ratio is taken over
_FEWEST_RATIOS = 60
_RATIO_LOW, _RATIO_HIGH = 0.5, 1.5
_SESSIONS_PER_YEAR = 252.0
_CONVERGENCE = 0.5  # how far a future is expected to go toward spot by its expiry
_LARGEST_RATE = 1000.0  # a year; beyond it a rate says no more than "very high"
_LEAST_RATE = -1 + 1e-9  # all but nothing is lost; beyond it exponentials overflow


class NoRate(StrEnum):
    """Why flows have no rate of return."""

    NOTHING_INVESTED = "nothing is invested"
    NOTHING_BACK = "nothing is expected to come back"
    SEVERAL_TURNS = "flows change sign more than once"
    UNPRICEABLE = "something cannot be priced"
    NO_RATIO = "no realised to implied ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Irr:
    """An internal rate of return, or why there is none."""

    rate: float | None  # a year, compounded, decimal
    reason: NoRate | None = None  # set exactly where there is no rate

    def reaches(self, hurdle: float) -> bool | None:
        """Return whether the rate is at least ``hurdle``; None where nothing can be said.

        Flows of which nothing comes back reach no hurdle.
        """
        if self.rate is not None:
            return self.rate >= hurdle
        return False if self.reason is NoRate.NOTHING_BACK else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flows:
    """Cash flows in USD, received > 0, by calendar days from today; any order, days may repeat."""

    days: FloatArray  # (n,), whole and >= 0
    usd: FloatArray  # (n,)

    def __add__(self, other: "Flows") -> "Flows":
        """Return both together."""
        return Flows(
            days=np.concatenate((self.days, other.days)), usd=np.concatenate((self.usd, other.usd))
        )

    def __mul__(self, times: float) -> "Flows":
        """Return the same days with each flow so many times."""
        return Flows(days=self.days, usd=self.usd * times)


def irr(flows: Flows) -> Irr:
    """Return the annual rate r at which ``sum usd (1 + r)^(-days / 365)`` is zero.

    Flows of one day count as their sum. Money must go out first and come back later, with one
    change of sign: in u = -ln(1 + r), discounted to the last day on which money goes out, the sum
    then rises with u, so that there is one root. With A paid in all, B received in all and g years
    from the last payment to the first receipt it lies between 0 and ln(A / B) / g, and is found
    there by Brent's method. A rate above 100,000 % is returned as that, one below
    -99.9999999 % as that.
    """
    by_day = np.bincount(flows.days.astype(np.int64), weights=flows.usd)
    days = np.flatnonzero(by_day)
    usd = by_day[days]
    paid, received = days[usd < 0], days[usd > 0]
    if not len(paid):
        return Irr(rate=None, reason=NoRate.NOTHING_INVESTED)
    if not len(received):
        return Irr(rate=None, reason=NoRate.NOTHING_BACK)
    if received[-1] < paid[0]:
        return Irr(rate=None, reason=NoRate.NOTHING_INVESTED)
    if received[0] < paid[-1]:
        return Irr(rate=None, reason=NoRate.SEVERAL_TURNS)
    years = (days - paid[-1]) / black76.DAYS_PER_YEAR
    gap = float(received[0] - paid[-1]) / black76.DAYS_PER_YEAR
    bound = math.log(-float(usd[usd < 0].sum()) / float(usd[usd > 0].sum())) / gap
    least, most = -math.log1p(_LARGEST_RATE), -math.log1p(_LEAST_RATE)

    def value(u: float) -> float:
        return float(usd @ np.exp(u * years))

    low, high = max(min(bound, 0.0), least), min(max(bound, 0.0), most)
    at_low, at_high = value(low), value(high)
    if at_low >= 0:  # the root itself, to rounding, or a rate beyond the largest
        root = low
    elif at_high <= 0:  # likewise, or all but nothing is lost
        root = high
    else:
        root = brentq(value, low, high, xtol=1e-13, rtol=1e-13)
    return Irr(rate=math.expm1(-root))


@lru_cache(maxsize=4)
def realised_ratio(history: DailyHistory, session: date) -> float | None:
    """Return realised over implied vol of SPX, 0.5 to 1.5; None with fewer than 60 days of it.

    Of each of the last 252 sessions before ``session``: the vol realised over its last 21 daily
    returns over VIX as it closed before them. The median of these ratios counts.
    """
    completed = int(np.searchsorted(history.session, np.datetime64(session, "D")))
    bars = slice(max(0, completed - _RATIO_DAYS - _REALISED_DAYS), completed)
    spx, vix = history.spx_close[bars], history.vix_close[bars]
    if len(spx) <= _REALISED_DAYS:
        return None
    returns = np.diff(np.log(spx))
    squares = np.lib.stride_tricks.sliding_window_view(returns * returns, _REALISED_DAYS)
    realised = 100.0 * np.sqrt(squares.mean(axis=1) * _SESSIONS_PER_YEAR)
    ratios = realised / vix[: len(realised)]
    ratios = ratios[np.isfinite(ratios)]
    if len(ratios) < _FEWEST_RATIOS:
        return None
    return float(np.clip(np.median(ratios), _RATIO_LOW, _RATIO_HIGH))


class Expectation:
    """The flows that books of one decision are expected to have, and their rate of return.

    ``repricer`` has to have been made with a ratio of physical to implied vol. ``convention``:
    whose margin counts as the capital invested.
    """

    def __init__(self, valuer: Valuer, repricer: Repricer, convention: MarginConvention) -> None:
        self._valuer = valuer
        self._repricer = repricer
        self._convention = convention

    def condors(
        self,
        condors: Sequence[CondorPosition],
        values: Mapping[str, CondorValue | None],
        holding: Holding | None = None,
    ) -> Flows | None:
        """Return the flows of holding condors to expiry; None if one cannot be priced.

        ``values``: by condor id, of one condor each. ``holding``: the condors in the repricer's
        columns, if that is known already.
        """
        holding = holding or self._repricer.condors(condors)
        today = 0.0
        back: list[tuple[int, float]] = []
        for condor in condors:
            value = values[condor.condor_id]
            if value is None or holding is None:
                return None
            legs, quantity = condor.legs, condor.quantity
            freed = _margin_back(legs, quantity, self._convention, self._valuer)
            today += value.mid_debit * legs.short_put.multiplier * quantity
            today -= sum(usd for _, usd in freed)
            back += freed
        assert holding is not None, "what has values can be priced"
        return _flows(today, back, self._repricer.payoffs_usd(holding))

    def hedges(
        self, positions: Iterable[tuple[Instrument, int]], holding: Holding | None = None
    ) -> Flows | None:
        """Return the flows of holding VIX instruments to expiry; None if one cannot be priced.

        Futures need spot VIX besides. ``positions``: instruments and signed contracts; futures may
        be sold. ``holding``: as in ``condors``.
        """
        positions = tuple(positions)
        holding = holding or self._repricer.holding(
            (instrument, float(contracts * instrument.multiplier))
            for instrument, contracts in positions
        )
        spot = self._valuer.market.indices.get("VIX")
        today = 0.0
        back: list[tuple[int, float]] = []
        for instrument, contracts in positions:
            value = self._valuer.value(instrument)
            if value is None or holding is None:
                return None
            usd = float(contracts * instrument.multiplier)
            if isinstance(value, OptionValue):
                today -= value.mid * usd
                continue
            if spot is None:
                return None
            settle = Decimal(repr(value.mid))
            margin = float(future_margin_usd(instrument.root, settle, value.days, contracts)[0])
            today -= margin
            back.append((value.days, margin + usd * _CONVERGENCE * (spot.value - value.mid)))
        assert holding is not None, "what has values can be priced"
        return _flows(today, back, self._repricer.payoffs_usd(holding))


def condor_irr(
    valuer: Valuer,
    legs: CondorLegs,
    *,
    credit: Decimal,
    hedge_usd: Decimal,
    ratio: float | None,
    convention: MarginConvention,
) -> Irr:
    """Return the expected rate of a new condor, what it pays for its hedge deducted (C8).

    Args:
        valuer: The market's values.
        legs: The condor; one of it is judged.
        credit: Index points it is sold for.
        hedge_usd: What its hedge costs today (G2's premium); nothing of it is counted on to come
            back.
        ratio: Physical over implied vol, of ``realised_ratio``; None gives no rate.
        convention: Whose margin counts as the capital invested.
    """
    if ratio is None:
        return Irr(rate=None, reason=NoRate.NO_RATIO)
    terms = valuer.terms([contract for contract, _ in legs.signed()])
    if terms is None:
        return Irr(rate=None, reason=NoRate.UNPRICEABLE)
    multiplier = legs.short_put.multiplier
    usd = np.array([float(sign * multiplier) for _, sign in legs.signed()])
    freed = _margin_back(legs, 1, convention, valuer)
    return irr(
        _flows(
            float(credit * multiplier - hedge_usd) - sum(margin for _, margin in freed),
            freed,
            (terms.days, expected_payoffs(valuer, terms, ratio) * usd),
        )
    )


def _margin_back(
    legs: CondorLegs, quantity: int, convention: MarginConvention, valuer: Valuer
) -> list[tuple[int, float]]:
    """Return (days, USD) of the margin that comes back; each side's when its short expires.

    Of a condor whose sides expire apart, margin that stayed until the last of them would leave the
    first one's payoff alone on its day: an outflow between receipts, and a book without a rate.
    """
    return [
        ((expiry - valuer.session).days, float(usd))
        for expiry, usd in condor_margin_by_expiry(legs, quantity, convention)
    ]


def _flows(
    today_usd: float,
    back: Sequence[tuple[int, float]],
    payoffs: tuple[FloatArray, FloatArray],
) -> Flows:
    """Return a flow today, later ones (days, USD), and payoffs as columns of the same."""
    days, usd = payoffs
    return Flows(
        days=np.concatenate(([0.0], days, [float(when) for when, _ in back])),
        usd=np.concatenate(([today_usd], usd, [each for _, each in back])),
    )
