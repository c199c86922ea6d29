"""Beta estimated from history: exact where it is known, and the default table within its error."""

import numpy as np
import pytest

from bot.history.store import History
from strategies.pricing.factor_beta import (
    TenorChanges,
    estimate_beta,
    rolling_beta,
    tenor_changes,
)
from strategies.pricing.factor_vega import (
    MEASURED_2013_2026,
    MEASURED_2021_2026,
    fitted_future_beta,
    future_beta,
)

TENORS = np.array([20.0, 38.0, 75.5, 105.5])
DAY = np.timedelta64(1, "D")


def line(days):
    """A beta that falls along a straight line, so that interpolating it is exact."""
    return 0.8 - 0.003 * np.asarray(days, dtype=float)


def world(generator, *, sessions=600, beta=line, noise=0.0, slide=0.0):
    """VIX and monthly contracts whose changes are beta of their days times that of VIX.

    ``slide``: points a contract loses a day by going down the curve, in rows of (day, contract).
    """
    session = np.busday_offset("2020-01-06", np.arange(sessions), roll="forward")
    vix = 20.0 + np.cumsum(generator.normal(0.0, 1.0, sessions))
    rows = []
    for month in range(40):
        expiry = np.datetime64("2020-01-22") + np.timedelta64(28 * month, "D")
        listed = (session >= expiry - 200 * DAY) & (session <= expiry)
        days = ((expiry - session[listed]) / DAY).astype(float)
        if listed.sum() < 2:
            continue
        moves = beta(days[:-1]) * np.diff(vix[listed]) - slide
        moves = moves + noise * generator.normal(size=len(moves))
        settle = 25.0 + np.concatenate([[0.0], np.cumsum(moves)])
        rows += list(zip(session[listed], [expiry] * int(listed.sum()), settle, strict=True))
    trade_date, expiry, settle = (np.array(column) for column in zip(*rows, strict=True))
    return session, vix, trade_date, expiry, settle


def test_a_known_beta_is_found_at_every_tenor(generator):
    estimate = estimate_beta(tenor_changes(*world(generator), TENORS))
    assert estimate.beta == pytest.approx(line(TENORS), abs=1e-9)
    assert estimate.error == pytest.approx(np.zeros(4), abs=1e-9)
    assert estimate.r_squared == pytest.approx(np.ones(4))
    # At 20 days there is not always a nearer contract
    assert (estimate.days[1:] == 599).all()
    assert 300 < estimate.days[0] < 599


def test_neither_the_slide_down_the_curve_nor_a_roll_is_a_move(generator):
    estimate = estimate_beta(tenor_changes(*world(generator, slide=0.05), TENORS))
    assert estimate.beta == pytest.approx(line(TENORS), abs=1e-9)


def test_rows_may_come_in_any_order(generator):
    session, vix, *columns = world(generator, noise=0.2)
    mixed = generator.permutation(len(columns[0]))
    here = estimate_beta(tenor_changes(session, vix, *columns, TENORS))
    there = estimate_beta(tenor_changes(session, vix, *(each[mixed] for each in columns), TENORS))
    assert (here.beta == there.beta).all()


def test_the_day_of_final_settlement_does_not_count(generator):
    session, vix, trade_date, expiry, settle = world(generator)
    settle = settle + np.where(trade_date == expiry, 30.0, 0.0)
    estimate = estimate_beta(tenor_changes(session, vix, trade_date, expiry, settle, TENORS))
    assert estimate.beta == pytest.approx(line(TENORS), abs=1e-9)


