"""Tick-by-tick data, sampled: one tick whenever a look at the market shows another price."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot.gateway.feed.frames import framed
from bot.gateway.feed.hours import TradingHours
from bot.gateway.feed.lines import Line
from bot.gateway.feed.values import ASK, BID, NOBODY, Values, price_of

TYPES: Final = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}


@dataclass(slots=True, eq=False)
class _Ticks:
    line: Line
    type: str
    told: tuple[float, ...] = field(default=())


class SingleTicks:
    """The contracts one client watches tick by tick."""

    def __init__(self, values: Values, hours: TradingHours) -> None:
        self._values = values
        self._hours = hours
        self._watched: dict[int, _Ticks] = {}

    def add(self, line: Line, tick_type: str) -> None:
        """Watch a contract; the tick type is one of ``TYPES``."""
        assert tick_type in TYPES, f"{tick_type} is a tick type"
        self._watched[line.req_id] = _Ticks(line, tick_type)

    def remove(self, req_id: int) -> bool:
        """Watch no longer; return whether it was watched."""
        return self._watched.pop(req_id, None) is not None

    def refresh(self, at: datetime) -> list[str]:
        """Return a tick of each contract whose price is another than the last one told."""
        shown = self._hours.shown(at, frozen=False, delayed=False)
        if shown.at is None:
            return []
        return [
            frame
            for ticks in self._watched.values()
            if (frame := self._frame(ticks, shown.at)) is not None
        ]

    def _frame(self, ticks: _Ticks, at: datetime) -> str | None:
        line = ticks.line
        values = self._values.ticks(line.listed, line.legs, at, at)
        if ticks.type == "BidAsk":
            now: tuple[float, ...] = (values[BID], values[ASK])
            if now == ticks.told or not all(abs(price) < NOBODY for price in now[1:]):
                return None
        else:
            price = price_of("MIDPOINT" if ticks.type == "MidPoint" else "TRADES", values)
            now = () if price is None else (price,)
            if now in (ticks.told, ()):
                return None
        ticks.told = now
        head = f"99\x00{line.req_id}\x00{TYPES[ticks.type]}\x00{int(at.timestamp())}\x00"
        match ticks.type:
            case "BidAsk":
                bid, bid_size = (now[0], line.size) if now[0] < NOBODY else (-1.0, 0)
                return framed(f"{head}{bid!r}\x00{now[1]!r}\x00{bid_size}\x00{line.size}\x000\x00")
            case "MidPoint":
                return framed(f"{head}{now[0]!r}\x00")
            case _:
                exchange = line.listed.contract.exchange
                return framed(f"{head}{now[0]!r}\x00{line.size}\x000\x00{exchange}\x00\x00")
