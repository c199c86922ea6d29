"""What is listed at an instant: the market's own listing, with the strikes of each series."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

from bot.exchange.market import Market
from bot.gateway.contracts.canonical import Terms
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.errors import InvalidInstrument, MissingData
from strategies.model.expiries import (
    future_instants,
    series_instants,
    spx_am_expiry,
    spxw_expiries,
    vx_expiry,
)
from strategies.model.instruments import ROOTS, FutureContract
from strategies.model.snapshots import MarketQuotes

SeriesKey = tuple[str, date]  # root and expiry


class Universe:
    """The series, strikes and futures of one session, or of what is left of it."""

    def __init__(self, session: date, quotes: MarketQuotes) -> None:
        self.session = session
        self.indices = tuple(quotes.indices)
        self.futures = {
            quote.contract: Terms(
                quote.contract.root, quote.contract.expiry, quote.last_trade_at, quote.settles_at
            )
            for quote in quotes.futures
        }
        self.terms: dict[SeriesKey, Terms] = {}
        self._strikes: dict[SeriesKey, tuple[Decimal, ...]] = {}
        self._strike_sets: dict[SeriesKey, frozenset[Decimal]] = {}
        for chain in (quotes.spx_options, quotes.vix_options):
            starts = chain.row_starts.tolist()
            strikes = chain.strike.tolist()
            for index, series in enumerate(chain.series):
                key = (series.root, series.expiry)
                self.terms[key] = Terms(
                    series.root, series.expiry, series.last_trade_at, series.settles_at
                )
                rows = strikes[starts[index] : starts[index + 1]]
                self._strikes[key] = tuple(_decimal(strike) for strike in rows)
                self._strike_sets[key] = frozenset(self._strikes[key])
        self._in_order = sorted(self.terms.values(), key=lambda each: (each.expiry, each.root))

    def strikes(self, key: SeriesKey) -> tuple[Decimal, ...]:
        """Return the listed strikes of a listed series, ascending."""
        return self._strikes[key]

    def has_strike(self, key: SeriesKey, strike: Decimal) -> bool:
        """Return whether a strike of a series is listed."""
        return strike in self._strike_sets.get(key, ())

    def series_of(self, roots: tuple[str, ...]) -> Iterator[Terms]:
        """Yield the listed series of some roots by expiry, then root."""
        for terms in self._in_order:
            if terms.root in roots:
                yield terms

    def futures_of(self, roots: tuple[str, ...]) -> Iterator[FutureContract]:
        """Yield the listed futures of some roots by expiry, then root."""
        for future in self.futures:
            if future.root in roots:
                yield future


def listing_instant(market: Market, at: datetime) -> datetime:
    """Return the instant whose quotes tell what is listed at ``at``.

    In session hours ``at`` itself; else the next open, since a listing depends on the close before
    it alone; past the market's end its last close.
    """
    day = at.astimezone(EXCHANGE_ZONE).date()
    sessions = market.calendar.sessions_between(max(day, market.first_session), market.last_session)
    for session in sessions[:2]:
        if at <= market.calendar.closes_at(session):
            return max(at, market.calendar.opens_at(session))
    return market.calendar.closes_at(market.last_session)


def terms_of(market: Market, root: str, expiry: date) -> Terms | None:
    """Return when a root's contracts of an expiry stop trading and settle, by the rules.

    None if the root does not expire on that day, or the calendar does not reach it.
    """
    try:
        if not ROOTS[root].is_option:
            instants = future_instants(expiry, market.calendar)
            return Terms(root, expiry, instants.last_trade_at, instants.settles_at)
        series = series_instants(root, expiry, market.calendar)
    except (InvalidInstrument, MissingData):
        return None
    return Terms(root, expiry, series.last_trade_at, series.settles_at)


def expires_on(market: Market, root: str, expiry: date) -> bool:
    """Return whether the rules give a root an expiry on that day; weekly VIX options have none."""
    calendar = market.calendar
    try:
        match root:
            case "SPX":
                return spx_am_expiry(expiry.year, expiry.month, calendar) == expiry
            case "SPXW":
                return expiry in spxw_expiries(expiry, expiry, calendar)
            case "VIX" | "VX" | "VXM":
                return vx_expiry(expiry.year, expiry.month, calendar) == expiry
            case _:
                return False
    except MissingData:
        return False


def _decimal(strike: float) -> Decimal:
    return Decimal(int(strike)) if strike.is_integer() else Decimal(repr(strike))
