"""What is streamed where lines are limited: never more, held first, nested as they grow, enough."""

from datetime import date
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.ib_ports import appetite_of
from bot.brokers.ib.contracts import INDEX_NAMES
from bot.brokers.ib.lines import SeriesRows, Streamed
from bot.brokers.ib.selection import Needs, View, choose, entry_series, everything, needs
from bot.brokers.ib.smiles import measured
from strategies.model.instruments import parse_symbol
from strategies.model.quotes import CALL, PUT, OptionChain
from strategies.model.rules import CondorRules, Rules
from strategies.pricing.forwards import parity_forwards
from strategies.pricing.surface import fit_surface
from strategies.pricing.valuation import Valuer
from tests.bot.brokers.ib.worlds import spring
from tests.builders import AT

SESSION = AT.date()
APPETITE = appetite_of(Rules())
QUOTES = spring().quotes_at(AT)


def listing() -> tuple[SeriesRows, ...]:
    found = []
    for chain in (QUOTES.spx_options, QUOTES.vix_options):
        for index, series in enumerate(chain.series):
            prefix = f"{series.root:<6}{series.expiry:%y%m%d}"
            strikes = chain.strike[chain.rows_of(index)]
            symbols = tuple(
                f"{prefix}{right}{int(strike * 1000):08d}" for strike in strikes for right in "PC"
            )
            found.append(SeriesRows(series.root, series.expiry, symbols))
    return tuple(found)


LISTING = listing()
FUTURES = tuple(each.contract for each in QUOTES.futures)
EVERYTHING = [symbol for series in LISTING for symbol in series.symbols]
symbols = st.lists(st.sampled_from(EVERYTHING), max_size=12, unique=True)


@cache
def view(*, is_measured: bool = True) -> View:
    return View(
        session=SESSION,
        spx=QUOTES.indices["SPX"].value,
        vix=QUOTES.indices["VIX"].value,
        futures={
            each.contract.expiry: (each.bid + each.ask) / 2
            for each in QUOTES.futures
            if each.contract.root == "VX"
        },
        smiles=measured(QUOTES, SESSION) if is_measured else {},
    )


def needed(lines: int, held: list[str] | None = None, seen: View | None = None) -> Needs:
    return needs(
        LISTING,
        FUTURES,
        view=seen or view(),
        held=held or [],
        appetite=APPETITE,
        lines=lines,
    )


def chosen(lines: int, held: list[str] | None = None, seen: View | None = None) -> tuple[str, ...]:
    return choose(
        needed(lines, held, seen),
        LISTING,
        FUTURES,
        view=seen or view(),
        held=held or [],
        appetite=APPETITE,
        lines=lines,
    )


def seen_of(found: tuple[str, ...], underlying: str) -> OptionChain:
    """Return the whole chain with the quotes of these alone."""
    chain = QUOTES.spx_options if underlying == "SPX" else QUOTES.vix_options
    streamed = np.zeros(chain.bid.shape, dtype=np.bool_)
    for symbol in found:
        if len(symbol) == 21 and parse_symbol(symbol).root.startswith(underlying):
            contract = parse_symbol(symbol)
            streamed[chain.find_row(contract), CALL if symbol[12] == "C" else PUT] = True
    return OptionChain(
        underlying=underlying,
        series=chain.series,
        series_index=chain.series_index,
        strike=chain.strike,
        bid=np.where(streamed, chain.bid, 0.0),
        ask=np.where(streamed, chain.ask, 0.0),
        quoted_at=chain.quoted_at,
    )


def priceable(found: tuple[str, ...]) -> set[date]:
    """Return the SPX expiries that have a surface by these quotes alone."""
    chain = seen_of(found, "SPX")
    surface = fit_surface(chain, parity_forwards(chain, AT, QUOTES.rate))
    return {series.expiry for series, ok in zip(chain.series, surface.ok, strict=True) if ok}


def condor(expiry: date, puts: tuple[int, int], calls: tuple[int, int]) -> list[str]:
    prefix = f"SPXW  {expiry:%y%m%d}"
    return [f"{prefix}P{each * 1000:08d}" for each in puts] + [
        f"{prefix}C{each * 1000:08d}" for each in calls
    ]


def weeklies() -> list[date]:
    """Return the SPXW expiries in which condors may be held."""
    return [
        each.expiry
        for each in LISTING
        if each.root == "SPXW" and 21 < (each.expiry - SESSION).days <= 45
    ]


@settings(max_examples=30)
@given(st.integers(1, 600), symbols)
def test_never_more_than_the_lines_and_nothing_twice(lines, held):
    found = chosen(lines, held)
    assert len(found) <= lines
    assert len(set(found)) == len(found)


