"""Until when an order may rest: series stop trading, sessions close, and nothing stays overnight.

Each series class has a last trade of its own: SPXW at the close of equities on its expiry (fault
D14), AM-settled SPX and VIX options at the close of the session before (D15, D16), VX at nine on
the morning it settles. What nobody would trade any more is not sent, and what rests is withdrawn
before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.expiries import future_instants, series_instants
from strategies.model.instruments import Instrument, OptionContract
from strategies.model.orders import OrderIntent, PositionEffect

# Nothing stops trading longer before it expires than over a weekend with holidays
_SOON: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingTimes:
    """When orders have to be gone, from the trading calendar.

    Attributes:
        calendar: Sessions and early closes.
        withdraw_before: Orders are withdrawn so long before their market closes.
        no_opens_before: Nothing opens in so much time before it closes.
    """

    calendar: TradingCalendar
    withdraw_before: timedelta = timedelta(seconds=10)
    no_opens_before: timedelta = timedelta(0)

    def ends_at(self, intent: OrderIntent, now: datetime) -> datetime:
        """Return when an order has to be gone from the market, UTC; ``now`` where it is closed."""
        session = now.astimezone(EXCHANGE_ZONE).date()
        if not self.calendar.is_session(session):
            return now
        last = min(
            self.calendar.closes_at(session),
            *(self._last_trade_at(leg.instrument, now) for leg in intent.legs),
        )
        return last.astimezone(UTC) - self.withdraw_before

    def why_not_now(self, intent: OrderIntent, now: datetime) -> str | None:
        """Return why no new attempt is made at this time of day; None if one may be."""
        ends_at = self.ends_at(intent, now)
        local = f"{ends_at.astimezone(EXCHANGE_ZONE):%H:%M:%S}"
        if now >= ends_at:
            return f"its market closes; orders had to be gone by {local}"
        opens = intent.effect is PositionEffect.OPEN
        if opens and now >= ends_at + self.withdraw_before - self.no_opens_before:
            minutes = self.no_opens_before.total_seconds() / 60
            return f"nothing opens in the last {minutes:g} minutes"
        return None

    def _last_trade_at(self, instrument: Instrument, now: datetime) -> datetime:
        local = now.astimezone(EXCHANGE_ZONE)
        if instrument.expiry - local.date() > _SOON:
            return now + _SOON
        if isinstance(instrument, OptionContract):
            return series_instants(instrument.root, instrument.expiry, self.calendar).last_trade_at
        return future_instants(instrument.expiry, self.calendar).last_trade_at
