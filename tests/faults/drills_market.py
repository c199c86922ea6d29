"""Drills of faults D: prices that contradict each other, calendars, contracts, settlements."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bot.brokers.ib.broker_hours import surprising_days
from bot.brokers.ib.contracts import ContractAmbiguous, ContractUnknown
from bot.brokers.ib.library import Contract, ContractDetails
from bot.calendars.build import build_calendar
from strategies.model.breaks import BreakKind
from strategies.model.calendars import TradingCalendar, at_exchange
from strategies.model.expiries import series_instants, third_friday, vx_expiry
from strategies.model.limits import Readiness
from strategies.model.locks import LockKind
from strategies.model.orders import Leg, OrderIntent
from strategies.pricing.plausibility import market_doubts
from strategies.risk.gate import RefusalReason, last_trade_at
from tests.bot.brokers.ib.data_bench import data_bench
from tests.bot.calendars.test_build import overrides
from tests.bot.engine.books import Books, kinds
from tests.bot.engine.fakes import hedge as engine_hedge
from tests.bot.engine.test_protections import index_of
from tests.bot.engine.test_reconcile import _at_expiry
from tests.bot.exchange.venue.fakes import CALL
from tests.builders import (
    AT,
    instant,
    instrument,
    leg,
    market_quotes,
    option,
    quote,
    vix_chain,
    vx_futures,
)
from tests.faults.drilling import Dice, a_desk, drill, in_real_time, some_books
from tests.strategies.pricing.test_plausibility import FLAT, index, keys
from tests.strategies.risk.test_gate import QUOTES, READY, ask, close_condor, hedge, open_condor
from tests.strategies.risk.test_gate import reason as reason_of
from tests.strategies.risk.test_gate_prices import WIDE
from tests.strategies.risk.test_gate_sessions import CALENDAR

_R = RefusalReason
_SECOND = timedelta(seconds=1)
# CFE's published days on which the VIX expires a Tuesday, and those of Wednesdays beside them
_TUESDAYS = ("2014-03-18", "2019-03-19", "2022-03-15", "2024-06-18", "2025-03-18", "2026-05-19")
_WEDNESDAYS = ("2020-03-18", "2021-06-16", "2023-08-16", "2025-12-17", "2026-03-18", "2027-12-22")


@cache
def _long_calendar() -> TradingCalendar:
    return build_calendar(date(2004, 1, 1), date(2028, 3, 31))


def _at(text_or_instant: datetime, calendar: TradingCalendar = CALENDAR) -> Readiness:
    return replace(READY, at=text_or_instant, quotes_at=text_or_instant, calendar=calendar)


# --- prices that contradict each other ------------------------------------------------------------


def _nothing_opens(folder: Path, name: str, factor: float) -> None:
    """Let an index be off; that underlying is locked, for a while, with the figures as reason."""
    with a_desk(folder) as desk:
        index_of(desk, name, factor)
        desk.plan(AT, engine_hedge(CALL, 10, "0.53"))
        desk.run(AT)
        (lock,) = desk.ledger.locks(desk.at)
        assert (lock.kind, lock.key) == (LockKind.IMPLAUSIBLE, name)
        assert f"{name} is " in lock.reason
        assert bool(desk.ledger.positions()) is (name != "VIX")


@drill("D6")
def the_index_lags_its_options(seed: int, folder: Path) -> None:
    """SPX stands still while its options move: nothing opens on it."""
    dice = Dice(seed)
    off = dice.pick([-1, 1]) * dice.share(0.04, 0.30)
    assert keys(market_quotes(indices=index("SPX", 3250.0 * (1 + off)))) == ["SPX"]
    near = dice.pick([-1, 1]) * dice.share(0, 0.012)
    assert keys(market_quotes(indices=index("SPX", 3250.0 * (1 + near)))) == []
    _nothing_opens(folder, "SPX", 1 + off)


@drill("D7")
def vix_and_its_futures_diverge(seed: int, folder: Path) -> None:
    """VIX has left its futures, or its options contradict their future: no hedge is bought."""
    dice = Dice(seed)
    expiry = dice.pick(list(FLAT))
    apart = dice.pick([dice.share(1.15, 1.6), dice.share(0.5, 0.85)])
    moved = {**FLAT, expiry: 20.0 * apart}
    market = market_quotes(
        futures=vx_futures(curve=moved), vix_options=vix_chain(curve=FLAT), indices=index("VIX", 20)
    )
    doubts = [doubt.reason for doubt in market_doubts(market)]
    assert any(f"the VIX options of {expiry} say" in reason for reason in doubts), doubts
    _nothing_opens(folder, "VIX", dice.pick([dice.share(3, 6), dice.share(0.1, 0.35)]))


@drill("D10")
def a_limit_goes_through_the_market(seed: int, folder: Path) -> None:
    """The gate refuses a future's limit more than a tenth through the other side."""
    dice = Dice(seed)
    ask_price = dice.whole(240, 1200)  # twentieths: 12.00 to 60.00
    through = dice.whole(0, 300)
    limit = Decimal(ask_price + through) / 20
    beyond = limit > Decimal(ask_price) / 20 * Decimal("1.1")
    symbol = leg("VX 18MAR20").instrument.symbol
    shown = quote(f"{Decimal(ask_price - 1) / 20} x {Decimal(ask_price) / 20}")
    intent = hedge("VX 18MAR20", 1, limit=str(limit), worst=str(limit))
    limits = replace(
        WIDE, price_collar_fraction=Decimal(5), order_premium_usd_max=Decimal(10_000_000)
    )
    verdict = reason_of(ask(intent, quotes=QUOTES | {symbol: shown}, limits=limits))
    assert verdict is (_R.THROUGH_MARKET if beyond else None), (limit, shown)


