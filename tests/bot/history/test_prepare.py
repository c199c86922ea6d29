import numpy as np
import pytest

from bot.history.prepare import prepare
from bot.history.store import DAILY_SERIES, History


@pytest.fixture(scope="module")
def rebuilt(shared_data, tmp_path_factory):
    target = tmp_path_factory.mktemp("rebuilt")
    prepare(shared_data, target)
    return History(target)


@pytest.mark.parametrize("name", DAILY_SERIES)
def test_the_bundled_series_are_what_prepare_makes_of_the_collected_data(history, rebuilt, name):
    for column in ("session", "open", "high", "low", "close", "ohlc_ok"):
        np.testing.assert_array_equal(
            getattr(history.daily(name), column), getattr(rebuilt.daily(name), column)
        )


def test_the_bundled_futures_and_events_are_what_prepare_makes(history, rebuilt):
    for column in ("trade_date", "contract_expiry", "settle", "open", "high", "low"):
        np.testing.assert_array_equal(
            getattr(history.vx_settlements(), column), getattr(rebuilt.vx_settlements(), column)
        )
    assert history.events() == rebuilt.events()
