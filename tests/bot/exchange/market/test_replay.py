"""The replay: real prints and settlements come out, the rest is consistent and repeatable."""

from datetime import date, time, timedelta
from decimal import Decimal

import numpy as np
import pytest

from bot.calendars.build import build_calendar
from bot.errors import MarketDataMissing
from bot.exchange.market import Market
from bot.exchange.paths import GRID_SECONDS, clean_bar
from bot.exchange.replay import ReplayMarket
from strategies.model.calendars import at_exchange
from strategies.model.instruments import OptionContract, Right
from strategies.model.quotes import CALL, PUT, OptionChain
from strategies.pricing.forwards import future_forwards, parity_forwards
from tests.builders import future, instant, option

WINDOWS = [
    (date(2020, 2, 3), date(2020, 4, 30)),
    (date(2008, 10, 1), date(2008, 10, 31)),
    (date(2018, 2, 1), date(2018, 2, 28)),
    (date(2024, 8, 1), date(2024, 8, 16)),
]


def grid(market: Market, session: date) -> list:
    calendar = market.calendar
    opens, closes = calendar.opens_at(session), calendar.closes_at(session)
    steps = int((closes - opens).total_seconds()) // GRID_SECONDS
    return [opens + timedelta(seconds=GRID_SECONDS * step) for step in range(steps + 1)]


def daily_bar(history, name: str, session: date):
    series = history.daily(name)
    row = series.rows_before(session)
    return clean_bar(series.open[row], series.high[row], series.low[row], series.close[row])


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: str(window[0]))
def test_every_replayed_day_keeps_its_open_high_low_and_close(window, history, calendar):
    market = ReplayMarket(history, calendar, first=window[0], last=window[1], seed=3)
    for session in calendar.sessions_between(*window):
        instants = grid(market, session)
        for name, ends_at in (("SPX", calendar.equities_close_at(session)), ("VIX", instants[-1])):
            bar = daily_bar(history, name, session)
            path = [market.index_at(name, at) for at in instants]
            assert path[0] == bar.open
            assert max(path) == bar.high
            assert min(path) == bar.low
            assert market.index_at(name, ends_at) == bar.close
            assert bar.close == pytest.approx(bar_close(history, name, session), abs=0.005)


def bar_close(history, name: str, session: date) -> float:
    return history.daily(name).close_on(session)


def test_other_indices_end_on_their_closes(spring_2020, history):
    for session in (date(2020, 2, 24), date(2020, 3, 16), date(2020, 4, 9)):
        at = spring_2020.calendar.closes_at(session)
        for name in ("VVIX", "VIX9D", "VIX3M", "VIX6M"):
            close = bar_close(history, name, session)
            assert spring_2020.index_at(name, at) == pytest.approx(close, abs=0.005)


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: str(window[0]))
def test_futures_end_on_their_settlements(window, history, calendar):
    market = ReplayMarket(history, calendar, first=window[0], last=window[1], seed=3)
    for session in calendar.sessions_between(*window):
        settled = dict(history.vx_contracts_on(session))
        quotes = market.quotes_at(calendar.equities_close_at(session)).futures
        assert len(quotes) >= 5
        for quote in quotes:
            settle = settled[quote.contract.expiry]
            assert quote.bid <= settle <= quote.ask
            assert settle == market.daily_settle(quote.contract, session)


def test_futures_begin_near_yesterdays_settlement_moved_by_the_vix(spring_2020, calendar):
    session = date(2020, 2, 12)  # a quiet day
    for quote in spring_2020.quotes_at(calendar.opens_at(session)).futures:
        assert quote.quote.mid == pytest.approx(quote.prior_settle, rel=0.03)


