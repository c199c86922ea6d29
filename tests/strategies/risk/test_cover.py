"""G8 before the fact: the bound over everything at work, against every subset by brute force."""

from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.model.instruments import OptionContract
from strategies.pricing.margin import is_covered
from strategies.risk.cover import uncovered_by
from tests.builders import condor_legs, option

EXPIRIES = ("13MAR20", "20MAR20")
SINGLES = [
    *(option(f"SPXW {day} {strike} P") for day in EXPIRIES for strike in (3000, 3005)),
    option("SPX 20MAR20 3000 P"),
    *(option(f"VIX 18MAR20 {strike} C") for strike in (20, 30)),
    option("VIX 15APR20 20 C"),
]
CONDORS = [condor_legs(f"SPXW {day} 3000/3005/3400/3405") for day in EXPIRIES]

Change = dict[OptionContract, int]


def total(changes) -> Change:
    positions: Change = {}
    for change in changes:
        for contract, contracts in change.items():
            positions[contract] = positions.get(contract, 0) + contracts
    return positions


def subsets(orders):
    return chain.from_iterable(combinations(orders, n) for n in range(len(orders) + 1))


single = st.builds(lambda which, n: {which: n}, st.sampled_from(SINGLES), st.integers(-3, 3))
condor = st.builds(
    lambda legs, n: {contract: n * sign for contract, sign in legs.signed()},
    st.sampled_from(CONDORS),
    st.integers(-3, 3),
)
order = single | condor
ragged = st.dictionaries(st.sampled_from(SINGLES), st.integers(-3, 3), max_size=4)
held = st.lists(order, max_size=6).map(total)


@settings(deadline=None)
@given(held, st.lists(order | ragged, max_size=7), order | ragged)
def test_g8_what_the_bound_lets_through_uncovers_nothing_in_any_subset(base, at_work, change):
    if uncovered_by(base, at_work, change):
        return
    for subset in subsets(at_work):
        before = [base, *subset]
        if not is_covered(total(before)):
            assert not is_covered(total([*before, change]))


@settings(deadline=None)
@given(held, st.lists(order, max_size=7), order)
def test_g8_what_the_bound_refuses_is_uncovered_in_some_subset(base, at_work, change):
    """For orders as they are, condors and single options, the bound is reached."""
    if not uncovered_by(base, at_work, change):
        return
    assert any(is_covered(total([base, *subset, change])) for subset in subsets(at_work))


@settings(deadline=None, max_examples=15)
@given(held, st.lists(order, min_size=11, max_size=12), order)
def test_g8_twelve_orders_are_no_harder_than_two(base, at_work, change):
    """Beyond ten orders a list of some subsets missed sales that only together uncover a short."""
    reached = any(
        not is_covered(total([base, *subset])) and bool(is_covered(total([base, *subset, change])))
        for subset in subsets(at_work)
    )
    assert bool(uncovered_by(base, at_work, change)) or not reached


def test_g8_a_purchase_at_work_covers_nothing_yet():
    long, short = option("VIX 18MAR20 20 C"), option("VIX 18MAR20 30 C")
    base = {long: 11, short: -1}
    sales, purchases = [{long: -1}] * 9, [{long: 1}] * 9
    assert uncovered_by(base, [*sales, *purchases], {long: -1}) == ""
    found = uncovered_by(base, [*sales, *purchases], {long: -2})
    assert found == "1 short VIX C of 2020-03-18 or later"
