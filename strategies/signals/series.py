"""What signals are computed from: completed daily bars, and live values as today's bar.

Every accessor raises MissingData with the reason when an input is not there, too old or no
number, so that the signal that asked for it is absent. A bar on which one of the columns asked for
is NaN is left out of that series alone; the bars around the gap become neighbours.

Bars on or after the snapshot's session are never read, nor any but the last ``SIGNAL_BARS`` before
it, whatever the history holds: a recursive average of a longer history would be another number.
"""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np

from strategies.model.errors import MissingData
from strategies.model.quotes import FloatArray, FutureQuote, IntArray
from strategies.model.rules import SignalRules
from strategies.model.snapshots import MarketSnapshot

# What signals look back on, whatever the history holds. At the upper bounds of the rules the
# longest wants 817, E's breadth; the rest is for days on which a series has no value
SIGNAL_BARS = 840
# Monthly futures expire 4 or 5 weeks apart, a day more or less around a holiday. A wider gap means
# that a month is not quoted, and the next one must not pass for it.
MAX_MONTH_DAYS = 36


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FuturesCurve:
    """The first two monthly VX futures over time: (n,) each, oldest first."""

    vx1: FloatArray  # index points
    vx2: FloatArray
    vx2_days: FloatArray  # calendar days to VX2's expiry

    @property
    def fraction(self) -> FloatArray:
        """S7 in percent, as a fraction: VX1 / VX2 - 1, backwardation > 0."""
        return self.vx1 / self.vx2 - 1

    @property
    def points(self) -> FloatArray:
        """S7 in points: VX1 - VX2, backwardation > 0."""
        return self.vx1 - self.vx2


