"""Bars: what is official of past days, what was quoted since, and never anything to come."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.calendars.build import build_calendar
from bot.exchange.replay import ReplayMarket
from bot.gateway import words
from bot.gateway.bar_requests import BarsRefused, read_bar_request
from bot.gateway.bars import head_timestamp, historical_data, historical_update
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.stands import stand_quote
from bot.gateway.protocol.codec import encode_reply
from bot.history.store import History
from strategies.model.calendars import at_exchange
from strategies.model.instruments import FutureContract, OptionContract, Right
from tests.ib_client import Decoder, Wrapper, parse_ib_datetime

FIRST, LAST = date(2025, 6, 2), date(2025, 6, 30)
FRIDAY = date(2025, 6, 20)  # the third one: SET is published; Juneteenth was the day before
JULY_VX = FutureContract("VX", date(2025, 7, 16))
PUT = OptionContract("SPXW", date(2025, 7, 18), Right.PUT, Decimal(5900))


@cache
def market() -> ReplayMarket:
    calendar = build_calendar(date(2003, 1, 1), date(2026, 12, 31))
    return ReplayMarket(History.bundled(), calendar, first=FIRST, last=LAST, seed=7)


@cache
def book() -> ContractBook:
    return ContractBook(market())


def listed(name):
    if isinstance(name, str):
        stands = {"SPY": ("STK", "SMART"), "EUR": ("CASH", "IDEALPRO")}
        if name not in stands:
            return book().index(name)
        sec_type, exchange = stands[name]
        described = words.Contract(symbol=name, sec_type=sec_type, exchange=exchange)
        return book().one(described, at_exchange(FRIDAY, time(11)))
    return book().of(name)


def request(duration="1 D", size="1 day", shown="TRADES", end="", **more):
    return {
        "reqId": 5,
        "endDateTime": end,
        "barSize": size,
        "duration": duration,
        "whatToShow": shown,
        "useRTH": True,
        "formatDate": 1,
    } | more


def bars_of(name, at, **fields):
    return historical_data(request(**fields), listed(name), market(), at).values["bars"]


def closes_of(name, at, **fields):
    return {bar["date"]: bar["close"] for bar in bars_of(name, at, **fields)}


def clock(hour, minute=0, day=FRIDAY):
    return at_exchange(day, time(hour, minute))


# --- daily bars -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SPX", "VIX", "VVIX", "VIX3M", "SKEW"])
def test_daily_closes_are_those_of_the_market_to_the_last_digit(name):
    at = clock(8)
    known = market().closes(name, FRIDAY)

    told = closes_of(name, at, duration="20 Y")

    recent = known.day > np.datetime64("2005-07-01")
    assert len(told) > 3900
    expected = {
        f"{day:%Y%m%d}": close
        for day, close in zip(known.day[recent].tolist(), known.close[recent].tolist(), strict=True)
    }
    assert {day: close for day, close in told.items() if day in expected} == expected


def test_a_duration_in_days_counts_sessions_and_the_one_under_way():
    days = [bar["date"] for bar in bars_of("SPX", clock(11), duration="3 D")]

    assert days == ["20250617", "20250618", "20250620"]


def test_the_bar_of_the_day_under_way_is_made_of_what_has_been_seen():
    at = clock(11, 3)
    seen = [
        market().index_at("SPX", clock(9, 30) + timedelta(seconds=10 * n)) for n in range(93 * 6)
    ]

    bar = bars_of("SPX", at)[-1]

    assert bar["date"] == "20250620"
    assert bar["open"] == seen[0]
    assert bar["close"] == market().index_at("SPX", at)
    assert min(seen) <= bar["low"] <= bar["high"] <= max(seen)


def test_daily_bars_of_an_index_are_the_recorded_ones():
    history = History.bundled().daily("SPX")
    row = history.rows_before(date(2025, 6, 18))

    bar = bars_of("SPX", clock(8), duration="1 D")[0]

    assert bar["date"] == "20250618"
    assert [bar[key] for key in ("open", "high", "low", "close")] == [
        history.open[row],
        history.high[row],
        history.low[row],
        history.close[row],
    ]


def test_every_daily_bar_holds_together():
    for name in ("SPX", "VIX", "VVIX", "SKEW", "SPY"):
        for bar in bars_of(name, clock(8), duration="30 Y"):
            assert bar["low"] <= min(bar["open"], bar["close"])
            assert max(bar["open"], bar["close"]) <= bar["high"]


@pytest.mark.parametrize(
    ("name", "at", "is_official"),
    [
        ("SPX", clock(15, 59), False),
        ("SPX", clock(16, 0), True),
        ("VIX", clock(16, 14), False),
        ("VIX", clock(16, 15), True),
    ],
)
def test_an_official_close_is_told_once_the_index_has_closed(name, at, is_official):
    close = market().closes(name, FRIDAY + timedelta(days=1)).close[-1]

    assert bool(bars_of(name, at)[-1]["close"] == close) is is_official


def test_a_future_closes_at_its_daily_settlement():
    told = closes_of(JULY_VX, clock(16, 0), duration="5 D")

    sessions = [date(2025, 6, day) for day in (13, 16, 17, 18, 20)]
    assert told == {f"{day:%Y%m%d}": market().daily_settle(JULY_VX, day) for day in sessions}
    before = closes_of(JULY_VX, clock(15, 59), duration="5 D")
    assert before["20250620"] != told["20250620"]


def test_the_last_bar_of_a_future_is_its_final_settlement_once_published():
    june = FutureContract("VX", date(2025, 6, 18))
    day = {"duration": "1 D", "end": "20250618 09:30:00 US/Eastern"}

    assert closes_of(june, clock(11), **day) == {"20250618": market().settlement_value(june)}
    assert closes_of(june, clock(9, 29, june.expiry)).keys() == {"20250617"}


def test_set_is_told_on_the_days_options_settle_to_it():
    option = OptionContract("SPX", FRIDAY, Right.CALL, Decimal(6000))
    value = market().settlement_value(option)

    assert closes_of("SET", clock(9, 30))["20250620"] == value
    assert list(closes_of("SET", clock(9, 29), duration="3 M")) == ["20250417", "20250516"]


def test_vro_is_told_on_the_days_futures_settle_to_it():
    june = FutureContract("VX", date(2025, 6, 18))

    assert closes_of("VRO", clock(9)) == {"20250618": market().settlement_value(june)}


def test_an_options_bars_are_made_of_its_quotes():
    bar = bars_of(PUT, clock(8), duration="1 D", shown="ASK")[-1]

    assert bar["date"] == "20250618"
    assert bar["close"] == market().quote(PUT, clock(16, 15, date(2025, 6, 18))).ask


@pytest.mark.parametrize(
    ("size", "last"), [("1 week", "20250620"), ("1W", "20250620"), ("1 month", "20250620")]
)
def test_weeks_and_months_gather_days(size, last):
    days = bars_of("SPX", clock(16), duration="3 M")
    gathered = bars_of("SPX", clock(16), duration="3 M", size=size)

    assert gathered[-1]["date"] == last
    assert gathered[-1]["close"] == days[-1]["close"]
    assert gathered[0]["open"] == days[0]["open"]
    assert max(bar["high"] for bar in gathered) == max(bar["high"] for bar in days)


# --- intraday bars ----------------------------------------------------------------------------


def test_a_session_of_minutes():
    bars = bars_of("SPX", clock(18), size="1 min")

    assert len(bars) == 405
    assert bars[0]["date"] == "20250620 08:30:00 US/Central"
    assert bars[-1]["date"] == "20250620 15:14:00 US/Central"
    assert bars[-1]["close"] == market().index_at("SPX", clock(16, 15))
    third = [market().index_at("SPX", clock(9, 32) + timedelta(seconds=10 * n)) for n in range(6)]
    assert [bars[2][key] for key in ("open", "high", "low", "close")] == [
        third[0],
        max(third),
        min(third),
        third[-1],
    ]


def test_hours_begin_on_the_hour():
    bars = bars_of("SPX", clock(11, 20), size="1 hour")

    assert [bar["date"][9:14] for bar in bars] == ["08:30", "09:00", "10:00"]


def test_seconds_count_back_from_the_last_trade():
    bars = bars_of("SPX", clock(20), duration="3600 S", size="5 mins", formatDate=2)

    starts = [datetime.fromtimestamp(int(bar["date"]), UTC) for bar in bars]
    assert starts[0] == clock(15, 15)
    assert starts[-1] == clock(16, 10)


def test_quotes_have_sides():
    bid, ask, mid, both = (
        bars_of(JULY_VX, clock(12), size="30 mins", shown=shown)[2]
        for shown in ("BID", "ASK", "MIDPOINT", "BID_ASK")
    )

    assert bid["open"] < mid["open"] < ask["open"]
    assert (both["low"], both["high"]) == (bid["low"], ask["high"])
    assert mid["volume"] == -1


def test_an_expiring_option_has_no_bars_after_its_last_trade():
    expiring = OptionContract("SPXW", FRIDAY, Right.PUT, Decimal(6000))

    bars = bars_of(expiring, clock(17), size="15 mins")

    assert bars[-1]["date"] == "20250620 14:45:00 US/Central"


def test_a_watchdogs_probe_is_answered_at_any_hour():
    probe = request(duration="30 S", size="5 secs", shown="MIDPOINT")

    bars = historical_data(probe, listed("EUR"), market(), clock(3)).values["bars"]

    assert len(bars) == 6


def test_a_stock_follows_the_index():
    spy = bars_of("SPY", clock(12), size="1 hour")[-1]["close"]

    assert spy == pytest.approx(market().index_at("SPX", clock(12)) / 10, abs=0.01)
    quote = stand_quote(market(), listed("SPY"), clock(12))
    assert quote.bid < spy < quote.ask
    assert stand_quote(market(), listed("SPY"), clock(3)) is None


def test_an_update_is_the_bar_under_way():
    at = clock(11, 3)
    kept = request(size="5 mins", keepUpToDate=True)

    update = historical_update(kept, listed("SPX"), market(), at)

    last = bars_of("SPX", at, size="5 mins")[-1]
    assert {key: update.values[key] for key in last} == last
    assert historical_update(request(), listed("SPX"), market(), at).values["date"] == "20250620"
    assert historical_update(kept, listed("SET"), market(), at) is None


def test_a_schedule_is_not_kept_up_to_date():
    with pytest.raises(BarsRefused, match="no data"):
        historical_update(request(shown="SCHEDULE"), listed("SPX"), market(), clock(11))


# --- nothing of the future --------------------------------------------------------------------


names = st.sampled_from(["SPX", "VIX", "VRO", "SET", "SKEW", "SPY", JULY_VX, PUT])
sizes = st.sampled_from(["1 day", "1 hour", "10 mins", "1 week"])
instants = st.builds(
    lambda day, minute: (
        clock(0, 0, date(2025, 6, 4) + timedelta(days=day)) + timedelta(minutes=minute)
    ),
    st.integers(0, 20),
    st.integers(0, 24 * 60 - 1),
)


@settings(max_examples=60)  # an option's days have to be drawn
@given(names, sizes, instants, st.integers(0, 6 * 24 * 60))
def test_what_is_asked_later_of_an_instant_is_what_was_known_then(name, size, at, wait):
    later = at + timedelta(minutes=wait)
    end = f"{at.astimezone(UTC):%Y%m%d-%H:%M:%S}"

    assert _answer(name, at, "", size) == _answer(name, later, end, size)


@settings(max_examples=60)  # an option's days have to be drawn
@given(names, sizes, instants)
def test_an_end_to_come_is_now(name, size, at):
    tomorrow = f"{at.astimezone(UTC) + timedelta(days=1):%Y%m%d-%H:%M:%S}"

    assert _answer(name, at, "", size) == _answer(name, at, tomorrow, size)


def test_the_days_to_come_change_nothing():
    class Cut(ReplayMarket):
        """A market that ends on the Friday and therefore cannot know what follows."""

    calendar = build_calendar(date(2003, 1, 1), date(2026, 12, 31))
    cut = Cut(History.bundled(), calendar, first=FIRST, last=FRIDAY, seed=7)
    at = clock(13, 7)
    for name in ("SPX", "VIX", "SET", "VRO", JULY_VX, PUT):
        for size in ("1 day", "5 mins"):
            if name in ("SET", "VRO") and size != "1 day":
                continue
            asked = request(duration="2 D", size=size)
            told = historical_data(asked, listed(name), market(), at)
            assert historical_data(asked, listed(name), cut, at) == told


def _answer(name, at, end, size):
    try:
        return bars_of(name, at, duration="3 D", size=size, end=end)
    except BarsRefused as refused:
        return refused.text


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"size": "7 mins"}, 321, "bar size setting is invalid"),
        ({"duration": "soon"}, 321, "duration string is invalid"),
        ({"duration": "0 D"}, 321, "duration string is invalid"),
        ({"duration": "90000 S"}, 321, "longer than 86400 seconds"),
        ({"duration": "400 D"}, 321, "longer than 365 days must be made in years"),
        ({"duration": "20 M"}, 321, "longer than 365 days must be made in years"),
        ({"shown": "GUESSES"}, 321, "whatToShow"),
        ({"end": "yesterday"}, 321, "time-zone entered is invalid"),
        ({"end": "20250620 25:00:00"}, 321, "time-zone entered is invalid"),
        ({"end": "20250620 10:00:00 Mars/Base"}, 321, "time-zone entered is invalid"),
        ({"end": "20250619 10:00:00", "keepUpToDate": True}, 321, "keepUpToDate"),
        ({"shown": "SCHEDULE", "size": "1 min"}, 321, "SCHEDULE"),
        ({"shown": "BID"}, 162, "HMDS query returned no data: SPX@CBOE Bid"),
        ({"shown": "FEE_RATE"}, 162, "HMDS query returned no data"),
        ({"end": "19500101 10:00:00"}, 162, "HMDS query returned no data"),
        ({"shown": "SCHEDULE", "end": "19500101 10:00:00"}, 162, "no data"),
        ({"duration": "60 S", "size": "5 secs", "end": "20250602 09:00:00"}, 162, "no data"),
        ({"duration": "1 Y", "size": "1 secs"}, 162, "Time length exceed max"),
    ],
)
def test_a_request_is_refused_in_ibs_words(fields, code, text):
    with pytest.raises(BarsRefused, match=text) as refused:
        bars_of("SPX", clock(11), **fields)

    assert refused.value.code == code
    prefix = "Historical Market Data Service error message:" if code == 162 else "Error validating"
    assert refused.value.text.startswith(prefix)


def test_an_end_is_read_in_its_own_zone():
    ends = [
        read_bar_request(request(end=text)).end
        for text in (
            "20250620 10:00:00 US/Central",
            "20250620 11:00:00",
            "20250620-15:00:00",
            "20250620 11:00:00 US/Eastern",
        )
    ]

    assert set(ends) == {clock(11)}


# --- beginnings and schedules -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [("SPX", "19900102-14:30:00"), (JULY_VX, "20250122-14:30:00"), (PUT, "20250602-13:30:00")],
)
def test_the_first_bar_has_a_time(name, text):
    asked = {"reqId": 9, "whatToShow": "TRADES", "formatDate": 1}

    told = head_timestamp(asked, listed(name), market(), clock(11))

    assert told.values == {"reqId": 9, "text": text}
    epoch = head_timestamp(asked | {"formatDate": 2}, listed(name), market(), clock(11))
    assert datetime.fromtimestamp(int(epoch.values["text"]), UTC) == datetime.strptime(
        text, "%Y%m%d-%H:%M:%S"
    ).replace(tzinfo=UTC)


def test_what_has_no_bars_has_no_beginning():
    with pytest.raises(BarsRefused, match="No head time stamp"):
        head_timestamp(
            {"reqId": 9, "whatToShow": "BID", "formatDate": 1}, listed("SPX"), market(), clock(11)
        )


def test_a_schedule_lists_sessions():
    asked = request(duration="3 D", shown="SCHEDULE")

    told = historical_data(asked, listed("SPX"), market(), clock(11))

    assert told.kind == "historicalSchedule"
    assert told.values["timeZone"] == "US/Central"
    assert [each["refDate"] for each in told.values["sessions"]] == [
        "20250617",
        "20250618",
        "20250620",
    ]
    assert told.values["sessions"][-1] == {
        "start": "20250620-08:30:00",
        "end": "20250620-15:15:00",
        "refDate": "20250620",
    }


# --- as ib_insync reads them ------------------------------------------------------------------


class Reading(Wrapper):
    """Keeps what ib_insync's decoder makes of a message."""

    def __init__(self):
        self.heard = []

    def historicalData(self, _request, bar):
        self.heard.append(bar)

    def historicalDataEnd(self, *_):
        """Say nothing: the bars are what counts."""


@pytest.mark.parametrize(
    ("size", "form", "first"),
    [
        ("1 day", 1, date(2025, 6, 20)),
        ("1 hour", 1, clock(9, 30)),
        ("1 hour", 2, clock(9, 30)),
    ],
)
def test_ib_insync_reads_bars_as_they_are_meant(size, form, first):
    told = historical_data(
        request(size=size, formatDate=form), listed("SPX"), market(), clock(11, 3)
    )
    reading = Reading()

    Decoder(reading, 176).interpret(encode_reply(told, 176).decode().split("\0")[:-1])

    assert len(reading.heard) == len(told.values["bars"])
    bar, meant = reading.heard[0], told.values["bars"][0]
    assert parse_ib_datetime(bar.date) == first
    assert [bar.open, bar.high, bar.low, bar.close] == [
        meant[key] for key in ("open", "high", "low", "close")
    ]