def test_the_same_seed_gives_the_same_market_in_any_order_of_questions(history, calendar):
    instants = [
        instant("2020-03-09 10:17"),
        instant("2020-02-10 15:59:50"),
        instant("2020-03-09 10:16"),
        instant("2020-04-29 12:00"),
    ]
    contract = option("SPXW 20MAR20 2700 P")

    def ask(order):
        market = ReplayMarket(
            history, calendar, first=date(2020, 2, 3), last=date(2020, 4, 30), seed=11
        )
        found = {}
        for at in order:
            quotes = market.quotes_at(at)
            found[at] = (
                quotes.spx_options.bid.tolist(),
                quotes.vix_options.ask.tolist(),
                [(quote.bid, quote.ask) for quote in quotes.futures],
                {name: value.value for name, value in quotes.indices.items()},
                market.quote(contract, at),
            )
        return found

    assert ask(instants) == ask(instants[::-1])


def test_the_days_before_do_not_change_when_the_range_does(history, calendar):
    at = instant("2020-03-09 11:00")
    long, short = (
        ReplayMarket(history, calendar, first=first, last=date(2020, 3, 31), seed=5)
        for first in (date(2020, 1, 2), date(2020, 3, 9))
    )
    assert (long.quotes_at(at).spx_options.bid == short.quotes_at(at).spx_options.bid).all()


def test_another_seed_draws_other_paths_through_the_same_prints(history, calendar):
    markets = [
        ReplayMarket(history, calendar, first=date(2020, 3, 9), last=date(2020, 3, 9), seed=seed)
        for seed in (1, 2)
    ]
    noon, close = instant("2020-03-09 12:00"), instant("2020-03-09 16:00")
    assert len({market.index_at("SPX", noon) for market in markets}) == 2
    assert len({market.index_at("SPX", close) for market in markets}) == 1


def contracts(chain: OptionChain, rows) -> list[tuple[OptionContract, int, int]]:
    return [
        (
            OptionContract(
                chain.series[chain.series_index[row]].root,
                chain.series[chain.series_index[row]].expiry,
                right,
                Decimal(repr(float(chain.strike[row]))),
            ),
            row,
            column,
        )
        for row in rows
        for right, column in ((Right.PUT, PUT), (Right.CALL, CALL))
    ]


@pytest.mark.parametrize("at", ["2020-02-03 10:00", "2020-03-16 12:34:56", "2020-04-15 16:10"])
def test_one_quote_equals_the_chains_to_the_last_digit(at, spring_2020):
    at = instant(at)
    market = spring_2020.quotes_at(at)
    for chain in (market.spx_options, market.vix_options):
        for contract, row, column in contracts(chain, range(0, len(chain.strike), 7)):
            quote = spring_2020.quote(contract, at)
            assert quote.bid == chain.bid[row, column]
            assert quote.ask == chain.ask[row, column]
    for quote in market.futures:
        assert spring_2020.quote(quote.contract, at) == quote.quote


def test_extra_contracts_are_quoted_beside_the_listed_ones(spring_2020):
    at = instant("2020-03-20 11:00")
    left_behind = option("SPXW 20MAR20 3405 C")
    listed = option("SPXW 17APR20 2300 P")
    far = option("VIX 15APR20 145 C")
    expired = option("SPXW 18MAR20 3000 P")
    plain = spring_2020.quotes_at(at)
    wide = spring_2020.quotes_at(at, extra=[left_behind, listed, far, expired])
    assert plain.spx_options.find_row(left_behind) is None
    assert wide.spx_options.quote(left_behind) == spring_2020.quote(left_behind, at)
    assert wide.vix_options.quote(far) == spring_2020.quote(far, at)
    assert wide.spx_options.find_row(expired) is None
    assert len(wide.spx_options.strike) == len(plain.spx_options.strike) + 1
    for contract, row, column in contracts(
        plain.spx_options, range(0, len(plain.spx_options.strike), 50)
    ):
        assert wide.spx_options.quote(contract).bid == plain.spx_options.bid[row, column]


