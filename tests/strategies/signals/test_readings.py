"""Signals of whole snapshots: thresholds, absence, staleness, and no look-ahead."""

from dataclasses import fields, replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.encoding import from_json, to_json
from strategies.model.errors import MissingData
from strategies.model.plan import Plan
from strategies.model.rules import Rules
from strategies.model.snapshots import EventAhead, EventKind
from strategies.signals.indicators import Side
from strategies.signals.readings import Signals, days_to_events, read_signals
from strategies.signals.series import SnapshotSeries
from tests.builders import instant, vx_futures
from tests.strategies.signals.builders import (
    AT,
    TODAY,
    VX1_EXPIRY,
    VX2_EXPIRY,
    cut,
    days_to_vx2,
    random_history,
    snapshot,
    wavy,
    with_columns,
)

RULES = Rules()
BARS = 420


def calm_history(**columns):
    """Bars that hardly move, and whatever the test is about."""
    calm = {
        "spx_close": wavy(BARS, 3250.0, 5.0),
        "vix_close": wavy(BARS, 16.0, 0.2),
        "vvix_close": wavy(BARS, 95.0, 0.5),
        "vx1_settle": wavy(BARS, 16.5, 0.1, 5.0),
        "vx2_settle": wavy(BARS, 17.0, 0.1, 7.0),
        "net_breadth": wavy(BARS, 0.0, 0.2, 4.0),
    }
    return with_columns(with_columns(random_history(), **calm), **columns)


def read(history=None, rules=RULES, **live) -> Signals:
    return read_signals(snapshot(history, **live), rules)


def with_signal_rules(**values):
    return replace(RULES, signals=replace(RULES.signals, **values))


# --- S1 and S2 ----------------------------------------------------------------------------------


def test_s1_rsi_of_vix_takes_todays_value_as_the_last_bar():
    history = calm_history()
    assert read(history, vix=25.0).rsi_vix > read(history, vix=16.0).rsi_vix
    assert read(history, vix=16.0).rsi_vix > read(history, vix=10.0).rsi_vix


def test_s1_low_is_strictly_below_its_threshold():
    reading = read().rsi_vix
    assert read(rules=with_signal_rules(rsi_vix_low=reading)).rsi_vix_low is False
    assert read(rules=with_signal_rules(rsi_vix_low=reading + 1e-9)).rsi_vix_low is True
    assert read(rules=with_signal_rules(rsi_vix_low=reading - 1e-9)).rsi_vix_low is False


def test_s1_of_the_l3_gate_has_its_own_period_and_the_same_threshold():
    quiet = read(calm_history(vix_close=np.linspace(18, 15, 8)), vix=14.0)
    assert quiet.rsi_vix_l3 < quiet.rsi_vix
    same = replace(RULES, layers=replace(RULES.layers, l3_rsi_period=14))
    assert read(rules=same).rsi_vix_l3 == read(rules=same).rsi_vix
    reading = read().rsi_vix_l3
    assert read(rules=with_signal_rules(rsi_vix_low=reading)).rsi_vix_l3_low is False
    assert read(rules=with_signal_rules(rsi_vix_low=reading + 1e-9)).rsi_vix_l3_low is True


def test_s2_weak_is_strictly_below_its_threshold():
    reading = read().rsi_spx
    assert read(rules=with_signal_rules(rsi_spx_weak=reading)).rsi_spx_weak is False
    assert read(rules=with_signal_rules(rsi_spx_weak=reading + 1e-9)).rsi_spx_weak is True
    assert read(rules=with_signal_rules(rsi_spx_weak=reading - 1e-9)).rsi_spx_weak is False


# --- S3 and S4 ----------------------------------------------------------------------------------


def test_s3_a_jump_turns_macd_bullish_and_a_fall_bearish():
    history = calm_history()
    up = read(history, vix=26.0, spx=3400.0, vvix=95.0)
    assert (up.macd_vix, up.macd_spx, up.macd_vvix_vix) == (
        Side.BULLISH,
        Side.BULLISH,
        Side.BEARISH,  # VVIX stayed, VIX rose
    )
    down = read(history, vix=11.0, spx=3000.0, vvix=95.0)
    assert (down.macd_vix, down.macd_spx, down.macd_vvix_vix) == (
        Side.BEARISH,
        Side.BEARISH,
        Side.BULLISH,
    )


