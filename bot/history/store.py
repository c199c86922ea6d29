"""The bundled market history, read column by column when somebody asks for it.

Every date is an exchange (New York) session, every price an index point, every rate percent per
year unless a method says otherwise. Arrays are shared and read-only. NaN marks an absent value.
"""

import hashlib
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.history.files import (
    EVENTS_LAYOUT,
    VIX_VOLUME_LAYOUT,
    VX_LAYOUT,
    Columns,
    HistoryFileInvalid,
    daily_layout,
    read_user_file,
)
from bot.history.recent import Recent
from strategies.model.calendars import TradingCalendar
from strategies.model.errors import MissingData
from strategies.model.quotes import BoolArray, FloatArray, IntArray
from strategies.model.snapshots import HISTORY_FROM, DailyHistory, EventAhead, EventKind

if TYPE_CHECKING:
    import pyarrow

DateArray = NDArray[np.datetime64]

BUNDLED_FOLDER: Final = Path(__file__).with_name("data")
# What a broker has daily bars of
INDEX_SERIES: Final = ("SPX", "VIX", "VVIX", "VIX9D", "VIX3M", "VIX6M", "SKEW", "COR1M")
# Read for factor feeds only (rule E)
FACTOR_SERIES: Final = ("DBAA", "T10Y3M", "RBUSBIS")
DAILY_SERIES: Final = (
    *("SPX", "VIX", "VVIX", "VIX9D", "VIX3M", "VIX6M", "BREADTH", "RATE"),
    *("SKEW", "COR1M", "BAA10Y", *FACTOR_SERIES),
)
SERIES: Final = (*DAILY_SERIES, "VX", "EVENTS")
# Volumes of VIX options are not bundled; a user's file may bring them (S9)
VIX_VOLUME: Final = "VIX_VOLUME"
_MONTHLY: Final = frozenset({"RBUSBIS"})
_HISTORIES_KEPT: Final = 4

_NO_OVERRIDES: Final[Mapping[str, Path]] = MappingProxyType({})
_RELEASE_TIME: Final = {EventKind.FOMC: "14:00", EventKind.CPI: "08:30", EventKind.PPI: "08:30"}
_BILL_PERIODS_PER_YEAR: Final = 4  # a three-month yield compounds quarterly


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DailySeries:
    """One series with one row a session, oldest first; every array has shape (n,)."""

    name: str
    session: DateArray  # datetime64[D], ascending
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    ohlc_ok: BoolArray  # False where the vendor's open or close lies outside its own high-low

    def rows_before(self, before: date) -> int:
        """Return how many rows lie strictly before a date."""
        return int(np.searchsorted(self.session, np.datetime64(before)))

    def close_on(self, session: date) -> float | None:
        """Return the close of one session, or None if the series has none."""
        row = self.rows_before(session)
        if row == len(self.session) or self.session[row] != np.datetime64(session):
            return None
        return float(self.close[row])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VxSettlements:
    """Daily settlements of monthly VX futures, by trade date, then expiry; arrays (n,)."""

    trade_date: DateArray
    contract_expiry: DateArray  # final settlement date; a row on that day is the final settlement
    settle: FloatArray
    open: FloatArray
    high: FloatArray
    low: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VxCurve:
    """The first monthly VX futures expiring strictly after each session, nearest first."""

    session: DateArray  # (n,)
    expiry: DateArray  # (n, ranks), NaT where no contract was listed
    settle: FloatArray  # (n, ranks), NaN where no contract was listed
    days: FloatArray  # (n, ranks), calendar days from the session to the expiry


class ScheduledEvent(NamedTuple):
    """A release that was scheduled in advance."""

    day: date
    kind: EventKind
    time_et: time


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFacts:
    """What `alvh data list` says about one series."""

    name: str
    first: date
    last: date
    rows: int
    gaps: int  # SPX sessions between first and last without a row
    age_days: int  # calendar days from the last row to the date asked about; negative = ahead of it
    source: str
    note: str


