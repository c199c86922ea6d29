"""A market made of real sessions: real bars and settlements, modelled in between.

Each session's paths are drawn once, from the seed and the session alone, through the real opens,
highs, lows and closes of SPX and VIX; the other indices and the VIX futures move with VIX and end
on their real closes and settlements; options are priced on surfaces made of those indices. What is
real and what is modelled stands in ``docs/market.md``.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from bot.errors import MarketDataMissing
from bot.exchange.days import SessionDay
from bot.exchange.facts import DailySource, SessionFacts, read_facts
from bot.exchange.listings import SPX_HORIZON_DAYS, is_trading
from bot.exchange.market import DailyBars
from bot.exchange.quoting import (
    MarketState,
    option_quote,
    spx_chain,
    vix_chain,
    vix_future_quote,
)
from bot.history.recent import Recent
from bot.ports import DailyCloses
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.errors import MissingData
from strategies.model.expiries import series_instants, spx_am_expiry, spxw_expiries
from strategies.model.instruments import FutureContract, Instrument, OptionContract, Settlement
from strategies.model.quotes import FutureQuote, IndexValue, Quote, Series
from strategies.model.snapshots import DailyHistory, MarketQuotes

_CALENDAR_MARGIN: Final = timedelta(days=SPX_HORIZON_DAYS + 62)
_DAYS_KEPT: Final = 6  # sessions whose paths stay in memory
_STATES_KEPT: Final = 64  # instants
_SPX_STRIKE: Final = 5
_VIX_STRIKES: Final = 2  # per point


class ReplayMarket:
    """Keeps the ``Market`` protocol over the sessions of a daily history."""

    day_type: type[SessionDay] = SessionDay

    def __init__(
        self,
        history: DailySource,
        calendar: TradingCalendar,
        *,
        first: date,
        last: date,
        seed: int,
    ) -> None:
        """Check that every session from ``first`` to ``last`` can be replayed.

        Args:
            history: Real or invented days.
            calendar: Sessions from before ``first`` to eight months past ``last``.
            first: Where quoting begins; the first session on or after it.
            last: Where it ends; the last session on or before it.
            seed: Of the intraday paths, not negative.

        Raises: MarketDataMissing naming the first session and series without data.
        """
        assert seed >= 0, "a seed is not negative"
        sessions = calendar.sessions_between(first, last)
        if not sessions:
            raise MarketDataMissing(f"no session from {first} to {last}")
        if calendar.sessions[-1] < sessions[-1] + _CALENDAR_MARGIN:
            raise MarketDataMissing(
                f"the calendar ends on {calendar.sessions[-1]}; expiries of {sessions[-1]} need it "
                f"until {sessions[-1] + _CALENDAR_MARGIN}"
            )
        self.calendar = calendar
        self.first_session = sessions[0]
        self.last_session = sessions[-1]
        self._source = history
        self._seed = seed
        self._days = Recent[date, SessionDay](_DAYS_KEPT)
        self._states = Recent[datetime, MarketState](_STATES_KEPT)
        self._quotes = Recent[datetime, dict[OptionContract, Quote]](_STATES_KEPT)
        self._series: dict[tuple[str, date], Series | None] = {}
        for session in sessions:
            self._facts(session)

    def quotes_at(self, at: datetime, extra: Collection[OptionContract] = ()) -> MarketQuotes:
        """Return the whole market; see ``Market.quotes_at``."""
        day, state = self._at(at)
        known = [contract for contract in extra if self._is_quoted(contract, at, state)]
        spx = [contract for contract in known if contract.underlying == "SPX"]
        vix = [contract for contract in known if contract.underlying == "VIX"]
        return MarketQuotes(
            at=at,
            indices={
                name: IndexValue(value=day.index_at(name, state.at), quoted_at=state.at)
                for name in day.index_names
            },
            futures=tuple(self._future_quotes(day, state)),
            spx_options=spx_chain(day.listing("SPX", at, self._rows(spx)), state),
            vix_options=vix_chain(day.listing("VIX", at, self._rows(vix)), state),
            rate=state.rate,
        )

    def quote(self, instrument: Instrument, at: datetime) -> Quote | None:
        """Return one quote; see ``Market.quote``."""
        day, state = self._at(at)
        if isinstance(instrument, FutureContract):
            if instrument not in day.future_contracts:
                return None
            return vix_future_quote(instrument, state)
        if not self._is_quoted(instrument, at, state):
            return None
        # A step asks for the quotes of its orders' legs, and so does the exchange it sends them to
        quotes = self._quotes.get(state.at, dict)
        if instrument not in quotes:
            quotes[instrument] = option_quote(instrument, self._listed_series(instrument), state)
        return quotes[instrument]

    def index_at(self, name: str, at: datetime) -> float:
        """Return an index; see ``Market.index_at``."""
        day = self._day(at)
        if name not in day.index_names:
            raise MarketDataMissing(f"{name} has no value on {day.facts.session}")
        return day.index_at(name, at)

    def settlement_value(self, instrument: Instrument) -> float:
        """Return a final settlement value; see ``Market.settlement_value``.

        PM: the official close. AM: the index's open of the day stands for SET, which is not in
        the history. VIX: the real final settlement of the VX future where it is known, else the
        VIX's open, which is what the settlement auction aims at.
        """
        expiry = instrument.expiry
        if instrument.underlying == "VIX":
            final = self._source.final_settlement(expiry)
            return self._open("VIX", expiry) if final is None else final
        assert isinstance(instrument, OptionContract), "futures are on the VIX"
        if instrument.settlement is Settlement.AM:
            return self._open("SPX", expiry)
        close = self._source.daily("SPX").close_on(expiry)
        if close is None:
            raise MarketDataMissing(f"SPX has no value on {expiry}")
        return round(close, 2)

    def daily_settle(self, contract: FutureContract, session: date) -> float:
        """Return a daily settlement; see ``Market.daily_settle``."""
        if contract.expiry == session:
            return self.settlement_value(contract)
        settle = dict(self._source.vx_contracts_on(session)).get(contract.expiry)
        if settle is None:
            raise MarketDataMissing(f"VX {contract.expiry} has no settlement on {session}")
        return settle

    def history(self, before: date) -> DailyHistory:
        """Return completed daily bars strictly before a date."""
        return self._source.daily_history(before)

    def closes(self, name: str, before: date) -> DailyCloses | None:
        """Return the daily closes of an index; see ``Market.closes``."""
        series = self._source.find(name)
        if series is None:
            return None
        rows = series.rows_before(before)
        return DailyCloses(day=series.session[:rows], close=series.close[:rows])

    def daily_bars(self, name: str, before: date) -> DailyBars | None:
        """Return the daily bars of an index; see ``Market.daily_bars``."""
        series = self._source.find(name)
        if series is None:
            return None
        rows = slice(series.rows_before(before))
        return DailyBars(
            day=series.session[rows],
            open=series.open[rows],
            high=series.high[rows],
            low=series.low[rows],
            close=series.close[rows],
        )

    def _facts(self, session: date) -> SessionFacts:
        try:
            before = self.calendar.previous_session(session)
        except MissingData as cause:
            raise MarketDataMissing(f"no session before {session} in the calendar") from cause
        return read_facts(self._source, session, before)

    def _at(self, at: datetime) -> tuple[SessionDay, MarketState]:
        """Return the day and the state of the grid instant at or before ``at``."""
        day = self._day(at)
        node_at = day.node_instant(at)
        return day, self._states.get(node_at, lambda: day.state_at(node_at))

    def _day(self, at: datetime) -> SessionDay:
        local = at.astimezone(EXCHANGE_ZONE)
        session = local.date()
        if not self.first_session <= session <= self.last_session:
            raise MarketDataMissing(
                f"{session} is outside {self.first_session} to {self.last_session}"
            )
        day = self._days.get(session, lambda: self._draw(session))
        if not day.opens_at <= at <= day.closes_at:
            raise MarketDataMissing(f"no quotes at {local:%Y-%m-%d %H:%M:%S}: not in session hours")
        return day

    def _draw(self, session: date) -> SessionDay:
        if not self.calendar.is_session(session):
            raise MarketDataMissing(f"no quotes on {session}: it is not a session")
        entropy = np.random.SeedSequence((self._seed, session.toordinal()))
        return self.day_type(self._facts(session), self.calendar, np.random.default_rng(entropy))

    def _is_quoted(self, contract: OptionContract, at: datetime, state: MarketState) -> bool:
        series = self._find_series(contract.root, contract.expiry)
        if series is None or not is_trading(series, at):
            return False
        if contract.underlying == "VIX":
            is_on_grid = contract.strike * _VIX_STRIKES % 1 == 0
            return is_on_grid and contract.expiry in state.futures
        return contract.strike % _SPX_STRIKE == 0

    def _listed_series(self, contract: OptionContract) -> Series:
        series = self._find_series(contract.root, contract.expiry)
        assert series is not None, f"{contract} was found to be quoted"
        return series

    def _find_series(self, root: str, expiry: date) -> Series | None:
        key = (root, expiry)
        if key not in self._series:
            self._series[key] = self._make_series(root, expiry)
        return self._series[key]

    def _make_series(self, root: str, expiry: date) -> Series | None:
        """Return the series if its root expires on that day; weekly VIX options are not made."""
        try:
            match root:
                case "SPX":
                    exists = spx_am_expiry(expiry.year, expiry.month, self.calendar) == expiry
                case "SPXW":
                    exists = expiry in spxw_expiries(expiry, expiry, self.calendar)
                case "VIX":
                    exists = self.calendar.is_session(expiry)
                case _:
                    exists = False
            return series_instants(root, expiry, self.calendar) if exists else None
        except MissingData:  # past the calendar's end nothing is listed
            return None

    def _rows(self, contracts: list[OptionContract]) -> frozenset[tuple[Series, float]]:
        return frozenset(
            (self._listed_series(contract), float(contract.strike)) for contract in contracts
        )

    def _future_quotes(self, day: SessionDay, state: MarketState) -> list[FutureQuote]:
        quotes = []
        for contract, (instants, prior_settle) in day.future_contracts.items():
            quote = vix_future_quote(contract, state)
            quotes.append(
                FutureQuote(
                    contract=contract,
                    bid=quote.bid,
                    ask=quote.ask,
                    prior_settle=prior_settle,
                    last_trade_at=instants.last_trade_at,
                    settles_at=instants.settles_at,
                    quoted_at=state.at,
                )
            )
        return quotes

    def _open(self, name: str, session: date) -> float:
        series = self._source.daily(name)
        if series.close_on(session) is None:
            raise MarketDataMissing(f"{name} has no value on {session}")
        open_ = float(series.open[series.rows_before(session)])
        if not np.isfinite(open_):
            raise MarketDataMissing(f"{name} has no open on {session}")
        return round(open_, 2)
