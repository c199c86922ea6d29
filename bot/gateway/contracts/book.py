"""Finds contracts: by description, by id, by instrument.

How descriptions are matched, beside IB's own rules:

- A date fits an option's last trade date and, for AM-settled ones, its expiry the day after. A
  third Friday without a trading class therefore gives SPX (AM) and SPXW (PM), and so does the
  Thursday before it.
- FUT VIX without a trading class gives the monthly VX: the weeklies that make it ambiguous at IB
  are not listed here, and VXM is a symbol of its own.
- Besides the listed strikes, every strike the market would price exists when it is asked for.
- A contract is known until the end of its expiry day; with includeExpired futures are for ever.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from bot.errors import MarketDataMissing
from bot.exchange.market import Market
from bot.gateway import words
from bot.gateway.contracts.canonical import (
    Terms,
    future_listed,
    option_listed,
)
from bot.gateway.contracts.description import Wanted, read_description
from bot.gateway.contracts.details import DetailsWriter
from bot.gateway.contracts.errors import Ambiguous, NoDefinition
from bot.gateway.contracts.frames import DetailsFrames
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.numbers import con_id_of, instrument_of
from bot.gateway.contracts.others import Others
from bot.gateway.contracts.overviews import option_params, samples
from bot.gateway.contracts.rules import market_rule
from bot.gateway.contracts.symbols import (
    future_local_symbol,
)
from bot.gateway.contracts.tenths import is_asked, tenth_listed, whole_description, whole_option
from bot.gateway.contracts.universe import (
    SeriesKey,
    Universe,
    expires_on,
    listing_instant,
    terms_of,
)
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.errors import MissingData
from strategies.model.expiries import vx_expiry
from strategies.model.instruments import (
    ROOTS,
    FutureContract,
    Instrument,
    OptionContract,
    Right,
    Settlement,
)

_OPTION_EXCHANGES: Final = frozenset({"", "SMART", "CBOE"})
_FUTURE_EXCHANGES: Final = frozenset({"", "CFE"})
_BOTH: Final = (Right.CALL, Right.PUT)
_KEPT_AFTER_EXPIRY: Final = timedelta(days=7)
_STRIKE_BEYOND: Final = 100_000  # index points; symbols have no room for more


class ContractBook:
    """Every contract of a market, as IB would describe it; one book serves one gateway."""

    def __init__(self, market: Market) -> None:
        """Look at nothing yet; the listing of a session is read when it is first asked for."""
        self._market = market
        self._details = DetailsWriter(market)
        self._frames = DetailsFrames(self._details)
        self._universe: Universe | None = None
        self._universe_key: tuple[datetime, bool] | None = None
        self._known: dict[Instrument, Listed] = {}
        self._vouched: set[Instrument] = set()  # listed, held or priced once: they exist
        self._others = Others(market)
        self._chains: dict[SeriesKey, tuple[Listed, ...]] = {}  # of the current universe
        self._rows: dict[SeriesKey, dict[Decimal, tuple[Listed, ...]]] = {}
        self._elsewhere: dict[tuple[int, str], Listed] = {}  # routed to CBOE instead of SMART

    # --- finding ------------------------------------------------------------------------------

    def find(self, contract: words.Contract, at: datetime) -> tuple[Listed, ...]:
        """Return every contract a description fits at an instant; none is IB's error 200.

        An id decides alone; nothing else of the description is looked at. Options ask for SMART
        or CBOE and come back as routed there.

        Raises: Malformed (321).
        """
        if contract.con_id:
            found = self.by_con_id(contract.con_id)
            if found is None or not self._is_alive(found, at, contract.include_expired):
                return ()
            return (self._routed(found, contract.exchange.strip().upper()),)
        if is_asked(contract):
            return tuple(self._tenths(contract, at))
        wanted = read_description(contract)
        if wanted.currency not in {"", "USD"}:
            return ()
        match wanted.sec_type:
            case "OPT":
                return tuple(
                    self._routed(listed, wanted.exchange) for listed in self._options(wanted, at)
                )
            case "FUT":
                return tuple(self._futures(wanted, at))
            case _:
                return tuple(self._others.find(wanted))

    def one(self, contract: words.Contract, at: datetime) -> Listed:
        """Return the only contract a description fits.

        Raises: NoDefinition, Ambiguous, Malformed.
        """
        found = self.find(contract, at)
        if not found:
            raise NoDefinition
        if len(found) > 1:
            raise Ambiguous(contract.symbol or contract.local_symbol or contract.trading_class)
        return found[0]

    def by_con_id(self, con_id: int) -> Listed | None:
        """Return the contract of an id, listed now or not; None if there can be none."""
        other = self._others.by_con_id(con_id)
        if other is not None:
            return other
        if (option := whole_option(con_id)) is not None:
            whole = con_id_of(option)
            found = None if whole is None else self.by_con_id(whole)
            return None if found is None else tenth_listed(found)
        instrument = instrument_of(con_id)
        if instrument is None:
            return None
        known = self._known.get(instrument)
        if known is None and not expires_on(self._market, instrument.root, instrument.expiry):
            return None
        return known or self._made(instrument)

    def of(self, instrument: Instrument) -> Listed:
        """Return the contract of an option or future, such as one that is held.

        Raises: NoDefinition if there can be no such contract.
        """
        listed = self._known.get(instrument) or self._made(instrument)
        if listed is None:
            raise NoDefinition
        self._vouched.add(instrument)
        return listed

    def index(self, name: str) -> Listed:
        """Return an index by name; raises NoDefinition if the market does not know it."""
        return self._others.index(name)

    # --- describing ---------------------------------------------------------------------------

    def details(self, listed: Listed, at: datetime) -> Mapping[str, Any]:
        """Return the values of a contractDetails message, without the request's id."""
        return self._details.details(listed, at)

    def details_frames(
        self, found: Iterable[Listed], req_id: int, at: datetime, version: int
    ) -> Iterator[bytes]:
        """Yield the same, spelled for the wire: pieces of a few dozen frames of contractDetails."""
        return self._frames.pieces(found, req_id, at, version)

    def option_params(self, listed: Listed, at: datetime) -> tuple[Mapping[str, Any], ...]:
        """Return the values of the secDefOptParam messages of an underlying, without the id.

        One an exchange and trading class: expirations (last trade dates) and strikes are unions,
        as at IB, so not every pair of them exists.
        """
        return option_params(self._listing(at), listed)

    def market_rule(self, rule_id: int) -> tuple[Mapping[str, Any], ...] | None:
        """Return a rule's price increments as marketRule has them; None if unknown."""
        return market_rule(rule_id)

    def matching(self, pattern: str) -> tuple[Mapping[str, Any], ...]:
        """Return the samples of a symbolSamples message, the symbol itself first."""
        return samples(pattern, self._others.all())

    # --- options ------------------------------------------------------------------------------

    def _options(self, wanted: Wanted, at: datetime) -> Iterator[Listed]:
        if wanted.exchange not in _OPTION_EXCHANGES:
            return
        if wanted.local_symbol:
            option = wanted.option
            if option is not None and option.root in wanted.roots and _fits(option, wanted):
                yield from self._exact([option], at)
            return
        for terms in self._series(wanted, at):
            if wanted.multiplier not in {None, float(ROOTS[terms.root].multiplier)}:
                continue
            if wanted.strike is not None:
                rights = _BOTH if wanted.right is None else (wanted.right,)
                yield from self._exact(
                    [
                        OptionContract(terms.root, terms.expiry, right, wanted.strike)
                        for right in rights
                        if wanted.strike < _STRIKE_BEYOND and wanted.strike * 1000 % 1 == 0
                    ],
                    at,
                )
                continue
            for listed in self._chain(terms):
                if wanted.right is None or listed.contract.right == wanted.right.value:
                    yield listed

    def _series(self, wanted: Wanted, at: datetime) -> list[Terms]:
        """Return the series asked for: the listed ones, and for one strike others of the rules."""
        universe = self._listing(at)
        listed = [
            terms
            for terms in universe.series_of(wanted.roots)
            if (wanted.day is None or wanted.day in {terms.last_trade_day, terms.expiry})
            and (wanted.month is None or f"{terms.expiry:%Y%m}" == wanted.month)
        ]
        if wanted.day is None or wanted.strike is None:
            return listed
        found = {(terms.root, terms.expiry) for terms in listed}
        for root, expiry in self._expiries_around(wanted.roots, wanted.day):
            if (root, expiry) not in found and expires_on(self._market, root, expiry):
                terms = terms_of(self._market, root, expiry)
                if terms is not None:
                    listed.append(terms)
        return sorted(listed, key=lambda terms: (terms.expiry, terms.root))

    def _expiries_around(self, roots: Iterable[str], day: date) -> Iterator[SeriesKey]:
        """Yield the expiries a date may mean: itself, and for AM options the session after it."""
        for root in roots:
            yield root, day
            if ROOTS[root].settlement is Settlement.AM:
                try:
                    yield root, self._market.calendar.next_session(day)
                except MissingData:
                    continue

    def _exact(self, options: Iterable[OptionContract], at: datetime) -> Iterator[Listed]:
        """Yield those options that exist: known ones, and those the market would price."""
        today = at.astimezone(EXCHANGE_ZONE).date()
        for option in options:
            if option.expiry < today:
                continue
            if option in self._vouched or self._is_priced(option, at):
                yield self.of(option)

    def _is_priced(self, option: OptionContract, at: datetime) -> bool:
        if self._listing(at).has_strike((option.root, option.expiry), option.strike):
            return True
        try:
            return self._market.quote(option, listing_instant(self._market, at)) is not None
        except MarketDataMissing:
            return False

    def _chain(self, terms: Terms) -> tuple[Listed, ...]:
        """Return all options of a listed series by strike, calls first."""
        key = (terms.root, terms.expiry)
        if key not in self._chains:
            assert self._universe is not None, "the series was found in a listing"
            rows = self._rows.setdefault(key, {})  # most strikes were listed yesterday too
            chain: list[Listed] = []
            for strike in self._universe.strikes(key):
                if strike not in rows:
                    rows[strike] = tuple(
                        self.of(OptionContract(terms.root, terms.expiry, right, strike))
                        for right in _BOTH
                    )
                chain.extend(rows[strike])
            self._chains[key] = tuple(chain)
        return self._chains[key]

    def _tenths(self, contract: words.Contract, at: datetime) -> Iterator[Listed]:
        """Yield the SPY options a description fits: tenths of listed strikes only."""
        for whole in self.find(whole_description(contract), at):
            option = whole.option
            assert option is not None, "that description is one of options"
            if self._listing(at).has_strike((option.root, option.expiry), option.strike):
                tenth = tenth_listed(whole)
                if tenth is not None:
                    yield tenth

    # --- futures ------------------------------------------------------------------------------

    def _futures(self, wanted: Wanted, at: datetime) -> Iterator[Listed]:
        if wanted.exchange not in _FUTURE_EXCHANGES:
            return
        today = at.astimezone(EXCHANGE_ZONE).date()
        listing = self._listing(at)
        futures = list(listing.futures_of(wanted.roots))
        for root in wanted.roots:
            expiry = wanted.day or self._expiry_in(wanted.month)
            if expiry is None:
                continue
            future = FutureContract(root, expiry)
            is_due = expiry == today or (wanted.include_expired and expiry < today)
            if future not in futures and is_due:
                futures.append(future)
        for future in futures:
            if wanted.local_symbol not in {"", future_local_symbol(future.root, future.expiry)}:
                continue
            if wanted.multiplier not in {None, float(future.multiplier)}:
                continue
            if wanted.day not in {None, future.expiry}:
                continue
            if wanted.month not in {None, f"{future.expiry:%Y%m}"}:
                continue
            if future in listing.futures or expires_on(self._market, future.root, future.expiry):
                yield self.of(future)

    def _expiry_in(self, month: str | None) -> date | None:
        """Return the day futures of a month (yyyymm) settle; None if the calendar lacks it."""
        if month is None:
            return None
        try:
            return vx_expiry(int(month[:4]), int(month[4:]), self._market.calendar)
        except MissingData:
            return None

    # --- memory -------------------------------------------------------------------------------

    def _made(self, instrument: Instrument) -> Listed | None:
        terms = terms_of(self._market, instrument.root, instrument.expiry)
        if terms is None:
            return None
        try:
            listed = (
                option_listed(instrument, terms)
                if isinstance(instrument, OptionContract)
                else future_listed(instrument, terms)
            )
        except NoDefinition:
            return None
        self._known[instrument] = listed
        return listed

    def _is_alive(self, listed: Listed, at: datetime, include_expired: bool) -> bool:
        instrument = listed.instrument or listed.tenth_of
        if instrument is None:
            return True
        if isinstance(instrument, FutureContract) and include_expired:
            return True
        if instrument.expiry < at.astimezone(EXCHANGE_ZONE).date():
            return False
        if isinstance(instrument, FutureContract):
            return True
        return any(True for _ in self._exact([instrument], at))

    def _routed(self, listed: Listed, exchange: str) -> Listed:
        """Return an option as routed to CBOE, if that was asked for."""
        if exchange != "CBOE" or listed.contract.sec_type != "OPT":
            return listed
        key = (listed.con_id, exchange)
        if key not in self._elsewhere:
            routed = replace(listed.contract, exchange=exchange)
            self._elsewhere[key] = replace(listed, contract=routed)
        return self._elsewhere[key]

    def _listing(self, at: datetime) -> Universe:
        """Return what is listed at an instant, read once a session and again as weeklies expire."""
        instant = listing_instant(self._market, at)
        session = instant.astimezone(EXCHANGE_ZONE).date()
        calendar = self._market.calendar
        key = (calendar.opens_at(session), instant >= calendar.equities_close_at(session))
        if self._universe is None or key != self._universe_key:
            if self._universe is None or self._universe.session != session:
                self._forget(session - _KEPT_AFTER_EXPIRY)
            self._universe = Universe(session, self._market.quotes_at(instant))
            self._universe_key = key
            self._chains.clear()
        return self._universe

    def _forget(self, day: date) -> None:
        """Forget what expired before a day; it can be made again."""
        self._known = {
            instrument: listed
            for instrument, listed in self._known.items()
            if instrument.expiry >= day
        }
        self._vouched &= self._known.keys()
        self._rows = {key: rows for key, rows in self._rows.items() if key[1] >= day}
        self._elsewhere.clear()


def _fits(option: OptionContract, wanted: Wanted) -> bool:
    """Return whether a spelled-out symbol agrees with what else a description says."""
    return (
        wanted.strike in {None, option.strike}
        and wanted.right in {None, option.right}
        and wanted.multiplier in {None, float(option.multiplier)}
        and wanted.month in {None, f"{option.expiry:%Y%m}"}
    )
