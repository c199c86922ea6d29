"""Real-time bars: five seconds each, of a market that moves every ten.

A bar has one price four times: the one that stood when it began. Where the clock jumped over many,
only those of the last minute are told.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.gateway.feed.frames import framed
from bot.gateway.feed.hours import TradingHours
from bot.gateway.feed.lines import Line
from bot.gateway.feed.values import Values, price_of

BAR: Final = timedelta(seconds=5)
_CAUGHT_UP_MOST: Final = 12  # bars
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, eq=False)
class _Bars:
    line: Line
    what: str
    told_until: datetime


class RegularBars:
    """The bars one client watches."""

    def __init__(self, values: Values, hours: TradingHours) -> None:
        self._values = values
        self._hours = hours
        self._watched: dict[int, _Bars] = {}

    def add(self, line: Line, what: str, at: datetime) -> None:
        """Watch a contract from the bar on that begins next."""
        self._watched[line.req_id] = _Bars(line, what, _bar_start(at) + BAR)

    def remove(self, req_id: int) -> bool:
        """Watch no longer; return whether it was watched."""
        return self._watched.pop(req_id, None) is not None

    def refresh(self, at: datetime) -> list[str]:
        """Return the bars that have ended since."""
        last = _bar_start(at)
        frames = []
        for bars in self._watched.values():
            start = max(bars.told_until, last - _CAUGHT_UP_MOST * BAR)
            while start + BAR <= last:
                frame = self._frame(bars, start)
                if frame is not None:
                    frames.append(frame)
                start += BAR
            bars.told_until = max(bars.told_until, last)
        return frames

    def _frame(self, bars: _Bars, start: datetime) -> str | None:
        shown = self._hours.shown(start, frozen=False, delayed=False)
        if shown.at is None:
            return None
        line = bars.line
        ticks = self._values.ticks(line.listed, line.legs, start, start)
        price = price_of(bars.what, ticks)
        if price is None:
            return None
        four = f"{price!r}\x00" * 4
        seconds = int(start.timestamp())
        return framed(f"50\x003\x00{line.req_id}\x00{seconds}\x00{four}0\x00{price!r}\x000\x00")


def _bar_start(at: datetime) -> datetime:
    return _EPOCH + (at - _EPOCH) // BAR * BAR