class History:
    """Bundled series, each extended or replaced by a user's file where one is given."""

    def __init__(self, folder: Path, overrides: Mapping[str, Path] = _NO_OVERRIDES) -> None:
        """Check the user's files; nothing bundled is read yet.

        Args:
            folder: Where the bundled parquet files lie.
            overrides: Series name -> CSV or parquet file. A row with the date of a bundled row
                replaces it whole, another date is added. Events replace the bundled events of
                their kind from the file's first to its last date of that kind.

        Raises: HistoryFileInvalid.
        """
        self._folder = folder
        self._override_paths = dict(overrides)
        self._overrides = {name: _read_override(name, path) for name, path in overrides.items()}
        self._daily: dict[str, DailySeries] = {}
        self._histories = Recent[date, DailyHistory](_HISTORIES_KEPT)
        if "SPX" in self._overrides:
            self._daily["SPX"] = self._read_daily("SPX")  # refuses rows on holidays now, not later

    @classmethod
    def bundled(cls, overrides: Mapping[str, Path] = _NO_OVERRIDES) -> "History":
        """Return the history shipped with the package; raises HistoryFileInvalid."""
        return cls(BUNDLED_FOLDER, overrides)

    def daily(self, name: str) -> DailySeries:
        """Return a series with one row a session.

        Args:
            name: One of ``DAILY_SERIES``. BREADTH closes are NYSE net breadth (advances - declines)
                / (advances + declines); RATE closes are percent per year.
        """
        assert name in DAILY_SERIES, f"{name} is not one of {', '.join(DAILY_SERIES)}"
        if name not in self._daily:
            self._daily[name] = self._read_daily(name)
        return self._daily[name]

    def find(self, name: str) -> DailySeries | None:
        """Return an index by name, or None if it is none that a broker supplies."""
        return self.daily(name) if name in INDEX_SERIES else None

    @property
    def sessions(self) -> DateArray:
        """The sessions of the bundled history: every day on which SPX has a close."""
        return self.daily("SPX").session

    def vx_settlements(self) -> VxSettlements:
        """Return every settlement of a monthly VX future."""
        return self._vx

    def vx_curve(self, ranks: int) -> VxCurve:
        """Return the settlements of the first ``ranks`` monthlies that expire after each session.

        From 2006-10-23 rank is calendar rank for the first five; before, some months were not
        listed and the next listed one takes their place.
        """
        rows = self._vx
        is_ahead = (rows.contract_expiry > rows.trade_date) & np.isfinite(rows.settle)
        trade_date = rows.trade_date[is_ahead]
        session, starts, group = np.unique(trade_date, return_index=True, return_inverse=True)
        rank = np.arange(len(trade_date)) - starts[group]
        is_kept = rank < ranks
        where = (group[is_kept], rank[is_kept])
        shape = (len(session), ranks)
        expiry = np.full(shape, np.datetime64("NaT"), dtype="datetime64[D]")
        settle = np.full(shape, np.nan)
        days = np.full(shape, np.nan)
        expiry[where] = rows.contract_expiry[is_ahead][is_kept]
        settle[where] = rows.settle[is_ahead][is_kept]
        days[where] = (expiry[where] - session[where[0]]).astype(np.int64)
        return VxCurve(session=session, expiry=expiry, settle=settle, days=days)

    def vx_contracts_on(self, session: date) -> tuple[tuple[date, float], ...]:
        """Return (expiry, settlement) of every monthly that expires after ``session``.

        Empty if no future settled that day.
        """
        rows = self._vx
        day = np.datetime64(session)
        start, stop = np.searchsorted(rows.trade_date, [day, day + 1])
        expiries: list[date] = rows.contract_expiry[start:stop].tolist()
        settles: list[float] = rows.settle[start:stop].tolist()
        return tuple(
            (expiry, settle)
            for expiry, settle in zip(expiries, settles, strict=True)
            if expiry > session
        )

    def final_settlement(self, expiry: date) -> float | None:
        """Return the final settlement value of the monthly expiring on ``expiry``, if known."""
        return self._final_settlements.get(expiry)

    def events(self) -> tuple[ScheduledEvent, ...]:
        """Return every scheduled FOMC decision, CPI and PPI release, oldest first."""
        return self._events

    def events_ahead(
        self, session: date, calendar: TradingCalendar
    ) -> tuple[EventAhead, ...] | None:
        """Return the next event of each kind on or after ``session``.

        Trading days to an event on a day without trading (CPI on 2020-04-10, Good Friday) run to
        the session after it, where the market answers.

        Args:
            session: Today.
            calendar: Must reach a session past the events returned.

        Returns: One event a kind, by day; None if the event calendar does not cover ``session``
            for every kind.

        Raises: MissingData if the trading calendar ends before an event.
        """
        ahead = []
        for kind in EventKind:
            days = self._event_days[kind]
            index = bisect_left(days, session)
            if index == len(days) or session < days[0]:
                return None
            day = days[index]
            felt_on = day if calendar.is_session(day) else calendar.next_session(day)
            trading_days = calendar.trading_days_until(session, felt_on)
            ahead.append(EventAhead(kind=kind, day=day, trading_days=trading_days))
        return tuple(sorted(ahead, key=lambda event: (event.day, event.kind)))

    def rate_on(self, session: date) -> float:
        """Return the three-month rate known at the open, continuously compounded, decimal a year.

        The last value strictly before ``session``: a day's rate is published after its close.

        Raises: MissingData before the first rate.
        """
        rates = self.daily("RATE")
        row = rates.rows_before(session) - 1
        if row < 0:
            raise MissingData(f"no interest rate before {session}")
        simple = float(rates.close[row]) / 100
        periods = _BILL_PERIODS_PER_YEAR
        return periods * math.log1p(simple / periods)

    def daily_history(self, before: date) -> DailyHistory:
        """Return every session from ``HISTORY_FROM`` on that lies strictly before a date.

        The arrays are views of shared, read-only columns, and the same date gives the same object:
        what is worked out of a history is remembered by its identity.
        """
        return self._histories.get(before, lambda: self._history_before(before))

    def _history_before(self, before: date) -> DailyHistory:
        columns = self._aligned
        start, stop = np.searchsorted(
            columns["session"], np.array([HISTORY_FROM, before], dtype="datetime64[D]")
        )
        rows = slice(int(start), int(stop))
        return DailyHistory(**{name: column[rows] for name, column in columns.items()})

    def describe(self, as_of: date) -> tuple[SeriesFacts, ...]:
        """Return range, gaps, freshness and provenance of every series.

        Args:
            as_of: The date that ages are counted to.
        """
        theirs = [VIX_VOLUME] if VIX_VOLUME in self._overrides else []
        return tuple(self._describe(name, as_of) for name in (*SERIES, *theirs))

    def fingerprint(self) -> str:
        """Return a digest of every file behind this history, bundled and the user's."""
        return self._fingerprint

    @cached_property
    def _vx(self) -> VxSettlements:
        columns = self._read("VX")
        if "VX" in self._overrides:
            columns = _merge(columns, self._overrides["VX"], VX_LAYOUT.key)
        return VxSettlements(**_frozen(columns))

    @cached_property
    def _final_settlements(self) -> dict[date, float]:
        rows = self._vx
        is_final = rows.trade_date == rows.contract_expiry
        expiries: list[date] = rows.contract_expiry[is_final].tolist()
        return dict(zip(expiries, rows.settle[is_final].tolist(), strict=True))

    @cached_property
    def _events(self) -> tuple[ScheduledEvent, ...]:
        columns = self._read("EVENTS")
        events = _to_events(columns)
        if "EVENTS" in self._overrides:
            theirs = _to_events(self._overrides["EVENTS"])
            for kind in {event.kind for event in theirs}:
                days = [event.day for event in theirs if event.kind is kind]
                events = [
                    event
                    for event in events
                    if event.kind is not kind or not days[0] <= event.day <= days[-1]
                ]
            events += theirs
        return tuple(sorted(events, key=lambda event: (event.day, event.kind)))

    @cached_property
    def _event_days(self) -> dict[EventKind, list[date]]:
        return {
            kind: [event.day for event in self._events if event.kind is kind] for kind in EventKind
        }

    @cached_property
    def _aligned(self) -> dict[str, NDArray[Any]]:
        """Every column of a DailyHistory over all sessions, full length."""
        sessions = self.sessions
        curve = self.vx_curve(ranks=2)
        columns = {
            "session": sessions,
            "spx_close": self.daily("SPX").close,
            "vix_close": _align(self.daily("VIX"), sessions),
            "vvix_close": _align(self.daily("VVIX"), sessions),
            "vx1_settle": _align_to(curve.session, curve.settle[:, 0], sessions),
            "vx2_settle": _align_to(curve.session, curve.settle[:, 1], sessions),
            "vx2_days": _align_to(curve.session, curve.days[:, 1], sessions),
            "net_breadth": _align(self.daily("BREADTH"), sessions),
            "skew_close": _align(self.daily("SKEW"), sessions),
            "cor1m_close": _align(self.daily("COR1M"), sessions),
            "credit_spread": _published_next_day(_align(self.daily("BAA10Y"), sessions)),
            **self._vix_volumes(),
            **event_flags(self._events, sessions),
        }
        return _frozen(columns)

    def _vix_volumes(self) -> Columns:
        names = ("call_volume", "put_volume")
        if VIX_VOLUME not in self._overrides:
            return {f"vix_{name}": np.full(len(self.sessions), np.nan) for name in names}
        theirs = self._overrides[VIX_VOLUME]
        return {
            f"vix_{name}": _align_to(theirs["date"], theirs[name], self.sessions) for name in names
        }

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        for name in (*SERIES, VIX_VOLUME):
            digest.update(f"{name}\0".encode())
            if name != VIX_VOLUME:
                digest.update(self._path(name).read_bytes())
            if name in self._override_paths:
                digest.update(b"\0override\0")
                digest.update(self._override_paths[name].read_bytes())
        return digest.hexdigest()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.parquet"

    def _read(self, name: str) -> Columns:
        return _read_bundled(self._path(name))

    def _read_daily(self, name: str) -> DailySeries:
        columns = self._read(name)
        rows = len(columns["date"])
        for bar in ("open", "high", "low"):
            columns.setdefault(bar, np.full(rows, np.nan))
        columns["ohlc_ok"] = columns.get("ohlc_ok", np.ones(rows)).astype(np.bool_)
        if name in self._overrides:
            theirs = self._overrides[name]
            count = len(theirs["date"])
            blank = {bar: np.full(count, np.nan) for bar in ("open", "high", "low")}
            full = {**blank, **theirs, "ohlc_ok": np.ones(count, dtype=np.bool_)}
            columns = _merge(columns, self._on_sessions(name, full, columns["date"]), ("date",))
        columns["session"] = columns.pop("date")
        return DailySeries(name=name, **_frozen(columns))

    def _on_sessions(self, name: str, theirs: Columns, bundled_days: DateArray) -> Columns:
        """Return the user's rows that lie on sessions, as far as sessions are known.

        Index publishers also print on NYSE holidays; such rows are left out. An SPX row on one
        is a mistake, because SPX says what a session is.
        """
        known = bundled_days if name == "SPX" else self.sessions
        days = theirs["date"]
        is_holiday = (days >= known[0]) & (days <= known[-1]) & ~np.isin(days, known)
        if name == "SPX" and is_holiday.any():
            raise HistoryFileInvalid(
                self._override_paths[name],
                f"expected sessions only, but SPX did not trade on {days[is_holiday][0]}",
                column="date",
            )
        return {column: values[~is_holiday] for column, values in theirs.items()}

    def _describe(self, name: str, as_of: date) -> SeriesFacts:
        match name:
            case "EVENTS":
                days = np.array([event.day for event in self._events], dtype="datetime64[D]")
            case "VX":
                days = self._vx.trade_date
            case "VIX_VOLUME":
                days = self._overrides[name]["date"]
            case _:
                days = self.daily(name).session
        first, last = days[0], days[-1]
        sessions = self.sessions
        covered = sessions[(sessions >= first) & (sessions <= last)]
        is_daily = name != "EVENTS" and name not in _MONTHLY
        gaps = int((~np.isin(covered, days)).sum()) if is_daily else 0
        source, note = ("", "") if name == VIX_VOLUME else _read_provenance(self._path(name))
        if name in self._override_paths:
            rows = len(next(iter(self._overrides[name].values())))
            theirs = f"{self._override_paths[name].name} ({rows:,} rows)"
            source = f"{theirs} over {source}" if source else theirs
        return SeriesFacts(
            name=name,
            first=first.item(),
            last=last.item(),
            rows=len(days),
            gaps=gaps,
            age_days=(as_of - last.item()).days,
            source=source,
            note=note,
        )


