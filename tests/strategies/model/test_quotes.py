"""Quotes that are not there, and quotes that make no sense."""

import pytest

from strategies.model.errors import InvalidQuote, MissingData
from strategies.model.quotes import Quote
from tests.builders import option, quote, spx_chain


def test_a_contract_that_is_not_in_the_chain_has_no_quote():
    chain = spx_chain(days=(32,))
    listed = option("SPXW 06MAR20 3250 P")
    assert chain.quote(listed).bid > 0
    for absent in ("SPXW 06MAR20 3251 P", "SPXW 07MAR20 3250 P"):
        assert chain.find_row(option(absent)) is None
        with pytest.raises(MissingData, match="is not in the chain"):
            chain.quote(option(absent))


@pytest.mark.parametrize(
    ("text", "two_sided", "mid"),
    [("1.00 x 1.10", True, 1.05), ("0 x 0.10", False, 0.05), ("1.00 x 1.00", True, 1.0)],
)
def test_the_mid_of_what_is_offered(text, two_sided, mid):
    made = quote(text)
    assert made.is_two_sided is two_sided
    assert made.mid == pytest.approx(mid)


@pytest.mark.parametrize(("bid", "ask"), [(1.2, 1.1), (0.0, 0.0), (-0.1, 0.1)])
def test_what_is_crossed_or_not_offered_has_no_mid(bid, ask):
    with pytest.raises(InvalidQuote, match="no mid"):
        _ = Quote(bid=bid, ask=ask).mid
