"""Snapshots as bytes: exact to the bit, small, and named by their contents."""

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bot.history.store import History
from state.snapshots import (
    Daily,
    UnreadableSnapshot,
    compress,
    daily_payloads,
    decompress,
    market_payload,
    read_daily,
    read_snapshot,
)
from strategies.model.encoding import to_json
from strategies.model.quotes import IndexValue, OptionChain
from strategies.model.snapshots import (
    DailyHistory,
    EventAhead,
    EventKind,
    FactorSeries,
    MarketSnapshot,
)
from tests import builders


@pytest.fixture(scope="module")
def bundled() -> History:
    return History.bundled()


def round_trip(snapshot: MarketSnapshot) -> MarketSnapshot:
    years, listed = daily_payloads(snapshot.history, snapshot.factors)
    stored = {each.digest: compress(each.data, 3) for each in years}
    daily = read_daily(listed.data, lambda digest: decompress(stored[digest]))
    market = decompress(compress(market_payload(snapshot).data, 3))
    return read_snapshot(market, daily)


def factor(name="stress", first="2018-12-28", values=(1.5, np.nan, -0.0, 2.25), problem=""):
    days = np.datetime64(first, "D") + np.arange(len(values))
    return FactorSeries(name=name, day=days, value=np.array(values), problem=problem)


def digests(snapshot):
    years, listed = daily_payloads(snapshot.history, snapshot.factors)
    return {each.digest for each in (*years, listed)}


def assert_same_bits(left, right, path="snapshot"):
    """Compare field by field: arrays by their bytes, instants by zone as well."""
    assert type(left) is type(right), path
    if is_dataclass(left):
        for entry in fields(left):
            name = entry.name
            assert_same_bits(getattr(left, name), getattr(right, name), f"{path}.{name}")
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype, path
        assert left.shape == right.shape, path
        assert left.tobytes() == right.tobytes(), path
    elif isinstance(left, dict):
        assert list(left) == list(right), path
        for key in left:
            assert_same_bits(left[key], right[key], f"{path}.{key}")
    elif isinstance(left, tuple):
        assert len(left) == len(right), path
        for index, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same_bits(a, b, f"{path}[{index}]")
    elif isinstance(left, datetime):
        assert (left, left.tzinfo, left.fold) == (right, right.tzinfo, right.fold), path
    else:
        assert repr(left) == repr(right), path


def test_a_whole_market_comes_back_to_the_bit():
    events = (EventAhead(kind=EventKind.FOMC, day=date(2020, 3, 18), trading_days=2),)
    snapshot = builders.market_snapshot(events=events)
    assert_same_bits(snapshot, round_trip(snapshot))
    assert to_json(snapshot) == to_json(round_trip(snapshot))


def test_quotes_off_every_grid_come_back_to_the_bit():
    market = builders.market_quotes(spx_options=builders.spx_chain(tick=0.0))
    snapshot = builders.market_snapshot(market=market)
    assert_same_bits(snapshot, round_trip(snapshot))


def test_instants_keep_their_zone_and_missing_things_stay_missing():
    snapshot = builders.market_snapshot(events=None)
    at_utc = snapshot.at.astimezone(UTC)
    market = replace(snapshot.market, at=at_utc, indices={}, futures=())
    bare = replace(snapshot, market=market)
    back = round_trip(bare)
    assert back.at.tzinfo is UTC
    assert back.opens_at.tzinfo is builders.EXCHANGE_ZONE
    assert back.events is None
    assert_same_bits(bare, back)


def test_numbers_that_are_not_finite_come_back_where_they_are_allowed():
    history = builders.daily_history(vvix=[np.nan, 95.0, np.nan])
    indices = {"VIX": IndexValue(value=float("nan"), quoted_at=builders.AT)}
    market = builders.market_quotes(indices=indices)
    snapshot = builders.market_snapshot(market=market, history=history)
    assert_same_bits(snapshot, round_trip(snapshot))


def test_an_empty_chain_comes_back_empty():
    nothing = OptionChain(
        underlying="VIX",
        series=(),
        series_index=np.zeros(0, dtype=np.int64),
        strike=np.zeros(0),
        bid=np.zeros((0, 2)),
        ask=np.zeros((0, 2)),
        quoted_at=builders.AT,
    )
    for chains in ({"vix_options": nothing}, {"vix_options": nothing, "spx_options": nothing}):
        snapshot = builders.market_snapshot(market=builders.market_quotes(**chains))
        assert_same_bits(snapshot, round_trip(snapshot))


PRICES = st.one_of(
    st.integers(0, 10_000_000).map(lambda hundredths: hundredths / 100),
    st.floats(0, 1e9, allow_nan=False),
    st.sampled_from([0.0, -0.0, 0.1 + 0.2, 3 * 0.05, 5e-324, 1e300]),
)


