"""Prices by the ten thousand: what a tick says goes to its ticker, and nothing else is kept.

For each tick the library also makes a record, collects its ticker and tells listeners: most of
its time, for things nobody reads here. On the connection for chains this reader takes
its place; sizes, texts and option computations go the library's usual way.
"""

from collections.abc import Sequence
from typing import Any, Final

from bot.brokers.ib.library import IB

_TICK_PRICE: Final = 1  # IB's number of the message
# IB's numbers of prices, live and delayed
_ATTRIBUTES: Final = {
    "1": "bid",
    "2": "ask",
    "4": "last",
    "9": "close",
    "66": "bid",
    "67": "ask",
    "68": "last",
    "75": "close",
}


def install(ib: IB) -> None:
    """Read the price ticks of a client leanly from now on; a second time changes nothing."""
    handlers: dict[int, Any] = ib.client.decoder.handlers
    if getattr(handlers[_TICK_PRICE], "is_lean", False):
        return
    wrapper = ib.wrapper
    usual = handlers[_TICK_PRICE]

    def heard(fields: Sequence[str]) -> None:
        price = fields[4]
        attribute = _ATTRIBUTES.get(fields[3])
        ticker = wrapper.reqId2Ticker.get(int(fields[2]))
        if attribute is None or ticker is None or not price:
            usual(fields)
            return
        setattr(ticker, attribute, float(price))
        ticker.time = wrapper.lastTime

    heard.is_lean = True  # type: ignore[attr-defined]
    handlers[_TICK_PRICE] = heard
