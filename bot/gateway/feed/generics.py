"""Ticks a client asks for by number, beside prices.

Served: 100 and 101 (option volume and open interest: constants, nothing trades them but us), 104
and 106 (historical and implied vol), 221 and 232 (mark), 233 (RTVolume). Others that IB knows are
taken and never heard of again; 236 among them says something of stocks only.
"""

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import numpy as np

from bot.exchange.market import Market
from bot.gateway.feed.frames import tick_generic, tick_price, tick_size, tick_string
from bot.gateway.feed.lines import Line
from bot.gateway.feed.values import ASK, BID, LAST, NO_TICK, NOBODY
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.instruments import Right

LEGAL: Final = frozenset(
    {
        *(100, 101, 104, 105, 106, 107, 125, 162, 165, 166, 221, 220, 225, 232, 233, 236, 256, 258),
        *(291, 292, 293, 294, 295, 318, 370, 375, 377, 381, 384, 387, 388, 391, 407, 411, 428, 439),
        *(456, 459, 460, 499, 506, 511, 512, 513, 515, 545, 547, 577, 576, 578, 584, 586, 587, 588),
        *(595, 614, 619, 623, 645, 658, 687),
    }
)
OPTION_VOLUME: Final = 100  # contracts a day, of every option
OPEN_INTEREST: Final = 1000  # contracts, of every option: invented, nobody knows it here
_VOL_INDEX: Final = {"SPX": "VIX", "VIX": "VVIX"}
_DAYS: Final = 30
_SESSIONS_PER_YEAR: Final = 252


def parse(text: str) -> frozenset[int]:
    """Return the numbers of a generic tick list; ``mdoff`` and the like are no numbers.

    Raises: ValueError naming the first entry that IB does not know.
    """
    numbers = set()
    for entry in filter(None, (part.strip().partition(":")[0] for part in text.split(","))):
        if entry == "mdoff":
            continue
        if not entry.isdecimal() or int(entry) not in LEGAL:
            raise ValueError(entry)
        numbers.add(int(entry))
    return frozenset(numbers)


class GenericTicks:
    """Makes the ticks of lines that asked for some."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def constants(self, line: Line) -> Iterator[str]:
        """Yield what never changes, once a subscription."""
        contract = line.listed.option
        if contract is None:
            return
        is_call = contract.right is Right.CALL
        if 100 in line.generics:  # noqa: PLR2004 IB's number
            yield tick_size(line.req_id, 29 if is_call else 30, OPTION_VOLUME)
        if 101 in line.generics:  # noqa: PLR2004 IB's number
            yield tick_size(line.req_id, 27 if is_call else 28, OPEN_INTEREST)

    def changing(
        self, line: Line, ticks: list[float], model_vol: float | None, at: datetime
    ) -> Iterator[str]:
        """Yield what goes with the prices of an instant.

        Args:
            line: The line.
            ticks: Its bid, ask, last and close.
            model_vol: The vol of an option's mid, if it is known.
            at: The instant of the prices.
        """
        mark = _mark(ticks)
        if mark is not None and not line.generics.isdisjoint({221, 232}):
            yield tick_price(line.req_id, 37, mark, 0, 0)
        last = ticks[LAST]
        if 233 in line.generics and last != NO_TICK:  # noqa: PLR2004 IB's number
            millis = round(at.timestamp() * 1000)
            yield tick_string(line.req_id, 48, f"{last!r};{line.size};{millis};0;{last!r};true")
        if 106 in line.generics:  # noqa: PLR2004 IB's number
            vol = self._index_vol(line, at) if model_vol is None else model_vol
            if vol is not None and vol > 0:
                yield tick_generic(line.req_id, 24, vol)
        if 104 in line.generics:  # noqa: PLR2004 IB's number
            realised = self._realised_vol(line, at)
            if realised is not None:
                yield tick_generic(line.req_id, 23, realised)

    def _index_vol(self, line: Line, at: datetime) -> float | None:
        name = _VOL_INDEX.get(line.listed.index or "")
        return None if name is None else self._market.index_at(name, at) / 100

    def _realised_vol(self, line: Line, at: datetime) -> float | None:
        """Return the vol of an index over thirty sessions, annualised decimal."""
        if line.listed.index is None:
            return None
        closes = self._market.closes(line.listed.index, at.astimezone(EXCHANGE_ZONE).date())
        if closes is None or len(closes.close) <= _DAYS:
            return None
        changes = np.diff(np.log(closes.close[-_DAYS - 1 :]))
        return float(np.std(changes)) * math.sqrt(_SESSIONS_PER_YEAR)


def _mark(ticks: list[float]) -> float | None:
    bid, ask, last = ticks[BID], ticks[ASK], ticks[LAST]
    if math.isfinite(bid) and math.isfinite(ask):
        return round((bid + ask) / 2, 5)
    if last != NO_TICK:
        return last
    return ask if bid == NOBODY and math.isfinite(ask) else None
