"""Everything the decision of one interval may look at, as one value."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from strategies.model.quotes import FloatArray, FutureQuote, IndexValue, OptionChain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DailyHistory:
    """Completed daily bars strictly before the snapshot's session, oldest first.

    Every column has shape (n,); NaN marks a day on which a series has no value. VX columns are the
    settlements of the first and second monthly future that expire after the day.
    """

    session: NDArray[np.datetime64]  # datetime64[D], ascending
    spx_close: FloatArray
    vix_close: FloatArray
    vvix_close: FloatArray
    vx1_settle: FloatArray
    vx2_settle: FloatArray
    vx2_days: FloatArray  # calendar days from the session to VX2's expiry
    net_breadth: FloatArray  # (advances - declines) / (advances + declines), NYSE

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            assert getattr(self, name).shape == self.session.shape, f"{name} has its own length"


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
class MarketQuotes:
    """Every live quote of one instant. What is not known is absent, never zero."""

    at: datetime
    indices: dict[str, IndexValue]  # SPX, VIX, VVIX, VIX9D, VIX3M, VIX6M
    futures: tuple[FutureQuote, ...]  # VX and VXM monthlies, ascending by expiry, then root
    spx_options: OptionChain
    vix_options: OptionChain
    rate: float  # continuously compounded, decimal per year


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

    @property
    def at(self) -> datetime:
        """The instant of the interval."""
        return self.market.at