def test_a_day_on_which_a_contract_or_vix_is_missing_is_no_single_change(generator):
    session, vix, trade_date, expiry, settle = world(generator)
    gone = trade_date == session[100]
    fewer = tenor_changes(session, vix, trade_date[~gone], expiry[~gone], settle[~gone], TENORS)
    assert np.isnan(fewer.future[99:101]).all()
    assert np.isfinite(fewer.future[101:, 1:]).all()
    blind = vix.copy()
    blind[100] = np.nan
    across = tenor_changes(session, blind, trade_date, expiry, settle, TENORS)
    assert len(across.vix) == 598
    assert across.vix[99] == pytest.approx(vix[101] - vix[99])
    assert estimate_beta(across).beta == pytest.approx(line(TENORS), abs=0.01)
    settle = settle.copy()
    settle[gone] = np.nan
    unsettled = tenor_changes(session, vix, trade_date, expiry, settle, TENORS)
    assert np.isnan(unsettled.future[99:101]).all()


def test_a_tenor_without_a_contract_on_each_side_is_not_guessed(generator):
    changes = tenor_changes(*world(generator), [2.0, 400.0])
    estimate = estimate_beta(changes)
    assert np.isnan(changes.future[:, 1]).all()
    assert np.isnan(estimate.beta[1])
    assert np.isnan(estimate.error[1])
    assert estimate.days[1] == 0
    # Two days before expiry a contract that near exists on few days
    assert 0 < estimate.days[0] < 100


def noisy(generator, days=800, beta=0.5, sigma=0.3, wild=0.0):
    vix = generator.standard_t(4, days)
    noise = generator.normal(0.0, sigma, days) * (1.0 + wild * np.abs(vix))
    session = np.datetime64("2015-01-05") + np.arange(days)
    future = (beta * vix + noise)[:, None]
    return TenorChanges(session=session, tenor_days=np.array([38.0]), vix=vix, future=future)


def test_slope_and_error_are_those_of_a_least_squares_line(generator):
    changes = noisy(generator, wild=0.5)
    estimate = estimate_beta(changes)
    design = np.stack([np.ones(len(changes.vix)), changes.vix], axis=1)
    target = changes.future[:, 0]
    solution, *_ = np.linalg.lstsq(design, target)
    rest = target - design @ solution
    bread = np.linalg.inv(design.T @ design)
    white = bread @ (design.T * rest**2) @ design @ bread * len(rest) / (len(rest) - 2)
    assert float(estimate.beta[0]) == pytest.approx(solution[1])
    assert float(estimate.error[0]) == pytest.approx(np.sqrt(white[1, 1]))
    assert float(estimate.r_squared[0]) == pytest.approx(1 - rest.var() / target.var())


@pytest.mark.parametrize("wild", [0.0, 1.0])
def test_the_band_holds_the_truth_as_often_as_it_says(wild, generator):
    held = 0
    for _ in range(300):
        low, high = estimate_beta(noisy(generator, days=400, wild=wild)).band()
        held += int(low[0] <= 0.5 <= high[0])
    assert 0.90 <= held / 300 <= 0.99  # 95 %, give or take three errors of the count


def test_a_window_is_the_estimate_of_its_days(generator):
    changes = tenor_changes(*world(generator, noise=0.3), TENORS)
    last, rolling = rolling_beta(changes, 250, 50)
    assert rolling.beta.shape == rolling.error.shape == (len(last), len(TENORS))
    for n, session in enumerate(last):
        stop = 250 + 50 * n
        assert session == changes.session[stop - 1]
        part = slice(stop - 250, stop)
        alone = estimate_beta(
            TenorChanges(
                session=changes.session[part],
                tenor_days=changes.tenor_days,
                vix=changes.vix[part],
                future=changes.future[part],
            )
        )
        assert rolling.beta[n] == pytest.approx(alone.beta)
        assert rolling.error[n] == pytest.approx(alone.error)
        assert rolling.days[n].tolist() == alone.days.tolist()
    assert last[-1] <= changes.session[-1]