def _read_override(name: str, path: Path) -> Columns:
    match name:
        case "VX":
            layout = VX_LAYOUT
        case "EVENTS":
            layout = EVENTS_LAYOUT
        case "VIX_VOLUME":
            layout = VIX_VOLUME_LAYOUT
        case _ if name in DAILY_SERIES:
            layout = daily_layout(name)
        case _:
            known = ", ".join((*SERIES, VIX_VOLUME))
            raise HistoryFileInvalid(path, f"expected a series of {known}, found '{name}'")
    return read_user_file(path, layout)


def _read_bundled(path: Path) -> Columns:
    # Imported here: whoever asks nothing of history does not pay for the parquet reader.
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table = file.read(use_threads=False)
    return {name: _to_numpy(table.column(name).combine_chunks()) for name in table.column_names}


def _to_numpy(column: "pyarrow.Array") -> NDArray[Any]:
    # Not Array.to_numpy(), which imports pandas. Bundled columns hold no nulls.
    match str(column.type):
        case "date32[day]":
            days = np.from_dlpack(column.view("int32"))
            return days.astype("datetime64[D]")
        case "string":
            return np.array(column.to_pylist(), dtype=object)
        case _:
            return np.from_dlpack(column)


def _read_provenance(path: Path) -> tuple[str, str]:
    import pyarrow.parquet as pq

    facts = pq.read_schema(path).metadata
    return facts[b"source"].decode(), facts[b"note"].decode()


