"""Whether a feed may be believed: what IB said about it, and what to do where it may not."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from bot.brokers.ib.library import Ticker
from bot.brokers.ib.quotes import LIVE, newest_tick
from bot.brokers.ib.truth import Farm
from bot.errors import HaltTrading, MarketDataMissing

_FROZEN: Final = frozenset({2, 4})  # 4 is delayed besides
_COMPETING: Final = 10197
_FARMS_DOWN: Final = frozenset({2103, 2110, 2119})
_SUBSCRIBE: Final = (
    "subscribe to it in Client Portal > Settings > Market Data Subscriptions, and share it with "
    "the paper account"
)
# What is wrong, and what helps; delayed data is shown with 10167 and asked for in the configuration
_REFUSALS: Final = {
    101: (
        "has no market data line left for quotes",
        "lower broker.market_data_lines, or close other programs that watch quotes",
    ),
    354: ("shows no live quotes", _SUBSCRIBE),
    10089: ("asks for a further subscription before it shows live quotes", _SUBSCRIBE),
    10090: ("shows only part of the quotes", _SUBSCRIBE),
    10167: ("shows delayed quotes only", _SUBSCRIBE),
    10168: ("shows neither live nor delayed quotes", _SUBSCRIBE),
    10186: ("shows neither live nor delayed quotes", _SUBSCRIBE),
}
_DELAYED_SHOWN: Final = 10167


class Refusal(NamedTuple):
    """What IB said about one stream."""

    code: int
    text: str


class FeedHealth:
    """Hears what IB says about streams and answers whether their prices may be used."""

    def __init__(self, *, allows_delayed: bool) -> None:
        """Suspect nothing yet.

        Args:
            allows_delayed: Whether delayed quotes will do, as on a paper account without live ones.
        """
        self._allows_delayed = allows_delayed
        self._refused: dict[str, Refusal] = {}
        self._is_competing = False
        self._has_heard_of_another = False  # since the last look
        self._last_tick: datetime | None = None  # when another session had taken over

    @property
    def refused(self) -> frozenset[str]:
        """The names and symbols IB will not stream."""
        return frozenset(self._refused)

    def hear(self, name: str | None, code: int, text: str) -> None:
        """Take a message about a request.

        Args:
            name: What is streamed by that request; None if it is not one of these streams.
            code: IB's.
            text: IB's.
        """
        if code == _COMPETING:  # it comes for each stream
            self._has_heard_of_another = True
            return
        if name is None or code not in _REFUSALS:
            return
        if code == _DELAYED_SHOWN and self._allows_delayed:
            return
        self._refused[name] = Refusal(code, text)

    def forget(self) -> None:
        """Suspect nothing: everything is asked for anew."""
        self._refused.clear()
        self._is_competing = self._has_heard_of_another = False

    def forgive(self, names: Iterable[str]) -> None:
        """Suspect these no longer: they are asked for anew."""
        for name in names:
            self._refused.pop(name, None)

    def require(
        self,
        *,
        optional: Collection[str],
        tickers: Mapping[str, Ticker],
        farms: Mapping[str, Farm],
    ) -> None:
        """Check that prices may be used.

        Args:
            optional: What there can be a market without.
            tickers: Everything that is streamed.
            farms: IB's data farms.

        Raises: MarketDataMissing with what to do about it; HaltTrading if another session of the
            login has taken the quotes.
        """
        down = sorted(name for name, farm in farms.items() if farm.code in _FARMS_DOWN)
        if down:
            raise MarketDataMissing(
                f"IB's market data farm {', '.join(down)} is down; quotes stand still until it is "
                "back, which takes nothing but time"
            )
        self._require_alone(tickers)
        for name, refusal in self._refused.items():
            if name not in optional:
                what, cure = _REFUSALS[refusal.code]
                raise MarketDataMissing(
                    f"IB {what} of {name} ({refusal.code}: {refusal.text}); {cure}"
                )
        self._require_live(tickers)

    def _require_alone(self, tickers: Mapping[str, Ticker]) -> None:
        if self._has_heard_of_another:
            self._has_heard_of_another = False
            self._is_competing = True
            self._last_tick = newest_tick(tickers.values())
        elif self._is_competing and newest_tick(tickers.values()) != self._last_tick:
            self._is_competing = False  # quotes come again
        if not self._is_competing:
            return
        # Not fought for: whoever logged in elsewhere may be at work in the same account (fault B7)
        raise HaltTrading(
            "another session of this login takes the market data (10197); log it out, or give the "
            "bot a login of its own"
        )

    def _require_live(self, tickers: Mapping[str, Ticker]) -> None:
        kinds = {each.marketDataType for each in tickers.values()} - {LIVE}
        for kind in sorted(kinds, key=lambda kind: kind not in _FROZEN):
            name = next(name for name, each in tickers.items() if each.marketDataType == kind)
            if kind in _FROZEN:
                raise MarketDataMissing(
                    f"quotes of {name} are frozen, those of the last close; there is no market now"
                )
            if not self._allows_delayed:
                raise MarketDataMissing(
                    f"quotes of {name} are delayed; {_SUBSCRIBE}, or allow delayed quotes on paper"
                )