def test_chains_hold_two_thousand_spx_quotes_on_every_day_of_spring_2020(spring_2020, calendar):
    for session in calendar.sessions_between(date(2020, 2, 3), date(2020, 4, 30)):
        quotes = spring_2020.quotes_at(at_exchange(session, time(10, 0)))
        assert 2000 <= 2 * len(quotes.spx_options.strike) <= 4300
        assert 600 <= 2 * len(quotes.vix_options.strike) <= 900
        assert len(quotes.vix_options.series) == 6


def assert_nothing_is_free(chain: OptionChain) -> None:
    """No butterfly or vertical has a profit at bids and offers, and no mid strays by a tick."""
    for index in range(len(chain.series)):
        rows = chain.rows_of(index)
        strike, bid, ask = chain.strike[rows], chain.bid[rows], chain.ask[rows]
        gaps = np.diff(strike)
        for column, sign in ((PUT, 1.0), (CALL, -1.0)):
            low_bid, high_ask = bid[:-1, column], ask[1:, column]
            low_ask, high_bid = ask[:-1, column], bid[1:, column]
            sold_dear = high_bid - low_ask if sign > 0 else low_bid - high_ask
            sold_cheap = low_bid - high_ask if sign > 0 else high_bid - low_ask
            assert (sold_dear <= gaps + 1e-9).all()
            assert (sold_cheap <= 1e-9).all()
            weight = gaps[1:] / (gaps[1:] + gaps[:-1])
            wings = weight * ask[:-2, column] + (1 - weight) * ask[2:, column]
            assert (wings - bid[1:-1, column] > -1e-9).all()
            mid = (bid[:, column] + ask[:, column]) / 2
            bent = weight * mid[:-2] + (1 - weight) * mid[2:] - mid[1:-1]
            tick = (
                np.where(mid[2:] < 3, 0.05, 0.10)
                if sign < 0
                else np.where(mid[:-2] < 3, 0.05, 0.10)
            )
            assert (bent > -2 * tick).all()


@pytest.mark.parametrize(
    "at", ["2020-02-05 10:00", "2020-03-12 15:00", "2020-03-18 11:30", "2020-04-22 16:14"]
)
def test_quotes_hold_no_static_arbitrage(at, spring_2020):
    market = spring_2020.quotes_at(instant(at))
    assert_nothing_is_free(market.spx_options)
    assert_nothing_is_free(market.vix_options)


def test_the_bots_own_arithmetic_finds_the_forwards_again(spring_2020):
    at = instant("2020-03-05 13:00")
    market = spring_2020.quotes_at(at)
    forwards = parity_forwards(market.spx_options, at, market.rate)
    spx = market.indices["SPX"].value
    assert forwards.ok.all()
    assert np.abs(forwards.forward / spx - 1).max() < 0.015
    vix = future_forwards(market.vix_options, market.futures, at, market.rate)
    assert vix.ok.all()


def test_expiring_weeklies_stop_with_the_equities(spring_2020):
    contract = option("SPXW 28FEB20 3000 P")
    before, close = instant("2020-02-28 15:59:50"), instant("2020-02-28 16:00")
    assert spring_2020.quote(contract, before).is_two_sided
    assert spring_2020.quotes_at(before).spx_options.find_row(contract) is not None
    assert spring_2020.quote(contract, close) is None
    assert spring_2020.quotes_at(close).spx_options.find_row(contract) is None


def test_am_series_trade_until_the_evening_before_they_settle(spring_2020):
    contract = option("SPX 20MAR20 2400 P")
    assert spring_2020.quote(contract, instant("2020-03-19 16:15")) is not None
    assert spring_2020.quote(contract, instant("2020-03-20 09:30")) is None
    calls = option("VIX 18MAR20 70 C")
    assert spring_2020.quote(calls, instant("2020-03-17 16:15")) is not None
    assert spring_2020.quote(calls, instant("2020-03-18 09:30")) is None