def test_s3_crossed_today_only_where_yesterday_was_on_the_other_side():
    history = calm_history(vix_close=np.linspace(16, 20, 10))  # bullish for days
    assert read(history, vix=20.5).macd_vix is Side.BULLISH
    assert read(history, vix=20.5).macd_vix_crossed is False
    assert read(history, vix=12.0).macd_vix is Side.BEARISH
    assert read(history, vix=12.0).macd_vix_crossed is True


def test_s4_is_bullish_when_the_basis_turns_toward_backwardation():
    history = calm_history()
    rising = read(history, vx1=21.0, vx2=19.0)
    assert (rising.basis_macd, rising.basis_macd_crossed) in {
        (Side.BULLISH, True),
        (Side.BULLISH, False),
    }
    assert read(history, vx1=15.0, vx2=19.0).basis_macd is Side.BEARISH
    flipped = calm_history(vx1_settle=np.linspace(16.5, 15.5, 8))  # basis falls: bearish
    assert read(flipped, vx1=19.0, vx2=17.0).basis_macd_crossed is True


def test_s4_needs_more_bars_than_s3_because_its_slow_average_is_slower():
    history = cut(calm_history(), slice(BARS - 141, BARS))
    assert read(history).macd_vix is not None
    assert read(history).basis_macd is None
    assert read(cut(calm_history(), slice(BARS - 142, BARS))).basis_macd is not None


# --- S5 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spx", "breadth", "expected"),
    [
        (3260.0, np.full(19, -0.9), True),
        (3200.0, np.full(19, -0.9), False),  # 1.7 % below its high
        (3260.0, np.full(19, 0.1), False),
    ],
)
def test_s5_needs_both_an_index_near_its_high_and_lagging_breadth(spx, breadth, expected):
    assert read(calm_history(net_breadth=breadth), spx=spx).ad_divergence is expected


def test_s5_todays_spx_makes_the_high():
    history = calm_history(net_breadth=np.full(19, -0.9), spx_close=np.full(20, 3300.0))
    edge = 3300.0 * 0.995
    assert read(history, spx=edge).ad_divergence is True
    assert read(history, spx=edge - 0.01).ad_divergence is False
    assert read(history, spx=3400.0).ad_divergence is True


# --- S6 and S7 ----------------------------------------------------------------------------------


def test_s6_slope_is_live_vx2_over_live_vix_per_day_to_expiry():
    days = (VX2_EXPIRY - TODAY).days
    assert read(vix=15.0, vx2=17.2).slope == pytest.approx(2.2 / days, abs=1e-9)


def test_s6_three_falling_days_count_today():
    history = calm_history(
        vix_close=np.full(6, 16.0),
        vx2_settle=np.array([17.0, 18.0, 17.8, 17.5]),
        vx2_days=np.full(10, 45.0),
    )
    assert read(history, vix=16.0, vx2=17.0).slope_falling_days == 3
    assert read(history, vix=16.0, vx2=17.5).slope_falling_days == 0
    # the last close's slope is 1.5 / 45; today's 1.4667 / 44 is the same
    assert read(history, vix=16.0, vx2=16.0 + 1.5 / 45 * 44).slope_falling_days == 0
    assert read(history, vix=16.0, vx2=16.0 + 1.5 / 45 * 44 - 0.01).slope_falling_days == 3


def test_s7_backwardation_is_measured_in_percent_and_in_points():
    reading = read(vx1=21.0, vx2=20.0)
    assert reading.backwardation_fraction == 0.05
    assert reading.backwardation_points == 1.0


def test_s7_takes_the_first_two_monthlies_that_expire_after_today():
    curve = {
        date(2020, 2, 19): 20.0,
        date(2020, 3, 18): 19.0,
        date(2020, 4, 15): 18.0,
    }
    reading = read(curve=curve, at=instant("2020-02-18 10:00"))
    assert reading.backwardation_points == 1.0
    on_expiry = read(
        curve=curve,
        at=instant("2020-02-19 10:00"),
        history=random_history(before=date(2020, 2, 19)),
    )
    assert on_expiry.backwardation_points == 1.0
    assert on_expiry.backwardation_fraction == pytest.approx(19 / 18 - 1, abs=1e-9)


@pytest.mark.parametrize(
    ("curve", "name"),
    [
        ({}, "VX1"),
        ({date(2020, 2, 19): 16.0}, "VX2"),
        ({date(2020, 2, 19): 16.0, date(2020, 4, 15): 17.0}, "VX2"),  # March is not quoted
        ({date(2020, 3, 18): 16.0, date(2020, 4, 15): 17.0}, "VX1"),  # February is not quoted
    ],
)
def test_s7_a_month_that_is_not_quoted_is_never_taken_for_the_next(curve, name):
    reading = read(curve=curve)
    assert reading.backwardation_points is None
    assert f"S7 backwardation_points: {name} is not quoted" in reading.missing


