"""The gate on sessions and last trades (I22), to the second, with early and missing closes."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from strategies.model.instruments import Instrument
from strategies.risk.gate import RefusalReason, last_trade_at
from tests.builders import future, instant, leg, option, quote, weekday_calendar
from tests.strategies.risk.test_gate import QUOTES, READY, ask, close_condor, hedge, reason

_R = RefusalReason
CALENDAR = weekday_calendar(
    date(2020, 1, 2),
    date(2020, 12, 31),
    holidays=[date(2020, 4, 10), date(2020, 7, 3), date(2020, 11, 26)],  # Good Friday among them
    early_closes=[date(2020, 11, 27), date(2020, 12, 24)],
)
A_SECOND = timedelta(seconds=1)


def ready_at(text: str, calendar=CALENDAR):
    now = instant(text)
    return replace(READY, at=now, quotes_at=now, calendar=calendar)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2020-02-03 09:29:59", _R.MARKET_CLOSED),
        ("2020-02-03 09:30", None),
        ("2020-02-03 16:14:59", None),
        ("2020-02-03 16:15", _R.MARKET_CLOSED),
        ("2020-02-01 12:00", _R.MARKET_CLOSED),  # a Saturday
        ("2020-03-09 09:30", None),  # the clocks have changed
        ("2020-03-09 09:29:59", _R.MARKET_CLOSED),
        ("2019-12-31 12:00", _R.NO_CALENDAR),
        ("2021-01-04 12:00", _R.NO_CALENDAR),
    ],
)
def test_i22_orders_are_sent_in_regular_hours_only(at, expected):
    """Fault D12: a holiday session of the futures exchange is no session either."""
    assert reason(ask(hedge(), readiness=ready_at(at))) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2020-11-27 13:14:59", None),
        ("2020-11-27 13:15", _R.MARKET_CLOSED),
        ("2020-12-24 13:14:59", None),
        ("2020-12-24 13:15", _R.MARKET_CLOSED),
        ("2020-11-26 12:00", _R.MARKET_CLOSED),
    ],
)
def test_an_early_close_ends_the_day(at, expected):
    """Fault D11: 24 December closes at 13:15, whatever a calendar library thinks."""
    text = "VIX 15JAN21 22 C"
    quotes = QUOTES | {option(text).symbol: quote("0.60 x 0.64")}
    assert reason(ask(hedge(text), readiness=ready_at(at), quotes=quotes)) is expected


LAST_TRADES = [
    (option("SPXW 20MAR20 3050 P"), "2020-03-20 16:00"),  # fault D14: not 16:15
    (option("SPXW 27NOV20 3050 P"), "2020-11-27 13:00"),  # half a day: not 13:15
    (option("SPX 20MAR20 3050 P"), "2020-03-19 16:15"),  # fault D15: the Thursday before
    (option("VIX 18MAR20 22 C"), "2020-03-17 16:15"),  # fault D16: Tuesday
    (option("VIX 30NOV20 22 C"), "2020-11-27 13:15"),  # a Monday after half a day
    (future("VX 18MAR20"), "2020-03-18 09:00"),  # fault D16: Wednesday morning
    (future("VXM 18MAR20"), "2020-03-18 09:00"),
    # Fault D13: closed at short notice on the day itself
    (option("SPXW 10APR20 3050 P"), "2020-04-09 16:15"),
    (option("SPX 10APR20 3050 P"), "2020-04-09 16:15"),
    (future("VX 10APR20"), "2020-04-09 16:15"),
]


@pytest.mark.parametrize(("contract", "last"), LAST_TRADES, ids=str)
def test_i22_a_contract_trades_last_when_its_class_does(contract, last):
    assert last_trade_at(contract, CALENDAR) == instant(last)


def test_a_contract_beyond_the_calendar_trades_still():
    series = option("SPXW 31DEC20 3050 P")
    assert last_trade_at(series, CALENDAR) == instant("2020-12-31 16:00")
    assert last_trade_at(replace(series, expiry=date(2021, 1, 4)), CALENDAR) is None


def an_order_in(contract: Instrument):
    prices = {"limit": "17.00", "worst": "17.00"} if contract.root.startswith("VX") else {}
    return hedge(str(contract), 1, **prices)


@pytest.mark.parametrize("contract", ["VIX 18MAR20 22 C", "VIX 30NOV20 22 C"])
def test_i22_no_order_is_sent_from_the_last_trade_on(contract):
    last = last_trade_at(option(contract), CALENDAR)
    quotes = QUOTES | {option(contract).symbol: quote("0.60 x 0.64")}
    for at, expected in ((last - A_SECOND, None), (last, _R.MARKET_CLOSED)):
        readiness = replace(READY, at=at, quotes_at=at, calendar=CALENDAR)
        assert reason(ask(hedge(contract), readiness=readiness, quotes=quotes)) is expected
    next_day = CALENDAR.opens_at(CALENDAR.next_session(last.date()))
    readiness = replace(READY, at=next_day, quotes_at=next_day, calendar=CALENDAR)
    assert reason(ask(hedge(contract), readiness=readiness, quotes=quotes)) is _R.EXPIRED


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2020-03-20 15:59:59", None),
        ("2020-03-20 16:00", _R.EXPIRED),  # while the rest of the class trades until 16:15
        ("2020-03-20 16:14", _R.EXPIRED),
        ("2020-03-23 10:00", _R.EXPIRED),
    ],
)
def test_d14_an_expiring_weekly_stops_when_equities_close(at, expected):
    """Fault D14."""
    assert reason(ask(close_condor(), readiness=ready_at(at))) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2020-03-17 16:14:59", None),
        ("2020-03-18 09:30", _R.EXPIRED),
    ],
)
def test_d16_a_future_s_last_session_is_the_day_before_its_expiry(at, expected):
    """Fault D16: its last half hour on the Wednesday lies outside regular hours."""
    order = an_order_in(leg("VX 18MAR20").instrument)
    assert reason(ask(order, readiness=ready_at(at))) is expected


def test_a_calendar_that_begins_with_an_expiry_cannot_say_when_it_stopped():
    late = weekday_calendar(date(2020, 3, 18), date(2020, 12, 31))
    assert reason(ask(hedge(), readiness=ready_at("2020-03-18 10:00", late))) is _R.NO_CALENDAR
    assert reason(ask(hedge(), readiness=ready_at("2020-03-19 10:00", late))) is _R.NO_CALENDAR