# --- the calendar ---------------------------------------------------------------------------------


def _vix_call_at(at: datetime, calendar: TradingCalendar) -> RefusalReason | None:
    text = "VIX 15JAN21 22 C"
    quotes = QUOTES | {option(text).symbol: quote("0.60 x 0.64")}
    return reason_of(ask(hedge(text), readiness=_at(at, calendar), quotes=quotes))


@drill("D11")
def the_market_closes_early(seed: int, folder: Path) -> None:
    """At a quarter past one nothing is sent any more, by our own table or an operator's word."""
    dice = Dice(seed)
    day = dice.pick([date(2020, 11, 27), date(2020, 12, 24)])
    closes_at = at_exchange(day, time(13, 15))
    assert _vix_call_at(closes_at - dice.whole(1, 3600) * _SECOND, CALENDAR) is None
    late = closes_at + dice.whole(0, 3 * 3600) * _SECOND
    assert _vix_call_at(late, CALENDAR) is _R.MARKET_CLOSED
    year, month = dice.whole(2024, 2027), dice.whole(1, 12)
    day = third_friday(year, month) - timedelta(days=2)
    told = overrides(folder, f"{day},early_close,{dice.word()}")
    calendar = build_calendar(date(year, 1, 1), date(year, 12, 31), told)
    if calendar.is_session(day):
        assert calendar.closes_at(day) == at_exchange(day, time(13, 15))
    ends = f"{dice.whole(9, 14):02d}{dice.whole(0, 59):02d}"  # Chicago, and we think 15:15
    if ends <= "1415":
        hours = f"20200210:0830-20200210:1515;20200211:0830-20200211:{ends}"
        (words,) = surprising_days(hours, "America/Chicago", CALENDAR)
        assert words.startswith("2020-02-11 closes at ")