def test_s7_minis_and_one_sided_markets_are_no_curve():
    taken = snapshot()
    minis = replace(
        taken.market,
        futures=vx_futures(at=AT, curve={VX1_EXPIRY: 16, VX2_EXPIRY: 17}, roots=["VXM"]),
    )
    assert read_signals(replace(taken, market=minis), RULES).backwardation_points is None
    no_bid = replace(
        taken.market, futures=tuple(replace(quote, bid=0.0) for quote in taken.market.futures)
    )
    reading = read_signals(replace(taken, market=no_bid), RULES)
    assert reading.backwardation_fraction is None
    assert "S7 backwardation_fraction: VX 19FEB20 is 0.0 x 16.525" in reading.missing


# --- S8 -----------------------------------------------------------------------------------------


def read_vix_moving_alone(jump, rules=RULES):
    history = random_history()
    return read(
        history,
        rules,
        vix=float(history.vix_close[-1]) + jump,
        spx=float(history.spx_close[-1]),
        vx1=float(history.vx1_settle[-1]),
        vx2=float(history.vx2_settle[-1]),
    )


@pytest.mark.parametrize("jump", [-6.0, 6.0])
def test_s8_is_a_dislocation_strictly_beyond_its_threshold_on_either_side(jump):
    z = read_vix_moving_alone(jump).dislocation_z
    assert np.sign(z) == np.sign(jump)

    def dislocated(threshold):
        return read_vix_moving_alone(jump, with_signal_rules(dislocation_z=threshold)).dislocated

    assert dislocated(abs(z)) is False
    assert dislocated(abs(z) - 1e-9) is True
    assert dislocated(abs(z) + 1e-9) is False


@pytest.mark.parametrize(("jump", "expected"), [(15.0, True), (-12.0, True), (0.0, False)])
def test_s8_vix_moving_alone_is_a_dislocation(jump, expected):
    assert read_vix_moving_alone(jump).dislocated is expected


# --- S11 ----------------------------------------------------------------------------------------


def event(kind, trading_days):
    return EventAhead(
        kind=kind, day=TODAY + timedelta(days=trading_days), trading_days=trading_days
    )


def test_s11_counts_trading_days_to_the_next_event_of_each_kind():
    events = (
        event(EventKind.FOMC, 9),
        event(EventKind.FOMC, 2),
        event(EventKind.CPI, 0),
    )
    assert days_to_events(events) == {EventKind.FOMC: 2.0, EventKind.CPI: 0.0, EventKind.PPI: None}
    reading = read(events=events)
    assert reading.values["S11 fomc_days"] == 2.0
    assert reading.values["S11 ppi_days"] is None
    assert reading.missing == ("S11 ppi_days: not in the event calendar",)


def test_s11_without_a_calendar_every_event_is_absent():
    reading = read(events=None)
    assert reading.events is None
    assert [line for line in reading.missing if line.startswith("S11")] == [
        f"S11 {kind}_days: not in the event calendar" for kind in EventKind
    ]


# --- readings for R3, R4 and L3 -----------------------------------------------------------------


def test_r3_the_day_change_is_against_the_newest_close():
    history = calm_history(vix_close=np.array([20.0]))
    assert read(history, vix=24.0).vix_day_change_points == 4.0
    assert read(history, vix=24.0).vix_day_change_fraction == 0.2
    history = calm_history(vix_close=np.array([13.9]))
    assert read(history, vix=17.9).vix_day_change_points == 4.0  # plain floats say 3.9999...


def test_r3_a_change_since_an_older_close_is_no_day_change():
    signals = read(calm_history(vix_close=np.array([20.0, np.nan])), vix=24.0)
    assert signals.vix_day_change_points is None
    assert signals.vix_day_change_fraction is None
    assert "R3 vix_day_change_points: VIX has no close of the session before" in signals.missing
    assert signals.vix_z5 is not None


def test_r3_below_the_5_day_mean_counts_today():
    history = calm_history(vix_close=np.array([20.0, 20.0, 20.0, 20.0]))
    assert read(history, vix=20.0).vix_below_5_mean is False
    assert read(history, vix=19.99).vix_below_5_mean is True
    assert read(history, vix=20.01).vix_below_5_mean is False


