"""How the bundled factor feeds stood on the days VIX jumped, against what VIX then did.

``python -m benchmarks.factor_votes`` prints the table of ``docs/data.md``: for each feed and period
the days that count as a spike by R3's thresholds, and the correlation of the feed's transformed
value, as known before the session, with the change of VIX over the ten sessions after it.
"""

from datetime import date

import numpy as np

from bot.history.store import History
from strategies.model.factors import known_before
from strategies.model.quotes import FloatArray
from strategies.model.rules import FactorRule, RegimeRules
from strategies.model.snapshots import DailyHistory

_SESSIONS_AFTER = 10
_PERIODS = ((date(2006, 10, 23), date(2017, 12, 29)), (date(2018, 1, 2), date(2026, 6, 30)))


_FEEDS = (
    FactorRule(name="corporate_yield", source="fred", series="DBAA", transform="zscore", lag=1),
    FactorRule(
        name="rate_differential",
        source="fred",
        series="T10Y3M",
        transform="change",
        window=21,
        lag=1,
    ),
    FactorRule(
        name="reer", source="fred", series="RBUSBIS", transform="change", window=3, max_age=70
    ),
)


def spikes(bars: DailyHistory) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the rows on which VIX closed a spike above the close before (R3)."""
    rules, vix = RegimeRules(), bars.vix_close
    rise = np.diff(vix, prepend=np.nan)
    before = np.concatenate([[np.nan], vix[:-1]])
    return np.flatnonzero((rise >= rules.spike_points) | (rise / before >= rules.spike_fraction))


def value_before(history: History, rule: FactorRule, session: date) -> float:
    """Return what the panel would compare with the thresholds; NaN where it would abstain."""
    series = history.daily(rule.series)
    known = known_before(series.session, series.close, rule, session)
    values = known.value
    if len(values) <= rule.window or (session - known.day[-1].item()).days > rule.max_age:
        return np.nan
    if rule.transform == "change":
        return float(values[-1] - values[-1 - rule.window])
    past = values[-rule.window - 1 : -1]
    return float((values[-1] - past.mean()) / past.std())


def main() -> None:
    """Print one line a feed and period."""
    history = History.bundled()
    bars = history.daily_history(date.max)
    after: FloatArray = np.full(len(bars.session), np.nan)
    after[:-_SESSIONS_AFTER] = bars.vix_close[_SESSIONS_AFTER:] - bars.vix_close[:-_SESSIONS_AFTER]
    rows = spikes(bars)
    days: list[date] = bars.session[rows].tolist()
    for rule in _FEEDS:
        values = np.array([value_before(history, rule, day) for day in days])
        for first, last in _PERIODS:
            is_inside = np.array([first <= day <= last for day in days])
            kept = is_inside & np.isfinite(values) & np.isfinite(after[rows])
            correlation = np.corrcoef(values[kept], after[rows][kept])[0, 1]
            print(f"{rule.name:18} {first} {last} {kept.sum():4} days {correlation:+.2f}")


if __name__ == "__main__":
    main()
