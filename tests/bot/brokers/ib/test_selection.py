"""What is streamed where lines are limited: never more, held first, nested as they grow."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.brokers.ib.contracts import INDEX_NAMES
from bot.brokers.ib.selection import Appetite, SeriesRows, choose
from strategies.model.instruments import FutureContract
from tests.bot.brokers.ib.worlds import spring
from tests.builders import AT

SESSION = AT.date()
SPX, VIX = 3240.0, 17.0
APPETITE = Appetite(
    condor_days=(40, 47),
    short_deltas=(0.10, 0.16),
    wing_points=(50.0,),
    hedge_days=((20, 45), (46, 80)),
    hedge_moneyness=(1.2, 1.5, 2.0),
)


def listing() -> tuple[SeriesRows, ...]:
    quotes = spring().quotes_at(AT)
    found = []
    for chain in (quotes.spx_options, quotes.vix_options):
        for index, series in enumerate(chain.series):
            prefix = f"{series.root:<6}{series.expiry:%y%m%d}"
            strikes = chain.strike[chain.rows_of(index)]
            symbols = tuple(
                f"{prefix}{right}{int(strike * 1000):08d}" for strike in strikes for right in "PC"
            )
            found.append(SeriesRows(series.root, series.expiry, symbols))
    return tuple(found)


LISTING = listing()
FUTURES = tuple(each.contract for each in spring().quotes_at(AT).futures)
EVERYTHING = [symbol for series in LISTING for symbol in series.symbols]
symbols = st.lists(st.sampled_from(EVERYTHING), max_size=12, unique=True)


def chosen(
    lines: int | None, held: list[str] | None = None, working: list[str] | None = None
) -> tuple[str, ...]:
    return choose(
        LISTING,
        FUTURES,
        session=SESSION,
        spx=SPX,
        vix=VIX,
        held=held or [],
        working=working or [],
        appetite=APPETITE,
        lines=lines,
    )


@given(st.integers(1, 600), symbols, symbols)
def test_never_more_than_the_lines_nothing_twice_and_what_is_held_first(lines, held, working):
    found = chosen(lines, held, working)
    assert len(found) <= lines
    assert len(set(found)) == len(found)
    assert set(found[: len(held)]) <= set(held)
    if lines >= len(held) + len(working):
        assert {*held, *working} <= set(found)


@given(st.integers(1, 400), st.integers(1, 400), symbols)
def test_more_lines_take_nothing_away(lines, more, held):
    assert chosen(lines + more, held)[:lines] == chosen(lines, held)


@given(symbols, symbols)
def test_the_order_of_what_is_held_does_not_matter(held, working):
    assert chosen(90, held[::-1], working[::-1]) == chosen(90, held, working)


def test_without_a_limit_everything_that_is_listed_is_streamed():
    found = set(chosen(None, ["SPXW  200320P09999000"]))
    futures = {each.symbol for each in FUTURES}
    assert found == {*EVERYTHING, *INDEX_NAMES, *futures, "SPXW  200320P09999000"}


def test_the_usual_lines_hold_a_condor_of_each_expiry_and_the_hedge():
    found = [symbol for symbol in chosen(88) if len(symbol) == 21]
    assert set(INDEX_NAMES) <= set(chosen(88))
    spx = [each for each in found if each.startswith("SPX")]
    vix = [each for each in found if each.startswith("VIX")]
    days = {(date(2000 + int(s[6:8]), int(s[8:10]), int(s[10:12])) - SESSION).days for s in spx}
    assert days
    assert all(40 <= each <= 47 for each in days)
    assert {symbol[12] for symbol in vix} == {"C"}
    assert {symbol[12] for symbol in spx} == {"C", "P"}
    by_expiry = {symbol[:12] for symbol in spx}
    for prefix in by_expiry:
        puts = sorted(int(s[13:]) / 1000 for s in spx if s.startswith(f"{prefix}P"))
        calls = sorted(int(s[13:]) / 1000 for s in spx if s.startswith(f"{prefix}C"))
        assert puts[0] < 0.95 * SPX
        assert calls[-1] > 1.01 * SPX


def test_futures_of_the_next_months_come_before_options_and_the_rest_after():
    found = chosen(2000)
    first = FutureContract("VX", FUTURES[0].expiry).symbol
    last = FUTURES[-1].symbol
    options = [index for index, symbol in enumerate(found) if len(symbol) == 21]
    assert found.index(first) < options[0]
    assert found.index(last) > options[-1]


@pytest.mark.parametrize(
    ("root", "days", "expected"),
    [("SPXW", 40, True), ("SPX", 48, False), ("VIX", 30, True), ("VIXW", 81, False)],
)
def test_an_appetite_is_for_tenors(root, days, expected):
    assert APPETITE.wants(root, days) is expected