def test_r4_and_l3_compare_spx_with_its_means_and_with_5_days_ago():
    history = calm_history(spx_close=np.full(60, 3000.0))
    for live, below in ((3000.0, False), (2999.99, True), (3000.01, False)):
        reading = read(history, spx=live)
        assert reading.spx_below_sma50 is below
        assert reading.spx_below_sma20 is below
        assert reading.spx_below_5_days_ago is below
    steps = calm_history(spx_close=np.array([3000.0, 3100.0, 3100.0, 3100.0, 3100.0]))
    assert read(steps, spx=3000.0).spx_below_5_days_ago is False
    assert read(steps, spx=2999.0).spx_below_5_days_ago is True


# --- S9 and S13 ---------------------------------------------------------------------------------


def test_s9_is_the_z_of_the_newest_days_share_of_calls_among_the_days_before():
    flows = np.tile([0.1, 0.3], 10)  # mean 0.2, sigma 0.1
    newest = 0.5
    share = np.append(flows, newest)
    history = with_columns(
        random_history(), vix_call_volume=500 * (1 + share), vix_put_volume=500 * (1 - share)
    )
    assert read(history).order_flow_z == pytest.approx(3.0)
    mirrored = with_columns(
        random_history(), vix_call_volume=500 * (1 - share), vix_put_volume=500 * (1 + share)
    )
    assert read(mirrored).order_flow_z == pytest.approx(-3.0)
    assert read(history, with_signal_rules(order_flow_window=19)).order_flow_z != 3.0


def test_s9_leaves_out_days_without_any_volume_and_never_takes_them_for_zero():
    volumes = {
        name: getattr(random_history(), name) for name in ("vix_call_volume", "vix_put_volume")
    }
    quiet = {name: volume.copy() for name, volume in volumes.items()}
    for volume in quiet.values():
        volume[-5] = 0.0
    without = {name: np.delete(volume, BARS - 5) for name, volume in volumes.items()}
    expected = read(with_columns(random_history(), **without)).order_flow_z
    assert read(with_columns(random_history(), **quiet)).order_flow_z == expected


def test_s9_of_volumes_that_never_vary_is_absent():
    even = dict.fromkeys(("vix_call_volume", "vix_put_volume"), np.full(BARS, 1000.0))
    reading = read(with_columns(random_history(), **even))
    assert reading.order_flow_z is None
    assert "S9 order_flow_z: it did not vary" in reading.missing


def test_s9_has_no_trades_to_sign_and_every_plan_says_so():
    assert read().values["S9 trade_imbalance"] is None


def test_s13_reads_the_newest_closes_and_their_z_over_the_panels_window():
    closes = np.append(np.tile([120.0, 140.0], 126), 150.0)  # mean 130, sigma 10
    history = with_columns(random_history(), skew_close=closes, cor1m_close=closes / 10)
    reading = read(history)
    assert (reading.skew_index, reading.cor1m) == (150.0, 15.0)
    assert reading.skew_index_z == pytest.approx(2.0)
    assert reading.cor1m_z == pytest.approx(2.0)
    shorter = replace(RULES, panel=replace(RULES.panel, window=60))
    drifting = with_columns(random_history(), skew_close=np.linspace(100, 150, BARS))
    assert read(drifting, shorter).skew_index_z != read(drifting).skew_index_z


# --- absence ------------------------------------------------------------------------------------


def absent_names(reading: Signals) -> set[str]:
    return {
        entry.name
        for entry in fields(Signals)
        if getattr(reading, entry.name) is None and entry.name != "events"
    }


def named_missing(reading: Signals) -> set[str]:
    names = {line.split(":")[0].split(" ")[1] for line in reading.missing}
    return names - {f"{kind}_days" for kind in EventKind}


FROM_VIX = {
    "rsi_vix", "rsi_vix_low", "rsi_vix_l3", "rsi_vix_l3_low", "macd_vix", "macd_vix_crossed",
    "macd_vvix_vix", "macd_vvix_vix_crossed", "slope", "slope_falling_days", "dislocation_z",
    "dislocated", "vix_day_change_points", "vix_day_change_fraction", "vix_z5", "vix_below_5_mean",
}  # fmt: skip
FROM_SPX = {
    "rsi_spx", "rsi_spx_weak", "macd_spx", "macd_spx_crossed", "ad_divergence", "dislocation_z",
    "dislocated", "spx_below_sma50", "spx_below_sma20", "spx_below_5_days_ago",
}  # fmt: skip
FROM_LIVE_CURVE = {
    "basis_macd", "basis_macd_crossed", "slope", "slope_falling_days", "backwardation_fraction",
    "backwardation_points", "dislocation_z", "dislocated",
}  # fmt: skip
FROM_VVIX = {"macd_vvix_vix", "macd_vvix_vix_crossed"}
FROM_CURVE_CLOSES = {"contango_closes", "deep_backwardation_closes"}
FROM_OTHER_CLOSES = {"order_flow_z", "skew_index", "skew_index_z", "cor1m", "cor1m_z"}


