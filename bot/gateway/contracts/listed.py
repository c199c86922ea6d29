"""One contract as the gateway knows it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.gateway import words
from strategies.model.instruments import Instrument, OptionContract


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A contract with its id, in IB's words and in ours.

    Exactly one of ``instrument``, ``index`` and ``stand_in`` is set.
    """

    con_id: int
    contract: words.Contract  # canonical: every field as IB would return it
    instrument: Instrument | None = None  # what can be traded
    index: str | None = None  # SPX, VIX ..., SET and VRO
    stand_in: str | None = None  # SPY and its options, AAPL, EUR.USD: not at the exchange
    tenth_of: OptionContract | None = None  # the SPXW option a stand-in follows
    last_trade_at: datetime | None = None  # None = for ever
    settles_at: datetime | None = None
    min_tick: Decimal

    @property
    def option(self) -> OptionContract | None:
        """The option whose prices it has: itself, or the one it is a tenth of."""
        if isinstance(self.instrument, OptionContract):
            return self.instrument
        return self.tenth_of
