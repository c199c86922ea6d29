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
    index_listed,
    option_listed,
    stand_listed,
)
from bot.gateway.contracts.description import Wanted, read_description
from bot.gateway.contracts.details import DetailsWriter
from bot.gateway.contracts.errors import Ambiguous, NoDefinition
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.numbers import instrument_of, named_con_id
from bot.gateway.contracts.rules import market_rule
from bot.gateway.contracts.symbols import (
    INDEX_NAMES,
    SETTLEMENT_INDICES,
    STANDS,
    future_local_symbol,
)
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
_INDEX_EXCHANGES: Final = frozenset({"", "CBOE"})
_BOTH: Final = (Right.CALL, Right.PUT)
_KEPT_AFTER_EXPIRY: Final = timedelta(days=7)
_SAMPLES_MOST: Final = 16
_DERIVATIVES: Final = {"SPX": ("OPT",), "VIX": ("OPT", "FUT")}


class ContractBook:
    """Every contract of a market, as IB would describe it; one book serves one gateway."""

    def __init__(self, market: Market) -> None:
        """Look at nothing yet; the listing of a session is read when it is first asked for."""
        self._market = market
        self._details = DetailsWriter(market)
        self._universe: Universe | None = None
        self._universe_key: tuple[datetime, bool] | None = None
        self._known: dict[Instrument, Listed] = {}
        self._indices: dict[str, Listed] = {}
        self._index_ids: dict[int, str] = {named_con_id(name): name for name in INDEX_NAMES}
        self._stands = {con_id: stand_listed(con_id) for con_id in STANDS}
        self._chains: dict[SeriesKey, tuple[Listed, ...]] = {}  # of the current universe
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
            case "IND":
                return tuple(self._matching_indices(wanted))
            case _:
                return tuple(self._matching_stands(wanted))

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
        if con_id in self._stands:
            return self._stands[con_id]
        if con_id in self._index_ids:
            return self.index(self._index_ids[con_id])
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
        return listed

    def index(self, name: str) -> Listed:
        """Return an index by name; raises NoDefinition if the market does not know it."""
        if name not in self._indices:
            if not self._knows_index(name):
                raise NoDefinition
            self._indices[name] = index_listed(name)
            self._index_ids[named_con_id(name)] = name
        return self._indices[name]

    # --- describing ---------------------------------------------------------------------------

    def details(self, listed: Listed, at: datetime) -> Mapping[str, Any]:
        """Return the values of a contractDetails message, without the request's id."""
        return self._details.details(listed, at)

    def option_params(self, listed: Listed, at: datetime) -> tuple[Mapping[str, Any], ...]:
        """Return the values of the secDefOptParam messages of an underlying, without the id.

        One an exchange and trading class: expirations (last trade dates) and strikes are unions,
        as at IB, so not every pair of them exists.
        """
        universe = self._listing(at)
        classes: dict[str, tuple[set[str], set[Decimal]]] = {}
        for terms in universe.series_of(tuple(ROOTS)):
            if ROOTS[terms.root].underlying == listed.index:
                expirations, strikes = classes.setdefault(terms.root, (set(), set()))
                expirations.add(f"{terms.last_trade_day:%Y%m%d}")
                strikes.update(universe.strikes((terms.root, terms.expiry)))
        return tuple(
            {
                "exchange": exchange,
                "underConId": listed.con_id,
                "tradingClass": root,
                "multiplier": str(ROOTS[root].multiplier),
                "expirations": tuple(sorted(expirations)),
                "strikes": tuple(float(strike) for strike in sorted(strikes)),
            }
            for exchange in ("SMART", "CBOE")
            for root, (expirations, strikes) in classes.items()
        )

    def market_rule(self, rule_id: int) -> tuple[Mapping[str, Any], ...] | None:
        """Return a rule's price increments as marketRule has them; None if unknown."""
        return market_rule(rule_id)

    def matching(self, pattern: str) -> tuple[Mapping[str, Any], ...]:
        """Return the samples of a symbolSamples message, the symbol itself first."""
        wanted = pattern.strip().upper()
        if not wanted:
            return ()
        stands = [(listed, STANDS[con_id].long_name) for con_id, listed in self._stands.items()]
        indices = [(self.index(n), INDEX_NAMES[n]) for n in INDEX_NAMES if self._knows_index(n)]
        fitting = [
            _sample(listed.contract, name)
            for listed, name in indices + stands
            if listed.contract.symbol.startswith(wanted) or wanted in name.upper()
        ]
        fitting.sort(key=lambda sample: (sample["symbol"] != wanted, len(str(sample["symbol"]))))
        return tuple(fitting[:_SAMPLES_MOST])

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
                        if wanted.strike * 1000 % 1 == 0
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
        return listed

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
            known = self._known.get(option)
            if known is not None or self._is_priced(option, at):
                yield known or self.of(option)

    def _is_priced(self, option: OptionContract, at: datetime) -> bool:
        if (option.root, option.expiry) in self._listing(at).terms and option.strike in set(
            self._listing(at).strikes((option.root, option.expiry))
        ):
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
            options = (
                OptionContract(terms.root, terms.expiry, right, strike)
                for strike in self._universe.strikes(key)
                for right in _BOTH
            )
            known = self._known
            chain = []
            for option in options:
                listed = known.get(option)
                if listed is None:
                    listed = known[option] = option_listed(option, terms)
                chain.append(listed)
            self._chains[key] = tuple(chain)
        return self._chains[key]

    # --- futures, indices, others -------------------------------------------------------------

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

    def _knows_index(self, name: str) -> bool:
        if name in INDEX_NAMES:
            return name in SETTLEMENT_INDICES or self._has_closes(name)
        return self._has_closes(name)

    def _has_closes(self, name: str) -> bool:
        return self._market.closes(name, self._market.first_session) is not None

    def _matching_indices(self, wanted: Wanted) -> Iterator[Listed]:
        name = wanted.symbol or wanted.local_symbol
        if wanted.exchange in _INDEX_EXCHANGES and self._knows_index(name):
            yield self.index(name)

    def _matching_stands(self, wanted: Wanted) -> Iterator[Listed]:
        for con_id, stand in STANDS.items():
            symbols = {stand.symbol, stand.local_symbol}
            if (
                stand.sec_type == wanted.sec_type
                and (wanted.symbol or wanted.local_symbol) in symbols
                and wanted.exchange in {"", *stand.exchanges.split(",")}
            ):
                yield self._stands[con_id]

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
        instrument = listed.instrument
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
        self._elsewhere.clear()


def _fits(option: OptionContract, wanted: Wanted) -> bool:
    """Return whether a spelled-out symbol agrees with what else a description says."""
    return (
        wanted.strike in {None, option.strike}
        and wanted.right in {None, option.right}
        and wanted.multiplier in {None, float(option.multiplier)}
        and wanted.month in {None, f"{option.expiry:%Y%m}"}
    )


def _sample(contract: words.Contract, name: str) -> dict[str, Any]:
    return {
        "conId": contract.con_id,
        "symbol": contract.symbol,
        "secType": contract.sec_type,
        "primaryExchange": contract.primary_exchange or contract.exchange,
        "currency": contract.currency,
        "derivativeSecTypes": _DERIVATIVES.get(contract.symbol, ()),
        "description": name,
        "issuerId": "",
    }