def test_windows_see_a_beta_that_changes(generator):
    early, late = noisy(generator, days=300, beta=0.4), noisy(generator, days=300, beta=0.7)
    both = TenorChanges(
        session=np.datetime64("2015-01-05") + np.arange(600),
        tenor_days=early.tenor_days,
        vix=np.concatenate([early.vix, late.vix]),
        future=np.concatenate([early.future, late.future]),
    )
    _, rolling = rolling_beta(both, 200)
    assert float(rolling.beta[0, 0]) == pytest.approx(0.4, abs=4 * float(rolling.error[0, 0]))
    assert float(rolling.beta[-1, 0]) == pytest.approx(0.7, abs=4 * float(rolling.error[-1, 0]))


def test_a_history_shorter_than_a_window_has_no_windows(generator):
    last, rolling = rolling_beta(noisy(generator, days=50), 60)
    assert len(last) == 0
    assert rolling.beta.shape == (0, 1)


def test_too_few_days_are_no_estimate(generator):
    assert np.isnan(estimate_beta(noisy(generator, days=19)).beta[0])
    assert np.isfinite(estimate_beta(noisy(generator, days=20)).beta[0])


def test_an_estimate_serves_as_a_table(generator):
    estimate = estimate_beta(tenor_changes(*world(generator), [20.0, 38.0, 75.5, 400.0]))
    table = estimate.table()
    assert table.days == (20.0, 38.0, 75.5)
    assert float(future_beta(38.0, table)) == pytest.approx(line(38.0))
    _, rolling = rolling_beta(tenor_changes(*world(generator), TENORS), 300)
    with pytest.raises(ValueError, match="one period"):
        rolling.table()
    nothing = estimate_beta(noisy(generator, days=5))
    with pytest.raises(ValueError, match="no tenor"):
        nothing.table()


# --- the bundled history ------------------------------------------------------------------------


def bundled_changes(first, last, tenors):
    history = History.bundled()
    vix, vx = history.daily("VIX"), history.vx_settlements()
    part = (vix.session >= np.datetime64(first)) & (vix.session <= np.datetime64(last))
    return tenor_changes(
        vix.session[part],
        vix.close[part],
        vx.trade_date,
        vx.contract_expiry,
        vx.settle,
        tenors,
    )


@pytest.mark.parametrize(
    ("first", "table"), [("2013-05-01", MEASURED_2013_2026), ("2021-01-01", MEASURED_2021_2026)]
)
def test_the_bundled_history_gives_the_default_table_within_its_error(first, table):
    estimate = estimate_beta(bundled_changes(first, "2026-01-07", table.days))
    off = np.abs(estimate.beta - np.array(table.beta))
    # The table is rounded to 0.01, and was measured in buckets; inside the last week one contract
    # in five days has a nearer neighbour, and the middle of the bucket is not its mean
    from_third_day = np.array(table.days) > 7
    assert (off <= 2.5 * estimate.error + 0.005)[from_third_day].all()
    assert off[~from_third_day].max() < 0.13
    assert np.median(off) < 0.02
    assert (estimate.r_squared > 0.5).all()
    # The nearest months are known worst, and all of them to within a tenth
    assert (estimate.error < 0.07).all()


def test_the_power_law_fits_the_estimates_from_twenty_days_on():
    days = np.array([26.0, 38.0, 53.0, 75.5, 105.5, 135.5, 165.5, 225.5])
    estimate = estimate_beta(bundled_changes("2013-05-01", "2026-01-07", days))
    assert estimate.beta == pytest.approx(fitted_future_beta(days), abs=0.06)
    assert (np.diff(estimate.beta) < 0).all()


def test_a_year_of_the_bundled_history_strays_further_than_its_band():
    """Beta is a matter of the times: the reason for rolling windows, and for no-trade zones."""
    changes = bundled_changes("2013-05-01", "2026-01-07", [38.0])
    _, rolling = rolling_beta(changes, 252, 63)
    beta = rolling.beta[:, 0]
    assert 0.25 < beta.min() < 0.45
    assert 0.55 < beta.max() < 0.80
    low, high = rolling.band()
    covering = (low[:, 0] <= 0.46) & (high[:, 0] >= 0.46)
    assert 0.3 < covering.mean() < 0.95