@pytest.mark.parametrize(
    ("live", "absent"),
    [
        ({"vix": None}, FROM_VIX),
        ({"vix": 0.0}, FROM_VIX),
        ({"vix": float("nan")}, FROM_VIX),
        ({"spx": None}, FROM_SPX),
        ({"vvix": None}, FROM_VVIX),
        ({"curve": {}}, FROM_LIVE_CURVE),
        ({"futures_age": timedelta(seconds=121)}, FROM_LIVE_CURVE),
        ({"futures_age": timedelta(seconds=120)}, set()),
        ({"age": timedelta(seconds=120)}, set()),
        ({"age": timedelta(seconds=-2)}, set()),
        ({"age": timedelta(seconds=121)}, FROM_VIX | FROM_SPX | FROM_VVIX | FROM_LIVE_CURVE),
        ({"age": timedelta(seconds=-121)}, FROM_VIX | FROM_SPX | FROM_VVIX | FROM_LIVE_CURVE),
    ],
)
def test_a_live_input_that_is_missing_or_stale_takes_its_signals_and_no_others(live, absent):
    reading = read(**live)
    assert absent_names(reading) == absent
    assert named_missing(reading) == absent


@pytest.mark.parametrize(
    ("column", "absent"),
    [
        ("vix_close", FROM_VIX - {"slope"}),
        ("spx_close", FROM_SPX),
        ("vvix_close", FROM_VVIX),
        ("net_breadth", {"ad_divergence"}),
        ("vix_call_volume", {"order_flow_z"}),
        ("vix_put_volume", {"order_flow_z"}),
        ("skew_close", {"skew_index", "skew_index_z"}),
        ("cor1m_close", {"cor1m", "cor1m_z"}),
        (
            "vx1_settle",
            FROM_CURVE_CLOSES
            | (FROM_LIVE_CURVE - {"backwardation_fraction", "backwardation_points", "slope"}),
        ),
    ],
)
def test_a_column_that_ended_too_long_ago_takes_its_signals_and_no_others(column, absent):
    ended = with_columns(random_history(), **{column: np.full(3, np.nan)})
    reading = read(ended)  # the newest bar is that of Tuesday the 28th, six days before
    assert named_missing(reading) == absent_names(reading)
    assert absent_names(reading) == absent
    assert any(line.endswith("is 6 days old") for line in reading.missing)
    kept = with_columns(random_history(), **{column: np.full(2, np.nan)})
    of_one_day = {"vix_day_change_points", "vix_day_change_fraction"}
    assert absent_names(read(kept)) == (of_one_day if column == "vix_close" else set())


def test_a_history_that_ended_too_long_ago_takes_everything_that_needs_it():
    reading = read(at=instant("2020-02-06 10:00"))  # the newest bar is that of Friday the 31st
    assert absent_names(reading) == (
        FROM_VIX | FROM_SPX | FROM_VVIX | FROM_LIVE_CURVE | FROM_CURVE_CLOSES | FROM_OTHER_CLOSES
    ) - {"backwardation_fraction", "backwardation_points", "slope"}
    assert not absent_names(read(at=instant("2020-02-05 10:00")))


def test_a_gap_is_left_out_of_its_own_series_alone():
    history = random_history()
    gap = history.vvix_close.copy()
    gap[-30] = np.nan
    with_gap = with_columns(history, vvix_close=gap)
    others = np.delete(np.arange(BARS), BARS - 30)
    without_the_bar = cut(history, others)
    reading = read(with_gap)
    assert reading.macd_vvix_vix is read(without_the_bar).macd_vvix_vix
    assert reading.rsi_vix == read(history).rsi_vix
    assert not absent_names(reading)