class SnapshotSeries:
    """The series of one snapshot. ``*_closes`` end yesterday, the others with today's value."""

    def __init__(self, snapshot: MarketSnapshot, rules: SignalRules) -> None:
        self._snapshot = snapshot
        self._max_quote_age = timedelta(seconds=rules.max_quote_age_s)
        self._max_history_age_days = rules.max_history_age_days
        session = np.datetime64(snapshot.session, "D")
        self._session = session
        self._completed = int(np.searchsorted(snapshot.history.session, session))
        self._first = max(0, self._completed - SIGNAL_BARS)
        self._rows: dict[tuple[str, ...], IntArray] = {}

    @property
    def completed_bars(self) -> int:
        """How many bars of the history lie before the snapshot's session."""
        return self._completed

    def rows(self, *columns: str) -> IntArray:
        """Return the completed bars on which all columns have a value, ascending row numbers.

        Raises: MissingData if there are none, or if the newest is too old.
        """
        if columns in self._rows:
            return self._rows[columns]
        history = self._snapshot.history
        is_known = np.ones(self._completed - self._first, dtype=np.bool_)
        for column in columns:
            is_known &= np.isfinite(getattr(history, column)[self._first : self._completed])
        rows = np.flatnonzero(is_known) + self._first
        names = " and ".join(columns)
        if not rows.size:
            raise MissingData(f"no history of {names}")
        age_days = int((self._session - history.session[rows[-1]]).astype(np.int64))
        if age_days > self._max_history_age_days:
            raise MissingData(f"the newest {names} is {age_days} days old")
        self._rows[columns] = rows
        return rows

    def closes(self, column: str, rows: IntArray) -> FloatArray:
        """Return one column of the history on the given bars."""
        values: FloatArray = getattr(self._snapshot.history, column)[rows]
        return values

    def rows_since(self, rows: IntArray, since: np.datetime64 | None) -> int:
        """Return the position in ``rows`` of the first bar on or after ``since``; None = of all."""
        if since is None:
            return 0
        return int(np.searchsorted(self._snapshot.history.session[rows], since))

    def session_of(self, row: int) -> date:
        """Return the session of a completed bar."""
        session: date = self._snapshot.history.session[row].astype(date)
        return session

    def index(self, name: str) -> float:
        """Return the live value of an index; raises MissingData."""
        index = self._snapshot.market.indices.get(name)
        if index is None:
            raise MissingData(f"{name} is not quoted")
        self._require_fresh(name, index.quoted_at)
        if not (math.isfinite(index.value) and index.value > 0):
            raise MissingData(f"{name} is {index.value}")
        return index.value

    @cached_property
    def vix(self) -> FloatArray:
        """VIX, with today's bar."""
        closes = self.closes("vix_close", self.rows("vix_close"))
        return np.append(closes, self.index("VIX"))

    @cached_property
    def spx(self) -> FloatArray:
        """SPX, with today's bar."""
        closes = self.closes("spx_close", self.rows("spx_close"))
        return np.append(closes, self.index("SPX"))

    @cached_property
    def vvix_over_vix(self) -> FloatArray:
        """VVIX / VIX, with today's bar."""
        rows = self.rows("vvix_close", "vix_close")
        closes = self.closes("vvix_close", rows) / self.closes("vix_close", rows)
        return np.append(closes, self.index("VVIX") / self.index("VIX"))

    @cached_property
    def curve_today(self) -> FuturesCurve:
        """The live curve: (1,) each. VX1 and VX2 are the first two to expire after today."""
        session = self._snapshot.session
        monthlies = sorted(
            (quote for quote in self._snapshot.market.futures if quote.contract.root == "VX"),
            key=lambda quote: quote.contract.expiry,
        )
        ahead = [quote for quote in monthlies if quote.contract.expiry > session][:2]
        expiries = [session, *(quote.contract.expiry for quote in ahead)]
        for name, quoted in (("VX1", 1), ("VX2", 2)):
            is_next = (
                len(ahead) >= quoted
                and (expiries[quoted] - expiries[quoted - 1]).days <= MAX_MONTH_DAYS
            )
            if not is_next:
                raise MissingData(f"{name} is not quoted")
        vx1, vx2 = (np.array([self._future_mid(quote)]) for quote in ahead)
        return FuturesCurve(
            vx1=vx1, vx2=vx2, vx2_days=np.array([float((expiries[2] - session).days)])
        )

    @cached_property
    def curve_rows(self) -> IntArray:
        """The completed bars with a futures curve."""
        return self.rows("vx1_settle", "vx2_settle", "vx2_days")

    @cached_property
    def curve_closes(self) -> FuturesCurve:
        """The curve of the completed bars in ``curve_rows``."""
        return self._curve_on(self.curve_rows)

    @cached_property
    def curve(self) -> FuturesCurve:
        """The curve, with today's bar."""
        return self.curve_with_today(self.curve_rows)

    def curve_with_today(self, rows: IntArray) -> FuturesCurve:
        """Return the curve on the given bars, with today's bar."""
        closes, today = self._curve_on(rows), self.curve_today
        return FuturesCurve(
            vx1=np.append(closes.vx1, today.vx1),
            vx2=np.append(closes.vx2, today.vx2),
            vx2_days=np.append(closes.vx2_days, today.vx2_days),
        )

    def _curve_on(self, rows: IntArray) -> FuturesCurve:
        return FuturesCurve(
            vx1=self.closes("vx1_settle", rows),
            vx2=self.closes("vx2_settle", rows),
            vx2_days=self.closes("vx2_days", rows),
        )

    def _future_mid(self, future: FutureQuote) -> float:
        self._require_fresh(str(future.contract), future.quoted_at)
        if not future.quote.is_two_sided:
            raise MissingData(f"{future.contract} is {future.bid} x {future.ask}")
        return future.quote.mid

    def _require_fresh(self, name: str, quoted_at: datetime) -> None:
        # An instant a little after the snapshot's is a quote that arrived while it was taken; one
        # further ahead is a clock that cannot be trusted.
        age = self._snapshot.at - quoted_at
        if abs(age) > self._max_quote_age:
            raise MissingData(f"{name} is {age.total_seconds():.0f} s old")


def require_bars(values: FloatArray, needed: int) -> None:
    """Raise MissingData if a series has fewer bars than a signal needs."""
    if len(values) < needed:
        raise MissingData(f"{len(values)} bars, {needed} needed")
