"""Until when an order may rest, by the last trade of each series class."""

from datetime import timedelta

import pytest

from bot.engine.closing_times import ClosingTimes
from strategies.model.calendars import EXCHANGE_ZONE
from tests.bot.engine.fakes import hedge
from tests.bot.exchange.venue.fakes import ScriptedMarket
from tests.builders import condor_legs, instant
from tests.state import records

CALENDAR = ScriptedMarket().calendar
TIMES = ClosingTimes(calendar=CALENDAR, withdraw_before=timedelta(seconds=10))
CONDOR = records.condor_intent(
    "plan-1", "C0001", condor_legs("SPXW 05FEB20 3100/3150/3250/3300"), 1
)
MONTHLY = records.condor_intent(
    "plan-1", "C0002", condor_legs("SPX 21FEB20 3100/3150/3250/3300"), 1
)


def gone_by(order, now):
    """Return the New York time by which an order has to be gone."""
    return f"{TIMES.ends_at(order, instant(now)).astimezone(EXCHANGE_ZONE):%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("order", "now", "wanted"),
    [
        pytest.param(CONDOR, "2020-02-04 10:00", "02-04 16:14:50", id="a day before"),
        pytest.param(CONDOR, "2020-02-05 10:00", "02-05 15:59:50", id="fault D14"),
        pytest.param(MONTHLY, "2020-02-19 10:00", "02-19 16:14:50", id="two days before"),
        pytest.param(MONTHLY, "2020-02-20 10:00", "02-20 16:14:50", id="fault D15, Thursday"),
        pytest.param(MONTHLY, "2020-02-21 10:00", "02-20 16:14:50", id="fault D15, Friday"),
        pytest.param(
            hedge("VIX 18MAR20 25 C", 1, "0.50"), "2020-03-18 10:00", "03-17 16:14:50", id="D16"
        ),
        pytest.param(
            hedge("VX 18MAR20", 1, "17.00"), "2020-03-17 10:00", "03-17 16:14:50", id="D16, VX"
        ),
        pytest.param(
            hedge("VX 18MAR20", 1, "17.00"), "2020-03-18 08:00", "03-18 08:59:50", id="D16, 9:00"
        ),
    ],
)
def test_every_series_class_has_its_own_last_trade(order, now, wanted):
    """Fault D14, fault D15, fault D16: PM, AM and VX stop at different times."""
    assert gone_by(order, now) == wanted


def test_nothing_rests_where_there_is_no_session():
    sunday = instant("2020-02-02 12:00")
    assert TIMES.ends_at(CONDOR, sunday) == sunday
    assert TIMES.why_not_now(CONDOR, sunday).startswith("its market closes")


def test_nothing_opens_in_the_last_minutes_and_reductions_go_on():
    times = ClosingTimes(calendar=CALENDAR, no_opens_before=timedelta(minutes=30))
    opens = hedge("VIX 18MAR20 25 C", 1, "0.50")
    closes = hedge("-1 VIX 18MAR20 25 C", 1, "-0.50")
    early, late = instant("2020-02-04 15:44:59"), instant("2020-02-04 15:45")
    assert times.why_not_now(opens, early) is None
    assert times.why_not_now(opens, late) == "nothing opens in the last 30 minutes"
    assert times.why_not_now(closes, late) is None
    assert times.why_not_now(closes, instant("2020-02-04 16:14:50")) == (
        "its market closes; orders had to be gone by 16:14:50"
    )


def test_i22_nothing_is_sent_in_a_series_after_its_last_trade(make_bench):
    """Invariant I22, fault D14: at 16:00 on its expiry SPXW trades no longer, SPX options do."""
    bench = make_bench(at=instant("2020-02-05 16:00"))
    opened = records.condor_open("C0001", condor_legs("SPXW 05FEB20 3100/3150/3250/3300"), 1)
    bench.decide(CONDOR, opens=(opened,))
    bench.carry_out()
    assert [(status, filled) for _, status, filled, _ in bench.orders()] == [("CANCELLED", 0)]
    assert bench.lives() == [["PLANNED", "CANCELLED"]]
    assert bench.exchange.orders() == ()