@drill("D12")
def the_futures_trade_on_a_holiday(seed: int, folder: Path) -> None:
    """A holiday session of the futures exchange is none of ours."""
    dice = Dice(seed)
    day = dice.pick([date(2020, 4, 10), date(2020, 7, 3), date(2020, 11, 26)])
    at = at_exchange(day, time(dice.whole(8, 15), dice.whole(0, 59)))
    assert _vix_call_at(at, CALENDAR) is _R.MARKET_CLOSED
    future = hedge("VX 16DEC20", 1, limit="17.00", worst="17.00")
    quotes = QUOTES | {leg("VX 16DEC20").instrument.symbol: quote("16.95 x 17.00")}
    assert reason_of(ask(future, readiness=_at(at), quotes=quotes)) is _R.MARKET_CLOSED


@drill("D13")
def the_exchange_closes_at_short_notice(seed: int, folder: Path) -> None:
    """The operator's word closes the day; on a day no calendar knows nothing is sent."""
    dice = Dice(seed)
    calendar = build_calendar(date(2020, 1, 1), date(2021, 1, 31))
    day = dice.pick(calendar.sessions_between(date(2020, 2, 3), date(2020, 12, 22)))
    told = overrides(folder, f"{day},closed,{dice.word()}")
    closed = build_calendar(date(2020, 1, 1), date(2021, 1, 31), told)
    at = at_exchange(day, time(12, dice.whole(0, 59)))
    assert _vix_call_at(at, calendar) is None
    assert _vix_call_at(at, closed) is _R.MARKET_CLOSED
    beyond = at_exchange(date(2021, 2, 1) + timedelta(days=dice.whole(0, 900)), time(12))
    assert _vix_call_at(beyond, closed) is _R.NO_CALENDAR
    (words,) = surprising_days(f"{day:%Y%m%d}:CLOSED", "America/Chicago", calendar)
    assert words == f"{day} is closed"
    assert surprising_days(f"{day:%Y%m%d}:CLOSED", "America/Chicago", closed) == []
    known = dice.pick([date(2012, 10, 29), date(2018, 12, 5), date(2025, 1, 9)])
    assert not _long_calendar().is_session(known)


@drill("D14")
def a_weekly_expires_today(seed: int, folder: Path) -> None:
    """SPXW stops when equities close, fifteen minutes before its class."""
    dice = Dice(seed)
    stops_at = instant("2020-03-20 16:00")
    before = stops_at - dice.whole(1, 6 * 3600) * _SECOND
    assert reason_of(ask(close_condor(), readiness=_at(before))) is None
    after = stops_at + dice.whole(0, 14 * 60) * _SECOND
    assert reason_of(ask(close_condor(), readiness=_at(after))) is _R.EXPIRED
    expiry = dice.pick(_long_calendar().sessions_between(date(2022, 6, 1), date(2028, 3, 1)))
    equities_close = _long_calendar().equities_close_at(expiry)
    assert series_instants("SPXW", expiry, _long_calendar()).last_trade_at == equities_close


def _month(dice: Dice) -> tuple[int, int]:
    return dice.whole(2004, 2027), dice.whole(1, 12)


@drill("D15")
def a_monthly_settles_in_the_morning(seed: int, folder: Path) -> None:
    """AM-settled SPX trades last on the session before; nothing is sent from its close on."""
    calendar = _long_calendar()
    friday = third_friday(*_month(Dice(seed)))
    while not calendar.is_session(friday):
        friday = calendar.previous_session(friday)
    stops_at = series_instants("SPX", friday, calendar).last_trade_at
    before = calendar.previous_session(friday)
    assert stops_at == calendar.closes_at(before)
    contract = replace(option("SPX 20MAR20 3050 P"), expiry=friday)
    assert last_trade_at(contract, calendar) == stops_at
    assert series_instants("SPX", friday, calendar).settles_at == calendar.opens_at(friday)


@drill("D16")
def options_stop_before_their_future(seed: int, folder: Path) -> None:
    """VIX options stop at the close of the session before, VX on the morning of the day itself."""
    calendar = _long_calendar()
    year, month = _month(Dice(seed))
    expiry = vx_expiry(year, month, calendar)
    of_options = last_trade_at(replace(option("VIX 18MAR20 22 C"), expiry=expiry), calendar)
    of_future = last_trade_at(replace(instrument("VX 18MAR20"), expiry=expiry), calendar)
    assert of_options == calendar.closes_at(calendar.previous_session(expiry))
    assert of_future == at_exchange(expiry, time(9))
    assert of_options < of_future