@pytest.mark.parametrize(
    "text",
    [
        "SPXW 10MAR20 2800 P",  # no Tuesday weeklies in 2020
        "SPXW 20MAR20 2801 P",  # not a listed strike
        "SPX 18MAR20 2800 P",  # AM series expire on the third Friday
        "VIX 11MAR20 30 C",  # no future of this expiry
        "VIXW 11MAR20 30 C",  # weekly VIX options are not modelled
        "VIX 18MAR20 30.3 C",
        "SPXW 21DEC29 2800 P",  # past the calendar
    ],
)
def test_what_was_never_listed_is_not_quoted(text, spring_2020):
    assert spring_2020.quote(option(text), instant("2020-03-05 11:00")) is None


def test_the_mini_future_is_quoted_from_its_launch(history, calendar):
    market = ReplayMarket(history, calendar, first=date(2020, 8, 7), last=date(2020, 8, 10), seed=1)
    mini = future("VXM 19AUG20")
    before, launch = instant("2020-08-07 12:00"), instant("2020-08-10 12:00")
    assert market.quote(mini, before) is None
    assert {q.contract.root for q in market.quotes_at(before).futures} == {"VX"}
    assert market.quote(mini, launch).is_two_sided
    roots = [q.contract.root for q in market.quotes_at(launch).futures]
    assert roots[:4] == ["VX", "VXM", "VX", "VXM"]


def test_spring_2020_knows_no_mini_future(spring_2020):
    futures = spring_2020.quotes_at(instant("2020-03-05 11:00")).futures
    assert {quote.contract.root for quote in futures} == {"VX"}


def test_settlements_are_the_real_ones(spring_2020, history):
    assert spring_2020.settlement_value(option("SPXW 20MAR20 2400 P")) == 2304.92
    opened = history.daily("SPX").open[history.daily("SPX").rows_before(date(2020, 3, 20))]
    settled = spring_2020.settlement_value(option("SPX 20MAR20 2400 P"))
    assert settled == pytest.approx(opened, abs=0.005)
    final = history.final_settlement(date(2020, 3, 18))
    assert final is not None
    assert spring_2020.settlement_value(option("VIX 18MAR20 30 C")) == final
    assert spring_2020.settlement_value(future("VX 18MAR20")) == final
    assert spring_2020.daily_settle(future("VX 18MAR20"), date(2020, 3, 18)) == final
    assert spring_2020.daily_settle(future("VX 18MAR20"), date(2020, 3, 16)) == 72.625


def test_the_vix_open_stands_for_a_final_settlement_that_is_not_known(history, calendar):
    market = ReplayMarket(history, calendar, first=date(2024, 8, 1), last=date(2024, 8, 30), seed=1)
    assert history.final_settlement(date(2024, 8, 21)) is None
    vix = history.daily("VIX")
    opened = vix.open[vix.rows_before(date(2024, 8, 21))]
    assert market.settlement_value(future("VX 21AUG24")) == opened


def test_an_early_close_ends_the_session_early(history, calendar):
    session = date(2019, 11, 29)
    market = ReplayMarket(history, calendar, first=session, last=session, seed=1)
    close = bar_close(history, "SPX", session)
    assert market.index_at("SPX", instant("2019-11-29 13:00")) == pytest.approx(close, abs=0.005)
    assert market.quotes_at(instant("2019-11-29 13:15")).spx_options.strike.size > 0
    with pytest.raises(MarketDataMissing, match="not in session hours"):
        market.quotes_at(instant("2019-11-29 13:15:01"))


