"""Daily bars over IB: what bundled history lacks at its end, index closes, settlement values."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.contracts import ContractUnknown
from bot.brokers.ib.library import BarData, Contract, RequestError
from bot.brokers.ib.qualifier import NO_DEFINITION, Qualifier
from bot.ports import Clock, DailyCloses
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.expiries import vx_expiries
from strategies.model.instruments import FutureContract, Instrument, OptionContract, Settlement
from strategies.model.quotes import FloatArray
from strategies.model.snapshots import HISTORY_FROM, DailyHistory

_BARS_S: Final = 60.0  # IB takes its time over long histories
_NO_DATA: Final = 162
_DAY: Final = timedelta(days=1)
_TWO_MONTHS: Final = timedelta(days=75)  # holds two monthly expiries
_DAYS_OF_YEAR: Final = 365
_MARGIN_DAYS: Final = 10  # a long weekend, and the days since the last of those that are missing
_COLUMNS: Final = {"spx_close": "SPX", "vix_close": "VIX", "vvix_close": "VVIX"}

Bars = dict[date, float]  # closes by day, ascending


class DailyBars:
    """Daily closes as IB tells them, up to yesterday or, once a day is over, today."""

    def __init__(self, session: IbSession) -> None:
        """Ask for nothing yet.

        Args:
            session: Asked for bars; not the one that trades.
        """
        self._session = session

    async def closes(self, contract: Contract, days: int, about: str) -> Bars:
        """Return the closes of the last calendar days; empty if IB has none.

        Raises: BrokerUnavailable; ContractUnknown with what IB says.
        """
        ib = await self._session.ready()
        years = -(-days // _DAYS_OF_YEAR)
        duration = f"{years} Y" if days > _DAYS_OF_YEAR else f"{max(days, 1)} D"
        arguments = (contract, "", duration, "1 day", "TRADES", True)
        try:
            bars: list[BarData] = await self._session.ask(
                f"daily bars of {about}", ib.reqHistoricalDataAsync, *arguments, within_s=_BARS_S
            )
        except RequestError as refusal:
            if refusal.code in (_NO_DATA, NO_DEFINITION):
                return {}
            raise ContractUnknown(f"daily bars of {about}: IB says {refusal}") from refusal
        return {_day_of(bar): float(bar.close) for bar in bars}


class IbHistory:
    """Completed days: bundled or injected history, with IB's own bars where it ends too early."""

    def __init__(
        self,
        bars: DailyBars,
        qualifier: Qualifier,
        calendar: TradingCalendar,
        history_before: Callable[[date], DailyHistory],
        *,
        tops_up: bool,
    ) -> None:
        """Ask for nothing yet.

        Args:
            bars: IB's.
            qualifier: Contracts at IB.
            calendar: Sessions, and when futures expire.
            history_before: History known without IB.
            tops_up: Whether days it lacks at its end are asked of IB.
        """
        self._bars = bars
        self._qualifier = qualifier
        self._calendar = calendar
        self._history_before = history_before
        self._tops_up = tops_up
        self._histories: dict[date, DailyHistory] = {}
        self._closes: dict[tuple[str, date], DailyCloses | None] = {}

    async def before(self, before: date) -> DailyHistory:
        """Return completed days strictly before a date; the same object for the same date.

        Raises: BrokerUnavailable.
        """
        if before not in self._histories:
            known = self._history_before(before)
            self._histories = {before: await self._topped_up(known, before)}
        return self._histories[before]

    async def closes(self, symbol: str, before: date) -> DailyCloses | None:
        """Return the closes of an index strictly before a date; None if IB has no such index.

        Raises: BrokerUnavailable.
        """
        key = (symbol, before)
        if key not in self._closes:
            contract = await self._qualifier.index(symbol)
            found = None
            if contract is not None:
                bars = await self._bars.closes(contract, (before - HISTORY_FROM).days, symbol)
                days = [day for day in sorted(bars) if day < before]
                found = DailyCloses(
                    day=np.array(days, dtype="datetime64[D]"),
                    close=np.array([bars[day] for day in days], dtype=np.float64),
                )
            self._closes = {kept: each for kept, each in self._closes.items() if kept[1] == before}
            self._closes[key] = found
        return self._closes[key]

    async def _topped_up(self, known: DailyHistory, before: date) -> DailyHistory:
        if not self._tops_up:
            return known
        last: date = known.session[-1].item() if len(known.session) else HISTORY_FROM
        missing = self._calendar.sessions_between(last + _DAY, before - _DAY)
        if not missing:
            return known
        columns = {
            column: await self._index_column(name, missing) for column, name in _COLUMNS.items()
        }
        columns |= await self._future_columns(missing)
        nothing = np.full(len(missing), np.nan)
        rest = (name for name in known.__dataclass_fields__ if name != "session")
        return DailyHistory(
            session=np.concatenate([known.session, np.array(missing, dtype="datetime64[D]")]),
            **{
                name: np.concatenate([getattr(known, name), columns.get(name, nothing)])
                for name in rest
            },
        )

    async def _index_column(self, name: str, missing: tuple[date, ...]) -> FloatArray:
        contract = await self._qualifier.index(name)
        if contract is None:
            return np.full(len(missing), np.nan)
        return _column(await self._bars.closes(contract, _reach(missing), name), missing)

    async def _future_columns(self, missing: tuple[date, ...]) -> dict[str, FloatArray]:
        """Return the settlements of the first and second VX after each day: IB's closes."""
        expiries = {day: _next_two(day, self._calendar) for day in missing}
        bars: dict[date, Bars] = {}
        for expiry in sorted({expiry for pair in expiries.values() for expiry in pair}):
            contract = await self._qualifier.find(FutureContract("VX", expiry))
            if contract is not None:
                about = f"the VX of {expiry}"
                bars[expiry] = await self._bars.closes(contract, _reach(missing), about)
        nothing: Bars = {}

        def settles(which: int) -> FloatArray:
            pairs = ((day, expiries[day][which]) for day in missing)
            values = [bars.get(expiry, nothing).get(day, np.nan) for day, expiry in pairs]
            return np.array(values, dtype=np.float64)

        days = [(expiries[day][1] - day).days for day in missing]
        return {
            "vx1_settle": settles(0),
            "vx2_settle": settles(1),
            "vx2_days": np.array(days, dtype=np.float64),
        }


