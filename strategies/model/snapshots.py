"""Everything the decision of one interval may look at, as one value."""

import itertools
import math
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from strategies.model.errors import InvalidQuote
from strategies.model.overrides import Override
from strategies.model.quotes import FloatArray, FutureQuote, IndexValue, OptionChain

HISTORY_FROM = date(2004, 3, 26)  # the first session with VX futures; histories begin there

_UNKNOWN: FloatArray = np.empty(0)  # stands for a column that nobody supplies


def _unknown() -> FloatArray:
    return _UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DailyHistory:
    """Completed daily bars strictly before the snapshot's session, oldest first.

    Every column has shape (n,); NaN marks a day on which a series has no value. VX columns are the
    settlements of the first and second monthly future that expire after the day.

    Raises: InvalidQuote if a close, a settlement or a number of days is zero, less or infinite.
    """

    session: NDArray[np.datetime64]  # datetime64[D], ascending
    spx_close: FloatArray
    vix_close: FloatArray
    vvix_close: FloatArray
    vx1_settle: FloatArray
    vx2_settle: FloatArray
    vx2_days: FloatArray  # calendar days from the session to VX2's expiry
    net_breadth: FloatArray  # (advances - declines) / (advances + declines), NYSE
    # Unknown throughout where a feed has no such series
    skew_close: FloatArray = field(default_factory=_unknown)  # Cboe SKEW (S13, T2)
    cor1m_close: FloatArray = field(default_factory=_unknown)  # implied correlation (S13, E)
    credit_spread: FloatArray = field(default_factory=_unknown)  # BAA less 10-year, percent (E)
    vix_call_volume: FloatArray = field(default_factory=_unknown)  # contracts (S9)
    vix_put_volume: FloatArray = field(default_factory=_unknown)
    is_fomc: FloatArray = field(default_factory=_unknown)  # 1 on an event's day, else 0 (T2)
    is_cpi: FloatArray = field(default_factory=_unknown)
    is_ppi: FloatArray = field(default_factory=_unknown)

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if getattr(self, name) is _UNKNOWN:
                object.__setattr__(self, name, np.full(self.session.shape, np.nan))
            column = getattr(self, name)
            assert column.shape == self.session.shape, f"{name} has its own length"
            if (
                name.endswith(("_close", "_settle", "_days"))
                and ((column <= 0) | np.isinf(column)).any()
            ):
                raise InvalidQuote(f"{name} is zero, less or infinite somewhere")

    def before(self, session: date) -> "DailyHistory":
        """Return the bars before a session; the history itself where it has no others."""
        completed = int(np.searchsorted(self.session, np.datetime64(session, "D")))
        if completed == len(self.session):
            return self
        names = self.__dataclass_fields__
        return DailyHistory(**{name: getattr(self, name)[:completed] for name in names})


class EventKind(StrEnum):
    """Scheduled releases that S11 and R2 count down to."""

    FOMC = "fomc"
    CPI = "cpi"
    PPI = "ppi"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAhead:
    """A scheduled event today or later."""

    kind: EventKind
    day: date
    trading_days: int  # sessions after today up to and including the event; 0 = today


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FactorSeries:
    """E: the observations of one factor feed that were known before the session, oldest first."""

    name: str  # of its FactorRule
    day: NDArray[np.datetime64]  # datetime64[D], ascending, shape (n,)
    value: FloatArray  # (n,)
    problem: str = ""  # why there are none: "fear.csv, row 3, column 'date': expected a date"

    def __post_init__(self) -> None:
        assert self.day.shape == self.value.shape, f"{self.name}: a day without a value"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarketQuotes:
    """Every live quote of one instant. What is not known is absent, never zero.

    Raises: InvalidQuote if the rate is no number, or a future is quoted twice or out of order.
    """

    at: datetime
    indices: dict[str, IndexValue]  # SPX, VIX, VVIX, VIX9D, VIX3M, VIX6M
    futures: tuple[FutureQuote, ...]  # VX and VXM monthlies, ascending by expiry, then root
    spx_options: OptionChain
    vix_options: OptionChain
    rate: float  # continuously compounded, decimal per year

    def __post_init__(self) -> None:
        if not math.isfinite(self.rate):
            raise InvalidQuote(f"the rate is {self.rate}")
        for one, next_ in itertools.pairwise(each.contract for each in self.futures):
            if (one.expiry, one.root) >= (next_.expiry, next_.root):
                raise InvalidQuote(f"{next_} does not follow {one}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarketSnapshot:
    """What one interval may look at: quotes, history, the session, and what is scheduled."""

    session: date
    opens_at: datetime
    closes_at: datetime
    is_early_close: bool
    entry_due: bool  # C1: an entry of the cron schedule falls on this interval
    market: MarketQuotes
    events: tuple[EventAhead, ...] | None  # the next of each kind; None = no calendar file
    history: DailyHistory
    factors: tuple[FactorSeries, ...] = ()
    overrides: tuple[Override, ...] = ()  # D3: verified; those in force, or more

    @property
    def at(self) -> datetime:
        """The instant of the interval."""
        return self.market.at
