"""What a login may see of the market, and how its feed keeps time."""

from dataclasses import dataclass
from datetime import timedelta

from bot.brokers.ib.selection import USUAL_LINES


@dataclass(frozen=True, slots=True, kw_only=True)
class IbDataSettings:
    """Settings of market data.

    Attributes:
        lines: Market data lines of the login; None = no limit.
        leg_lines: How many of them are kept for legs of orders at work that are not streamed
            beside the chains.
        allows_delayed: Whether delayed quotes will do; never where money is real.
        grid: The steps, from the open, in which a simulated market moves: its quotes are known to
            be those of the last step. None = a real feed, whose quotes are as old as its ticks.
        first_prices_s: How long the first prices of a new stream may take; 0 where a fence brings
            them.
    """

    lines: int | None = USUAL_LINES
    leg_lines: int = 4
    allows_delayed: bool = False
    grid: timedelta | None = None
    first_prices_s: float = 5.0