def test_indices_that_did_not_exist_are_absent_and_the_surface_does_without(history, calendar):
    market = ReplayMarket(
        history, calendar, first=date(2008, 10, 6), last=date(2008, 10, 31), seed=1
    )
    quotes = market.quotes_at(instant("2008-10-10 12:00"))
    assert "VIX9D" not in quotes.indices
    with pytest.raises(MarketDataMissing, match="VIX9D has no value on 2008-10-10"):
        market.index_at("VIX9D", instant("2008-10-10 12:00"))
    assert_nothing_is_free(quotes.spx_options)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2020-02-03 09:29:59", "2020-02-03 09:29:59: not in session hours"),
        ("2020-02-03 16:15:01", "not in session hours"),
        ("2020-02-08 12:00", "no quotes on 2020-02-08: it is not a session"),
        ("2020-05-01 12:00", "2020-05-01 is outside 2020-02-03 to 2020-04-30"),
    ],
)
def test_outside_session_hours_nothing_is_quoted(at, words, spring_2020):
    with pytest.raises(MarketDataMissing, match=words):
        spring_2020.quotes_at(instant(at))


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (
            date(2026, 5, 20),
            date(2026, 6, 10),
            "VX has 0 futures settled on both 2026-06-01 and 2026-06-02",
        ),
        (date(2026, 7, 22), date(2026, 7, 24), "settled on both 2026-07-21 and 2026-07-22"),
        (date(2020, 2, 8), date(2020, 2, 9), "no session from 2020-02-08 to 2020-02-09"),
    ],
)
def test_missing_data_is_named_before_the_first_quote(first, last, words, history, calendar):
    with pytest.raises(MarketDataMissing, match=words):
        ReplayMarket(history, calendar, first=first, last=last, seed=1)


def test_a_day_before_an_index_began_names_the_index(history, calendar):
    early = build_calendar(date(2004, 1, 1), date(2008, 1, 1))
    with pytest.raises(MarketDataMissing, match="VVIX has no value on 2005-0"):
        ReplayMarket(history, early, first=date(2005, 6, 1), last=date(2005, 6, 30), seed=1)


def test_a_calendar_that_ends_too_early_is_refused(history):
    short = build_calendar(date(2020, 1, 1), date(2020, 8, 1))
    with pytest.raises(MarketDataMissing, match="the calendar ends on 2020-07-31"):
        ReplayMarket(history, short, first=date(2020, 2, 3), last=date(2020, 4, 30), seed=1)


def test_settlements_outside_the_history_are_refused(spring_2020):
    with pytest.raises(MarketDataMissing, match="SPX has no value on 2027-03-19"):
        spring_2020.settlement_value(option("SPXW 19MAR27 2400 P"))
    with pytest.raises(MarketDataMissing, match="VX 2020-12-16 has no settlement on 2019-01-02"):
        spring_2020.daily_settle(future("VX 16DEC20"), date(2019, 1, 2))


def test_vix_and_spx_move_against_each_other_within_the_days(spring_2020, calendar):
    correlations, betas = [], []
    for session in calendar.sessions_between(date(2020, 2, 3), date(2020, 4, 30)):
        instants = grid(spring_2020, session)[:2341:30]  # five minutes
        spx = np.array([spring_2020.index_at("SPX", at) for at in instants])
        vix = np.array([spring_2020.index_at("VIX", at) for at in instants])
        returns, changes = 100 * np.diff(np.log(spx)), np.diff(vix)
        correlations.append(np.corrcoef(returns, changes)[0, 1])
        betas.append(returns @ changes / (returns @ returns))
    assert -0.93 < np.median(correlations) < -0.84
    assert -2.3 < np.median(betas) < -1.0  # VIX points per 1 % of SPX


def test_history_is_that_of_the_bundled_files(spring_2020, history):
    theirs, ours = history.daily_history(date(2020, 3, 2)), spring_2020.history(date(2020, 3, 2))
    assert (theirs.spx_close == ours.spx_close).all()
    assert ours.session[-1] == np.datetime64("2020-02-28")


@pytest.mark.parametrize(
    "at", ["2020-03-16 09:30:00.5", "2020-03-16 12:34:56", "2020-03-16 16:14:59"]
)
def test_no_quote_bears_a_later_time_than_the_question(at, spring_2020):
    at = instant(at)
    market = spring_2020.quotes_at(at)
    stamps = [value.quoted_at for value in market.indices.values()]
    stamps += [quote.quoted_at for quote in market.futures]
    stamps += [market.spx_options.quoted_at, market.vix_options.quoted_at]
    assert all(timedelta(0) <= at - stamp < timedelta(seconds=GRID_SECONDS) for stamp in stamps)
