"""The same markets with few contracts listed, for whoever simulates many years of them.

Prices, paths and settlements are those of the whole market; only the listing is shorter: the
expiries that entries choose with all their strikes, other Fridays and the AM series with a few, and
every second VIX strike. What the account holds is quoted in either market.
"""

from calendar import FRIDAY
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np

from bot.exchange.days import SessionDay
from bot.exchange.replay import ReplayMarket
from bot.exchange.synthetic import SyntheticMarket
from strategies.model.quotes import FloatArray, Series

_ENTRY_DAYS: Final = range(43, 46)
_ENTRY_STRIKES_MOST: Final = 140
_OTHER_STRIKES_MOST: Final = 18
_MINUTE: Final = timedelta(minutes=1)
_NEAREST_DAYS: Final = 2  # what expires at once or is entered trades too


class ThinDay(SessionDay):
    """One session with a short listing."""

    @cached_property
    def spx_strikes(self) -> list[tuple[Series, FloatArray]]:
        """Fridays, AM series and what expires at once or is entered."""
        return [
            (series, _thinned(strikes, self._most(series)))
            for series, strikes in super().spx_strikes
            if self._is_kept(series.root, series.expiry)
        ]

    @cached_property
    def vix_strikes(self) -> list[tuple[Series, FloatArray]]:
        """Every series with every second strike."""
        return [(series, strikes[::2]) for series, strikes in super().vix_strikes]

    def node_instant(self, at: datetime) -> datetime:
        """Return the minute: orders that work for hours are matched with few quotes."""
        return self.opens_at + (at - self.opens_at) // _MINUTE * _MINUTE

    def _is_kept(self, root: str, expiry: date) -> bool:
        days = (expiry - self.facts.session).days
        is_near = days <= _NEAREST_DAYS or days in _ENTRY_DAYS
        return root == "SPX" or is_near or expiry.weekday() == FRIDAY

    def _most(self, series: Series) -> int:
        is_for_entries = (series.expiry - self.facts.session).days in _ENTRY_DAYS
        return _ENTRY_STRIKES_MOST if is_for_entries else _OTHER_STRIKES_MOST


class ThinReplayMarket(ReplayMarket):
    """Real sessions, thinly listed."""

    day_type = ThinDay


class ThinSyntheticMarket(SyntheticMarket):
    """Invented sessions, thinly listed."""

    day_type = ThinDay


def _thinned(strikes: FloatArray, most: int) -> FloatArray:
    """Return every n-th strike, from the lowest on, so that no more than ``most`` are left."""
    every = -(-len(strikes) // most)
    return np.asarray(strikes[::every])
