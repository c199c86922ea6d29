"""What is listed on a session: chains and futures, asked of IB once a session."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import structlog

from bot.brokers.ib.contracts import INDEX_NAMES, ContractUnknown
from bot.brokers.ib.library import Contract
from bot.brokers.ib.lines import SeriesRows
from bot.brokers.ib.qualifier import Expirations, Qualifier
from bot.brokers.ib.selection import Appetite
from strategies.model.calendars import TradingCalendar
from strategies.model.instruments import ROOTS, FutureContract, Instrument, Settlement

Progress = Callable[[str], None]

_log = structlog.get_logger(__name__)

# Roots without which there is nothing to trade; VIXW and VXM may be missing
_REQUIRED: Final = {"SPX": ("SPX", "SPXW"), "VIX": ("VIX",)}
_FUTURE_ROOTS: Final = ("VX", "VXM")
_CALENDAR_MARGIN: Final = timedelta(days=10)
_SPREAD: Final = timedelta(days=1)  # IB's dates move by one with the gateway's time zone


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionListing:
    """Everything that is listed on a session, or as much of it as the rules want to look at."""

    session: date
    series: tuple[SeriesRows, ...]
    futures: tuple[FutureContract, ...]  # by expiry, then root
    indices: dict[str, Contract]  # those IB knows


async def read_listing(
    qualifier: Qualifier,
    calendar: TradingCalendar,
    session: date,
    *,
    appetite: Appetite | None,
    held: Collection[Instrument],
    progress: Progress,
) -> SessionListing:
    """Ask IB what is listed, and check that the roots are what the bot takes them for.

    Args:
        qualifier: Asks, and keeps the contracts.
        calendar: When AM-settled options expire after their last trade date.
        session: Today.
        appetite: Which series are wanted beside those held; None = all.
        held: Open positions.
        progress: Told how far it has come; a cold start takes as long as the pacing dictates.

    Raises: BrokerUnavailable; ContractUnknown where a root is missing.
    """
    progress("asking IB for indices and futures")
    known = await asyncio.gather(*(qualifier.index(name) for name in INDEX_NAMES))
    indices = {
        name: contract
        for name, contract in zip(INDEX_NAMES, known, strict=True)
        if contract is not None
    }
    answers = await asyncio.gather(*(qualifier.futures(root) for root in _FUTURE_ROOTS))
    futures = [future for answer in answers for future in answer]
    if not any(each.root == "VX" for each in futures):
        raise ContractUnknown("IB lists no monthly VX futures (FUT VIX CFE, class VX)")
    wanted: list[tuple[str, str]] = []
    for underlying, roots in _REQUIRED.items():
        classes = await qualifier.expirations(underlying)
        _require_roots(underlying, roots, classes)
        wanted += [
            (each.root, last_trade)
            for each in classes
            if each.root in ROOTS and ROOTS[each.root].underlying == underlying
            for last_trade in each.last_trades
            if _is_wanted(each.root, last_trade, calendar, session, appetite, held)
        ]
    series = [
        each
        for each in await _all_series(qualifier, wanted, progress)
        if _is_session(each.expiry, calendar, each.root)
    ]
    futures = [each for each in futures if _is_session(each.expiry, calendar, each.root)]
    unique = {(each.expiry, each.root): each for each in series}
    return SessionListing(
        session=session,
        series=tuple(unique[key] for key in sorted(unique)),
        futures=tuple(sorted(futures, key=lambda each: (each.expiry, each.root))),
        indices=indices,
    )


async def _all_series(
    qualifier: Qualifier, wanted: Sequence[tuple[str, str]], progress: Progress
) -> list[SeriesRows]:
    """Ask for every series at once; the client's own throttle spreads the requests."""
    done = 0

    async def ask(root: str, last_trade: str) -> tuple[SeriesRows, ...]:
        nonlocal done
        found = await qualifier.series(root, last_trade)
        done += 1
        progress(f"{root} options of {last_trade}, {done} of {len(wanted)} series")
        return found

    answers = await asyncio.gather(*(ask(*each) for each in wanted), return_exceptions=True)
    series: list[SeriesRows] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        series += answer
    return series


def _require_roots(underlying: str, roots: Iterable[str], classes: Iterable[Expirations]) -> None:
    found = {each.root for each in classes}
    for root in roots:
        if root not in found:
            offered = ", ".join(sorted(found)) or "none"
            raise ContractUnknown(
                f"IB's option chain of {underlying} has no class {root} (it has {offered}); is the "
                "account permitted to trade index options?"
            )


def _is_session(expiry: date, calendar: TradingCalendar, root: str) -> bool:
    """Return whether a contract expires on a session; one that does not cannot be reckoned with."""
    is_known = calendar.sessions[0] <= expiry <= calendar.sessions[-1]
    if is_known and calendar.is_session(expiry):
        return True
    _log.warning("expiry_on_no_session", root=root, expiry=str(expiry))
    return False


def _is_wanted(
    root: str,
    last_trade: str,
    calendar: TradingCalendar,
    session: date,
    appetite: Appetite | None,
    held: Collection[Instrument],
) -> bool:
    """Return whether any expiry that IB's date may stand for is of interest."""
    stated = datetime.strptime(last_trade[:8], "%Y%m%d").date()  # noqa: DTZ007 a date, no zone
    if stated > calendar.sessions[-1] - _CALENDAR_MARGIN:
        return False  # options are listed for years, calendars are known for less
    if appetite is None:
        return True
    possible = [stated - _SPREAD, stated, stated + _SPREAD]
    if ROOTS[root].settlement is Settlement.AM:
        possible += [calendar.next_session(day) for day in possible]
    expiries = {each.expiry for each in held if each.root == root}
    return any(day in expiries or appetite.wants(root, (day - session).days) for day in possible)
