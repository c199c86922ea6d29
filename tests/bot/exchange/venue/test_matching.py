"""The fill model, piece by piece."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.exchange.matching import (
    DEFAULT_FILL_MODEL,
    LegQuote,
    PackageQuote,
    allocate,
    draw,
    fill_probability,
    package_offer,
    quote_package,
)
from strategies.model.orders import Leg
from strategies.model.quotes import Quote
from tests.builders import AT, instant, instrument, leg, quote

P_MAX = 0.10


def package(*legs: tuple[int, int, int]) -> PackageQuote:
    """Return the market of legs given as (ratio, bid cents, ask cents)."""
    quotes = tuple(LegQuote(*each) for each in legs)
    natural = sum(q.ratio * (q.ask if q.ratio > 0 else q.bid) for q in quotes)
    return PackageQuote(quotes, natural, sum(q.ratio * (q.bid + q.ask) for q in quotes))


def quoted(*legs: tuple[int, str | None]) -> PackageQuote | None:
    """Return the package of VIX calls given as (ratio, quote)."""
    calls = [instrument(f"VIX 18MAR20 {25 + n} C") for n in range(len(legs))]
    quotes = {call: quote(text) for call, (_, text) in zip(calls, legs, strict=True) if text}
    package_legs = [
        Leg(instrument=call, ratio=ratio) for call, (ratio, _) in zip(calls, legs, strict=True)
    ]
    return quote_package(package_legs, quotes.get)


LEGS = st.lists(
    st.tuples(
        st.sampled_from([-1, 1]),
        st.integers(0, 5000),
        st.integers(0, 300),
    ).map(lambda t: (t[0], t[1], max(1, t[1] + t[2]))),
    min_size=1,
    max_size=4,
)


# --- probability --------------------------------------------------------------------------------


def test_an_order_at_mid_or_below_never_trades():
    still = package((1, 200, 240))
    assert fill_probability(220, still, still.natural, P_MAX) == 0
    assert fill_probability(100, still, still.natural, P_MAX) == 0


def test_an_order_at_natural_or_above_always_trades():
    still = package((1, 200, 240))
    assert fill_probability(240, still, still.natural, P_MAX) == 1
    assert fill_probability(900, still, still.natural, P_MAX) == 1


def test_half_way_to_natural_the_chance_is_a_quarter_of_the_greatest():
    still = package((1, 200, 240))
    assert fill_probability(230, still, still.natural, P_MAX) == pytest.approx(P_MAX / 4)


def test_a_locked_market_has_no_luck_in_it():
    locked = package((1, 220, 220))
    assert [fill_probability(price, locked, 220, P_MAX) for price in (219, 220)] == [0, 1]


@given(legs=LEGS, first=st.integers(-9000, 9000), step=st.integers(0, 500))
def test_paying_more_never_lowers_the_chance(legs, first, step):
    market = package(*legs)
    offer = package_offer(market, 0.5, 5)
    lower = fill_probability(first, market, offer, P_MAX)
    higher = fill_probability(first + step, market, offer, P_MAX)
    assert 0 <= lower <= higher <= 1
    assert lower == 1 or lower < P_MAX


def test_a_single_leg_is_offered_at_natural():
    assert package_offer(package((1, 200, 240)), 0.5, 1) == 240


@given(legs=LEGS, tick=st.sampled_from([1, 5]))
def test_a_combo_is_offered_between_its_mid_and_natural(legs, tick):
    market = package(*legs)
    offer = package_offer(market, 0.5, tick)
    assert market.mid_twice <= 2 * offer or offer == market.natural
    assert offer <= market.natural
    assert offer == market.natural or offer % tick == 0


def test_half_way_to_the_sum_of_the_legs_is_a_combos_offer_rounded_against_the_buyer():
    market = package((1, 100, 110), (-1, 40, 52))  # mid 59, natural 70
    assert package_offer(market, 0.5, 1) == 65
    assert package_offer(market, 0.5, 5) == 65
    assert package_offer(market, 1.0, 1) == 70


# --- package quotes -----------------------------------------------------------------------------


def test_natural_buys_at_the_ask_and_sells_at_the_bid():
    market = quoted((1, "1.00 x 1.10"), (-1, "0.40 x 0.46"))
    assert market is not None
    assert market.natural == 110 - 40
    assert market.mid_twice == 210 - 86


@pytest.mark.parametrize("text", [None, "0.40 x 0", "0.50 x 0.40"])
def test_a_leg_without_offer_or_with_a_crossed_quote_has_no_package(text):
    assert quoted((1, text)) is None
    assert quoted((-1, text)) is None


def test_a_sale_without_a_bid_has_no_buyer():
    assert quoted((-1, "0 x 0.05")) is None
    assert quoted((-1, "0 x 0.05"), (-1, "1.00 x 1.10")) is None


def test_a_worthless_wing_goes_along_for_nothing_with_what_is_bought():
    market = quoted((1, "1.00 x 1.10"), (-1, "0 x 0.05"))
    assert market is not None
    assert market.natural == 110


def test_a_price_between_cents_is_taken_to_its_worse_side():
    market = quote_package([leg("+1 VIX 18MAR20 25 C")], lambda _: Quote(bid=1.004, ask=1.006))
    assert market is not None
    assert market.legs == (LegQuote(1, 100, 101),)


# --- allocation ---------------------------------------------------------------------------------


def test_at_natural_every_leg_trades_at_its_worse_side():
    assert allocate(package((1, 395, 420), (-1, 655, 680)), 420 - 655) == (420, 655)


def test_half_way_every_leg_gives_half_of_its_half_spread():
    market = package((1, 400, 440), (-1, 600, 680))
    assert allocate(market, market.mid_twice // 2 + 30) == (430, 620)


def test_no_leg_trades_at_zero():
    market = package((1, 100, 110), (-1, 0, 5))
    prices = allocate(market, market.natural)
    assert prices is not None
    assert min(prices) >= 1
    assert prices[0] - prices[1] == market.natural


def test_a_sale_for_nothing_is_no_trade():
    assert allocate(package((-1, 1, 5)), 0) is None


@given(legs=LEGS, share=st.floats(0, 1))
def test_leg_prices_give_the_net_price_exactly(legs, share):
    market = package(*legs)
    net = round(market.mid_twice / 2 + share * (market.natural - market.mid_twice / 2))
    prices = allocate(market, net)
    if prices is None:
        assert all(ratio < 0 for ratio, _, _ in legs) or all(ratio > 0 for ratio, _, _ in legs)
        return
    assert sum(q.ratio * p for q, p in zip(market.legs, prices, strict=True)) == net
    assert min(prices) >= 1


@given(legs=LEGS, share=st.floats(0, 1))
def test_leg_prices_stay_within_their_quotes_but_for_rounding(legs, share):
    assume(all(bid >= 10 for _, bid, _ in legs))
    market = package(*legs)
    net = round(market.mid_twice / 2 + share * (market.natural - market.mid_twice / 2))
    prices = allocate(market, net)
    assert prices is not None
    for leg_quote, price in zip(market.legs, prices, strict=True):
        assert leg_quote.bid - 3 <= price <= leg_quote.ask + 3


@given(bid=st.integers(10, 900), width=st.integers(0, 90), bought=st.integers(2, 3))
def test_ratio_spreads_give_the_net_price_exactly(bid, width, bought):
    market = package((bought, bid, bid + width), (-1, 2 * bid, 2 * bid + width))
    for net in (market.natural, market.natural - 1):
        prices = allocate(market, net)
        assert prices is not None
        assert bought * prices[0] - prices[1] == net


@given(
    bids=st.lists(st.integers(0, 900), min_size=4, max_size=4),
    width=st.integers(1, 90),
    share=st.floats(0, 1),
    side=st.sampled_from([-1, 1]),
)
def test_three_longs_to_two_shorts_give_the_net_price_exactly(bids, width, share, side):
    ratios = (3 * side, -2 * side, -2 * side, 3 * side)
    market = package(*((r, b, b + width) for r, b in zip(ratios, bids, strict=True)))
    net = round(market.mid_twice / 2 + share * (market.natural - market.mid_twice / 2))
    prices = allocate(market, net)
    assert prices is not None
    assert sum(r * p for r, p in zip(ratios, prices, strict=True)) == net
    assert min(prices) >= 1


# --- luck ---------------------------------------------------------------------------------------


CONDOR = (
    leg("+1 SPXW 20MAR20 3040 P"),
    leg("-1 SPXW 20MAR20 3050 P"),
    leg("-1 SPXW 20MAR20 3405 C"),
    leg("+1 SPXW 20MAR20 3415 C"),
)


def test_luck_depends_on_seed_legs_quantity_and_instant_and_on_nothing_else():
    first = draw(7, CONDOR, 3, AT)
    assert draw(7, CONDOR[::-1], 3, AT) == first
    closing = [Leg(instrument=each.instrument, ratio=-each.ratio) for each in CONDOR]
    others = [
        draw(8, CONDOR, 3, AT),
        draw(7, closing, 3, AT),
        draw(7, CONDOR, 4, AT),
        draw(7, CONDOR, 3, instant("2020-02-03 10:00:10")),
    ]
    assert first not in others
    assert len(set(others)) == len(others)


def draws():
    return [draw(7, CONDOR, 1 + n, AT) for n in range(4000)]


def test_luck_is_uniform():
    for values in ([d.chance for d in draws()], [d.size for d in draws()]):
        assert all(0 <= value < 1 for value in values)
        assert sum(values) / len(values) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("SPXW 06MAR20 3000 P", 5, 50), ("VIX 18MAR20 25 C", 20, 200), ("VX 18MAR20", 5, 30)],
)
def test_displayed_sizes_fill_the_range_of_their_product(text, least, most):
    limits = DEFAULT_FILL_MODEL.displayed_range(instrument(text))
    sizes = {each.displayed(*limits) for each in draws()}
    assert (min(sizes), max(sizes)) == (least, most)
