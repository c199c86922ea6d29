"""A paper account through days on which things go wrong, as they do at IB.

Whatever happens the bot decides when its data is good, says why when it does not, never doubles an
order, agrees with the account to the cent each evening, and goes on by itself.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from bot.gateway.fault_plan import PlannedFault
from bot.gateway.faults import FaultKind
from tests.bot.brokers.ib.worlds import spring
from tests.builders import instant
from tests.simulation.paper_account import PaperAccount

HOURLY = 'interval_minutes: 60, first_interval: "10:00", last_interval: "16:00"'


def fault(kind: FaultKind, at: str, seconds: float = 60, **details: object) -> PlannedFault:
    """Return something that goes wrong by itself at a New York time."""
    return PlannedFault(kind=kind, at=instant(at), details={"seconds": seconds, **details})


def lived(
    folder, faults: Sequence[PlannedFault], *lives: tuple[str, str], **how: object
) -> PaperAccount:
    """Live through some days, once or by several processes, and check what must always hold."""
    account = PaperAccount(folder=folder, market=spring(), faults=faults, **how)
    for begin, until in lives:
        outcome = account.live(begin, until)
        assert outcome.halted is None
        assert outcome.differences == ()
    assert account.wrong == [], "books and exchange agree every evening"
    assert account.doubled() == []
    struck = {each.kind for each in account.plan.struck}
    assert {each.kind for each in faults} <= struck, "what did not go wrong proves nothing"
    assert account.breaches() == 0, "IB's pacing was broken"
    return account


# --- nights and a weekend -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weekend(tmp_path_factory) -> PaperAccount:
    """From Thursday to Tuesday: a reset each night, a weekend without IB, a login on Monday."""
    faults = [
        fault(FaultKind.NIGHTLY_RESET, "2020-02-06 23:45", 3600),
        fault(FaultKind.NIGHTLY_RESET, "2020-02-07 23:45", 3600),
        fault(
            FaultKind.CONNECTIVITY_LOST,
            "2020-02-08 02:00",
            8 * 3600,
            data_kept=False,
            repeat_every=600,
        ),
        fault(FaultKind.WEEKLY_LOGIN, "2020-02-09 01:00", 34.5 * 3600),  # until Monday 11:30
        fault(FaultKind.NIGHTLY_RESET, "2020-02-10 23:45", 3600),
    ]
    folder = tmp_path_factory.mktemp("weekend")
    return lived(folder, faults, ("2020-02-06 09:00", "2020-02-11 18:00"), schedule=HOURLY)


def test_a_reset_each_night_is_not_noticed_in_the_morning(weekend):
    for day in ("2020-02-06", "2020-02-07", "2020-02-11"):
        looks = weekend.looks(day)
        assert len(looks) == 7
        assert set(looks.values()) <= {"ran", "skipped: decided before"}


def test_the_first_look_of_a_session_takes_seconds_though_it_keeps_to_the_pacing(weekend):
    for session in (6, 7, 11):
        first = next(each for each in weekend.decided if each.session.day == session)
        assert first.at - instant(f"{first.session} 10:00") < timedelta(seconds=10)


def test_without_the_login_of_the_week_each_look_says_what_to_do(weekend):
    looks = weekend.looks("2020-02-10")
    assert "second factor is needed each Sunday" in looks["10:00"]
    assert "second factor is needed each Sunday" in looks["11:00"]
    assert looks["12:00"] == "ran"


def test_every_session_is_booked(weekend):
    booked = [job.outcome for job in weekend.jobs("end_of_day")]
    assert booked == ["ran"] * 4
    assert [each.session.day for each in weekend.days] == [6, 7, 10, 11]


def test_something_was_traded(weekend):
    assert weekend.exchange.positions()
    assert weekend.order_states()["FILLED"] > 0


# --- a day on which the data fails ----------------------------------------------------------------


@pytest.fixture(scope="module")
def bad_day(tmp_path_factory) -> PaperAccount:
    """One fault an hour, a quarter of an hour or so each, over a look."""
    faults = [
        fault(
            FaultKind.CONNECTIVITY_LOST,
            "2020-02-24 10:25",
            600,
            data_kept=False,
            repeat_every=20,
        ),
        fault(FaultKind.CONNECTIVITY_LOST, "2020-02-24 11:25", 600, repeat_every=20),
        fault(FaultKind.MARKET_FARM_DOWN, "2020-02-24 12:25", 600),
        fault(FaultKind.HALF_OPEN, "2020-02-24 13:25", 600),
        fault(FaultKind.SILENT_DELAYED_DATA, "2020-02-24 15:25", 600),
        fault(FaultKind.CONNECTIVITY_LOST, "2020-02-24 16:19", 600, repeat_every=20),
        # as at IB: the first positions after a connection come late
        PlannedFault(kind=FaultKind.POSITIONS_LATE, times=None, details={"seconds": 3}),
    ]
    return lived(
        tmp_path_factory.mktemp("day"),
        faults,
        ("2020-02-24 09:00", "2020-02-24 12:10"),
        ("2020-02-24 12:15", "2020-02-24 18:00"),
        schedule='interval_minutes: 30, first_interval: "10:00", last_interval: "16:00"',
    )


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("10:30", "no connection to IB (1100)"),
        ("11:30", "no connection to IB (1100)"),
        ("12:30", "market data farm"),
        ("13:30", "did not answer within 10 s"),
        ("15:30", "are delayed"),
    ],
)
def test_a_look_at_bad_data_is_skipped_with_the_reason_and_the_next_is_not(bad_day, at, reason):
    looks = bad_day.looks("2020-02-24")
    assert looks[at].startswith("skipped: ")
    assert reason in looks[at]
    following = f"{int(at[:2]) + 1}:00"
    assert looks[following] == "ran"


def test_quotes_come_again_after_data_was_lost(bad_day):
    after = next(each for each in bad_day.decided if f"{each.at:%H:%M}" == "16:00")  # 11:00
    assert after.spx is not None
    assert len(after.futures) >= 4


def test_a_day_that_could_not_be_booked_is_booked_in_the_evening(bad_day):
    skipped = bad_day.jobs("end_of_day")[-1]
    assert skipped.outcome == "skipped"
    assert "1100" in skipped.note
    again = bad_day.jobs("end_of_day_again")
    assert [job.outcome for job in again] == ["ran"]
    assert [each.session for each in bad_day.days] == [date(2020, 2, 24)]


# --- orders and what happens to them on their way -------------------------------------------------


def of_order(kind: FaultKind, nth: int, message: str = "placeOrder", **details: object):
    matching = {"message_kind": message} if kind is FaultKind.SOCKET_CLOSED else {}
    return PlannedFault(kind=kind, nth=nth, matching=matching, details=details)


@pytest.fixture(scope="module")
def bad_orders(tmp_path_factory) -> PaperAccount:
    """Two days of entries and hedges; orders and cancels are cut off, lost, refused."""
    faults = [
        of_order(FaultKind.SOCKET_CLOSED, 2, processed=True),
        of_order(FaultKind.WHAT_IF_SILENT, 2),
        of_order(FaultKind.LOST_ACK, 2),
        of_order(FaultKind.ORDER_REJECTED, 4, text="no margin"),
        of_order(FaultKind.SOCKET_CLOSED, 2, "cancelOrder", processed=True),
        of_order(FaultKind.SOCKET_CLOSED, 4, "cancelOrder"),
        of_order(FaultKind.CANCEL_IGNORED, 5),
        of_order(FaultKind.COMMISSION_LATE, 2, seconds=4),
        of_order(FaultKind.FILLED_BEFORE_EXECUTION, 2, seconds=2),
        of_order(FaultKind.ORDER_DROPPED, 14),
        of_order(FaultKind.SOCKET_CLOSED, 36),
        PlannedFault(kind=FaultKind.WHAT_IF_UNSET_FIRST, times=None),
        fault(FaultKind.NIGHTLY_RESET, "2020-02-24 23:45", 3600),
        fault(FaultKind.SOCKET_CLOSED, "2020-02-25 16:19:59"),
    ]
    return lived(
        tmp_path_factory.mktemp("orders"),
        faults,
        ("2020-02-24 09:00", "2020-02-25 18:00"),
        schedule='interval_minutes: 15, first_interval: "10:00", last_interval: "12:30"',
    )


def test_orders_that_are_cut_off_or_lost_are_neither_doubled_nor_forgotten(bad_orders):
    states = bad_orders.order_states()
    assert states["FILLED"] > 2
    assert set(states) <= {"FILLED", "CANCELLED", "REJECTED"}, "nothing is left in doubt overnight"


def test_a_connection_that_ends_as_the_day_is_booked_does_not_matter(bad_orders):
    assert [job.outcome for job in bad_orders.jobs("end_of_day")] == ["ran", "ran"]


# --- a month --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_month_with_a_crash_and_a_reset_each_night(tmp_path):
    first = date(2020, 2, 21)
    days = [first + timedelta(days=number) for number in range(31)]
    faults = [fault(FaultKind.NIGHTLY_RESET, f"{day} 23:45", 3600) for day in days]
    faults += [
        fault(FaultKind.WEEKLY_LOGIN, f"{day} 01:00", 12 * 3600) for day in days if is_sunday(day)
    ]
    lives = ("2020-02-21 09:00", "2020-03-23 18:00")
    account = lived(tmp_path, faults, lives, schedule=HOURLY)
    assert len(account.days) == 22
    assert len(account.decided) == 22 * 7
    kinds = {kind for (kind,) in account.rows("SELECT kind FROM cash_movements")}
    assert kinds == {"DEPOSIT", "VARIATION"}


def is_sunday(day: date) -> bool:
    return day.isoweekday() == 7