@settings(max_examples=30)
@given(st.integers(1, 600), symbols)
def test_what_is_held_is_streamed_as_far_as_lines_go(lines, held):
    found = set(chosen(lines, held))
    assert len(found & set(held)) == min(len(held), max(lines - 3, 0))


@settings(max_examples=30)
@given(st.integers(1, 400), st.integers(1, 400), symbols)
def test_more_lines_take_nothing_away(lines, more, held):
    assert set(chosen(lines, held)) <= set(chosen(lines + more, held))


@settings(max_examples=30)
@given(symbols)
def test_the_order_of_what_is_held_does_not_matter(held):
    assert chosen(90, held[::-1]) == chosen(90, held)


@settings(max_examples=30)
@given(st.integers(1, 200), symbols)
def test_what_is_streamed_already_takes_no_more_lines(lines, held):
    before = chosen(lines, held)
    again = View(
        session=SESSION,
        spx=view().spx,
        vix=view().vix,
        futures=view().futures,
        smiles=view().smiles,
        streamed=Streamed(frozenset(before)),
    )
    assert set(needed(lines, held, again).symbols) <= set(before)


@settings(max_examples=30)
@given(st.integers(1, 120), st.integers(0, 9), st.integers(-20, 20))
def test_each_expiry_of_a_condor_has_a_surface_or_is_named(lines, count, moved):
    expiries = weeklies()[:count]
    centre = int(view().spx) // 5 * 5 + 5 * moved
    puts, calls = (centre - 205, centre - 200), (centre + 100, centre + 105)
    held = [leg for each in expiries for leg in condor(each, puts, calls) if leg in EVERYTHING]
    result = needed(lines, held)
    has_surface = priceable(chosen(lines, held))
    for each in {parse_symbol(leg).expiry for leg in held}:
        is_named = f"a surface for SPXW {each}" in result.left_out
        assert is_named or each in has_surface or len(held) > lines - 3


@pytest.mark.parametrize("is_measured", [True, False])
def test_a_hundred_lines_see_the_condor_that_everything_would_choose(is_measured):
    found = chosen(96, seen=view(is_measured=is_measured))
    entry = entry_series(LISTING, SESSION, APPETITE)
    assert entry is not None
    assert entry.expiry in priceable(found)
    if is_measured:
        rules = CondorRules()
        values = Valuer(QUOTES, SESSION)
        index = QUOTES.spx_options.find_series(entry.root, entry.expiry)
        series = values.options_in_series("SPX", index)
        for column, right in ((PUT, "P"), (CALL, "C")):
            row = int(np.abs(np.abs(series.delta[:, column]) - rules.short_delta).argmin())
            short = f"SPXW  {entry.expiry:%y%m%d}{right}{int(series.strike[row] * 1000):08d}"
            assert short in found


def test_a_hundred_lines_price_calls_for_every_layer():
    chain = seen_of(chosen(96), "VIX")
    calls = {
        (chain.series[index].expiry - SESSION).days
        for index in chain.series_index[(chain.bid[:, CALL] > 0)]
    }
    for first, last in APPETITE.hedge_days[1:]:
        assert any(first <= days <= last for days in calls)
    assert min(calls) >= APPETITE.call_days_min


def test_nine_condors_can_be_priced_before_another_is_looked_at():
    expiries = weeklies()[-9:]
    spot = int(view().spx) // 25 * 25
    held = [
        leg
        for each in expiries
        for leg in condor(each, (spot - 200, spot - 175), (spot + 75, spot + 100))
    ]
    assert set(held) <= set(EVERYTHING)
    result = needed(84, held)
    assert set(expiries) <= priceable(result.symbols)
    assert any(each.startswith("a condor of") for each in result.left_out)


def test_without_a_limit_everything_that_is_listed_is_streamed():
    found = set(everything(LISTING, FUTURES, ["SPXW  200320P09999000"]))
    futures = {each.symbol for each in FUTURES}
    assert found == {*EVERYTHING, *INDEX_NAMES, *futures, "SPXW  200320P09999000"}


def test_many_lines_see_futures_and_indices_that_no_rule_reads_last():
    found = chosen(20_000)
    assert set(INDEX_NAMES) <= set(found)
    assert {each.symbol for each in FUTURES} <= set(found)


@pytest.mark.parametrize(
    ("root", "days", "expected"),
    [
        ("SPXW", 40, True),
        ("SPX", 40, False),
        ("SPXW", 48, False),
        ("VIX", 30, True),
        ("VIXW", 191, False),
    ],
)
def test_an_appetite_is_for_tenors(root, days, expected):
    assert APPETITE.wants(root, days) is expected
