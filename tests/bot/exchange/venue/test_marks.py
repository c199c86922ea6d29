"""Valuing option portfolios from whole chains."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.marks import OptionPortfolio
from strategies.model.instruments import OptionContract
from tests.builders import instrument, market_quotes, option

QUOTES = market_quotes()
SERIES = QUOTES.spx_options.series[2]
MISSING = Decimal("12.34")


def value(positions: dict[OptionContract, int], quotes=QUOTES) -> Decimal:
    """The portfolio's value, an option nobody quotes being worth 12.34."""
    return OptionPortfolio(positions).value_usd(quotes, lambda contract: MISSING)


def listed(strike: int, right: str) -> OptionContract:
    """An option of the third SPXW series."""
    return option(f"SPXW {SERIES.expiry:%d%b%y} {strike} {right}".upper())


@given(
    nets=st.dictionaries(
        st.tuples(st.integers(530, 700).map(lambda n: n * 5), st.sampled_from("PC")),
        st.integers(-20, 20),
        max_size=12,
    )
)
def test_a_portfolio_is_worth_its_mids_exactly(nets):
    positions = {listed(*key): net for key, net in nets.items()}
    expected = Decimal(0)
    for contract, net in positions.items():
        quote = QUOTES.spx_options.quote(contract)
        expected += net * 50 * (Decimal(str(quote.bid)) + Decimal(str(quote.ask)))
    assert value(positions) == expected


def test_spx_and_vix_options_are_valued_together():
    call = instrument("VIX 18MAR20 25 C")
    put = listed(3000, "P")
    assert isinstance(call, OptionContract)
    assert value({call: 3, put: -2}) == value({call: 3}) + value({put: -2})


@pytest.mark.parametrize("strike", [3001, 100, 9000])
def test_a_strike_between_or_beyond_the_chain_is_not_read_from_its_neighbour(strike):
    assert value({listed(strike, "P"): 2}) == 2 * 100 * MISSING


def test_a_series_that_is_gone_is_valued_by_the_fallback():
    assert value({option("SPXW 18DEC26 3000 P"): -1}) == -100 * MISSING


def test_an_option_without_an_offer_is_valued_by_the_fallback():
    quotes = market_quotes()
    chain = quotes.spx_options
    contract = listed(3000, "P")
    row = chain.find_row(contract)
    chain.ask[row, 0] = 0.0
    assert value({contract: 1}, quotes) == 100 * MISSING
    assert np.count_nonzero(chain.ask == 0) >= 1


def test_nothing_is_worth_nothing():
    assert value({}) == 0