class IbSettlementPrices:
    """Settlement values as daily bars tell them: SPX, SET, VRO, and the futures' own closes."""

    def __init__(self, bars: DailyBars, qualifier: Qualifier, clock: Clock) -> None:
        """Ask for nothing yet."""
        self._bars = bars
        self._qualifier = qualifier
        self._clock = clock

    async def settlement_value(self, instrument: Instrument) -> float | None:
        """Return what an expiring instrument settles to; None while it is not published.

        Raises: BrokerUnavailable, MarketDataMissing where IB has no such index.
        """
        name = _settlement_index(instrument)
        contract = await self._qualifier.index(name)
        if contract is None:
            raise ContractUnknown(f"IB has no index {name}, to which {instrument} settles")
        bars = await self._bars.closes(contract, self._reach(instrument.expiry), name)
        return bars.get(instrument.expiry)

    async def daily_settle(self, contract: FutureContract, session: date) -> float | None:
        """Return the daily settlement of a future; None while it is not published.

        Raises: BrokerUnavailable, MarketDataMissing.
        """
        found = (await self._qualifier.qualify([contract]))[contract.symbol]
        bars = await self._bars.closes(found, self._reach(session), str(contract))
        return bars.get(session)

    def _reach(self, session: date) -> int:
        today = self._clock.now().astimezone(EXCHANGE_ZONE).date()
        return (today - session).days + 1


def _settlement_index(instrument: Instrument) -> str:
    if instrument.underlying == "VIX":
        return "VRO"
    assert isinstance(instrument, OptionContract), "futures are on the VIX"
    return "SET" if instrument.settlement is Settlement.AM else "SPX"


def _next_two(day: date, calendar: TradingCalendar) -> tuple[date, date]:
    first, second = vx_expiries(day + _DAY, day + _TWO_MONTHS, calendar)[:2]
    return first, second


def _reach(missing: tuple[date, ...]) -> int:
    """Return how many calendar days back bars are needed, today's included."""
    return (missing[-1] - missing[0]).days + _MARGIN_DAYS


def _column(bars: Bars, days: tuple[date, ...]) -> FloatArray:
    return np.array([bars.get(day, np.nan) for day in days], dtype=np.float64)


def _day_of(bar: BarData) -> date:
    found: date | datetime = bar.date
    return found.date() if isinstance(found, datetime) else found