def _merge(bundled: Columns, theirs: Columns, key: tuple[str, ...]) -> Columns:
    """Return both sets of rows sorted by ``key``; on equal keys theirs stay."""
    joined = {name: np.concatenate([theirs[name], bundled[name]]) for name in bundled}
    packed = np.stack([joined[name].astype(np.int64) for name in key])
    # unique() keeps the first of equals, and theirs come first.
    _, rows = np.unique(packed, axis=1, return_index=True)
    return {name: column[rows] for name, column in joined.items()}


def _to_events(columns: Columns) -> list[ScheduledEvent]:
    days: list[date] = columns["date"].tolist()
    events = []
    for day, event, at in zip(days, columns["event"], columns["time_et"], strict=True):
        kind = EventKind(event)
        time_et = time.fromisoformat(_RELEASE_TIME[kind] if at is None else at)
        events.append(ScheduledEvent(day, kind, time_et))
    return events


def event_flags(events: Sequence[ScheduledEvent], sessions: DateArray) -> dict[str, FloatArray]:
    """Return the columns ``is_fomc``, ``is_cpi`` and ``is_ppi`` over sessions, (n,) each.

    1 on the session where the market answers an event: its day, or the session after where it falls
    on none (CPI on Good Friday); 0 on others; NaN outside the event calendar of its kind.
    """
    flags = {}
    for kind in EventKind:
        days = np.array([each.day for each in events if each.kind is kind], dtype="datetime64[D]")
        column = np.full(len(sessions), np.nan)
        if days.size:
            column[(sessions >= days[0]) & (sessions <= days[-1])] = 0.0
            felt_on = np.searchsorted(sessions, days)
            is_on = (felt_on < len(sessions)) & (days >= sessions[0])
            column[felt_on[is_on]] = 1.0
        flags[f"is_{kind.value}"] = column
    return flags


def _published_next_day(values: FloatArray) -> FloatArray:
    """Return each session's newest published value: that of the session before."""
    return np.concatenate([[np.nan], values[:-1]])


def _align(series: DailySeries, sessions: DateArray) -> FloatArray:
    return _align_to(series.session, series.close, sessions)


def _align_to(days: DateArray, values: FloatArray, sessions: DateArray) -> FloatArray:
    """Return the value of each session, NaN where ``days`` lacks it."""
    rows: IntArray = np.minimum(np.searchsorted(days, sessions), len(days) - 1)
    return np.where(days[rows] == sessions, values[rows], np.nan)


def _frozen(columns: Columns) -> Columns:
    for column in columns.values():
        column.setflags(write=False)
    return columns