@drill("D17")
def an_expiry_is_moved_by_a_holiday(seed: int, folder: Path) -> None:
    """The VIX expires on the published day, also where that is a Tuesday."""
    text = Dice(seed).pick([*_TUESDAYS, *_WEDNESDAYS])
    day = date.fromisoformat(text)
    assert vx_expiry(day.year, day.month, _long_calendar()) == day
    assert (day.weekday() == 1) is (text in _TUESDAYS)


# --- settlements and contracts --------------------------------------------------------------------


def _expire(books: Books, dice: Dice) -> None:
    _at_expiry(books)
    books.bench.at += timedelta(minutes=dice.whole(0, 60))


@drill("D18")
def a_settlement_stays_away(seed: int, folder: Path) -> None:
    """The position stays as it is, no value is guessed, and after a day it is overdue."""
    dice = Dice(seed)
    with some_books(folder) as books:
        _expire(books, dice)
        before = books.bench.ledger.positions()
        awaited = set(dice.some(sorted(before), dice.whole(1, 4)))
        books.bench.broker.change["fetch_cash_movements"] = lambda movements: tuple(
            each for each in movements if each.symbol not in awaited
        )
        assert BreakKind.POSITION not in kinds(books.look())
        found = books.look(after=timedelta(hours=dice.whole(24, 80)))
        assert kinds(found).count(BreakKind.SETTLEMENT_OVERDUE) == len(awaited)
        after = books.bench.ledger.positions()
        assert after == {symbol: before[symbol] for symbol in awaited}
        books.tell_the_truth()
        assert books.look() == []


Answer = list[ContractDetails]


def _told_otherwise(change: Callable[[Answer], Answer], error: type[Exception], words: str) -> None:
    """Let IB describe a contract otherwise; it is named, and not used."""

    async def whole() -> None:
        async with data_bench() as bench:
            ib = await bench.data.ready()
            question = ib.reqContractDetailsAsync

            async def answer(contract: Contract) -> Answer:
                return change(await question(contract))

            ib.reqContractDetailsAsync = answer
            with pytest.raises(error, match=words):
                await bench.qualifier.qualify([instrument("SPXW 20MAR20 3000 P")])

    in_real_time(whole())


@drill("D19")
def a_contract_is_ambiguous(seed: int, folder: Path) -> None:
    """Exactly one contract must be meant."""
    dice = Dice(seed)
    con_id, exchange = dice.whole(2, 10**8), dice.pick(["CBOE", "CBOE2", "SMART"])

    def twice(found: Answer) -> Answer:
        (one,) = found
        values: dict[str, Any] = one.contract.__dict__ | {"conId": con_id, "exchange": exchange}
        return dice.some([one, ContractDetails(contract=Contract(**values))], 2)

    _told_otherwise(twice, ContractAmbiguous, f"several contracts .*conId {con_id}")


@drill("D20")
def a_contract_changes_overnight(seed: int, folder: Path) -> None:
    """Other terms than the bot reckons with are refused, and the gate trades none of its class."""
    dice = Dice(seed)
    term, value = dice.pick(
        [*(("multiplier", str(n)) for n in (1, 10, 50, 1000)), ("currency", "EUR")]
    )

    def other(found: Answer) -> Answer:
        for each in found:
            setattr(each.contract, term, value)
        return found

    _told_otherwise(other, ContractUnknown, f"its {term} is {value}|IB has no contract")
    intent: OrderIntent = dice.pick([open_condor(), close_condor(), hedge()])
    changed: Leg = dice.pick(intent.legs)
    readiness = replace(READY, unqualified=frozenset({changed.instrument.symbol}))
    assert reason_of(ask(intent, readiness=readiness)) is _R.NOT_QUALIFIED
