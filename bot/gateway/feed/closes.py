"""What tick 9 says: the close of an index or a stock, the daily settlement of a future."""

from datetime import date, datetime, timedelta

from bot.errors import MarketDataMissing
from bot.exchange.market import Market
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.symbols import STANDS
from bot.gateway.feed.hours import TradingHours
from strategies.model.instruments import FutureContract


class Closes:
    """The closes of the last session that is over; after a close they are those of that day."""

    def __init__(self, market: Market, hours: TradingHours) -> None:
        self._market = market
        self._hours = hours
        self._session: date | None = None
        self._known: dict[int, float | None] = {}

    def of(self, listed: Listed, at: datetime) -> float | None:
        """Return the last close, or the last settlement of a future; None = nobody knows."""
        session = self._hours.closed_session(at)
        if session is None:
            return None
        if session != self._session:
            self._session, self._known = session, {}
        if listed.con_id not in self._known:
            self._known[listed.con_id] = self._find(listed, session)
        return self._known[listed.con_id]

    def _find(self, listed: Listed, session: date) -> float | None:
        if isinstance(listed.instrument, FutureContract):
            try:
                return self._market.daily_settle(listed.instrument, session)
            except MarketDataMissing:
                return None
        stand = STANDS.get(listed.con_id)
        name = "SPX" if stand is not None and stand.per_spx else listed.index
        if name is None:
            return None
        closes = self._market.closes(name, session + timedelta(days=1))
        if closes is None or not len(closes.close):
            return None
        close = float(closes.close[-1])
        return close if stand is None else round(stand.base + stand.per_spx * close, 2)
