"""The temporal-theta window: options for L2 until the book's gamma is made good (B6).

The window is open from ``theta_window_first`` to ``theta_window_last`` calendar days before the
monthly expiry of an open condor: the third Friday, or the business day before it if that is a
holiday. C9's time exit closes condors before it unless it is set later than the window.

Gamma of condors and hedge is put on one scale, dollars per VIX point squared: what book and hedge
gain together when VIX moves a point up and when it moves a point down, SPX by its usual share with
it, repriced in full. To first order the two moves cancel, so their sum is the change of the book's
slope over one point, its gamma. A future has next to none of it, a VIX call is long of it; L2 asks
for as many calls as make the sum zero, and stays inside L4's scale, the band and the governors.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from strategies.alvh.instruments import Candidate
from strategies.model.book import CondorPosition, HedgePosition
from strategies.model.expiries import third_friday
from strategies.model.plan import Gate
from strategies.model.rules import RotationRules
from strategies.pricing.factor_vega import future_beta
from strategies.pricing.shocks import shock_pnls, usual_spx_fraction
from strategies.pricing.valuation import OptionValue, Valuer


@dataclass(frozen=True, slots=True, kw_only=True)
class ThetaWindow:
    """B6 in one interval."""

    is_open: bool
    wanted_usd: float = 0.0  # factor vega of the calls that L2 lacks, USD per VIX point
    gates: tuple[Gate, ...] = ()

    def target_usd(self, held_usd: float) -> float | None:
        """Return what L2 should hold, given what it holds; None while nothing is asked of it."""
        return held_usd + self.wanted_usd if self.wanted_usd > 0 else None


def is_monthly(expiry: date, listed: Iterable[date]) -> bool:
    """Return whether an SPX expiry is its month's: the last of those listed up to its third Friday.

    That is the third Friday itself or, where it is a holiday and nothing expires, the day before.
    """
    friday = third_friday(expiry.year, expiry.month)
    if not timedelta(0) <= friday - expiry <= timedelta(days=1):
        return False
    return not any(expiry < day <= friday for day in listed)


def days_to_monthly_expiry(
    condors: Sequence[CondorPosition], listed: Iterable[date], session: date
) -> int | None:
    """Return the calendar days to the nearest monthly expiry of an open condor; None if none."""
    days = set(listed)
    expiries = {condor.expiry for condor in condors}
    return min(((day - session).days for day in expiries if is_monthly(day, days)), default=None)


def net_gamma_usd(
    valuer: Valuer, condors: Sequence[CondorPosition], hedges: Sequence[HedgePosition]
) -> float | None:
    """Return the gamma of condors and hedge, USD per VIX point squared; None if not priceable."""
    gains = shock_pnls(
        valuer, condors, hedges, [(usual_spx_fraction(move), move) for move in (1.0, -1.0)]
    )
    return None if gains is None else sum(gains)


def theta_window(
    valuer: Valuer,
    condors: Sequence[CondorPosition],
    hedges: Sequence[HedgePosition],
    candidates: Callable[[], Sequence[Candidate]],
    rules: RotationRules,
) -> ThetaWindow:
    """Return B6 in this interval.

    Args:
        valuer: The market.
        condors: Held, and not closed by this plan.
        hedges: Held.
        candidates: Tells what L2 may buy, best first; asked only while the window is open.
        rules: The window.
    """
    listed = (series.expiry for series in valuer.market.spx_options.series)
    days = days_to_monthly_expiry(condors, listed, valuer.session)
    is_open = days is not None and rules.theta_window_last <= days <= rules.theta_window_first
    window_gate = Gate(
        rule="B6",
        name="days to the monthly expiry of an open condor",
        value=None if days is None else float(days),
        threshold=f"{rules.theta_window_last} .. {rules.theta_window_first}",
        passed=is_open,
        note="" if days is not None else "no condor has one",
    )
    if not is_open:
        return ThetaWindow(is_open=False, gates=(window_gate,))
    gamma = net_gamma_usd(valuer, condors, hedges)
    call = next((each for each in candidates() if each.is_call), None)
    wanted = 0.0
    if gamma is not None and gamma < 0 and call is not None:
        value = valuer.value(call.instrument)
        assert isinstance(value, OptionValue), "a candidate has a value"
        gamma_of_one = value.gamma * float(future_beta(value.days)) ** 2
        gamma_of_one *= call.instrument.multiplier
        wanted = -gamma / gamma_of_one * call.unit_vega_usd
    gamma_gate = Gate(
        rule="B6",
        name="gamma of book and hedge, USD per VIX point squared",
        value=None if gamma is None else round(gamma, 6),
        threshold=0.0,
        passed=gamma is not None and gamma >= 0,
        note="" if call is not None else "L2 finds no call",
    )
    return ThetaWindow(is_open=True, wanted_usd=wanted, gates=(window_gate, gamma_gate))