@example(np.array([[-0.0, 1.25], [0.0, -0.0]]))
@given(npst.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(2)), elements=PRICES))
def test_any_prices_a_chain_may_hold_come_back_to_the_bit(prices):
    series = builders.option_series("SPXW", date(2020, 3, 20))
    chain = OptionChain(
        underlying="SPX",
        series=(series,),
        series_index=np.zeros(len(prices), dtype=np.int64),
        strike=np.arange(1, len(prices) + 1) * 5.0,
        bid=prices,
        ask=prices[::-1].copy(),
        quoted_at=builders.AT,
    )
    snapshot = builders.market_snapshot(market=builders.market_quotes(spx_options=chain))
    assert_same_bits(chain, round_trip(snapshot).market.spx_options)


def test_equal_contents_have_one_name_and_other_contents_another():
    first, again = builders.market_snapshot(), builders.market_snapshot()
    assert market_payload(first).digest == market_payload(again).digest
    assert daily_payloads(first.history, ()) == daily_payloads(again.history, ())
    later = replace(first, entry_due=not first.entry_due)
    assert market_payload(later).digest != market_payload(first).digest


def test_e_factors_come_back_to_the_bit_and_so_does_what_is_wrong_with_them():
    absent = factor("gone", values=(), problem="gone.csv: cannot be read: no such file")
    snapshot = builders.market_snapshot(factors=(factor(), absent, factor("other")))
    back = round_trip(snapshot)
    assert_same_bits(snapshot, back)
    assert back.factors[1].problem == absent.problem
    assert back.factors[0].day.dtype == np.dtype("datetime64[D]")


def test_an_empty_history_comes_back_empty():
    snapshot = replace(builders.market_snapshot(), history=cut(builders.daily_history(), 0))
    assert_same_bits(snapshot, round_trip(snapshot))


def cut(history, bars):
    columns = {entry.name: getattr(history, entry.name)[:bars] for entry in fields(history)}
    return DailyHistory(**columns)


COLUMNS = [entry.name for entry in fields(DailyHistory) if entry.name != "session"]
NUMBERS = st.one_of(st.just(np.nan), st.sampled_from([0.0, 1.0, -0.0]), st.floats(width=64))
PRICES = st.one_of(st.just(np.nan), st.floats(0.0, 1e300, exclude_min=True, width=64))


@given(data=st.data(), bars=st.integers(1, 40), step=st.integers(1, 60))
def test_any_history_comes_back_to_the_bit_across_years(data, bars, step):
    days = np.datetime64("2019-11-28") + step * np.arange(bars)
    columns = {name: np.full(bars, 2.5) for name in COLUMNS[:6]}
    for name, numbers in (("vix_close", PRICES), ("vx1_settle", PRICES), ("net_breadth", NUMBERS)):
        columns[name] = data.draw(npst.arrays(np.float64, bars, elements=numbers))
    history = DailyHistory(session=days, **columns)
    snapshot = builders.market_snapshot(history=history)
    assert_same_bits(history, round_trip(snapshot).history)


def test_the_next_session_adds_its_own_year_and_the_list_and_nothing_else(bundled):
    until_thursday, until_friday = (bundled.daily_history(date(2020, 3, day)) for day in (13, 16))
    series = factor(first="2018-12-28", values=tuple(np.arange(400.0)))
    longer = factor(first="2018-12-28", values=tuple(np.arange(401.0)))
    years, _ = daily_payloads(until_thursday, (series,))
    assert len(years) == 17 + 3  # 2004 to 2020, 2018 to 2020
    before = digests(builders.market_snapshot(history=until_thursday, factors=(series,)))
    after = digests(builders.market_snapshot(history=until_friday, factors=(longer,)))
    assert len(after - before) == 3


def test_a_year_of_history_takes_little_room_and_a_session_less(bundled):
    years, listed = daily_payloads(bundled.daily_history(date(2020, 3, 16)), ())
    sizes = [len(compress(each.data, 6)) for each in years]
    assert sum(sizes) < 350_000
    assert len(compress(listed.data, 6)) < 1_000


def test_payloads_of_a_session_are_made_once(bundled):
    history = bundled.daily_history(date(2020, 3, 16))
    assert daily_payloads(history, ()) is daily_payloads(history, ())


def test_a_market_of_two_thousand_quotes_takes_less_than_eight_kilobytes():
    chain = builders.spx_chain(
        days=(2, 4, 7, 9, 11, 14, 21, 28, 35, 42, 46, 60, 74),
        strikes=np.arange(2700.0, 3600.0, 10.0),
    )
    snapshot = builders.market_snapshot(market=builders.market_quotes(spx_options=chain))
    assert 2 * len(chain.strike) > 2000
    assert len(compress(market_payload(snapshot).data, 3)) < 8_000


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\x00\x00\x00\x02{}", "format None"),
        (b'\x00\x00\x00\x0d{"format":99}', "format 99"),
        (b"\x00\x00\x00\x05nope!", "not JSON"),
    ],
)
def test_bytes_that_are_no_snapshot_are_refused(data, complaint):
    daily = Daily(builders.daily_history(), ())
    with pytest.raises(UnreadableSnapshot, match=complaint):
        read_snapshot(data, daily)
    with pytest.raises(UnreadableSnapshot, match=complaint):
        read_daily(data, lambda digest: b"")


def test_bytes_that_do_not_unpack_are_refused():
    with pytest.raises(UnreadableSnapshot, match="do not unpack"):
        decompress(b"not zlib")