@pytest.mark.parametrize(
    ("bars", "name"),
    [
        (129, "rsi_vix"),
        (129, "rsi_spx"),
        (129, "macd_spx"),
        (142, "basis_macd"),
        (273, "ad_divergence"),
        (253, "dislocation_z"),
        (257, "vix_z5"),
        (21, "order_flow_z"),
        (1, "skew_index"),
        (253, "skew_index_z"),
        (1, "cor1m"),
        (253, "cor1m_z"),
        (49, "spx_below_sma50"),
        (19, "spx_below_sma20"),
        (5, "spx_below_5_days_ago"),
        (4, "vix_below_5_mean"),
        (1, "vix_day_change_points"),
        (1, "contango_closes"),
    ],
)
def test_a_signal_is_absent_until_its_history_is_long_enough(bars, name):
    history = random_history()
    assert getattr(read(cut(history, slice(BARS - bars, BARS))), name) is not None
    shorter = read(cut(history, slice(BARS - bars + 1, BARS)))
    assert getattr(shorter, name) is None
    assert name in named_missing(shorter)


def test_without_any_history_only_the_live_curve_is_read():
    reading = read(cut(random_history(), slice(0, 0)))
    present = {entry.name for entry in fields(Signals)} - absent_names(reading)
    assert present == {
        "backwardation_fraction", "backwardation_points", "slope", "events", "values", "missing",
    }  # fmt: skip


def test_a_series_that_never_moves_has_no_deviation():
    flat = with_columns(random_history(), vix_close=np.full(BARS, 16.0))
    reading = read(flat, vix=16.0)
    assert reading.vix_z5 is None
    assert "R3 vix_z5: not a number" in reading.missing
    assert reading.rsi_vix == 50.0
    assert reading.macd_vix is Side.LEVEL


# --- look-ahead, purity, records ----------------------------------------------------------------


@given(st.integers(300, 415), st.integers(0, 3))
def test_no_reading_knows_a_bar_of_today_or_later(bars, seed):
    whole = random_history(seed)
    session = whole.session[bars].astype(date)
    at = instant(f"{session} 11:00")
    curve = {session + timedelta(days=10): 18.0, session + timedelta(days=38): 18.5}
    wild = with_columns(whole, vix_close=np.full(BARS - bars, 80.0))
    seen = [
        read(history, at=at, curve=curve, vix=17.0)
        for history in (whole, wild, cut(whole, slice(0, bars)))
    ]
    assert seen[0] == seen[1] == seen[2]


@given(
    vix=st.floats(5, 90),
    spx=st.floats(1000, 9000),
    vvix=st.floats(50, 250),
    vx1=st.floats(8, 80),
    vx2=st.floats(8, 80),
    seed=st.integers(0, 5),
    gaps=st.lists(st.tuples(st.integers(0, 7), st.integers(0, BARS - 1)), max_size=20),
)
def test_no_reading_is_ever_nan_and_what_is_absent_is_named(vix, spx, vvix, vx1, vx2, seed, gaps):
    history = random_history(seed)
    columns = [entry.name for entry in fields(history)][1:]
    for column, bar in gaps:
        getattr(history, columns[column % len(columns)])[bar] = np.nan
    reading = read(history, vix=vix, spx=spx, vvix=vvix, vx1=vx1, vx2=vx2)
    for value in reading.values.values():
        assert not isinstance(value, float) or np.isfinite(value)
    assert named_missing(reading) == absent_names(reading)


def test_readings_are_recorded_under_their_rule_and_survive_json():
    reading = read()
    assert set(reading.values) >= {
        "S1 rsi_vix",
        "S4 basis_macd",
        "S7 contango_closes",
        "S11 cpi_days",
    }
    assert len(reading.values) == len(fields(Signals)) - 3 + len(EventKind) + 1  # trades
    assert reading.values["S3 macd_spx"] in {"bullish", "bearish"}
    kind = Plan.__annotations__["signals"]
    assert from_json(kind, to_json(reading.values)) == reading.values
    assert to_json(from_json(kind, to_json(reading.values))) == to_json(reading.values)


def test_the_same_snapshot_gives_the_same_signals():
    assert read() == read()


def test_a_series_can_say_from_where_its_bars_are_new():
    series = SnapshotSeries(snapshot(), RULES.signals)
    rows = series.rows("vix_close")
    assert series.rows_since(rows, None) == 0
    assert series.rows_since(rows, np.datetime64("2020-01-31")) == BARS - 1
    assert series.rows_since(rows, np.datetime64("2020-02-01")) == BARS
    with pytest.raises(MissingData, match="VIX9D is not quoted"):
        series.index("VIX9D")


def test_the_days_to_vx2_of_these_tests_roll():
    assert (np.diff(days_to_vx2(BARS)) > 0).any()
